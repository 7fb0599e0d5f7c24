package enrolcmd

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/enrol"
	"github.com/tamga-id/tamga/node/gallery"
)

// importRun is one import by the command: its batch, its checkpoint and what it shows.
type importRun struct {
	app     *cli.App
	flags   importFlags
	begin   time.Time
	options enrol.Options
	batch   enrol.Batch
	fresh   bool   // the batch is of this run alone so far
	batches string // folder of the batches; empty for a dry run
	bar     *progressbar.ProgressBar
	result  imported
}

func batchDir(cfg config.Config) string { return filepath.Join(cfg.DataDir, "imports", "batches") }

// start names the batch, or takes up the one that was cut off.
func (r *importRun) start(cfg config.Config, path string, src enrol.Source) error {
	r.options.Report, r.options.Progress = r.report, r.progress(src.Total)
	if r.flags.dryRun {
		return nil
	}
	r.batches = batchDir(cfg)
	kind := "stream"
	if src.Rewind {
		kind = "manifest"
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			kind = "folder"
		}
		r.options.Checkpoint = checkpointOf(cfg, path)
		if r.flags.restart {
			_ = os.Remove(r.options.Checkpoint)
		}
	}
	if id := enrol.ResumedBatch(r.options.Checkpoint); id != "" {
		if b, err := enrol.LoadBatch(r.batches, id); err == nil && b.State == enrol.Running {
			r.batch = b
		}
	}
	if r.batch.ID == "" {
		r.fresh = true
		r.batch = enrol.Batch{ID: enrol.NewBatchID(), State: enrol.Running, Source: kind, Started: r.begin.UTC().Truncate(time.Millisecond)}
	}
	r.options.Batch = r.batch.ID
	// Before the first record: a batch that is in the gallery is in the list.
	return enrol.SaveBatch(r.batches, r.batch)
}

// checkpointOf is where an import of path keeps how far it came.
func checkpointOf(cfg config.Config, path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	sum := sha256.Sum256([]byte("tamga/v1/import\x00" + path))
	return filepath.Join(cfg.DataDir, "imports", hex.EncodeToString(sum[:8])+".json")
}

func (r *importRun) run(ctx context.Context, src enrol.Source, sink enrol.Sink) (err error) {
	r.result.Totals, err = enrol.Import(ctx, src, sink, r.options)
	r.result.Seconds = time.Since(r.begin).Seconds()
	if r.bar != nil {
		_ = r.bar.Finish()
		fmt.Fprintln(r.app.Err)
	}
	if r.batches == "" {
		return err
	}
	if errors.Is(err, enrol.ErrBusy) {
		if r.fresh { // and not the batch of the import that is running
			err = errors.Join(err, enrol.DropBatch(r.batches, r.batch.ID))
		}
		return err
	}
	return errors.Join(err, r.finish(err))
}

// finish writes down how the batch ended. One to which nothing was added is none.
func (r *importRun) finish(cause error) error {
	t := r.result.Totals
	r.batch.Totals.Add(t)
	if cause == nil {
		r.batch.State, r.batch.Finished = enrol.Done, time.Now().UTC().Truncate(time.Millisecond)
		if all := r.batch.Totals; all.Created+all.Updated+all.Resumed == 0 {
			return enrol.DropBatch(r.batches, r.batch.ID)
		}
	}
	r.result.Batch = r.batch.ID
	return enrol.SaveBatch(r.batches, r.batch)
}

// judge is the command's end, after the totals are shown.
func (r *importRun) judge(err error) error {
	if err != nil {
		f := *fault.Classify(err)
		f.Err, f.Hint = err, "run the same command again: it goes on after the last record that was acknowledged"
		return &f
	}
	if r.result.Records == 0 {
		// An empty export is a fault of what wrote it more often than an empty country.
		return &fault.Failure{Exit: fault.ExitFailure, Code: protocol.CodeManifest, Err: errors.New("importing: there is no record in it")}
	}
	if r.result.Failed > 0 {
		return fault.Verdict{Exit: fault.ExitFailure}
	}
	return nil
}

// progress draws a bar when somebody looks, and else says now and then how far it is.
func (r *importRun) progress(total int) func(done int) {
	a := r.app
	if cli.Terminal(a.Err) {
		if total == 0 {
			total = -1 // a spinner, with the count and the rate
		}
		r.bar = progressbar.NewOptions(total, progressbar.OptionSetWriter(a.Err), progressbar.OptionSetDescription("enrolling"),
			progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetPredictTime(true))
		return func(done int) { _ = r.bar.Set(done) }
	}
	p := pace{total: total}
	return func(done int) {
		if line := p.line(done, time.Now()); line != "" {
			a.Say("%s", line)
		}
	}
}

// report prints per-record results: every record as NDJSON, or the bad ones for a person.
func (r *importRun) report(o enrol.Outcome) {
	a := r.app
	bad := o.Change == gallery.Failed
	if bad && len(r.result.Bad) < 10_000 {
		r.result.Bad = append(r.result.Bad, o)
	}
	switch {
	case a.Format == "ndjson":
		_ = json.NewEncoder(a.Out).Encode(o)
	case a.Format == "table" && bad:
		if r.bar != nil {
			_ = r.bar.Clear()
		}
		fmt.Fprintf(a.Out, "%s: %s %s\n", cli.OnOneLine(o.Place), o.Code, o.Rule)
	case a.Format == "table" && !r.flags.quiet && r.bar == nil:
		fmt.Fprintf(a.Out, "%s: %s\n", cli.OnOneLine(o.Place), o.Change)
	}
}

func totals(a *cli.App, r imported) error {
	if a.Format == "ndjson" {
		return json.NewEncoder(a.Out).Encode(struct {
			Totals enrol.Totals `json:"totals"`
			Batch  string       `json:"batch,omitempty"`
			DryRun bool         `json:"dry_run,omitempty"`
		}{r.Totals, r.Batch, r.DryRun})
	}
	rate := ""
	if r.Seconds > 0 {
		rate = fmt.Sprintf(" in %.1f s, %.0f a second", r.Seconds, float64(r.Records-r.Resumed)/r.Seconds)
	}
	rows := [][2]string{
		{"records", fmt.Sprintf("%d%s", r.Records, rate)}, {"created", fmt.Sprint(r.Created)}, {"updated", fmt.Sprint(r.Updated)},
		{"unchanged", fmt.Sprint(r.Unchanged)}, {"kept", fmt.Sprint(r.Kept)}, {"failed", fmt.Sprint(r.Failed)},
		{"done by an earlier run", fmt.Sprint(r.Resumed)},
	}
	if r.Batch != "" {
		rows = append(rows, [2]string{"batch", r.Batch})
	}
	if r.DryRun {
		rows = append(rows, [2]string{"dry run", "nothing was stored"})
	}
	return a.Emit(r, rows)
}
