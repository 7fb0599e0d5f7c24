package gallery

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/gallery/keyring"
	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/gallery/tally"
)

// Group commit without a goroutine of its own, as in federation/ledger: every
// caller joins the queue and waits for whichever comes first, its call being done
// or the turn to commit. Whoever gets the turn commits, with one sync, what is
// at the head of the queue. A lone caller gets the turn at once; while it
// writes, the others gather.

// call is what one Enrol wants committed at once. The results and err are written
// before done is closed and read after.
type call struct {
	jobs    []job
	size    int
	results []Result // of the jobs
	err     error
	done    chan struct{}
}

// job is an Enrolment with what was worked out before the turn, or the wish to have
// a subject's key wrapped anew.
type job struct {
	e      Enrolment
	p      pseudonym.Pseudonym
	who    named // whom an Enrolment is of
	err    error // the rule it breaks
	rewrap bool  // p alone counts
	rename bool  // p alone counts

	// stored is what the templates come to; nil until Enrol prepared the job. Wipe it.
	stored []protected
	renew  bool // p alone counts
}

// pseudonyms are those that the job looks for.
func (j *job) pseudonyms() []pseudonym.Pseudonym {
	if j.who.names == nil {
		return []pseudonym.Pseudonym{j.p}
	}
	return j.who.pseudonyms()
}

// size estimates what the job writes.
func (j *job) size() int {
	if j.renew {
		return maxSubject
	}
	return j.e.size()
}

func (c *call) isDone() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// queue is the calls not yet taken, oldest first.
type queue struct {
	mu     sync.Mutex
	calls  []*call
	closed bool
}

func (q *queue) join(c *call) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return ErrClosed
	}
	q.calls = append(q.calls, c)
	return nil
}

// take removes as many calls as one commit should hold, at least one of those
// that wait.
func (q *queue) take() []*call {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, size := 0, 0
	for n < len(q.calls) && (n == 0 || size+q.calls[n].size <= maxCommit) {
		size += q.calls[n].size
		n++
	}
	taken := q.calls[:n:n]
	q.calls = q.calls[n:]
	return taken
}

// withdraw reports whether c could still be kept out of a commit.
func (q *queue) withdraw(c *call) bool {
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

// close reports whether it was open.
func (q *queue) close() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	was := !q.closed
	q.closed = true
	return was
}

// await returns when c is committed, leading commits whenever it gets the turn.
// When ctx ends first c is withdrawn, or, if its commit is under way, awaited.
func (g *Gallery) await(ctx context.Context, c *call) error {
	if err := g.queue.join(c); err != nil {
		return err
	}
	for {
		select {
		case <-c.done:
			return c.err
		case g.turn <- struct{}{}:
			if !c.isDone() && !ended(ctx) { // of two ready cases select takes either
				g.lead()
			}
			<-g.turn
		case <-ctx.Done():
			if g.queue.withdraw(c) {
				return ctx.Err()
			}
			<-c.done
			return c.err
		}
	}
}

func ended(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return true
	default:
		return false
	}
}

// lead commits what is at the head of the queue. The caller has the turn.
func (g *Gallery) lead() {
	calls := g.queue.take()
	defer func() {
		for _, c := range calls {
			close(c.done)
		}
	}()
	err := g.failed
	if err == nil {
		err = g.commit(calls)
	}
	if err == nil {
		return
	}
	for _, c := range calls {
		c.err = errors.Join(c.err, err)
	}
}

// commit stores the calls' jobs in one update, or several when they prove larger
// than their estimate. The caller has the turn.
func (g *Gallery) commit(calls []*call) error {
	type place struct {
		c *call
		i int
	}
	var left []place
	for _, c := range calls {
		for i := range c.jobs {
			left = append(left, place{c, i})
		}
	}
	for len(left) > 0 {
		var taken int
		keys := [][]byte{keyLeast(leastProtection), keyLeast(leastKEK)}
		var last string
		for _, at := range left {
			job := &at.c.jobs[at.i]
			for _, p := range job.pseudonyms() {
				keys = append(keys, keyring.StampRow(p), keyring.Row(p))
			}
			if batch := job.e.Batch; batch != "" && batch != last {
				keys, last = append(keys, g.batchKey(batch)), batch
			}
		}
		err := g.update(keys, func(b *bundle) error {
			if err := g.catchUp(b.txn); err != nil {
				return err
			}
			for taken = 0; taken < len(left); taken++ {
				at := left[taken]
				job := &at.c.jobs[at.i]
				if b.size > 0 && b.size+job.size()+maxKeyring > maxCommit {
					return nil
				}
				r, err := b.add(g, job)
				if err != nil {
					return err
				}
				if errors.Is(r.Err, ErrDamaged) {
					at.c.err = r.Err
				}
				b.settled = append(b.settled, settled{&at.c.results[at.i], r})
			}
			return nil
		})
		if err != nil {
			return err
		}
		left = left[taken:]
	}
	return nil
}

// bundle is one transaction in the making.
type bundle struct {
	txn     store.Txn
	tally   tally.Tally // once it is committed
	writes  bool        // whether anything is to be committed
	size    int
	last    write // the last row that it sets
	settled []settled
}

// settled is a result to be published once it stands.
type settled struct {
	at *Result
	is Result
}

// update has f stage a bundle and makes it durable, then counts it, then publishes
// its results. keys are those that f will look at. The caller has the turn.
func (g *Gallery) update(keys [][]byte, f func(*bundle) error) error {
	for {
		err := g.attempt(keys, func(b *bundle) error {
			if g.listsDiffer(b.tally) {
				return errListsDiffer
			}
			return f(b)
		})
		if !errors.Is(err, errListsDiffer) {
			return err
		}
		if err := g.attempt(nil, g.shareErasures); err != nil {
			return err
		}
	}
}

func (g *Gallery) attempt(keys [][]byte, f func(*bundle) error) error {
	if err := g.keep(); err != nil {
		return err
	}
	var b *bundle
	err := g.db.Update(func(txn store.Txn) error {
		if err := txn.Fetch(append(keys, tally.Row(), keyNames())...); err != nil {
			return err
		}
		stored, err := g.latest(txn)
		if err != nil {
			return err
		}
		named, err := g.seeNames(txn)
		if err != nil {
			return err
		}
		b = &bundle{txn: txn, tally: stored}
		b.tally.Commit++
		if err := f(b); err != nil || b.size == 0 && b.tally.Last == stored.Last {
			return err
		}
		if b.tally.Commit == math.MaxUint32 {
			return errors.New("committing: commit numbers are used up")
		}
		b.writes = true
		if !named { // the first commit
			if err := txn.Set(keyNames(), g.names.Load().seal(g.tallies)); err != nil {
				return err
			}
		}
		return txn.Set(tally.Row(), g.tallies.Seal(b.tally))
	})
	if errors.Is(err, store.ErrInDoubt) {
		err = g.settle(b, err)
	}
	if err != nil {
		return err
	}
	g.count(b)
	for _, s := range b.settled {
		*s.at = s.is
	}
	return nil
}

// latest is the tally in the store. It is what this gallery left there, or, of a shared
// store, what another has gone on to.
func (g *Gallery) latest(txn store.Reader) (tally.Tally, error) {
	stored, err := g.tallies.Stored(txn)
	switch {
	case err != nil:
		return tally.Tally{}, store.Damaged("reading tally", err)
	case stored == g.tally:
	case !g.db.Shared():
		return tally.Tally{}, fmt.Errorf("%w: the store is not as the last commit left it", ErrDamaged)
	case stored.Commit <= g.tally.Commit:
		return tally.Tally{}, errBehind
	}
	return stored, nil
}

// see takes note of a tally that stands.
func (g *Gallery) see(t tally.Tally) {
	g.tally = t
	g.subjects.Store(int64(t.Subjects))
	g.commits.Store(t.Commit)
}

// count takes note of a bundle that stands, or of what the store was found at.
func (g *Gallery) count(b *bundle) {
	if !b.writes {
		b.tally.Commit--
		g.see(b.tally)
		return
	}
	g.see(b.tally)
	// This commit is durable whatever comes of it; the next would not be protected.
	g.unkept = g.beside.Write(g.tallies, b.tally) != nil
}

// keep makes up for a tally that could not be written beside the store after its commit,
// when the disk was full for instance, before anything follows.
func (g *Gallery) keep() error {
	if !g.unkept {
		return nil
	}
	if err := g.beside.Write(g.tallies, g.tally); err != nil {
		return err
	}
	g.unkept = false
	return nil
}

// set stages a row.
func (b *bundle) set(w write) error {
	if err := b.txn.Set(w.key, w.value); err != nil {
		return fmt.Errorf("staging subject: %w", err)
	}
	b.size += len(w.key) + len(w.value)
	b.last = w
	return nil
}

// add stages one job. The error is the store's; the job's own is in the Result.
func (b *bundle) add(g *Gallery, j *job) (Result, error) {
	if j.err != nil {
		return Result{Failed, j.err}, nil
	}
	s, err := g.stage(b.txn, b.tally.Commit, j)
	if errors.Is(err, store.ErrUnavailable) {
		return Result{}, err
	}
	if err != nil {
		return Result{Failed, err}, nil
	}
	if err := b.write(s); err != nil {
		return Result{}, err
	}
	return Result{Change: s.change}, nil
}

// write stages what a job comes to.
func (b *bundle) write(s staged) error {
	for _, w := range s.writes {
		if err := b.set(w); err != nil {
			return err
		}
	}
	for _, key := range s.drops {
		if err := b.drop(key); err != nil {
			return err
		}
	}
	b.tally.Sum += s.is.Number() - s.was.Number()
	if s.change == Created {
		b.tally.Subjects++
	}
	return nil
}
