package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/matcher/calibration"
	"github.com/tamga-id/tamga/matcher/evaluate"
	"github.com/tamga-id/tamga/matcher/iris"
	"github.com/tamga-id/tamga/matcher/signature"
	"github.com/tamga-id/tamga/node/evaluation"
)

func (a *app) calibrateIris() *cobra.Command {
	var f calibrating
	return f.add(&cobra.Command{
		Use:     "iris",
		Short:   "Iris codes: codes2048.bin and codes2048.tsv",
		Long:    `DIR holds iris codes as for "tamga evaluate iris". All pairs of different eyes are non-mated.`,
		Example: `  tamga calibrate iris --data irises/ --out iris.calibration.json`,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := f.check(1); err != nil {
				return err
			}
			return a.writeCalibration(c.Context(), &f, "iris", iris.Comparator, a.irisGroup)
		},
	}, "folder of iris codes (required)")
}

func (a *app) irisGroup(ctx context.Context, folders []string) ([]calibration.Scores, error) {
	irises, folder, err := evaluation.ReadIrises(folders[0])
	if err != nil {
		return nil, unreadable(err)
	}
	a.tell(folder)
	var items []calibration.Item[*iris.Template]
	for i, s := range irises.Samples {
		t, err := iris.Prepare(s)
		if err != nil {
			continue // a failure to acquire is no comparison
		}
		defer t.Wipe()
		items = append(items, calibration.Item[*iris.Template]{Source: irises.Eyes[i], Capture: fmt.Sprint(i), Template: t})
	}
	compare := func(x, y *iris.Template) float64 {
		r, err := iris.Compare(x, y)
		if err != nil {
			return 0 // undecidable accepts nobody
		}
		return r.Score
	}
	s, err := calibration.Collect(ctx, filepath.Base(folders[0]), items, nil, compare, a.counting())
	return []calibration.Scores{s}, err
}

func (a *app) calibrateSignature() *cobra.Command {
	var f calibrating
	var references int
	c := f.add(&cobra.Command{
		Use:   "signature",
		Short: "Online signatures in the text form of SVC2004",
		Long: `DIR holds signatures as for "tamga evaluate signature". Each writer enrols the first genuine
ones. A threshold must hold against skilled forgeries of the writer as well as against other
writers' signatures; the skilled ones are few and bound what can be claimed.`,
		Example: `  tamga calibrate signature --data svc2004/ --out signature.calibration.json`,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := f.check(1); err != nil {
				return err
			}
			groups := func(ctx context.Context, folders []string) ([]calibration.Scores, error) {
				return a.signatureGroups(ctx, folders[0], references)
			}
			return a.writeCalibration(c.Context(), &f, "signature", signature.Comparator, groups)
		},
	}, "folder of signatures (required)")
	c.Flags().IntVar(&references, "references", 5, fmt.Sprintf("signatures each writer enrols, %d to %d", signature.MinSignatures, signature.MaxSignatures))
	return c
}

func (a *app) signatureGroups(ctx context.Context, dir string, references int) ([]calibration.Scores, error) {
	samples, folder, err := evaluation.ReadSignatures(dir)
	if err != nil {
		return nil, unreadable(err)
	}
	a.tell(folder)
	trials, err := evaluate.SignatureTrials(ctx, samples, references, evaluate.Options{Progress: a.counting()})
	if errors.Is(err, evaluate.ErrSignatures) {
		return nil, usage("--references is out of range, or the files are misnumbered")
	}
	if err != nil {
		return nil, err
	}
	writers := map[int]bool{}
	skilled, random := calibration.Scores{Name: "skilled forgeries"}, calibration.Scores{Name: "other writers"}
	for _, t := range trials {
		writers[t.Reference] = true
		switch {
		case t.Forged:
			skilled.NonMated = append(skilled.NonMated, t.Score)
		case t.Probe != t.Reference:
			random.NonMated = append(random.NonMated, t.Score)
		default:
			skilled.Mated, random.Mated = append(skilled.Mated, t.Score), append(random.Mated, t.Score)
		}
	}
	skilled.Sources, random.Sources = len(writers), len(writers)
	return []calibration.Scores{skilled, random}, nil
}
