package protection_test

import (
	"encoding/binary"
	"fmt"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/face"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/protection"
)

const faceDims = 128

// photographed gives two embeddings of each of some people of the shared test data, which
// does not ship with the project.
func photographed(t *testing.T, most int) (first, second [][]byte) {
	t.Helper()
	root := os.Getenv("TAMGA_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared")
	}
	base := filepath.Join(root, "data", "face", "embeddings128")
	table, err := os.ReadFile(base + ".tsv")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("shared test data is absent: %v", err)
	}
	raw, err := os.ReadFile(base + ".f32")
	if err != nil {
		t.Fatal(err)
	}
	waiting := map[string][]byte{} // first photographs; nil once there was a second
	for i, line := range strings.Split(strings.TrimSpace(string(table)), "\n")[1:] {
		subject := strings.Split(line, "\t")[1]
		before, seen := waiting[subject]
		if len(first) == most || seen && before == nil {
			continue
		}
		v := make([]float32, faceDims)
		for k := range v {
			v[k] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*(i*faceDims+k):]))
		}
		data, err := exchange.EncodeEmbedding(face.ModelMobileFaceNet, v)
		if err != nil {
			t.Fatal(err)
		}
		if !seen {
			waiting[subject] = data
			continue
		}
		first, second, waiting[subject] = append(first, before), append(second, data), nil
	}
	if len(first) < 100 {
		t.Fatalf("only %d people with two photographs", len(first))
	}
	return first, second
}

// values are the vectors that a node stores of embeddings.
func values(t *testing.T, by *protection.Faces, faces [][]byte) (out [][]float32) {
	t.Helper()
	for _, data := range faces {
		stored := gallery.Template{Data: data}
		if by != nil {
			var err error
			if stored, _, err = by.Protect(template(data)); err != nil {
				t.Fatal(err)
			}
		}
		e, err := exchange.ParseEmbedding(stored.Data)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, e.Values)
	}
	return out
}

func cosine(a, b []float32) float64 {
	var ab, aa, bb float64
	for i := range a {
		x, y := float64(a[i]), float64(b[i])
		ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
	}
	return ab / math.Sqrt(aa*bb)
}

// scores compares everybody's first with everybody's second template, whatever they are
// named: mated, and with some others.
func scores(first, second [][]float32) (mated, others []float64) {
	for i := range first {
		mated = append(mated, cosine(first[i], second[i]))
		for k := 1; k <= 8; k++ {
			others = append(others, cosine(first[i], second[(i+k)%len(second)]))
		}
	}
	return mated, others
}

// linkable is the global measure D of M. Gomez-Barrero, J. Galbally, C. Rathgeb, C. Busch,
// "General Framework to Evaluate Unlinkability in Biometric Template Protection Systems",
// IEEE TIFS 13(6), 2018, which ISO/IEC 30136 takes up: 0 when mated and non-mated scores
// cannot be told apart, 1 when always. Densities are shares in bins of equal width.
func linkable(mated, others []float64) (d float64) {
	const bins = 40
	low, high := min(slices.Min(mated), slices.Min(others)), max(slices.Max(mated), slices.Max(others))
	share := func(scores []float64) (out [bins]float64) {
		for _, s := range scores {
			out[min(bins-1, int((s-low)/(high-low)*bins))] += 1 / float64(len(scores))
		}
		return out
	}
	m, o := share(mated), share(others)
	for i := range m {
		if m[i] > o[i] {
			d += m[i] * (2*m[i]/(m[i]+o[i]) - 1)
		}
	}
	return d
}

// above is the share of pairs in which the mated score is the higher, the area under the
// ROC curve.
func above(mated, others []float64) (area float64) {
	sorted := slices.Sorted(slices.Values(others))
	for _, m := range mated {
		below, _ := slices.BinarySearch(sorted, m)
		area += float64(below)
	}
	return area / float64(len(mated)*len(others))
}

func spread(scores []float64) string {
	var mean, square float64
	for _, s := range scores {
		mean, square = mean+s/float64(len(scores)), square+s*s/float64(len(scores))
	}
	sorted := slices.Sorted(slices.Values(scores))
	at := func(share float64) float64 { return sorted[int(share*float64(len(sorted)-1))] }
	return fmt.Sprintf("mean %+.3f, deviation %.3f, 1 %% %+.2f, 50 %% %+.2f, 99 %% %+.2f", mean, math.Sqrt(square-mean*mean), at(0.01), at(0.5), at(0.99))
}

// TestTwoNodes shows what two nodes' stored templates of the same people tell of each
// other: nothing, where two photographs, or two templates of one node, tell them apart. A
// single pair of nodes shifts all scores a little, by chance, either way; so the measure is
// of the scores under many pairs. TAMGA_DRAW=FILE.svg draws the distributions.
func TestTwoNodes(t *testing.T) {
	const pairs = 32
	first, second := photographed(t, 300)
	var series []curve
	look := func(name string, limit func(d, area float64) bool, mated, others []float64) {
		t.Helper()
		d, area := linkable(mated, others), above(mated, others)
		t.Logf("%-16s D %.3f, AUC %.3f\n  mated     %s\n  non-mated %s", name, d, area, spread(mated), spread(others))
		if !limit(d, area) {
			t.Errorf("%s: D %.3f, AUC %.3f", name, d, area)
		}
		series = append(series, curve{name + ", mated", mated}, curve{name + ", non-mated", others})
	}
	told := func(d, area float64) bool { return d > 0.9 && area > 0.98 }
	mated, others := scores(values(t, nil, first), values(t, nil, second))
	look("as enrolled", told, mated, others)
	one := faces(t, 1, 1)
	mated, others = scores(values(t, one, first), values(t, one, second))
	look("one node", told, mated, others)
	mated, others = nil, nil
	var generations [2][]float64
	for n := range byte(pairs) {
		a, b, renewed := faces(t, 2*n+1, 1), faces(t, 2*n+2, 1), faces(t, 2*n+1, 2)
		m, o := scores(values(t, a, first), values(t, b, second))
		mated, others = append(mated, m...), append(others, o...)
		// The same photograph, before and after a renewal.
		m, o = scores(values(t, a, first), values(t, renewed, first))
		generations[0], generations[1] = append(generations[0], m...), append(generations[1], o...)
	}
	not := func(d, area float64) bool { return d < 0.04 && math.Abs(area-0.5) < 0.02 }
	look("two nodes", not, mated, others)
	look("two generations", not, generations[0], generations[1])
	if file := os.Getenv("TAMGA_DRAW"); file != "" {
		draw(t, file, series[2:6])
	}
}

type curve struct {
	name   string
	scores []float64
}

// draw writes the shares of scores as lines.
func draw(t *testing.T, file string, curves []curve) {
	t.Helper()
	const bins = 100
	p := plot.New()
	p.X.Label.Text, p.Y.Label.Text = "cosine of two stored templates", "share of comparisons in 0.02"
	p.Legend.Top, p.Legend.Left = true, true
	p.Legend.XOffs = vg.Centimeter
	colours := []color.RGBA{{0x00, 0x72, 0xB2, 0xFF}, {0xD5, 0x5E, 0x00, 0xFF}}
	for i, c := range curves {
		var counts [bins]float64
		for _, s := range c.scores {
			counts[min(bins-1, int((s+1)/2*bins))] += 1 / float64(len(c.scores))
		}
		points := make(plotter.XYs, bins)
		for b := range counts {
			points[b] = plotter.XY{X: 2*(float64(b)+0.5)/bins - 1, Y: counts[b]}
		}
		line, err := plotter.NewLine(points)
		if err != nil {
			t.Fatal(err)
		}
		line.Color, line.Width = colours[i/2], vg.Points(1.2)
		if i%2 == 1 {
			line.Dashes = []vg.Length{vg.Points(4), vg.Points(2)}
		}
		p.Add(line)
		p.Legend.Add(c.name, line)
	}
	if err := p.Save(16*vg.Centimeter, 9*vg.Centimeter, file); err != nil {
		t.Fatal(err)
	}
}
