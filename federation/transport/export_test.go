package transport

import "github.com/libp2p/go-libp2p/core/network"

// Connections counts the live connections of h with a peer.
func Connections(h *Host, p PeerID) int {
	id, err := decodePeerID(p)
	if err != nil {
		return 0
	}
	return len(h.swarm.ConnsToPeer(id))
}

// ServedStreams counts the streams that peers hold open.
func ServedStreams(h *Host) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.serving)
}

// PooledStreams counts the idle streams to a peer.
func PooledStreams(h *Host, p PeerID) int {
	h.mu.Lock()
	r := h.remotes[p]
	h.mu.Unlock()
	if r == nil {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pooled
}

// Conns returns the raw connections with a peer, for tests that misbehave on them.
func Conns(h *Host, p PeerID) []network.Conn {
	id, err := decodePeerID(p)
	if err != nil {
		return nil
	}
	return h.swarm.ConnsToPeer(id)
}

// ReadFrame and AppendFrame expose the codec to the fuzz target and the raw peers of tests.
func AppendFrame(dst, payload []byte) []byte { return appendFrame(dst, payload) }
