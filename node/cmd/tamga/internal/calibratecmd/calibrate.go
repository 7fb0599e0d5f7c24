// Package calibratecmd is `tamga calibrate`: thresholds are made of scores of a country's own data.
package calibratecmd

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/matcher/calibration"
	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/face"
	"github.com/tamga-id/tamga/matcher/finger"
	"github.com/tamga-id/tamga/matcher/synth"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/datafolder"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/evaluation"
)

// calibrating is the flags that every modality has.
type calibrating struct {
	data     []string
	out, say string
}

// Command is `tamga calibrate`.
func Command(a *cli.App) *cobra.Command {
	c := &cobra.Command{
		Use:   "calibrate",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
		Short: "Make a calibration file: what comparison scores mean on your data",
		Long: `Compares all pairs of a data set and writes a calibration: a JSON file that turns scores into
log-likelihood ratios and says from which score on a comparison is a match at a false match
rate. The file claims no rate that the comparisons do not support (rule of three). It holds
aggregate figures only, nothing of a person.`,
		Example: `  tamga calibrate finger --data secugen/ --data fingerjet/ --out finger.calibration.json
  tamga calibrate face --model mobilefacenet-128 --data faces/ --out face.calibration.json`,
	}
	c.AddCommand(calibrateFinger(a), calibrateFace(a), calibrateIris(a), calibrateSignature(a))
	return c
}

func (f *calibrating) add(c *cobra.Command, words string) *cobra.Command {
	c.Args = cobra.NoArgs
	c.Flags().StringArrayVar(&f.data, "data", nil, words)
	c.Flags().StringVar(&f.out, "out", "", "file to write; - for stdout (required)")
	c.Flags().StringVar(&f.say, "describe", "", "where the data came from, in words, for the file")
	return c
}

// maxDescription is what a calibration file takes.
const maxDescription = 2000

func (f *calibrating) check(folders int) error {
	switch {
	case f.out == "":
		return fault.Usage("--out is needed: the calibration file to write")
	case len(f.data) == 0:
		return fault.Usage("--data is needed: a folder of samples")
	case len(f.say) > maxDescription:
		return fault.Usage("--describe takes up to %d bytes", maxDescription)
	case len(f.data) > folders:
		return fault.Usage("too many --data")
	}
	return distinctFolders(f.data)
}

// distinctFolders refuses a folder that is named twice: comparing captures with
// themselves as if another extractor had seen them would make the figures better
// than the data are.
func distinctFolders(names []string) error {
	var seen []os.FileInfo
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil {
			continue // who reads it says why it cannot be read
		}
		if slices.ContainsFunc(seen, func(other os.FileInfo) bool { return os.SameFile(info, other) }) {
			return fault.Usage("--data names one folder twice")
		}
		seen = append(seen, info)
	}
	return nil
}

func calibrateFinger(a *cli.App) *cobra.Command {
	var f calibrating
	var fragments bool
	c := f.add(&cobra.Command{
		Use:   "finger",
		Short: "Fingerprint templates: *.iso files named SET_FINGER_IMPRESSION.iso",
		Long: `Each DIR holds the templates of one extractor, named as for "tamga evaluate finger". All pairs
of different fingers are non-mated, across sets as well as within. With several folders the
templates of each are compared with those of every other, too. Parts that an impostor would cut
out of them, the minutiae that lie closest together, are further groups, and a threshold must
hold in each. --fragments makes the calibration for comparisons in which one side shows
little of a finger, of smaller parts alone.`,
		Example: `  tamga calibrate finger --data secugen/ --data fingerjet/ --out finger.calibration.json
  tamga calibrate finger --data secugen/ --data fingerjet/ --fragments --out fragment.calibration.json`,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := f.check(4); err != nil {
				return err
			}
			comparator := finger.Comparator
			if fragments {
				comparator = finger.FragmentComparator
			}
			groups := func(ctx context.Context, folders []string) ([]calibration.Scores, error) {
				return fingerGroups(ctx, a, folders, fragments)
			}
			return writeCalibration(c.Context(), a, &f, "finger", comparator, groups)
		},
	}, "folder of templates (required); repeat it for each extractor, up to 4")
	c.Flags().BoolVar(&fragments, "fragments", false, "calibrate comparisons with fragments instead of those of whole fingers")
	return c
}

func calibrateFace(a *cli.App) *cobra.Command {
	var f calibrating
	var model string
	var people int
	var made bool
	c := f.add(&cobra.Command{
		Use:   "face",
		Short: "Face embeddings: embeddingsN.f32 and embeddingsN.tsv",
		Long: `DIR holds the embeddings of one model, as for "tamga evaluate face". --synthetic makes that
many synthetic people instead, for the sandbox's own model. A threshold holds for faces that a
camera captured; with --made it must hold, too, for vectors that are made to be like many faces,
of half of the people against the other half, which costs more people their match.`,
		Example: `  tamga calibrate face --model mobilefacenet-128 --data faces/ --out face.calibration.json
  tamga calibrate face --model mobilefacenet-128 --data faces/ --made --out face.calibration.json
  tamga calibrate face --synthetic 3000 --out synth.calibration.json`,
		RunE: func(c *cobra.Command, _ []string) error {
			groups := func(ctx context.Context, data []string) ([]calibration.Scores, error) {
				return faceGroup(ctx, a, model, data[0], made)
			}
			if people > 0 && made {
				return fault.Usage("--made goes with --data")
			}
			if people > 0 {
				model, f.data = face.ModelSynth, []string{"synthetic people"}
				groups = func(ctx context.Context, _ []string) ([]calibration.Scores, error) {
					return syntheticFaces(ctx, a, people)
				}
			}
			if err := f.check(1); err != nil {
				return err
			}
			if model == "" || people < 0 || people > 20_000 {
				return fault.Usage("--model is needed, the identifier that the embeddings carry; --synthetic takes up to 20000")
			}
			return writeCalibration(c.Context(), a, &f, "face", face.Comparator(model), groups)
		},
	}, "folder of embeddings (required, but with --synthetic)")
	c.Flags().StringVar(&model, "model", "", "identifier of the model that computed the embeddings")
	c.Flags().IntVar(&people, "synthetic", 0, "number of synthetic people to use instead of --data")
	c.Flags().BoolVar(&made, "made", false, "hold thresholds against vectors made to be like many faces, too")
	return c
}

// writeCalibration compares, fits and writes. An existing file is replaced whole or not at all.
func writeCalibration(ctx context.Context, a *cli.App, f *calibrating, modality, comparator string, groups func(context.Context, []string) ([]calibration.Scores, error)) error {
	scores, err := groups(ctx, f.data)
	if err != nil {
		return err
	}
	if f.say == "" {
		names := make([]string, len(f.data))
		for i, d := range f.data {
			names[i] = filepath.Base(d)
		}
		f.say = strings.Join(names, ", ")
	}
	c, err := calibration.Fit(calibration.Input{Modality: modality, Comparator: comparator, Data: f.say, Groups: scores})
	if err != nil {
		return err
	}
	b, err := c.Encode()
	if err != nil {
		return err
	}
	if f.out == "-" {
		_, err = a.Out.Write(b)
		return err
	}
	if err := os.WriteFile(f.out+".part", b, 0o644); err != nil {
		return fmt.Errorf("writing calibration: %w", err)
	}
	if err := os.Rename(f.out+".part", f.out); err != nil {
		return fmt.Errorf("writing calibration: %w", err)
	}
	least, greatest := c.Bounds()
	rows := [][2]string{{"calibration", f.out}, {"comparator", comparator}, {"strictest rate", fmt.Sprintf("1 in %d", c.Strictest())},
		{"log-likelihood ratios", fmt.Sprintf("%.1f to %.1f", least, greatest)}}
	for _, g := range c.Groups() {
		rows = append(rows, [2]string{g.Name, fmt.Sprintf("%d mated, %d non-mated, of %d", g.Mated, g.NonMated, g.Sources)})
	}
	return a.Emit(struct {
		File       string              `json:"file"`
		Comparator string              `json:"comparator"`
		Strictest  uint32              `json:"strictest_one_in"`
		Groups     []calibration.Group `json:"groups"`
	}{f.out, comparator, c.Strictest(), c.Groups()}, rows)
}

// fingerGroups compares the templates of each folder with themselves, with those of every other, and the parts that an
// impostor would cut out of them with all; or smaller fragments of each folder's with the templates of all, alone.
func fingerGroups(ctx context.Context, a *cli.App, folders []string, fragments bool) ([]calibration.Scores, error) {
	part, kept := "parts of ", finger.MinWhole
	if fragments {
		part, kept = "fragments of ", finger.MinDecidable
	}
	whole := make([][]calibration.Item[*finger.Template], len(folders))
	cut := make([][]calibration.Item[*finger.Template], len(folders))
	for i, dir := range folders {
		templates, folder, err := evaluation.ReadFingers(dir)
		if err != nil {
			return nil, datafolder.Unreadable(err)
		}
		datafolder.Tell(a, folder)
		for _, t := range templates {
			for _, part := range []struct {
				sample finger.Sample
				into   *[]calibration.Item[*finger.Template]
			}{{t.Sample, &whole[i]}, {densest(t.Sample, kept), &cut[i]}} {
				item, err := fingerItem(t.Name, part.sample)
				if err != nil {
					return nil, err
				}
				if item.Template != nil {
					defer item.Template.Wipe()
					*part.into = append(*part.into, item)
				}
			}
		}
	}
	var out []calibration.Scores
	collect := func(name string, probes, references []calibration.Item[*finger.Template]) error {
		s, err := calibration.Collect(ctx, name, probes, references, finger.Compare, datafolder.Counting(a))
		out = append(out, s)
		return err
	}
	for i, of := range folders {
		for j, with := range folders {
			of, with := filepath.Base(of), filepath.Base(with)
			var err error
			switch {
			case fragments, j < i:
			case i == j:
				err = collect(of, whole[i], nil)
			default:
				err = collect(of+" with "+with, whole[i], whole[j])
			}
			if err == nil {
				err = collect(part+of+" with "+with, cut[i], whole[j])
			}
			if err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// fingerItem is a sample made ready, or without a template where it cannot be: a failure to acquire is no comparison.
func fingerItem(name string, s finger.Sample) (calibration.Item[*finger.Template], error) {
	at := strings.LastIndexByte(name, '_')
	if at <= 0 {
		return calibration.Item[*finger.Template]{}, fmt.Errorf("reading template name %.60q: want SET_FINGER_IMPRESSION", name)
	}
	t, err := finger.Prepare(s)
	if err != nil {
		t = nil
	}
	return calibration.Item[*finger.Template]{Source: name[:at], Capture: name[at+1:], Template: t}, nil
}

// densest keeps the n minutiae that lie closest together: the fragment that an impostor would cut out of a finger, since
// it fits in most places of another. The image is said to be as tall and narrow as makes a second comparison, with both
// stretched alike, look worth while: one more chance that costs nothing.
func densest(s finger.Sample, n int) finger.Sample {
	if len(s.Minutiae) <= n {
		return s
	}
	distance := func(a, b finger.Minutia) int {
		dx, dy := int(a.X)-int(b.X), int(a.Y)-int(b.Y)
		return dx*dx + dy*dy
	}
	var best []finger.Minutia
	least := math.MaxInt
	for _, centre := range s.Minutiae {
		near := slices.Clone(s.Minutiae)
		slices.SortStableFunc(near, func(a, b finger.Minutia) int { return distance(a, centre) - distance(b, centre) })
		near = near[:n]
		if reach := distance(near[len(near)-1], centre); reach < least {
			least, best = reach, near
		}
	}
	s.Minutiae = best
	s.Width, s.Height = finger.FrameOfParts(s.ResX, s.ResY)
	return s
}

func faceGroup(ctx context.Context, a *cli.App, model, dir string, made bool) ([]calibration.Scores, error) {
	faces, folder, err := evaluation.ReadFaces(dir)
	if err != nil {
		return nil, datafolder.Unreadable(err)
	}
	datafolder.Tell(a, folder)
	var items []calibration.Item[*face.Template]
	for i, s := range faces.Subjects {
		t, err := face.NewFloat(model, faces.Vectors[i*faces.Dims:(i+1)*faces.Dims])
		if err != nil {
			return nil, fault.Unfit("every row needs a finite embedding that is not zero, of "+fmt.Sprintf("%d to %d values", face.MinDims, face.MaxDims),
				"reading embeddings: row %d: %w", i, err)
		}
		items = append(items, calibration.Item[*face.Template]{Source: s, Capture: fmt.Sprint(i), Template: t})
	}
	s, err := calibration.Collect(ctx, filepath.Base(dir), items, nil, cosine, datafolder.Counting(a))
	if err != nil || !made {
		return []calibration.Scores{s}, err
	}
	m, err := madeFaces(ctx, a, faces, s)
	return []calibration.Scores{s, m}, err
}

// syntheticFaces compares references with probes.
func syntheticFaces(ctx context.Context, a *cli.App, people int) ([]calibration.Scores, error) {
	population := synth.New(1, "KAZ")
	var references, probes []calibration.Item[*face.Template]
	for i := range people {
		p := population.Person(i)
		for n, record := range [][]byte{p.FaceReference(), p.FaceProbe(1), p.FaceProbe(2)} {
			t, err := exchange.DecodeEmbedding(record)
			if err != nil {
				return nil, err
			}
			item := calibration.Item[*face.Template]{Source: fmt.Sprint(i), Capture: fmt.Sprint(n), Template: t}
			if n == 0 {
				references = append(references, item)
			} else {
				probes = append(probes, item)
			}
		}
	}
	s, err := calibration.Collect(ctx, "synthetic people", references, probes, cosine, datafolder.Counting(a))
	return []calibration.Scores{s}, err
}

// cosine is for templates of one model, which always compare.
func cosine(x, y *face.Template) float64 {
	score, err := face.Compare(x, y)
	if err != nil {
		return -1
	}
	return score
}
