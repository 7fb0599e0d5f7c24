package node

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"

	"github.com/tamga-id/tamga/federation/policy"
	"github.com/tamga-id/tamga/federation/policy/inventory"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/gap"
	"github.com/tamga-id/tamga/node/lawbook"
)

// ErrForeignLaw: the law file is another country's. A node that executed it would refuse
// and allow by articles that bind nobody here.
var ErrForeignLaw = errors.New("the law is of another country")

func ownLaw(law *policy.Law, jurisdiction string) error {
	if law.Jurisdiction() != jurisdiction {
		return fmt.Errorf("%w: the law file is of %s, the node of %s", ErrForeignLaw, law.Jurisdiction(), jurisdiction)
	}
	return nil
}

// LawbookDir is where a node keeps the laws that were published.
func LawbookDir(cfg config.Config) string { return filepath.Join(cfg.DataDir, "laws") }

// OpenLawbook opens the book of the node that cfg describes. It needs no key, and may be done while the node runs.
func OpenLawbook(cfg config.Config) (*lawbook.Book, error) {
	src, err := os.ReadFile(cfg.Policy.Law)
	if err != nil {
		return nil, fmt.Errorf("reading law: %w", err)
	}
	first, err := policy.Load(cfg.Policy.Law, src)
	if err != nil {
		return nil, err
	}
	if err := ownLaw(first, cfg.Jurisdiction); err != nil {
		return nil, fmt.Errorf("opening node: %w", err)
	}
	return lawbook.Open(LawbookDir(cfg), first, src)
}

// loadLaw puts the newest law into force.
func (n *Node) loadLaw() (err error) {
	if n.laws, err = OpenLawbook(n.cfg); err != nil {
		return err
	}
	law, err := policy.Load(n.cfg.Policy.Law, n.laws.Last().Text)
	if err != nil {
		return err
	}
	n.law.Set(law)
	return nil
}

// proveLaw demands that the ledger knows the law in force, and every text before it.
func (n *Node) proveLaw() error {
	operators, err := gap.Operators(n.cfg)
	if err != nil {
		return fmt.Errorf("opening node: %w", err)
	}
	before := n.laws.Last().Number
	if err := n.laws.Prove(n.keys.Ledger.Origin(), n.ledger, operators); err != nil {
		return fmt.Errorf("opening node: %w", err)
	}
	last := n.laws.Last()
	if last.Number == before {
		return nil
	}
	// A publication that was under way when the node ended.
	law, err := policy.Load(n.cfg.Policy.Law, last.Text)
	if err != nil {
		return err
	}
	n.law.Set(law)
	return nil
}

// PublishLaw puts a proposal into force that two operators approved, after saying so in the ledger. Queries under way are
// decided by the law under which they began.
func (n *Node) PublishLaw(ctx context.Context, proposal []byte, approvals []string) (lawbook.Publication, error) {
	p, err := lawbook.Parse(proposal)
	if err != nil {
		return lawbook.Publication{}, err
	}
	if err := ownLaw(p.Law(), n.cfg.Jurisdiction); err != nil {
		return lawbook.Publication{}, fmt.Errorf("publishing law: %w", err)
	}
	n.takingUp.Lock() // the Entity Configuration is made of law and keys
	defer n.takingUp.Unlock()
	done, err := n.enact(ctx, p, approvals)
	if err != nil {
		return lawbook.Publication{}, err
	}
	return done, n.publish(n.keys)
}

// enact puts a proposal into force, and leaves it to the other nodes of a shared store.
func (n *Node) enact(ctx context.Context, p lawbook.Proposal, approvals []string) (lawbook.Publication, error) {
	if p.EntityID != n.cfg.EntityID {
		return lawbook.Publication{}, fmt.Errorf("publishing law: %w: it is for another node", lawbook.ErrStale)
	}
	operators, err := gap.Operators(n.cfg)
	if err != nil {
		return lawbook.Publication{}, fmt.Errorf("publishing law: %w", err)
	}
	now := n.now()
	done, err := n.laws.Publish(p, approvals, operators, now, func(p lawbook.Proposal, evidence []byte, signers []string) (string, uint64, error) {
		leaf := protocol.NewLeaf(protocol.LeafLaw, protocol.Envelope{
			Issuer: n.cfg.EntityID, Audience: n.cfg.EntityID, Purpose: "law", LegalBasis: "legal_obligation", Operation: "publish",
			Officer: fmt.Sprintf("approved-by-%d-operators", len(signers)),
		}, protocol.Hash(p.Digest()), protocol.Verdict{Policy: protocol.PolicyRef{Version: p.Version, Text: protocol.Hash(p.Law().Digest())}}, now)
		leaf.Evidence = string(evidence)
		b, err := leaf.Marshal()
		if err != nil {
			return "", 0, err
		}
		if shelf, ok := n.shelf(); ok {
			// First, so that of two nodes that publish at once one is told that it came too late.
			if err := shelf.Leave(p, approvals); err != nil {
				return "", 0, err
			}
		}
		receipt, err := n.ledger.Append(context.WithoutCancel(ctx), b)
		return n.keys.Ledger.Origin(), receipt.Index, err
	})
	if err != nil {
		return lawbook.Publication{}, err
	}
	n.law.Set(p.Law())
	return done, nil
}

// BiometricData is the list of what the country holds. Nobody may change it.
func (n *Node) BiometricData() []inventory.Entry { return n.cfg.BiometricData }

// Laws lists the publications, oldest first.
func (n *Node) Laws() []lawbook.Publication { return n.laws.Publications() }

// SimulateLaw decides again what the newest last entries of the ledger say was decided, under another text; 0 is all.
// Every subject is taken to be of the class; empty: unspecified.
func (n *Node) SimulateLaw(ctx context.Context, text []byte, last uint64, class string) (lawbook.Simulation, error) {
	law, err := policy.Load("proposed.cedar", text)
	if err != nil {
		return lawbook.Simulation{}, err
	}
	if err := ownLaw(law, n.cfg.Jurisdiction); err != nil {
		return lawbook.Simulation{}, fmt.Errorf("simulating law: %w", err)
	}
	size := n.ledger.Size()
	from := uint64(0)
	if last > 0 && last < size {
		from = size - last
	}
	var failed error
	s, err := lawbook.Simulate(law, n.entries(ctx, from, size, &failed), lawbook.Assumed{Class: class, Limits: n.limits(), Searches: n.searchLimits()})
	if err = errors.Join(err, failed); err != nil {
		return lawbook.Simulation{}, fmt.Errorf("simulating law: %w", err)
	}
	return s, nil
}

// entries yields those of the ledger from one index to before another; failed says why there are no more.
func (n *Node) entries(ctx context.Context, from, to uint64, failed *error) iter.Seq2[uint64, []byte] {
	const step = 512
	return func(yield func(uint64, []byte) bool) {
		for at := from; at < to; {
			if *failed = ctx.Err(); *failed != nil {
				return
			}
			leaves, err := n.ledger.Entries(at, int(min(step, to-at)))
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
