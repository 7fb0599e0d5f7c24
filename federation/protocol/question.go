package protocol

import (
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/tamga-id/tamga/crypto/pseudonym"
)

// Limits on the sealed part of a Query.
const (
	MaxProbes      = 10
	MaxProbeSize   = 64 << 10
	MaxConsentSize = 8 << 10
)

// Probe is one captured biometric record, in the format it names.
type Probe struct {
	Modality string // "finger", "face", "iris" or "signature"
	Format   string // a template profile, for instance "iso-19794-2-2005"
	Position uint8  // ISO/IEC 19794-2 finger position or ISO/IEC 19794-6 eye, 0 unknown or neither
	Quality  uint8  // 1-100 by the capture device, 0 not reported
	Capture  string // presentation-attack attestation profile, empty when there is none
	Data     Record
}

// Question is what a Query asks, sealed in transit: about whom, with which
// probes, under which consent. It holds personal data; it prints as a constant.
type Question struct {
	Subject pseudonym.Identifier
	Probes  []Probe
	Consent string // consent artefact, compact JWS; empty when the legal basis needs none
}

const redacted = "question(redacted)"

// Format prints a constant whatever the verb.
func (Question) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// LogValue is a constant.
func (Question) LogValue() slog.Value { return slog.StringValue(redacted) }

// Record is the bytes of a biometric record. It prints as a constant.
type Record []byte

// Format prints a constant whatever the verb.
func (Record) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "record(redacted)") }

// LogValue is a constant.
func (Record) LogValue() slog.Value { return slog.StringValue("record(redacted)") }

// Wipe overwrites the probes' bytes.
func (q Question) Wipe() {
	for _, p := range q.Probes {
		clear(p.Data)
	}
}

// Wire form of the sealed part, CDDL:
//
//	sealed-query = { 1: subject, 2: [1*10 probe], ? 3: tstr }
//	subject      = { 1: tstr, 2: tstr, 3: tstr }      ; jurisdiction, type, value
//	probe        = { 1: tstr, 2: tstr, 3: bstr, ? 4: uint, ? 5: uint, ? 6: tstr }
type wireQuestion struct {
	Subject wireSubject `cbor:"1,keyasint"`
	Probes  []wireProbe `cbor:"2,keyasint"`
	Consent string      `cbor:"3,keyasint,omitempty"`
}

// wipe overwrites the records.
func (w *wireQuestion) wipe() {
	for _, p := range w.Probes {
		clear(p.Data)
	}
}

type wireSubject struct {
	Jurisdiction string `cbor:"1,keyasint"`
	Type         string `cbor:"2,keyasint"`
	Value        string `cbor:"3,keyasint"`
}

type wireProbe struct {
	Modality string `cbor:"1,keyasint"`
	Format   string `cbor:"2,keyasint"`
	Data     []byte `cbor:"3,keyasint"`
	Position uint8  `cbor:"4,keyasint,omitempty"`
	Quality  uint8  `cbor:"5,keyasint,omitempty"`
	Capture  string `cbor:"6,keyasint,omitempty"`
}

func (q Question) marshal() ([]byte, error) {
	id, err := q.Subject.Normalize()
	if err != nil {
		return nil, err
	}
	w := wireQuestion{
		Subject: wireSubject{id.Jurisdiction, id.Type, id.Value},
		Consent: q.Consent,
	}
	for _, p := range q.Probes {
		w.Probes = append(w.Probes, wireProbe{p.Modality, p.Format, p.Data, p.Position, p.Quality, p.Capture})
	}
	if err := w.check(); err != nil {
		return nil, err
	}
	size := 1024 + len(w.Consent)
	for _, p := range w.Probes {
		size += len(p.Data) + 256
	}
	return encodeSized(w, size)
}

// check enforces TMG-Q-012 to TMG-Q-014.
func (w wireQuestion) check() error {
	if len(w.Probes) == 0 || len(w.Probes) > MaxProbes {
		return errors.New("between 1 and 10 probes are required")
	}
	if len(w.Consent) > MaxConsentSize {
		return errors.New("the consent artefact is too large")
	}
	for i, p := range w.Probes {
		if err := p.check(i); err != nil {
			return err
		}
	}
	return nil
}

func (p wireProbe) check(i int) error {
	switch {
	case !token(p.Modality, 32) || !token(p.Format, 64):
		return fmt.Errorf("probe %d: modality or format is not a name", i)
	case len(p.Data) == 0 || len(p.Data) > MaxProbeSize:
		return fmt.Errorf("probe %d: size is out of bounds", i)
	case p.Quality > 100 || p.Position > 10:
		return fmt.Errorf("probe %d: quality or position is out of range", i)
	case p.Capture != "" && !token(p.Capture, 64):
		return fmt.Errorf("probe %d: capture is not a name", i)
	}
	return nil
}

func parseQuestion(b []byte) (Question, error) {
	w, err := decodeCBOR[wireQuestion](b)
	if err != nil {
		return Question{}, fmt.Errorf("decoding sealed part: %w", err)
	}
	if err := w.check(); err != nil {
		w.wipe()
		return Question{}, fmt.Errorf("checking sealed part: %w", err)
	}
	given := pseudonym.Identifier{Jurisdiction: w.Subject.Jurisdiction, Type: w.Subject.Type, Value: w.Subject.Value}
	id, err := given.Normalize()
	if err != nil || id != given {
		w.wipe()
		return Question{}, errors.New("checking sealed part: the subject is not a normalised identifier")
	}
	q := Question{Subject: id, Consent: w.Consent}
	for _, p := range w.Probes {
		q.Probes = append(q.Probes, Probe{p.Modality, p.Format, p.Position, p.Quality, p.Capture, p.Data})
	}
	return q, nil
}

// token reports whether s is a lower-case name of at most max bytes.
func token(s string, max int) bool {
	if s == "" || len(s) > max {
		return false
	}
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return true
}

// handle reports whether s is an opaque identifier of at most max bytes.
func handle(s string, max int) bool {
	if s == "" || len(s) > max {
		return false
	}
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}
