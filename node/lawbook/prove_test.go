package lawbook_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/policy"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/lawbook"
)

const origin = "node.kgz.example/ledger"

// history is a ledger without a tree.
type history struct{ leaves []protocol.Leaf }

func (h *history) Size() uint64 { return uint64(len(h.leaves)) }

func (h *history) Entries(start uint64, n int) (out [][]byte, err error) {
	for i := start; i < h.Size() && len(out) < n; i++ {
		out = append(out, must(h.leaves[i].Marshal()))
	}
	return out, nil
}

// decided appends decisions by a text.
func (h *history) decided(text []byte, n int, at time.Time) {
	d := must(policy.Load("x", text)).Digest()
	for range n {
		e := protocol.Envelope{Issuer: "https://a.example", Audience: entity, Purpose: "border_control", LegalBasis: "public_task", Operation: "verify", Officer: "o"}
		h.leaves = append(h.leaves, protocol.NewLeaf(protocol.LeafAnswer, e, protocol.Hash{1},
			protocol.Verdict{Outcome: protocol.Matched, Code: protocol.CodeMatched, FMROneIn: 1000, Policy: protocol.PolicyRef{ID: "p", Text: protocol.Hash(d)}}, at))
	}
}

// record is what a node does.
func (h *history) record(at time.Time) lawbook.Recorded {
	return func(p lawbook.Proposal, evidence []byte, _ []string) (string, uint64, error) {
		l := protocol.NewLeaf(protocol.LeafLaw, protocol.Envelope{Issuer: entity, Audience: entity}, protocol.Hash(p.Digest()),
			protocol.Verdict{Policy: protocol.PolicyRef{Version: p.Version, Text: protocol.Hash(p.Law().Digest())}}, at)
		l.Evidence = string(evidence)
		h.leaves = append(h.leaves, l)
		return origin, h.Size() - 1, nil
	}
}

func (h *history) publish(t *testing.T, book *lawbook.Book, text []byte, at time.Time) {
	t.Helper()
	p := propose(t, book, text)
	must(book.Publish(p, approve(p, a, b), operators(), at, h.record(at)))
}

// two is a book with two publications, and decisions before, between and after them.
func two(t *testing.T) (string, *history) {
	dir, h := filepath.Join(t.TempDir(), "laws"), new(history)
	book := open(t, dir)
	h.decided(first(), 300, noon)
	h.publish(t, book, next("2026.8"), noon.Add(time.Hour))
	h.decided(next("2026.8"), 300, noon.Add(2*time.Hour))
	h.publish(t, book, next("2026.9"), noon.Add(3*time.Hour))
	return dir, h
}

// TestProve: one person with the disk executes no text but the one that two operators published last.
func TestProve(t *testing.T) {
	later, soon := noon.Add(5*time.Hour), noon.Add(3*time.Hour+time.Second)
	change := func(number, old, new string) func(t *testing.T, dir string, h *history) {
		return func(t *testing.T, dir string, h *history) {
			h.decided(next("2026.9"), 300, later)
			path := filepath.Join(dir, number)
			src := string(must(os.ReadFile(path)))
			if !strings.Contains(src, old) {
				t.Fatal("nothing to change")
			}
			if err := os.WriteFile(path, []byte(strings.Replace(src, old, new, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	remove := func(name string, n int, at time.Time, by []byte) func(t *testing.T, dir string, h *history) {
		return func(t *testing.T, dir string, h *history) {
			h.decided(by, n, at)
			if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		change func(t *testing.T, dir string, h *history)
		want   error
	}{
		"nothing":           {func(_ *testing.T, _ string, h *history) { h.decided(next("2026.9"), 300, later) }, nil},
		"no-decisions-yet":  {func(*testing.T, string, *history) {}, nil},
		"in-flight":         {func(_ *testing.T, _ string, h *history) { h.decided(next("2026.8"), 3, soon) }, nil},
		"newest-deleted":    {remove("000002.json", 300, later, next("2026.9")), lawbook.ErrUnpublished},
		"deleted-at-once":   {remove("000002.json", 0, later, first()), lawbook.ErrUnpublished},
		"deleted-in-flight": {remove("000002.json", 3, soon, next("2026.8")), lawbook.ErrUnpublished},
		"all-deleted":       {remove("", 300, later, next("2026.9")), lawbook.ErrUnpublished},
		"note":              {change("000001.json", "hotels asked for it", "a court ordered it"), lawbook.ErrForged},
		"time":              {change("000001.json", `"at": "2026`, `"at": "2025`), lawbook.ErrForged},
		"newest-time":       {change("000002.json", `"at": "2026`, `"at": "2025`), lawbook.ErrForged},
		"entry":             {change("000002.json", `"entry": 601`, `"entry": 300`), lawbook.ErrForged},
		"no-entry":          {change("000002.json", `"entry": 601`, `"entry": 60100`), lawbook.ErrForged},
		"foreign-origin":    {change("000002.json", origin, "other.example/ledger"), lawbook.ErrForged},
		"later-origin":      {change("000002.json", origin, origin+"/2"), lawbook.ErrForged},
	} {
		t.Run(name, func(t *testing.T) {
			dir, h := two(t)
			c.change(t, dir, h)
			book, err := lawbook.Open(dir, must(policy.Load("law.cedar", first())), first())
			if err == nil {
				err = book.Prove(origin, h, operators())
			}
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

// TestProveFirst: once there are two operators the file of the configuration is not one person's to change, also before
// anything was published; without them nobody could publish.
func TestProveFirst(t *testing.T) {
	h := new(history)
	h.decided(first(), 10, noon)
	for _, c := range []struct {
		text      []byte
		operators []jose.PublicKey
		want      error
	}{{first(), operators(), nil}, {next("2026.8"), operators(), lawbook.ErrUnpublished}, {next("2026.8"), operators()[:1], nil}, {next("2026.8"), nil, nil}} {
		book := must(lawbook.Open(filepath.Join(t.TempDir(), "laws"), must(policy.Load("x", c.text)), c.text))
		if err := book.Prove(origin, h, c.operators); !errors.Is(err, c.want) {
			t.Errorf("%d operators: %v, want %v", len(c.operators), err, c.want)
		}
	}
	// A restored node has the newest text as the file of its configuration, and no folder.
	_, h = two(t)
	text := next("2026.9")
	if err := must(lawbook.Open(filepath.Join(t.TempDir(), "laws"), must(policy.Load("x", text)), text)).Prove(origin, h, operators()); err != nil {
		t.Errorf("restored: %v", err)
	}
}

// TestProveLaterLedger: after a ledger was given up the newest publication needs two operators of today.
func TestProveLaterLedger(t *testing.T) {
	dir, _ := two(t)
	book := open(t, dir)
	if err := book.Prove(origin+"/2", new(history), operators()); err != nil {
		t.Errorf("got %v", err)
	}
	if err := book.Prove(origin+"/2", new(history), []jose.PublicKey{a.Public(), c.Public()}); !errors.Is(err, lawbook.ErrForged) {
		t.Errorf("with other operators: %v", err)
	}
}

// TestPublishKilled: between the entry and the file, the publication is finished at the next start; before the entry there
// is none.
func TestPublishKilled(t *testing.T) {
	killed := errors.New("killed")
	for name, entry := range map[string]bool{"before-entry": false, "after-entry": true} {
		dir, h := two(t)
		book := open(t, dir)
		p := propose(t, book, first())
		record := h.record(noon.Add(4 * time.Hour))
		_, err := book.Publish(p, approve(p, a, b), operators(), noon.Add(4*time.Hour), func(p lawbook.Proposal, evidence []byte, signed []string) (string, uint64, error) {
			if entry {
				_, _, _ = record(p, evidence, signed)
			}
			return "", 0, killed
		})
		if !errors.Is(err, killed) {
			t.Fatal(err)
		}
		book = open(t, dir)
		want := uint64(2)
		if err := book.Prove(origin, h, operators()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if entry {
			want = 3
		}
		for range 2 {
			if last := book.Last(); last.Number != want || entry && (last.Entry != h.Size()-1 || len(last.Operators) != 2) {
				t.Errorf("%s: number %d, entry %d", name, last.Number, last.Entry)
			}
			book = open(t, dir)
			if err := book.Prove(origin, h, operators()); err != nil {
				t.Errorf("%s, the start after it: %v", name, err)
			}
		}
	}
}
