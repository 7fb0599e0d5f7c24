package enrol

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"os"
	"path/filepath"
	"slices"

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
// tried again.
type Totals struct {
	Records   int `json:"records"`
	Created   int `json:"created"`
	Updated   int `json:"updated"`
	Unchanged int `json:"unchanged"`
	Failed    int `json:"failed"`
	Resumed   int `json:"resumed"`
}

// Options steer an Import. The zero value imports from the start and reports nothing.
type Options struct {
	Checkpoint string         // file that remembers how far an import came; empty: none
	Report     func(Outcome)  // called for every record in order
	Progress   func(done int) // called after every batch
}

// batchSize is how many records share a synced commit: enough that the disk's
// latency does not count, few enough that a cut-off import repeats little.
const batchSize = 256

// Import enrols every record of src. Totals tell how far it came even on error.
// When ctx ends it stops before the next record.
func Import(ctx context.Context, src Source, sink Sink, o Options) (Totals, error) {
	im := &importer{sink: sink, o: o, trace: sha256.New()}
	defer im.drop()
	var before checkpoint
	if o.Checkpoint != "" && src.Rewind {
		var err error
		if before, err = resume(ctx, src, o.Checkpoint); err != nil {
			return im.totals, err
		}
	}
	for item, err := range src.Items() {
		if err != nil {
			return im.totals, errors.Join(err, im.flush(ctx))
		}
		if err := ctx.Err(); err != nil {
			return im.totals, fmt.Errorf("importing: %w", err)
		}
		if err := im.take(ctx, item, before); err != nil {
			return im.totals, err
		}
	}
	if err := im.flush(ctx); err != nil {
		return im.totals, err
	}
	return im.totals, im.forget()
}

// forget removes the checkpoint.
func (im *importer) forget() error {
	if im.o.Checkpoint == "" {
		return nil
	}
	if err := os.Remove(im.o.Checkpoint); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("removing checkpoint: %w", err)
	}
	return nil
}

type importer struct {
	sink   Sink
	o      Options
	trace  hash.Hash
	read   int    // records so far, those in batch too
	totals Totals // of what is settled
	failed []int  // which records failed, counted from 1
	batch  []gallery.Enrolment
	places []place // one for each record since the last flush; Failed ones are not in batch
}

// place is where a record of the batch stands.
type place struct {
	Outcome
	number int // counted from 1
}

// take adds a record to the batch, and enrols the batch when it is full. What an
// earlier run settled is not looked at again.
func (im *importer) take(ctx context.Context, item Item, before checkpoint) error {
	im.read++
	im.mark(item)
	if im.read <= before.Records && !slices.Contains(before.Failed, im.read) {
		im.totals.Records++
		im.totals.Resumed++
		return nil
	}
	im.add(item)
	if len(im.places) < batchSize {
		return nil
	}
	return im.flush(ctx)
}

func (im *importer) mark(item Item) {
	sum := sha256.Sum256(item.Trace)
	im.trace.Write(sum[:])
}

func (im *importer) add(item Item) {
	e, err := item.Parse()
	if err != nil {
		im.places = append(im.places, place{failed(item.Place, err), im.read})
		return
	}
	im.batch = append(im.batch, e)
	im.places = append(im.places, place{Outcome{Place: item.Place}, im.read})
}

func failed(place string, err error) Outcome {
	o := Outcome{Place: place, Change: gallery.Failed, Code: protocol.CodeRecord, Rule: "was refused"}
	if err != nil {
		o.Rule = err.Error()
	}
	if r, ok := errors.AsType[*RuleError](err); ok {
		o.Code = r.Code
	}
	return o
}

// flush enrols the batch, reports every record of it in order, and moves the
// checkpoint, in this order: a crash between the last two repeats records that
// are then Unchanged.
func (im *importer) flush(ctx context.Context) error {
	if len(im.places) == 0 {
		return nil
	}
	results, err := im.sink.Enrol(ctx, im.batch)
	if err == nil && len(results) != len(im.batch) {
		err = errors.New("the sink lost count")
	}
	if err != nil {
		return fmt.Errorf("enrolling: %w", err)
	}
	next := 0
	for _, p := range im.places {
		if p.Change != gallery.Failed {
			p.Outcome = settled(p.Place, results[next])
			next++
		}
		if p.Change == gallery.Failed {
			im.failed = append(im.failed, p.number)
		}
		im.count(p.Outcome)
	}
	im.drop()
	if im.o.Progress != nil {
		im.o.Progress(im.totals.Records)
	}
	return im.save()
}

// settled is what the sink says of a record. A change that it cannot have made is a
// failure.
func settled(place string, r gallery.Result) Outcome {
	switch r.Change {
	case gallery.Created, gallery.Updated, gallery.Unchanged:
		return Outcome{Place: place, Change: r.Change}
	}
	return failed(place, r.Err)
}

// drop wipes and forgets the batch.
func (im *importer) drop() {
	for _, e := range im.batch {
		wipe(e)
	}
	im.batch, im.places = im.batch[:0], im.places[:0]
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
	default:
		im.totals.Failed++
	}
	if im.o.Report != nil {
		im.o.Report(o)
	}
}

// checkpoint says that the first Records records, whose traces hash to Trace, are
// settled. It names no one.
type checkpoint struct {
	Records int    `json:"records"`
	Failed  []int  `json:"failed,omitempty"` // those of them to try again, counted from 1
	Trace   string `json:"trace"`
}

// maxRetries bounds a checkpoint. An import with more failures than that starts over,
// which costs time and changes nothing.
const maxRetries = 10_000

func (im *importer) save() error {
	if im.o.Checkpoint == "" {
		return nil
	}
	if len(im.failed) > maxRetries {
		return im.forget()
	}
	b, err := json.Marshal(checkpoint{im.read, im.failed, hex.EncodeToString(im.trace.Sum(nil))})
	if err != nil {
		return fmt.Errorf("writing checkpoint: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(im.o.Checkpoint), 0o700); err != nil {
		return fmt.Errorf("writing checkpoint: %w", err)
	}
	// Losing the checkpoint costs time and no data, so it is replaced, not synced.
	tmp := im.o.Checkpoint + ".new"
	if err := os.WriteFile(tmp, b, 0o600); err != nil {
		return fmt.Errorf("writing checkpoint: %w", err)
	}
	if err := os.Rename(tmp, im.o.Checkpoint); err != nil {
		return fmt.Errorf("writing checkpoint: %w", err)
	}
	return nil
}

// resume returns what an earlier run settled of src: nothing when there is no
// checkpoint, or when the source is not the one it was made of.
func resume(ctx context.Context, src Source, path string) (checkpoint, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return checkpoint{}, nil
	}
	if err != nil {
		return checkpoint{}, fmt.Errorf("reading checkpoint: %w", err)
	}
	var c checkpoint
	if json.Unmarshal(b, &c) != nil || c.Records <= 0 || len(c.Failed) > maxRetries {
		return checkpoint{}, nil
	}
	probe := &importer{trace: sha256.New()}
	n := 0
	for item, err := range src.Items() {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return checkpoint{}, fmt.Errorf("looking where to resume: %w", err)
		}
		probe.mark(item)
		if n++; n == c.Records {
			break
		}
	}
	if n != c.Records || hex.EncodeToString(probe.trace.Sum(nil)) != c.Trace {
		return checkpoint{}, nil
	}
	return c, nil
}
