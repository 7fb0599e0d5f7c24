// Package inforce keeps the law of a running node: it opens the book of laws, proves it against
// the node's ledger, puts publications into force after saying so there, and follows what other
// nodes of a shared store publish.
//
// [Open] reads what needs no key; Prove comes next, before anything is answered; Run follows
// the others. Queries under way are decided by the law under which they began.
//
// Not here: the book itself, its proposals and approvals (node/lawbook), and what a law says
// (federation/policy).
package inforce

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/federation/policy"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/gap"
	"github.com/tamga-id/tamga/node/lawbook"
	"github.com/tamga-id/tamga/node/rows"
)

// ErrForeign: the law file is another country's. A node that executed it would refuse
// and allow by articles that bind nobody here.
var ErrForeign = errors.New("the law is of another country")

// Own refuses, with an error that matches [ErrForeign], a law that is not of the jurisdiction.
func Own(law *policy.Law, jurisdiction string) error {
	if law.Jurisdiction() != jurisdiction {
		return fmt.Errorf("%w: the law file is of %s, the node of %s", ErrForeign, law.Jurisdiction(), jurisdiction)
	}
	return nil
}

// Dir is where a node keeps the laws that were published.
func Dir(cfg config.Config) string { return filepath.Join(cfg.DataDir, "laws") }

// OpenBook opens the book of the node that cfg describes. It needs no key, and may be done while the node runs.
func OpenBook(cfg config.Config) (*lawbook.Book, error) {
	src, err := os.ReadFile(cfg.Policy.Law)
	if err != nil {
		return nil, fmt.Errorf("reading law: %w", err)
	}
	first, err := policy.Load(cfg.Policy.Law, src)
	if err != nil {
		return nil, err
	}
	if err := Own(first, cfg.Jurisdiction); err != nil {
		return nil, fmt.Errorf("opening node: %w", err)
	}
	return lawbook.Open(Dir(cfg), first, src)
}

// Config is what the law of a running node needs beside its book. All fields are required.
type Config struct {
	Ledger *ledger.Log
	Origin string // of Ledger
	Rows   *rows.Rows
	// Announce runs change while nothing else changes of what the node says about itself, and
	// publishes that anew when change reports that a law was put into force.
	Announce func(change func() (enacted bool, err error)) error
	Now      func() time.Time
	Log      *slog.Logger
}

// Law is the law of a node. Publish, Simulate and Publications are safe for concurrent use after Prove.
type Law struct {
	// Immutable after Prove.
	node config.Config
	cfg  Config
	book *lawbook.Book

	current lawbook.Current
}

// Open reads the book of the node that cfg describes and puts its newest law into force.
func Open(cfg config.Config) (*Law, error) {
	book, err := OpenBook(cfg)
	if err != nil {
		return nil, err
	}
	law, err := policy.Load(cfg.Policy.Law, book.Last().Text)
	if err != nil {
		return nil, err
	}
	l := &Law{node: cfg, book: book}
	l.current.Set(law)
	return l, nil
}

// Current is the law in force.
func (l *Law) Current() *lawbook.Current { return &l.current }

// Prove demands that the ledger knows the law in force, and every text before it, and takes
// what other nodes of the store published while this one did not run. It is called once.
func (l *Law) Prove(ctx context.Context, cfg Config) error {
	l.cfg = cfg
	if err := l.prove(); err != nil {
		return err
	}
	return l.share(ctx)
}

func (l *Law) prove() error {
	operators, err := gap.Operators(l.node)
	if err != nil {
		return fmt.Errorf("opening node: %w", err)
	}
	before := l.book.Last().Number
	if err := l.book.Prove(l.cfg.Origin, l.cfg.Ledger, operators); err != nil {
		return fmt.Errorf("opening node: %w", err)
	}
	last := l.book.Last()
	if last.Number == before {
		return nil
	}
	// A publication that was under way when the node ended.
	law, err := policy.Load(l.node.Policy.Law, last.Text)
	if err != nil {
		return err
	}
	l.current.Set(law)
	return nil
}

// Publish puts a proposal into force that two operators approved, after saying so in the ledger.
// Errors match [ErrForeign], or are lawbook's or policy's.
func (l *Law) Publish(ctx context.Context, proposal []byte, approvals []string) (done lawbook.Publication, err error) {
	p, err := lawbook.Parse(proposal)
	if err != nil {
		return lawbook.Publication{}, err
	}
	if err := Own(p.Law(), l.node.Jurisdiction); err != nil {
		return lawbook.Publication{}, fmt.Errorf("publishing law: %w", err)
	}
	err = l.cfg.Announce(func() (bool, error) {
		var err error
		done, err = l.enact(ctx, p, approvals)
		return err == nil, err
	})
	return done, err
}

// enact puts a proposal into force, and leaves it to the other nodes of a shared store.
func (l *Law) enact(ctx context.Context, p lawbook.Proposal, approvals []string) (lawbook.Publication, error) {
	if p.EntityID != l.node.EntityID {
		return lawbook.Publication{}, fmt.Errorf("publishing law: %w: it is for another node", lawbook.ErrStale)
	}
	operators, err := gap.Operators(l.node)
	if err != nil {
		return lawbook.Publication{}, fmt.Errorf("publishing law: %w", err)
	}
	now := l.cfg.Now()
	done, err := l.book.Publish(p, approvals, operators, now, func(p lawbook.Proposal, evidence []byte, signers []string) (string, uint64, error) {
		leaf := protocol.NewLeaf(protocol.LeafLaw, protocol.Envelope{
			Issuer: l.node.EntityID, Audience: l.node.EntityID, Purpose: "law", LegalBasis: "legal_obligation", Operation: "publish",
			Officer: fmt.Sprintf("approved-by-%d-operators", len(signers)),
		}, protocol.Hash(p.Digest()), protocol.Verdict{Policy: protocol.PolicyRef{Version: p.Version, Text: protocol.Hash(p.Law().Digest())}}, now)
		leaf.Evidence = string(evidence)
		b, err := leaf.Marshal()
		if err != nil {
			return "", 0, err
		}
		if shelf, ok := l.shelf(); ok {
			// First, so that of two nodes that publish at once one is told that it came too late.
			if err := shelf.Leave(p, approvals); err != nil {
				return "", 0, err
			}
		}
		receipt, err := l.cfg.Ledger.Append(context.WithoutCancel(ctx), b)
		return l.cfg.Origin, receipt.Index, err
	})
	if err != nil {
		return lawbook.Publication{}, err
	}
	l.current.Set(p.Law())
	return done, nil
}

// Publications lists them, oldest first.
func (l *Law) Publications() []lawbook.Publication { return l.book.Publications() }

// Simulate decides again what the newest last entries of the ledger say was decided, under another text; 0 is all.
func (l *Law) Simulate(ctx context.Context, text []byte, last uint64, assumed lawbook.Assumed) (lawbook.Simulation, error) {
	law, err := policy.Load("proposed.cedar", text)
	if err != nil {
		return lawbook.Simulation{}, err
	}
	if err := Own(law, l.node.Jurisdiction); err != nil {
		return lawbook.Simulation{}, fmt.Errorf("simulating law: %w", err)
	}
	size := l.cfg.Ledger.Size()
	from := uint64(0)
	if last > 0 && last < size {
		from = size - last
	}
	var failed error
	s, err := lawbook.Simulate(law, l.entries(ctx, from, size, &failed), assumed)
	if err = errors.Join(err, failed); err != nil {
		return lawbook.Simulation{}, fmt.Errorf("simulating law: %w", err)
	}
	return s, nil
}

// entries yields those of the ledger from one index to before another; failed says why there are no more.
func (l *Law) entries(ctx context.Context, from, to uint64, failed *error) iter.Seq2[uint64, []byte] {
	const step = 512
	return func(yield func(uint64, []byte) bool) {
		for at := from; at < to; {
			if *failed = ctx.Err(); *failed != nil {
				return
			}
			leaves, err := l.cfg.Ledger.Entries(at, int(min(step, to-at)))
			if err != nil {
				*failed = err
				return
			}
			for _, leaf := range leaves {
				if !yield(at, leaf) {
					return
				}
				at++
			}
		}
	}
}
