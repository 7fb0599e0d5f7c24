package custody_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/crypto/argon2"

	"github.com/tamga-id/tamga/crypto/custody"
)

var passphrase = []byte("correct horse battery staple")

const label = "tamga/v1/test"

func createRoot(t testing.TB) (string, custody.Root) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "root.key")
	r, err := custody.Create(path, custody.Passphrase(passphrase, custody.TestParams()))
	if err != nil {
		t.Fatal(err)
	}
	return path, r
}

func TestCreateThenOpen(t *testing.T) {
	path, created := createRoot(t)
	opened, err := custody.Open(path, passphrase)
	if err != nil {
		t.Fatal(err)
	}
	if created.Derive(label) != opened.Derive(label) {
		t.Error("the opened root derives other keys than the created one")
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode() != 0o600 {
		t.Errorf("mode %v, want 0600", info.Mode())
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("%d files left in the directory (%v), want the root alone", len(entries), err)
	}
}

func TestDefaultParams(t *testing.T) {
	path := filepath.Join(t.TempDir(), "root.key")
	if _, err := custody.Create(path, custody.Passphrase(passphrase, custody.DefaultParams())); err != nil {
		t.Fatal(err)
	}
	if _, err := custody.Open(path, passphrase); err != nil {
		t.Fatal(err)
	}
	var file map[string]map[string]any
	data, err := os.ReadFile(path)
	if err != nil || readLocks(data, &file) != nil {
		t.Fatalf("reading back: %v", err)
	}
	f := file["passphrase"]
	if f["time"] != 3.0 || f["memory_kib"] != 65536.0 || f["kdf"] != "argon2id" {
		t.Errorf("stored time %v, memory %v, kdf %v", f["time"], f["memory_kib"], f["kdf"])
	}
}

// readLocks keeps of a root file the members that are objects.
func readLocks(data []byte, to *map[string]map[string]any) error {
	var all map[string]any
	if err := json.Unmarshal(data, &all); err != nil {
		return err
	}
	*to = make(map[string]map[string]any)
	for name, v := range all {
		if lock, ok := v.(map[string]any); ok {
			(*to)[name] = lock
		}
	}
	return nil
}

// TestArgon2id pins the library to RFC 9106 section 5.3 as far as its API
// reaches: the vector there has a secret and associated data, so this is the
// reference implementation's argon2id test without them (version 0x13,
// t=2, m=64 MiB, p=1, "password", "somesalt").
func TestArgon2id(t *testing.T) {
	got := argon2.IDKey([]byte("password"), []byte("somesalt"), 2, 65536, 1, 32)
	want := "\x09\x31\x61\x15\xd5\xcf\x24\xed\x5a\x15\xa3\x1a\x3b\xa3\x26\xe5\xcf\x32\xed\xc2\x47\x02\x98\x7c\x02\xb6\x56\x6f\x61\x91\x3c\xf7"
	if string(got) != want {
		t.Errorf("argon2id = %x, want %x", got, want)
	}
}

func TestOpenRefusesPassphrase(t *testing.T) {
	path, _ := createRoot(t)
	for _, p := range []string{"", "correct horse battery stapl", "correct horse battery staple ", "Correct horse battery staple"} {
		r, err := custody.Open(path, []byte(p))
		if !errors.Is(err, custody.ErrPassphrase) || r.Usable() {
			t.Errorf("opened with another passphrase: %v, want ErrPassphrase", err)
		}
	}
}

func TestCreateRefusesParams(t *testing.T) {
	tests := map[string]struct {
		passphrase []byte
		p          custody.Params
	}{
		"zero":             {passphrase, custody.Params{}},
		"no-time":          {passphrase, custody.Params{Time: 0, MemoryKiB: 8, Threads: 1}},
		"much-time":        {passphrase, custody.Params{Time: 17, MemoryKiB: 8, Threads: 1}},
		"no-threads":       {passphrase, custody.Params{Time: 1, MemoryKiB: 8, Threads: 0}},
		"many-threads":     {passphrase, custody.Params{Time: 1, MemoryKiB: 1024, Threads: 17}},
		"little-memory":    {passphrase, custody.Params{Time: 1, MemoryKiB: 15, Threads: 2}},
		"much-memory":      {passphrase, custody.Params{Time: 1, MemoryKiB: 256<<10 + 1, Threads: 1}},
		"empty-passphrase": {nil, custody.TestParams()},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "root.key")
			r, err := custody.Create(path, custody.Passphrase(tt.passphrase, tt.p))
			if !errors.Is(err, custody.ErrParams) || r.Usable() {
				t.Errorf("created: %v, want ErrParams", err)
			}
			if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a file was left behind (%v)", err)
			}
		})
	}
}

func TestNeverOverwrites(t *testing.T) {
	path, root := createRoot(t)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := custody.Create(path, custody.Passphrase(passphrase, custody.TestParams())); !errors.Is(err, fs.ErrExist) {
		t.Errorf("creating over a root: %v, want fs.ErrExist", err)
	}
	if err := custody.CreateKeystore(path, root, map[string][]byte{"a": nil}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("creating a keystore over a root: %v, want fs.ErrExist", err)
	}
	after, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the root file changed (%v)", err)
	}
	dangling := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink("nowhere", dangling); err == nil {
		if _, err := custody.Create(dangling, custody.Passphrase(passphrase, custody.TestParams())); !errors.Is(err, fs.ErrExist) {
			t.Errorf("creating through a dangling link: %v, want fs.ErrExist", err)
		}
	}
}

// TestOpenRefusesFile checks that a hostile root file is refused, before any
// Argon2id work where it is malformed.
func TestOpenRefusesFile(t *testing.T) {
	path, _ := createRoot(t)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	good := string(data)
	swap := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("nothing to replace for %q", old)
		}
		return strings.Replace(good, old, new, 1)
	}
	tests := map[string]struct {
		in   string
		want error
	}{
		"empty":           {"", custody.ErrFormat},
		"null":            {"null\n", custody.ErrFormat},
		"array":           {"[" + good + "]", custody.ErrFormat},
		"trailing":        {good + "{}", custody.ErrFormat},
		"extra-newline":   {good + "\n", custody.ErrFormat},
		"no-newline":      {strings.TrimSuffix(good, "\n"), custody.ErrFormat},
		"unknown-member":  {swap("{", "{\n  \"note\": \"\","), custody.ErrFormat},
		"duplicate":       {swap("{", "{\n  \"format\": \"tamga-root-2\","), custody.ErrFormat},
		"case":            {swap(`"time"`, `"Time"`), custody.ErrFormat},
		"other-format":    {swap("tamga-root-2", "tamga-root-3"), custody.ErrFormat},
		"other-kdf":       {swap("argon2id", "argon2i"), custody.ErrFormat},
		"negative":        {swap(`"time": 1`, `"time": -1`), custody.ErrFormat},
		"huge-memory":     {swap(`"memory_kib": 8`, `"memory_kib": 4294967295`), custody.ErrFormat},
		"memory-overflow": {swap(`"memory_kib": 8`, `"memory_kib": 4294967304`), custody.ErrFormat},
		"huge-time":       {swap(`"time": 1`, `"time": 4294967295`), custody.ErrFormat},
		"threads-wrap":    {swap(`"threads": 1`, `"threads": 257`), custody.ErrFormat},
		"empty-salt":      {swap(`"salt": "`, `"salt": "", "x": "`), custody.ErrFormat},
		"long":            {good + strings.Repeat(" ", 9000), custody.ErrFormat},
		"other-time":      {swap(`"time": 1`, `"time": 2`), custody.ErrPassphrase},
		"other-memory":    {swap(`"memory_kib": 8`, `"memory_kib": 9`), custody.ErrPassphrase},
		"other-id":        {flipBase64(good, `"id": "`), custody.ErrPassphrase},
		"short-id":        {swap(`"id": "`, `"id": "AAAA`), custody.ErrFormat},
		"no-protector":    {good[:strings.Index(good, `"passphrase"`)-4] + "\n}\n", custody.ErrFormat},
		"null-protector":  {swap(`"passphrase": {`, `"custodians": null,`+"\n"+`  "passphrase": {`), custody.ErrFormat},
		"other-salt":      {flipBase64(good, `"salt": "`), custody.ErrPassphrase},
		"other-sealed":    {flipBase64(good, `"sealed": "`), custody.ErrPassphrase},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "root.key")
			if err := os.WriteFile(path, []byte(tt.in), 0o600); err != nil {
				t.Fatal(err)
			}
			r, err := custody.Open(path, passphrase)
			if !errors.Is(err, tt.want) || r.Usable() {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

// flipBase64 changes the first base64 character after marker.
func flipBase64(s, marker string) string {
	i := strings.Index(s, marker) + len(marker)
	c := byte('A')
	if s[i] == 'A' {
		c = 'B'
	}
	return s[:i] + string(c) + s[i+1:]
}

// TestHostileFileMemory measures that refusing absurd parameters allocates
// next to nothing.
func TestHostileFileMemory(t *testing.T) {
	path, _ := createRoot(t)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data = bytes.Replace(data, []byte(`"memory_kib": 8`), []byte(`"memory_kib": 4000000`), 1)
	hostile := filepath.Join(t.TempDir(), "root.key")
	if err := os.WriteFile(hostile, data, 0o600); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err = custody.Open(hostile, passphrase)
	runtime.ReadMemStats(&after)
	if !errors.Is(err, custody.ErrFormat) {
		t.Errorf("got %v, want ErrFormat", err)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
		t.Errorf("refusing a hostile file allocated %d bytes, want under 1 MiB", n)
	}
}

func TestOpenRefusesOddFiles(t *testing.T) {
	dir := t.TempDir()
	if _, err := custody.Open(dir, passphrase); !errors.Is(err, custody.ErrFormat) {
		t.Errorf("opening a directory: %v, want ErrFormat", err)
	}
	if _, err := custody.Open(filepath.Join(dir, "absent"), passphrase); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("opening an absent file: %v, want fs.ErrNotExist", err)
	}
}

func FuzzDecode(f *testing.F) {
	path, root := createRoot(f)
	store := filepath.Join(f.TempDir(), "keystore")
	if err := custody.CreateKeystore(store, root, map[string][]byte{"a": {1}, "b": nil}); err != nil {
		f.Fatal(err)
	}
	for _, p := range []string{path, store} {
		data, err := os.ReadFile(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("{}"))
	f.Add([]byte(`{"format":"tamga-root-2","FORMAT":"x"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		root, store := custody.DecodeAny(data)
		if root != nil && !bytes.Equal(root, data) {
			t.Error("an accepted root file encodes to other bytes")
		}
		if store != nil && !bytes.Equal(store, data) {
			t.Error("an accepted keystore encodes to other bytes")
		}
		if root != nil && store != nil {
			t.Error("one file is both a root and a keystore")
		}
	})
}

func BenchmarkOpenDefault(b *testing.B) {
	path := filepath.Join(b.TempDir(), "root.key")
	if _, err := custody.Create(path, custody.Passphrase(passphrase, custody.DefaultParams())); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := custody.Open(path, passphrase); err != nil {
			b.Fatal(err)
		}
	}
}
