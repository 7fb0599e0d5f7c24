package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/tamga-id/tamga/credentials/consent"
	"github.com/tamga-id/tamga/federation/transport"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/node/consents"
	"github.com/tamga-id/tamga/node/keystore"
	"github.com/tamga-id/tamga/node/rows"
)

// consentVersion begins a frame of /tamga/consent/1 (PROTOCOL.md, TMG-C-008).
const consentVersion = 0x01

// tellTimeout bounds handing one withdrawal on: whoever withdraws waits for the first try.
const tellTimeout = 5 * time.Second

var (
	// ErrOfficeFile: a file of policy.offices is not the file of an office.
	ErrOfficeFile = errors.New("reading office")
	// ErrWithdrawal: what was brought is no withdrawal that this node takes.
	ErrWithdrawal = errors.New("no withdrawal of a consent that this node asks or answers on")
)

// loadOffices reads whom the node lets attest and exempt.
func loadOffices(files []string) (consent.Offices, error) {
	out := consent.Offices{}
	for _, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrOfficeFile, err)
		}
		o, err := consent.ParseOffice(b)
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrOfficeFile, filepath.Base(path), err)
		}
		if _, twice := out[o.ID]; twice {
			return nil, fmt.Errorf("%w: %s is of an office that another file is of", ErrOfficeFile, filepath.Base(path))
		}
		out[o.ID] = o
	}
	return out, nil
}

// openRows gives the rows of the node's own that lie beside the gallery.
func openRows(k keystore.Set, beside rows.Beside) (*rows.Rows, error) {
	return rows.New(beside, k.Gallery.Derive("tamga/v1/node-rows"))
}

// openConsents opens the book of consents, and puts back withdrawals that the store has lost.
func (n *Node) openConsents(ctx context.Context) (*consents.Book, error) {
	list, err := consents.OpenList(consents.ListFile(n.cfg.Recovery.CheckpointFile), n.keys.Gallery.Derive("tamga/v1/consent-withdrawals"), n.now())
	if err != nil {
		return nil, err
	}
	book := consents.New(n.rows, list)
	back, err := book.Agree()
	if back > 0 {
		n.log.WarnContext(ctx, "withdrawn consents put back: the store had lost them", slog.Int("withdrawals", back))
	}
	return book, err
}

// Withdrawal is what became of a withdrawal.
type Withdrawal struct {
	Fresh bool           // it was not known
	Peer  trust.EntityID // the other side, which is told
	Told  bool           // it has been; otherwise the node goes on trying
}

// WithdrawConsent takes a withdrawal that the person or the office signed, in effect when
// it returns nil, and tells the other side. Errors match [ErrWithdrawal] when it is none.
func (n *Node) WithdrawConsent(ctx context.Context, token string) (Withdrawal, error) {
	w, err := consent.VerifyWithdrawal(token, n.offices, n.now())
	if err != nil {
		return Withdrawal{}, fmt.Errorf("%w: %w", ErrWithdrawal, err)
	}
	other := w.Requester
	switch n.cfg.EntityID {
	case w.Controller:
	case w.Requester:
		other = w.Controller
	default:
		return Withdrawal{}, fmt.Errorf("%w: it is between two other nodes", ErrWithdrawal)
	}
	fresh, err := n.consents.Withdraw(w, token, other)
	if err != nil {
		return Withdrawal{}, err
	}
	n.log.InfoContext(ctx, "consent withdrawn", slog.String("requester", w.Requester), slog.String("controller", w.Controller))
	out := Withdrawal{Fresh: fresh, Peer: trust.EntityID(other)}
	left, err := n.tellWithdrawals(ctx)
	if err != nil {
		n.log.WarnContext(ctx, "withdrawals not handed on", slog.String("cause", err.Error()))
		return out, nil
	}
	out.Told = true
	for _, o := range left {
		out.Told = out.Told && o.Token != token
	}
	return out, nil
}

// tellWithdrawals hands on what is outstanding and returns what still is.
func (n *Node) tellWithdrawals(ctx context.Context) (left []consents.Outstanding, err error) {
	waiting, err := n.consents.Outstanding()
	if err != nil {
		return nil, err
	}
	away := make(map[string]bool) // who did not answer is asked once each time
	for _, o := range waiting {
		if away[o.Entity] || n.tell(ctx, o) != nil {
			away[o.Entity] = true
			left = append(left, o)
			continue
		}
		if err := n.consents.Told(o); err != nil {
			return nil, err
		}
	}
	return left, ctx.Err()
}

func (n *Node) tell(ctx context.Context, o consents.Outstanding) error {
	m, err := n.directory.Entity(trust.EntityID(o.Entity), n.now())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, tellTimeout)
	defer cancel()
	reply, err := n.line.ExchangeIdempotent(ctx, transport.PeerID(m.PeerID), m.Addresses, transport.ProtocolConsent,
		append([]byte{consentVersion}, o.Token...))
	if err == nil && (len(reply) != 1 || reply[0] != consentVersion) {
		err = errors.New("not an acknowledgement")
	}
	return err
}

// serveConsent takes a withdrawal that a member hands on. The member must be the other side:
// everybody can sign a withdrawal with a key of the own, and no third party may fill the
// store with them.
func (n *Node) serveConsent(ctx context.Context, from transport.PeerID, frame []byte) ([]byte, error) {
	m, ok := n.directory.Member(string(from), n.now())
	if !ok || len(frame) < 2 || frame[0] != consentVersion {
		return nil, errors.New("not a member's withdrawal")
	}
	n.directory.Heard(from)
	token := string(frame[1:])
	w, err := consent.VerifyWithdrawal(token, n.offices, n.now())
	if errors.Is(err, consent.ErrOffice) {
		// An office that only the register's node knows: that node refuses the artefact
		// whatever this one makes of it, so its word is enough for not asking.
		var u consent.UnverifiedWithdrawal
		if u, err = consent.ParseWithdrawal(token); u.Claimed().Controller != string(m.EntityID) {
			err = consent.ErrOffice
		}
		w = u.Claimed()
	}
	if err != nil {
		return nil, errors.New("not a withdrawal")
	}
	sides := map[string]string{w.Requester: w.Controller, w.Controller: w.Requester}
	if sides[n.cfg.EntityID] != string(m.EntityID) {
		return nil, errors.New("not a withdrawal between these two")
	}
	if _, err := n.consents.Withdraw(w, token); err != nil {
		n.log.WarnContext(ctx, "withdrawal not kept", slog.String("entity", string(m.EntityID)), slog.String("cause", err.Error()))
		return nil, errors.New("not kept")
	}
	n.log.InfoContext(ctx, "consent withdrawn", slog.String("requester", w.Requester), slog.String("controller", w.Controller))
	return []byte{consentVersion}, nil
}

// withdrawn reports whether an artefact is known to be withdrawn. Of what is none the
// responder says so.
func (n *Node) withdrawn(artefact string) (bool, error) {
	u, err := consent.Parse(artefact)
	if err != nil {
		return false, nil //nolint:nilerr // that it is malformed is no reason to take it for withdrawn
	}
	return n.consents.Withdrawn(u.Claimed().Key())
}

// mindConsents tells the other sides of withdrawals that they could not be told of before.
func (n *Node) mindConsents(ctx context.Context) {
	if _, err := n.tellWithdrawals(ctx); err != nil && ctx.Err() == nil {
		n.log.WarnContext(ctx, "withdrawals not handed on", slog.String("cause", err.Error()))
	}
}

// forgetConsents removes what is of artefacts that expired.
func (n *Node) forgetConsents(ctx context.Context) {
	if _, err := n.consents.Forget(n.now()); err != nil && ctx.Err() == nil {
		n.log.WarnContext(ctx, "expired consents not forgotten", slog.String("cause", err.Error()))
	}
}
