package custody_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/redacttest"
)

var sharedKey = []byte("\x91\x82\x73a key that three people share")[:32]

func terms(fill byte) custody.Custodians {
	c := custody.Custodians{Threshold: 2, Shares: 3, Commitments: [][]byte{bytes.Repeat([]byte{fill}, 32), bytes.Repeat([]byte{fill + 1}, 32)}}
	c.Ceremony[0] = fill
	return c
}

func protect(t *testing.T, path string, r custody.Root, p custody.Protector) {
	t.Helper()
	if err := custody.Protect(path, r, p); err != nil {
		t.Fatal(err)
	}
}

// TestProtectors gives a root one protector after another. The root, and with
// it everything sealed under it, stays.
func TestProtectors(t *testing.T) {
	path, root := createRoot(t)
	store := filepath.Join(filepath.Dir(path), "keystore")
	if err := custody.CreateKeystore(store, root, map[string][]byte{"a": []byte("one")}); err != nil {
		t.Fatal(err)
	}
	opens := func(step string, open func() (custody.Root, error), want error) {
		t.Helper()
		r, err := open()
		if !errors.Is(err, want) || (want == nil) != r.Usable() {
			t.Errorf("%s: %v, want %v", step, err, want)
		}
		if err == nil {
			if _, err := custody.OpenKeystore(store, r); err != nil {
				t.Errorf("%s: the keystore does not open: %v", step, err)
			}
		}
	}
	by := func(p string) func() (custody.Root, error) {
		return func() (custody.Root, error) { return custody.Open(path, []byte(p)) }
	}
	shared := func() (custody.Root, error) { return custody.OpenShared(path, sharedKey) }

	opens("before", shared, custody.ErrNoProtector)
	if err := custody.Unprotect(path, root, custody.KindPassphrase); !errors.Is(err, custody.ErrLastProtector) {
		t.Errorf("removing the only protector: %v", err)
	}
	protect(t, path, root, custody.Passphrase([]byte("another"), custody.Params{Time: 2, MemoryKiB: 16, Threads: 1}))
	opens("old passphrase", by(string(passphrase)), custody.ErrPassphrase)
	opens("new passphrase", by("another"), nil)
	protect(t, path, root, custody.Shared(terms(1), sharedKey))
	opens("both: passphrase", by("another"), nil)
	opens("both: custodians", shared, nil)
	p, err := custody.Inspect(path)
	if err != nil || p.Passphrase == nil || p.Passphrase.Time != 2 || p.Custodians == nil || fmt.Sprint(*p.Custodians) != fmt.Sprint(terms(1)) {
		t.Errorf("inspected %+v, %v", p, err)
	}
	if err := custody.Unprotect(path, root, custody.KindPassphrase); err != nil {
		t.Fatal(err)
	}
	opens("custodians alone: passphrase", by("another"), custody.ErrNoProtector)
	opens("custodians alone", shared, nil)
	protect(t, path, root, custody.Shared(terms(7), bytes.Repeat([]byte{9}, 32)))
	opens("key of the ceremony before", shared, custody.ErrPassphrase)
	if err := custody.Unprotect(path, root, custody.KindPassphrase); !errors.Is(err, custody.ErrNoProtector) {
		t.Errorf("removing what is not there: %v", err)
	}
}

func TestProtectRefuses(t *testing.T) {
	path, root := createRoot(t)
	was, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	many, few := terms(1), terms(1)
	many.Shares, few.Threshold = custody.MaxShares+1, 1
	odd := terms(1)
	odd.Commitments = odd.Commitments[:1]
	for name, tt := range map[string]struct {
		root custody.Root
		p    custody.Protector
		want error
	}{
		"zero-protector":    {root, custody.Protector{}, custody.ErrParams},
		"other-root":        {newRoot(t), custody.Shared(terms(1), sharedKey), custody.ErrRoot},
		"zero-root":         {custody.Root{}, custody.Shared(terms(1), sharedKey), custody.ErrRoot},
		"empty-passphrase":  {root, custody.Passphrase(nil, custody.TestParams()), custody.ErrParams},
		"no-params":         {root, custody.Passphrase(passphrase, custody.Params{}), custody.ErrParams},
		"short-key":         {root, custody.Shared(terms(1), sharedKey[:31]), custody.ErrParams},
		"many-shares":       {root, custody.Shared(many, sharedKey), custody.ErrParams},
		"threshold-of-one":  {root, custody.Shared(few, sharedKey), custody.ErrParams},
		"commitments-short": {root, custody.Shared(odd, sharedKey), custody.ErrParams},
	} {
		t.Run(name, func(t *testing.T) {
			if err := custody.Protect(path, tt.root, tt.p); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, was) {
				t.Errorf("the root file changed (%v)", err)
			}
		})
	}
}

// TestSwappedLock puts a lock of another root's file into this one: whoever
// knows that root's passphrase must not choose this node's root.
func TestSwappedLock(t *testing.T) {
	path, root := createRoot(t)
	other, _ := createRoot(t)
	protect(t, path, root, custody.Shared(terms(1), sharedKey))
	ours, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := os.ReadFile(other)
	if err != nil {
		t.Fatal(err)
	}
	cut := func(b []byte) (from, to int) {
		from = bytes.Index(b, []byte(`"passphrase"`))
		return from, from + bytes.IndexByte(b[from:], '}')
	}
	of, ot := cut(ours)
	tf, tt := cut(theirs)
	mixed := append(append(bytes.Clone(ours[:of]), theirs[tf:tt]...), ours[ot:]...)
	if err := os.WriteFile(path, mixed, 0o600); err != nil {
		t.Fatal(err)
	}
	if r, err := custody.Open(path, passphrase); !errors.Is(err, custody.ErrPassphrase) || r.Usable() {
		t.Errorf("opened a lock of another file: %v", err)
	}
	if _, err := custody.OpenShared(path, sharedKey); err != nil {
		t.Errorf("the lock that stayed does not open: %v", err)
	}
}

// TestProtectFaults fails every step of a change of protectors: what opened the
// root before opens it, or what was to; never neither.
func TestProtectFaults(t *testing.T) {
	for _, step := range []string{"sync", "rename", "sync-dir"} {
		for _, after := range []bool{false, true} {
			if step == "rename" && after {
				continue // rename(2) does not fail after taking effect.
			}
			t.Run(fmt.Sprintf("%s-after-%v", step, after), func(t *testing.T) {
				path, root := createRoot(t)
				protect(t, path, root, custody.Shared(terms(1), sharedKey))
				d := &faultyDisk{fail: step, after: after}
				fresh := custody.Passphrase([]byte("another"), custody.TestParams())
				if err := custody.ProtectOn(d, path, root, fresh); !errors.Is(err, errDisk) {
					t.Errorf("got %v, want the disk fault", err)
				}
				_, old := custody.Open(path, passphrase)
				_, new := custody.Open(path, []byte("another"))
				if (old == nil) == (new == nil) || (old == nil) != (step != "sync-dir") {
					t.Errorf("old passphrase: %v; new passphrase: %v", old, new)
				}
				if err := custody.UnprotectOn(d, path, root, custody.KindPassphrase); !errors.Is(err, errDisk) {
					t.Errorf("got %v, want the disk fault", err)
				}
				if _, err := custody.OpenShared(path, sharedKey); err != nil {
					t.Errorf("the protector that was not touched: %v", err)
				}
				if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
					t.Errorf("%d files (%v), want the root alone", len(entries), err)
				}
			})
		}
	}
}

func TestProtectorRedaction(t *testing.T) {
	redacttest.Check(t, custody.Passphrase(passphrase, custody.TestParams()), passphrase)
	redacttest.Check(t, custody.Shared(terms(1), sharedKey), sharedKey)
}

// fakeToken seals with a key that only it has.
type fakeToken struct {
	key  []byte
	fail error
	cut  int
}

var _ custody.Wrapper = (*fakeToken)(nil)

func (f *fakeToken) aead() cipher.AEAD {
	block, err := aes.NewCipher(f.key)
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return aead
}

func (f *fakeToken) Seal(aad, plaintext []byte) ([]byte, error) {
	nonce := make([]byte, 12)
	sealed := f.aead().Seal(nonce, nonce, plaintext, aad)
	return sealed[:len(sealed)-f.cut], f.fail
}

func (f *fakeToken) Open(aad, sealed []byte) ([]byte, error) {
	return f.aead().Open(nil, sealed[:12], sealed[12:], aad)
}

func TestToken(t *testing.T) {
	path, root := createRoot(t)
	k := &fakeToken{key: bytes.Repeat([]byte{1}, 32)}
	if _, err := custody.OpenToken(path, k); !errors.Is(err, custody.ErrNoProtector) {
		t.Errorf("without a token: %v", err)
	}
	broken := errors.New("token removed")
	if err := custody.Protect(path, root, custody.Token(&fakeToken{key: k.key, fail: broken})); !errors.Is(err, broken) {
		t.Errorf("a token that fails: %v", err)
	}
	if err := custody.Protect(path, root, custody.Token(&fakeToken{key: k.key, cut: 1})); !errors.Is(err, custody.ErrFormat) {
		t.Errorf("a token that cuts: %v", err)
	}
	protect(t, path, root, custody.Token(k))
	if err := custody.Unprotect(path, root, custody.KindPassphrase); err != nil {
		t.Fatal(err)
	}
	r, err := custody.OpenToken(path, k)
	if err != nil || r.Derive(label) != root.Derive(label) {
		t.Errorf("opened: %v", err)
	}
	if _, err := custody.OpenToken(path, &fakeToken{key: bytes.Repeat([]byte{2}, 32)}); !errors.Is(err, custody.ErrPassphrase) {
		t.Errorf("another token: %v", err)
	}
	if p, err := custody.Inspect(path); err != nil || !p.Token || p.Passphrase != nil {
		t.Errorf("inspected %+v, %v", p, err)
	}
	if err := custody.Unprotect(path, root, custody.KindToken); !errors.Is(err, custody.ErrLastProtector) {
		t.Errorf("removing the last: %v", err)
	}
}
