package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"

	badger "github.com/dgraph-io/badger/v4"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/tamga-id/tamga/federation/ledger/internal/disk"
	"github.com/tamga-id/tamga/federation/ledger/internal/merkle"
	"github.com/tamga-id/tamga/federation/ledger/internal/slots"
	"github.com/tamga-id/tamga/federation/ledger/lognote"
)

// Restore makes in dir, which must not exist, the log that checkpoint was signed
// for, out of its leaves. It needs no private key and signs nothing: what it makes
// ends at the checkpoint, whose root the leaves must hash to, else the error is a
// *[TamperError]. An error of the leaves is returned as it is. With an error the
// folder holds no log that [Open] would take; removing it is the caller's.
func Restore(ctx context.Context, dir string, v lognote.Verifier, checkpoint []byte, leaves iter.Seq2[[]byte, error]) error {
	if err := restore(ctx, dir, v, checkpoint, leaves); err != nil {
		return fmt.Errorf("restoring ledger: %w", err)
	}
	return nil
}

func restore(ctx context.Context, dir string, v lognote.Verifier, checkpoint []byte, leaves iter.Seq2[[]byte, error]) error {
	c, err := v.Checkpoint(checkpoint)
	if err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	lock, err := lockDir(dir)
	if err != nil {
		return err
	}
	defer lock.Close()
	db, err := openStore(storeOptions(filepath.Join(dir, storeDir)))
	if err != nil {
		return err
	}
	r := &restorer{dir: dir, db: db}
	err = r.all(ctx, c, checkpoint, leaves)
	if err = errors.Join(err, guard("store", db.Close)); err != nil {
		return err
	}
	// Last: a store without this file is refused.
	s, err := slots.Open(filepath.Join(dir, slotFile), true, -1)
	if err != nil {
		return err
	}
	return errors.Join(s.Settle(checkpoint), s.Close(), disk.SyncDir(dir), disk.SyncDir(filepath.Dir(dir)))
}

// restorer appends leaves without signing a checkpoint for each batch.
type restorer struct {
	dir      string
	db       *badger.DB
	size     uint64
	frontier [][]byte
	leaves   [][]byte // of the batch in the making
	bytes    int
}

func (r *restorer) all(ctx context.Context, c lognote.Checkpoint, checkpoint []byte, leaves iter.Seq2[[]byte, error]) error {
	for leaf, err := range leaves {
		if err == nil {
			err = lognote.CheckLeaf(leaf)
		}
		if err != nil {
			return err
		}
		if len(r.leaves) == maxBatchLeaves || r.bytes+len(leaf) > maxBatchBytes {
			if err := errors.Join(ctx.Err(), r.flush(nil)); err != nil {
				return err
			}
		}
		r.leaves, r.bytes = append(r.leaves, bytes.Clone(leaf)), r.bytes+len(leaf)
	}
	if err := r.flush(nil); err != nil {
		return err
	}
	if r.size != c.Size {
		return tampered("entries", "%d of them, the checkpoint was signed for %d", r.size, c.Size)
	}
	tree, err := merkle.New(r.size, r.frontier)
	if err != nil {
		return err
	}
	if root, err := merkle.Root(tree); err != nil || !bytes.Equal(root, c.Root[:]) {
		return tampered("entries", "they do not hash to the signed root")
	}
	return r.flush(checkpoint)
}

// flush writes the batch, and the checkpoint when it is the end.
func (r *restorer) flush(checkpoint []byte) error {
	if err := checkSpace(r.dir); err != nil {
		return err
	}
	hashes := make([][]byte, len(r.leaves))
	for i, leaf := range r.leaves {
		hashes[i] = rfc6962.DefaultHasher.HashLeaf(leaf)
	}
	g, err := merkle.Grow(r.size, r.frontier, hashes)
	if err != nil {
		return err
	}
	err = guard("store", func() error {
		return r.db.Update(func(txn *badger.Txn) error {
			for i, leaf := range r.leaves {
				index := r.size + uint64(i)
				if err := errors.Join(txn.Set(keyEntry(index, kindHashes), g.Records[i]), txn.Set(keyEntry(index, kindLeaf), leaf)); err != nil {
					return err
				}
			}
			if checkpoint == nil {
				return nil
			}
			return txn.Set(keyCheckpoint(), checkpoint)
		})
	})
	if err != nil {
		return err
	}
	r.size, r.frontier = g.Tree.End(), g.Tree.Hashes()
	r.leaves, r.bytes = nil, 0
	return nil
}
