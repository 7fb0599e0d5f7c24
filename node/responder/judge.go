package responder

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/federation/policy"
	"github.com/tamga-id/tamga/federation/policy/vocabulary"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/node/alarms"
	"github.com/tamga-id/tamga/node/comparison"
	"github.com/tamga-id/tamga/node/internal/panics"
)

// judge is TMG-R-006 to TMG-R-011: replay, law, seal, content, consent, comparison.
// With an error the verdict holds the policy alone, if law was reached. A panic in
// a decoder or a matcher is the failure of one Query, which is recorded like any.
func (r *Responder) judge(ctx context.Context, q protocol.Query, asker trust.Node) (v judgement, err error) {
	defer func() {
		if p := recover(); p != nil {
			// Not the panic's value, which may quote the probe.
			err = fmt.Errorf("judging query: panic of type %T at %s", p, panics.Site())
		}
	}()
	if err := r.await(ctx, q.IssuedAt); err != nil {
		return v, err
	}
	now := r.cfg.Now()
	if now.Before(r.started.Add(-time.Second)) {
		return v, &protocol.Fault{Code: protocol.CodeOverloaded, Err: errClockBack}
	}
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
	visible := policy.Under(r.visible(q, asker, now), r.cfg.Law)
	d := r.cfg.Law.Decide(visible)
	v.Policy, v.inputs = ruleOf(d), inputsOf(visible)
	if d.NoLaw() {
		// A refusal names the article that refuses; this is none, but a node that cannot read its law.
		return v, errors.New("judging query: no law is in force")
	}
	if !d.Allowed {
		return v, &protocol.Fault{Code: protocol.CodeLaw}
	}
	if q.Operation != protocol.OperationVerify {
		return v, r.serve(ctx, q, visible, d, &v)
	}
	code, d, err := r.open(ctx, q, visible, d, &v.inputs)
	v.Policy = ruleOf(d)
	if err != nil {
		return v, err
	}
	code = told(code, d)
	v.Code, v.Outcome = code, code.Outcome()
	if v.Outcome == protocol.Matched || v.Outcome == protocol.NotMatched {
		v.FMROneIn = d.FMROneIn
	}
	return v, nil
}

// errClockBack: Queries that were answered before this process started could pass for new ones.
var errClockBack = errors.New("remembering query: the clock is behind the start of this node; set it right, and if it was ahead then, start the node again")

// await returns when a Query issued in this node's future is due, at most
// protocol.MaxSkew later. Were it handled before, a restart could forget it while
// CodeRestarted, which goes by the time of issue, does not catch it.
func (r *Responder) await(ctx context.Context, issued time.Time) error {
	early := issued.Sub(r.cfg.Now())
	if early <= 0 {
		return nil
	}
	due := time.NewTimer(early)
	defer due.Stop()
	select {
	case <-due.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for the time of issue: %w", ctx.Err())
	}
}

// open is TMG-R-008 to TMG-R-011, all that happens with the Question in clear. It returns
// the decision of law that holds once it is known what the Question says, and notes in in what that was.
func (r *Responder) open(ctx context.Context, q protocol.Query, visible policy.Request, d policy.Decision, in *protocol.Inputs) (protocol.Code, policy.Decision, error) {
	key, ok := r.sealing[q.SealKey]
	if !ok {
		return "", d, &protocol.Fault{Code: protocol.CodeSeal}
	}
	question, err := q.Open(key)
	if err != nil {
		return "", d, err
	}
	defer question.Wipe()
	if question.Subject.Jurisdiction != r.cfg.Country {
		return "", d, &protocol.Fault{Code: protocol.CodeJurisdiction}
	}
	wanted := modalities(question.Probes)
	in.Modalities = strings.Join(vocabulary.KnownModalities(wanted), " ")
	if err := admissible(question, wanted, d); err != nil {
		// Who asks about a canary is told of whatever is answered, in a time that says nothing of it.
		l := lap{r.cfg.Pace.Begin(1)}
		defer l.rest(ctx)
		if failed := r.watch(ctx, q, question.Subject); failed != nil {
			return "", d, failed
		}
		return "", d, err
	}
	// What depends on the subject begins here, and shows when the lap has rested: also of
	// what fails, and panics.
	l := lap{r.cfg.Pace.Begin(units(question.Probes))}
	defer l.rest(ctx)
	code, counted, d, err := r.decide(ctx, q, question, wanted, visible, d, in, l)
	question.Wipe()
	l.rest(ctx)
	if err == nil {
		code, err = r.counted(ctx, q, counted, code)
	}
	return code, d, err
}

// decide is what of open depends on whom the Question is about.
func (r *Responder) decide(ctx context.Context, q protocol.Query, question protocol.Question, wanted []string, visible policy.Request,
	d policy.Decision, in *protocol.Inputs, l lap) (_ protocol.Code, counted counting, _ policy.Decision, err error) {
	if err := r.watch(ctx, q, question.Subject); err != nil {
		return "", counted, d, err
	}
	probes, err := comparison.DecodeProbes(question.Probes)
	defer probes.Wipe()
	if err != nil {
		return "", counted, d, err
	}
	l.apart(func() { counted, err = r.count(q, question, &visible) })
	if err != nil {
		return "", counted, d, err
	}
	found, state, d, err := r.ground(q, question, wanted, visible, d, l)
	defer func() {
		for _, refs := range found {
			refs.Close()
		}
	}()
	in.Consent = string(state)
	if err != nil {
		return "", counted, d, err
	}
	decision := comparison.New(d.FMROneIn, r.cfg.Calibrations, r.cfg.Faces)
	defer decision.Wipe()
	for i, m := range wanted {
		if err := decision.Add(m, probes, found[i]); err != nil {
			return "", counted, d, err
		}
	}
	code, err := decision.Conclude()
	if err == nil && d.WithholdUnknown {
		code, err = decision.Folded(code, probes)
	}
	return code, counted, d, err
}

// AlarmCanary is the message of the event that a Query touched a canary.
const AlarmCanary = "ALARM: canary touched"

// watch raises the alarm when the subject is a canary. It is looked up for every Query, so
// that nothing tells one from another; the ledger has who asked.
func (r *Responder) watch(ctx context.Context, q protocol.Query, subject pseudonym.Identifier) error {
	if r.cfg.Decoys == nil {
		return nil
	}
	touched, err := r.cfg.Decoys.Touched(subject)
	if touched {
		Raise(ctx, r.cfg.Logger, r.cfg.Alarms, alarms.Canary, q, r.cfg.Now())
	}
	return err
}

// Raise tells of an alarm about a Query in the log, and has the book keep it.
func Raise(ctx context.Context, log *slog.Logger, book *alarms.Book, kind alarms.Kind, q protocol.Query, now time.Time) {
	message := AlarmCanary
	if kind == alarms.Locked {
		message = AlarmLocked
	}
	log.ErrorContext(ctx, message, slog.String("requester", q.Issuer), slog.String("officer", q.Officer),
		slog.String("purpose", q.Purpose), slog.String("query", q.Hash.String()))
	book.Raise(alarms.Alarm{Kind: kind, At: now, Requester: q.Issuer, Officer: q.Officer, Purpose: q.Purpose, Query: q.Hash.String()})
}

// modalities lists those of the probes, each once, in order.
func modalities(probes []protocol.Probe) []string {
	var out []string
	for _, p := range probes {
		if !slices.Contains(out, p.Modality) {
			out = append(out, p.Modality)
		}
	}
	return out
}

// admissible settles what needs neither gallery nor decoder: whether the node serves
// the probes, whether law allows every modality, whether there is a consent at all.
func admissible(question protocol.Question, wanted []string, d policy.Decision) error {
	for _, p := range question.Probes {
		if !comparison.Serves(p.Modality, p.Format) {
			return &protocol.Fault{Code: protocol.CodeModality}
		}
	}
	for _, m := range wanted {
		if !d.AllowsModality(m) {
			return &protocol.Fault{Code: protocol.CodeLaw}
		}
	}
	if d.ConsentRequired && question.Consent == "" {
		return &protocol.Fault{Code: protocol.CodeConsentMissing}
	}
	return nil
}
