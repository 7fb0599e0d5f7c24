package trust_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/endpoint"
)

// TestPrivateAddresses: whoever lists an Entity does not have this node send requests to
// hosts of its own network.
func TestPrivateAddresses(t *testing.T) {
	source, err := endpoint.NewHTTP(nil, []trust.Anchor{anchor(t)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{
		"127.0.0.1", "127.0.0.1:8443", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "192.0.0.8", "198.18.0.1",
		"255.255.255.255", "224.0.0.1", "[::1]", "[::]", "[fe80::1]", "[fd00::1]", "[ff02::1]", "[::ffff:10.0.0.1]", "[64:ff9b::a00:1]", "[2002:a00:1::1]",
		"localhost", "localhost:8443", "db.localhost", "127.1", "2130706433", "0x7f000001", "0177.0.0.1",
	} {
		if _, err := source.EntityConfiguration(t.Context(), trust.EntityID("https://"+host)); !errors.Is(err, endpoint.ErrPrivate) {
			t.Errorf("%s: got %v", host, err)
		}
	}
}

// reached counts what comes in at a server of this machine.
func reached(t *testing.T) (*httptest.Server, *atomic.Int64) {
	t.Helper()
	n := new(atomic.Int64)
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { n.Add(1); http.NotFound(w, r) }))
	t.Cleanup(s.Close)
	return s, n
}

// TestNameOfPrivateAddress: a name that resolves to a private address is as good as that; what
// counts is what is connected to.
func TestNameOfPrivateAddress(t *testing.T) {
	server, n := reached(t)
	at := server.Listener.Addr().String()
	// A way to connect that resolves every name to the server stands for a resolver.
	client := server.Client()
	client.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, at)
	}
	const pit = "https://example.com"
	ask := func(private bool, anchors []trust.Anchor, locations map[trust.EntityID]string) error {
		t.Helper()
		source, err := endpoint.NewHTTP(client, anchors, locations)
		if err != nil {
			t.Fatal(err)
		}
		if private {
			source.AllowPrivate()
		}
		_, err = source.EntityConfiguration(t.Context(), pit)
		return err
	}
	if err := ask(false, nil, nil); !errors.Is(err, endpoint.ErrPrivate) || n.Load() != 0 {
		t.Errorf("an Entity that is not configured: got %v, %d requests", err, n.Load())
	}
	for name, err := range map[string]error{
		"allowed":        ask(true, nil, nil),
		"located":        ask(false, nil, map[trust.EntityID]string{pit: "https://example.com"}),
		"anchor":         ask(false, []trust.Anchor{{EntityID: pit}}, nil),
		"anchor-private": ask(false, []trust.Anchor{{EntityID: anchorID, Location: "http://127.0.0.1:9"}}, nil),
	} {
		if err == nil || !strings.Contains(err.Error(), "status 404") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	// The usual client, over a name that this machine's resolver has: not all have one.
	if addrs, err := net.DefaultResolver.LookupHost(t.Context(), "ip6-localhost"); err == nil && len(addrs) > 0 {
		source, err := endpoint.NewHTTP(nil, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := source.EntityConfiguration(t.Context(), "https://ip6-localhost"); !errors.Is(err, endpoint.ErrPrivate) {
			t.Errorf("a name of this machine: got %v", err)
		}
	}
}

// TestPrivateBehindProxy: a proxy of the own network is connected to, and asked for no private
// address.
func TestPrivateBehindProxy(t *testing.T) {
	asked := make(chan string, 8)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Host
		http.Error(w, "no", http.StatusBadGateway)
	}))
	defer proxy.Close()
	u, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	source, err := endpoint.NewHTTP(&http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(u)}}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := source.EntityConfiguration(t.Context(), "https://10.0.0.1"); !errors.Is(err, endpoint.ErrPrivate) {
		t.Errorf("got %v", err)
	}
	if _, err := source.EntityConfiguration(t.Context(), "https://node.example"); err == nil || errors.Is(err, endpoint.ErrPrivate) {
		t.Errorf("got %v", err)
	}
	if len(asked) != 1 || <-asked != "node.example:443" {
		t.Error("the proxy was asked for something else")
	}
}
