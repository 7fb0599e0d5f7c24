package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/tamga-id/tamga/credentials/consent"
	"github.com/tamga-id/tamga/federation/transport"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/node/consents"
	"github.com/tamga-id/tamga/node/registrar"
)

// consentVersion begins a frame of /tamga/consent/1 (PROTOCOL.md, TMG-C-008).
const consentVersion = 0x01

// tellTimeout bounds handing one withdrawal on: whoever withdraws waits for the first try.
const tellTimeout = 5 * time.Second

var (
	// ErrWithdrawal: what was brought is no withdrawal that this node takes.
	ErrWithdrawal = errors.New("no withdrawal of a consent that this node asks or answers on")
)

// openConsents opens the book of consents, and puts back withdrawals that the store has lost.
func (n *Node) openConsents(ctx context.Context) (err error) {
	if n.registrar, err = registrar.Witness(n.cfg, n.keys, n.gallery, n.ledger, n.now, n.log); err != nil {
		return err
	}
	n.consents = n.registrar.Grounds.Book
	back, err := n.consents.Agree(func() error {
		// Before anything is served.
		erased, err := n.registrar.EraseHeldByAny(ctx, n.consents.WithdrawnOwn)
		if erased > 0 {
			n.log.WarnContext(ctx, "people erased whose consent was withdrawn: the store had them still", slog.Int("subjects", erased))
		}
		return err
	})
	if back > 0 {
		n.log.WarnContext(ctx, "withdrawn consents put back: the store had lost them", slog.Int("withdrawals", back))
	}
	return err
}

// Withdrawal is what became of a withdrawal.
type Withdrawal struct {
	Fresh bool           // it was not known
	Peer  trust.EntityID // the other side, which is told; empty when there is none
	Told  bool           // it has been; otherwise the node goes on trying

	// Erased is how many people were, whom the consent alone held. There is no other side then.
	Erased int
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
	if w.Requester == w.Controller {
		return n.withdrawEnrolment(ctx, w, token)
	}
	fresh, err := n.consents.Withdraw(w, token, other)
	if errors.Is(err, consents.ErrFull) { // it stands here; nobody goes on trying
		if untold := n.tell(ctx, consents.Outstanding{Entity: other, Token: token}); untold != nil {
			return Withdrawal{}, fmt.Errorf("%w: %w", err, untold)
		}
		return Withdrawal{Fresh: fresh, Peer: trust.EntityID(other), Told: true}, nil
	}
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

// withdrawEnrolment erases whom a consent alone held, once its withdrawal stands.
func (n *Node) withdrawEnrolment(ctx context.Context, w consent.Withdrawal, token string) (Withdrawal, error) {
	fresh, err := n.consents.Withdraw(w, token)
	if err != nil {
		return Withdrawal{}, err
	}
	erased, err := n.registrar.EraseHeldBy(ctx, w.Key()) // of nobody else: what others are owed is no concern of this one
	n.logErased(ctx, erased)
	return Withdrawal{Fresh: fresh, Told: true, Erased: erased}, err
}

func (n *Node) logErased(ctx context.Context, subjects int) {
	if subjects > 0 {
		n.log.InfoContext(ctx, "erased with a consent that was withdrawn", slog.Int("subjects", subjects))
	}
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
	keep := func(w consent.Withdrawal) error {
		_, err := n.consents.Withdraw(w, token)
		return err
	}
	w, err := consent.VerifyWithdrawal(token, n.offices, n.now())
	if errors.Is(err, consent.ErrOffice) {
		// An office that only the register's node knows: that node refuses the artefact
		// whatever this one makes of it, so its word is enough for not asking it, and for
		// nothing else: the signature may be anybody's.
		keep = func(w consent.Withdrawal) error { return n.consents.Hear(w, token) }
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
	known, err := n.consents.Heard(consent.Consent{ID: w.ID, Holder: w.Holder, Office: w.Office, Controller: w.Controller})
	switch {
	case err != nil:
	case !known && !n.withdrawals.take(m.Jurisdiction, n.now()):
		err = errTooMany
	default:
		err = keep(w)
	}
	if err != nil {
		n.log.WarnContext(ctx, "withdrawal not kept", slog.String("entity", string(m.EntityID)), slog.String("cause", err.Error()))
		return nil, errors.New("not kept")
	}
	n.log.InfoContext(ctx, "consent withdrawn", slog.String("requester", w.Requester), slog.String("controller", w.Controller))
	return []byte{consentVersion}, nil
}

// maxWithdrawals is how many new withdrawals a country may hand on in a day. Everybody can
// sign one of an artefact that never was, and each is remembered for as long as an artefact
// lives: this many are some 40 MB of memory by then. What is refused comes again.
const maxWithdrawals = 5000

var errTooMany = errors.New("the country has handed on as many withdrawals as are taken in a day")

// allowance counts what countries do in a day. The zero value is ready.
type allowance struct {
	mu   sync.Mutex
	day  int64
	used map[string]int
}

// take reports whether one more may be done, and counts it.
func (a *allowance) take(country string, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if day := now.Unix() / int64(24*time.Hour/time.Second); day > a.day || a.used == nil {
		a.day, a.used = day, make(map[string]int)
	}
	if a.used[country] >= maxWithdrawals {
		return false
	}
	a.used[country]++
	return true
}

// withdrawn reports whether an artefact is known to be withdrawn. Of what is none the
// responder says so.
func (n *Node) withdrawn(artefact string) (bool, error) {
	u, err := consent.Parse(artefact)
	if err != nil {
		return false, nil //nolint:nilerr // that it is malformed is no reason to take it for withdrawn
	}
	return n.consents.Heard(u.Claimed())
}

// mindConsents tells the other sides of withdrawals that they could not be told of before,
// and erases who is still owed that.
func (n *Node) mindConsents(ctx context.Context) {
	erased, err := n.registrar.Grounds.EraseOwed(ctx, n.registrar)
	n.logErased(ctx, erased)
	if err != nil && ctx.Err() == nil {
		n.log.ErrorContext(ctx, "not erased with their consents", slog.String("cause", err.Error()))
	}
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
