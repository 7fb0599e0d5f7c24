package trust_test

import (
	"slices"
	"testing"

	"github.com/tamga-id/tamga/federation/trust/authority"
	"github.com/tamga-id/tamga/federation/trust/internal/testpeer"
)

// TestPeerIDRotates: a member replaces its libp2p key in three steps, each told to the Anchor. Whoever has refreshed
// since the step before knows it by the peer ID that it uses, in every step; afterwards by no other.
func TestPeerIDRotates(t *testing.T) {
	w := newWorld(t, "KAZ", "KGZ")
	d := w.directory(t)
	enrol := func(country string, ids ...string) error {
		m := nodeMetadata(t, country)
		m.PeerID, m.PeerIDs = ids[0], ids[1:]
		_, err := w.Enroll(configuration(t, idOf(country), m, w.clock.now), authority.EnrollOptions{Jurisdiction: country})
		return err
	}
	known := func(ids ...string) {
		t.Helper()
		if _, err := d.Refresh(t.Context(), w.clock.now); err != nil {
			t.Fatal(err)
		}
		for _, id := range testpeer.IDs("KAZ", "NEXT") {
			n, ok := d.Member(id, w.clock.now)
			if ok != slices.Contains(ids, id) || ok && n.EntityID != idOf("KAZ") {
				t.Fatalf("%s is a member's: %v, of %q", id, ok, n.EntityID)
			}
		}
		if n, err := d.Country("KAZ", w.clock.now); err != nil || !slices.Equal(n.IDs(), ids) {
			t.Fatalf("IDs are %q, %v, want %q", n.IDs(), err, ids)
		}
		again := w.directory(t) // from its file
		if n, ok := again.Member(ids[len(ids)-1], w.clock.now); !ok || n.EntityID != idOf("KAZ") {
			t.Fatalf("after a restart %s is nobody's", ids[len(ids)-1])
		}
	}
	known(testpeer.ID("KAZ"))
	for _, ids := range [][]string{testpeer.IDs("KAZ", "NEXT"), testpeer.IDs("NEXT", "KAZ"), testpeer.IDs("NEXT")} {
		if err := enrol("KAZ", ids...); err != nil {
			t.Fatal(err)
		}
		known(ids...)
		if err := enrol("KGZ", testpeer.ID("KGZ"), ids[len(ids)-1]); err == nil {
			t.Fatalf("another was enrolled with %s", ids[len(ids)-1])
		}
	}
}
