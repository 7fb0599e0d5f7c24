package conformance

import (
	"context"

	"github.com/tamga-id/tamga/conformance/internal/wire"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/federation/protocol"
)

// verdictCases ask what a node is there for.
func verdictCases() []Case {
	return []Case{
		{ID: "TMG-CONF-V-001", Title: "a mated face is matched", Requirements: []string{"TMG-R-011", "TMG-A-006", "TMG-A-008"},
			steps: matches(modalityFace), Hint: "Compare the template profile that the gallery was enrolled with."},
		{ID: "TMG-CONF-V-002", Title: "a mated finger is matched", Requirements: []string{"TMG-R-011", "TMG-A-006", "TMG-A-008"},
			steps: matches(modalityFinger), Hint: "Compare the template profile that the gallery was enrolled with."},
		{ID: "TMG-CONF-V-003", Title: "faces of other people are not matched", Negative: true, Requirements: []string{"TMG-R-011", "TMG-A-006"},
			steps: impostors(modalityFace), Hint: "The decision is not made at a strict false match rate, or the probe is compared with itself."},
		{ID: "TMG-CONF-V-004", Title: "fingers of other people are not matched", Negative: true, Requirements: []string{"TMG-R-011", "TMG-A-006"},
			steps: impostors(modalityFinger), Hint: "The decision is not made at a strict false match rate, or the probe is compared with itself."},
		{ID: "TMG-CONF-V-005", Title: "of someone who is not enrolled the node says so, and not no", Negative: true, Requirements: []string{"TMG-R-010"},
			steps: unknown(pseudonym.IDPassport), Hint: "Absence from the register is inconclusive: a no is a statement about a person who is there."},
		{ID: "TMG-CONF-V-006", Title: "an identifier type under which the person is not enrolled is not another's number", Negative: true,
			Requirements: []string{"TMG-Q-012", "TMG-R-010"}, steps: unknown(pseudonym.IDNationalNumber),
			Hint: "The gallery must be looked up by jurisdiction, type and value together."},
		{ID: "TMG-CONF-V-007", Title: "a finger with one minutia is too poor to decide on", Negative: true, Requirements: []string{"TMG-R-010"},
			steps: withRecord(modalityFinger, func() []byte { return wire.PoorFinger(FingerPosition) }, protocol.CodeProbeQuality),
			Hint:  "A probe that cannot be decided on is inconclusive, never not_matched."},
		{ID: "TMG-CONF-V-008", Title: "a face of another model is not compared", Negative: true, Requirements: []string{"TMG-R-010"},
			steps: withRecord(modalityFace, wire.ForeignFace, protocol.CodeNotComparable),
			Hint:  "Scores across models mean nothing; the answer is inconclusive, never not_matched."},
		{ID: "TMG-CONF-V-009", Title: "a mated probe among two is matched", Requirements: []string{"TMG-R-011"}, steps: oneOfTwo,
			Hint: "One match of one probe is enough, decided at the rate divided by the number of probes."},
	}
}

func matches(modality string) func(context.Context, *session) error {
	return func(ctx context.Context, s *session) error {
		p, err := s.person()
		if err != nil {
			return err
		}
		probe, err := s.probe(p, modality)
		if err != nil {
			return err
		}
		d, err := s.draft(p, s.Target.open(), probe)
		if err != nil {
			return err
		}
		_, err = s.answered(ctx, d, protocol.CodeMatched)
		return err
	}
}

// impostorsTried is how many other people's probes are tried. At the loosest rate that a
// law of the registry may name none of them matches by chance worth speaking of.
const impostorsTried = 5

func impostors(modality string) func(context.Context, *session) error {
	return func(ctx context.Context, s *session) error {
		for range impostorsTried {
			holder, other, err := s.pair()
			if err != nil {
				return err
			}
			probe, err := s.probe(other, modality)
			if err != nil {
				return err
			}
			d, err := s.draft(holder, s.Target.open(), probe)
			if err != nil {
				return err
			}
			if _, err := s.answered(ctx, d, protocol.CodeNotMatched); err != nil {
				return err
			}
		}
		return nil
	}
}

// unknown asks about someone who is enrolled under no identifier of the type.
func unknown(idType string) func(context.Context, *session) error {
	return func(ctx context.Context, s *session) error {
		p, err := s.stranger()
		if err != nil {
			return err
		}
		if idType != p.Identifier.Type {
			if p, err = s.person(); err != nil {
				return err
			}
			if p.Identifier.Type == idType {
				return &skip{"the test subjects are enrolled under this type"}
			}
		}
		d, err := s.about(p, s.Target.open())
		if err != nil {
			return err
		}
		d.Subject()[2] = idType
		_, err = s.answered(ctx, d, protocol.CodeSubjectUnknown)
		return err
	}
}

// withRecord asks about an enrolled person with a record that the suite makes.
func withRecord(modality string, record func() []byte, want protocol.Code) func(context.Context, *session) error {
	return func(ctx context.Context, s *session) error {
		p, err := s.person()
		if err != nil {
			return err
		}
		probe, err := s.probe(p, modality)
		if err != nil {
			return err
		}
		probe.Data = record()
		d, err := s.draft(p, s.Target.open(), probe)
		if err != nil {
			return err
		}
		_, err = s.answered(ctx, d, want)
		return err
	}
}

func oneOfTwo(ctx context.Context, s *session) error {
	holder, other, err := s.pair()
	if err != nil {
		return err
	}
	mated, err := s.probe(holder, s.modality())
	if err != nil {
		return err
	}
	foreign, err := s.probe(other, s.modality())
	if err != nil {
		return err
	}
	d, err := s.draft(holder, s.Target.open(), foreign, mated)
	if err != nil {
		return err
	}
	_, err = s.answered(ctx, d, protocol.CodeMatched, protocol.CodeUncalibrated)
	return err
}
