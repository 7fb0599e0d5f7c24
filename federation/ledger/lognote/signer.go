package lognote

import (
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/tamga-id/tamga/federation/ledger/internal/notekey"
	fmtlog "github.com/transparency-dev/formats/log"
	"golang.org/x/mod/sumdb/note"
)

// MaxGenerations is how many pairs of keys sign a log's checkpoints at once while they are
// replaced: an old one, the current one, the next, and one more that nobody has retired yet.
const MaxGenerations = 4

// ErrGenerations refuses more pairs of keys than [MaxGenerations].
var ErrGenerations = fmt.Errorf("a ledger has at most %d generations of keys at once", MaxGenerations)

// MaxSigned is the length of the longest checkpoint that a Signer signs: origin, size and
// root in base64, an empty line, and of each pair of keys the lines
// "— <name> <base64 of key ID and signature>", the ML-DSA signature with its time.
const MaxSigned = notekey.MaxName + 1 + 19 + 1 + 44 + 1 + 1 +
	MaxGenerations*(2*(len("— ")+notekey.MaxName+len(" \n"))+(4+notekey.Ed25519Size+2)/3*4+(4+notekey.MLDSA44Size+2)/3*4)

// Signer signs a log's checkpoints. The zero value signs nothing. It prints as
// "signer(redacted)" and is safe for concurrent use.
type Signer struct {
	origin  string
	vkeys   []string
	signers func(now time.Time) []note.Signer
	// also are those under whose keys checkpoints are signed, too, and accepted.
	also []Signer
}

// NewSigner derives both keys of the log named origin from two 32-byte seeds.
// The seeds are not kept by reference. An origin is a non-empty UTF-8 name of at
// most 255 bytes without white space and without "+", for instance
// "id.example.kz/tamga/ledger".
func NewSigner(origin string, ed25519Seed, mldsaSeed []byte) (Signer, error) {
	if err := notekey.CheckName(origin); err != nil {
		return Signer{}, err
	}
	if len(ed25519Seed) != notekey.SeedSize || len(mldsaSeed) != notekey.SeedSize {
		return Signer{}, fmt.Errorf("making ledger signer: both seeds must be %d bytes", notekey.SeedSize)
	}
	ed, edKey := notekey.Ed25519(origin, ed25519Seed)
	pqAt, pqKey := notekey.MLDSA44(origin, mldsaSeed)
	signers := func(now time.Time) []note.Signer { return []note.Signer{ed, pqAt(now)} }
	return Signer{origin: origin, vkeys: []string{edKey, pqKey}, signers: signers}, nil
}

// With returns a signer that signs with the keys of others, too, and takes what either
// signed for the log's own, while keys are replaced: who verifies under the old ones and who
// does under the new ones both find a signature. What it publishes stays s's. It fails with
// [ErrGenerations] when they are too many.
func (s Signer) With(others ...Signer) (Signer, error) {
	for _, o := range others {
		if o.origin != s.origin || o.signers == nil {
			return Signer{}, fmt.Errorf("making ledger signer: keys of another log")
		}
	}
	s.also = append(append([]Signer(nil), s.also...), others...)
	all := 1
	for _, o := range s.also {
		all += o.Generations()
	}
	if all > MaxGenerations {
		return Signer{}, fmt.Errorf("making ledger signer of %d: %w", all, ErrGenerations)
	}
	return s, nil
}

// Sign signs the checkpoint of a tree. Whoever signs two of one size with different roots has
// given proof against the log: only the log itself, which alone knows what is durable, does it.
func (s Signer) Sign(size uint64, root []byte, now time.Time) ([]byte, error) {
	text := fmtlog.Checkpoint{Origin: s.origin, Size: size, Hash: root}.Marshal()
	all := s.signers(now)
	for _, o := range s.also {
		all = append(all, o.signers(now)...)
	}
	signed, err := note.Sign(&note.Note{Text: string(text)}, all...)
	if err == nil && len(signed) > MaxSigned {
		return nil, fmt.Errorf("checkpoint of %d bytes, want at most %d", len(signed), MaxSigned) // before anything is written
	}
	return signed, err
}

// Verifier accepts what the signer, or one of those with it, signed.
func (s Signer) Verifier() (Verifier, error) {
	v, err := NewVerifier(s.origin, s.vkeys)
	if err != nil {
		return Verifier{}, err
	}
	for _, o := range s.also {
		other, err := NewVerifier(o.origin, o.vkeys)
		if err != nil {
			return Verifier{}, err
		}
		v.or = append(v.or, other)
	}
	return v, nil
}

// IsZero reports whether s signs nothing.
func (s Signer) IsZero() bool { return s.signers == nil }

// Generations is how many pairs of keys sign, one but for a signer made by [Signer.With].
func (s Signer) Generations() int { return 1 + len(s.also) }

// Origin returns the log's name, the first line of its checkpoints.
func (s Signer) Origin() string { return s.origin }

// VerifierKeys returns the public keys as C2SP vkey strings, Ed25519 first. The
// caller owns the slice.
func (s Signer) VerifierKeys() []string { return append([]string(nil), s.vkeys...) }

// LogValue redacts the keys.
func (Signer) LogValue() slog.Value { return slog.StringValue("signer(redacted)") }

// Format redacts the keys.
func (Signer) Format(w fmt.State, _ rune) { io.WriteString(w, "signer(redacted)") }
