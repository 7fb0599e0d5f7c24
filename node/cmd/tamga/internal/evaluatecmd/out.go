package evaluatecmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/matcher/evaluate"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cputime"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/datafolder"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/evaluation"
)

// evaluationFlags are those of every modality.
type evaluationFlags struct {
	data, groups, plots string
	against             string // set by the command that has it
}

func (f *evaluationFlags) add(c *cobra.Command, data string) {
	c.Flags().StringVar(&f.data, "data", "", data)
	c.Flags().StringVar(&f.groups, "groups", "", "table of subjects and their groups (default groups.tsv in the data folder, if there is one)")
	c.Flags().StringVar(&f.plots, "plots", "", "folder to write the curves to (DET, ROC, rates by threshold), as SVG and PNG")
}

// newEvaluation is what every evaluation is given.
func newEvaluation(a *cli.App, f evaluationFlags) (evaluate.Options, error) {
	if f.data == "" {
		return evaluate.Options{}, fault.Usage("--data is needed: the folder to evaluate")
	}
	if info, err := os.Stat(f.data); err == nil && !info.IsDir() {
		return evaluate.Options{}, datafolder.Unreadable(errors.New("reading data folder: --data names a file, not a folder"))
	}
	groups, named := f.groups, f.groups != ""
	if !named {
		groups = filepath.Join(f.data, "groups.tsv")
	}
	groupings, err := evaluation.ReadGroups(groups, named)
	if err != nil {
		return evaluate.Options{}, datafolder.Unreadable(err)
	}
	return evaluate.Options{Progress: datafolder.Counting(a), CPUSeconds: cputime.Seconds, Groups: groupings}, nil
}

// evaluated gives out a report in the form that -o names. figures are rates that
// only this modality has.
func evaluated(a *cli.App, f evaluationFlags, r evaluate.Report, figures []evaluation.Figure, err error) error {
	if errors.Is(err, context.Canceled) {
		if cli.Terminal(a.Err) {
			a.Say("")
		}
		return err
	}
	if err != nil {
		return fmt.Errorf("evaluating: %w", err)
	}
	if f.plots != "" {
		if err := plot(a, f, r); err != nil {
			return err
		}
	}
	if a.Format != "html" {
		return a.Emit(r, evaluationTable(r, figures))
	}
	page := evaluation.Page{Report: r, Data: f.name(), Made: time.Now().UTC(), With: "tamga " + version(), Figures: figures}
	return page.Write(a.Out)
}

// name is what the data are called: the folders' own names, not where they lie.
func (f evaluationFlags) name() string {
	base := func(dir string) string {
		if abs, err := filepath.Abs(dir); err == nil {
			dir = abs
		}
		return filepath.Base(dir)
	}
	if f.against != "" {
		return base(f.data) + " against " + base(f.against)
	}
	return base(f.data)
}

var notInFileNames = regexp.MustCompile(`[^A-Za-z0-9_]+`)

// plot writes MODALITY-DATA-det.svg and so on.
func plot(a *cli.App, f evaluationFlags, r evaluate.Report) error {
	if len(r.DET) == 0 {
		return fault.Unfit("a curve needs two captures of one subject and captures of two subjects in a set; leave --plots out to see the counts",
			"drawing curves: %d mated and %d non-mated comparisons", r.Mated, r.NonMated)
	}
	if err := os.MkdirAll(f.plots, 0o755); err != nil {
		return fmt.Errorf("drawing curves: %w", err)
	}
	name := r.Modality
	if data := notInFileNames.ReplaceAllString(f.name(), "-"); data != name {
		name += "-" + data
	}
	for _, kind := range evaluation.Kinds() {
		for _, format := range []evaluation.Format{evaluation.SVG, evaluation.PNG} {
			var b bytes.Buffer
			if err := evaluation.Draw(&b, kind, format, evaluation.Curves(r)); err != nil {
				return err
			}
			file := filepath.Join(f.plots, fmt.Sprintf("%s-%s.%s", name, kind, format))
			if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
				return fmt.Errorf("drawing curves: %w", err)
			}
			a.Say("wrote %s", file)
		}
	}
	return nil
}

// evaluationTable has what a person looks for first.
func evaluationTable(r evaluate.Report, figures []evaluation.Figure) [][2]string {
	mean := func(figure string) string {
		switch {
		case len(r.Sets) == 0:
			return ""
		case len(r.MeanLeavesOut[figure]) == 0:
			return ", mean over the sets"
		}
		return ", mean over " + evaluation.MeanOf(r, figure)
	}
	rows := [][2]string{{"EER" + mean("eer"), withInterval(r.EER, r.EERCI95)}}
	for _, k := range slices.Sorted(maps.Keys(r.FNMRAtFMR)) {
		rows = append(rows, [2]string{"FNMR at FMR " + k + mean(k), fnmrCell(r, k)})
	}
	for _, line := range evaluation.LeftOut(r) {
		rows = append(rows, [2]string{"note", line})
	}
	for _, f := range figures {
		rows = append(rows, [2]string{f.Name, percentage(f.Rate)})
	}
	for _, s := range r.Sets {
		rows = append(rows, [2]string{"EER " + cli.OnOneLine(s.Name), withInterval(s.EER, s.EERCI95)})
	}
	if p := r.Pooled; p != nil {
		rows = append(rows, [2]string{"EER, pooled", withInterval(p.EER, p.EERCI95)})
		for _, k := range slices.Sorted(maps.Keys(p.FNMRAtFMR)) {
			rows = append(rows, [2]string{"FNMR at FMR " + k + ", pooled", fnmrCell(*p, k)})
		}
	}
	if in := r.Identification; in != nil {
		rows = append(rows, [2]string{fmt.Sprintf("rank 1 of %d", in.Gallery), withInterval(in.Rank["1"], in.Rank1CI95)})
		for _, k := range slices.Sorted(maps.Keys(in.FNIRAtFPIR)) {
			rows = append(rows, [2]string{"FNIR at FPIR " + k, percentage(in.FNIRAtFPIR[k])})
		}
	}
	if q := r.Acquisition; q != nil {
		rows = append(rows, [2]string{"FTA, FTE", fmt.Sprintf("%d of %d samples, %d of %d subjects", q.Failed, q.Samples, q.NotEnrolled, q.Subjects)})
	}
	for _, g := range r.Groups {
		rows = append(rows, [2]string{"groups by " + g.Attribute, groupsCell(g)})
	}
	rows = append(rows, [2]string{"mated, non-mated", fmt.Sprintf("%d, %d", r.Mated, r.NonMated)})
	if r.ComparisonsPerSecondPerCore.Measured() {
		rows = append(rows, [2]string{"comparisons/s/core", fmt.Sprintf("%.0f", r.ComparisonsPerSecondPerCore)})
	}
	return rows
}

// groupsCell says who was in the groups; their rates are in JSON and on the page.
func groupsCell(g evaluate.Differential) string {
	var parts []string
	for _, one := range g.Groups {
		parts = append(parts, fmt.Sprintf("%s %d", one.Name, one.Subjects))
	}
	cell := strings.Join(parts, ", ")
	if len(parts) == 0 {
		cell = "none: the table names no subject of the data for this attribute"
	}
	if g.Ungrouped > 0 {
		cell += fmt.Sprintf("; %d subjects are in no group", g.Ungrouped)
	}
	if g.Unknown > 0 {
		cell += fmt.Sprintf("; %d subjects of the table are not in the data", g.Unknown)
	}
	return cell
}

func fnmrCell(r evaluate.Report, bound string) string {
	cell := withInterval(r.FNMRAtFMR[bound], r.FNMRCI95[bound])
	if r.Support[bound] == evaluate.Indicative {
		cell += ", indicative"
	}
	return cell
}

func withInterval(r evaluate.Rate, i evaluate.Interval) string {
	if !r.Measured() {
		return percentage(r)
	}
	return fmt.Sprintf("%s  (95 %%: %s to %s)", percentage(r), percentage(i[0]), percentage(i[1]))
}

func percentage(r evaluate.Rate) string {
	if !r.Measured() {
		return "not measurable"
	}
	return fmt.Sprintf("%.2f %%", 100*float64(r))
}

// version is the module's, or what the build knows of it.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(unknown version)"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return info.Main.Version + " " + s.Value[:12]
		}
	}
	return info.Main.Version
}
