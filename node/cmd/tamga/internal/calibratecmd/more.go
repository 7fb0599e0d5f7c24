package calibratecmd

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/matcher/calibration"
	"github.com/tamga-id/tamga/matcher/evaluate"
	"github.com/tamga-id/tamga/matcher/exchange/iriscode"
	"github.com/tamga-id/tamga/matcher/iris"
	"github.com/tamga-id/tamga/matcher/signature"
	"github.com/tamga-id/tamga/matcher/synth"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/datafolder"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/evaluation"
)

func calibrateIris(a *cli.App) *cobra.Command {
	var f calibrating
	var profile string
	var people int
	c := f.add(&cobra.Command{
		Use:   "iris",
		Short: "Iris codes: codes2048.bin and codes2048.tsv",
		Long: `DIR holds iris codes as for "tamga evaluate iris", all by one program. All pairs of different
eyes are non-mated. A threshold must hold, too, against codes made of what irises have in common,
which no camera captures but software can make: such codes of half of the eyes are compared with
the other half. --synthetic makes that many synthetic people instead, for the sandbox's own codes.`,
		Example: `  tamga calibrate iris --profile acme-iris-2 --data irises/ --out iris.calibration.json
  tamga calibrate iris --synthetic 150 --out synth.calibration.json`,
		RunE: func(c *cobra.Command, _ []string) error {
			groups := func(ctx context.Context, folders []string) ([]calibration.Scores, error) {
				return irisGroups(ctx, a, folders)
			}
			if people > 0 {
				profile, f.data = iris.ProfileSynth, []string{"synthetic people"}
				groups = func(ctx context.Context, _ []string) ([]calibration.Scores, error) {
					return irisScores(ctx, a, f.data[0], syntheticIrises(people))
				}
			}
			if err := f.check(1); err != nil {
				return err
			}
			if people < 0 || people > 1000 {
				return fault.Usage("--synthetic takes up to 1000")
			}
			if !iriscode.ValidProfile(profile) {
				return fault.Usage("--profile is needed: the name of the program that made the codes, as they carry it (1 to 64 of a-z 0-9 . _ -)")
			}
			return writeCalibration(c.Context(), a, &f, "iris", iris.Comparator(profile), groups)
		},
	}, "folder of iris codes (required, but with --synthetic)")
	c.Flags().StringVar(&profile, "profile", "", "name of the program that made the codes, as they carry it")
	c.Flags().IntVar(&people, "synthetic", 0, "number of synthetic people to use instead of --data")
	return c
}

func irisGroups(ctx context.Context, a *cli.App, folders []string) ([]calibration.Scores, error) {
	irises, folder, err := evaluation.ReadIrises(folders[0])
	if err != nil {
		return nil, datafolder.Unreadable(err)
	}
	datafolder.Tell(a, folder)
	return irisScores(ctx, a, filepath.Base(folders[0]), irises)
}

// syntheticIrises are a reference and two probes of each eye.
func syntheticIrises(people int) evaluation.Irises {
	var out evaluation.Irises
	population := synth.New(1, "KAZ")
	for i := range people {
		p := population.Person(i)
		for eye := range uint8(2) {
			for _, capture := range []synth.Iris{p.IrisReference(eye), p.IrisProbe(eye, 1), p.IrisProbe(eye, 2)} {
				var s iris.Sample
				copy(s.Code[:], capture.Code())
				copy(s.Mask[:], capture.Mask())
				out.Eyes = append(out.Eyes, fmt.Sprint(i, "-", eye))
				out.Samples = append(out.Samples, s)
			}
		}
	}
	return out
}

func irisScores(ctx context.Context, a *cli.App, name string, irises evaluation.Irises) ([]calibration.Scores, error) {
	var items []calibration.Item[*iris.Template]
	for i, s := range irises.Samples {
		t, err := iris.Prepare(s)
		if err != nil {
			continue // a failure to acquire is no comparison
		}
		defer t.Wipe()
		items = append(items, calibration.Item[*iris.Template]{Source: irises.Eyes[i], Capture: fmt.Sprint(i), Template: t})
	}
	captured, err := calibration.Collect(ctx, name, items, nil, irisScore, datafolder.Counting(a))
	if err != nil {
		return nil, err
	}
	made := calibration.Scores{Name: "codes of what irises have in common", Sources: captured.Sources, Mated: captured.Mated}
	made.NonMated, err = commonScores(ctx, a, irises, items)
	return []calibration.Scores{captured, made}, err
}

func irisScore(x, y *iris.Template) float64 {
	r, err := iris.Compare(x, y)
	if err != nil {
		return 0 // undecidable accepts nobody
	}
	return r.Score
}

// commonScores are those of codes that half of the eyes have in common against the other half, for many halves: a code
// is tried on no eye that it was made of, for nobody has the samples of those whom he does not know.
func commonScores(ctx context.Context, a *cli.App, irises evaluation.Irises, items []calibration.Item[*iris.Template]) ([]float64, error) {
	const halves = 80
	counting := datafolder.Counting(a)
	var out []float64
	for half := range halves {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("comparing: %w", err)
		}
		r := rand.New(rand.NewPCG(uint64(half), 1)) //nolint:gosec // which half it is need not be secret
		known := map[string]bool{}
		var from []iris.Sample
		for i, s := range irises.Samples {
			if _, ok := known[irises.Eyes[i]]; !ok {
				known[irises.Eyes[i]] = r.IntN(2) == 0
			}
			if known[irises.Eyes[i]] {
				from = append(from, s)
			}
		}
		r.Shuffle(len(from), func(i, j int) { from[i], from[j] = from[j], from[i] })
		for _, shown := range []int{iris.Bits * 4 / 10, iris.Bits * 7 / 10, iris.Bits} {
			common, err := iris.Prepare(iris.Common(from, shown))
			if err != nil {
				continue // of no samples at all
			}
			for _, item := range items {
				if !known[item.Source] {
					out = append(out, irisScore(common, item.Template))
				}
			}
			common.Wipe()
		}
		if counting != nil {
			counting(half+1, halves)
		}
	}
	return out, nil
}

func calibrateSignature(a *cli.App) *cobra.Command {
	var f calibrating
	var references int
	c := f.add(&cobra.Command{
		Use:   "signature",
		Short: "Online signatures in the text form of SVC2004",
		Long: `DIR holds signatures as for "tamga evaluate signature". Each writer enrols the first genuine
ones. A threshold must hold against skilled forgeries of the writer as well as against other
writers' signatures; the skilled ones are few and bound what can be claimed. It must hold, too,
where a tablet measures no pressure, no angles of the pen, or neither.`,
		Example: `  tamga calibrate signature --data svc2004/ --out signature.calibration.json`,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := f.check(1); err != nil {
				return err
			}
			groups := func(ctx context.Context, folders []string) ([]calibration.Scores, error) {
				return signatureGroups(ctx, a, folders[0], references)
			}
			return writeCalibration(c.Context(), a, &f, "signature", signature.Comparator, groups)
		},
	}, "folder of signatures (required)")
	c.Flags().IntVar(&references, "references", 5, fmt.Sprintf("signatures each writer enrols, %d to %d", signature.MinSignatures, signature.MaxSignatures))
	return c
}

func signatureGroups(ctx context.Context, a *cli.App, dir string, references int) ([]calibration.Scores, error) {
	samples, folder, err := evaluation.ReadSignatures(dir)
	if err != nil {
		return nil, datafolder.Unreadable(err)
	}
	datafolder.Tell(a, folder)
	var out []calibration.Scores
	for _, without := range []struct {
		name             string
		pressure, angles bool
	}{{"", false, false}, {", without pressure", true, false}, {", without angles", false, true}, {", without either", true, true}} {
		few := slices.Clone(samples)
		for i := range few {
			few[i].Sample.HasPressure = few[i].Sample.HasPressure && !without.pressure
			few[i].Sample.HasAngles = few[i].Sample.HasAngles && !without.angles
		}
		trials, err := evaluate.SignatureTrials(ctx, few, references, evaluate.Options{Progress: datafolder.Counting(a)})
		if errors.Is(err, evaluate.ErrSignatures) {
			return nil, fault.Usage("--references is out of range, or the files are misnumbered")
		}
		if err != nil {
			return nil, err
		}
		out = append(out, signatureScores(trials, without.name)...)
	}
	return out, nil
}

// signatureScores are those of skilled forgeries, and of other writers' signatures.
func signatureScores(trials []evaluate.Trial, which string) []calibration.Scores {
	writers := map[int]bool{}
	skilled, random := calibration.Scores{Name: "skilled forgeries" + which}, calibration.Scores{Name: "other writers" + which}
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
	return []calibration.Scores{skilled, random}
}
