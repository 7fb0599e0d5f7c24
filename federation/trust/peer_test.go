package trust_test

import (
	"bytes"
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/endpoint"
	"github.com/tamga-id/tamga/federation/trust/internal/testpeer"
)

// clock is a settable time for tests that run in one goroutine.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func newPublisher(t testing.TB, c *clock, country string) *endpoint.Publisher {
	t.Helper()
	p, err := endpoint.NewPublisher(endpoint.PublisherConfig{
		Key: keyOf(t, nodeID), Clock: c.Now,
		Configuration: trust.EntityConfiguration{
			Entity: nodeID, AuthorityHints: []trust.EntityID{anchorID},
			Metadata: trust.Metadata{TamgaNode: nodeMetadata(t, country)},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// request is the frame that asks for id's configuration, written from the CDDL.
func request(t testing.TB, operation, id string) []byte {
	t.Helper()
	b := []byte{0xa2, 0x01} // map of 2, key 1
	b = appendText(t, b, operation)
	return appendText(t, append(b, 0x02), id)
}

func appendText(t testing.TB, b []byte, s string) []byte {
	t.Helper()
	text, err := cbor.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return append(b, text...)
}

func status(t testing.TB, reply []byte) (string, string) {
	t.Helper()
	var m map[int]string
	if err := cbor.Unmarshal(reply, &m); err != nil {
		t.Fatal(err)
	}
	return m[1], m[2]
}

func TestServeFrame(t *testing.T) {
	p := newPublisher(t, &clock{epoch}, "KAZ")
	own, err := p.Token()
	if err != nil {
		t.Fatal(err)
	}
	good := request(t, "get-entity-configuration", nodeID)
	for _, tc := range []struct {
		name, want string
		frame      []byte
	}{
		{"own", "ok", good},
		{"other-entity", "not-found", request(t, "get-entity-configuration", anchorID)},
		{"other-operation", "malformed", request(t, "expel", nodeID)}, {"not-served", "not-found", request(t, "fetch", nodeID)},
		{"empty", "malformed", nil},
		{"trailing", "malformed", append(bytes.Clone(good), 0)},
		{"too-long", "malformed", request(t, "get-entity-configuration", strings.Repeat("x", 40000))},
		{"unsorted", "malformed", appendText(t, append(appendText(t, []byte{0xa2, 0x02}, nodeID), 0x01), "get-entity-configuration")},
		{"third-member", "malformed", append(append([]byte{0xa3}, good[1:]...), 0x03, 0x60)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, token := status(t, endpoint.ServeFrame(nodeID, p.Answer, tc.frame))
			if got != tc.want || (token != "") != (tc.want == "ok") {
				t.Errorf("got status %q and %d bytes, want %q", got, len(token), tc.want)
			}
			if token != "" && token != own {
				t.Error("it serves another statement than its own")
			}
		})
	}
}

func FuzzServeFrame(f *testing.F) {
	p := newPublisher(f, &clock{epoch}, "KAZ")
	good := request(f, "get-entity-configuration", nodeID)
	f.Add(good)
	f.Add(request(f, "get-entity-configuration", "https://other.example"))
	f.Add([]byte{0xa1, 0x01, 0x60})
	f.Add([]byte{0xbf, 0xff})
	f.Fuzz(func(t *testing.T, frame []byte) {
		got, _ := status(t, endpoint.ServeFrame(nodeID, p.Answer, frame))
		// Only the one deterministic encoding of the request is served.
		if (got == "ok") != bytes.Equal(frame, good) {
			t.Fatalf("status %q for a frame of %d bytes", got, len(frame))
		}
	})
}

func TestPeerSource(t *testing.T) {
	p := newPublisher(t, &clock{epoch}, "KAZ")
	source := func(exchange func([]byte) ([]byte, error)) endpoint.Peer {
		return endpoint.Peer{
			Source: failing{},
			Exchange: func(_ context.Context, peerID string, addrs []string, frame []byte) ([]byte, error) {
				if peerID != testpeer.ID("KAZ") || len(addrs) != 1 {
					t.Errorf("asked peer %q at %v", peerID, addrs)
				}
				return exchange(frame)
			},
			Locate: func(id trust.EntityID) (string, []string, bool) {
				return testpeer.ID("KAZ"), []string{"/ip4/127.0.0.1"}, id == nodeID
			},
		}
	}
	served := source(func(frame []byte) ([]byte, error) { return endpoint.ServeFrame(nodeID, p.Answer, frame), nil })
	token, err := served.EntityConfiguration(t.Context(), nodeID)
	if own, _ := p.Token(); err != nil || token != own {
		t.Errorf("got %d bytes, error %v", len(token), err)
	}
	if _, err := served.EntityConfiguration(t.Context(), anchorID); !errors.Is(err, errDown) {
		t.Errorf("an entity that is no known peer: got %v, want the source beneath", err)
	}
	for name, reply := range map[string][]byte{
		"empty": nil, "not-cbor": {0xff}, "not-found": request(t, "not-found", ""), "no-token": {0xa1, 0x01, 0x62, 'o', 'k'},
	} {
		t.Run(name, func(t *testing.T) {
			s := source(func([]byte) ([]byte, error) { return reply, nil })
			if token, err := s.EntityConfiguration(t.Context(), nodeID); err == nil || token != "" {
				t.Error("accepted")
			}
		})
	}
}

func TestPublisherRenews(t *testing.T) {
	c := &clock{epoch}
	p := newPublisher(t, c, "KAZ")
	first, _ := p.Token()
	c.now = epoch.Add(7*24*time.Hour - time.Second)
	if same, err := p.Token(); err != nil || same != first {
		t.Errorf("before half of its life: changed %v, error %v", same != first, err)
	}
	c.now = epoch.Add(7 * 24 * time.Hour)
	second, err := p.Token()
	if err != nil || second == first {
		t.Fatalf("after half of its life: changed %v, error %v", second != first, err)
	}
	if s, err := trust.ParseStatement(second); err != nil || !s.IssuedAt().Equal(c.now) {
		t.Errorf("got %v, error %v", s.IssuedAt(), err)
	}
}

func TestPublisherRefuses(t *testing.T) {
	good := endpoint.PublisherConfig{
		Key: keyOf(t, nodeID), Clock: (&clock{epoch}).Now,
		Configuration: trust.EntityConfiguration{Entity: nodeID, Metadata: trust.Metadata{TamgaNode: nodeMetadata(t, "KAZ")}},
	}
	for name, change := range map[string]func(*endpoint.PublisherConfig){
		"no-clock":     func(c *endpoint.PublisherConfig) { c.Clock = nil },
		"short-life":   func(c *endpoint.PublisherConfig) { c.Lifetime = time.Second },
		"incomplete":   func(c *endpoint.PublisherConfig) { c.Configuration.Metadata.TamgaNode.Ledger = nil },
		"reused-key":   func(c *endpoint.PublisherConfig) { c.Key = keyOf(t, "protocol KAZ") },
		"wrong-entity": func(c *endpoint.PublisherConfig) { c.Configuration.Entity = "" },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := good
			cfg.Configuration.Metadata.TamgaNode = nodeMetadata(t, "KAZ")
			change(&cfg)
			if _, err := endpoint.NewPublisher(cfg); err == nil {
				t.Error("accepted")
			}
		})
	}
}

func TestPublisherHTTP(t *testing.T) {
	p := newPublisher(t, &clock{epoch}, "KAZ")
	for _, tc := range []struct {
		method, path string
		want         int
	}{
		{"GET", "/.well-known/openid-federation", 200},
		{"HEAD", "/below/.well-known/openid-federation", 200},
		{"POST", "/.well-known/openid-federation", 405},
		{"GET", "/", 404},
	} {
		w := httptest.NewRecorder()
		endpoint.Handler(nodeID, p.Answer).ServeHTTP(w, httptest.NewRequest(tc.method, tc.path, nil))
		if w.Code != tc.want {
			t.Errorf("%s %s: got %d, want %d", tc.method, tc.path, w.Code, tc.want)
		}
		if tc.want == 200 && w.Header().Get("Content-Type") != "application/entity-statement+jwt" {
			t.Errorf("%s: content type %q", tc.path, w.Header().Get("Content-Type"))
		}
	}
}

var errDown = errors.New("down")

// failing is a source whose every call fails.
type failing struct{}

func (failing) EntityConfiguration(context.Context, trust.EntityID) (string, error) {
	return "", errDown
}

func (failing) SubordinateStatement(context.Context, trust.EntityID, trust.EntityID) (string, error) {
	return "", errDown
}

func (failing) List(context.Context, trust.EntityID) ([]trust.EntityID, error) { return nil, errDown }

func (failing) Resolve(context.Context, trust.EntityID, trust.EntityID, trust.EntityID) (string, error) {
	return "", errDown
}
