package commit

import (
	"context"
	"errors"
	"sync"

	"github.com/tamga-id/tamga/node/gallery/store"
)

// Queue is group commit without a goroutine of its own, as in federation/ledger: every
// caller joins the queue and waits for whichever comes first, its call being done
// or the turn to commit. Whoever gets the turn commits, with one sync, what is
// at the head of the queue. A lone caller gets the turn at once; while it
// writes, the others gather.
//
// It is safe for concurrent use.
type Queue[C any] struct {
	line   *Line
	limit  int
	commit func([]C) error

	// The calls not yet taken, oldest first.
	mu     sync.Mutex
	calls  []*waiting[C]
	closed bool
}

// waiting is a call with what became of it: err is written before done is closed and read
// after.
type waiting[C any] struct {
	call C
	size int
	err  error
	done chan struct{}
}

// NewQueue is a queue of calls which commit commits, by one who has the turn, as many at
// once as come to a size of limit.
func NewQueue[C any](line *Line, limit int, commit func([]C) error) *Queue[C] {
	return &Queue[C]{line: line, limit: limit, commit: commit}
}

// Await returns when the call is committed, leading commits whenever it gets the turn.
// When ctx ends first the call is withdrawn, or, if its commit is under way, awaited.
func (q *Queue[C]) Await(ctx context.Context, call C, size int) error {
	c := &waiting[C]{call: call, size: size, done: make(chan struct{})}
	if err := q.join(c); err != nil {
		return err
	}
	for {
		select {
		case <-c.done:
			return c.err
		case q.line.turn <- struct{}{}:
			if !over(c.done) && !over(ctx.Done()) { // of two ready cases select takes either
				q.lead()
			}
			<-q.line.turn
		case <-ctx.Done():
			if q.withdraw(c) {
				return ctx.Err()
			}
			<-c.done
			return c.err
		}
	}
}

func over(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// lead commits what is at the head of the queue. The caller has the turn.
func (q *Queue[C]) lead() {
	taken := q.take()
	calls := make([]C, len(taken))
	for i, c := range taken {
		calls[i] = c.call
	}
	err := errStopped
	defer func() {
		for _, c := range taken {
			c.err = err
			close(c.done)
		}
	}()
	if q.line.failed != nil {
		err = q.line.failed
		return
	}
	err = q.commit(calls)
}

// errStopped is what the others are told of a commit that ended in a panic.
var errStopped = errors.New("committing: stopped")

func (q *Queue[C]) join(c *waiting[C]) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return store.ErrClosed
	}
	q.calls = append(q.calls, c)
	return nil
}

// take removes as many calls as one commit should hold, at least one of those
// that wait.
func (q *Queue[C]) take() []*waiting[C] {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, size := 0, 0
	for n < len(q.calls) && (n == 0 || size+q.calls[n].size <= q.limit) {
		size += q.calls[n].size
		n++
	}
	taken := q.calls[:n:n]
	q.calls = q.calls[n:]
	return taken
}

// withdraw reports whether c could still be kept out of a commit.
func (q *Queue[C]) withdraw(c *waiting[C]) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, waiting := range q.calls {
		if waiting == c {
			q.calls = append(q.calls[:i:i], q.calls[i+1:]...)
			return true
		}
	}
	return false
}

// Waiting is how many calls nobody has taken yet.
func (q *Queue[C]) Waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.calls)
}

// Closed reports whether Close was called.
func (q *Queue[C]) Closed() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed
}

// Close refuses calls from now on, and reports whether it was open. Those that wait are
// committed, or fail when the line is closed first.
func (q *Queue[C]) Close() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	was := !q.closed
	q.closed = true
	return was
}
