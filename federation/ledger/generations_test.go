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
	"github.com/tamga-id/tamga/federation/ledger/lognote"
)

// generation is a signer of one pair of keys.
func generation(t *testing.T, origin string, n byte) lognote.Signer {
	t.Helper()
	s, err := lognote.NewSigner(origin, bytes.Repeat([]byte{n}, 32), bytes.Repeat([]byte{100 + n}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestGenerations: a log is signed with as many generations of keys as there may be, even
// under the longest name; one more is refused, and the log goes on as it was.
func TestGenerations(t *testing.T) {
	origin := strings.Repeat("n", 255)
	var all []lognote.Signer
	for n := range lognote.MaxGenerations + 1 {
		all = append(all, generation(t, origin, byte(n)))
	}
	with := func(n int) lognote.Signer {
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
	for n := 1; n <= lognote.MaxGenerations; n++ {
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
	if _, err := all[0].With(all[1:]...); !errors.Is(err, lognote.ErrGenerations) {
		t.Errorf("too many: %v", err)
	}
	cfg.Signer = with(lognote.MaxGenerations)
	if l, err = ledger.Open(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	for _, s := range all[:lognote.MaxGenerations] {
		v, err := lognote.NewVerifier(origin, s.VerifierKeys())
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
	v, err := lognote.NewVerifier(origin, s.VerifierKeys())
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
	}{{12, 100, nil}, {21, 100, lognote.ErrMalformed}, {9, 4000, lognote.ErrMalformed}} {
		note := string(log.Checkpoint())
		for i := range c.lines {
			note += fmt.Sprintf("\u2014 witness%d.example %s\n", i, strings.Repeat("AAAA", c.length/4))
		}
		if _, err := v.Checkpoint([]byte(note)); !errors.Is(err, c.want) {
			t.Errorf("%d lines of %d bytes: %v", c.lines, c.length, err)
		}
	}
}
