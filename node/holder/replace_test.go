package holder_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/holder"
)

// replacing is a committee, the replacement of its key, and the committee after it.
func (w *world) replacing() (c, next holder.Committee, r holder.Replacement) {
	w.t.Helper()
	c = w.join()
	factor, err := pseudonym.NewFactor()
	w.must(err)
	r, err = c.Replace(factor, nodeKey)
	w.must(err)
	next, err = c.Times(factor)
	w.must(err)
	return c, next, r
}

// TestReplacementIsTheNodes: what the node did not sign, or not as it is now, is refused.
func TestReplacementIsTheNodes(t *testing.T) {
	w := newWorld(t, 2)
	_, _, r := w.replacing()
	other := holder.ClientKey([32]byte{2})
	factor, err := pseudonym.NewFactor()
	w.must(err)
	c, err := w.folders[0].Committee()
	w.must(err)
	theirs, err := c.Replace(factor, other)
	w.must(err)
	unsigned, edited, exchanged := r, r, r
	unsigned.Signature = nil
	edited.Before = theirs.After
	exchanged.Sealed = theirs.Sealed
	for name, r := range map[string]holder.Replacement{"unsigned": unsigned, "edited": edited, "exchanged": exchanged, "another's": theirs} {
		if got, err := holder.ParseReplacement(r.Encode(), nodes); !errors.Is(err, holder.ErrNode) || got.Sealed != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := holder.ParseReplacement(r.Encode(), nil); !errors.Is(err, holder.ErrNode) {
		t.Errorf("to a holder of no node: %v", err)
	}
	both := []ed25519.PublicKey{other.Public().(ed25519.PublicKey), nodes[0]}
	if _, err := holder.ParseReplacement(r.Encode(), both); err != nil {
		t.Errorf("to a holder of two nodes: %v", err)
	}
}

// TestBack: a holder steps back from a replacement and forward again, loses neither share
// by it, and can take another one once it has retired the first.
func TestBack(t *testing.T) {
	w := newWorld(t, 2)
	c, next, r := w.replacing()
	if _, err := w.open(0).Back(); !errors.Is(err, holder.ErrNothingOld) {
		t.Errorf("stepped back from nothing: %v", err)
	}
	is := func(when string, at holder.Committee, beside []byte) {
		t.Helper()
		f := w.open(0)
		got, err := f.Committee()
		w.must(err)
		held := holder.Held(t, f)
		want := [][]byte{at.Holders[0].Public}
		if beside != nil {
			want = append(want, beside)
		}
		if got.Fingerprint() != at.Fingerprint() || len(held) != len(want) || !bytes.Equal(bytes.Join(held, nil), bytes.Join(want, nil)) {
			t.Errorf("%s: another committee, or other shares: %d", when, len(held))
		}
	}
	for range 2 {
		_, err := w.open(0).Replace(r)
		w.must(err)
		is("forward", next, c.Holders[0].Public)
		got, err := w.open(0).Back()
		w.must(err)
		if got.Fingerprint() != c.Fingerprint() {
			t.Error("stepped back to another committee")
		}
		is("back", c, next.Holders[0].Public)
	}

	// After a crash between the file and the share, here or in Replace, it ends the same.
	_, err := w.open(0).Replace(r)
	w.must(err)
	w.must(os.WriteFile(filepath.Join(w.dir(0), holder.CommitteeFile), c.Encode(), 0o644))
	_, err = w.open(0).Back()
	w.must(err)
	is("after a crash", c, next.Holders[0].Public)

	factor, err := pseudonym.NewFactor()
	w.must(err)
	more, err := c.Replace(factor, nodeKey)
	w.must(err)
	if _, err := w.open(0).Replace(more); !errors.Is(err, holder.ErrOverlap) {
		t.Errorf("replaced with a share left over: %v", err)
	}
	w.must(w.open(0).Retire())
	is("retired", c, nil)
	if _, err := w.open(0).Back(); !errors.Is(err, holder.ErrNothingOld) {
		t.Errorf("stepped back from what was retired: %v", err)
	}
	third, err := w.open(0).Replace(more)
	w.must(err)
	is("another one", third, c.Holders[0].Public)
}
