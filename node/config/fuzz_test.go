package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/tamga-id/tamga/node/config"
)

// FuzzParse: every error has a place and a printable line; whatever is accepted is written back and read equal.
func FuzzParse(f *testing.F) {
	seeds, err := filepath.Glob(filepath.Join("testdata", "*.yaml"))
	if err != nil || len(seeds) < 3 {
		f.Fatalf("%d seeds, %v", len(seeds), err)
	}
	for _, seed := range seeds {
		src, err := os.ReadFile(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src)
	}
	for _, src := range []string{"", minimal, "a: [\n", "? {a: b}\n: c\n", "%YAML 1.1\n---\na: b\n", "a: *b", "a: &a [*a]", "<<: [{a: b}]\n", "\"\\x00\": \"\\uD800\"\n", "name: |\n  a\n  b\n"} {
		f.Add([]byte(src))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		c, err := config.Parse("/f/t.yaml", src)
		if err != nil {
			var wrong *config.Errors
			if !errors.As(err, &wrong) || len(wrong.Problems) == 0 {
				t.Fatalf("error is %T", err)
			}
			if diff := cmp.Diff(config.Config{}, c); diff != "" {
				t.Fatalf("configuration is not zero: %s", diff)
			}
			for _, p := range wrong.Problems {
				if p.Line < 1 || p.Col < 1 || p.Message == "" || p.File != "/f/t.yaml" {
					t.Fatalf("problem without a place: %+v", p)
				}
			}
			if !utf8.ValidString(err.Error()) {
				t.Fatalf("report is not UTF-8: %q", err.Error())
			}
			return
		}
		text, err := c.Marshal()
		if err != nil {
			t.Fatalf("accepted but not written: %v", err)
		}
		back, err := config.Parse("/f/t.yaml", text)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c, back); diff != "" {
			t.Fatalf("round trip differs: %s", diff)
		}
	})
}
