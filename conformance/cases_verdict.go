package conformance

import (
	"context"

	"github.com/tamga-id/tamga/conformance/internal/wire"
	"github.com/tamga-id/tamga/conformance/party"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/federation/protocol"
)

// verdictCases ask what a node is there for.
func verdictCases() []Case {
	return []Case{
		{ID: "TMG-CONF-V-001", Title: "a mated face is matched", Requirements: []string{"TMG-R-011", "TMG-A-006", "TMG-A-008"},
			steps: matches(party.Face), Hint: "Compare the template profile that the gallery was enrolled with."},
		{ID: "TMG-CONF-V-002", Title: "a mated finger is matched", Requirements: []string{"TMG-R-011", "TMG-A-006", "TMG-A-008"},
			steps: matches(party.Finger), Hint: "Compare the template profile that the gallery was enrolled with."},
		{ID: "TMG-CONF-V-003", Title: "faces of other people are not matched", Negative: true, Requirements: []string{"TMG-R-011", "TMG-A-006"},
			steps: impostors(party.Face), Hint: "The decision is not made at a strict false match rate, or the probe is compared with itself."},
		{ID: "TMG-CONF-V-004", Title: "fingers of other people are not matched", Negative: true, Requirements: []string{"TMG-R-011", "TMG-A-006"},
			steps: impostors(party.Finger), Hint: "The decision is not made at a strict false match rate, or the probe is compared with itself."},
		{ID: "TMG-CONF-V-005", Title: "of someone who is not enrolled the node says so, and not no", Negative: true, Requirements: []string{"TMG-R-010"},
			steps: unknown(pseudonym.IDPassport), Hint: "Absence from the register is inconclusive: a no is a statement about a person who is there."},
		{ID: "TMG-CONF-V-006", Title: "an identifier type under which the person is not enrolled is not another's number", Negative: true,
			Requirements: []string{"TMG-Q-012", "TMG-R-010"}, steps: unknown(pseudonym.IDNationalNumber),
			Hint: "The gallery must be looked up by jurisdiction, type and value together."},
		{ID: "TMG-CONF-V-007", Title: "a finger with one minutia is too poor to decide on", Negative: true, Requirements: []string{"TMG-R-010"},
			steps: withRecord(party.Finger, func() []byte { return wire.PoorFinger(party.FingerPosition) }, protocol.CodeProbeQuality),
			Hint:  "A probe that cannot be decided on is inconclusive, never not_matched."},
		{ID: "TMG-CONF-V-008", Title: "a face of another model is not compared", Negative: true, Requirements: []string{"TMG-R-010"},
			steps: withRecord(party.Face, wire.ForeignFace, protocol.CodeNotComparable),
			Hint:  "Scores across models mean nothing; the answer is inconclusive, never not_matched."},
		{ID: "TMG-CONF-V-009", Title: "a mated probe among two is matched", Requirements: []string{"TMG-R-011"}, steps: oneOfTwo,
			Hint: "One match of one probe is enough, decided at the rate divided by the number of probes."},
	}
}

func matches(modality string) func(context.Context, *session) error {
	return func(ctx context.Context, s *session) error {
		p, err := s.Person()
		if err != nil {
			return err
		}
		probe, err := s.Probe(p, modality)
		if err != nil {
			return err
		}
		d, err := s.Draft(p, s.Target.Ground(), probe)
		if err != nil {
			return err
		}
		_, err = s.Answered(ctx, d, protocol.CodeMatched)
		return err
	}
}

// impostorsTried is how many other people's probes are tried. At the loosest rate that a
// law of the registry may name none of them matches by chance worth speaking of.
const impostorsTried = 5

func impostors(modality string) func(context.Context, *session) error {
	return func(ctx context.Context, s *session) error {
		for range impostorsTried {
			holder, other, err := s.Pair()
			if err != nil {
				return err
			}
			probe, err := s.Probe(other, modality)
			if err != nil {
				return err
			}
			d, err := s.Draft(holder, s.Target.Ground(), probe)
			if err != nil {
				return err
			}
			if _, err := s.Answered(ctx, d, protocol.CodeNotMatched); err != nil {
				return err
			}
		}
		return nil
	}
}

// unknown asks about someone who is enrolled under no identifier of the type.
func unknown(idType string) func(context.Context, *session) error {
	return func(ctx context.Context, s *session) error {
		p, err := s.Stranger()
		if err != nil {
			return err
		}
		if idType != p.Identifier.Type {
			if p, err = s.Person(); err != nil {
				return err
			}
			if p.Identifier.Type == idType {
				return &skip{Reason: "the test subjects are enrolled under this type"}
			}
		}
		d, err := s.About(p, s.Target.Ground())
		if err != nil {
			return err
		}
		d.Subject()[2] = idType
		_, err = s.Answered(ctx, d, protocol.CodeSubjectUnknown)
		return err
	}
}

// withRecord asks about an enrolled person with a record that the suite makes.
func withRecord(modality string, record func() []byte, want protocol.Code) func(context.Context, *session) error {
	return func(ctx context.Context, s *session) error {
		p, err := s.Person()
		if err != nil {
			return err
		}
		probe, err := s.Probe(p, modality)
		if err != nil {
			return err
		}
		probe.Data = record()
		d, err := s.Draft(p, s.Target.Ground(), probe)
		if err != nil {
			return err
		}
		_, err = s.Answered(ctx, d, want)
		return err
	}
}

func oneOfTwo(ctx context.Context, s *session) error {
	holder, other, err := s.Pair()
	if err != nil {
		return err
	}
	mated, err := s.Probe(holder, s.Modality())
	if err != nil {
		return err
	}
	foreign, err := s.Probe(other, s.Modality())
	if err != nil {
		return err
	}
	d, err := s.Draft(holder, s.Target.Ground(), foreign, mated)
	if err != nil {
		return err
	}
	_, err = s.Answered(ctx, d, protocol.CodeMatched, protocol.CodeUncalibrated)
	return err
}
