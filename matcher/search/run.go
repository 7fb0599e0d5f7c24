package search

import (
	"context"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
)

// A stage compares one block of a segment with all queries of a run: q is what
// the run looks for, w the working memory of the goroutine, and lists take the
// candidates, one for each query. Base is the number of rows in the segments
// before this one. The segment is locked for reading.
type stage[Q, W any] func(q *Q, w *W, lists []best, g *segment, base, from, to int)

// engine runs searches over a store, keeping their working memory for the next.
type engine[Q, W any] struct {
	store
	wipe func(*W) // overwrites a goroutine's working memory; nil when that holds nothing

	mu   sync.Mutex
	idle []*run[Q, W] // guarded by mu
}

// run is one search: its queries, and who works on them.
type run[Q, W any] struct {
	of       *engine[Q, W]
	queries  Q
	ctx      context.Context //nolint:containedctx // for the length of one search, which returns before it does
	segments []*segment
	compare  stage[Q, W]
	workers  []*worker[Q, W]
	next     atomic.Int64 // block to be taken next
	stopped  atomic.Bool  // some block was not compared
	group    sync.WaitGroup
}

// worker is the share of one goroutine.
type worker[Q, W any] struct {
	run      *run[Q, W]
	start    func() // work, bound once so that starting a goroutine allocates nothing
	lists    []best
	memory   W
	compared int // references, by the latest stage
}

// begin takes working memory for n queries.
func (e *engine[Q, W]) begin(n int, o Options) (*run[Q, W], error) {
	if o.Most < 1 || o.Most > MaxCandidates || math.IsNaN(o.Limit) {
		return nil, fmt.Errorf("searching: %w: Most or Limit", ErrOptions)
	}
	e.mu.Lock()
	var r *run[Q, W]
	if last := len(e.idle) - 1; last >= 0 {
		r, e.idle = e.idle[last], e.idle[:last]
	}
	e.mu.Unlock()
	if r == nil {
		r = &run[Q, W]{of: e}
		for range e.config.Workers {
			w := &worker[Q, W]{run: r}
			w.start = w.work
			r.workers = append(r.workers, w)
		}
	}
	for _, w := range r.workers {
		for len(w.lists) < n {
			w.lists = append(w.lists, best{})
		}
		for i := range n {
			w.lists[i].reset(o)
		}
	}
	return r, nil
}

// end gives the working memory back; the caller has wiped the queries.
func (e *engine[Q, W]) end(r *run[Q, W]) {
	for _, w := range r.workers {
		for i := range w.lists {
			w.lists[i].wipe()
		}
	}
	r.ctx, r.segments = nil, nil
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed.Load() {
		e.wipeRun(r) // Close did not find it among the idle ones
		return
	}
	e.idle = append(e.idle, r)
}

// wipeRun overwrites what the comparisons of a run's last block left: with a
// probe that somebody knows, the scores tell a good deal of the references.
func (e *engine[Q, W]) wipeRun(r *run[Q, W]) {
	for _, w := range r.workers {
		if e.wipe != nil {
			e.wipe(&w.memory)
		}
	}
}

// Close overwrites the index and the working memory of searches, and gives it
// back. Searches under way end with [ErrClosed], wiping theirs; so does
// everything after it. It may be called twice.
func (e *engine[Q, W]) Close() error {
	e.store.close()
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, r := range e.idle {
		e.wipeRun(r)
	}
	e.idle = nil
	return nil
}

// over says what the run goes over; before any stage.
func (r *run[Q, W]) over(ctx context.Context) {
	r.ctx, r.segments = ctx, *r.of.segments.Load()
	r.stopped.Store(r.of.closed.Load())
}

// rows is over, and the number of rows there.
func (r *run[Q, W]) rows(ctx context.Context) (n int) {
	r.over(ctx)
	for _, g := range r.segments {
		n += len(g.norms)
	}
	return n
}

// do lets the workers compare every block, and returns when all have ended.
func (r *run[Q, W]) do(compare stage[Q, W]) {
	for _, w := range r.workers {
		w.compared = 0
	}
	r.compare = compare
	r.next.Store(0)
	r.group.Add(len(r.workers))
	for _, w := range r.workers[1:] {
		go w.start()
	}
	r.workers[0].work()
	r.group.Wait()
}

func (w *worker[Q, W]) work() {
	r := w.run
	defer r.group.Done()
	at, before, base := 0, 0, 0 // the segment of the block, and the blocks and rows before that segment
	for {
		n := int(r.next.Add(1)) - 1
		for at < len(r.segments) && n-before >= len(r.segments[at].live) {
			before += len(r.segments[at].live)
			base += len(r.segments[at].norms)
			at++
		}
		if at == len(r.segments) {
			return
		}
		if r.ctx.Err() != nil || r.of.closed.Load() {
			r.stopped.Store(true)
			return
		}
		w.block(r.segments[at], base, n-before)
	}
}

func (w *worker[Q, W]) block(g *segment, base, n int) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	e := w.run.of
	from := n * e.block
	to := min(from+e.block, g.used)
	if from >= to || g.live[n] == 0 {
		return
	}
	w.compared += g.live[n]
	w.run.compare(&w.run.queries, &w.memory, w.lists, g, base, from, to)
}

// gatherOne is gather for a run of one query.
func (r *run[Q, W]) gatherOne(into *Result) error {
	one := [1]Result{*into}
	err := r.gather(one[:])
	*into = one[0]
	return err
}

// gather joins the lists of all workers into the results. Whatever the error,
// results hold what was found; they are Incomplete when it is not nil.
func (r *run[Q, W]) gather(results []Result) error {
	var err error
	switch {
	case r.of.closed.Load():
		err = ErrClosed
	case r.ctx.Err() != nil && r.stopped.Load():
		err = r.ctx.Err()
	}
	first := r.workers[0]
	compared := first.compared
	for _, w := range r.workers[1:] {
		compared += w.compared
		for i := range results {
			for _, c := range w.lists[i].list {
				first.lists[i].offer(c.ID, c.Score)
			}
		}
	}
	for i := range results {
		out := &results[i]
		out.Candidates = append(out.Candidates[:0], first.lists[i].list...)
		out.Compared = compared
		switch {
		case err != nil:
			out.Outcome = Incomplete
		case len(out.Candidates) == 0:
			out.Outcome = NoCandidate
		default:
			out.Outcome = CandidatesOnly
		}
	}
	if err != nil {
		return fmt.Errorf("searching: %w", err)
	}
	return nil
}
