package custody_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"sync"
	"testing"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/redacttest"
)

var rootBytes = []byte("\x81\x92\xa3KLMNOPQRSTUVWXYZ0123456789!?+")[:custody.RootSize]

func newRoot(t testing.TB) custody.Root {
	t.Helper()
	r, err := custody.NewRoot(rootBytes)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestDerive recomputes HKDF-SHA256 from RFC 5869: a 32-byte output is one
// block, HMAC(HMAC(zeros, root), label || 0x01).
func TestDerive(t *testing.T) {
	mac := func(key []byte, parts ...[]byte) []byte {
		h := hmac.New(sha256.New, key)
		for _, p := range parts {
			h.Write(p)
		}
		return h.Sum(nil)
	}
	prk := mac(make([]byte, 32), rootBytes)
	want := mac(prk, []byte(label), []byte{1})
	got := newRoot(t).Derive(label)
	if !bytes.Equal(got[:], want) {
		t.Errorf("derived %x, want %x", got, want)
	}
	if newRoot(t).Derive(label+"x") == got {
		t.Error("two labels derive one key")
	}
}

func TestNewRootRefuses(t *testing.T) {
	for _, b := range [][]byte{nil, make([]byte, 31), make([]byte, 33), make([]byte, 32)} {
		r, err := custody.NewRoot(b)
		if !errors.Is(err, custody.ErrRoot) || r.Usable() {
			t.Errorf("%d bytes: %v, want ErrRoot", len(b), err)
		}
	}
}

func TestWipe(t *testing.T) {
	r := newRoot(t)
	twin := r
	r.Wipe()
	r.Wipe()
	custody.Root{}.Wipe()
	if r.Usable() || twin.Usable() || (custody.Root{}).Usable() {
		t.Error("a wiped or zero root says it is usable")
	}
	for name, dead := range map[string]custody.Root{"wiped": r, "copy": twin, "zero": {}} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("a dead root derived a key")
				}
			}()
			dead.Derive(label)
		})
	}
}

func TestClone(t *testing.T) {
	r := newRoot(t)
	want := r.Derive(label)
	c, err := r.Clone()
	if err != nil {
		t.Fatal(err)
	}
	r.Wipe()
	if !c.Usable() || c.Derive(label) != want {
		t.Error("a clone died with its original")
	}
	if dead, err := r.Clone(); !errors.Is(err, custody.ErrRoot) || dead.Usable() {
		t.Errorf("cloning a wiped root: %v", err)
	}
}

func TestRootConcurrency(t *testing.T) {
	r := newRoot(t)
	want := r.Derive(label)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				if r.Derive(label) != want {
					t.Error("derivation differs between goroutines")
				}
			}
		})
	}
	wg.Wait()
	r.Wipe()
}

func TestRedaction(t *testing.T) {
	redacttest.Check(t, newRoot(t), rootBytes)
	secret := []byte("\x9a\xbcKEYSTORE")
	path := keystoreFile(t, newRoot(t), map[string][]byte{"one": secret})
	k, err := custody.OpenKeystore(path, newRoot(t))
	if err != nil {
		t.Fatal(err)
	}
	redacttest.Check(t, k, secret)
}
