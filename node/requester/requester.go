// Package requester asks another country's node about a traveller: own law first,
// then the peer from the trust directory, the intent in the own ledger, the Query,
// and the reply verified to the last receipt before anything is believed
// (federation/protocol/PROTOCOL.md section 6).
//
// New, then [Requester.Verify], or [Requester.Identify] and [Requester.Resolve]. The package does not listen and has no users: who
// the officer is was settled by its caller.
//
// Invariants: nothing is sent before the intent is durable; an attempt that own law
// forbids leaves an entry, too; a peer that does not answer, or whose reply does not
// verify, is Unavailable and never a "no".
package requester

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/federation/ledger/lognote"
	"github.com/tamga-id/tamga/federation/policy"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/transport"
	"github.com/tamga-id/tamga/federation/trust"
)

// Directory finds the node of a country, from memory. directory.Directory does. The code of an
// error that is a *protocol.Fault becomes that of the outcome.
type Directory interface {
	Country(alpha3 string, now time.Time) (trust.Node, error)
	// Below returns the node of the country that has the identifier: its own, or one below
	// that, such as a ministry's. The errors are those of Country.
	Below(alpha3 string, id trust.EntityID, now time.Time) (trust.Node, error)
}

// Law decides whether own officers may ask. policy.Law does.
type Law interface {
	Decide(policy.Request) policy.Decision
}

// Ledger appends an entry durably, or fails. ledger.Log does.
type Ledger interface {
	Append(ctx context.Context, leaf []byte) (lognote.Receipt, error)
}

// Exchanger sends one frame to a peer and returns its reply. transport.Host does.
type Exchanger interface {
	Exchange(ctx context.Context, to transport.PeerID, addrs []string, protocol string, frame []byte) ([]byte, error)
}

// Witness remembers what peers' ledgers have shown. witness.Witness does.
type Witness interface {
	// Expect is called before a Query to the peer is sent, and what it returns with the
	// Answer, verified: it fails with a *protocol.Fault when the receipt contradicts an
	// earlier one, and the Answer is not used.
	Expect(peer trust.Node) func(context.Context, protocol.Answer) error
}

// Config is what a Requester is made of. Every field but Counts, Chain, Proof, Witness and Withdrawn is required.
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
	// Withdrawn reports whether a consent artefact is known to be withdrawn; nil knows of none.
	Withdrawn func(artefact string) (bool, error)
	// Counts counts an officer's question about the subject, and says how many there were before, for own law; nil counts none.
	Counts func(subject pseudonym.Identifier, officer, purpose string, now time.Time) (policy.Counts, error)
	// Chain is the Trust Chain to bring with a Query, for responders that may not know this
	// node's present keys; it returns nil for none. nil brings none.
	Chain func() []string
	// Proof is the Trust Chain for a responder that said it could not tell whether this node
	// is a member, or has just started; nil brings none.
	Proof func() []string
	// Witness holds peers to what their ledgers have shown; nil holds them to nothing.
	Witness Witness
}

// Requester asks. It is safe for concurrent use.
type Requester struct {
	// Immutable after New.
	cfg   Config
	after func(time.Duration) <-chan time.Time // time.After, but in tests

	mu        sync.Mutex // guards what follows
	verifiers map[trust.EntityID]ledgerOf
	away      map[trust.EntityID]time.Time // peers that asked to be left alone, and until when
}

// New returns a Requester.
func New(cfg Config) *Requester { return &Requester{cfg: cfg, after: time.After} }

// Request is one question of an officer. The subject's jurisdiction is the country
// that is asked.
type Request struct {
	Question   protocol.Question
	Purpose    string
	LegalBasis string
	Officer    string // requester-scoped pseudonym
	Role       string // of the officer, a word of the registry; empty: not said
	Assurance  string // of the capture of the probes, a word of the registry; empty: not said
	// Node is who is asked, of the nodes of that country, such as a ministry's; empty is the
	// country's own.
	Node trust.EntityID

	// operation and asked are the Question's, but for a search.
	operation string
	asked     protocol.Asked
}

// Result is what came of a Request.
type Result struct {
	protocol.Verdict
	Found   protocol.Found  // by a search or a resolution; zero otherwise
	Peer    trust.EntityID  // who was asked; empty when no one was
	Query   protocol.Hash   // zero when nothing was sent
	Receipt lognote.Receipt // the responder's; zero unless the reply was an Answer
	Reply   string          // the responder's signed reply, evidence; empty when there was none
	Entry   uint64          // index of the verdict, or of the refusal by own law, in the own ledger
	Took    time.Duration

	// RetryAfter is how long the peer, at its limit, asked to be left alone, or how long its budget stays spent at least; 0
	// when neither is so.
	RetryAfter time.Duration
}

// exchangeTimeout bounds dialling and the peer's work together: an officer at a
// counter is better served by "unavailable" than by a spinner.
const exchangeTimeout = 10 * time.Second

// searchTimeout bounds a search, for which the peer reads its whole register.
const searchTimeout = 25 * time.Second

// Verify asks and returns what came of it. Only a Request that cannot be put as a
// Query gives an error (a *protocol.Fault), and then nothing is recorded; all else
// is an outcome. The Question stays the caller's to wipe.
func (r *Requester) Verify(ctx context.Context, req Request) (Result, error) {
	begin := r.cfg.Now()
	id, err := req.Question.Subject.Normalize()
	if err != nil {
		return Result{}, &protocol.Fault{Code: protocol.CodeRequest, Err: err}
	}
	req.Question.Subject = id
	req.operation, req.asked = protocol.OperationVerify, req.Question
	return r.put(ctx, req, begin)
}

// put asks, and once more where the answer says that it may be otherwise then.
func (r *Requester) put(ctx context.Context, req Request, begin time.Time) (Result, error) {
	res, err := r.ask(ctx, req, r.cfg.Chain, begin)
	if err == nil && res.Reply != "" && r.cfg.Proof != nil && (res.Code == protocol.CodeTrustUndetermined || res.Code == protocol.CodeChainExpired) {
		// The peer cannot tell who is a member: the Trust Chain tells it. One new Query.
		res, err = r.ask(ctx, req, r.cfg.Proof, r.cfg.Now())
	}
	if err == nil && res.Code == protocol.CodeRestarted {
		// The peer has just started and cannot tell a replay from a new Query of
		// this second. One new Query in the next second settles it.
		select {
		case <-r.after(time.Second):
			res, err = r.ask(ctx, req, r.cfg.Proof, r.cfg.Now())
		case <-ctx.Done():
		}
	}
	res.Took = r.cfg.Now().Sub(begin)
	return res, err
}

func (r *Requester) ask(ctx context.Context, req Request, bring func() []string, now time.Time) (Result, error) {
	if req.Question.Subject.Jurisdiction == r.cfg.Country {
		return result(protocol.CodeOwnCountry), nil
	}
	peer, err := r.peer(req, now)
	if err != nil {
		return result(undirected(err)), nil
	}
	e := protocol.Envelope{
		Issuer: string(r.cfg.Self), Audience: string(peer.EntityID), Purpose: req.Purpose, LegalBasis: req.LegalBasis,
		Operation: req.operation, Officer: req.Officer, Role: req.Role, Assurance: req.Assurance,
	}
	// Before law: what breaks the form of a Query must not get into a ledger either.
	if err := e.Check(); err != nil {
		return Result{}, &protocol.Fault{Code: protocol.CodeRequest, Err: err}
	}
	var counts policy.Counts
	if r.cfg.Counts != nil {
		if counts, err = r.cfg.Counts(req.Question.Subject, e.Officer, e.Purpose, now); err != nil {
			r.cfg.Logger.ErrorContext(ctx, "questions not counted", slog.String("cause", err.Error()))
			return result(protocol.CodeInternal), nil
		}
	}
	d, in := r.lawful(e, peer, req.Question, counts, now)
	if d.NoLaw() {
		return result(protocol.CodeInternal), nil
	}
	own := protocol.PolicyRef{Law: d.Law, Version: d.Version, ID: d.PolicyID, Article: d.Article, Text: protocol.Hash(d.Digest)}
	if c := unlawful(d, req.Question); c != "" {
		return r.decline(ctx, e, c, own, in), nil
	}
	// Whatever own law says to consents: the responder's may rest on this one (TMG-C-007).
	if c := r.withdrawn(req.Question); c != "" {
		return r.decline(ctx, e, c, own, in), nil
	}
	if after := r.stillAway(peer.EntityID, now); after > 0 {
		res := result(protocol.CodeOverloaded)
		res.Peer, res.RetryAfter = peer.EntityID, after
		return res, nil
	}
	if len(peer.SealingKeys) == 0 {
		return result(protocol.CodeTrustUndetermined), nil
	}
	var chain []string
	if bring != nil {
		chain = bring()
	}
	p, err := protocol.AskWithChain(e, req.asked, peer.SealingKeys[0], r.cfg.Signing, chain, now)
	if err != nil {
		return Result{}, &protocol.Fault{Code: protocol.CodeRequest, Err: err}
	}
	return r.send(ctx, p, peer, own, in, d.FMROneIn), nil
}

// peer is the node that is to be asked.
func (r *Requester) peer(req Request, now time.Time) (trust.Node, error) {
	if req.Node != "" {
		return r.cfg.Directory.Below(req.Question.Subject.Jurisdiction, req.Node, now)
	}
	return r.cfg.Directory.Country(req.Question.Subject.Jurisdiction, now)
}

// Stale makes a Query to the peer that expired a day before now: the peer has to refuse it
// in clear and records nothing, so that a test of the way there is no question.
func (r *Requester) Stale(to trust.Node, q protocol.Question, now time.Time) ([]byte, error) {
	if len(to.SealingKeys) == 0 {
		return nil, errors.New("making a test Query: the peer has no sealing key")
	}
	p, err := protocol.Ask(protocol.Envelope{
		Issuer: string(r.cfg.Self), Audience: string(to.EntityID), Purpose: "sandbox_test", LegalBasis: "public_task",
		Operation: protocol.OperationVerify, Officer: "peer-test",
	}, q, to.SealingKeys[0], r.cfg.Signing, now.Add(-24*time.Hour))
	if err != nil {
		return nil, fmt.Errorf("making a test Query: %w", err)
	}
	return p.Frame, nil
}

// withdrawn is the code under which nothing is asked on a consent that the own node was
// told is withdrawn, or of which it cannot tell; empty when it knows nothing against it.
func (r *Requester) withdrawn(q protocol.Question) protocol.Code {
	if q.Consent == "" || r.cfg.Withdrawn == nil {
		return ""
	}
	is, err := r.cfg.Withdrawn(q.Consent)
	switch {
	case err != nil:
		return protocol.CodeConsentStore
	case is:
		return protocol.CodeConsentWithdrawn
	}
	return ""
}

// decline records an attempt that own law forbids (TMG-P-001). Nothing is sent, so
// only this entry shows that an officer tried; it carries no Query hash.
func (r *Requester) decline(ctx context.Context, e protocol.Envelope, c protocol.Code, own protocol.PolicyRef, in protocol.Inputs) Result {
	res := result(c)
	res.Policy = own
	entry, err := r.record(context.WithoutCancel(ctx), protocol.LeafVerdict, e, protocol.Hash{}, res.Verdict, in)
	if err != nil {
		return result(protocol.CodeLedgerUnavailable)
	}
	res.Entry = entry
	return res
}

// send records the intent, exchanges the frame, and records what came of it. A
// decision at a weaker rate than 1/oneIn, which own law demands, decides nothing.
func (r *Requester) send(ctx context.Context, p *protocol.Pending, peer trust.Node, own protocol.PolicyRef, in protocol.Inputs, oneIn uint32) Result {
	if ctx.Err() != nil {
		return result(protocol.CodeTimeout)
	}
	// Both entries are made even when the caller goes away meanwhile: the peer's
	// ledger may have its side, and every intent of ours has its verdict.
	lasting := context.WithoutCancel(ctx)
	if _, err := r.record(lasting, protocol.LeafIntent, p.Envelope, p.Hash, protocol.Verdict{Policy: own}, in); err != nil {
		return result(protocol.CodeLedgerUnavailable)
	}
	res := r.exchange(ctx, p, peer)
	if res.FMROneIn > 0 && res.FMROneIn < oneIn {
		res.Code, res.Found = protocol.CodeWeakDecision, protocol.Found{}
		res.Outcome = res.Code.Outcome()
	}
	res.Peer, res.Query = peer.EntityID, p.Hash
	entry, err := r.record(lasting, protocol.LeafVerdict, p.Envelope, p.Hash, res.Verdict, in)
	if err != nil {
		lost := result(protocol.CodeLedgerUnavailable)
		lost.Peer, lost.Query, lost.Reply = res.Peer, res.Query, res.Reply
		return lost
	}
	res.Entry = entry
	return res
}

// record appends an entry durably and returns its index.
func (r *Requester) record(ctx context.Context, k protocol.LeafKind, e protocol.Envelope, h protocol.Hash, v protocol.Verdict, in protocol.Inputs) (uint64, error) {
	entry := protocol.NewLeaf(k, e, h, v, r.cfg.Now())
	entry.Inputs = in
	leaf, err := entry.Marshal()
	if err == nil {
		var receipt lognote.Receipt
		if receipt, err = r.cfg.Ledger.Append(ctx, leaf); err == nil {
			return receipt.Index, nil
		}
	}
	r.cfg.Logger.ErrorContext(ctx, "not recorded", slog.String("kind", string(k)), slog.String("peer", e.Audience),
		slog.String("cause", err.Error()))
	return 0, err
}

func (r *Requester) exchange(ctx context.Context, p *protocol.Pending, peer trust.Node) Result {
	limit := exchangeTimeout
	if p.Operation == protocol.OperationIdentify {
		limit = searchTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	agrees := func(context.Context, protocol.Answer) error { return nil }
	if r.cfg.Witness != nil {
		agrees = r.cfg.Witness.Expect(peer)
	}
	frame, err := r.cfg.Exchanger.Exchange(ctx, transport.PeerID(peer.PeerID), peer.Addresses, transport.ProtocolQuery, p.Frame)
	if err != nil {
		c := unreached(err)
		r.cfg.Logger.WarnContext(ctx, "peer did not answer", slog.String("peer", string(peer.EntityID)),
			slog.String("code", string(c)), slog.String("cause", err.Error()))
		return result(c)
	}
	if after, ok := protocol.ParseOverloaded(frame); ok {
		r.leaveAlone(peer.EntityID, after)
		res := result(protocol.CodeOverloaded)
		res.RetryAfter = after
		return res
	}
	verifier, err := r.verifier(peer)
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
	if who := a.Found.Subject.Jurisdiction; who != "" && who != peer.Jurisdiction {
		r.cfg.Logger.ErrorContext(ctx, "reply tells of another country's register", slog.String("peer", string(peer.EntityID)))
		res := result(protocol.CodeAnswerInvalid)
		res.Reply = a.Token
		return res
	}
	if a.Signed {
		if err := agrees(ctx, a); err != nil {
			res := result(protocol.CodeOf(err))
			res.Reply = a.Token
			return res
		}
	}
	res := Result{Verdict: a.Verdict, Found: a.Found, Receipt: a.Receipt, Reply: a.Token}
	if a.Code == protocol.CodeBudget {
		res.RetryAfter = protocol.BudgetPause
	}
	return res
}

// leaveAlone remembers that the peer asked for it (TMG-T-006).
func (r *Requester) leaveAlone(peer trust.EntityID, after time.Duration) {
	if after == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.away == nil {
		r.away = make(map[trust.EntityID]time.Time)
	}
	r.away[peer] = r.cfg.Now().Add(after)
}

// stillAway is for how long the peer is to be left alone yet.
func (r *Requester) stillAway(peer trust.EntityID, now time.Time) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	left := r.away[peer].Sub(now)
	if left <= 0 {
		delete(r.away, peer)
		return 0
	}
	return left
}

// verifier is what checks the peer's receipts. Parsing a ledger's keys costs more than
// a signature, so what was parsed is kept until the peer's chain names others.
func (r *Requester) verifier(peer trust.Node) (lognote.Verifier, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known, ok := r.verifiers[peer.EntityID]
	if ok && known.Origin() == peer.LedgerOrigin && slices.Equal(known.keys, peer.LedgerKeys) {
		return known.Verifier, nil
	}
	v, err := lognote.NewVerifier(peer.LedgerOrigin, peer.LedgerKeys)
	if err != nil {
		return lognote.Verifier{}, err
	}
	if r.verifiers == nil {
		r.verifiers = make(map[trust.EntityID]ledgerOf)
	}
	r.verifiers[peer.EntityID] = ledgerOf{v, peer.LedgerKeys}
	return v, nil
}

// ledgerOf is a peer's verifier and the keys it was made of.
type ledgerOf struct {
	lognote.Verifier
	keys []string
}

func result(c protocol.Code) Result {
	return Result{Verdict: protocol.Verdict{Code: c, Outcome: c.Outcome()}}
}

func undirected(err error) protocol.Code {
	if f, ok := errors.AsType[*protocol.Fault](err); ok {
		return f.Code // the directory knows better why
	}
	if errors.Is(err, trust.ErrNotMember) {
		return protocol.CodeNoPeer
	}
	return protocol.CodeTrustUndetermined
}

// unreached is the code of a failed exchange. All are unavailable: none is signed
// by anybody.
func unreached(err error) protocol.Code {
	switch {
	case errors.Is(err, transport.ErrNotAdmitted):
		return protocol.CodeHandshake
	case errors.Is(err, transport.ErrOverloaded):
		return protocol.CodeOverloaded
	case errors.Is(err, transport.ErrUnreachable):
		return protocol.CodeUnreachable // a dial that timed out is no late answer
	case errors.Is(err, transport.ErrTimeout), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return protocol.CodeTimeout // ours to wait ended, or the caller's
	case errors.Is(err, transport.ErrTooLarge), errors.Is(err, transport.ErrMalformed):
		return protocol.CodeAnswerInvalid // there was a reply, and it is no frame
	}
	return protocol.CodeUnreachable
}
