package enrol

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/gallery"
)

// Sink enrols. gallery.Gallery does; so does a running node.
type Sink interface {
	// Enrol stores a batch and returns one result for each enrolment, in order. What
	// is not Failed is durable. A result's Err is a rule that may be reported: it
	// names nobody. Any error ends the import; what the batch stored all the same
	// must be Unchanged when it is sent again. The batch is the caller's.
	Enrol(ctx context.Context, batch []gallery.Enrolment) ([]gallery.Result, error)
}

// Outcome is what happened to one record.
type Outcome struct {
	Place  string         `json:"place"`
	Change gallery.Change `json:"result"`
	Code   protocol.Code  `json:"code,omitempty"`
	Rule   string         `json:"rule,omitempty"`
}

// Totals counts an import's records, those of a batch that was not acknowledged
// excepted. Resumed ones were enrolled by an earlier run; those that failed then are
// tried again. Kept ones would have changed a subject who is enrolled already.
type Totals struct {
	Records   int `json:"records"`
	Created   int `json:"created"`
	Updated   int `json:"updated"`
	Unchanged int `json:"unchanged"`
	Kept      int `json:"kept"`
	Failed    int `json:"failed"`
	Resumed   int `json:"resumed"`
}

// Add sums the work of several runs of one import: the records are those of the last.
func (t *Totals) Add(last Totals) {
	t.Records, t.Failed, t.Resumed = last.Records, last.Failed, last.Resumed
	t.Created += last.Created
	t.Updated += last.Updated
	t.Unchanged += last.Unchanged
	t.Kept += last.Kept
}

// Options steer an Import. The zero value imports from the start and reports nothing.
type Options struct {
	Checkpoint string          // file that remembers how far an import came; empty: none
	Batch      string          // recorded with everything that the import adds; see [ResumedBatch]
	IfKnown    gallery.IfKnown // what to do about subjects who are enrolled already
	Report     func(Outcome)   // called for every record in order
	Progress   func(done int)  // called after every batch
}

// Import enrols every record of src. Records are parsed on every processor while
// those before them are stored, and stored and reported in order. Totals tell how far
// it came even on error. When ctx ends it stops before the next batch. Two imports
// with one checkpoint exclude each other: [ErrBusy].
func Import(ctx context.Context, src Source, sink Sink, o Options) (Totals, error) {
	if !src.Rewind {
		o.Checkpoint = "" // what cannot be read again cannot be resumed
	}
	cp, before, err := openCheckpoint(ctx, src, o)
	if err != nil {
		return Totals{}, err
	}
	im := &importer{sink: sink, o: o, checkpoint: cp}
	if err = im.run(ctx, src, before); err == nil {
		err = cp.forget()
	}
	return im.totals, errors.Join(err, cp.Close())
}

// ParseDuplicates reads a duplicate policy: update, skip or refuse.
func ParseDuplicates(word string) (gallery.IfKnown, bool) {
	p, ok := map[string]gallery.IfKnown{"update": gallery.Add, "skip": gallery.Keep, "refuse": gallery.Refuse}[word]
	return p, ok
}

type importer struct {
	sink       Sink
	o          Options
	checkpoint *checkpointFile
	totals     Totals // of what is settled
	failed     []int  // which records failed, counted from 1; no more than there is use for
}

// run settles chunk after chunk, each while the next is read and parsed.
func (im *importer) run(ctx context.Context, src Source, before checkpoint) error {
	reading, stop := context.WithCancel(ctx)
	defer stop()
	r := newReader(src, before)
	var reads errgroup.Group
	chunks := make(chan *chunk) // unbuffered: one being settled and one being parsed is all that memory holds
	reads.Go(func() error {
		defer close(chunks)
		return r.run(reading, chunks)
	})
	var err error
	for c := range chunks {
		if err == nil {
			err = im.take(ctx, c)
		}
		c.wipe()
		if err != nil {
			stop() // what the reader still sends is wiped above
		}
	}
	if readErr := reads.Wait(); err == nil {
		err = readErr
	}
	return err
}

func (im *importer) take(ctx context.Context, c *chunk) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("importing: %w", err)
	}
	im.totals.Records += c.resumed
	im.totals.Resumed += c.resumed
	if len(c.records) == 0 {
		return nil
	}
	return im.settle(ctx, c)
}

// settle enrols a chunk, reports every record of it in order, and moves the
// checkpoint, in this order: a crash between the last two repeats records that
// are then Unchanged.
func (im *importer) settle(ctx context.Context, c *chunk) error {
	results, err := im.sink.Enrol(ctx, c.enrolments(im.o))
	if err != nil {
		return fmt.Errorf("enrolling: %w", err)
	}
	next := 0
	outcomes := make([]Outcome, len(c.records))
	for i, p := range c.records {
		switch {
		case p.err != nil:
			outcomes[i] = failed(p.place, p.err)
		case next < len(results):
			outcomes[i] = settled(p.place, results[next])
			next++
		default:
			return errLostCount
		}
	}
	if next != len(results) {
		return errLostCount
	}
	for i, o := range outcomes {
		if o.Change == gallery.Failed && len(im.failed) <= maxRetries {
			im.failed = append(im.failed, c.records[i].number)
		}
		im.count(o)
	}
	if im.o.Progress != nil {
		im.o.Progress(im.totals.Records)
	}
	return im.checkpoint.save(checkpoint{Records: c.read, Failed: im.failed, Trace: c.trace, Batch: im.o.Batch})
}

var errLostCount = errors.New("enrolling: the sink lost count")

func failed(place string, err error) Outcome {
	o := Outcome{Place: place, Change: gallery.Failed, Code: protocol.CodeRecord, Rule: "was refused"}
	if err != nil {
		o.Rule = err.Error()
	}
	if r, ok := errors.AsType[*RuleError](err); ok {
		o.Code = r.Code
	}
	if errors.Is(err, gallery.ErrOutdated) {
		o.Code, o.Rule = protocol.CodeRotation, gallery.ErrOutdated.Error()
	}
	return o
}

// settled is what the sink says of a record. A change that it cannot have made is a
// failure.
func settled(place string, r gallery.Result) Outcome {
	switch r.Change {
	case gallery.Created, gallery.Updated, gallery.Unchanged, gallery.Kept:
		return Outcome{Place: place, Change: r.Change}
	}
	return failed(place, r.Err)
}

func (im *importer) count(o Outcome) {
	im.totals.Records++
	switch o.Change {
	case gallery.Created:
		im.totals.Created++
	case gallery.Updated:
		im.totals.Updated++
	case gallery.Unchanged:
		im.totals.Unchanged++
	case gallery.Kept:
		im.totals.Kept++
	default:
		im.totals.Failed++
	}
	if im.o.Report != nil {
		im.o.Report(o)
	}
}
