package ledger

import (
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/tamga-id/tamga/federation/ledger/internal/notekey"
	fmtlog "github.com/transparency-dev/formats/log"
	"golang.org/x/mod/sumdb/note"
)

// Signer signs a log's checkpoints. The zero value signs nothing. It prints as
// "signer(redacted)" and is safe for concurrent use.
type Signer struct {
	origin string
	vkeys  []string
	sign   func(size uint64, root []byte, now time.Time) ([]byte, error)
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
	sign := func(size uint64, root []byte, now time.Time) ([]byte, error) {
		text := fmtlog.Checkpoint{Origin: origin, Size: size, Hash: root}.Marshal()
		return note.Sign(&note.Note{Text: string(text)}, ed, pqAt(now))
	}
	return Signer{origin, []string{edKey, pqKey}, sign}, nil
}

// Origin returns the log's name, the first line of its checkpoints.
func (s Signer) Origin() string { return s.origin }

// VerifierKeys returns the public keys as C2SP vkey strings, Ed25519 first. The
// caller owns the slice.
func (s Signer) VerifierKeys() []string { return append([]string(nil), s.vkeys...) }

// LogValue redacts the keys.
func (Signer) LogValue() slog.Value { return slog.StringValue("signer(redacted)") }

// Format redacts the keys.
func (Signer) Format(w fmt.State, _ rune) { io.WriteString(w, "signer(redacted)") }
