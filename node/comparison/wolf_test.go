package comparison

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tamga-id/tamga/matcher/finger"
	"github.com/tamga-id/tamga/matcher/fusion"
	"github.com/tamga-id/tamga/matcher/synth"
)

// TestOneProbeUnderTenNames: whoever sends one template under ten names, against a stranger's ten fingers, adds up ten
// comparisons that have the template in common. The bound on their sum takes them as independent, which is right only
// where no template is liker to everybody than the calibration holds against every one. So a template is made here that
// is as like to the fingers of sixty hands as a climb can make it, and shown to others.
func TestOneProbeUnderTenNames(t *testing.T) {
	people := synth.New(3, "KAZ")
	hands := func(from, n int) []*sample {
		var out []*sample
		for i := range n {
			_, references := tenFingers(t, people.Person(from+i))
			out = append(out, references...)
		}
		return out
	}
	const strangers, steps = 150, 150
	learnt, shown := hands(0, 6), hands(100, strangers)
	r := rand.New(rand.NewPCG(1, 1))
	_, own := tenFingers(t, people.Person(50))
	for _, start := range own[:2] {
		wolf, reached := start.view, meanRatio(t, start.view, learnt)
		began := reached
		for range steps {
			next := wolf
			next.Minutiae = slices.Clone(wolf.Minutiae)
			for range 1 + r.IntN(3) {
				m := &next.Minutiae[r.IntN(len(next.Minutiae))]
				m.X, m.Y = uint16(max(0, int(m.X)+r.IntN(41)-20)), uint16(max(0, int(m.Y)+r.IntN(41)-20))
				m.Angle += uint8(r.IntN(65) - 32)
			}
			if got := meanRatio(t, next, learnt); got >= reached {
				wolf, reached = next, got
			}
		}
		held := 0.0
		for _, m := range finger.Calibration().NonMated() {
			held += m.LLR * m.Share
		}
		tried := meanRatio(t, wolf, shown)
		t.Logf("mean ratio %.2f before, %.2f where it climbed, %.2f elsewhere; the calibration holds %.2f against each", began, reached, tried, held)
		if reached <= began {
			t.Error("the climb leads nowhere")
		}
		if tried >= held {
			t.Errorf("mean ratio %.2f, the calibration holds %.2f", tried, held)
		}
		for _, fingers := range []int{2, 5, 10} {
			for _, oneIn := range []uint32{20, 100} {
				if got := matches(t, wolf, shown, fingers, oneIn); float64(got) > strangers/float64(oneIn)+3 {
					t.Errorf("%d fingers at 1 in %d: %d of %d strangers match", fingers, oneIn, got, strangers)
				}
			}
		}
	}
}

func ratios(t *testing.T, probe finger.Sample, references []*sample) []fusion.Source {
	t.Helper()
	p, err := finger.Prepare(probe)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]fusion.Source, len(references))
	for i, r := range references {
		ready, err := r.template()
		if err != nil {
			t.Fatal(err)
		}
		out[i] = fusion.Source{Calibration: finger.Calibration(), Scores: []float64{finger.Compare(p, ready)}}
	}
	return out
}

func meanRatio(t *testing.T, probe finger.Sample, references []*sample) float64 {
	t.Helper()
	sum := 0.0
	for _, s := range ratios(t, probe, references) {
		sum += s.Calibration.LLR(s.Scores[0])
	}
	return sum / float64(len(references))
}

// matches is how many people, of ten fingers each, the probe matches as that many of their fingers.
func matches(t *testing.T, probe finger.Sample, references []*sample, fingers int, oneIn uint32) (found int) {
	t.Helper()
	all := ratios(t, probe, references)
	for ten := range slices.Chunk(all, 10) {
		v, err := fusion.Decide(ten[:fingers], oneIn)
		if err != nil {
			t.Fatal(err)
		}
		if v == fusion.Matched {
			found++
		}
	}
	return found
}
