package custody_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/crypto/custody"
)

func keystoreFile(t testing.TB, r custody.Root, secrets map[string][]byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keystore")
	if err := custody.CreateKeystore(path, r, secrets); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestKeystore(t *testing.T) {
	secrets := map[string][]byte{
		"signing/ed25519":  bytes.Repeat([]byte{7}, 32),
		"empty":            {},
		"ledger.ml-dsa_44": bytes.Repeat([]byte{9}, custody.MaxSecretSize),
	}
	path := keystoreFile(t, newRoot(t), secrets)
	k, err := custody.OpenKeystore(path, newRoot(t))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := k.Names(), []string{"empty", "ledger.ml-dsa_44", "signing/ed25519"}; !slices.Equal(got, want) {
		t.Errorf("names %q, want %q", got, want)
	}
	for name, want := range secrets {
		got, err := k.Secret(name)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("secret %q: %d bytes, %v; want %d", name, len(got), err, len(want))
		}
		clear(got)
		if again, _ := k.Secret(name); !bytes.Equal(again, want) {
			t.Errorf("secret %q shares memory with what it gave out", name)
		}
	}
	if _, err := k.Secret("absent"); !errors.Is(err, custody.ErrNoSecret) {
		t.Errorf("absent secret: %v, want ErrNoSecret", err)
	}
	if _, err := (custody.Keystore{}).Secret(strings.Repeat("n", 9999)); !errors.Is(err, custody.ErrNoSecret) || len(err.Error()) > 200 {
		t.Errorf("zero keystore: %d characters of error, want ErrNoSecret in under 200", len(err.Error()))
	}
}

func TestCreateKeystoreRefuses(t *testing.T) {
	many := make(map[string][]byte)
	for i := range custody.MaxSecrets + 1 {
		many[fmt.Sprint(i)] = nil
	}
	wiped := newRoot(t)
	wiped.Wipe()
	tests := map[string]struct {
		root    custody.Root
		secrets map[string][]byte
		want    error
	}{
		"none":       {newRoot(t), nil, custody.ErrFormat},
		"many":       {newRoot(t), many, custody.ErrFormat},
		"long":       {newRoot(t), map[string][]byte{"a": make([]byte, custody.MaxSecretSize+1)}, custody.ErrFormat},
		"empty-name": {newRoot(t), map[string][]byte{"": nil}, custody.ErrFormat},
		"long-name":  {newRoot(t), map[string][]byte{strings.Repeat("a", 65): nil}, custody.ErrFormat},
		"upper-name": {newRoot(t), map[string][]byte{"A": nil}, custody.ErrFormat},
		"html-name":  {newRoot(t), map[string][]byte{"<a>": nil}, custody.ErrFormat},
		"zero-root":  {custody.Root{}, map[string][]byte{"a": nil}, custody.ErrRoot},
		"wiped-root": {wiped, map[string][]byte{"a": nil}, custody.ErrRoot},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "keystore")
			if err := custody.CreateKeystore(path, tt.root, tt.secrets); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if _, err := os.Lstat(path); err == nil {
				t.Error("a file was left behind")
			}
		})
	}
}

func TestOpenKeystoreRefuses(t *testing.T) {
	root := newRoot(t)
	read := func(secrets map[string][]byte) string {
		data, err := os.ReadFile(keystoreFile(t, root, secrets))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	good := read(map[string][]byte{"a": []byte("one"), "b": []byte("two")})
	other := read(map[string][]byte{"a": []byte("old"), "b": []byte("two")})
	entry := func(s, name string) string {
		start := strings.Index(s, "    {\n      \"name\": \""+name+"\"")
		end := strings.Index(s[start:], "}") + start + 1
		return s[start:end]
	}
	swap := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("nothing to replace for %q", old)
		}
		return strings.Replace(good, old, new, 1)
	}
	unsealed := func(s, name string) string { // The entry of name under the other's name.
		return strings.Replace(entry(s, name), `"`+name+`"`, `"x"`, 1)
	}
	wrong, err := custody.NewRoot(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		in   string
		root custody.Root
		want error
	}{
		"other-root":  {good, wrong, custody.ErrRoot},
		"zero-root":   {good, custody.Root{}, custody.ErrRoot},
		"swapped":     {strings.NewReplacer(`"name": "a"`, `"name": "b"`, `"name": "b"`, `"name": "a"`).Replace(good), root, custody.ErrFormat},
		"renamed":     {swap(entry(good, "b"), unsealed(good, "b")), root, custody.ErrRoot},
		"dropped":     {swap(",\n"+entry(good, "b"), ""), root, custody.ErrRoot},
		"transplant":  {swap(entry(good, "a"), entry(other, "a")), root, custody.ErrRoot},
		"flipped":     {flipBase64(good, `"sealed": "`), root, custody.ErrRoot},
		"salt":        {flipBase64(good, `"salt": "`), root, custody.ErrRoot},
		"format":      {swap("tamga-keystore-2", "tamga-keystore-3"), root, custody.ErrFormat},
		"generation":  {swap(`"generation": 1`, `"generation": 2`), root, custody.ErrRoot},
		"no-secrets":  {swap("[\n"+entry(good, "a")+",\n"+entry(good, "b")+"\n  ]", "[]"), root, custody.ErrFormat},
		"null":        {swap("[\n"+entry(good, "a")+",\n"+entry(good, "b")+"\n  ]", "null"), root, custody.ErrFormat},
		"duplicate":   {swap(entry(good, "b"), entry(good, "a")), root, custody.ErrFormat},
		"bad-name":    {swap(`"name": "a"`, `"name": "A"`), root, custody.ErrFormat},
		"short":       {swap(entry(good, "a"), "    {\n      \"name\": \"a\",\n      \"sealed\": \"AAAA\"\n    }"), root, custody.ErrFormat},
		"not-json":    {"tamga", root, custody.ErrFormat},
		"trailing":    {good + " ", root, custody.ErrFormat},
		"case-folded": {swap(`"format"`, `"Format"`), root, custody.ErrFormat},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "keystore")
			if err := os.WriteFile(path, []byte(tt.in), 0o600); err != nil {
				t.Fatal(err)
			}
			k, err := custody.OpenKeystore(path, tt.root)
			if !errors.Is(err, tt.want) || k.Names() != nil {
				t.Errorf("opened %q, %v; want %v", k.Names(), err, tt.want)
			}
		})
	}
}

func TestUpdateKeystore(t *testing.T) {
	path := keystoreFile(t, newRoot(t), map[string][]byte{"gone": []byte("g"), "kept": []byte("k")})
	before, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer before.Close()
	was, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	refused := errors.New("refused")
	if err := custody.UpdateKeystore(path, newRoot(t), func(s map[string][]byte) error { delete(s, "gone"); return refused }); err != refused {
		t.Errorf("got %v, want the change's own error", err)
	}
	if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, was) {
		t.Errorf("a refused change changed the file (%v)", err)
	}
	added := []byte("a")
	err = custody.UpdateKeystore(path, newRoot(t), func(s map[string][]byte) error {
		delete(s, "gone")
		s["added"] = added
		return nil
	})
	if err != nil || string(added) != "a" {
		t.Fatalf("updating: %v, caller's secret %q", err, added)
	}
	k, err := custody.OpenKeystore(path, newRoot(t))
	if err != nil || !slices.Equal(k.Names(), []string{"added", "kept"}) {
		t.Fatalf("opened %q, %v", k.Names(), err)
	}
	for name, want := range map[string]string{"added": "a", "kept": "k"} {
		if got, err := k.Secret(name); err != nil || string(got) != want {
			t.Errorf("secret %q is %q, %v", name, got, err)
		}
	}
	// What the old file held is not in its blocks any more.
	old := make([]byte, len(was))
	if _, err := before.ReadAt(old, 0); err != nil || bytes.Contains(old, was[:32]) || bytes.Equal(old, was) {
		t.Errorf("the replaced file still reads as it was (%v)", err)
	}
	wrong, err := custody.NewRoot(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		t.Fatal(err)
	}
	never := func(map[string][]byte) error { t.Error("called"); return nil }
	if err := custody.UpdateKeystore(path, wrong, never); !errors.Is(err, custody.ErrRoot) {
		t.Errorf("updating under another root: %v, want ErrRoot", err)
	}
	all := func(s map[string][]byte) error { clear(s); return nil }
	if err := custody.UpdateKeystore(path, newRoot(t), all); !errors.Is(err, custody.ErrFormat) {
		t.Errorf("deleting every secret: %v, want ErrFormat", err)
	}
}
