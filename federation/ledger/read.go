package ledger

import (
	"bytes"
	"errors"
	"fmt"

	badger "github.com/dgraph-io/badger/v4"
	"github.com/tamga-id/tamga/federation/ledger/internal/merkle"
	"github.com/transparency-dev/merkle/rfc6962"
)

// maxEntries bounds what one call of Entries returns.
const maxEntries = 1024

// Size returns the number of durable entries.
func (l *Log) Size() uint64 { return l.head.Load().size }

// Checkpoint returns the latest signed checkpoint; the caller owns it. It keeps
// working after Close.
func (l *Log) Checkpoint() []byte { return bytes.Clone(l.head.Load().checkpoint) }

// Entry returns the leaf at index; the caller owns it. Errors: [ErrRange],
// [ErrTampered], [ErrClosed].
func (l *Log) Entry(index uint64) ([]byte, error) {
	leaves, err := l.Entries(index, 1)
	if err != nil {
		return nil, err
	}
	return leaves[0], nil
}

// Entries returns up to n leaves from index start on, fewer at the end of the
// log and never more than 1024. An index beyond the end is [ErrRange].
func (l *Log) Entries(start uint64, n int) ([][]byte, error) {
	size := l.Size()
	if start >= size || n < 1 {
		return nil, fmt.Errorf("reading entry %d of %d: %w", start, size, ErrRange)
	}
	count := min(uint64(n), maxEntries, size-start)
	leaves := make([][]byte, 0, count)
	err := l.view(func(txn *badger.Txn) error {
		for i := range count {
			leaf, err := entry(txn, start+i)
			if err != nil {
				return err
			}
			leaves = append(leaves, leaf)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading entry %d: %w", start+uint64(len(leaves)), err)
	}
	return leaves, nil
}

// ConsistencyProof returns the RFC 6962 proof that the tree of size newer
// extends the tree of size older; see [lognote.Verifier.Consistency]. Sizes out of order
// or beyond the end are [ErrRange].
func (l *Log) ConsistencyProof(older, newer uint64) ([][]byte, error) {
	if size := l.Size(); older > newer || newer > size {
		return nil, fmt.Errorf("proving consistency of %d and %d in %d: %w", older, newer, size, ErrRange)
	}
	var proof [][]byte
	err := l.view(func(txn *badger.Txn) (err error) {
		proof, err = merkle.Consistency(older, newer, storedNodes(txn))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("proving consistency: %w", err)
	}
	return proof, nil
}

// HasTail reports whether this log still contains the whole tree of one of its
// own earlier checkpoints, which the caller kept or got back from a peer. False
// means that the folder was replaced by an older or a different copy.
func (l *Log) HasTail(checkpoint []byte) (bool, error) {
	c, err := l.identity.Load().verifier.Checkpoint(checkpoint)
	if err != nil {
		return false, fmt.Errorf("looking for tail: %w", err)
	}
	if c.Size > l.Size() {
		return false, nil
	}
	var root []byte
	err = l.view(func(txn *badger.Txn) (err error) {
		root, err = merkle.RootAt(c.Size, storedNodes(txn))
		return err
	})
	if err != nil {
		return false, fmt.Errorf("looking for tail: %w", err)
	}
	return bytes.Equal(root, c.Root[:]), nil
}

func (l *Log) view(f func(*badger.Txn) error) error {
	l.life.RLock()
	defer l.life.RUnlock()
	if l.closed {
		return ErrClosed
	}
	return view(l.db, f)
}

// entry reads one leaf and checks it against its recorded hash.
func entry(txn *badger.Txn, index uint64) ([]byte, error) {
	record, err := hashRecord(txn, index)
	if err != nil {
		return nil, err
	}
	leaf, err := value(txn, keyEntry(index, kindLeaf))
	if errors.Is(err, errAbsent) {
		return nil, tamperedEntry(index, "leaf", "missing")
	}
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(rfc6962.DefaultHasher.HashLeaf(leaf), record[:merkle.HashSize]) {
		return nil, tamperedEntry(index, "leaf", "does not match its hash in the tree")
	}
	return leaf, nil
}
