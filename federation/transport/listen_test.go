package transport_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/federation/transport"
)

// TestListen: a host moves to another address while it runs. It is found at both until it gives the former one up, and
// tells of the new one alone; connections that are open stay.
func TestListen(t *testing.T) {
	transports(t, func(t *testing.T, kind string) {
		listen := map[string]string{"quic-v1": listenQUIC, "tcp": listenTCP}[kind]
		m := membership(t, "a", "b", "c")
		b := start(t, "b", m, echoing(), func(c *transport.Config) { c.Listen = []string{listen} })
		a, c := start(t, "a", m, nil, nil), start(t, "c", m, nil, nil)
		former := b.Addresses()
		ask(t, a, b, former, "before")
		b.Silence(listen)
		if err := b.Listen(strings.Replace(listen, "127.0.0.1", "127.0.0.2", 1)); err != nil {
			t.Fatal(err)
		}
		now := b.Addresses()
		if len(now) != 1 || slices.Equal(now, former) || len(b.Listening()) != 2 {
			t.Fatalf("listening on %q and telling of %q, before of %q", b.Listening(), now, former)
		}
		ask(t, c, b, former, "at the former address")
		if err := b.Listen(listen); err != nil || len(b.Listening()) != 2 || len(b.Addresses()) != 2 {
			t.Errorf("telling of an address again: %v, listening on %q, telling of %q", err, b.Listening(), b.Addresses())
		}
		if err := b.Unlisten(listen); err != nil {
			t.Fatal(err)
		}
		if err := b.Unlisten("/ip4/192.0.2.1/tcp/1"); err == nil {
			t.Error("an address was given up that was never had")
		}
		ask(t, a, b, former, "on the connection from there")
		d := start(t, "c", m, nil, nil)
		if _, err := d.Exchange(t.Context(), b.PeerID(), former, transport.ProtocolQuery, []byte("x")); !errors.Is(err, transport.ErrUnreachable) {
			t.Errorf("asking at an address that was given up: %v", err)
		}
		ask(t, d, b, now, "at the new address")
		if err := b.Listen("/ip4/192.0.2.1/tcp/1"); !errors.Is(err, transport.ErrListen) {
			t.Errorf("listening on another's address: %v", err)
		}
	})
}
