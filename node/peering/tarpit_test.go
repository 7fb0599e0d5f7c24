package peering_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tamga-id/tamga/federation/transport"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/authority"
	"github.com/tamga-id/tamga/federation/trust/endpoint"
	"github.com/tamga-id/tamga/federation/trust/membership"
	"github.com/tamga-id/tamga/node/peering"
)

// web answers requests by host, without a network.
type web map[string]http.Handler

func (w web) RoundTrip(r *http.Request) (*http.Response, error) {
	h, ok := w[r.URL.Host]
	if !ok {
		return nil, errors.New("no such host")
	}
	out := httptest.NewRecorder()
	h.ServeHTTP(out, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return out.Result(), nil
}

const tarpits = 200

// intermediate answers as fickle itself, or the one of that identifier below it: everything at once, but never what it lists.
func (f *fickle) intermediate(id, above trust.EntityID) http.Handler {
	token := f.configuration(id, above)
	answer := endpoint.Handler(id, func(r endpoint.Request) endpoint.Response {
		switch sub, _ := r.Subject(); r.Operation {
		case endpoint.Configuration:
			return endpoint.Response{Body: token}
		case endpoint.Fetch:
			return endpoint.Response{Body: f.about(key(f.t, string(id)), id, sub)}
		case endpoint.List:
			var ids []trust.EntityID
			for i := 0; id == fickleID && i < tarpits; i++ {
				ids = append(ids, trust.EntityID(fmt.Sprintf("https://s%d.example", i)))
			}
			return endpoint.Listed(ids)
		}
		return endpoint.Response{Code: endpoint.NotFound}
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, endpoint.Listing.Path()) {
			<-r.Context().Done()
			return
		}
		answer.ServeHTTP(w, r)
	})
}

// TestTarpits: Intermediates that never say what they list do not delay what those below another member of the Anchor say.
func TestTarpits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		anchor, err := authority.New(authority.Config{EntityID: anchorID, Key: key(t, "anchor"), Dir: filepath.Join(dir, "members"), Clock: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		author, err := membership.NewAuthor(membership.AuthorConfig{Authority: anchor, Key: key(t, "anchor"),
			File: filepath.Join(dir, "listing.jwt"), Rollover: filepath.Join(dir, "rollover.jwts"), Clock: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		f := newFickle(t, &region{authority: anchor})
		hosts := web{"anchor.example": author.Handler(), "fickle.example": f.intermediate(fickleID, anchorID)}
		for i := range tarpits {
			host := fmt.Sprintf("s%d.example", i)
			hosts[host] = f.intermediate(trust.EntityID("https://"+host), fickleID)
		}
		p, err := peering.Open(peering.Config{
			Self: entity("KAZ"), Anchors: []trust.Anchor{anchor.Anchor()}, DataDir: dir, Now: time.Now, AllowPrivate: true,
			Client: &http.Client{Transport: hosts}, Introductions: filepath.Join(dir, "none"), Log: slog.New(slog.DiscardHandler),
			Exchange: func(context.Context, transport.PeerID, []string, string, []byte) ([]byte, error) {
				return nil, errors.New("nobody is there")
			},
			Connected: func() []transport.PeerID { return nil }, Changed: func() {},
		})
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		_, err = p.Refresh(t.Context(), time.Now())
		if n := len(p.Superiors()); n != 1+tarpits {
			t.Fatalf("%d Intermediates, %v", n, err)
		}
		if took := time.Since(begin); took > 30*time.Second {
			t.Errorf("a refresh took %s", took)
		}
	})
}
