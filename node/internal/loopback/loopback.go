// Package loopback tells whether a request was meant for this machine: a page whose name was
// rebound to a loopback address has a browser send that name in Host.
package loopback

import (
	"net"
	"net/netip"
	"strings"
)

// Host reports whether a Host header names this machine by a loopback address or as localhost.
func Host(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	} else if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		name = host[1 : len(host)-1]
	}
	if strings.EqualFold(name, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(name)
	return err == nil && ip.Unmap().IsLoopback()
}
