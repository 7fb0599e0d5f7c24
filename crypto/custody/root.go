package custody

import (
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"

	"github.com/tamga-id/tamga/crypto/internal/locked"
)

// RootSize is the length of the root key in bytes.
const RootSize = 32

// Root is the key every other key of a node hangs from. Copies share one
// secret: [Root.Wipe] on one wipes all. It is safe for concurrent use, not
// comparable with ==, and prints as a redaction mark. The zero value holds no
// key.
type Root struct {
	// A closure hides the bytes from fmt and reflection, which skip methods
	// on unexported fields.
	open func() *rootSecret
}

type rootSecret struct {
	mu    sync.RWMutex
	bytes *locked.Buffer // Its contents are guarded by mu.
	wiped bool           // Guarded by mu.
}

// NewRoot wraps a root key that came from elsewhere, such as custodians who
// put their shares together. It copies secret, which must be 32 bytes and not
// all zero; else it returns [ErrRoot].
func NewRoot(secret []byte) (Root, error) {
	var zero [RootSize]byte
	if len(secret) != RootSize || subtle.ConstantTimeCompare(secret, zero[:]) == 1 {
		return Root{}, fmt.Errorf("loading root key: %w", ErrRoot)
	}
	s := &rootSecret{bytes: locked.New(RootSize)}
	copy(s.bytes.Bytes(), secret)
	return Root{func() *rootSecret { return s }}, nil
}

// Derive returns HKDF-SHA256(root, no salt, info = label), a key for the one
// purpose that label ("tamga/v1/<purpose>") names. Labels beginning
// "tamga/v1/keystore" belong to this package. It panics on a zero or wiped
// root, because the key it would return could be computed by anyone; callers
// that cannot exclude that ask [Root.Usable] first.
func (r Root) Derive(label string) [32]byte {
	if r.open == nil {
		panic("custody: Derive on a zero root")
	}
	var out [32]byte
	err := r.use(func(secret []byte) error {
		key, err := hkdf.Key(sha256.New, secret, nil, label, 32)
		if err != nil {
			return err
		}
		defer clear(key)
		out = [32]byte(key)
		return nil
	})
	if errors.Is(err, ErrRoot) {
		panic("custody: Derive on a wiped root")
	} else if err != nil {
		panic("custody: HKDF refused a 32-byte output: " + err.Error())
	}
	return out
}

// use runs f with the secret, or returns ErrRoot when there is none.
func (r Root) use(f func(secret []byte) error) error {
	if r.open == nil {
		return ErrRoot
	}
	s := r.open()
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.wiped {
		return ErrRoot
	}
	return f(s.bytes.Bytes())
}

// Locked reports whether the system keeps r out of swap and core dumps. It does
// not when RLIMIT_MEMLOCK is too small, and nowhere but on Linux.
func (r Root) Locked() bool { return r.open != nil && r.open().bytes.Locked() }

// Usable reports whether r holds a key, that is, is neither zero nor wiped.
func (r Root) Usable() bool {
	if r.open == nil {
		return false
	}
	s := r.open()
	s.mu.RLock()
	defer s.mu.RUnlock()
	return !s.wiped
}

// Wipe overwrites the secret of r and of every copy of it. Calling it again,
// or on the zero value, does nothing. Keys already derived are not affected.
func (r Root) Wipe() {
	if r.open == nil {
		return
	}
	s := r.open()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bytes.Wipe()
	s.wiped = true
}

// Clone returns a root of its own with the same key, which outlives r's Wipe. It
// returns [ErrRoot] when r holds none.
func (r Root) Clone() (c Root, err error) {
	err = r.use(func(secret []byte) (err error) {
		c, err = NewRoot(secret)
		return err
	})
	return c, err
}

const redactedRoot = "root-key(redacted)"

// LogValue implements [slog.LogValuer] without the key.
func (Root) LogValue() slog.Value { return slog.StringValue(redactedRoot) }

// Format implements [fmt.Formatter] without the key, whatever the verb.
func (Root) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redactedRoot) }

// HideProcess keeps the whole process out of core dumps and out of the reach of
// other programs of the same user (PR_SET_DUMPABLE of prctl(2)). Elsewhere than
// on Linux it returns [errors.ErrUnsupported].
func HideProcess() error {
	if err := locked.HideProcess(); err != nil {
		return fmt.Errorf("hiding the process: %w", err)
	}
	return nil
}
