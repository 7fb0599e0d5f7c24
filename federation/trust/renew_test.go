package trust_test

import (
	"slices"
	"testing"
	"time"

	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/internal/testpeer"
)

// TestRenew: a member announces an Entity Configuration that the Anchor has not heard of. It is in force at once, past
// refreshes and restarts, until the Anchor passes on a later one; what the Anchor fixed stays fixed.
func TestRenew(t *testing.T) {
	w := newWorld(t, "KAZ", "KGZ")
	d := w.directory(t)
	refresh := func() {
		t.Helper()
		if _, err := d.Refresh(t.Context(), w.clock.now); err != nil {
			t.Fatal(err)
		}
	}
	refresh()
	at := func(address string, change func(*trust.NodeMetadata)) string {
		m := nodeMetadata(t, "KAZ")
		m.Addresses = []string{address}
		if change != nil {
			change(m)
		}
		return configuration(t, idOf("KAZ"), m, w.clock.now)
	}
	addressed := func(want string) {
		t.Helper()
		byCountry, err := d.Country("KAZ", w.clock.now)
		byPeer, ok := d.Member(testpeer.ID("KAZ"), w.clock.now)
		listed := slices.ContainsFunc(d.Members(w.clock.now), func(n trust.Node) bool { return slices.Equal(n.Addresses, []string{want}) })
		if err != nil || !ok || !listed || !slices.Equal(byCountry.Addresses, []string{want}) || !slices.Equal(byPeer.Addresses, []string{want}) {
			t.Fatalf("addresses are %q and %q, listed: %v, %v; want %q", byCountry.Addresses, byPeer.Addresses, listed, err, want)
		}
	}
	renew := func(id trust.EntityID, token string, want bool) {
		t.Helper()
		news, err := d.Renew(id, token, w.clock.now)
		if news != want {
			t.Fatalf("Renew = %v, %v, want %v", news, err, want)
		}
	}
	former := at("/ip4/192.0.2.9/tcp/1", nil)
	w.clock.now = w.clock.now.Add(time.Minute)
	moved := at("/ip4/192.0.2.1/tcp/1", nil)
	renew(idOf("KAZ"), moved, true)
	addressed("/ip4/192.0.2.1/tcp/1")
	renew(idOf("KAZ"), moved, false)
	renew(idOf("KAZ"), former, false)
	renew(idOf("KGZ"), moved, false)
	renew(idOf("UZB"), moved, false)
	renew(idOf("KAZ"), "x", false)
	addressed("/ip4/192.0.2.1/tcp/1")
	d = w.directory(t) // a start right after, before any refresh
	addressed("/ip4/192.0.2.1/tcp/1")
	refresh() // the Anchor's copy is older
	addressed("/ip4/192.0.2.1/tcp/1")
	d = w.directory(t)
	addressed("/ip4/192.0.2.1/tcp/1")
	refresh()
	addressed("/ip4/192.0.2.1/tcp/1")
	w.clock.now = w.clock.now.Add(time.Minute)
	renew(idOf("KAZ"), at("/ip4/192.0.2.2/tcp/1", func(m *trust.NodeMetadata) {
		m.PeerProofs = testpeer.Proofs(idOf("KAZ"), keyOf(t, string(idOf("KAZ"))).Public(), testpeer.IDs("KAZ", "KGZ")...)
		m.Jurisdiction, m.PeerID, m.PeerIDs = "KGZ", testpeer.ID("KGZ"), testpeer.IDs("KGZ")
	}), true)
	addressed("/ip4/192.0.2.2/tcp/1")
	if n, ok := d.Member(testpeer.ID("KGZ"), w.clock.now); !ok || n.EntityID != idOf("KGZ") {
		t.Errorf("the peer ID of KGZ is %q", n.EntityID)
	}
	w.clock.now = w.clock.now.Add(time.Minute)
	enroll(t, w.Authority, w.clock, "KAZ")
	refresh()
	addressed(nodeMetadata(t, "KAZ").Addresses[0])
}
