// Package requester asks another country's node about a traveller: own law first,
// then the peer from the trust directory, the intent in the own ledger, the Query,
// and the reply verified to the last receipt before anything is believed.
//
// New, then [Requester.Verify]. The package does not listen and has no users: who
// the officer is was settled by its caller.
//
// Invariants: nothing is sent before the intent is durable; a peer that does not
// answer, or whose reply does not verify, is Unavailable and never a "no".
package requester

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/federation/policy"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/transport"
	"github.com/tamga-id/tamga/federation/trust"
)

// Directory finds the node of a country, from memory. trust.Directory does.
type Directory interface {
	Country(alpha3 string, now time.Time) (trust.Node, error)
}

// Law decides whether own officers may ask. policy.Law does.
type Law interface {
	Decide(policy.Request) policy.Decision
}

// Ledger appends an entry durably, or fails. ledger.Log does.
type Ledger interface {
	Append(ctx context.Context, leaf []byte) (ledger.Receipt, error)
}

// Exchanger sends one frame to a peer and returns its reply. transport.Host does.
type Exchanger interface {
	Exchange(ctx context.Context, to transport.PeerID, addrs []string, protocol string, frame []byte) ([]byte, error)
}

// Config is what a Requester is made of. Every field is required.
type Config struct {
	Self      trust.EntityID
	Country   string
	Signing   jose.PrivateKey
	Directory Directory
	Law       Law
	Ledger    Ledger
	Exchanger Exchanger
	Now       func() time.Time
	Logger    *slog.Logger
}

// Requester asks. It is safe for concurrent use.
type Requester struct{ cfg Config }

// New returns a Requester.
func New(cfg Config) *Requester { return &Requester{cfg: cfg} }

// Request is one question of an officer. The subject's jurisdiction is the country
// that is asked.
type Request struct {
	Question   protocol.Question
	Purpose    string
	LegalBasis string
	Officer    string // requester-scoped pseudonym
}

// Result is what came of a Request.
type Result struct {
	protocol.Verdict
	Peer    trust.EntityID // who was asked; empty when no one was
	Query   protocol.Hash  // zero when nothing was sent
	Receipt ledger.Receipt // the responder's; zero unless the reply was an Answer
	Reply   string         // the responder's signed reply, evidence; empty when there was none
	Entry   uint64         // index of the verdict in the own ledger
	Took    time.Duration
}

// OverloadedFrame is the one-byte reply of a node at its limit (TMG-T-006).
const OverloadedFrame = 0x15

// exchangeTimeout bounds dialling and the peer's work together: an officer at a
// counter is better served by "unavailable" than by a spinner.
const exchangeTimeout = 10 * time.Second

// Verify asks and returns what came of it. Only a Request that cannot be put as a
// Query gives an error (a *protocol.Fault); all else is an outcome.
func (r *Requester) Verify(ctx context.Context, req Request) (Result, error) {
	begin := r.cfg.Now()
	id, err := req.Question.Subject.Normalize()
	if err != nil {
		return Result{}, &protocol.Fault{Code: protocol.CodeRequest, Err: err}
	}
	req.Question.Subject = id
	res, err := r.ask(ctx, req, begin)
	if err == nil && res.Code == protocol.CodeRestarted {
		// The peer has just started and cannot tell a replay from a new Query of
		// this second. One new Query in the next second settles it.
		select {
		case <-time.After(time.Second):
			res, err = r.ask(ctx, req, r.cfg.Now())
		case <-ctx.Done():
		}
	}
	res.Took = r.cfg.Now().Sub(begin)
	return res, err
}

func (r *Requester) ask(ctx context.Context, req Request, now time.Time) (Result, error) {
	peer, err := r.cfg.Directory.Country(req.Question.Subject.Jurisdiction, now)
	if err != nil {
		return result(undirected(err)), nil
	}
	d := r.cfg.Law.Decide(policy.Request{
		Direction: "ask", Requester: string(r.cfg.Self), Responder: string(peer.EntityID),
		RequesterCountry: r.cfg.Country, ResponderCountry: peer.Jurisdiction,
		Purpose: req.Purpose, LegalBasis: req.LegalBasis, Operation: protocol.OperationVerify,
	})
	own := protocol.PolicyRef{Law: d.Law, Version: d.Version, ID: d.PolicyID, Article: d.Article}
	if !d.Allowed {
		res := result(protocol.CodeOwnLaw)
		res.Policy = own
		return res, nil
	}
	if len(peer.SealingKeys) == 0 {
		return result(protocol.CodeTrustUndetermined), nil
	}
	p, err := protocol.Ask(protocol.Envelope{
		Issuer: string(r.cfg.Self), Audience: string(peer.EntityID), Purpose: req.Purpose, LegalBasis: req.LegalBasis,
		Operation: protocol.OperationVerify, Officer: req.Officer,
	}, req.Question, peer.SealingKeys[0], r.cfg.Signing, now)
	if err != nil {
		return Result{}, &protocol.Fault{Code: protocol.CodeRequest, Err: err}
	}
	return r.send(ctx, p, peer, own), nil
}

// send records the intent, exchanges the frame, and records what came of it.
func (r *Requester) send(ctx context.Context, p *protocol.Pending, peer trust.Node, own protocol.PolicyRef) Result {
	if _, err := r.record(ctx, protocol.LeafIntent, p, protocol.Verdict{Policy: own}); err != nil {
		return result(protocol.CodeLedgerUnavailable)
	}
	res := r.exchange(ctx, p, peer)
	res.Peer, res.Query = peer.EntityID, p.Hash
	// The verdict is recorded even when the caller has gone away: the peer's ledger
	// has its side, and ours must not lack it.
	receipt, err := r.record(context.WithoutCancel(ctx), protocol.LeafVerdict, p, res.Verdict)
	if err != nil {
		r.cfg.Logger.ErrorContext(ctx, "verdict not recorded", slog.String("peer", string(peer.EntityID)))
		lost := result(protocol.CodeLedgerUnavailable)
		lost.Peer, lost.Query, lost.Reply = res.Peer, res.Query, res.Reply
		return lost
	}
	res.Entry = receipt.Index
	return res
}

func (r *Requester) record(ctx context.Context, k protocol.LeafKind, p *protocol.Pending, v protocol.Verdict) (ledger.Receipt, error) {
	leaf, err := protocol.NewLeaf(k, p.Envelope, p.Hash, v, r.cfg.Now()).Marshal()
	if err != nil {
		return ledger.Receipt{}, err
	}
	return r.cfg.Ledger.Append(ctx, leaf)
}

func (r *Requester) exchange(ctx context.Context, p *protocol.Pending, peer trust.Node) Result {
	ctx, cancel := context.WithTimeout(ctx, exchangeTimeout)
	defer cancel()
	frame, err := r.cfg.Exchanger.Exchange(ctx, transport.PeerID(peer.PeerID), peer.Addresses, transport.ProtocolQuery, p.Frame)
	if err != nil {
		c := unreached(err)
		r.cfg.Logger.WarnContext(ctx, "peer did not answer", slog.String("peer", string(peer.EntityID)),
			slog.String("code", string(c)), slog.String("cause", err.Error()))
		return result(c)
	}
	if len(frame) == 1 && frame[0] == OverloadedFrame {
		return result(protocol.CodeOverloaded)
	}
	verifier, err := ledger.NewVerifier(peer.LedgerOrigin, peer.LedgerKeys)
	if err != nil {
		return result(protocol.CodeReceiptInvalid)
	}
	a, err := p.Reply(frame, protocol.Peer{Entity: string(peer.EntityID), Keys: peer.SigningKeys, Ledger: verifier}, r.cfg.Now())
	if err != nil {
		r.cfg.Logger.ErrorContext(ctx, "reply does not verify", slog.String("peer", string(peer.EntityID)), slog.String("cause", err.Error()))
		res := result(protocol.CodeOf(err))
		res.Reply = string(frame)
		return res
	}
	return Result{Verdict: a.Verdict, Receipt: a.Receipt, Reply: a.Token}
}

func result(c protocol.Code) Result {
	return Result{Verdict: protocol.Verdict{Code: c, Outcome: c.Outcome()}}
}

func undirected(err error) protocol.Code {
	if errors.Is(err, trust.ErrNotMember) {
		return protocol.CodeNoPeer
	}
	return protocol.CodeTrustUndetermined
}

func unreached(err error) protocol.Code {
	switch {
	case errors.Is(err, transport.ErrNotAdmitted):
		return protocol.CodeHandshake
	case errors.Is(err, transport.ErrOverloaded):
		return protocol.CodeOverloaded
	case errors.Is(err, transport.ErrUnreachable):
		return protocol.CodeUnreachable // a dial that timed out is no late answer
	case errors.Is(err, transport.ErrTimeout):
		return protocol.CodeTimeout
	}
	return protocol.CodeUnreachable
}
