package evaluate

import (
	"context"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// workers share the comparisons of an evaluation. Two, so that a measurement
// leaves a node room to serve.
const workers = 2

// row is one unit of work and its share of the whole, in comparisons. It
// writes to places of its own or its worker's, so that order does not matter.
type row struct {
	cost int
	work func(worker int)
}

// cost is that of all rows.
func cost(rows []row) (total int) {
	for _, r := range rows {
		total += r.cost
	}
	return total
}

// runRows does every row once. It stops between rows when ctx ends and then
// returns the context's error.
func runRows(ctx context.Context, rows []row, progress func(done, total int)) error {
	total := cost(rows)
	var next atomic.Int64
	var reporting sync.Mutex // guards done, and keeps calls of progress apart
	done := 0
	group, ctx := errgroup.WithContext(ctx)
	for worker := range workers {
		group.Go(func() error {
			for {
				if err := ctx.Err(); err != nil {
					return err
				}
				i := int(next.Add(1)) - 1
				if i >= len(rows) {
					return nil
				}
				rows[i].work(worker)
				reporting.Lock()
				done += rows[i].cost
				if progress != nil {
					progress(done, total)
				}
				reporting.Unlock()
			}
		})
	}
	return group.Wait()
}
