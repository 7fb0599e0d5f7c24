// Package benchmatchcmd is `tamga bench match`: speeds of the matcher, beside those of other libraries.
package benchmatchcmd

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/matcher/search"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cputime"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
)

type benchMatchFlags struct {
	modality string
	size     int
	noPeers  bool
}

// benchMatchModalities are measured in this order.
var benchMatchModalities = []string{"face", "finger", "iris", "signature"} //nolint:gochecknoglobals // a constant

// Command is `tamga bench match`.
func Command(a *cli.App) *cobra.Command {
	var b benchMatchFlags
	c := &cobra.Command{
		Use:   "match",
		Short: "Measure comparisons and searches, beside other libraries where installed",
		Long: `Measures how fast templates are compared one to one and searched one to many, on synthetic
data made on the fly. Rates are per second of processor time of one core, so that they
hold on a busy machine; "elapsed" rows are by the clock and do not.

Faces are also searched, in the same run and on the same vectors, by FAISS and usearch
where they can be found: FAISS through /usr/bin/python3 or python3 (Debian: apt-get
install python3-faiss), usearch through node (npm install usearch, in this folder or
one above, or NODE_PATH). Read the ratios.`,
		Example: `  tamga bench match
  tamga bench match --modality face --size 100000 -o json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return benchMatch(c.Context(), a, b) },
	}
	f := c.Flags()
	f.StringVar(&b.modality, "modality", "", "face, finger, iris or signature; all when not given")
	f.IntVar(&b.size, "size", 0, "references in a gallery (default: 1000000 faces, 200000 irises, 10000 fingers)")
	f.BoolVar(&b.noPeers, "no-peers", false, "do not look for other libraries")
	return c
}

// matchRow is one measurement: a median, and what it is measured by.
type matchRow struct {
	Modality string  `json:"modality"`
	What     string  `json:"what"`
	Value    float64 `json:"value"`
	Unit     string  `json:"unit"`
	Goal     string  `json:"goal,omitempty"`
	// Peer rows say who else did the same work; Ratio is how many times as fast as that
	// this program is.
	Peer  string  `json:"peer,omitempty"`
	Ratio float64 `json:"ratio,omitempty"`
}

type matchReport struct {
	Instructions string     `json:"instructions"` // of the searches
	Rows         []matchRow `json:"rows"`
	Notes        []string   `json:"notes,omitempty"`
}

func (r *matchReport) add(row matchRow) { r.Rows = append(r.Rows, row) }

func (r *matchReport) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

func (r *matchReport) rows() [][2]string {
	out := [][2]string{{"instructions", r.Instructions}}
	for _, w := range r.Rows {
		text := fmt.Sprintf("%.4g %s", w.Value, w.Unit)
		if w.Goal != "" {
			text += "  (goal " + w.Goal + ")"
		}
		if w.Ratio > 0 {
			text += fmt.Sprintf("  tamga is %.2f times as fast", w.Ratio)
		}
		what := w.What
		if w.Peer != "" {
			what += ", " + w.Peer
		}
		out = append(out, [2]string{w.Modality + ": " + what, text})
	}
	for _, n := range r.Notes {
		out = append(out, [2]string{"note", n})
	}
	return out
}

func benchMatch(ctx context.Context, a *cli.App, b benchMatchFlags) error {
	if b.modality != "" && !slices.Contains(benchMatchModalities, b.modality) {
		return fault.Usage("--modality takes face, finger, iris or signature")
	}
	if b.size < 0 || b.size > 20_000_000 || b.size > 0 && b.size < 100 {
		return fault.Usage("--size takes 100 to 20000000")
	}
	if cputime.Seconds() == 0 {
		return fmt.Errorf("measuring: processor time is not known on this system")
	}
	m := &matchBench{app: a, flags: b, report: matchReport{Instructions: search.Instructions()}}
	all := map[string]func(context.Context) error{
		"face": m.faces, "finger": m.fingers, "iris": m.irises, "signature": m.signatures,
	}
	for _, name := range benchMatchModalities {
		if b.modality != "" && b.modality != name {
			continue
		}
		if err := all[name](ctx); err != nil {
			return fmt.Errorf("measuring %s: %w", name, err)
		}
	}
	return a.Emit(m.report, m.report.rows())
}

// matchBench is one run of the bench.
type matchBench struct {
	app    *cli.App
	flags  benchMatchFlags
	report matchReport
}

// sized is the size of a gallery: as asked for, or the usual one.
func (m *matchBench) sized(usual int) int {
	if m.flags.size > 0 {
		return m.flags.size
	}
	return usual
}

// progress says how far a preparation is, on a terminal, and stops it when ctx ends.
func (m *matchBench) progress(ctx context.Context, what string, n int, each func(i int) error) error {
	show := cli.Terminal(m.app.Err)
	for i := range n {
		if i%1000 == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			if show {
				fmt.Fprintf(m.app.Err, "\r%s: %d of %d", what, i, n)
			}
		}
		if err := each(i); err != nil {
			return err
		}
	}
	if show {
		fmt.Fprintf(m.app.Err, "\r%s: %d of %d\n", what, n, n)
	}
	return nil
}

// Measurements take at least this many rounds and this long, of processor time.
const (
	benchMatchRounds  = 5
	benchMatchSeconds = 0.25
)

// measure returns the median processor time and elapsed time of one call of f,
// over several rounds after a first one that is not counted.
func measure(ctx context.Context, f func() error) (cpu, elapsed float64, err error) {
	if err := f(); err != nil {
		return 0, 0, err
	}
	var cpus, clocks []float64
	for total := 0.0; len(cpus) < benchMatchRounds || total < benchMatchSeconds; {
		if err := ctx.Err(); err != nil {
			return 0, 0, err
		}
		start, before := time.Now(), cputime.Seconds()
		if err := f(); err != nil {
			return 0, 0, err
		}
		took := cputime.Seconds() - before
		cpus, clocks = append(cpus, took), append(clocks, time.Since(start).Seconds())
		total += max(took, 1e-6)
	}
	return max(cputime.Median(cpus), 1e-9), max(cputime.Median(clocks), 1e-9), nil
}
