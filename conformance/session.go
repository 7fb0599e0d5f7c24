package conformance

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/tamga-id/tamga/conformance/internal/wire"
	"github.com/tamga-id/tamga/federation/protocol"
)

// The words of package wire, in which cases are written.
type (
	draft   = wire.Draft
	sent    = wire.Sent
	reply   = wire.Reply
	finding = wire.Finding
)

// broke is a finding about the requirements that rules names.
func broke(rules, expected, got string) *finding {
	return &finding{Rules: rules, Expected: expected, Got: got}
}

// maxSkew is how far the clocks of target and tester may be apart.
const maxSkew = 5 * time.Second

// session is what the steps of one case work with.
type session struct {
	Options
	rng *rand.Rand // of this case and seed alone
}

// person is an enrolled subject, chosen by the seed.
func (s *session) person() (Subject, error) {
	return s.Subjects.Enrolled(s.rng.IntN(s.Subjects.Count()))
}

// pair are two different enrolled subjects.
func (s *session) pair() (a, b Subject, err error) {
	i := s.rng.IntN(s.Subjects.Count())
	j := (i + 1 + s.rng.IntN(s.Subjects.Count()-1)) % s.Subjects.Count()
	if a, err = s.Subjects.Enrolled(i); err == nil {
		b, err = s.Subjects.Enrolled(j)
	}
	return a, b, err
}

func (s *session) stranger() (Subject, error) { return s.Subjects.Unknown(s.rng.IntN(16)) }

// probe is some capture of p. A modality that the target or the subject does not have
// skips the case.
func (s *session) probe(p Subject, modality string) (protocol.Probe, error) {
	if !slices.Contains(s.Target.Modalities, modality) {
		return protocol.Probe{}, &skip{"the target's metadata does not list modality " + modality}
	}
	probe, ok := p.Probe(modality, 1+s.rng.IntN(1000))
	if !ok {
		return protocol.Probe{}, &skip{"the test subjects have no " + modality}
	}
	return probe, nil
}

// modality is the first of the target's that the suite has probes of.
func (s *session) modality() string {
	if slices.Contains(s.Target.Modalities, modalityFace) {
		return modalityFace
	}
	return modalityFinger
}

// draft is a Query about p with the probes, on ground g, that nothing is wrong with.
func (s *session) draft(p Subject, g Ground, probes ...protocol.Probe) (*draft, error) {
	return wire.New(wire.Parties{Issuer: s.Tester.Entity, Audience: s.Target.Entity, Signing: s.Tester.Signing, To: s.Target.SealingKey},
		g.Purpose, g.LegalBasis, p.Identifier, probes, s.Now())
}

// read judges a reply of the target.
func (s *session) read(q sent, frame []byte) (reply, *finding) {
	return wire.Reader{Peer: s.Target.Peer}.Read(q, frame)
}

// mated is a Query that must be answered with matched.
func (s *session) mated(g Ground) (*draft, error) {
	p, err := s.person()
	if err != nil {
		return nil, err
	}
	return s.about(p, g)
}

// about is a Query about p with a mated probe.
func (s *session) about(p Subject, g Ground) (*draft, error) {
	probe, err := s.probe(p, s.modality())
	if err != nil {
		return nil, err
	}
	return s.draft(p, g, probe)
}

// exchange sends d and reads the reply. No reply is a finding: the target was
// reachable in the preflight.
func (s *session) exchange(ctx context.Context, d *draft) (reply, sent, error) {
	q, err := d.Build(s.Now())
	if err != nil {
		return reply{}, sent{}, err
	}
	r, err := s.send(ctx, q)
	return r, q, err
}

func (s *session) send(ctx context.Context, q sent) (reply, error) {
	frame, err := s.Tester.Exchanger.Exchange(ctx, q.Frame)
	if err != nil {
		return reply{}, broke("", aReply, "none")
	}
	if wire.Busy(frame) {
		return reply{}, &configError{aReply, "the frame of a node at its limit (TMG-T-006)", "Run the suite while the target has little else to do."}
	}
	r, f := s.read(q, frame)
	if f != nil {
		return r, f
	}
	if d := r.IssuedAt.Sub(q.At); d < -maxSkew || r.IssuedAt.Sub(s.Now()) > maxSkew {
		return r, broke("", "iat of the reply at the time of the exchange (section 4)", "another time")
	}
	return r, nil
}

// aReply is what is expected where any reply will do.
const aReply = "a signed reply"

// answered sends d and demands an Answer, with receipt, of one of the codes.
func (s *session) answered(ctx context.Context, d *draft, codes ...protocol.Code) (reply, error) {
	return s.demand(ctx, d, true, codes)
}

func (s *session) demand(ctx context.Context, d *draft, answer bool, codes []protocol.Code) (reply, error) {
	r, _, err := s.exchange(ctx, d)
	if f, ok := errors.AsType[*finding](err); ok && f.Expected == aReply {
		f.Expected = expected(answer, codes)
	}
	if err != nil {
		return r, err
	}
	return r, is(r, answer, codes...)
}

// is demands the kind and one of the codes.
func is(r reply, answer bool, codes ...protocol.Code) error {
	if r.Answer == answer && slices.Contains(codes, r.Code) {
		return nil
	}
	return broke("", expected(answer, codes), r.Said())
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

// fault is one thing that is done to a good Query.
type fault func(s *session, d *draft) error

// refuses are the steps of a case in which the fault must be met with a Refusal.
func refuses(f fault, codes ...protocol.Code) func(context.Context, *session) error {
	return faulty(f, false, codes)
}

// answers are the steps of a case in which the Query, fault and all, must be recorded
// and met with an Answer.
func answers(f fault, codes ...protocol.Code) func(context.Context, *session) error {
	return faulty(f, true, codes)
}

func faulty(f fault, answer bool, codes []protocol.Code) func(context.Context, *session) error {
	return func(ctx context.Context, s *session) error {
		d, err := s.mated(s.Target.open())
		if err != nil {
			return err
		}
		if err := f(s, d); err != nil {
			return fmt.Errorf("making the fault: %w", err)
		}
		_, err = s.demand(ctx, d, answer, codes)
		return err
	}
}

// claim is the fault that a claim has another value, in a Query that is otherwise
// sealed and signed over that value.
func claim(name string, value any) fault {
	return func(_ *session, d *draft) error { d.Claims[name] = value; return nil }
}
