package witness_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/federation/ledger/lognote"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/gap"
	"github.com/tamga-id/tamga/node/ledgers"
	"github.com/tamga-id/tamga/node/requester"
	"github.com/tamga-id/tamga/node/witness"
)

var _ requester.Witness = (*witness.Witness)(nil)

const entity = "https://kaz.example"

var start = time.Date(2026, 11, 26, 3, 0, 0, 0, time.UTC)

// scene is a Witness, and the ledgers of whom it has to do with.
type scene struct {
	*witness.Witness
	t      *testing.T
	cfg    config.Config
	heads  *gap.Heads
	alarms int
}

func newScene(t *testing.T) *scene {
	s := &scene{t: t, cfg: config.Config{DataDir: t.TempDir()}}
	s.restart()
	return s
}

// restart begins with what is in the folder.
func (s *scene) restart() {
	s.t.Helper()
	if s.heads != nil {
		s.must(s.heads.Flush())
	}
	var err error
	s.heads, err = gap.OpenHeads(s.cfg)
	s.must(err)
	s.Witness = witness.New(witness.Config{Heads: s.heads, Dir: witness.Dir(s.cfg), Now: func() time.Time { return start }, Log: slog.New(slog.DiscardHandler),
		Alarm: func(_ context.Context, err error) {
			if s.alarms++; !errors.Is(err, witness.ErrContradicted) {
				s.t.Errorf("alarm about %v", err)
			}
		}})
}

func (s *scene) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// book is a ledger of a member.
type book struct {
	*ledger.Log
	t      *testing.T
	dir    string
	signer lognote.Signer
	member trust.Node
}

func newBook(t *testing.T, entity string, number int) *book {
	t.Helper()
	s, err := lognote.NewSigner(ledgers.Origin(entity, number), bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32))
	if err != nil {
		t.Fatal(err)
	}
	b := &book{t: t, dir: filepath.Join(t.TempDir(), "ledger"), signer: s,
		member: trust.Node{EntityID: trust.EntityID(entity), LedgerOrigin: s.Origin(), LedgerKeys: s.VerifierKeys()}}
	b.open()
	return b
}

func (b *book) open() {
	b.t.Helper()
	var err error
	if b.Log, err = ledger.Open(b.t.Context(), ledger.Config{Dir: b.dir, Signer: b.signer, Now: func() time.Time { return start }}); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = b.Close() })
}

// fork is another ledger with the same entries so far.
func (b *book) fork() *book {
	b.t.Helper()
	f := &book{t: b.t, dir: filepath.Join(b.t.TempDir(), "ledger"), signer: b.signer, member: b.member}
	if err := errors.Join(b.Close(), os.CopyFS(f.dir, os.DirFS(b.dir))); err != nil {
		b.t.Fatal(err)
	}
	b.open()
	f.open()
	return f
}

// answers are as a responder gives them whose entries are made together.
func (b *book) answers(leaves ...string) []protocol.Answer {
	b.t.Helper()
	var all [][]byte
	for _, l := range leaves {
		all = append(all, []byte(l))
	}
	receipts, err := b.AppendAll(b.t.Context(), all)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.verified(receipts)
}

func (b *book) verified(receipts []lognote.Receipt) (out []protocol.Answer) {
	v, err := lognote.NewVerifier(b.member.LedgerOrigin, b.member.LedgerKeys)
	for _, r := range receipts {
		a := protocol.Answer{Signed: true, Receipt: r}
		if err == nil {
			a.Checkpoint, err = v.Included(r)
		}
		out = append(out, a)
	}
	if err != nil {
		b.t.Error(err)
	}
	return out
}

// grow makes n entries that nobody of the scene sees.
func (b *book) grow(n int, kind string) {
	for i := range n {
		b.answers(fmt.Sprint(kind, i))
	}
}

// ask asks, is answered at once, and demands that the answer is believed, or is not.
func (s *scene) ask(b *book, leaf string, believed bool) {
	s.t.Helper()
	take := s.Expect(b.member)
	s.take(take, b.answers(leaf)[0], believed)
}

func (s *scene) take(take func(context.Context, protocol.Answer) error, a protocol.Answer, believed bool) {
	s.t.Helper()
	err := take(s.t.Context(), a)
	if believed && err != nil {
		s.t.Errorf("entry %d of %d: %v", a.Receipt.Index, a.Checkpoint.Size, err)
	}
	if !believed && protocol.CodeOf(err) != protocol.CodeLedgerContradicted {
		s.t.Errorf("entry %d of %d: got %v, want %s", a.Receipt.Index, a.Checkpoint.Size, err, protocol.CodeLedgerContradicted)
	}
}

func (s *scene) files() int {
	s.t.Helper()
	files, err := filepath.Glob(filepath.Join(witness.Dir(s.cfg), "*.json"))
	s.must(err)
	return len(files)
}

// TestGrows: whatever the order in which answers arrive, those of a ledger that only grew
// are believed.
func TestGrows(t *testing.T) {
	s, b := newScene(t), newBook(t, entity, 1)
	type flight struct {
		take func(context.Context, protocol.Answer) error
		a    protocol.Answer
	}
	var flying []flight
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 250 {
		var leaves []string
		var takes []func(context.Context, protocol.Answer) error
		for k := range 1 + random.IntN(4) {
			leaves, takes = append(leaves, fmt.Sprint(i, "/", k)), append(takes, s.Expect(b.member))
		}
		if random.IntN(3) == 0 {
			b.answers("of somebody else") // to whom nothing is told
		}
		for k, a := range b.answers(leaves...) {
			flying = append(flying, flight{takes[k], a})
		}
		for len(flying) > random.IntN(9) {
			k := random.IntN(len(flying))
			s.take(flying[k].take, flying[k].a, true)
			flying = append(flying[:k], flying[k+1:]...)
		}
		if i == 10 {
			s.restart()
		}
	}
	if s.alarms > 0 || s.Standing() || s.files() > 0 {
		t.Errorf("%d alarms, %d files", s.alarms, s.files())
	}
	if known := s.heads.Newest(b.member); known.Size+8 < b.Size() {
		t.Errorf("%d entries are known of %d", known.Size, b.Size())
	}
	if receipts, trees := s.Held(entity); receipts != 128 || trees > 3*receipts {
		t.Errorf("%d receipts are held, and %d trees", receipts, trees)
	}
}

// TestTogether: officers who ask at the same time do not disturb each other.
func TestTogether(t *testing.T) {
	s, b := newScene(t), newBook(t, entity, 1)
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			for k := range 30 {
				take := s.Expect(b.member)
				r, err := b.Append(t.Context(), fmt.Append(nil, i, "/", k))
				if err != nil {
					t.Error(err)
					return
				}
				s.take(take, b.verified([]lognote.Receipt{r})[0], true)
			}
		})
	}
	wait.Wait()
}

// TestPadded: an answer whose checkpoint is padded with signatures of strangers does not
// verify, or is remembered across a restart: never believed and then forgotten.
func TestPadded(t *testing.T) {
	for _, pad := range []int{10 << 10, 40 << 10} {
		s, b := newScene(t), newBook(t, entity, 1)
		b.grow(5, "entry")
		fork := b.fork()
		s.ask(b, "asked 1", true)
		r, err := b.Append(t.Context(), []byte("asked 2"))
		s.must(err)
		for len(r.Checkpoint) < pad {
			r.Checkpoint = append(r.Checkpoint, "\u2014 evil.example "+strings.Repeat("AAAA", 500)+"\n"...)
		}
		v, err := lognote.NewVerifier(b.member.LedgerOrigin, b.member.LedgerKeys)
		s.must(err)
		if c, err := v.Included(r); err == nil {
			s.take(s.Expect(b.member), protocol.Answer{Signed: true, Receipt: r, Checkpoint: c}, true)
		}
		s.restart()
		s.ask(fork, "forked", false)
	}
}

// TestContradictions: each way in which a ledger can show that it is another one.
func TestContradictions(t *testing.T) {
	for name, play := range map[string]func(s *scene, b, fork *book){
		// The fork has five entries, as b had; the scene saw b grow to eight.
		"behind": func(s *scene, b, fork *book) { s.ask(fork, "x", false) },
		"behind-after-restart": func(s *scene, b, fork *book) {
			s.restart()
			s.ask(fork, "x", false)
		},
		"as-long": func(s *scene, b, fork *book) {
			fork.grow(3, "other")
			s.ask(fork, "x", false)
		},
		"as-long-after-restart": func(s *scene, b, fork *book) {
			s.restart()
			fork.grow(3, "other")
			s.ask(fork, "x", false)
		},
		"same-index-under-way": func(s *scene, b, fork *book) {
			one, two := s.Expect(b.member), s.Expect(b.member)
			fork.answers("asked 0", "asked 1", "asked 2") // so that it is the same up to there
			s.take(one, b.answers("a", "b")[0], true)
			s.take(two, fork.answers("x", "y", "z")[0], false)
		},
		"same-size-under-way": func(s *scene, b, fork *book) {
			one, two := s.Expect(b.member), s.Expect(b.member)
			fork.grow(4, "other")
			s.take(one, b.answers("a")[0], true)     // entry 8 of 9
			s.take(two, fork.answers("x")[0], false) // entry 9 of 10
		},
		"shown": func(s *scene, b, fork *book) {
			fork.grow(3, "other")
			if before, err := s.Show(s.t.Context(), b.member, string(fork.Checkpoint())); err != nil || before != string(b.Checkpoint()) {
				s.t.Errorf("was told %q, %v", before, err)
			}
		},
		"shown-after-restart": func(s *scene, b, fork *book) {
			s.restart()
			fork.grow(3, "other")
			if _, err := s.Show(s.t.Context(), b.member, string(fork.Checkpoint())); err != nil {
				s.t.Error(err)
			}
		},
		"shown-against-a-receipt": func(s *scene, b, fork *book) {
			fork.grow(2, "other") // 7 entries, of which the last receipt's leaf is before
			if _, err := s.Show(s.t.Context(), b.member, string(fork.Checkpoint())); err != nil {
				s.t.Error(err)
			}
		},
		"earlier-ledger": func(s *scene, b, _ *book) {
			later := newBook(s.t, entity, 2)
			s.ask(later, "first", true)
			s.ask(b, "late", false)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, b := newScene(t), newBook(t, entity, 1)
			b.grow(5, "entry")
			fork := b.fork()
			for i := range 3 {
				s.ask(b, fmt.Sprint("asked ", i), true)
			}
			play(s, b, fork)
			if s.alarms != 1 || s.files() != 1 || !s.Standing() {
				t.Errorf("%d alarms, %d files", s.alarms, s.files())
			}
		})
	}
}

// TestNoContradiction: what only looks like one.
func TestNoContradiction(t *testing.T) {
	s, b := newScene(t), newBook(t, entity, 1)
	b.grow(2, "entry")
	old := string(b.Checkpoint())
	overtaken := s.Expect(b.member)
	first := b.answers("overtaken")[0]
	s.ask(b, "a", true)
	s.take(overtaken, first, true)
	before, err := s.Show(t.Context(), b.member, old) // smaller: made before, and shown late
	if err != nil || before != string(b.Checkpoint()) {
		t.Errorf("was told %q, %v", before, err)
	}
	if _, err := s.Show(t.Context(), b.member, "no note"); err == nil {
		t.Error("a note that nobody signed is taken")
	}
	// The ledger before, whose answer was under way when the later one began.
	late := s.Expect(b.member)
	last := b.answers("late")[0]
	later := newBook(t, entity, 2)
	s.ask(later, "first", true)
	s.take(late, last, true)
	s.ask(later, "second", true)
	if s.alarms > 0 || s.Standing() {
		t.Errorf("%d alarms", s.alarms)
	}
}

// TestGoesOn: what contradicts changes nothing of what is known: the ledger as it was is
// believed again, as is that which follows it.
func TestGoesOn(t *testing.T) {
	s, b := newScene(t), newBook(t, entity, 1)
	b.grow(5, "entry")
	fork := b.fork()
	for i := range 3 {
		s.ask(b, fmt.Sprint("asked ", i), true)
	}
	for i := range 20 {
		s.ask(fork, fmt.Sprint("x", i), i > 3) // past what is known it cannot be told
		if i == 3 {
			break
		}
	}
	s.ask(b, "as it was", true)
	s.ask(newBook(t, entity, 2), "first", true)
}

// TestEvidence: the folder is bounded for each member, another one has room yet, and the
// alarm ends when it is empty.
func TestEvidence(t *testing.T) {
	s := newScene(t)
	for i, name := range []string{"https://kaz.example/a", "https://kaz.example-a"} { // files of both would have one name
		b := newBook(t, name, 1)
		fork := b.fork()
		b.grow(19, "entry")
		s.ask(b, "asked", true)
		for k := range 12 {
			s.ask(fork, fmt.Sprint("x", k), false)
		}
		if got, want := s.files(), 8*(i+1); got != want {
			t.Errorf("%d files, want %d", got, want)
		}
		if s.alarms != i+1 { // and lines of the log, however many frames
			t.Errorf("%d alarms at once", s.alarms)
		}
	}
	s.restart()
	if !s.Standing() {
		t.Error("a restart ends the alarm")
	}
	s.must(os.RemoveAll(witness.Dir(s.cfg)))
	if s.Standing() {
		t.Error("the alarm does not end")
	}
	// Where nothing can be kept there is an alarm all the same.
	s.must(os.WriteFile(witness.Dir(s.cfg), nil, 0o600))
	b := newBook(t, "https://kgz.example", 1)
	fork := b.fork()
	s.ask(b, "asked", true)
	before := s.alarms
	s.ask(fork, "x", false)
	s.must(os.Remove(witness.Dir(s.cfg)))
	if s.alarms != before+1 || !s.Standing() {
		t.Errorf("%d alarms, standing %t", s.alarms-before, s.Standing())
	}
	// What could not be kept is, as soon as it can be, and is settled as any other.
	if s.files() != 1 {
		t.Errorf("%d files", s.files())
	}
	s.must(os.RemoveAll(witness.Dir(s.cfg)))
	if s.Standing() {
		t.Error("the alarm about what was kept later does not end")
	}
}
