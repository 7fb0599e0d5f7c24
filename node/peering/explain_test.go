package peering_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/transport"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/authority"
	"github.com/tamga-id/tamga/federation/trust/explain"
	"github.com/tamga-id/tamga/federation/trust/membership"
	"github.com/tamga-id/tamga/node/peering"
)

// TestExplainSilence: an Anchor that takes connections and never answers, while the node polls it,
// lets no question wait longer than its context.
func TestExplainSilence(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	taken := make(chan struct{}, 1) // the first connection is all that is waited for
	var taking sync.WaitGroup
	taking.Go(func() {
		var open []net.Conn
		for {
			c, err := l.Accept()
			if err != nil {
				for _, c := range open {
					_ = c.Close()
				}
				return
			}
			open = append(open, c)
			select {
			case taken <- struct{}{}:
			default:
			}
		}
	})
	defer taking.Wait()
	defer l.Close()
	r := newRegion(t, "KGZ")
	r.also = []trust.Anchor{{EntityID: "https://silent.example", Keys: jose.NewKeySet(key(t, "silent").Public()), Location: "http://" + l.Addr().String()}}
	kaz := r.join(t, "KAZ")
	if _, err := r.author.Publish(kaz.folder); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1) // of Run, which polls
	go func() { done <- kaz.Run(ctx) }()
	<-taken
	asking, enough := context.WithTimeout(ctx, 200*time.Millisecond)
	defer enough()
	told := make(chan peering.Explanation, 1)
	go func() {
		e, err := kaz.Explain(asking, string(entity("KGZ")))
		if err != nil {
			t.Error(err)
		}
		told <- e
	}()
	select {
	case e := <-told:
		i := slices.IndexFunc(e.Decisions, func(s peering.Stage) bool { return s.Name == "anchor" })
		if i < 0 || e.Outcome == explain.NotMember || e.Outcome == explain.Refused {
			t.Errorf("%s: %+v", e.Outcome, e.Decisions)
		}
	case <-time.After(20 * time.Second):
		t.Error("waited for the poll")
	}
	stop()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestExplainPatience: while the node polls an Anchor that hangs, the question goes on after some
// seconds with what is known, and a member of another Anchor is explained as ever.
func TestExplainPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		anchor, err := authority.New(authority.Config{EntityID: anchorID, Key: key(t, "anchor"), Dir: filepath.Join(dir, "members"), Clock: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		author, err := membership.NewAuthor(membership.AuthorConfig{Authority: anchor, Key: key(t, "anchor"),
			File: filepath.Join(dir, "listing.jwt"), Rollover: filepath.Join(dir, "rollover.jwts"), Clock: time.Now})
		if err == nil {
			_, err = anchor.Enroll(configuration(t, "KGZ", nil, nil), authority.EnrollOptions{Jurisdiction: "KGZ"})
		}
		if err != nil {
			t.Fatal(err)
		}
		asked := atomic.Int32{}
		hosts := web{"anchor.example": author.Handler(), "silent.example": http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			<-r.Context().Done()
		})}
		p, err := peering.Open(peering.Config{
			Self: entity("KAZ"), Anchors: []trust.Anchor{{EntityID: "https://silent.example", Keys: jose.NewKeySet(key(t, "silent").Public())}, anchor.Anchor()},
			DataDir: dir, Now: time.Now, AllowPrivate: true, Client: &http.Client{Transport: hosts},
			Introductions: filepath.Join(dir, "none"), Log: slog.New(slog.DiscardHandler),
			Exchange: func(context.Context, transport.PeerID, []string, string, []byte) ([]byte, error) {
				return nil, errors.New("nobody is there")
			},
			Connected: func() []transport.PeerID { return nil }, Changed: func() {},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		var refresh sync.WaitGroup
		refresh.Go(func() { _, _ = p.Refresh(ctx, time.Now()) })
		synctest.Wait()
		if asked.Load() != 1 {
			t.Fatalf("the silent Anchor was asked %d times", asked.Load())
		}
		begin := time.Now()
		e, err := p.Explain(t.Context(), string(entity("KGZ")))
		if err != nil || e.Outcome != explain.Accepted || e.Chain.Anchor != anchorID {
			t.Errorf("%s by %q: %s, %v", e.Outcome, e.Chain.Anchor, e.Reason, err)
		}
		if took := time.Since(begin); took > 10*time.Second || asked.Load() != 1 {
			t.Errorf("it took %s, and asked the silent Anchor %d times", took, asked.Load())
		}
		if i := slices.IndexFunc(e.Decisions, func(s peering.Stage) bool { return s.Name == "anchor" }); i < 0 || e.Decisions[i].State != peering.Warning {
			t.Errorf("nothing is said of the silent Anchor: %+v", e.Decisions)
		}
		stop()
		refresh.Wait()
	})
}
