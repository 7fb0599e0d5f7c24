package evaluate

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/tamga-id/tamga/matcher/internal/errorrate"
)

// Capture says whose one sample is.
type Capture struct {
	Set     string // what is compared only among itself; "" is a set like others
	Subject string // unique over all sets
	// Failed gives the reason why there is no template, a short constant; ""
	// when there is one.
	Failed string
}

// Plan is what [Pairs] does.
type Plan struct {
	Modality string
	Protocol string // in words, for the report
	// Captures in the order of their numbers. A subject's first that did not
	// fail is its reference in the gallery of the identification figures.
	Captures []Capture
	// Compare gives the scores of capture i against captures from to
	// from+len(scores)-1. It is called from two goroutines at once, also for
	// captures that failed: those take the lowest score that there is.
	Compare func(i, from int, scores []float64)
	// BothWays compares (i, k) and (k, i), for probes and references that
	// were made in different ways from the same captures.
	BothWays bool
}

// Pairs compares every capture of a set with every other and reports on each
// set, on their mean and on all together. Sets of one subject's captures are
// one set when all names are equal, and then there are no reports of sets.
//
// Memory is bounded: some 50 bytes for each mated pair, 100 for each capture,
// and 150 MB for the non-mated pairs whatever their number. Errors are
// [ErrSize], [ErrGroups] and the context's.
func Pairs(ctx context.Context, p Plan, o Options) (Report, error) {
	c, err := newCollection(p)
	if err != nil {
		return Report{}, err
	}
	if err := checkGroups(o.Groups, c.subjects); err != nil {
		return Report{}, fmt.Errorf("comparing captures: %w", err)
	}
	w := watch{progress: o.Progress, total: c.comparisons() + c.searches()}
	speed, err := o.measure(c.made(), func() error {
		if err := c.compareAll(ctx, &w); err != nil {
			return err
		}
		return c.searchAll(ctx, &w)
	})
	if err != nil {
		return Report{}, fmt.Errorf("comparing captures: %w", err)
	}
	r, err := c.report(ctx, o)
	if err != nil {
		return Report{}, fmt.Errorf("resampling subjects: %w", err)
	}
	r.ComparisonsPerSecondPerCore = speed
	return r, nil
}

// collection is the captures by set.
type collection struct {
	plan    Plan
	sets    []*set
	order   []int // numbers of captures, those of a set together
	probes  []search
	gallery []int32 // places in order of the references, by set
}

// set is one set of captures.
type set struct {
	name        string
	first, last int      // range of places in order
	owner       []int32  // subject by place from first on, numbered within the set
	subjects    []string // by number
	blocks      errorrate.Block
	tallies     [workers]*errorrate.Tally // each owned by one worker while comparing
	firstRef    int                       // where its references begin in collection.gallery
	lastRef     int
	failed      map[string]int // captures by reason
	lost        map[int32]bool // subjects without a reference
}

// ErrSize is returned for more captures, mated pairs, or comparisons of
// signatures than there is memory for: 2^20, 2^25 and 2^24.
var ErrSize = errors.New("evaluation is too large")

// MaxCaptures is how many captures [Pairs] compares at most.
const MaxCaptures = 1 << 20

const maxMated = 1 << 25

// workers share the comparisons of an evaluation. Two, so that a measurement
// leaves a node room to serve.
const workers = 2

// span is one unit of work: a capture against a range of others. It is short
// enough that an interrupt is answered at once.
type span struct {
	set      *set
	i        int
	from, to int
}

const spanLength = 1024

// spans yields the work of comparing all captures of each set, in order.
func (c *collection) spans(yield func(span) bool) {
	for _, s := range c.sets {
		for i := s.first; i < s.last; i++ {
			from := i + 1
			if c.plan.BothWays {
				from = s.first
			}
			for ; from < s.last; from += spanLength {
				if !yield(span{s, i, from, min(from+spanLength, s.last)}) {
					return
				}
			}
		}
	}
}

// subjects yields those of all sets.
func (c *collection) subjects(yield func(string) bool) {
	for _, s := range c.sets {
		for _, subject := range s.subjects {
			if !yield(subject) {
				return
			}
		}
	}
}

func (c *collection) comparisons() (n int) {
	for _, s := range c.sets {
		size := s.last - s.first
		if c.plan.BothWays {
			n += size * (size - 1)
		} else {
			n += size * (size - 1) / 2
		}
	}
	return n
}

// made is how many comparisons are made: those with a capture that failed only
// get a score, and would make a comparator look faster than it is.
func (c *collection) made() (n int) {
	for _, s := range c.sets {
		size := s.last - s.first
		for _, failed := range s.failed {
			size -= failed
		}
		if c.plan.BothWays {
			n += size * (size - 1)
		} else {
			n += size * (size - 1) / 2
		}
	}
	for _, p := range c.probes {
		if c.plan.Captures[c.order[p.probe]].Failed == "" {
			n += len(c.gallery)
		}
	}
	return n
}

// compareAll fills the sets' tallies.
func (c *collection) compareAll(ctx context.Context, w *watch) error {
	var buffers [workers][spanLength]float64
	return share(ctx, c.spans, func(worker int, s span) {
		scores := buffers[worker][:s.to-s.from]
		c.compare(s.i, s.from, scores)
		t, n := s.set.tallies[worker], 0
		for k, score := range scores {
			if place := s.from + k; place != s.i {
				t.Add(errorrate.Outcome{Score: errorrate.Number(score), A: s.set.owner[s.i-s.set.first], B: s.set.owner[place-s.set.first]})
				n++
			}
		}
		w.add(n)
	})
}

// compare scores places in c.order. Captures of one set that lie side by side
// there do so in the plan only when its sets are not mixed.
func (c *collection) compare(i, from int, scores []float64) {
	first := c.order[from]
	if c.order[from+len(scores)-1] == first+len(scores)-1 {
		c.plan.Compare(c.order[i], first, scores)
		return
	}
	for k := range scores {
		c.plan.Compare(c.order[i], c.order[from+k], scores[k:k+1])
	}
}

// share has the workers do every piece of work once. It stops between pieces
// when ctx ends and then returns the context's error.
func share[T any](ctx context.Context, pieces func(yield func(T) bool), work func(worker int, piece T)) error {
	queue := make(chan T, 64) // enough that a worker need not wait for the other's
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(queue)
		for piece := range pieces {
			select {
			case queue <- piece:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	for worker := range workers {
		group.Go(func() error {
			for piece := range queue {
				if err := ctx.Err(); err != nil {
					return err
				}
				work(worker, piece)
			}
			return nil
		})
	}
	return group.Wait()
}

// watch reports progress, a thousand times at most.
type watch struct {
	progress  func(done, total int)
	total     int
	done      atomic.Int64
	reporting sync.Mutex // keeps calls of progress apart and in order
	told      int
}

func (w *watch) add(n int) {
	done := int(w.done.Add(int64(n)))
	if w.progress == nil {
		return
	}
	w.reporting.Lock()
	defer w.reporting.Unlock()
	if done > w.told && (done == w.total || done-w.told >= w.total/1000) {
		w.told = done
		w.progress(done, w.total)
	}
}
