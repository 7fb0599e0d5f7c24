package door

import (
	"sync/atomic"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
)

// crowd bounds what peers have together that share one share (Config.Share), where libp2p bounds each peer alone.
type crowd struct {
	share   func(name string) string
	conns   int // inbound connections of one share
	streams int // inbound streams of one share

	swarm atomic.Pointer[swarm.Swarm] // set once, before the host listens
}

func newCrowd(cfg Config) *crowd {
	return &crowd{share: cfg.Share, conns: max(cfg.MaxConns/4, 8), streams: 2 * cfg.MaxStreamsPeer}
}

// of is whose share the peer has part in: its own when it shares with nobody.
func (c *crowd) of(p string) (name string, shared bool) {
	if name = c.share(p); name != "" {
		return name, true
	}
	return p, false
}

// full reports whether one more connection of the peer would be more than its share may have. Two that come at once may
// both be let in: the bound is against many.
func (c *crowd) full(id peer.ID) bool {
	name, shared := c.of(id.String())
	sw := c.swarm.Load()
	if !shared || sw == nil {
		return false
	}
	n := 0
	for _, open := range sw.Conns() {
		if open.Stat().Direction != network.DirInbound || open.IsClosed() {
			continue
		}
		if other, _ := c.of(open.RemotePeer().String()); other == name {
			n++
		}
	}
	return n >= c.conns
}
