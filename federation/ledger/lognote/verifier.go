package lognote

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tamga-id/tamga/federation/ledger/internal/notekey"
	fmtlog "github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
)

const (
	// MaxCheckpoint bounds a checkpoint with its signatures: it leaves room for those of
	// [MaxGenerations] and of a dozen witnesses. What one part of a node takes, every
	// other must, or it is believed and then not remembered.
	MaxCheckpoint = 32 << 10
	// maxUnknown bounds the signatures of others, which nobody verifies.
	maxUnknown = 2*MaxGenerations + 12
	// maxSize keeps every index and size within an int64.
	maxSize = 1 << 62
	// maxKeys bounds the keys a Verifier may be asked to require.
	maxKeys = 8
)

// Checkpoint is a verified statement of a log about itself. The zero value is
// what an error comes with and says nothing.
type Checkpoint struct {
	// Size is the number of entries.
	Size uint64
	// Root is the RFC 6962 tree hash over them.
	Root [sha256.Size]byte
	// Time is when it was signed, to the second, by the log's clock; the zero
	// time when no ML-DSA-44 key was required, since only that signature has one.
	Time time.Time
}

// Verifier checks what one log signed. It is safe for concurrent use; the zero value
// refuses everything.
type Verifier struct {
	// Immutable after NewVerifier.
	origin string
	known  note.Verifiers
	ids    []uint32   // key IDs in the order of the vkeys
	timed  uint32     // key ID of the first ML-DSA-44 key, whose time is believed
	or     []Verifier // whose word is as good, while a log's keys are replaced
	// latest is the last checkpoint that verified: all receipts of one commit bring the same.
	// It is of these keys alone, and goes with them; nil in the zero value.
	latest *atomic.Pointer[verified]
}

// verified is a checkpoint and the bytes that it was verified from. Immutable.
type verified struct {
	signed     []byte
	checkpoint Checkpoint
}

// NewVerifier requires a valid signature by every one of vkeys on everything the
// log named origin signs. Keys are C2SP vkey strings of type Ed25519 (0x01) or
// ML-DSA-44 (0x06), their name equal to origin; publish and require both.
func NewVerifier(origin string, vkeys []string) (Verifier, error) {
	if err := notekey.CheckName(origin); err != nil {
		return Verifier{}, err
	}
	if len(vkeys) == 0 || len(vkeys) > maxKeys {
		return Verifier{}, fmt.Errorf("making ledger verifier: %d keys, want 1 to %d", len(vkeys), maxKeys)
	}
	v := Verifier{origin: origin, latest: new(atomic.Pointer[verified])}
	list := make([]note.Verifier, 0, len(vkeys))
	seen := make(map[uint32]bool)
	for i, s := range vkeys {
		k, err := notekey.Parse(origin, s)
		if err != nil {
			return Verifier{}, fmt.Errorf("making ledger verifier: key %d: %w", i, err)
		}
		if seen[k.KeyHash()] {
			return Verifier{}, fmt.Errorf("making ledger verifier: key %d repeats a key ID", i)
		}
		seen[k.KeyHash()] = true
		if k.Timed() && v.timed == 0 {
			v.timed = k.KeyHash()
		}
		list, v.ids = append(list, k), append(v.ids, k.KeyHash())
	}
	v.known = note.VerifierList(list...)
	return v, nil
}

// Origin returns the name of the log this Verifier is bound to.
func (v Verifier) Origin() string { return v.origin }

// Checkpoint verifies a signed checkpoint. Signatures by other keys, witnesses
// for instance, are ignored. It fails with [ErrMalformed], [ErrOrigin], [ErrKey]
// or [ErrSignature]. The very bytes that verified last are not verified again.
func (v Verifier) Checkpoint(signed []byte) (Checkpoint, error) {
	if v.latest == nil {
		return v.checkpoint(signed)
	}
	if known := v.latest.Load(); known != nil && bytes.Equal(known.signed, signed) {
		return known.checkpoint, nil
	}
	c, err := v.checkpoint(signed)
	for _, o := range v.or {
		if err == nil {
			break
		}
		if other, failed := o.checkpoint(signed); failed == nil {
			c, err = other, nil
		}
	}
	if err == nil {
		v.latest.Store(&verified{bytes.Clone(signed), c})
	}
	return c, err
}

// checkpoint demands the signatures of v's own keys.
func (v Verifier) checkpoint(signed []byte) (Checkpoint, error) {
	if v.known == nil {
		return Checkpoint{}, fmt.Errorf("verifying checkpoint: empty verifier: %w", ErrKey)
	}
	if len(signed) > MaxCheckpoint {
		return Checkpoint{}, fmt.Errorf("verifying checkpoint: longer than %d bytes: %w", MaxCheckpoint, ErrMalformed)
	}
	n, err := note.Open(signed, v.known)
	if err != nil {
		return Checkpoint{}, v.noteError(err)
	}
	if len(n.UnverifiedSigs) > maxUnknown {
		return Checkpoint{}, fmt.Errorf("verifying checkpoint: %d signatures by other keys: %w", len(n.UnverifiedSigs), ErrMalformed)
	}
	c, err := v.parseText(n.Text)
	if err != nil {
		return Checkpoint{}, err
	}
	if len(n.Sigs) != len(v.ids) {
		return Checkpoint{}, fmt.Errorf("verifying checkpoint: %d of %d required signatures: %w", len(n.Sigs), len(v.ids), ErrKey)
	}
	for _, s := range n.Sigs {
		raw, err := base64.StdEncoding.Strict().DecodeString(s.Base64)
		if err != nil {
			return Checkpoint{}, fmt.Errorf("verifying checkpoint: signature encoding: %w", ErrMalformed)
		}
		if s.Hash == v.timed && v.timed != 0 {
			c.Time = time.Unix(int64(binary.BigEndian.Uint64(raw[4:])), 0).UTC()
		}
	}
	return c, nil
}

// noteError sorts the errors of note.Open into ours.
func (v Verifier) noteError(err error) error {
	if bad, ok := errors.AsType[*note.UnverifiedNoteError](err); ok {
		// Nothing here is verified: the text only explains the refusal.
		if origin, _, _ := strings.Cut(bad.Note.Text, "\n"); origin != v.origin {
			return fmt.Errorf("verifying checkpoint: %w", ErrOrigin)
		}
		return fmt.Errorf("verifying checkpoint: none of the %d required signatures: %w", len(v.ids), ErrKey)
	}
	if bad, ok := errors.AsType[*note.InvalidSignatureError](err); ok {
		return fmt.Errorf("verifying checkpoint: key %08x: %w", bad.Hash, ErrSignature)
	}
	return fmt.Errorf("verifying checkpoint: %w", ErrMalformed)
}

// parseText reads the three lines and insists on their canonical form. Extension
// lines are refused because the ML-DSA signature would not cover them.
func (v Verifier) parseText(text string) (Checkpoint, error) {
	var c fmtlog.Checkpoint
	rest, err := c.Unmarshal([]byte(text))
	if err != nil || len(rest) != 0 || string(c.Marshal()) != text ||
		len(c.Hash) != sha256.Size || c.Size > maxSize {
		return Checkpoint{}, fmt.Errorf("verifying checkpoint: text: %w", ErrMalformed)
	}
	if c.Origin != v.origin {
		return Checkpoint{}, fmt.Errorf("verifying checkpoint: %w", ErrOrigin)
	}
	root := [sha256.Size]byte(c.Hash)
	if c.Size == 0 && root != [sha256.Size]byte(rfc6962.DefaultHasher.EmptyRoot()) {
		return Checkpoint{}, fmt.Errorf("verifying checkpoint: root of an empty tree: %w", ErrMalformed)
	}
	return Checkpoint{Size: c.Size, Root: root}, nil
}

// Rename gives the verifier keys vkeys, of a log of any name, as those of a log
// named origin with the same public keys: a node's later log has another name.
func Rename(origin string, vkeys []string) ([]string, error) {
	if err := notekey.CheckName(origin); err != nil {
		return nil, err
	}
	out := make([]string, len(vkeys))
	for i, key := range vkeys {
		var err error
		if out[i], err = notekey.Rename(origin, key); err != nil {
			return nil, fmt.Errorf("naming ledger keys: key %d: %w", i, err)
		}
	}
	return out, nil
}
