package party

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/matcher/synth"
)

// Names of PROTOCOL.md section 9.
const (
	Face   = "face"
	Finger = "finger"

	formatFace   = "tamga-embedding-1"
	formatFinger = "iso-19794-2-2005"
)

// Subjects are the people whom the target enrolled for the examination, and some whom
// it did not. A laboratory brings its own; [Synthetic] is the usual set.
type Subjects interface {
	// Count is how many are enrolled, at least two.
	Count() int
	// Enrolled is test subject i, 0 to Count()-1.
	Enrolled(i int) (Subject, error)
	// Unknown is one of at least 16 people who are not enrolled.
	Unknown(i int) (Subject, error)
}

// Subject is one test subject. It holds what stands for personal data and prints as a
// constant.
type Subject struct {
	Identifier pseudonym.Identifier
	Holder     jose.PrivateKey // signs the person's consents; its thumbprint is enrolled
	// Probe is capture n of the person in a modality; false when there is none.
	Probe func(modality string, n int) (protocol.Probe, bool)
	// Marks are strings by which the person would be recognised in an output.
	Marks []string
}

// Format prints a constant whatever the verb.
func (Subject) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "subject(redacted)") }

// LogValue is a constant.
func (Subject) LogValue() slog.Value { return slog.StringValue("subject(redacted)") }

// FingerPosition is the ISO/IEC 19794-2 position of the finger that synthetic
// subjects are enrolled with: right index.
const FingerPosition = 2

// Synthetic are the first n people of synth.New(seed, jurisdiction), enrolled by
// passport number with FaceReference, FingerReference(FingerPosition) and the
// thumbprint of the key of HolderSeed.
func Synthetic(seed uint64, jurisdiction string, n int) Subjects {
	return synthetic{synth.New(seed, jurisdiction), n}
}

type synthetic struct {
	population *synth.Population
	n          int
}

func (s synthetic) Count() int { return s.n }

func (s synthetic) Enrolled(i int) (Subject, error) { return subjectOf(s.population.Person(i)) }

func (s synthetic) Unknown(i int) (Subject, error) {
	return subjectOf(s.population.Person(synth.MaxPersons - 1 - i))
}

func subjectOf(p synth.Person) (Subject, error) {
	seed := p.HolderSeed()
	holder, err := jose.NewPrivateKey(seed[:])
	if err != nil {
		return Subject{}, fmt.Errorf("making test subject: %w", err)
	}
	return Subject{
		Identifier: pseudonym.Identifier{Jurisdiction: p.Jurisdiction, Type: pseudonym.IDPassport, Value: p.PassportNumber},
		Holder:     holder,
		Marks:      p.Marks(),
		Probe: func(modality string, n int) (protocol.Probe, bool) {
			switch modality {
			case Face:
				return protocol.Probe{Modality: modality, Format: formatFace, Data: p.FaceProbe(n)}, true
			case Finger:
				return protocol.Probe{Modality: modality, Format: formatFinger, Position: FingerPosition,
					Data: p.FingerProbe(FingerPosition, n)}, true
			}
			return protocol.Probe{}, false
		},
	}, nil
}
