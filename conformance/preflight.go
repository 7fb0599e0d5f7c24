package conformance

import (
	"context"
	"errors"
	"fmt"
	"time"

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
	if err := s.check(); err != nil {
		return &configError{"complete options", err.Error(), "Resolve target and tester from their Trust Chains again."}
	}
	for _, get := range []func() (Subject, error){s.person, s.stranger} {
		if _, err := get(); err != nil {
			return fmt.Errorf("making test subjects: %w", err)
		}
	}
	return nil
}

// A node refuses for up to a second after its start what it might have seen before
// (TMG-P-004): restartTries of restartWait are longer than that.
const (
	restartTries = 5
	restartWait  = 300 * time.Millisecond
)

func ready(ctx context.Context, s *session) error {
	if err := s.check(); err != nil {
		return &skip{"options are not complete"}
	}
	r, err := s.probeTarget(ctx)
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
		r, err = s.probeTarget(ctx)
	}
	if err != nil {
		return err
	}
	if r.Code != protocol.CodeMatched {
		return &configError{"matched " + string(protocol.CodeMatched), r.Said(), remedy(r.Code)}
	}
	if d := r.IssuedAt.Sub(s.Now()).Abs(); d > maxSkew {
		return &configError{"clocks within 5 s of one another", "clocks further apart", "Set the clocks of tester and target."}
	}
	return nil
}

// probeTarget asks a question to which the answer is known.
func (s *session) probeTarget(ctx context.Context) (reply, error) {
	d, err := s.mated(s.Target.open())
	if _, ok := errors.AsType[*skip](err); ok {
		return reply{}, &configError{"a modality that target and test subjects have in common", "none", "Enrol test subjects with face or finger."}
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
		return reply{}, &configError{"a reply", "none: " + err.Error(),
			"Check the target's addresses, and that both sides have refreshed their members since the tester was enrolled."}
	}
	r, f := s.read(q, frame)
	if f != nil && !r.Opened {
		return r, &configError{f.Expected, f.Got, "Resolve the target from its Trust Chain again; if that does not help, it does not speak the protocol."}
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
