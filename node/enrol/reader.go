package enrol

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/tamga-id/tamga/node/gallery"
)

const (
	// batchSize is how many records share a synced commit: enough that the disk's
	// latency does not count, few enough that a cut-off import repeats little.
	batchSize = 256
	// maxChunk bounds what the lines of a batch take, which can be far longer than usual.
	maxChunk = 16 << 20
)

// chunk is a run of records on their way to the sink.
type chunk struct {
	records []parsed
	resumed int    // records among and before them that an earlier run settled
	size    int    // bytes of their traces
	read    int    // records of the source up to the last of them
	trace   string // of those
}

// parsed is one record: what it enrols, or the rule that it breaks.
type parsed struct {
	place  string
	number int // counted from 1
	e      gallery.Enrolment
	err    error
}

// enrolments are the good records, as the options want them.
func (c *chunk) enrolments(o Options) []gallery.Enrolment {
	out := make([]gallery.Enrolment, 0, len(c.records))
	for _, p := range c.records {
		if p.err == nil {
			p.e.Batch, p.e.IfKnown = o.Batch, o.IfKnown
			out = append(out, p.e)
		}
	}
	return out
}

func (c *chunk) wipe() {
	for _, p := range c.records {
		wipe(p.e)
	}
}

// reader turns a source into chunks. It belongs to the goroutine that runs it.
type reader struct {
	src    Source
	before int
	retry  map[int]bool
	trace  hash.Hash
	read   int
	parse  errgroup.Group
}

func newReader(src Source, before checkpoint) *reader {
	r := &reader{src: src, before: before.Records, retry: make(map[int]bool), trace: sha256.New()}
	for _, n := range before.Failed {
		r.retry[n] = true
	}
	r.parse.SetLimit(runtime.GOMAXPROCS(0))
	return r
}

// run sends every chunk. What came before a failure of the source is sent too.
func (r *reader) run(ctx context.Context, out chan<- *chunk) error {
	c := newChunk()
	for item, err := range r.src.Items() {
		if err != nil {
			r.send(ctx, c, out)
			return err
		}
		if err := ctx.Err(); err != nil {
			r.drop(c)
			return fmt.Errorf("importing: %w", err)
		}
		r.take(c, item)
		if len(c.records) == batchSize || c.size >= maxChunk {
			r.send(ctx, c, out)
			c = newChunk()
		}
	}
	r.send(ctx, c, out)
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("importing: %w", err)
	}
	return nil
}

// newChunk has room for all its records, so that none moves while it is parsed.
func newChunk() *chunk { return &chunk{records: make([]parsed, 0, batchSize)} }

// take begins to parse a record. What an earlier run settled is not looked at again.
func (r *reader) take(c *chunk, item Item) {
	r.read++
	mark(r.trace, item)
	if r.read <= r.before && !r.retry[r.read] {
		c.resumed++
		return
	}
	c.size += len(item.Trace)
	c.records = append(c.records, parsed{place: item.Place, number: r.read})
	p := &c.records[len(c.records)-1]
	r.parse.Go(func() error {
		p.e, p.err = item.Parse()
		return nil
	})
}

func mark(trace hash.Hash, item Item) {
	sum := sha256.Sum256(item.Trace)
	trace.Write(sum[:])
}

// send hands c over once it is parsed.
func (r *reader) send(ctx context.Context, c *chunk, out chan<- *chunk) {
	_ = r.parse.Wait() // a record's error is in the record
	c.read, c.trace = r.read, hex.EncodeToString(r.trace.Sum(nil))
	select {
	case out <- c:
	case <-ctx.Done():
		c.wipe()
	}
}

// drop ends c unsent.
func (r *reader) drop(c *chunk) {
	_ = r.parse.Wait()
	c.wipe()
}
