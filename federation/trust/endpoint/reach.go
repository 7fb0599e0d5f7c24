package endpoint

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/tamga-id/tamga/federation/trust"
)

// ErrPrivate: an Entity that nobody configured here is at an address of this machine or a
// private network, where whoever lists it could otherwise have this node send requests.
var ErrPrivate = errors.New("its host is at a private address, where only an Entity is asked that is configured or while private addresses are allowed")

// dialTimeout bounds one attempt to connect.
const dialTimeout = 10 * time.Second

// notGlobal are address ranges beyond those that package netip knows as private: shared
// (RFC 6598), this network, protocol assignments, benchmarks, reserved, site-local.
var notGlobal = [...]netip.Prefix{
	netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("fec0::/10"),
}

// Translations that lead to the IPv4 address inside: RFC 6052 and RFC 3056.
var (
	nat64 = netip.MustParsePrefix("64:ff9b::/96")
	sixTo = netip.MustParsePrefix("2002::/16")
)

// isPrivate reports whether an address belongs to no host of the public Internet.
func isPrivate(a netip.Addr) bool {
	a = a.WithZone("").Unmap()
	b := a.As16()
	switch {
	case nat64.Contains(a):
		return isPrivate(netip.AddrFrom4([4]byte(b[12:16])))
	case sixTo.Contains(a):
		return isPrivate(netip.AddrFrom4([4]byte(b[2:6])))
	case a.IsLoopback(), a.IsPrivate(), a.IsLinkLocalUnicast(), a.IsMulticast(), a.IsUnspecified():
		return true
	}
	for _, p := range notGlobal {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// isPrivateHost reports whether the host of a URL is written as a private address, or is
// this machine by name. What another name resolves to shows when it is connected to.
func isPrivateHost(host string) bool {
	if a, err := netip.ParseAddr(host); err == nil {
		return isPrivate(a)
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	// Numbers that resolvers take for addresses, "127.1" and "0x7f000001" among them: no
	// name of the public Internet ends in one.
	last := host[strings.LastIndexByte(host, '.')+1:]
	return last != "" && last[0] >= '0' && last[0] <= '9'
}

// guard is a transport that connects to no private address.
type guard struct {
	direct  *http.Transport
	proxied http.RoundTripper // for requests by a proxy, which resolves names itself
	proxy   func(*http.Request) (*url.URL, error)
}

// guarded wraps the transport of a client, nil for the usual one.
func guarded(t http.RoundTripper) http.RoundTripper {
	if t == nil {
		t = http.DefaultTransport
	}
	base, ok := t.(*http.Transport)
	if !ok {
		return guard{proxied: t}
	}
	g := guard{direct: base.Clone(), proxied: base, proxy: base.Proxy}
	dial := base.DialContext
	dialer := &net.Dialer{Timeout: dialTimeout, Control: func(_, address string, _ syscall.RawConn) error { return checkAddress(address) }}
	g.direct.Proxy, g.direct.DialContext = nil, dialer.DialContext
	if dial != nil && t != http.DefaultTransport {
		// A way to connect of its own: what it leads to is looked at before anything is sent.
		g.direct.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			if err := checkAddress(c.RemoteAddr().String()); err != nil {
				return nil, errors.Join(err, c.Close())
			}
			return c, nil
		}
	}
	return g
}

// checkAddress is asked about every address that is connected to, after names were resolved:
// a name that is looked at before may resolve to another address then.
func checkAddress(address string) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil || isPrivate(a.Addr()) {
		return ErrPrivate
	}
	return nil
}

// RoundTrip implements http.RoundTripper.
func (g guard) RoundTrip(r *http.Request) (*http.Response, error) {
	if isPrivateHost(r.URL.Hostname()) {
		return nil, ErrPrivate
	}
	by := (*url.URL)(nil)
	if g.proxy != nil {
		var err error
		if by, err = g.proxy(r); err != nil {
			return nil, fmt.Errorf("looking for the proxy: %w", err)
		}
	}
	if by != nil || g.direct == nil {
		return g.proxied.RoundTrip(r)
	}
	return g.direct.RoundTrip(r)
}

// AllowPrivate has Entities asked that are at private addresses, too, for a federation on a
// closed network. Call it before the source is shared.
func (h *HTTP) AllowPrivate() { h.private = true }

// clientFor is what reaches an Entity: any address for one that the operator named, be it as
// an Anchor or by its location, and for all when an Anchor itself is at a private address.
func (h *HTTP) clientFor(id trust.EntityID) *http.Client {
	if _, located := h.locations[id]; located || h.private || h.named[id] {
		return h.client
	}
	return h.outside
}
