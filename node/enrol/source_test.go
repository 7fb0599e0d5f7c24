package enrol_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/node/enrol"
)

// places lists what a source yields: each place with whether it parses, and the
// error at the end.
func places(src enrol.Source) (out []string, end error) {
	for item, err := range src.Items() {
		if err != nil {
			return out, err
		}
		word := "good"
		if _, err := item.Parse(); err != nil {
			word = "bad"
		}
		out = append(out, item.Place+" "+word)
	}
	return out, nil
}

func TestManifestLines(t *testing.T) {
	a, b := strings.TrimSpace(manyLines(0, 1)), strings.TrimSpace(manyLines(1, 2))
	// full pads a record to the greatest length.
	full := a[:len(a)-1] + strings.Repeat(" ", jose.MaxTokenSize-len(a)) + "}"
	spaces := strings.Repeat(" ", 300<<10)
	tests := map[string]struct {
		text string
		want []string
	}{
		"empty":             {"", nil},
		"blank":             {"\n \n\t\r\n\n", nil},
		"final-newline":     {a + "\n" + b + "\n", []string{"line 1 good", "line 2 good"}},
		"no-final-newline":  {a + "\n" + b, []string{"line 1 good", "line 2 good"}},
		"crlf":              {a + "\r\n\r\n" + b + "\r\n", []string{"line 1 good", "line 3 good"}},
		"blank-between":     {"\n\n" + a + "\n  \n" + b + "\n\n", []string{"line 3 good", "line 5 good"}},
		"indented":          {"  " + a + "\t\n", []string{"line 1 good"}},
		"two-on-a-line":     {a + b + "\n" + a, []string{"line 1 bad", "line 2 good"}},
		"two-with-space":    {a + " " + b + "\n" + a, []string{"line 1 bad", "line 2 good"}},
		"object-over-lines": {a[:20] + "\n" + a[20:] + "\n" + b, []string{"line 1 bad", "line 2 bad", "line 3 good"}},
		"byte-order-mark":   {"\ufeff" + a + "\n" + b, []string{"line 1 bad", "line 2 good"}},
		"no-break-space":    {"\u00a0\n" + a, []string{"line 1 bad", "line 2 good"}},
		"form-feed":         {"\f\n" + a, []string{"line 1 bad", "line 2 good"}},
		"nul":               {"\x00\n" + a, []string{"line 1 bad", "line 2 good"}},
		"array":             {"[" + a + "]\n", []string{"line 1 bad"}},
		"full":              {full + "\n" + b, []string{"line 1 good", "line 2 good"}},
		"full-crlf":         {full + "\r\n" + b, []string{"line 1 good", "line 2 good"}},
		"full-last":         {full, []string{"line 1 good"}},
		"one-too-long":      {full[:len(full)-1] + " }\n" + b, []string{"line 1 bad", "line 2 good"}},
		"long":              {strings.Repeat("x", 1<<20) + "\n" + b, []string{"line 1 bad", "line 2 good"}},
		"long-last":         {strings.Repeat("x", 1<<20), []string{"line 1 bad"}},
		"hidden-by-spaces":  {spaces + a + "\n" + b, []string{"line 1 bad", "line 2 good"}},
		"tail-after-spaces": {a + spaces + "x\n" + b, []string{"line 1 bad", "line 2 good"}},
		"only-spaces":       {spaces + "\n" + b, []string{"line 1 bad", "line 2 good"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			src := manifest(t, write(t, "people.ndjson", tt.text))
			if src.Total != len(tt.want) || !src.Rewind {
				t.Errorf("total %d, rewind %v; want %d, true", src.Total, src.Rewind, len(tt.want))
			}
			for range 2 { // it rewinds
				expectPlaces(t, src, tt.want)
			}
			for how, r := range map[string]io.Reader{
				"reader": strings.NewReader(tt.text), "bytes": iotest.OneByteReader(strings.NewReader(tt.text)),
				"data-err": iotest.DataErrReader(strings.NewReader(tt.text)),
			} {
				src, err := enrol.Manifest("", r, "KAZ")
				if err != nil || src.Rewind || src.Total != 0 {
					t.Fatalf("%s: rewind %v, total %d, %v", how, src.Rewind, src.Total, err)
				}
				expectPlaces(t, src, tt.want)
			}
		})
	}
}

func expectPlaces(t *testing.T, src enrol.Source, want []string) {
	t.Helper()
	got, err := places(src)
	if err != nil || strings.Join(got, ", ") != strings.Join(want, ", ") {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}

// TestManifestLongRule: a line over the limit says so, whatever it begins with.
func TestManifestLongRule(t *testing.T) {
	src := manifest(t, write(t, "people.ndjson", strings.TrimSpace(manyLines(0, 1))+strings.Repeat(" ", 300<<10)+"x"))
	for item := range src.Items() {
		_, err := item.Parse()
		expectRule(t, err, "line", "is longer than 196,608 bytes")
		if len(item.Trace) > jose.MaxTokenSize+2 {
			t.Errorf("%d bytes of it are kept", len(item.Trace))
		}
	}
}

// TestManifestBroken breaks off in the middle of a line that is a record by itself.
func TestManifestBroken(t *testing.T) {
	broken := errors.New("cable pulled")
	text := manyLines(0, 1) + strings.TrimSpace(manyLines(1, 2))
	src, err := enrol.Manifest("", io.MultiReader(strings.NewReader(text), iotest.ErrReader(broken)), "KAZ")
	if err != nil {
		t.Fatal(err)
	}
	got, err := places(src)
	if !errors.Is(err, broken) || len(got) != 1 {
		t.Errorf("got %q, %v; want one record and the reader's error", got, err)
	}
	if err != nil && !strings.Contains(err.Error(), "line 2") {
		t.Errorf("%v does not say where", err)
	}
}

func TestManifestPaths(t *testing.T) {
	if _, err := enrol.Manifest(filepath.Join(t.TempDir(), "absent"), nil, "KAZ"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
	if _, err := enrol.Manifest(t.TempDir(), nil, "KAZ"); err == nil || !strings.Contains(err.Error(), "it is a folder") {
		t.Errorf("a folder: %v", err)
	}
	path := write(t, "people.ndjson", manyLines(0, 2))
	src := manifest(t, path)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if got, err := places(src); !errors.Is(err, os.ErrNotExist) || got != nil {
		t.Errorf("removed meanwhile: %q, %v", got, err)
	}
}

// TestManifestPipe reads a pipe, which can be read once.
func TestManifestPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := makePipe(path); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.IsDir() {
		t.Skip("no named pipes here")
	}
	src, err := enrol.Manifest(path, nil, "KAZ")
	if err != nil || src.Rewind || src.Total != 0 {
		t.Fatalf("rewind %v, total %d, %v", src.Rewind, src.Total, err)
	}
	wrote := make(chan error, 1) // room for the one result
	go func() { wrote <- os.WriteFile(path, []byte(manyLines(0, 3)), 0o600) }()
	expectPlaces(t, src, []string{"line 1 good", "line 2 good", "line 3 good"})
	if err := <-wrote; err != nil {
		t.Error(err)
	}
}

// TestManifestFiles reads the files that a manifest names from its own folder.
func TestManifestFiles(t *testing.T) {
	dir := t.TempDir()
	for _, sub := range []string{"imports", "imports/faces"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	face := people.Person(0).FaceReference()
	for _, name := range []string{"imports/faces/1.emb", "outside.emb"} {
		if err := os.WriteFile(filepath.Join(dir, name), face, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../outside.emb", filepath.Join(dir, "imports", "link.emb")); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, file := range []string{"faces/1.emb", "../outside.emb", "link.emb", filepath.Join(dir, "outside.emb"), "faces"} {
		m := personMembers(t, 0)
		m.biometrics = `"biometrics":[` + biometric("face", exchange.FormatEmbedding, "file", file) + "]"
		text.WriteString(m.line() + "\n")
	}
	path := filepath.Join(dir, "imports", "people.ndjson")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	expectPlaces(t, manifest(t, path), []string{"line 1 good", "line 2 bad", "line 3 bad", "line 4 bad", "line 5 bad"})
}

// FuzzManifest: lines are never lost, joined or read without bound.
func FuzzManifest(f *testing.F) {
	f.Add([]byte(manyLines(0, 2)), 0)
	f.Add([]byte("a\r\n\n  b"), 0)
	f.Add([]byte("\n\r\n"), 3)
	f.Add([]byte("x\n"), jose.MaxTokenSize)
	f.Fuzz(func(t *testing.T, text []byte, pad int) {
		if pad < 0 || pad > 300<<10 {
			pad = 0
		}
		all := strings.Repeat(" ", pad) + string(text)
		var want []string
		for n, l := range strings.Split(all, "\n") {
			if strings.Trim(l, " \t\r") != "" || len(l) > jose.MaxTokenSize+2 {
				want = append(want, fmt.Sprintf("line %d", n+1))
			}
		}
		src, err := enrol.Manifest("", strings.NewReader(all), "KAZ")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for item, err := range src.Items() {
			if err != nil {
				t.Fatal(err)
			}
			if len(item.Trace) > jose.MaxTokenSize+2 {
				t.Fatalf("%s: %d bytes", item.Place, len(item.Trace))
			}
			got = append(got, item.Place)
		}
		if strings.Join(got, ",") != strings.Join(want, ",") {
			t.Fatalf("got %q, want %q", got, want)
		}
	})
}
