package calibration

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// Item is one sample made ready for comparison.
type Item[T any] struct {
	Source   string // whose finger, face, eye or hand
	Capture  string // which capture of it
	Template T
}

// workers share the comparisons; two, so that a node on the same machine keeps room to serve.
const workers = 2

// Collect compares every pair of a, or with b not nil every one of a with every one of b, and returns the scores as one
// group. Two templates of one capture (of two extractors, say) are not compared: a capture is no proof that the next
// one is recognised. compare must be safe for concurrent use. progress, when not nil, is called with the comparisons
// made out of all, never from two goroutines at once. The error is that of ctx.
func Collect[T any](ctx context.Context, name string, a, b []Item[T], compare func(a, b T) float64, progress func(done, total int)) (Scores, error) {
	within := b == nil
	if within {
		b = a
	}
	total := len(a) * len(b)
	if within {
		total = len(a) * (len(a) - 1) / 2
	}
	var next atomic.Int64
	var mu sync.Mutex // guards out and done, and keeps calls of progress apart
	out, done := Scores{Name: name, Sources: sources(a, b)}, 0
	group, ctx := errgroup.WithContext(ctx)
	for range workers {
		group.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(a) {
					return nil
				}
				if err := ctx.Err(); err != nil {
					return fmt.Errorf("comparing: %w", err)
				}
				others := b
				if within {
					others = a[i+1:]
				}
				mated, nonMated := row(a[i], others, compare)
				mu.Lock()
				out.Mated, out.NonMated = append(out.Mated, mated...), append(out.NonMated, nonMated...)
				done += len(others)
				if progress != nil {
					progress(done, total)
				}
				mu.Unlock()
			}
		})
	}
	if err := group.Wait(); err != nil {
		return Scores{}, err
	}
	return out, nil
}

func row[T any](x Item[T], others []Item[T], compare func(a, b T) float64) (mated, nonMated []float64) {
	for _, y := range others {
		switch {
		case x.Source != y.Source:
			nonMated = append(nonMated, compare(x.Template, y.Template))
		case x.Capture != y.Capture:
			mated = append(mated, compare(x.Template, y.Template))
		}
	}
	return mated, nonMated
}

func sources[T any](a, b []Item[T]) int {
	seen := map[string]bool{}
	for _, items := range [][]Item[T]{a, b} {
		for _, x := range items {
			seen[x.Source] = true
		}
	}
	return len(seen)
}
