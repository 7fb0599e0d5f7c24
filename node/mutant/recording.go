package mutant

import (
	"context"

	"github.com/tamga-id/tamga/federation/ledger/lognote"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/responder"
)

// recording are mutants whose ledger does not hold what they answered.
func recording() []Mutant {
	return []Mutant{
		{"forgets-receipts", "writes an entry for one Query and shows its receipt with every Answer", []string{"TMG-R-012", "TMG-A-008"},
			edits(func(c *responder.Config) { c.Ledger = &lazy{Ledger: c.Ledger} })},
		{"edits-the-record", "records every Query under another officer's name", []string{"TMG-A-008"},
			edits(func(c *responder.Config) {
				c.Ledger = writer{c.Ledger, func(l *protocol.Leaf) { l.Officer = "somebody-else" }}
			})},
		{"records-another-outcome", "records refusals as internal failures", []string{"TMG-A-008"},
			edits(func(c *responder.Config) {
				c.Ledger = writer{c.Ledger, func(l *protocol.Leaf) {
					if l.Outcome == protocol.Refused {
						l.Outcome, l.Code = protocol.Unavailable, protocol.CodeInternal
					}
				}}
			})},
		{"invents-proofs", "shows receipts whose proof leads nowhere", []string{"TMG-L-002"},
			edits(func(c *responder.Config) { c.Ledger = invented{c.Ledger} })},
	}
}

// lazy breaks TMG-R-012: it appends once and answers everything with that receipt.
type lazy struct {
	responder.Ledger
	first memory[lognote.Receipt]
}

func (l *lazy) Append(ctx context.Context, leaf []byte) (lognote.Receipt, error) {
	if r := l.first.load(); r.Leaf != nil {
		return r, nil
	}
	r, err := l.Ledger.Append(ctx, leaf)
	if err == nil {
		l.first.swap(r)
	}
	return r, err
}

// writer breaks TMG-A-008: the entry is durable and says something else.
type writer struct {
	responder.Ledger
	edit func(*protocol.Leaf)
}

func (w writer) Append(ctx context.Context, leaf []byte) (lognote.Receipt, error) {
	l, err := protocol.ParseLeaf(leaf)
	if err != nil {
		return lognote.Receipt{}, err
	}
	w.edit(&l)
	if leaf, err = l.Marshal(); err != nil {
		return lognote.Receipt{}, err
	}
	return w.Ledger.Append(ctx, leaf)
}

// invented breaks TMG-L-002: the leaf is right, the index is the next one.
type invented struct{ responder.Ledger }

func (i invented) Append(ctx context.Context, leaf []byte) (lognote.Receipt, error) {
	r, err := i.Ledger.Append(ctx, leaf)
	r.Index++
	return r, err
}
