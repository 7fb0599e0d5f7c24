package door

import (
	"testing"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/test"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/tamga-id/tamga/federation/transport/internal/refusal"
)

// TestPendingEnds: a connection is pending until its peer is known or it is lost, and counts once.
func TestPendingEnds(t *testing.T) {
	l, err := newLimits(Config{MaxConns: 128, MaxStreamsPeer: 64, MaxMemory: 128 << 20}, new(refusal.Counts))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	knock := func(usesFD bool, addr string) network.ConnManagementScope {
		scope, err := l.OpenConnection(network.DirInbound, usesFD, ma.StringCast(addr))
		if err != nil {
			t.Fatal(err)
		}
		return scope
	}
	known, lost := knock(true, "/ip4/203.0.113.7/tcp/1"), knock(false, "/ip4/203.0.113.7/udp/1/quic-v1")
	if l.pending != 2 || l.tcp != 1 {
		t.Fatalf("%d pending, %d of them over TCP, want 2 and 1", l.pending, l.tcp)
	}
	id, err := test.RandPeerID()
	if err != nil {
		t.Fatal(err)
	}
	if err := known.SetPeer(id); err != nil {
		t.Fatal(err)
	}
	known.Done()
	lost.Done()
	lost.Done()
	if l.pending != 0 || l.tcp != 0 {
		t.Errorf("%d pending, %d over TCP, want none", l.pending, l.tcp)
	}
}
