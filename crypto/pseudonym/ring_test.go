package pseudonym_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/tamga-id/tamga/crypto/pseudonym"
)

func TestRing(t *testing.T) {
	one, two := seeded(t, 1), seeded(t, 2)
	r, err := pseudonym.NewRing(map[uint32]pseudonym.Key{1: one, 2: two}, 2)
	if err != nil || r.Current() != 2 || !slices.Equal(r.Generations(), []uint32{1, 2}) {
		t.Fatalf("ring of %v, %v", r, err)
	}
	if !r.Key(1).Equal(one) || !r.Key(2).Equal(two) || !r.Key(3).IsZero() {
		t.Error("another key under a generation")
	}
	if got := fmt.Sprintf("%v %+v", r, *r); got != "pseudonym-keys(redacted) pseudonym-keys(redacted)" {
		t.Errorf("printed as %q", got)
	}
	for name, keys := range map[string]map[uint32]pseudonym.Key{
		"nothing": nil, "no-current": {1: one}, "zero-key": {1: {}, 2: two}, "generation-0": {0: one, 2: two},
	} {
		if _, err := pseudonym.NewRing(keys, 2); !errors.Is(err, pseudonym.ErrKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
