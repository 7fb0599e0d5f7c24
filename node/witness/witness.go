package witness

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/tamga-id/tamga/federation/ledger/lognote"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/node/gap"
	"github.com/tamga-id/tamga/node/ledgers"
	"github.com/tamga-id/tamga/node/recovery"
)

// ErrContradicted: a member's ledger is not the one that it was.
var ErrContradicted = errors.New("the receipt contradicts what the peer's ledger has shown before")

// Config is what a Witness is made of. All fields are required.
type Config struct {
	Heads *gap.Heads
	Dir   string // see [Dir]; made when it is needed
	// Alarm is called with what somebody has to look after, from the goroutine that asked.
	Alarm func(context.Context, error)
	Now   func() time.Time
	Log   *slog.Logger
}

// Witness is safe for concurrent use.
type Witness struct {
	cfg Config

	mu      sync.Mutex                 // guards what follows
	known   map[trust.EntityID]*memory // one for each member that answered
	unsaved []contradiction            // that are not in the folder, the first of them
	told    map[string]told            // by entity, of members that contradicted themselves
}

// New returns a Witness, who knows what is in Heads.
func New(cfg Config) *Witness {
	return &Witness{cfg: cfg, known: make(map[trust.EntityID]*memory), told: make(map[string]told)}
}

// Forget lets go what is known of those that are not present: their receipts, and of all
// but the latest also the checkpoints in Heads.
func (w *Witness) Forget(present func(trust.EntityID) bool) {
	w.mu.Lock()
	maps.DeleteFunc(w.known, func(id trust.EntityID, _ *memory) bool { return !present(id) })
	w.mu.Unlock()
	w.cfg.Heads.Forget(present)
}

// Expect is called before a Query to the peer is sent. What it returns takes the Answer,
// verified, and fails with a *protocol.Fault if that must not be believed.
func (w *Witness) Expect(peer trust.Node) func(context.Context, protocol.Answer) error {
	floor := w.cfg.Heads.Newest(peer)
	return func(ctx context.Context, a protocol.Answer) error { return w.receive(ctx, peer, floor, a) }
}

// Show takes a checkpoint that the member shows of itself, and returns the newest that was
// known before, empty for none. That one that contradicts an earlier one is evidence, too.
func (w *Witness) Show(ctx context.Context, peer trust.Node, note string) (string, error) {
	head, err := gap.MemberHead(peer, note)
	if err != nil {
		return "", err
	}
	if known, ok := w.other(peer, head); ok {
		w.contradicted(ctx, contradiction{EntityID: string(peer.EntityID), Origin: head.Origin, Rule: ruleRoot, At: w.at(),
			Known: known, Shown: exhibit{Checkpoint: []byte(note)}})
	}
	return w.cfg.Heads.Keep(peer, head), nil
}

// other looks for another tree of the same size.
func (w *Witness) other(peer trust.Node, head gap.Head) (exhibit, bool) {
	if newest := w.cfg.Heads.Newest(peer); newest.Origin == head.Origin && newest.Size == head.Size && string(newest.Root) != string(head.Root) {
		return exhibit{Checkpoint: []byte(newest.Note), Keys: newest.Keys}, true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	m := w.known[peer.EntityID]
	if m == nil || m.number != head.Number {
		return exhibit{}, false
	}
	t, ok := m.trees[head.Size]
	if !ok || string(t.root[:]) == string(head.Root) {
		return exhibit{}, false
	}
	return m.ring[t.at].exhibit(), true
}

func (w *Witness) at() time.Time { return w.cfg.Now().UTC().Truncate(time.Second) }

func (w *Witness) receive(ctx context.Context, peer trust.Node, floor gap.Head, a protocol.Answer) error {
	shown := receipt{Receipt: a.Receipt, size: a.Checkpoint.Size, root: a.Checkpoint.Root}
	shown.before, shown.through = a.Receipt.Prefixes(shown.size)
	_, number := ledgers.Split(peer.LedgerOrigin)
	head := gap.Head{Head: recovery.Head{Origin: peer.LedgerOrigin, Size: shown.size, Root: a.Checkpoint.Root[:]}, Number: number, Note: string(a.Receipt.Checkpoint), Keys: peer.LedgerKeys}

	w.mu.Lock()
	m := w.known[peer.EntityID]
	if m == nil || m.number < number {
		m = newMemory(number) // of the ledger before nothing is expected any more
		w.known[peer.EntityID] = m
	}
	rule, known := below(floor, head, shown)
	if rule == "" && m.number == number {
		rule, known = m.compare(shown)
	}
	if rule == "" && m.number == number {
		m.add(shown)
	}
	w.mu.Unlock()

	if rule == "" {
		w.cfg.Heads.Keep(peer, head)
		return nil
	}
	w.contradicted(ctx, contradiction{
		EntityID: string(peer.EntityID), Origin: peer.LedgerOrigin, Rule: rule, At: w.at(),
		Known: known, Shown: shown.exhibit(),
	})
	return &protocol.Fault{Code: protocol.CodeLedgerContradicted, Err: ErrContradicted}
}

// The rules that a receipt can break.
const (
	ruleOrder = "order" // the entry was made later than one that it comes before
	ruleRoot  = "root"  // the tree of one size is another
)

// below compares a receipt with the newest checkpoint that was known when the Query was sent.
func below(floor, head gap.Head, r receipt) (rule string, known exhibit) {
	switch {
	case floor.Note == "" || floor.Number < head.Number:
		return "", exhibit{}
	case floor.Number > head.Number || r.Index < floor.Size:
		return ruleOrder, exhibit{Checkpoint: []byte(floor.Note), Keys: floor.Keys}
	}
	for size, root := range r.trees {
		if size == floor.Size && string(root[:]) != string(floor.Root) {
			return ruleRoot, exhibit{Checkpoint: []byte(floor.Note), Keys: floor.Keys}
		}
	}
	return "", exhibit{}
}

// receipt is one that verified.
type receipt struct {
	lognote.Receipt
	size                  uint64
	root, before, through [sha256.Size]byte
}

// trees are those that the receipt proves, by size.
func (r receipt) trees(yield func(uint64, [sha256.Size]byte) bool) {
	_ = yield(r.size, r.root) && yield(r.Index, r.before) && yield(r.Index+1, r.through)
}

func (r receipt) exhibit() exhibit {
	return exhibit{Checkpoint: r.Checkpoint, Index: &r.Index, Proof: r.Proof, Leaf: r.Leaf}
}
