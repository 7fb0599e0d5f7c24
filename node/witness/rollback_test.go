package witness_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/federation/ledger/lognote"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/transport"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/authority"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/attention"
	"github.com/tamga-id/tamga/node/comparison"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/demo"
	"github.com/tamga-id/tamga/node/gap"
	"github.com/tamga-id/tamga/node/requester"
)

// pair is two members of a federation, of whom UZB asks KAZ.
type pair struct {
	*demo.Federation
	t        *testing.T
	kaz, uzb *demo.Member
	dir      string
	snapshot string
	log      bytes.Buffer
}

func newPair(t *testing.T, uzb node.Overrides) *pair {
	t.Helper()
	p := &pair{t: t, dir: t.TempDir(), snapshot: t.TempDir()}
	countries := slices.DeleteFunc(demo.Countries(), func(c demo.Country) bool { return c.Code != "KAZ" && c.Code != "UZB" })
	var err error
	p.Federation, err = demo.Start(context.WithoutCancel(t.Context()), demo.Options{Dir: p.dir, Countries: countries, People: 1,
		Log: slog.New(slog.NewJSONHandler(&p.log, nil)), Overrides: map[string]node.Overrides{"UZB": uzb}})
	p.must(err)
	t.Cleanup(func() { p.must(p.Close()) })
	p.kaz, p.uzb = p.Members["KAZ"], p.Members["UZB"]
	return p
}

func (p *pair) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// again starts a member that is down, and tells the others where it is now.
func (p *pair) again(m *demo.Member) {
	p.t.Helper()
	p.must(p.Up(m))
	p.moved(m.Code, m.Node)
	p.must(p.Introduce(p.t.Context()))
}

func (p *pair) moved(code string, n *node.Node) {
	p.t.Helper()
	token, err := n.EntityConfiguration()
	p.must(err)
	_, err = p.Authority().Enroll(token, authority.EnrollOptions{Jurisdiction: code})
	p.must(err)
}

// everything are the places of KAZ: its folder, and the files beside it.
func (p *pair) everything(dir string) []string {
	p.t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, filepath.Base(p.kaz.Dir)+"*"))
	p.must(err)
	return all
}

// copyOf copies what is of KAZ from one folder to another.
func (p *pair) copyOf(from, to string) {
	p.t.Helper()
	for _, path := range p.everything(to) {
		p.must(os.RemoveAll(path))
	}
	all := p.everything(from)
	if len(all) < 2 {
		p.t.Fatalf("%d places of the node, want its folder and files beside it", len(all))
	}
	for _, path := range all {
		info, err := os.Stat(path)
		p.must(err)
		if name := filepath.Join(to, filepath.Base(path)); info.IsDir() {
			p.must(os.CopyFS(name, os.DirFS(path)))
		} else {
			b, err := os.ReadFile(path)
			p.must(errors.Join(err, os.WriteFile(name, b, info.Mode())))
		}
	}
}

// ask asks about the one who is enrolled.
func (p *pair) ask() requester.Result {
	p.t.Helper()
	person := p.kaz.Pop.Person(0)
	r, err := p.uzb.Node.Verify(p.t.Context(), requester.Request{Purpose: "border_control", LegalBasis: "public_task", Officer: "o1",
		Question: protocol.Question{Subject: demo.Subject(person),
			Probes: []protocol.Probe{{Modality: comparison.ModalityFace, Format: "tamga-embedding-1", Data: person.FaceProbe(1)}}}})
	p.must(err)
	return r
}

// putBack has KAZ answer, and puts it back to where it was before, with everything. It
// returns how many entries are gone: a Query in the second of a start leaves two.
func (p *pair) putBack(answers int) (gone int) {
	p.t.Helper()
	p.must(p.Down(p.kaz))
	p.copyOf(p.dir, p.snapshot)
	p.again(p.kaz)
	before := p.kaz.Node.Status().Ledger.Size
	for range answers {
		if r := p.ask(); r.Code != protocol.CodeMatched {
			p.t.Fatalf("got %s, want a match", r.Code)
		}
	}
	gone = int(p.kaz.Node.Status().Ledger.Size - before)
	p.must(p.Down(p.kaz))
	p.copyOf(p.snapshot, p.dir)
	return gone
}

// run runs KAZ, whose failure is no failure of the test.
func (p *pair) run() (stop func() error) {
	p.t.Helper()
	n, err := node.Open(context.WithoutCancel(p.t.Context()), filepath.Join(p.kaz.Dir, node.ConfigFile), []byte(demo.Passphrase), slog.New(slog.DiscardHandler), node.Overrides{})
	p.must(err)
	ctx, end := context.WithCancel(p.t.Context())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx, http.NotFoundHandler()) }()
	p.moved("KAZ", n)
	return func() error { end(); return errors.Join(<-done, n.Close()) }
}

// TestToldAtStart: a node that was put back whole hears at its start how far it was, from
// one who has only its receipts, and who was restarted since. It answers nothing.
func TestToldAtStart(t *testing.T) {
	p := newPair(t, node.Overrides{})
	p.putBack(2)
	p.must(p.Down(p.uzb))
	p.must(p.Up(p.uzb))
	p.moved(p.uzb.Code, p.uzb.Node)
	p.must(p.uzb.Node.Refresh(t.Context()))
	n, err := node.Open(context.WithoutCancel(t.Context()), filepath.Join(p.kaz.Dir, node.ConfigFile), []byte(demo.Passphrase), slog.New(slog.DiscardHandler), node.Overrides{})
	p.must(err)
	before := n.Status().Ledger.Size
	if err := n.Run(t.Context(), http.NotFoundHandler()); !errors.Is(err, ledger.ErrOutdated) {
		t.Errorf("got %v, want ErrOutdated", err)
	}
	if r, err := n.Verify(t.Context(), requester.Request{}); err == nil && r.Code != protocol.CodeLedgerUnavailable {
		t.Errorf("it asks: %s", r.Code)
	}
	// Its host is open until Close.
	p.moved("KAZ", n)
	p.must(p.uzb.Node.Refresh(t.Context()))
	if r := p.ask(); r.Outcome != protocol.Unavailable || r.Code == protocol.CodeLedgerContradicted {
		t.Errorf("it answers: %s", r.Code)
	}
	if size := n.Status().Ledger.Size; size != before {
		t.Errorf("%d entries were made", size-before)
	}
	p.must(n.Close())
	cfg, err := config.Load(filepath.Join(p.kaz.Dir, node.ConfigFile))
	p.must(err)
	if err := gap.Refuse(cfg); !errors.Is(err, gap.ErrRecovery) {
		t.Errorf("got %v, want ErrRecovery", err)
	}
}

// TestAtTheFirstQuestion: a node that was put back whole, and hears of it from nobody, is
// found out by who asks it, however often.
func TestAtTheFirstQuestion(t *testing.T) {
	forgetful := func(context.Context, transport.PeerID, []byte) ([]byte, error) { return []byte{1}, nil }
	p := newPair(t, node.Overrides{Protocols: map[string]transport.Handler{transport.ProtocolLedger: forgetful}})
	gone := p.putBack(2)
	stop := p.run()
	p.must(p.uzb.Node.Refresh(t.Context()))
	for i := range gone + 1 { // the last one is at the place that was to come
		r := p.ask()
		if r.Code != protocol.CodeLedgerContradicted || r.Outcome != protocol.Unavailable || r.Reply == "" {
			t.Errorf("question %d: got %s, %s", i, r.Code, r.Outcome)
		}
	}
	if got := p.uzb.Node.Attention(); !slices.Equal(got, []attention.Matter{attention.LedgerContradicted}) {
		t.Errorf("attention %v", got)
	}
	if !strings.Contains(p.log.String(), `"code":"TMG-ANS-0003"`) {
		t.Error("the log does not name the code")
	}
	m, err := p.uzb.Node.Peer("KAZ")
	p.must(err)
	p.evidence(m, map[string]int{"order": gone, "root": 1})
	p.must(stop())
}

// evidence demands files with such rules, whose both sides the member signed.
func (p *pair) evidence(m trust.Node, want map[string]int) {
	p.t.Helper()
	files, err := filepath.Glob(filepath.Join(p.uzb.Dir, "data", "contradictions", "*.json"))
	p.must(err)
	v, err := lognote.NewVerifier(m.LedgerOrigin, m.LedgerKeys)
	p.must(err)
	for _, file := range files {
		b, err := os.ReadFile(file)
		p.must(err)
		type exhibit struct {
			Checkpoint []byte   `json:"checkpoint"`
			Index      uint64   `json:"index"`
			Proof      [][]byte `json:"proof"`
			Leaf       []byte   `json:"leaf"`
		}
		var c struct {
			EntityID     string `json:"entity_id"`
			Rule         string
			Known, Shown exhibit
		}
		p.must(json.Unmarshal(b, &c))
		if c.EntityID != string(m.EntityID) {
			p.t.Errorf("of %s", c.EntityID)
		}
		known, err := v.Checkpoint(c.Known.Checkpoint)
		p.must(err)
		p.must(v.Receipt(lognote.Receipt(c.Shown)))
		if c.Rule == "order" && c.Shown.Index >= known.Size {
			p.t.Errorf("entry %d comes after %d", c.Shown.Index, known.Size)
		}
		want[c.Rule]--
	}
	for rule, n := range want {
		if n != 0 {
			p.t.Errorf("%d too few of %s among %d files", n, rule, len(files))
		}
	}
}
