package transport

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	madns "github.com/multiformats/go-multiaddr-dns"
)

const (
	// maxAddrs bounds the addresses dialled for one peer, given and resolved: published metadata must not make us
	// scan a network.
	maxAddrs = 16
	// maxAddrText bounds one multiaddr in text form.
	maxAddrText = 512
)

// parseAddr accepts (ip4|ip6|dns|dns4|dns6)/(udp/quic-v1|tcp) and nothing else.
func parseAddr(s string) (ma.Multiaddr, error) {
	if len(s) > maxAddrText {
		return nil, errors.New("address too long")
	}
	a, err := ma.NewMultiaddr(s)
	if err != nil {
		return nil, errors.New("not a multiaddr")
	}
	var names []string
	for _, c := range a {
		names = append(names, c.Protocol().Name)
	}
	if len(names) > 0 {
		host, rest := names[0], strings.Join(names[1:], "/")
		switch host {
		case "ip4", "ip6", "dns", "dns4", "dns6":
			if rest == "tcp" || rest == "udp/quic-v1" {
				return a, nil
			}
		}
	}
	return nil, errors.New("not an address of the form /ip4|ip6|dns|dns4|dns6/…/udp/…/quic-v1 or …/tcp/…")
}

// parsePeerAddr is parseAddr with an optional /p2p/<peer ID> suffix, which must name id.
func parsePeerAddr(s string, id peer.ID) (ma.Multiaddr, error) {
	base, suffix, found := strings.Cut(s, "/p2p/")
	if found {
		got, err := decodePeerID(PeerID(suffix))
		if err != nil {
			return nil, errors.New("suffix is not a peer id")
		}
		if got != id {
			return nil, errors.New("address names another peer")
		}
	}
	return parseAddr(base)
}

// resolve parses and resolves addresses for a dial and returns those that can be tried and those that cannot.
func resolve(ctx context.Context, id peer.ID, addrs []string) (good []ma.Multiaddr, bad []Attempt) {
	if len(addrs) == 0 {
		return nil, []Attempt{{Addr: "(none)", Err: errors.New("no addresses known")}}
	}
	for _, s := range addrs {
		a, err := parsePeerAddr(s, id)
		if err != nil {
			bad = append(bad, Attempt{Addr: shown(s), Err: err})
			continue
		}
		found := []ma.Multiaddr{a}
		if madns.Matches(a) {
			if found, err = madns.Resolve(ctx, a); err != nil {
				bad = append(bad, Attempt{Addr: shown(s), Err: opaque(fmt.Errorf("resolving name: %w", err))})
				continue
			}
			if len(found) == 0 {
				bad = append(bad, Attempt{Addr: shown(s), Err: errors.New("resolving name: no address")})
			}
		}
		good = append(good, found...)
	}
	good = ma.Unique(good)
	return good[:min(len(good), maxAddrs)], bad
}

// shown bounds an address given by others for use in an error.
func shown(s string) string {
	if len(s) > maxAddrText {
		return s[:maxAddrText] + "…"
	}
	return s
}
