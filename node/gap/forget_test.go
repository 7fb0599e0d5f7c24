package gap_test

import (
	"fmt"
	"testing"

	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/gap"
)

// TestHeadsForget: members that come and go leave no more than the last of them behind, in
// memory and in the file; those that are present stay, however long nothing was heard of them.
func TestHeadsForget(t *testing.T) {
	m, notes := member(t)
	cfg := config.Config{DataDir: t.TempDir()}
	h, err := gap.OpenHeads(cfg)
	if err != nil {
		t.Fatal(err)
	}
	shown, err := gap.MemberHead(m, notes[0])
	if err != nil {
		t.Fatal(err)
	}
	h.Keep(m, shown)
	present := func(id trust.EntityID) bool { return id == m.EntityID }
	passing := func(i int) trust.Node {
		p := m
		p.EntityID = trust.EntityID(fmt.Sprintf("https://n%03d.kaz.example", i))
		return p
	}
	const all, stay = 300, 64
	for i := range all {
		h.Keep(passing(i), shown)
		if i%32 == 31 {
			h.Forget(present)
		}
	}
	h.Forget(present)
	for range 2 {
		if h.Newest(m).Size == 0 {
			t.Error("the member that is present is forgotten")
		}
		for i := range all {
			if known := h.Newest(passing(i)).Size > 0; known != (i >= all-stay) {
				t.Errorf("%d of %d: known %t", i, all, known)
			}
		}
		if err := h.Flush(); err != nil {
			t.Fatal(err)
		}
		if h, err = gap.OpenHeads(cfg); err != nil {
			t.Fatal(err)
		}
	}
}
