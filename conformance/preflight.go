package conformance

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tamga-id/tamga/conformance/internal/exchange"
	"github.com/tamga-id/tamga/conformance/party"
	"github.com/tamga-id/tamga/federation/protocol"
)

// preflight shows that target, tester and subjects fit together before anything is
// said about the target. It does not look at receipts: what is wrong with those is a
// finding of the cases.
func preflight() []Case {
	return []Case{
		{ID: "TMG-CONF-P-001", Title: "keys, identifiers and test subjects are there", Requirements: []string{"TMG-E-001"}, steps: complete},
		{ID: "TMG-CONF-P-002", Title: "the target is reached, knows the tester and matches a mated probe", Requirements: []string{"TMG-T-004"}, steps: ready},
	}
}

func complete(_ context.Context, s *session) error {
	if err := check(s); err != nil {
		return exchange.Misfit("complete options", err.Error(), "Resolve target and tester from their Trust Chains again.")
	}
	for _, get := range []func() (party.Subject, error){s.Person, s.Stranger} {
		if _, err := get(); err != nil {
			return fmt.Errorf("making test subjects: %w", err)
		}
	}
	return nil
}

// check reports what is missing of the options; nothing was sent then.
func check(o *session) error {
	var errs []error
	need := func(ok bool, what string) {
		if !ok {
			errs = append(errs, errors.New(what+" is missing"))
		}
	}
	need(o.Now != nil, "Now")
	need(o.Target.Entity != "" && o.Target.Jurisdiction != "", "the target's Entity Identifier or jurisdiction")
	need(o.Target.Peer.Entity == o.Target.Entity && o.Target.Peer.Keys.Len() > 0, "the target's signing key")
	need(!o.Target.SealingKey.IsZero(), "the target's sealing key")
	need(o.Tester.Entity != "" && !o.Tester.Signing.IsZero(), "the tester's Entity Identifier or signing key")
	need(o.Tester.Exchanger != nil, "the tester's connection")
	need(o.Subjects != nil, "Subjects")
	if o.Subjects != nil && o.Subjects.Count() < 2 {
		errs = append(errs, errors.New("at least two enrolled test subjects are needed"))
	}
	return errors.Join(errs...)
}

// A node refuses for up to a second after its start what it might have seen before
// (TMG-P-004): restartTries of restartWait are longer than that.
const (
	restartTries = 5
	restartWait  = 300 * time.Millisecond
)

func ready(ctx context.Context, s *session) error {
	if err := check(s); err != nil {
		return &skip{Reason: "options are not complete"}
	}
	r, err := probeTarget(ctx, s)
	for range restartTries - 1 {
		if err != nil || r.Code != protocol.CodeRestarted {
			break
		}
		timer := time.NewTimer(restartWait)
		defer timer.Stop()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
		}
		r, err = probeTarget(ctx, s)
	}
	if err != nil {
		return err
	}
	if r.Code != protocol.CodeMatched {
		return exchange.Misfit("matched "+string(protocol.CodeMatched), r.Said(), remedy(r.Code))
	}
	if d := r.IssuedAt.Sub(s.Now()).Abs(); d > exchange.MaxSkew {
		return exchange.Misfit("clocks within 5 s of one another", "clocks further apart", "Set the clocks of tester and target.")
	}
	return nil
}

// probeTarget asks a question to which the answer is known.
func probeTarget(ctx context.Context, s *session) (reply, error) {
	d, err := s.Mated(s.Target.Ground())
	if _, ok := errors.AsType[*skip](err); ok {
		return reply{}, exchange.Misfit("a modality that target and test subjects have in common", "none", "Enrol test subjects with face or finger.")
	}
	if err != nil {
		return reply{}, err
	}
	q, err := d.Build(s.Now())
	if err != nil {
		return reply{}, err
	}
	frame, err := s.Tester.Exchanger.Exchange(ctx, q.Frame)
	if err != nil {
		return reply{}, exchange.Misfit("a reply", "none: "+err.Error(),
			"Check the target's addresses, and that both sides have refreshed their members since the tester was enrolled.")
	}
	r, f := s.Read(q, frame)
	if f != nil && !r.Opened {
		return r, exchange.Misfit(f.Expected, f.Got, "Resolve the target from its Trust Chain again; if that does not help, it does not speak the protocol.")
	}
	return r, nil
}

// remedy says what to mend when the mated probe was not matched.
func remedy(c protocol.Code) string {
	switch c {
	case protocol.CodeSubjectUnknown, protocol.CodeNoReference:
		return "Enrol the test subjects at the target."
	case protocol.CodeNotMatched, protocol.CodeNotComparable:
		return "The target enrolled other people or other templates under the test subjects' identifiers, or its matcher is not joined to the wire."
	case protocol.CodeNotMember, protocol.CodeChainExpired, protocol.CodeTrustUndetermined, protocol.CodePeerMismatch:
		return "Enrol the tester with the Trust Anchor and let the target refresh its members."
	case protocol.CodeSignature:
		return "The target knows another signing key of the tester: let it refresh its members."
	case protocol.CodeLaw, protocol.CodeConsentMissing:
		return "Name in Target.Open a purpose and legal basis that the target's law answers without consent."
	case protocol.CodeSeal:
		return "Resolve the target again: its sealing key may have rotated."
	case protocol.CodeExpired, protocol.CodeLifetime:
		return "Set the clocks of tester and target."
	}
	return c.Title()
}
