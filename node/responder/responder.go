// Package responder answers Queries: the steps of federation/protocol/PROTOCOL.md
// section 5 in their order, cheapest first.
//
// New, then give [Responder.Handle] to the transport. The package does not listen
// and does not fetch: trust, law, gallery and ledger are handed to it.
//
// Invariants: nothing unauthenticated costs more than a parse and a signature
// check; no Answer leaves without a durable ledger entry; what a failure or a panic
// leaves undecided is unavailable and never a "no"; probes and references are
// decoded by one function (node/comparison), and wiped when the Query is decided; with a Pace, all that
// depends on the subject ends before the schedule of package pace does, also where it
// fails, and nothing that is told of it was done before.
package responder

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/tamga-id/tamga/credentials/consent"
	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/crypto/sealing"
	"github.com/tamga-id/tamga/federation/ledger/lognote"
	"github.com/tamga-id/tamga/federation/policy"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/transport"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/node/alarms"
	"github.com/tamga-id/tamga/node/budget"
	"github.com/tamga-id/tamga/node/comparison"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/pace"
)

// Members says who is a member now, from memory. directory.Directory does.
type Members interface {
	Entity(id trust.EntityID, now time.Time) (trust.Node, error)
}

// Law decides on what a Query shows before it is opened. policy.Law does.
type Law interface {
	Decide(policy.Request) policy.Decision
}

// Gallery finds a subject's references. gallery.Gallery does.
type Gallery interface {
	References(id pseudonym.Identifier, modality string) (gallery.References, error)
}

// Ledger appends an entry durably, or fails. ledger.Log does.
type Ledger interface {
	Append(ctx context.Context, leaf []byte) (lognote.Receipt, error)
}

// Replay remembers identifiers of Queries for as long as they could be replayed. Fresh reports true
// once for each (issuer, jti); it reports an error when it cannot remember more, or cannot tell.
type Replay interface {
	Fresh(issuer, jti string, now time.Time) (bool, error)
}

// Consents counts uses of what permits a comparison. consents.Book does.
type Consents interface {
	// Use counts one, durably; consents.ErrUsed and consents.ErrWithdrawn say that there is
	// none left, and every other error that it cannot be told.
	Use(consent.Consent) error
}

// Decoys knows which subjects are canaries. decoy.Book does.
type Decoys interface {
	Touched(pseudonym.Identifier) (bool, error)
}

// Budgets counts Queries. budget.Book does.
type Budgets interface {
	// Begin counts one, and says what there was before and whether its subject is locked;
	// budget.ErrSpent and budget.ErrRepeated refuse it.
	Begin(budget.Ask, time.Time) (budget.Counts, bool, error)
	// End says what came of it, and reports whether the subject is locked from now on, and
	// whether it was before.
	End(a budget.Ask, matched bool, now time.Time) (locks, locked bool, err error)
}

// Config is what a Responder is made of. Every field is required, but for those that say what nil does.
type Config struct {
	Self    trust.EntityID
	Country string
	Signing jose.PrivateKey
	Sealing []sealing.PrivateKey // current first; older ones open until retired
	Members Members
	Law     Law
	Gallery Gallery
	Ledger  Ledger
	Replay  Replay
	// Consents counts the uses of consents; nil lets none permit anything.
	Consents Consents
	// Offices are those that may attest a person's consent or exempt from it; nil for none.
	Offices consent.Offices
	// Decoys has a Query about a canary raise an alarm; nil knows of none.
	Decoys Decoys
	// Alarms keeps the alarms that are raised; nil has them in the log alone.
	Alarms *alarms.Book
	// Budgets bounds how many Queries there are; nil counts none.
	Budgets Budgets
	// Pace has what is worked out about a person take a time that does not tell of it; nil
	// answers when it is ready.
	Pace *pace.Pace
	// Desk searches among all; nil searches for nobody.
	Desk Desk
	// Calibrations are the operator's own; nil uses those shipped.
	Calibrations comparison.Calibrations
	// Faces is the protection under which the gallery stores faces; nil when it does not.
	Faces comparison.Faces
	// Presented verifies a Trust Chain that a Query brings, with the Anchors' keys alone,
	// and gives the member it makes out when that is newer than what Members knows; nil
	// believes none.
	Presented func(chain []string, now time.Time) (trust.Node, error)
	Now       func() time.Time
	Logger    *slog.Logger
	// Answered is told the code of every Answer and Refusal and what it took, for metrics; nil hears of none.
	Answered func(code protocol.Code, took time.Duration)
}

// Responder answers Queries. It is safe for concurrent use.
type Responder struct {
	// Immutable after New.
	cfg     Config
	sealing map[string]sealing.PrivateKey
	started time.Time
}

// New returns a Responder. Queries issued before the next full second are refused
// with CodeRestarted: this process cannot know whether its predecessor saw them.
func New(cfg Config) *Responder {
	r := &Responder{cfg: cfg, sealing: make(map[string]sealing.PrivateKey, len(cfg.Sealing))}
	for _, k := range cfg.Sealing {
		r.sealing[k.Public().KeyID()] = k
	}
	r.started = cfg.Now().Add(time.Second - 1).Truncate(time.Second)
	return r
}

// WithKeys returns a Responder that goes on in r's place with other keys: it shares
// what r knows of Queries, and so refuses none for having been issued before it.
func (r *Responder) WithKeys(signing jose.PrivateKey, sealed []sealing.PrivateKey) *Responder {
	next := &Responder{cfg: r.cfg, started: r.started, sealing: make(map[string]sealing.PrivateKey, len(sealed))}
	next.cfg.Signing, next.cfg.Sealing = signing, sealed
	for _, k := range sealed {
		next.sealing[k.Public().KeyID()] = k
	}
	return next
}

// Handle answers one frame of /tamga/query/1 from an admitted peer. The reply is
// an Answer or a Refusal; an error means that not even a Refusal could be made,
// and the transport resets the stream.
func (r *Responder) Handle(ctx context.Context, from transport.PeerID, frame []byte) ([]byte, error) {
	begin := r.cfg.Now()
	reply, c, err := r.handle(ctx, from, frame, begin)
	if r.cfg.Answered != nil {
		r.cfg.Answered(c, r.cfg.Now().Sub(begin))
	}
	return reply, err
}

func (r *Responder) handle(ctx context.Context, from transport.PeerID, frame []byte, begin time.Time) ([]byte, protocol.Code, error) {
	q, asker, err := r.authenticate(from, frame, begin)
	if err != nil {
		return r.refuse(ctx, protocol.HashQuery(frame), err)
	}
	v, err := r.judge(ctx, q, asker)
	if err != nil {
		v.Verdict = r.undecided(ctx, q, v.Policy, err)
	}
	entry := protocol.NewLeaf(protocol.LeafAnswer, q.Envelope, q.Hash, v.Verdict, r.cfg.Now())
	entry.Inputs = v.inputs
	leaf, err := entry.Marshal()
	if err != nil {
		return r.refuse(ctx, q.Hash, err)
	}
	receipt, err := r.cfg.Ledger.Append(ctx, leaf)
	if err != nil {
		return r.refuse(ctx, q.Hash, &protocol.Fault{Code: protocol.CodeLedgerUnavailable, Err: err})
	}
	r.cfg.Logger.InfoContext(ctx, "query answered", slog.String("requester", q.Issuer), slog.String("purpose", q.Purpose),
		slog.String("code", logged(v.Code)), slog.Uint64("entry", receipt.Index), slog.Duration("took", r.cfg.Now().Sub(begin)))
	reply, err := q.AnswerFound(v.Verdict, v.found, receipt, r.cfg.Signing, r.cfg.Now())
	return reply, v.Code, err
}

// logged keeps what comparisons found out of the operator's log: the ledger holds it,
// and whoever reads logs must not learn who was recognised at which counter. All that
// is answered after a comparison is therefore "decided", also where it is no verdict:
// it says that there was no match, or that one sample alone would have been one.
// Every other code is logged as it is.
func logged(c protocol.Code) string {
	switch c {
	case protocol.CodeMatched, protocol.CodeNotMatched, protocol.CodeDisagree, protocol.CodeSmallPart, protocol.CodePoorCapture,
		protocol.CodeWithheld, protocol.CodeCandidates, protocol.CodeNoCandidate,
		protocol.CodeSearchIncomplete, protocol.CodeResolved, protocol.CodeNoIdentifier:
		return "decided"
	}
	return string(c)
}

// undecided is the verdict on a Query that ended in cause: its code, the rule of law
// where that was reached, and no rate. A cause without a code that a peer may be
// told is the node's own failure.
func (r *Responder) undecided(ctx context.Context, q protocol.Query, p protocol.PolicyRef, cause error) protocol.Verdict {
	c := protocol.CodeOf(cause)
	if e, ok := protocol.Lookup(c); !ok || !e.Wire {
		c = protocol.CodeInternal
	}
	if c.Outcome() == protocol.Unavailable {
		r.cfg.Logger.ErrorContext(ctx, "verification failed", slog.String("requester", q.Issuer), slog.String("error", cause.Error()))
	}
	return protocol.Verdict{Outcome: c.Outcome(), Code: c, Policy: p}
}

// refuse is the reply when there is no ledger entry: before a Query is
// authenticated, or because the entry could not be made.
func (r *Responder) refuse(ctx context.Context, h protocol.Hash, cause error) ([]byte, protocol.Code, error) {
	c := protocol.CodeOf(cause)
	if c.Outcome() == protocol.Unavailable {
		r.cfg.Logger.ErrorContext(ctx, "query not answered", slog.String("code", string(c)), slog.String("query", h.String()),
			slog.String("error", cause.Error()))
	} else {
		r.cfg.Logger.WarnContext(ctx, "query refused", slog.String("code", string(c)), slog.String("query", h.String()))
	}
	reply, err := protocol.Refuse(string(r.cfg.Self), h, c, r.cfg.Signing, r.cfg.Now())
	return reply, c, err
}

// authenticate is TMG-R-001 to TMG-R-004: syntax, membership, sender, signature,
// audience, times.
func (r *Responder) authenticate(from transport.PeerID, frame []byte, now time.Time) (protocol.Query, trust.Node, error) {
	var none protocol.Query
	u, err := protocol.ParseQuery(frame)
	if err != nil {
		return none, trust.Node{}, err
	}
	asker, err := r.cfg.Members.Entity(trust.EntityID(u.ClaimedIssuer()), now)
	if errors.Is(err, trust.ErrExpired) || errors.Is(err, trust.ErrUndetermined) {
		if n, ok := r.presented(u, now); ok {
			asker, err = n, nil
		}
	}
	switch {
	case errors.Is(err, trust.ErrNotMember):
		return none, asker, &protocol.Fault{Code: protocol.CodeNotMember, Err: err}
	case errors.Is(err, trust.ErrExpired):
		return none, asker, &protocol.Fault{Code: protocol.CodeChainExpired, Err: err}
	case err != nil:
		return none, asker, &protocol.Fault{Code: protocol.CodeTrustUndetermined, Err: err}
	case !asker.Is(string(from)):
		return none, asker, &protocol.Fault{Code: protocol.CodePeerMismatch}
	}
	q, err := u.Verify(asker.SigningKeys, string(r.cfg.Self), now)
	if protocol.CodeOf(err) == protocol.CodeSignature {
		// The requester may have rotated its keys since this node heard of it last.
		if n, ok := r.presented(u, now); ok && n.Is(string(from)) {
			asker = n
			q, err = u.Verify(asker.SigningKeys, string(r.cfg.Self), now)
		}
	}
	return q, asker, err
}

// presented is the sender by the Trust Chain that the Query brings.
func (r *Responder) presented(u protocol.UnverifiedQuery, now time.Time) (trust.Node, bool) {
	if u.TrustChain() == nil || r.cfg.Presented == nil {
		return trust.Node{}, false
	}
	n, err := r.cfg.Presented(u.TrustChain(), now)
	return n, err == nil && n.EntityID == trust.EntityID(u.ClaimedIssuer())
}
