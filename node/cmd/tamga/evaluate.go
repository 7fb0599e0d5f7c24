package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/matcher/evaluate"
	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/finger"
)

func (a *app) evaluateCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "evaluate",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
		Short: "Measure the matcher's error rates on your own data",
		Long: `Compares all mated and non-mated pairs of a data set and reports ISO/IEC 19795-1 error
rates as fractions. Nothing leaves the machine and no score is printed per person.`,
		Example: `  tamga evaluate finger --data templates/ -o json
  tamga evaluate face --data faces/ -o json`,
	}
	var fingers, faces string
	finger := &cobra.Command{
		Use:   "finger",
		Short: "Fingerprint templates: *.iso files named SET_FINGER_IMPRESSION.iso",
		Long: `DIR holds ISO/IEC 19794-2:2005 records named SET_FINGER_IMPRESSION.iso, for instance
fvc2002_DB1_B_101_1.iso. In each set all impression pairs of a finger are mated and all
pairs of different fingers non-mated. eer and fnmr_at_fmr are means over the sets.`,
		Example: `  tamga evaluate finger --data templates/ -o json`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			templates, err := readFingers(fingers)
			if err != nil {
				return err
			}
			r, err := evaluate.Finger(c.Context(), templates, a.evaluation())
			return a.rates(r, err)
		},
	}
	finger.Flags().StringVar(&fingers, "data", "", "folder of templates (required)")
	face := &cobra.Command{
		Use:   "face",
		Short: "Face embeddings: embeddingsN.f32 and embeddingsN.tsv",
		Long: `DIR holds embeddingsN.f32, float32 little-endian, N dimensions a row, and embeddingsN.tsv
with the columns row, subject, sample. All pairs of a subject are mated, all others not.`,
		Example: `  tamga evaluate face --data faces/ -o json`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			subjects, dims, vectors, err := readFaces(faces)
			if err != nil {
				return err
			}
			r, err := evaluate.Face(c.Context(), subjects, dims, vectors, a.evaluation())
			return a.rates(r, err)
		},
	}
	face.Flags().StringVar(&faces, "data", "", "folder of embeddings (required)")
	c.AddCommand(finger, face)
	return c
}

// counting shows progress to a person.
func (a *app) counting() func(done, total int) {
	if !terminal(a.err) {
		return func(int, int) {}
	}
	return func(done, total int) {
		fmt.Fprintf(a.err, "\rcomparing: %d of %d", done, total)
		if done == total {
			fmt.Fprintln(a.err)
		}
	}
}

// evaluation is what every evaluation is given.
func (a *app) evaluation() evaluate.Options {
	return evaluate.Options{Progress: a.counting(), CPUSeconds: cpuSeconds}
}

// rates prints a report.
func (a *app) rates(r evaluate.Report, err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	if err != nil {
		return fmt.Errorf("evaluating: %w", err)
	}
	rows := [][2]string{{"EER", percentage(r.EER)}}
	for _, k := range slices.Sorted(maps.Keys(r.FNMRAtFMR)) {
		rows = append(rows, [2]string{"FNMR at FMR " + k, percentage(r.FNMRAtFMR[k])})
	}
	for _, s := range r.Sets {
		rows = append(rows, [2]string{"EER " + s.Name, percentage(s.EER)})
	}
	rows = append(rows, [2]string{"mated, non-mated", fmt.Sprintf("%d, %d", r.Mated, r.NonMated)})
	if r.ComparisonsPerSecondPerCore > 0 {
		rows = append(rows, [2]string{"comparisons/s/core", fmt.Sprintf("%.0f", r.ComparisonsPerSecondPerCore)})
	}
	return a.emit(r, rows)
}

func percentage(r evaluate.Rate) string {
	if !r.Measured() {
		return "not measurable"
	}
	return fmt.Sprintf("%.2f %%", 100*float64(r))
}

func readFingers(dir string) ([]evaluate.FingerTemplate, error) {
	if dir == "" {
		return nil, usage("--data is needed: a folder of ISO/IEC 19794-2 templates")
	}
	names, err := filepath.Glob(filepath.Join(dir, "*.iso"))
	if err != nil || len(names) == 0 {
		return nil, fmt.Errorf("reading templates: %w: no *.iso file in the folder", os.ErrNotExist)
	}
	slices.Sort(names)
	out := make([]evaluate.FingerTemplate, 0, len(names))
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("reading templates: %w", err)
		}
		t := evaluate.FingerTemplate{Name: strings.TrimSuffix(filepath.Base(name), ".iso")}
		// A record that does not decode counts as a failure to acquire.
		if samples, err := exchange.DecodeFinger(b); err == nil {
			t.Sample = samples[0]
		} else {
			t.Sample = finger.Sample{}
		}
		out = append(out, t)
	}
	return out, nil
}

func readFaces(dir string) (subjects []string, dims int, vectors []float32, err error) {
	if dir == "" {
		return nil, 0, nil, usage("--data is needed: a folder of face embeddings")
	}
	names, err := filepath.Glob(filepath.Join(dir, "embeddings*.f32"))
	if err != nil || len(names) != 1 {
		return nil, 0, nil, fmt.Errorf("reading embeddings: %w: want exactly one embeddingsN.f32 in the folder", os.ErrNotExist)
	}
	base := strings.TrimSuffix(names[0], ".f32")
	dims, err = strconv.Atoi(strings.TrimPrefix(filepath.Base(base), "embeddings"))
	if err != nil || dims < 1 {
		return nil, 0, nil, fmt.Errorf("reading embeddings: the file name does not give the dimensions")
	}
	raw, err := os.ReadFile(names[0])
	if err != nil {
		return nil, 0, nil, fmt.Errorf("reading embeddings: %w", err)
	}
	table, err := os.ReadFile(base + ".tsv")
	if err != nil {
		return nil, 0, nil, fmt.Errorf("reading embeddings: %w", err)
	}
	lines := strings.Split(strings.TrimSpace(string(table)), "\n")
	for i, line := range lines[1:] {
		cols := strings.Split(strings.TrimRight(line, "\r"), "\t")
		if len(cols) != 3 || cols[0] != strconv.Itoa(i) {
			return nil, 0, nil, fmt.Errorf("reading embeddings: line %d of the table is not row, subject, sample in order", i+2)
		}
		subjects = append(subjects, cols[1])
	}
	if len(raw) != len(subjects)*dims*4 {
		return nil, 0, nil, fmt.Errorf("reading embeddings: %d bytes do not hold %d rows of %d dimensions", len(raw), len(subjects), dims)
	}
	vectors = make([]float32, len(raw)/4)
	for i := range vectors {
		vectors[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return subjects, dims, vectors, nil
}
