package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	badger "github.com/dgraph-io/badger/v4"
	"github.com/tamga-id/tamga/federation/ledger/internal/merkle"
	"github.com/tamga-id/tamga/federation/ledger/lognote"
	"github.com/transparency-dev/merkle/rfc6962"
)

// Group commit without a goroutine of its own: every appender joins the last
// batch of the queue and then waits for whichever comes first, its batch being
// done or the turn to commit. Whoever gets the turn commits the first batch of
// the queue with one sync and one checkpoint signature. A lone appender gets the
// turn at once and pays exactly one commit; while it writes, the others gather
// in the next batch. Where more work waits for a processor than for the disk, those who
// are about to append are let run first: each commit costs two signatures.

// item is what one call appends, contiguous and all or nothing.
type item struct {
	leaves    [][]byte
	hashes    [][]byte
	bytes     int
	first     uint64 // index of leaves[0], set by the commit
	withdrawn bool   // guarded by queue.mu until the batch is taken
}

// batch is committed in one transaction. The result fields are written before
// done is closed and read after.
type batch struct {
	items         []*item
	leaves, bytes int
	done          chan struct{}

	size       uint64
	checkpoint []byte
	grown      *merkle.Growth
	err        error
}

func (b *batch) isDone() bool {
	select {
	case <-b.done:
		return true
	default:
		return false
	}
}

// queue is the batches not yet taken, oldest first.
type queue struct {
	mu      sync.Mutex
	batches []*batch
	closed  bool
}

// join adds it to the last batch, or to a new one when that is full.
func (q *queue) join(it *item) (*batch, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return nil, ErrClosed
	}
	var b *batch
	if n := len(q.batches); n > 0 {
		b = q.batches[n-1]
	}
	if b == nil || b.leaves+len(it.leaves) > maxBatchLeaves || b.bytes+it.bytes > maxBatchBytes {
		b = &batch{done: make(chan struct{})}
		q.batches = append(q.batches, b)
	}
	b.items = append(b.items, it)
	b.leaves += len(it.leaves)
	b.bytes += it.bytes
	return b, nil
}

// take removes the oldest batch and drops what was withdrawn from it. It returns
// nil when nobody waits.
func (q *queue) take() *batch {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.batches) == 0 {
		return nil
	}
	b := q.batches[0]
	q.batches = q.batches[1:]
	kept := b.items[:0]
	for _, it := range b.items {
		if !it.withdrawn {
			kept = append(kept, it)
		}
	}
	b.items = kept
	return b
}

// withdraw reports whether it could still be kept out of its batch.
func (q *queue) withdraw(b *batch, it *item) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, waiting := range q.batches {
		if waiting == b {
			it.withdrawn = true
			return true
		}
	}
	return false
}

// Append adds a leaf of 1 to [lognote.MaxLeaf] bytes and returns when it is durable. The
// receipt shares no memory with leaf or with other receipts. Concurrent calls
// share commits. When ctx ends first the error
// wraps ctx's, and [ErrOutcomeUnknown] if the leaf may be in the log all the
// same. Other errors: [lognote.ErrLeafSize], [ErrClosed], [ErrNoSpace], [ErrFailed].
func (l *Log) Append(ctx context.Context, leaf []byte) (lognote.Receipt, error) {
	rs, err := l.AppendAll(ctx, [][]byte{leaf})
	if err != nil {
		return lognote.Receipt{}, err
	}
	return rs[0], nil
}

// AppendAll adds leaves at consecutive indexes, all or none of them, in one
// commit; at most 1024 of together 512 KiB. Otherwise it is like [Log.Append].
func (l *Log) AppendAll(ctx context.Context, leaves [][]byte) ([]lognote.Receipt, error) {
	it, err := newItem(leaves)
	if err != nil {
		return nil, fmt.Errorf("appending to ledger: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("appending to ledger: %w", err)
	}
	b, err := l.queue.join(it)
	if err != nil {
		return nil, fmt.Errorf("appending to ledger: %w", err)
	}
	if err := l.await(ctx, b, it); err != nil {
		return nil, fmt.Errorf("appending to ledger: %w", err)
	}
	return b.receipts(it)
}

func newItem(leaves [][]byte) (*item, error) {
	it := &item{}
	if len(leaves) == 0 || len(leaves) > maxBatchLeaves {
		return nil, fmt.Errorf("%d leaves at once, want 1 to %d: %w", len(leaves), maxBatchLeaves, lognote.ErrLeafSize)
	}
	for _, leaf := range leaves {
		if err := lognote.CheckLeaf(leaf); err != nil {
			return nil, err
		}
		it.bytes += len(leaf)
		// Copied, because a caller whose ctx ended may reuse its buffer while the
		// batch is still being written.
		it.leaves = append(it.leaves, bytes.Clone(leaf))
		it.hashes = append(it.hashes, rfc6962.DefaultHasher.HashLeaf(leaf))
	}
	if it.bytes > maxBatchBytes {
		return nil, fmt.Errorf("%d bytes at once, want at most %d: %w", it.bytes, maxBatchBytes, lognote.ErrLeafSize)
	}
	return it, nil
}

// await returns when b is committed, leading commits whenever it gets the turn.
func (l *Log) await(ctx context.Context, b *batch, it *item) error {
	for {
		select {
		case <-b.done:
			return b.err
		case l.turn <- struct{}{}:
			if !b.isDone() {
				l.commitNext()
			}
			<-l.turn
		case <-ctx.Done():
			if l.queue.withdraw(b, it) {
				return ctx.Err()
			}
			if b.isDone() {
				return b.err
			}
			return errors.Join(ctx.Err(), ErrOutcomeUnknown)
		}
	}
}

// commitNext commits the oldest batch. The caller has the turn.
func (l *Log) commitNext() {
	runtime.Gosched() // returns at once where nobody else can run
	b := l.queue.take()
	if b == nil {
		return
	}
	defer close(b.done)
	if l.failed != nil {
		b.err = l.failed
		return
	}
	if len(b.items) > 0 {
		b.err = l.commit(b)
	}
}

// commit makes b durable and then visible. The caller has the turn.
func (l *Log) commit(b *batch) error {
	if err := checkSpace(l.dir); err != nil {
		return err
	}
	old := l.head.Load()
	next, err := l.prepare(b, old)
	if err != nil {
		return err
	}
	if err := guard("store", func() error { return l.write(b, old.size, next) }); err != nil {
		// Whether the transaction reached the disk is unknown, and the checkpoint
		// signed for it must never compete with another of the same size.
		l.failed = fmt.Errorf("committing: %v: %w", err, ErrFailed)
		return errors.Join(l.failed, ErrOutcomeUnknown)
	}
	l.head.Store(next)
	err = l.slots.Write(next.checkpoint)
	if err == nil && l.memory != nil {
		err = l.memory.Write(next.checkpoint)
	}
	if err != nil {
		// This batch is durable; the next would not be protected against rollback.
		l.failed = fmt.Errorf("%v: %w", err, ErrFailed)
	}
	return nil
}

// prepare computes the tree and signs its checkpoint.
func (l *Log) prepare(b *batch, old *head) (*head, error) {
	var hashes [][]byte
	for _, it := range b.items {
		it.first = old.size + uint64(len(hashes))
		hashes = append(hashes, it.hashes...)
	}
	g, err := merkle.Grow(old.size, old.frontier, hashes)
	if err != nil {
		return nil, fmt.Errorf("growing tree: %w", err)
	}
	root, err := merkle.Root(g.Tree)
	if err != nil {
		return nil, fmt.Errorf("growing tree: %w", err)
	}
	signed, err := l.identity.Load().signer.Sign(g.Tree.End(), root, l.now())
	if err != nil {
		return nil, fmt.Errorf("signing checkpoint: %w", err)
	}
	b.size, b.checkpoint, b.grown = g.Tree.End(), signed, g
	return &head{size: g.Tree.End(), frontier: g.Tree.Hashes(), checkpoint: signed}, nil
}

// write is the one synced transaction of a batch.
func (l *Log) write(b *batch, first uint64, next *head) error {
	txn := l.db.NewTransaction(true)
	defer txn.Discard()
	i := 0
	for _, it := range b.items {
		for _, leaf := range it.leaves {
			index := first + uint64(i)
			if err := txn.Set(keyEntry(index, kindHashes), b.grown.Records[i]); err != nil {
				return err
			}
			if err := txn.Set(keyEntry(index, kindLeaf), leaf); err != nil {
				return err
			}
			i++
		}
	}
	if err := txn.SetEntry(badger.NewEntry(keyCheckpoint(), next.checkpoint)); err != nil {
		return err
	}
	return txn.Commit()
}

// receipts builds it's receipts outside the turn.
func (b *batch) receipts(it *item) ([]lognote.Receipt, error) {
	rs := make([]lognote.Receipt, len(it.leaves))
	for i, leaf := range it.leaves {
		index := it.first + uint64(i)
		path, err := merkle.Inclusion(index, b.size, b.grown.Read)
		if err != nil {
			return nil, err
		}
		for j := range path {
			path[j] = bytes.Clone(path[j]) // the nodes are shared by the whole batch
		}
		rs[i] = lognote.Receipt{Checkpoint: bytes.Clone(b.checkpoint), Index: index, Proof: path, Leaf: leaf}
	}
	return rs, nil
}
