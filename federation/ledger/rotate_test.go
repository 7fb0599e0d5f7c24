package ledger_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/federation/ledger/lognote"
)

// TestUseSigner: the keys of a log are replaced while it is in use; at every step the log
// opens again, receipts verify for who has the old keys and who has the new, and in the end
// the old keys are not needed.
func TestUseSigner(t *testing.T) {
	const origin = "rotate.example/ledger"
	signer := func(n byte) lognote.Signer {
		s, err := lognote.NewSigner(origin, []byte(strings.Repeat(string('a'+n), 32)), []byte(strings.Repeat(string('A'+n), 32)))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	with := func(a, b lognote.Signer) lognote.Signer {
		s, err := a.With(b)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	verifier := func(s lognote.Signer) lognote.Verifier {
		v, err := lognote.NewVerifier(origin, s.VerifierKeys())
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	dir := t.TempDir()
	outside := filepath.Join(t.TempDir(), "checkpoint")
	open := func(s lognote.Signer) *ledger.Log {
		l, err := ledger.Open(t.Context(), ledger.Config{Dir: filepath.Join(dir, "log"), Outside: outside, Signer: s, Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	one, two := signer(0), signer(1)
	steps := []struct {
		signer   lognote.Signer
		verifies []lognote.Signer
		not      []lognote.Signer
	}{
		{one, []lognote.Signer{one}, []lognote.Signer{two}},
		{with(one, two), []lognote.Signer{one, two}, nil},
		{with(two, one), []lognote.Signer{one, two}, nil},
		{two, []lognote.Signer{two}, []lognote.Signer{one}},
	}
	l := open(one)
	for i, step := range steps {
		if err := l.UseSigner(t.Context(), step.signer); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		if got := l.VerifierKeys(); got[0] != step.signer.VerifierKeys()[0] {
			t.Errorf("step %d publishes %s", i, got[0])
		}
		for _, v := range step.not {
			if ok, err := ledger.SignedBy(outside, verifier(v)); ok || err != nil {
				t.Errorf("step %d: verifies under a key that it should not: %v", i, err)
			}
		}
		r, err := l.Append(t.Context(), []byte{byte(i)})
		if err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		for _, v := range step.verifies {
			if err := verifier(v).Receipt(r); err != nil {
				t.Errorf("step %d: %v", i, err)
			}
		}
		// The log opens again under the keys of this step, even if it was stopped before a commit.
		if err := l.UseSigner(t.Context(), step.signer); err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		l = open(step.signer)
		if l.Size() != uint64(i+1) {
			t.Fatalf("step %d: %d entries", i, l.Size())
		}
	}
	// One that was stopped while its next keys were made and put into use opens with both.
	three := signer(2)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(with(three, two))
	if ok, err := ledger.SignedBy(outside, verifier(three)); !ok || err != nil {
		t.Errorf("not signed anew: %v", err)
	}
	other, err := lognote.NewSigner("other.example", []byte(strings.Repeat("x", 32)), []byte(strings.Repeat("y", 32)))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.UseSigner(t.Context(), other); !errors.Is(err, lognote.ErrOrigin) {
		t.Errorf("another log's keys: %v", err)
	}
	if _, err := one.With(other); err == nil {
		t.Error("another log's keys are taken beside")
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := ledger.Open(t.Context(), ledger.Config{Dir: filepath.Join(dir, "log"), Outside: outside, Signer: one, Now: time.Now}); err == nil {
		t.Error("the first keys still open the log")
	}
}
