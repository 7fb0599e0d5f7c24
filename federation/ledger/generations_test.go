package ledger_test

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tamga-id/tamga/federation/ledger"
)

// generation is a signer of one pair of keys.
func generation(t *testing.T, origin string, n byte) ledger.Signer {
	t.Helper()
	s, err := ledger.NewSigner(origin, bytes.Repeat([]byte{n}, 32), bytes.Repeat([]byte{100 + n}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestGenerations: a log is signed with as many generations of keys as there may be, even
// under the longest name; one more is refused, and the log goes on as it was.
func TestGenerations(t *testing.T) {
	origin := strings.Repeat("n", 255)
	var all []ledger.Signer
	for n := range ledger.MaxGenerations + 1 {
		all = append(all, generation(t, origin, byte(n)))
	}
	with := func(n int) ledger.Signer {
		s, err := all[0].With(all[1:n]...)
		if err != nil {
			t.Fatalf("%d generations: %v", n, err)
		}
		return s
	}
	cfg := ledger.Config{Dir: filepath.Join(t.TempDir(), "log"), Outside: filepath.Join(t.TempDir(), "checkpoint"), Signer: all[0], Now: time.Now}
	l, err := ledger.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= ledger.MaxGenerations; n++ {
		if err := l.UseSigner(t.Context(), with(n)); err != nil {
			t.Fatalf("%d generations: %v", n, err)
		}
		if _, err := l.Append(t.Context(), []byte{byte(n)}); err != nil {
			t.Fatalf("%d generations: %v", n, err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := all[0].With(all[1:]...); !errors.Is(err, ledger.ErrGenerations) {
		t.Errorf("too many: %v", err)
	}
	cfg.Signer = with(ledger.MaxGenerations)
	if l, err = ledger.Open(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	for _, s := range all[:ledger.MaxGenerations] {
		v, err := ledger.NewVerifier(origin, s.VerifierKeys())
		if err == nil {
			_, err = v.Checkpoint(l.Checkpoint())
		}
		if err != nil {
			t.Error(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	cfg.Signer = all[2] // alone: of a log that those before signed too
	if l, err = ledger.Open(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestStrangers: a checkpoint padded with signatures of keys that nobody knows is refused,
// by their number and by its length; those of a few witnesses are not.
func TestStrangers(t *testing.T) {
	const origin = "log.example/ledger"
	s := generation(t, origin, 1)
	v, err := ledger.NewVerifier(origin, s.VerifierKeys())
	if err != nil {
		t.Fatal(err)
	}
	log, err := ledger.Open(t.Context(), ledger.Config{Dir: filepath.Join(t.TempDir(), "log"), Signer: s, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	for _, c := range []struct {
		lines, length int
		want          error
	}{{12, 100, nil}, {21, 100, ledger.ErrMalformed}, {9, 4000, ledger.ErrMalformed}} {
		note := string(log.Checkpoint())
		for i := range c.lines {
			note += fmt.Sprintf("\u2014 witness%d.example %s\n", i, strings.Repeat("AAAA", c.length/4))
		}
		if _, err := v.Checkpoint([]byte(note)); !errors.Is(err, c.want) {
			t.Errorf("%d lines of %d bytes: %v", c.lines, c.length, err)
		}
	}
}
