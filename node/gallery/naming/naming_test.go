package naming_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/gallery/naming"
	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/gallery/tally"
)

// ring has the generations given, the last one current. The key of one depends on seed, too.
func ring(t *testing.T, seed byte, generations ...uint32) *pseudonym.Ring {
	t.Helper()
	keys := make(map[uint32]pseudonym.Key)
	for _, g := range generations {
		k, err := pseudonym.NewKey(bytes.Repeat([]byte{seed, byte(g)}, 16))
		if err != nil {
			t.Fatal(err)
		}
		keys[g] = k
	}
	r, err := pseudonym.NewRing(keys, generations[len(generations)-1])
	if err != nil {
		t.Fatal(err)
	}
	return r
}

var tallies = tally.NewKey([32]byte{1}, "https://node.example")

// replaced is generation 2 after 1, as commit 7 left them.
func replaced(t *testing.T) *naming.Keys {
	t.Helper()
	n, err := naming.Current(ring(t, 1, 1)).Only(7).Before(ring(t, 1, 1, 2))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestRow(t *testing.T) {
	row := replaced(t).Seal(tallies)
	n, err := naming.Open(row, tallies, ring(t, 1, 1, 2))
	if err != nil || !slices.Equal(n.Generations(), []uint32{2, 1}) || n.Target() != 2 || !n.Several() || n.Since() != 7 {
		t.Fatalf("got %v, want what was sealed", err)
	}
	if n = n.Only(9); n.Several() || n.Target() != 2 || n.Since() != 9 {
		t.Errorf("the first alone: %v since %d", n.Generations(), n.Since())
	}
	for at := range row {
		row[at] ^= 1
		if _, err := naming.Open(row, tallies, ring(t, 1, 1, 2)); !errors.Is(err, store.ErrDamaged) {
			t.Fatalf("byte %d flipped: got %v, want damage", at, err)
		}
		row[at] ^= 1
	}
	for _, size := range []int{0, 4, 31, 32, 36, len(row) - 1} {
		if _, err := naming.Open(row[:size], tallies, ring(t, 1, 1, 2)); !errors.Is(err, store.ErrDamaged) {
			t.Errorf("%d bytes of it: got %v, want damage", size, err)
		}
	}
}

// TestMissingKey: a ring without one of the keys would take some for unknown.
func TestMissingKey(t *testing.T) {
	row := replaced(t).Seal(tallies)
	for name, c := range map[string]struct {
		ring  *pseudonym.Ring
		ahead bool
	}{
		"old gone": {ring(t, 1, 2), false},
		"another":  {ring(t, 9, 1, 2), false},
		"older":    {ring(t, 1, 1), true},
	} {
		if _, err := naming.Open(row, tallies, c.ring); !errors.Is(err, naming.ErrMissing) || errors.Is(err, naming.ErrAhead) != c.ahead {
			t.Errorf("%s: got %v, ahead %v", name, err, errors.Is(err, naming.ErrAhead))
		}
		if err := replaced(t).In(c.ring); !errors.Is(err, naming.ErrMissing) {
			t.Errorf("%s: in the ring: %v, want ErrMissing", name, err)
		}
	}
	if err := replaced(t).In(ring(t, 1, 1, 2, 3)); err != nil {
		t.Errorf("a ring with one more: %v", err)
	}
}

func TestName(t *testing.T) {
	id := pseudonym.Identifier{Jurisdiction: "UTO", Type: pseudonym.IDPassport, Value: "X1"}
	n := replaced(t)
	who, err := n.Name(id)
	if err != nil {
		t.Fatal(err)
	}
	var want []pseudonym.Pseudonym
	for _, g := range n.Generations() {
		p, err := n.Key(g).Pseudonym(id)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, p)
	}
	if got := who.Pseudonyms(); !slices.Equal(got, want) || got[0] == got[1] {
		t.Error("not the pseudonyms under both keys, the newest first")
	}
	if !n.Key(3).IsZero() {
		t.Error("a key of a generation under which nobody lies")
	}
	if _, err := n.Name(pseudonym.Identifier{}); err == nil {
		t.Error("nobody has a name")
	}
}

func TestTooMany(t *testing.T) {
	n, err := naming.Current(ring(t, 1, 1)), error(nil)
	for g := uint32(2); err == nil; g++ {
		if g > 100 {
			t.Fatal("there is no bound")
		}
		n, err = n.Before(ring(t, 1, g))
	}
	if !errors.Is(err, naming.ErrTooMany) {
		t.Errorf("got %v, want ErrTooMany", err)
	}
}
