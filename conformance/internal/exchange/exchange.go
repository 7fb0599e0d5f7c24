// Package exchange makes Queries to the target of an examination, sends them and judges what
// comes back, for the cases of the conformance suite.
package exchange

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/tamga-id/tamga/conformance/internal/wire"
	"github.com/tamga-id/tamga/conformance/party"
	"github.com/tamga-id/tamga/federation/protocol"
)

// Broke is a finding about the requirements that rules names.
func Broke(rules, expected, got string) *wire.Finding {
	return &wire.Finding{Rules: rules, Expected: expected, Got: got}
}

// MaxSkew is how far the clocks of target and tester may be apart.
const MaxSkew = 5 * time.Second

// Session is what the steps of one case work with.
type Session struct {
	Target   party.Target
	Tester   party.Tester
	Subjects party.Subjects
	Now      func() time.Time
	Seed     uint64
	Rand     *rand.Rand // of this case and seed alone
}

// Person is an enrolled subject, chosen by the seed.
func (s *Session) Person() (party.Subject, error) {
	return s.Subjects.Enrolled(s.Rand.IntN(s.Subjects.Count()))
}

// Pair are two different enrolled subjects.
func (s *Session) Pair() (a, b party.Subject, err error) {
	i := s.Rand.IntN(s.Subjects.Count())
	j := (i + 1 + s.Rand.IntN(s.Subjects.Count()-1)) % s.Subjects.Count()
	if a, err = s.Subjects.Enrolled(i); err == nil {
		b, err = s.Subjects.Enrolled(j)
	}
	return a, b, err
}

// Stranger is somebody who is not enrolled.
func (s *Session) Stranger() (party.Subject, error) { return s.Subjects.Unknown(s.Rand.IntN(16)) }

// Probe is some capture of p. A modality that the target or the subject does not have
// skips the case.
func (s *Session) Probe(p party.Subject, modality string) (protocol.Probe, error) {
	if !slices.Contains(s.Target.Modalities, modality) {
		return protocol.Probe{}, &Skip{Reason: "the target's metadata does not list modality " + modality}
	}
	probe, ok := p.Probe(modality, 1+s.Rand.IntN(1000))
	if !ok {
		return protocol.Probe{}, &Skip{Reason: "the test subjects have no " + modality}
	}
	return probe, nil
}

// Modality is the first of the target's that the suite has probes of.
func (s *Session) Modality() string {
	if slices.Contains(s.Target.Modalities, party.Face) {
		return party.Face
	}
	return party.Finger
}

// Draft is a Query about p with the probes, on ground g, that nothing is wrong with.
func (s *Session) Draft(p party.Subject, g party.Ground, probes ...protocol.Probe) (*wire.Draft, error) {
	return wire.New(wire.Parties{Issuer: s.Tester.Entity, Audience: s.Target.Entity, Signing: s.Tester.Signing, To: s.Target.SealingKey},
		g.Purpose, g.LegalBasis, p.Identifier, probes, s.Now())
}

// Read judges a reply of the target.
func (s *Session) Read(q wire.Sent, frame []byte) (wire.Reply, *wire.Finding) {
	return wire.Reader{Peer: s.Target.Peer}.Read(q, frame)
}

// Mated is a Query that must be answered with matched.
func (s *Session) Mated(g party.Ground) (*wire.Draft, error) {
	p, err := s.Person()
	if err != nil {
		return nil, err
	}
	return s.About(p, g)
}

// About is a Query about p with a mated probe.
func (s *Session) About(p party.Subject, g party.Ground) (*wire.Draft, error) {
	probe, err := s.Probe(p, s.Modality())
	if err != nil {
		return nil, err
	}
	return s.Draft(p, g, probe)
}

// Exchange sends d and reads the reply. No reply is a finding: the target was
// reachable in the preflight.
func (s *Session) Exchange(ctx context.Context, d *wire.Draft) (wire.Reply, wire.Sent, error) {
	q, err := d.Build(s.Now())
	if err != nil {
		return wire.Reply{}, wire.Sent{}, err
	}
	r, err := s.Send(ctx, q)
	return r, q, err
}

// Send sends a Query as it is built, and reads the reply.
func (s *Session) Send(ctx context.Context, q wire.Sent) (wire.Reply, error) {
	frame, err := s.Tester.Exchanger.Exchange(ctx, q.Frame)
	if err != nil {
		return wire.Reply{}, Broke("", aReply, "none")
	}
	if wire.Busy(frame) {
		return wire.Reply{}, Misfit(aReply, "the frame of a node at its limit (TMG-T-006)", "Run the suite while the target has little else to do.")
	}
	r, f := s.Read(q, frame)
	if f != nil {
		return r, f
	}
	if d := r.IssuedAt.Sub(q.At); d < -MaxSkew || r.IssuedAt.Sub(s.Now()) > MaxSkew {
		return r, Broke("", "iat of the reply at the time of the exchange (section 4)", "another time")
	}
	return r, nil
}

// aReply is what is expected where any reply will do.
const aReply = "a signed reply"

// Answered sends d and demands an Answer, with receipt, of one of the codes.
func (s *Session) Answered(ctx context.Context, d *wire.Draft, codes ...protocol.Code) (wire.Reply, error) {
	return s.Demand(ctx, d, true, codes)
}

// Demand sends d and demands the kind and one of the codes.
func (s *Session) Demand(ctx context.Context, d *wire.Draft, answer bool, codes []protocol.Code) (wire.Reply, error) {
	r, _, err := s.Exchange(ctx, d)
	if f, ok := errors.AsType[*wire.Finding](err); ok && f.Expected == aReply {
		f.Expected = expected(answer, codes)
	}
	if err != nil {
		return r, err
	}
	return r, Is(r, answer, codes...)
}

// Is demands the kind and one of the codes.
func Is(r wire.Reply, answer bool, codes ...protocol.Code) error {
	if r.Answer == answer && slices.Contains(codes, r.Code) {
		return nil
	}
	return Broke("", expected(answer, codes), r.Said())
}

func expected(answer bool, codes []protocol.Code) string {
	names := make([]string, len(codes))
	for i, c := range codes {
		names[i] = string(c.Outcome()) + " " + string(c)
	}
	kind := "a Refusal in clear: "
	if answer {
		kind = "an Answer with receipt: "
	}
	return kind + strings.Join(names, " or ")
}

// Skip says why a case does not apply to this target or tester.
type Skip struct{ Reason string }

func (s *Skip) Error() string { return s.Reason }

// ConfigError says that target, tester and subjects do not fit together.
type ConfigError struct{ Expected, Got, Hint string }

// Misfit is a [ConfigError].
func Misfit(expected, got, hint string) error { return &ConfigError{expected, got, hint} }

func (c *ConfigError) Error() string { return "expected " + c.Expected + ", got " + c.Got }
