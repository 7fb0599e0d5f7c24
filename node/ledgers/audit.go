package ledgers

import (
	"context"
	"fmt"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/federation/ledger/lognote"
)

// Audit recomputes the ledger of a running node from its entries and compares the root
// with the checkpoint it last signed; an error that matches [ledger.ErrTampered] says that
// they differ. What ledger.Verify does besides, on a stopped node's folder, needs the
// folder to itself.
func Audit(ctx context.Context, l *ledger.Log, origin string) (ledger.Report, error) {
	v, err := lognote.NewVerifier(origin, l.VerifierKeys())
	if err != nil {
		return ledger.Report{}, fmt.Errorf("verifying ledger: %w", err)
	}
	head, err := v.Checkpoint(l.Checkpoint())
	if err != nil {
		return ledger.Report{}, fmt.Errorf("verifying ledger: %w", err)
	}
	tree := (&compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}).NewEmptyRange(0)
	const step = 512
	for at := uint64(0); at < head.Size; {
		if err := ctx.Err(); err != nil {
			return ledger.Report{}, fmt.Errorf("verifying ledger: %w", err)
		}
		leaves, err := l.Entries(at, int(min(step, head.Size-at)))
		if err != nil {
			return ledger.Report{}, fmt.Errorf("verifying ledger: %w", err)
		}
		if len(leaves) == 0 {
			return ledger.Report{}, fmt.Errorf("verifying ledger: %w: entry %d is missing", ledger.ErrTampered, at)
		}
		for _, leaf := range leaves {
			if err := tree.Append(rfc6962.DefaultHasher.HashLeaf(leaf), nil); err != nil {
				return ledger.Report{}, fmt.Errorf("verifying ledger: %w", err)
			}
		}
		at += uint64(len(leaves))
	}
	root := rfc6962.DefaultHasher.EmptyRoot()
	if head.Size > 0 {
		if root, err = tree.GetRootHash(nil); err != nil {
			return ledger.Report{}, fmt.Errorf("verifying ledger: %w", err)
		}
	}
	if [32]byte(root) != head.Root {
		return ledger.Report{}, fmt.Errorf("verifying ledger: %w: the entries do not hash to the signed root", ledger.ErrTampered)
	}
	return ledger.Report{Size: head.Size, Root: head.Root, Time: head.Time}, nil
}
