package transport_test

import (
	"errors"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tamga-id/tamga/federation/transport"
)

// TestEachAddressHasItsOwnError: many questions at once to a peer that is away, each with another list of addresses. Every
// one is told of every address that it gave why that failed, in the system's words or ours, whatever the others found out
// about it a moment ago: libp2p's back-off would be all that most of them heard.
func TestEachAddressHasItsOwnError(t *testing.T) {
	silent := func() string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		_, port, _ := net.SplitHostPort(l.Addr().String())
		return "/ip4/127.0.0.1/tcp/" + port
	}
	closed := func() string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		_, port, _ := net.SplitHostPort(l.Addr().String())
		_ = l.Close()
		return "/ip4/127.0.0.1/tcp/" + port
	}
	a := start(t, "a", membership(t, "a", "b"), nil, func(c *transport.Config) { c.DialTimeout = 300 * time.Millisecond })
	want := map[string]string{closed(): "refused", closed(): "refused", silent(): "timed out"}
	var all []string
	for addr := range want {
		all = append(all, addr)
	}
	var wg sync.WaitGroup
	for i := range 60 {
		time.Sleep(7 * time.Millisecond)
		wg.Go(func() {
			own := "/ip4/127.0.0.1/tcp/1/p2p/" + strconv.Itoa(i) // malformed, and makes the list another
			addrs := append([]string{own}, all[i%3:]...)
			_, err := a.Exchange(t.Context(), peerID(t, "b"), addrs, transport.ProtocolQuery, []byte("x"))
			d, ok := errors.AsType[*transport.DialError](err)
			if !ok || len(d.Attempts) != len(addrs) {
				t.Errorf("Exchange = %v, want a cause for each of %d addresses", err, len(addrs))
				return
			}
			for _, attempt := range d.Attempts {
				cause := want[attempt.Addr]
				if attempt.Addr == own {
					cause = "not a peer id"
				}
				if cause == "" || !strings.Contains(attempt.Err.Error(), cause) {
					t.Errorf("%s: %v, want %q", attempt.Addr, attempt.Err, cause)
				}
			}
		})
	}
	wg.Wait()
}
