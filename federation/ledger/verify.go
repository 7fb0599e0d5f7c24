package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	badger "github.com/dgraph-io/badger/v4"
	"github.com/tamga-id/tamga/federation/ledger/internal/merkle"
	"github.com/tamga-id/tamga/federation/ledger/lognote"
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
)

// progressEvery is how many entries lie between two calls of a progress function.
const progressEvery = 1024

// Report is what [Verify] found in a sound folder.
type Report struct {
	// Size is the number of entries, all of which were read and hashed.
	Size uint64
	// Root is the tree hash computed from them; it equals the signed one.
	Root [32]byte
	// Time is when the latest checkpoint was signed, if that is known.
	Time time.Time
	// Tables is how many table files were checked, block by block.
	Tables int
	// Clean is false when the log was stopped without Close; what its
	// write-ahead logs hold was verified with the rest.
	Clean bool
}

// Verify audits the folder of a log that nobody has open. It recomputes every
// leaf hash and every tree node from the entries and compares them, the root,
// the signed checkpoint and the one in the checkpoint file. It changes nothing
// below dir; it works on links and copies in the system's temporary folder.
//
// Damage of any kind comes back as a *[TamperError]. Other errors mean that the
// audit could not be done: [ErrLocked], [lognote.ErrOrigin], [lognote.ErrKey], or the file system's.
// progress, which may be nil, is told now and then how many entries are done.
func Verify(ctx context.Context, dir string, v lognote.Verifier, progress func(done, total uint64)) (Report, error) {
	if progress == nil {
		progress = func(uint64, uint64) {}
	}
	r, err := verify(ctx, dir, v, progress)
	if err != nil {
		return Report{}, fmt.Errorf("verifying ledger: %w", err)
	}
	return r, nil
}

func verify(ctx context.Context, dir string, v lognote.Verifier, progress func(done, total uint64)) (Report, error) {
	lock, err := lockDir(dir)
	if err != nil {
		return Report{}, err
	}
	defer lock.Close()
	known, err := recall(filepath.Join(dir, slotFile), v)
	if err != nil {
		return Report{}, err
	}
	store := filepath.Join(dir, storeDir)
	files, err := examine(ctx, store, true)
	if err != nil {
		return Report{}, err
	}
	r := Report{Root: known.Best.Root, Time: known.Best.Time, Tables: len(files.Tables), Clean: files.Clean()}
	if r.Clean && known.Invalid > 0 {
		return Report{}, tampered("checkpoint file", "one slot is damaged although the log was closed in order")
	}
	if files.Manifest == "" {
		if known.Best.Size > 0 {
			return Report{}, rolledBack(0, known.Best.Size)
		}
		return r, nil
	}
	err = withSnapshot("", files, func(txn *badger.Txn) error {
		return r.audit(ctx, txn, v, known.Best, progress)
	})
	if err != nil {
		return Report{}, err
	}
	return r, nil
}

// audit fills in what only the entries can tell. The entries are walked even if
// the head is wrong, because the first bad entry says more.
func (r *Report) audit(ctx context.Context, txn *badger.Txn, v lognote.Verifier, known lognote.Checkpoint, progress func(done, total uint64)) error {
	c, raw, err := storedCheckpoint(txn, v)
	if err != nil {
		return err
	}
	size := max(c.Size, known.Size)
	tree, err := auditEntries(ctx, txn, 0, size, progress)
	if err != nil {
		if bad, ok := errors.AsType[*TamperError](err); ok && c.Size < known.Size && bad.Entry >= int64(c.Size) {
			return rolledBack(c.Size, known.Size)
		}
		return err
	}
	h, err := checkHead(txn, v, known)
	if err != nil {
		return err
	}
	root, err := merkle.Root(tree)
	if err != nil {
		return err
	}
	if raw != nil {
		if !bytes.Equal(root, c.Root[:]) {
			return tampered("tree", "every entry fits its hashes, but their root is not the signed one")
		}
		r.Time = c.Time
	}
	r.Size, r.Root = h.size, [32]byte(root)
	progress(size, size)
	return nil
}

// auditEntries recomputes the tree from entry from on and compares every record.
// With from zero it also insists that the store holds nothing else.
func auditEntries(ctx context.Context, txn *badger.Txn, from, size uint64, progress func(done, total uint64)) (*compact.Range, error) {
	tree, err := merkle.Load(from, storedNodes(txn))
	if err != nil {
		return nil, err
	}
	opts := badger.DefaultIteratorOptions
	opts.PrefetchValues = false // prefetching would read in other goroutines
	it := txn.NewIterator(opts)
	defer it.Close()
	w := &walk{it: it}
	if from > 0 {
		it.Seek(keyEntry(from, kindHashes))
	} else {
		it.Rewind()
		if it.Valid() && bytes.Equal(it.Item().Key(), keyCheckpoint()) {
			it.Next()
		}
	}
	for index := from; index < size; index++ {
		if index%progressEvery == 0 {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if progress != nil {
				progress(index, size)
			}
		}
		if err := w.entry(tree, index); err != nil {
			return nil, err
		}
	}
	if it.Valid() {
		return nil, tamperedEntry(size, "record", "not part of the signed log")
	}
	return tree, nil
}

// walk compares records in key order.
type walk struct{ it *badger.Iterator }

// entry appends the leaf at index to tree and compares the nodes it completes
// with those in the store.
func (w *walk) entry(tree *compact.Range, index uint64) error {
	hashes, err := w.next(index, kindHashes, "tree hashes")
	if err != nil {
		return err
	}
	leaf, err := w.next(index, kindLeaf, "leaf")
	if err != nil {
		return err
	}
	if lognote.CheckLeaf(leaf) != nil {
		return tamperedEntry(index, "leaf", "impossible length")
	}
	if len(hashes) != merkle.HashSize*merkle.Hashes(index) {
		return tamperedEntry(index, "tree hashes", "wrong length")
	}
	var bad error
	err = tree.Append(rfc6962.DefaultHasher.HashLeaf(leaf), func(id compact.NodeID, hash []byte) {
		at := int(id.Level) * merkle.HashSize
		if bad != nil || bytes.Equal(hash, hashes[at:at+merkle.HashSize]) {
			return
		}
		bad = tamperedEntry(index, "tree hashes", fmt.Sprintf("node at level %d does not follow from the entries below it", id.Level))
		if id.Level == 0 {
			bad = tamperedEntry(index, "leaf", "does not match its hash in the tree")
		}
	})
	return errors.Join(err, bad)
}

// next returns the value of the expected record, valid until the call after.
func (w *walk) next(index uint64, kind byte, part string) ([]byte, error) {
	if !w.it.Valid() || !bytes.Equal(w.it.Item().Key(), keyEntry(index, kind)) {
		return nil, tamperedEntry(index, part, "missing, or something else is in its place")
	}
	b, err := w.it.Item().ValueCopy(nil)
	if err != nil {
		return nil, tamperedEntry(index, part, fmt.Sprintf("unreadable: %v", err))
	}
	w.it.Next()
	return b, nil
}
