package demo_test

import (
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/demo"
	"github.com/tamga-id/tamga/node/requester"
)

// TestClocks: with one of two nodes' clocks minutes or hours off, either way, nothing is answered
// about anybody, the code says that it is the clocks, and when they are right all is well again.
func TestClocks(t *testing.T) {
	var off [2]atomic.Int64
	clock := func(i int) node.Overrides {
		return node.Overrides{Now: func() time.Time { return time.Now().Add(time.Duration(off[i].Load())) }}
	}
	countries := demo.Countries()
	f, err := demo.Start(t.Context(), demo.Options{Dir: t.TempDir(), Countries: []demo.Country{countries[0], countries[3]}, People: 12,
		Log: slog.New(slog.DiscardHandler), Overrides: map[string]node.Overrides{"KAZ": clock(0), "UZB": clock(1)}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}()
	n := 0
	ask := func() protocol.Code {
		n++
		p := f.Members["UZB"].Pop.Person(n % 12)
		res, err := f.Members["KAZ"].Node.Verify(t.Context(), requester.Request{
			Question: protocol.Question{Subject: demo.Subject(p), Probes: []protocol.Probe{{Modality: "face", Format: exchange.FormatEmbedding, Data: p.FaceProbe(n)}}},
			Purpose:  "border_control", LegalBasis: "public_task", Officer: f.Members["KAZ"].Node.Officer("an officer")})
		if err != nil {
			t.Fatal(err)
		}
		return res.Code
	}
	if got := ask(); got != protocol.CodeMatched {
		t.Fatalf("with right clocks: %s", got)
	}
	const long = 60 * 24 * time.Hour // chains of trust are over
	for _, c := range []struct {
		requester, responder time.Duration
		want                 protocol.Code
	}{
		{2 * time.Minute, 0, protocol.CodeLifetime}, {-2 * time.Minute, 0, protocol.CodeExpired},
		{20 * time.Minute, 0, protocol.CodeLifetime}, {-20 * time.Minute, 0, protocol.CodeExpired},
		{5 * time.Hour, 0, protocol.CodeLifetime}, {-5 * time.Hour, 0, protocol.CodeExpired},
		{long, 0, protocol.CodeTrustUndetermined},
		{0, 2 * time.Minute, protocol.CodeExpired}, {0, -2 * time.Minute, protocol.CodeLifetime},
		{0, 20 * time.Minute, protocol.CodeExpired}, {0, -20 * time.Minute, protocol.CodeLifetime},
		{0, 5 * time.Hour, protocol.CodeExpired}, {0, -5 * time.Hour, protocol.CodeLifetime},
		{0, long, protocol.CodeHandshake},
	} {
		off[0].Store(int64(c.requester))
		off[1].Store(int64(c.responder))
		if got := ask(); got != c.want {
			t.Errorf("requester %v, responder %v: %s, want %s", c.requester, c.responder, got, c.want)
		}
		off[0].Store(0)
		off[1].Store(0)
		// At once, or when the directory was looked at again that was looked at meanwhile.
		deadline := time.Now().Add(2 * time.Minute)
		for ask() != protocol.CodeMatched {
			if time.Now().After(deadline) {
				t.Fatalf("with right clocks again, after %v and %v: not answered", c.requester, c.responder)
			}
			time.Sleep(time.Second)
		}
	}
	if e, _ := protocol.Lookup(protocol.CodeExpired); !strings.Contains(e.Next, "clock") {
		t.Errorf("%s does not say what to do: %s", e.Code, e.Next)
	}
	if e, _ := protocol.Lookup(protocol.CodeLifetime); !strings.Contains(e.Next, "clock") {
		t.Errorf("%s does not say what to do: %s", e.Code, e.Next)
	}
}
