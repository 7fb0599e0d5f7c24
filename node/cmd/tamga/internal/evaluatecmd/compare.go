package evaluatecmd

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/matcher/evaluate"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/evaluation"
)

// evaluateCompareCommand joins reports in one picture and one table.
func evaluateCompareCommand(a *cli.App) *cobra.Command {
	var out string
	c := &cobra.Command{
		Use:   "compare NAME=REPORT...",
		Short: "Draw the DET curves of several reports in one picture",
		Long: `Reads reports that ` + "`tamga evaluate -o json`" + ` wrote, up to eight, and prints their rates side by
side. --plot draws their pooled DET curves, the first in black, as SVG or PNG by its ending.`,
		Example: `  tamga evaluate compare real=real.json synthetic=synth.json --plot det.svg`,
		Args:    cobra.RangeArgs(1, 8),
		RunE:    func(_ *cobra.Command, args []string) error { return compareReports(a, args, out) },
	}
	c.Flags().StringVar(&out, "plot", "", "picture to write, .svg or .png")
	return c
}

func compareReports(a *cli.App, args []string, out string) error {
	reports := map[string]evaluate.Report{}
	var curves []evaluation.Curve
	var rows [][2]string
	for i, arg := range args {
		name, file, ok := strings.Cut(arg, "=")
		if _, twice := reports[name]; !ok || name == "" || twice {
			return fault.Usage("reports are given as NAME=REPORT, each name once")
		}
		r, err := readReport(file)
		if err != nil {
			return err
		}
		reports[name] = r
		rows = append(rows, rateRows(name, r)...)
		all := evaluation.Curves(r)
		pooled := all[len(all)-1]
		pooled.Name, pooled.Main = name, i == 0
		curves = append(curves, pooled)
	}
	if out != "" {
		if err := drawFile(out, curves); err != nil {
			return err
		}
	}
	for name, r := range reports {
		r.DET, r.Sets, r.Pooled = nil, nil, nil
		reports[name] = r
	}
	return a.Emit(reports, rows)
}

func rateRows(name string, r evaluate.Report) [][2]string {
	rows := [][2]string{{name + ": EER", percentage(r.EER)}}
	for _, k := range slices.Sorted(maps.Keys(r.FNMRAtFMR)) {
		rows = append(rows, [2]string{name + ": FNMR at FMR " + k, percentage(r.FNMRAtFMR[k])})
	}
	return append(rows, [2]string{name + ": mated, non-mated", fmt.Sprintf("%d, %d", r.Mated, r.NonMated)})
}

// maxReport is room for the reports of many sets and groups.
const maxReport = 64 << 20

const noReport = "make the report with `tamga evaluate finger --data DIR -o json > REPORT.json`; it has a curve when the data have mated and non-mated pairs"

func readReport(file string) (evaluate.Report, error) {
	f, err := os.Open(file)
	if err != nil {
		return evaluate.Report{}, fmt.Errorf("reading report: %w", err)
	}
	defer f.Close()
	// A pipe or a device has no size to ask for.
	b, err := io.ReadAll(io.LimitReader(f, maxReport+1))
	if err != nil {
		return evaluate.Report{}, fmt.Errorf("reading report: %w", err)
	}
	if len(b) > maxReport {
		return evaluate.Report{}, fault.Unfit(noReport, "reading report: %q has more than %d bytes", filepath.Base(file), maxReport)
	}
	// Modalities add members of their own, so unknown ones are ignored.
	var r evaluate.Report
	if err := json.Unmarshal(b, &r); err != nil || len(r.DET) == 0 || r.Mated <= 0 || r.NonMated <= 0 {
		return evaluate.Report{}, fault.Unfit(noReport, "reading report: %q is no report of tamga evaluate -o json with a curve", filepath.Base(file))
	}
	return r, nil
}

func drawFile(out string, curves []evaluation.Curve) error {
	format := evaluation.Format(strings.TrimPrefix(filepath.Ext(out), "."))
	if format != evaluation.SVG && format != evaluation.PNG {
		return fault.Usage("--plot takes a file that ends in .svg or .png")
	}
	var b bytes.Buffer
	if err := evaluation.Draw(&b, evaluation.DET, format, curves); err != nil {
		return err
	}
	if err := os.WriteFile(out, b.Bytes(), 0o644); err != nil {
		return fmt.Errorf("writing picture: %w", err)
	}
	return nil
}
