package ledger

import (
	badger "github.com/dgraph-io/badger/v4"
)

// What the tests need to see from outside the package.
var (
	StoreOptions  = storeOptions
	KeyEntry      = keyEntry
	KeyCheckpoint = keyCheckpoint
)

// The record kinds.
const (
	KindHashes = kindHashes
	KindLeaf   = kindLeaf
)

// DB lets a test break the store under an open log.
func (l *Log) DB() *badger.DB { return l.db }

// HoldTurn keeps every commit waiting until the returned function is called.
func (l *Log) HoldTurn() (release func()) {
	l.turn <- struct{}{}
	return func() { <-l.turn }
}

// Waiting returns how many batches nobody has taken yet, and how many calls are
// in the last of them.
func (l *Log) Waiting() (batches, items int) {
	l.queue.mu.Lock()
	defer l.queue.mu.Unlock()
	if n := len(l.queue.batches); n > 0 {
		return n, len(l.queue.batches[n-1].items)
	}
	return 0, 0
}

// Closing reports whether Close has begun.
func (l *Log) Closing() bool {
	l.queue.mu.Lock()
	defer l.queue.mu.Unlock()
	return l.queue.closed
}

// TakeBatch does what a leader does first, and nothing more.
func (l *Log) TakeBatch() (done func()) {
	b := l.queue.take()
	return func() { close(b.done) }
}
