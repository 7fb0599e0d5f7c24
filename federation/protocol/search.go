package protocol

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/crypto/sealing"
)

// Operations about somebody of whom no identifier is known.
const (
	OperationIdentify = "identify"
	OperationResolve  = "resolve"
)

// MaxCandidates is how many handles one Answer may carry.
const MaxCandidates = 20

// Asked is what a Query asks, sealed in transit: a [Question] (operation verify), a
// [Search] (identify) or a [Resolution] (resolve).
type Asked interface{ marshal() ([]byte, error) }

// Search is what an identify asks: of whom in the register the probe may be. It holds
// personal data; it prints as a constant.
type Search struct {
	Probe Probe
	Order string // exemption that two officers signed, about this probe; empty for none
}

// Resolution asks who a candidate is. It prints as a constant.
type Resolution struct {
	Handle Handle
	Order  string // exemption that two officers signed, about this handle; empty for none
}

// Handle stands for a candidate: random, for one requester, good once. Whoever has it and an
// order may be told who it is, so it prints as a constant; [Handle.Text] is the form to show.
type Handle [16]byte

// Text is the handle in base64url.
func (h Handle) Text() string { return b64.EncodeToString(h[:]) }

// ParseHandle reads what [Handle.Text] wrote.
func ParseHandle(s string) (Handle, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != len(Handle{}) {
		return Handle{}, errors.New("reading handle: it is not 16 bytes in base64url")
	}
	return Handle(b), nil
}

// Found is what an Answer tells beside the verdict: handles of candidates in no order that
// means anything, or who a candidate is. It prints as a constant.
type Found struct {
	Handles []Handle
	Subject pseudonym.Identifier // zero when nobody is told
}

// Format prints a constant whatever the verb.
func (Search) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// LogValue is a constant.
func (Search) LogValue() slog.Value { return slog.StringValue(redacted) }

// Format prints a constant whatever the verb.
func (Resolution) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// LogValue is a constant.
func (Resolution) LogValue() slog.Value { return slog.StringValue(redacted) }

const redactedHandle = "handle(redacted)"

// Format prints a constant whatever the verb.
func (Handle) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redactedHandle) }

// LogValue is a constant.
func (Handle) LogValue() slog.Value { return slog.StringValue(redactedHandle) }

// Format prints a constant whatever the verb.
func (Found) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "found(redacted)") }

// LogValue is a constant.
func (Found) LogValue() slog.Value { return slog.StringValue("found(redacted)") }

// Wipe overwrites the probe's bytes.
func (s Search) Wipe() { clear(s.Probe.Data) }

// Wire forms, CDDL:
//
//	sealed-search     = { 1: probe, ? 2: tstr }              ; 2: exemption
//	sealed-resolution = { 1: bstr .size 16, ? 2: tstr }
type wireSearch struct {
	Probe wireProbe `cbor:"1,keyasint"`
	Order string    `cbor:"2,keyasint,omitempty"`
}

func (w *wireSearch) wipe() { clear(w.Probe.Data) }

type wireResolution struct {
	Handle []byte `cbor:"1,keyasint"`
	Order  string `cbor:"2,keyasint,omitempty"`
}

func (w wireSearch) check() error {
	if len(w.Order) > MaxConsentSize {
		return errors.New("the exemption is too large")
	}
	return w.Probe.check(0)
}

func (s Search) marshal() ([]byte, error) {
	p := s.Probe
	w := wireSearch{wireProbe{p.Modality, p.Format, p.Data, p.Position, p.Quality, p.Capture}, s.Order}
	if err := w.check(); err != nil {
		return nil, err
	}
	return encodeSized(w, 1024+len(w.Order)+len(p.Data))
}

func parseSearch(b []byte) (Search, error) {
	w, err := decodeCBOR[wireSearch](b)
	if err != nil {
		return Search{}, fmt.Errorf("decoding sealed part: %w", err)
	}
	if err := w.check(); err != nil {
		w.wipe()
		return Search{}, fmt.Errorf("checking sealed part: %w", err)
	}
	p := w.Probe
	return Search{Probe{p.Modality, p.Format, p.Position, p.Quality, p.Capture, p.Data}, w.Order}, nil
}

func (w wireResolution) check() error {
	if len(w.Order) > MaxConsentSize {
		return errors.New("the exemption is too large")
	}
	if len(w.Handle) != len(Handle{}) {
		return errors.New("the handle is not 16 bytes")
	}
	return nil
}

func (r Resolution) marshal() ([]byte, error) {
	w := wireResolution{r.Handle[:], r.Order}
	if err := w.check(); err != nil {
		return nil, err
	}
	return encodeSized(w, 1024+len(w.Order))
}

func parseResolution(b []byte) (Resolution, error) {
	w, err := decodeCBOR[wireResolution](b)
	if err == nil {
		err = w.check()
	}
	if err != nil {
		return Resolution{}, fmt.Errorf("decoding sealed part: %w", err)
	}
	return Resolution{Handle(w.Handle), w.Order}, nil
}

// OpenSearch opens the sealed part of an identify. The caller wipes the Search.
func (q Query) OpenSearch(key sealing.PrivateKey) (Search, error) { return opened(q, key, parseSearch) }

// OpenResolution opens the sealed part of a resolve.
func (q Query) OpenResolution(key sealing.PrivateKey) (Resolution, error) {
	return opened(q, key, parseResolution)
}

// searching reports whether an operation's Answers may carry what was found, and are padded.
func searching(operation string) bool {
	return operation == OperationIdentify || operation == OperationResolve
}

// Padding of Answers about searches: to a multiple of padTo, with room for all that may be
// told, so that whoever sees the frame learns neither whether there were candidates nor how many.
const (
	padTo    = 4096
	padLeast = 1024 // more than MaxCandidates handles, or an identifier, and the longest verdict take
)

// pad fills w, whose leaf repeats its outcome and rate, up to a size that depends on neither.
func (w *wireVerdict) pad() error {
	bare := *w
	bare.Handles, bare.Subject = nil, nil
	least, err := bare.encode()
	if err != nil {
		return err
	}
	defer clear(least)
	full, err := w.encode()
	if err != nil {
		return err
	}
	defer clear(full)
	varies, err := w.varies()
	if err != nil {
		return err
	}
	size := (len(least) - varies + padLeast + padTo - 1) / padTo * padTo
	const head = 4 // key, and the head of a byte string of 256 to 65,535 bytes
	w.Padding = make([]byte, size-len(full)-head)
	return nil
}

// varies is how many octets of w, and of the leaf in it, are there for its outcome and rate.
func (w *wireVerdict) varies() (int, error) {
	n := 2 * len(w.Outcome)
	if w.FMROneIn > 0 {
		rate, err := encodeCBOR(w.FMROneIn)
		if err != nil {
			return 0, err
		}
		n += 2 * len(rate) // of the Answer, where without a rate there is a zero, and with its key of the leaf
	}
	return n, nil
}

// evenTo is what outcome and rate take with their padding in an Answer to a verify: two of "inconclusive" and
// of the largest rate are 34 octets, and a byte string of 24 to 255 has a head of two.
const evenTo = 34 + 24

// even fills w up to a size that depends on neither outcome nor rate.
func (w *wireVerdict) even() error {
	n, err := w.varies()
	if err != nil {
		return err
	}
	w.Padding = make([]byte, evenTo-n)
	return nil
}

// take puts what was found into w.
func (w *wireVerdict) take(f Found) {
	for _, h := range f.Handles {
		w.Handles = append(w.Handles, h[:])
	}
	if f.Subject != (pseudonym.Identifier{}) {
		w.Subject = &wireSubject{f.Subject.Jurisdiction, f.Subject.Type, f.Subject.Value}
	}
}

// fits reports whether an Answer to an operation may say so.
func (c Code) fits(operation string) bool {
	switch c {
	case CodeMatched, CodeNotMatched:
		return operation == OperationVerify
	case CodeCandidates, CodeNoCandidate, CodeSearchIncomplete:
		return operation == OperationIdentify
	case CodeResolved, CodeNoIdentifier, CodeHandle:
		return operation == OperationResolve
	case CodeSearchGround:
		return searching(operation)
	}
	return true
}

// found is what an Answer to an operation tells (TMG-A-009).
func (w wireVerdict) found(operation string) (f Found, _ error) {
	if !Code(w.Code).fits(operation) {
		return Found{}, errors.New("operation and code do not belong together")
	}
	for _, b := range w.Padding {
		if b != 0 {
			return Found{}, errors.New("the padding is not of zeros")
		}
	}
	if !searching(operation) {
		if w.Handles != nil || w.Subject != nil {
			return Found{}, errors.New("an answer tells what was not asked")
		}
		return Found{}, nil
	}
	if (len(w.Handles) > 0) != (Code(w.Code) == CodeCandidates) || len(w.Handles) > MaxCandidates {
		return Found{}, errors.New("handles and code do not belong together")
	}
	for _, h := range w.Handles {
		if len(h) != len(Handle{}) {
			return Found{}, errors.New("a handle is not 16 bytes")
		}
		f.Handles = append(f.Handles, Handle(h))
	}
	if (w.Subject != nil) != (Code(w.Code) == CodeResolved) {
		return Found{}, errors.New("identifier and code do not belong together")
	}
	if w.Subject != nil {
		given := pseudonym.Identifier{Jurisdiction: w.Subject.Jurisdiction, Type: w.Subject.Type, Value: w.Subject.Value}
		if id, err := given.Normalize(); err != nil || id != given {
			return Found{}, errors.New("the subject is not a normalised identifier")
		}
		f.Subject = given
	}
	return f, nil
}
