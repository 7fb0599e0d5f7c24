package exchange_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/finger"
)

// sharedFiles lists test data that does not ship with the project.
func sharedFiles(t *testing.T, path ...string) []string {
	t.Helper()
	root := os.Getenv("TAMGA_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared")
	}
	dir := filepath.Join(append([]string{root}, path...)...)
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("shared test data is absent: %v", err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.iso"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no records in %s: %v", dir, err)
	}
	return files
}

// TestExtractorRecords decodes what two extractors wrote. Every record is canonical: it encodes to
// the same octets both as a record and as samples.
func TestExtractorRecords(t *testing.T) {
	for _, set := range []string{"iso_secugen", "iso_fjfx"} {
		t.Run(set, func(t *testing.T) {
			files := sharedFiles(t, "data", "fingerprint", set)
			if len(files) != 320 {
				t.Errorf("got %d records, want 320", len(files))
			}
			for _, name := range files {
				b, err := os.ReadFile(name)
				if err != nil {
					t.Fatal(err)
				}
				r, err := exchange.ParseFinger(b)
				if err != nil {
					t.Errorf("%s: %v", filepath.Base(name), err)
					continue
				}
				again, err := r.Encode()
				if err != nil || !bytes.Equal(again, b) {
					t.Errorf("%s: record encodes differently: %v", filepath.Base(name), err)
				}
				samples, err := exchange.DecodeFinger(b)
				if err != nil || len(samples) != 1 {
					t.Fatalf("%s: got %d samples, %v", filepath.Base(name), len(samples), err)
				}
				again, err = exchange.EncodeFinger(samples)
				if err != nil || !bytes.Equal(again, b) {
					t.Errorf("%s: samples encode differently: %v", filepath.Base(name), err)
				}
				if _, err := finger.Prepare(samples[0]); err != nil {
					t.Errorf("%s: %v", filepath.Base(name), err)
				}
			}
		})
	}
}
