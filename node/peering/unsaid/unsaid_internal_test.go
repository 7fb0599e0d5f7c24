package unsaid

import (
	"fmt"
	"testing"
	"time"

	"github.com/tamga-id/tamga/federation/trust"
)

// TestHandedOnInTurn: those below one member of an Anchor are handed on a few at once, however many they are, and neither
// others nor this node wait for them.
func TestHandedOnInTurn(t *testing.T) {
	u := New("https://self.example")
	now := time.Unix(1_800_000_000, 0)
	own := trust.PathTo("https://self.example", "https://top.example", "https://anchor.example")
	other := trust.PathTo("https://other.example", "https://anchor.example")
	for i := range 64 {
		u.Add(trust.PathTo(trust.EntityID(fmt.Sprintf("https://s%d.example", i)), "https://top.example", "https://anchor.example"))
	}
	u.Add(own)
	u.Add(other)
	count := func() map[trust.EntityID]int {
		n := map[trust.EntityID]int{}
		for _, at := range u.Due(now) {
			if at == own {
				n["https://self.example"]++
				continue
			}
			n[at.Top()]++
		}
		return n
	}
	if n := count(); n["https://top.example"] != ahead || n["https://self.example"] != 1 || n["https://other.example"] != 1 {
		t.Errorf("at once: %v", n)
	}
	now = now.Add(every)
	if n := count(); n["https://top.example"] != 1 {
		t.Errorf("then: %v", n)
	}
}
