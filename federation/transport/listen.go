package transport

import (
	"errors"
	"fmt"
	"slices"

	ma "github.com/multiformats/go-multiaddr"
)

// listener is an address that the host listens on.
type listener struct {
	asked string       // as it was configured
	bound ma.Multiaddr // with the actual port, not expanded to interfaces
	quiet bool         // peers are not told of it any more
}

// Listen listens on a further address, as one of Config.Listen. What was there before stays; an address that is listened
// on already is told of again.
func (h *Host) Listen(addr string) error {
	a, err := parseAddr(addr)
	if err != nil {
		return fmt.Errorf("listen address %q: %w", addr, err)
	}
	if h.isClosing() {
		return fmt.Errorf("listening: %w", ErrClosed)
	}
	if h.resume(addr, a) {
		return nil // libp2p panics when it is asked for one QUIC address twice
	}
	return h.listenOn(addr, a)
}

// resume tells again of an address that is listened on, and reports whether it is.
func (h *Host) resume(asked string, a ma.Multiaddr) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, l := range h.listen {
		if l.asked == asked || l.bound.Equal(a) {
			h.listen[i].asked, h.listen[i].quiet = asked, false
			return true
		}
	}
	return false
}

// listenOn takes one address at a time, and not by the swarm's Listen: that is content when any of several succeeds, and
// we are not.
func (h *Host) listenOn(asked string, a ma.Multiaddr) error {
	before := h.swarm.ListenAddresses()
	if err := h.swarm.AddListenAddr(a); err != nil {
		return listening(asked, err)
	}
	bound := a
	for _, b := range h.swarm.ListenAddresses() {
		if !slices.ContainsFunc(before, b.Equal) {
			bound = b
		}
	}
	h.mu.Lock()
	h.listen = append(h.listen, listener{asked: asked, bound: bound})
	h.mu.Unlock()
	return nil
}

// Silence leaves an address, which was given to Listen or New in the same words, out of Addresses from now on. Who knows it
// still finds the host there.
func (h *Host) Silence(addr string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, l := range h.listen {
		if l.asked == addr {
			h.listen[i].quiet = true
		}
	}
}

// told are the addresses that peers may be told, bound.
func (h *Host) told() (out []ma.Multiaddr) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, l := range h.listen {
		if !l.quiet {
			out = append(out, l.bound)
		}
	}
	return out
}

// Unlisten stops listening on an address that was given to Listen or New in the same words. Connections that were made
// there stay.
func (h *Host) Unlisten(addr string) error {
	h.mu.Lock()
	i := slices.IndexFunc(h.listen, func(l listener) bool { return l.asked == addr })
	if i < 0 {
		h.mu.Unlock()
		return errors.New("giving up address: it is not listened on")
	}
	l := h.listen[i]
	h.listen = slices.Delete(h.listen, i, i+1)
	h.mu.Unlock()
	h.swarm.ListenClose(l.bound)
	return nil
}

// Listening returns the addresses the host listens on as they were configured, but with actual ports and in no order:
// another host that is given them takes this one's place.
func (h *Host) Listening() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make([]string, len(h.listen))
	for i, l := range h.listen {
		out[i] = l.bound.String()
	}
	return out
}
