// Package attention says what an operator of a running node has to look after although the
// node asks and answers: in the log when it begins and ends, and on the Board as long as it
// lasts.
package attention

import (
	"context"
	"log/slog"
	"sync"
)

// Matter is a word for something that an operator has to look after.
type Matter string

// The words.
const (
	// KEKOverdue: a KEK is older than kek.retention allows, so that backups open who was
	// erased longer ago.
	KEKOverdue Matter = "kek_overdue"
	// EscrowStale: the key escrow could not be written anew, and may hold destroyed keys.
	EscrowStale Matter = "escrow_stale"
	// LedgerContradicted: a peer's receipts contradict each other, so that its ledger was
	// put back to an earlier state, or is not the same for everybody.
	LedgerContradicted Matter = "ledger_contradicted"
)

// Text says what it is about and what to do.
func (m Matter) Text() string {
	switch m {
	case KEKOverdue:
		return "a KEK is older than kek.retention allows, or seems to be from the future, and backups open who was erased longer ago: compare the clock, and see `tamga key list`, and the node's log"
	case EscrowStale:
		return "the key escrow (backup.escrow_file) could not be written anew and may hold destroyed keys: see the node's log"
	case LedgerContradicted:
		return "a peer's ledger contradicts what it has shown before (TMG-ANS-0003): phone its operator; the evidence is in data/contradictions, and the log says whose it is; move the files away once it is settled"
	}
	return string(m)
}

// All are all there are.
func All() []Matter { return []Matter{KEKOverdue, EscrowStale, LedgerContradicted} }

// Board is what a running node knows of what has to be looked after. It is safe for
// concurrent use.
type Board struct {
	log *slog.Logger

	mu    sync.Mutex // guards what follows
	state map[Matter]bool
}

// New returns a Board on which nothing has to be looked after.
func New(log *slog.Logger) *Board { return &Board{log: log, state: make(map[Matter]bool)} }

// note remembers whether something has to be looked after, and reports whether that is
// new.
func (b *Board) note(what Matter, is bool) (changed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	changed = b.state[what] != is
	b.state[what] = is
	return changed
}

// Set says in the log when something has to be looked after, and when not any more. The
// cause may be nil.
func (b *Board) Set(ctx context.Context, what Matter, is bool, cause error) {
	if !b.note(what, is) {
		return
	}
	attributes := []any{slog.String("what", string(what))}
	if cause != nil {
		attributes = append(attributes, slog.String("cause", cause.Error()))
	}
	if is {
		b.log.ErrorContext(ctx, "needs attention", attributes...)
	} else {
		b.log.InfoContext(ctx, "needs no attention any more", attributes...)
	}
}

// List is what somebody has to look after, from memory.
func (b *Board) List() []Matter {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := []Matter{}
	for _, what := range All() {
		if b.state[what] {
			out = append(out, what)
		}
	}
	return out
}
