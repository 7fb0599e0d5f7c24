// Package responder answers Queries: the steps of federation/protocol/PROTOCOL.md
// section 5 in their order, cheapest first.
//
// New, then give [Responder.Handle] to the transport. The package does not listen
// and does not fetch: trust, law, gallery and ledger are handed to it.
//
// Invariants: nothing unauthenticated costs more than a parse and a signature
// check; no Answer leaves without a durable ledger entry; a probe is seen in
// clear by [compare] alone, and wiped.
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
	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/federation/policy"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/transport"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/node/gallery"
)

// Members says who is a member now, from memory. trust.Directory does.
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
	Append(ctx context.Context, leaf []byte) (ledger.Receipt, error)
}

// Replay remembers identifiers of Queries for as long as they could be replayed. Fresh reports true
// once for each (issuer, jti); it reports an error when it cannot remember more.
type Replay interface {
	Fresh(issuer, jti string, now time.Time) (bool, error)
}

// Config is what a Responder is made of. Every field is required.
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
	Now     func() time.Time
	Logger  *slog.Logger
}

// Responder answers Queries. It is safe for concurrent use.
type Responder struct {
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

// Handle answers one frame of /tamga/query/1 from an admitted peer. The reply is
// an Answer or a Refusal; an error means that not even a Refusal could be made,
// and the transport resets the stream.
func (r *Responder) Handle(ctx context.Context, from transport.PeerID, frame []byte) ([]byte, error) {
	begin := r.cfg.Now()
	q, asker, err := r.authenticate(from, frame, begin)
	if err != nil {
		return r.refuse(ctx, protocol.HashQuery(frame), err)
	}
	v, err := r.judge(ctx, q, asker, begin)
	if err != nil {
		v.Code = protocol.CodeOf(err)
		v.Outcome = v.Code.Outcome()
		if v.Code == protocol.CodeInternal {
			r.cfg.Logger.ErrorContext(ctx, "verification failed", slog.String("requester", q.Issuer), slog.String("error", err.Error()))
		}
	}
	leaf, err := protocol.NewLeaf(protocol.LeafAnswer, q.Envelope, q.Hash, v, r.cfg.Now()).Marshal()
	if err != nil {
		return r.refuse(ctx, q.Hash, err)
	}
	receipt, err := r.cfg.Ledger.Append(ctx, leaf)
	if err != nil {
		return r.refuse(ctx, q.Hash, &protocol.Fault{Code: protocol.CodeLedgerUnavailable, Err: err})
	}
	r.cfg.Logger.InfoContext(ctx, "query answered", slog.String("requester", q.Issuer), slog.String("purpose", q.Purpose),
		slog.String("code", string(logged(v.Code))), slog.Uint64("entry", receipt.Index), slog.Duration("took", r.cfg.Now().Sub(begin)))
	return q.Answer(v, receipt, r.cfg.Signing, r.cfg.Now())
}

// logged keeps match results out of the operator's log: the ledger holds them,
// and whoever reads logs must not learn who was recognised at which counter.
func logged(c protocol.Code) protocol.Code {
	if c == protocol.CodeNotMatched {
		return protocol.CodeMatched
	}
	return c
}

func (r *Responder) refuse(ctx context.Context, h protocol.Hash, cause error) ([]byte, error) {
	c := protocol.CodeOf(cause)
	r.cfg.Logger.WarnContext(ctx, "query refused", slog.String("code", string(c)), slog.String("query", h.String()))
	return protocol.Refuse(string(r.cfg.Self), h, c, r.cfg.Signing, r.cfg.Now())
}

// authenticate is steps 3 to 5: syntax, membership, sender, signature, times.
func (r *Responder) authenticate(from transport.PeerID, frame []byte, now time.Time) (protocol.Query, trust.Node, error) {
	var none protocol.Query
	u, err := protocol.ParseQuery(frame)
	if err != nil {
		return none, trust.Node{}, err
	}
	asker, err := r.cfg.Members.Entity(trust.EntityID(u.ClaimedIssuer()), now)
	switch {
	case errors.Is(err, trust.ErrNotMember):
		return none, asker, &protocol.Fault{Code: protocol.CodeNotMember, Err: err}
	case errors.Is(err, trust.ErrExpired):
		return none, asker, &protocol.Fault{Code: protocol.CodeChainExpired, Err: err}
	case err != nil:
		return none, asker, &protocol.Fault{Code: protocol.CodeTrustUndetermined, Err: err}
	case asker.PeerID != string(from):
		return none, asker, &protocol.Fault{Code: protocol.CodePeerMismatch}
	}
	q, err := u.Verify(asker.SigningKeys, string(r.cfg.Self), now)
	return q, asker, err
}

// judge is steps 6 to 11: replay, law, seal, consent, gallery, comparison.
func (r *Responder) judge(ctx context.Context, q protocol.Query, asker trust.Node, now time.Time) (protocol.Verdict, error) {
	var v protocol.Verdict
	if q.IssuedAt.Before(r.started) {
		return v, &protocol.Fault{Code: protocol.CodeRestarted}
	}
	fresh, err := r.cfg.Replay.Fresh(q.Issuer, q.ID, now)
	if err != nil {
		return v, &protocol.Fault{Code: protocol.CodeOverloaded, Err: err}
	}
	if !fresh {
		return v, &protocol.Fault{Code: protocol.CodeReplay}
	}
	d := r.cfg.Law.Decide(policy.Request{
		Direction: "answer", Requester: q.Issuer, Responder: q.Audience,
		RequesterCountry: asker.Jurisdiction, ResponderCountry: r.cfg.Country,
		Purpose: q.Purpose, LegalBasis: q.LegalBasis, Operation: q.Operation,
	})
	v.Policy = protocol.PolicyRef{Law: d.Law, Version: d.Version, ID: d.PolicyID, Article: d.Article}
	if !d.Allowed {
		return v, &protocol.Fault{Code: protocol.CodeLaw}
	}
	if q.Operation != protocol.OperationVerify {
		return v, &protocol.Fault{Code: protocol.CodeOperation}
	}
	key, ok := r.sealing[q.SealKey]
	if !ok {
		return v, &protocol.Fault{Code: protocol.CodeSeal}
	}
	question, err := q.Open(key)
	if err != nil {
		return v, err
	}
	defer question.Wipe()
	if question.Subject.Jurisdiction != r.cfg.Country {
		return v, &protocol.Fault{Code: protocol.CodeJurisdiction}
	}
	return r.verify(ctx, q, question, d, v)
}

// verify checks consent and compares, modality by modality.
func (r *Responder) verify(_ context.Context, q protocol.Query, question protocol.Question, d policy.Decision, v protocol.Verdict) (protocol.Verdict, error) {
	decision := undecided()
	for _, modality := range modalities(question.Probes) {
		if !d.AllowsModality(modality) {
			return v, &protocol.Fault{Code: protocol.CodeLaw}
		}
		refs, err := r.cfg.Gallery.References(question.Subject, modality)
		if err != nil {
			return v, err
		}
		err = r.consent(q, question.Consent, modality, refs, d)
		if err == nil {
			err = decision.add(question.Probes, modality, refs, d.FMROneIn)
		}
		refs.Close()
		if err != nil {
			return v, err
		}
	}
	v.Code = decision.code
	v.Outcome = v.Code.Outcome()
	if decision.compared {
		v.FMROneIn = d.FMROneIn
	}
	return v, nil
}

// consent checks the consent artefact when the law demands one. A subject who is
// not enrolled is refused like one whose consent it is not: otherwise a
// self-made consent would tell who is in the register.
func (r *Responder) consent(q protocol.Query, artefact, modality string, refs gallery.References, d policy.Decision) error {
	if !d.ConsentRequired {
		return nil
	}
	if artefact == "" {
		return &protocol.Fault{Code: protocol.CodeConsentMissing}
	}
	_, err := consent.Verify(artefact, consent.Expectation{
		HolderThumbprint: refs.Holder, Requester: q.Issuer, Controller: q.Audience,
		Purpose: q.Purpose, Modality: modality, Now: r.cfg.Now(),
	})
	if err != nil {
		return &protocol.Fault{Code: consentCode(err), Err: err}
	}
	if !refs.Known || refs.Holder == "" {
		return &protocol.Fault{Code: protocol.CodeConsentHolder}
	}
	return nil
}

func consentCode(err error) protocol.Code {
	switch {
	case errors.Is(err, consent.ErrHolder):
		return protocol.CodeConsentHolder
	case errors.Is(err, consent.ErrPurpose):
		return protocol.CodeConsentPurpose
	case errors.Is(err, consent.ErrAudience), errors.Is(err, consent.ErrController):
		return protocol.CodeConsentAudience
	case errors.Is(err, consent.ErrExpired), errors.Is(err, consent.ErrNotYet):
		return protocol.CodeConsentExpired
	case errors.Is(err, consent.ErrModality):
		return protocol.CodeConsentModality
	}
	return protocol.CodeConsentInvalid
}

func modalities(probes []protocol.Probe) []string {
	var out []string
	seen := map[string]bool{}
	for _, p := range probes {
		if !seen[p.Modality] {
			seen[p.Modality] = true
			out = append(out, p.Modality)
		}
	}
	return out
}
