package benchcmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/storebench"
)

type benchStoreFlags struct {
	dir      string
	subjects int
	workers  []int
	duration time.Duration
	noPeers  bool
}

func benchStoreCommand(a *cli.App) *cobra.Command {
	var b benchStoreFlags
	c := &cobra.Command{
		Use:   "store",
		Short: "Measure the gallery beside Badger, Pebble and PostgreSQL",
		Long: `Fills a gallery with subjects who have one template of 2 KB each, and raw Badger, Pebble
and PostgreSQL with the same bytes. Then it measures look-ups, and enrolments that are
on disk when they are acknowledged: all stores in turn, in five rounds, each in a process
of its own. Read the ratios: absolute figures depend on the machine and on what else it
does. It also shows how long the gallery takes to start and what memory it holds.

"pseudonym" is a look-up's first step alone, which no raw store takes; "file" appends
and fsyncs, which is what the disk asks for one enrolment. The gallery is also measured
with its rows in PostgreSQL.

Pebble and PostgreSQL's client are no part of this program: it builds what drives them,
for which it needs the go command and its module proxy, and starts a PostgreSQL of its
own (Debian: apt-get install postgresql). What is missing is named and left out.`,
		Example: `  tamga bench store
  tamga bench store --subjects 1000000 -o json
  tamga bench store --subjects 1000 --duration 1s --no-peers`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return benchStore(c.Context(), a, b) },
	}
	f := c.Flags()
	f.IntVar(&b.subjects, "subjects", 10_000, "subjects in every store; a million take about 3 GB in each")
	f.IntSliceVar(&b.workers, "workers", []int{1, 16, 64}, "numbers of writers, and of readers")
	f.DurationVar(&b.duration, "duration", 10*time.Second, "time for each row, in five rounds")
	f.BoolVar(&b.noPeers, "no-peers", false, "leave Pebble and PostgreSQL out")
	f.StringVar(&b.dir, "dir", "", "folder on the disk to measure (default: the system's for temporary files)")
	worker := &cobra.Command{Use: "worker KIND DIR HELD SPEC", Hidden: true, Args: cobra.ExactArgs(4),
		RunE: func(c *cobra.Command, args []string) error { return storebench.Work(c.Context(), args, a.In, a.Out) }}
	c.AddCommand(worker)
	return c
}

func benchStore(ctx context.Context, a *cli.App, b benchStoreFlags) (err error) {
	if b.subjects < 64 || b.subjects > 50_000_000 || b.duration < 100*time.Millisecond || len(b.workers) == 0 {
		return fault.Usage("--subjects takes 64 to 50000000, --duration at least 100ms, --workers at least one number")
	}
	if slices.Min(b.workers) < 1 || slices.Max(b.workers) > storebench.MaxWorkers {
		return fault.Usage("--workers takes 1 to %d", storebench.MaxWorkers)
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program: %w", err)
	}
	dir, err := os.MkdirTemp(b.dir, "tamga-bench-")
	if err != nil {
		return fmt.Errorf("making folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if dir, err = filepath.Abs(dir); err != nil {
		return fmt.Errorf("making folder: %w", err)
	}
	report, err := storebench.Run(ctx, storebench.Config{Dir: dir, Worker: []string{self, "bench", "store", "worker"},
		Subjects: b.subjects, Workers: b.workers, Time: b.duration, Peers: !b.noPeers, Say: a.Say})
	if err != nil {
		return err
	}
	return a.Emit(report, benchStoreRows(report))
}

func benchStoreRows(r storebench.Report) [][2]string {
	mb := func(n int64) string { return fmt.Sprintf("%.0f MB", float64(n)/1e6) }
	out := [][2]string{
		{"subjects", fmt.Sprintf("%d of %d bytes; the gallery's folder takes %s", r.Subjects, r.SubjectSize, mb(r.Folder))},
	}
	for _, f := range r.Fillings {
		out = append(out, [2]string{"filling, " + f.Store, fmt.Sprintf("%.0f/s  %.0f us of processor time", f.PerSecond, f.CPUMicros)})
	}
	for _, s := range r.Starts {
		out = append(out, [2]string{"start, " + s.How, fmt.Sprintf("%.2f s, %.2f s of processor time, resident %s, of that %s in no file",
			s.Seconds, s.CPU, mb(s.Resident), mb(s.Anonymous))})
	}
	for _, m := range r.Memory {
		out = append(out, [2]string{"memory " + m.When, fmt.Sprintf("resident %s, of that %s in no file; at most %s", mb(m.Resident), mb(m.Anonymous), mb(m.Peak))})
	}
	for _, w := range r.Rows {
		text := fmt.Sprintf("%.0f/s  p50 %.2f ms  p99 %.2f ms  %.0f us of processor time", w.PerSecond, w.P50MS, w.P99MS, w.CPUMicros)
		if w.Ratio > 0 {
			text += fmt.Sprintf("  the gallery: %.2f times that rate", w.Ratio)
		}
		out = append(out, [2]string{fmt.Sprintf("%s, %d at a time, %s", w.What, w.Workers, w.Store), text})
	}
	for _, n := range r.Notes {
		out = append(out, [2]string{"note", n})
	}
	return out
}
