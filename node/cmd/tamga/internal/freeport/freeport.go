// Package freeport finds a port for a configuration that is made.
package freeport

import (
	"net"
	"strconv"
)

// From is host with the first of a hundred ports from start on which this
// machine listens to nothing, TCP and UDP.
func From(host string, start int) string {
	for p := start; p < start+100; p++ {
		at := net.JoinHostPort(host, strconv.Itoa(p))
		l, err := net.Listen("tcp", at)
		if err != nil {
			continue
		}
		_ = l.Close()
		u, err := net.ListenPacket("udp", at)
		if err != nil {
			continue
		}
		_ = u.Close()
		return at
	}
	return net.JoinHostPort(host, strconv.Itoa(start))
}
