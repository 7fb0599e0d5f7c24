package finger_test

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tamga-id/tamga/matcher/finger"
)

// cuts are ways to cut n minutiae out of a finger.
var cuts = map[string]func(ms []finger.Minutia, n int, r *rand.Rand) []finger.Minutia{
	"random": func(ms []finger.Minutia, n int, r *rand.Rand) []finger.Minutia {
		r.Shuffle(len(ms), func(i, j int) { ms[i], ms[j] = ms[j], ms[i] })
		return ms[:n]
	},
	"around-one": func(ms []finger.Minutia, n int, r *rand.Rand) []finger.Minutia {
		return nearest(ms, ms[r.IntN(len(ms))], n)
	},
	"densest": func(ms []finger.Minutia, n int, _ *rand.Rand) []finger.Minutia {
		var best []finger.Minutia
		least := 1 << 62
		for _, m := range slices.Clone(ms) {
			got := slices.Clone(nearest(ms, m, n))
			if d := apart(got[n-1], m); d < least {
				best, least = got, d
			}
		}
		return best
	},
	"half": func(ms []finger.Minutia, n int, r *rand.Rand) []finger.Minutia {
		slices.SortFunc(ms, func(a, b finger.Minutia) int { return cmp.Compare(a.Y, b.Y) })
		if r.IntN(2) == 0 {
			return ms[:n]
		}
		return ms[len(ms)-n:]
	},
	"best": func(ms []finger.Minutia, n int, _ *rand.Rand) []finger.Minutia {
		slices.SortStableFunc(ms, func(a, b finger.Minutia) int { return cmp.Compare(b.Quality, a.Quality) })
		return ms[:n]
	},
}

func apart(a, b finger.Minutia) int {
	dx, dy := int(a.X)-int(b.X), int(a.Y)-int(b.Y)
	return dx*dx + dy*dy
}

func nearest(ms []finger.Minutia, to finger.Minutia, n int) []finger.Minutia {
	slices.SortStableFunc(ms, func(a, b finger.Minutia) int { return cmp.Compare(apart(a, to), apart(b, to)) })
	return ms[:n]
}

// TestCutFingersKeepTheRates: whatever part an impostor cuts out of a finger, it matches foreign fingers about as often as
// the threshold says that such a part is held to, and not twice as often.
func TestCutFingersKeepTheRates(t *testing.T) {
	if raceDetector {
		t.Skip("too slow under the race detector")
	}
	const oneIn = 1000
	for _, extractor := range []string{"iso_secugen", "iso_fjfx"} {
		all := impressions(t, extractor)
		for name, cut := range cuts {
			for _, n := range []int{finger.MinDecidable, finger.MinWhole} {
				c := finger.Calibration()
				if n < finger.MinWhole {
					c = finger.FragmentCalibration()
				}
				limit, err := c.Threshold(oneIn)
				if err != nil {
					t.Fatal(err)
				}
				for _, framed := range []bool{false, true} {
					over, total := matchesOf(t, all, limit.Score, framed, func(ms []finger.Minutia, r *rand.Rand) []finger.Minutia { return cut(ms, n, r) }, n)
					expected := float64(total) / oneIn
					if most := 1.3*expected + 3*math.Sqrt(expected); float64(over) > most || total < 5000 {
						t.Errorf("%s, %d minutiae cut out by %q, in a frame of parts %t: %d of %d comparisons match at 1 in %d, want at most %.0f", extractor, n, name, framed, over, total, oneIn, most)
					}
				}
			}
		}
	}
}

// matchesOf compares a part of each finger of more than n minutiae with every eighth of the others.
func matchesOf(t *testing.T, all []impression, limit float64, framed bool, cut func([]finger.Minutia, *rand.Rand) []finger.Minutia, n int) (over, total int) {
	t.Helper()
	r := rand.New(rand.NewPCG(1, uint64(n)))
	for i, p := range all {
		if len(p.sample.Minutiae) <= n {
			continue
		}
		s := p.sample
		s.Minutiae = cut(slices.Clone(s.Minutiae), r)
		if framed {
			s.Width, s.Height = finger.FrameOfParts(s.ResX, s.ResY)
		}
		probe := prepare(t, s)
		for j, q := range all {
			if q.owner != p.owner && (i+j)%8 == 0 && q.sample.Poor() == finger.NoReason {
				total++
				if finger.Compare(probe, q.template) >= limit {
					over++
				}
			}
		}
	}
	return over, total
}

// TestQualitiesAndSymmetry: templates that differ in qualities alone score the same whichever comes first.
func TestQualitiesAndSymmetry(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 28))
	for round := range 60 {
		a := scattered(uint64(round), 30+r.IntN(30))
		b := a
		b.Minutiae = slices.Clone(a.Minutiae)
		for i := range b.Minutiae {
			a.Minutiae[i].Quality, b.Minutiae[i].Quality = uint8(1+r.IntN(100)), uint8(1+r.IntN(100))
		}
		ta, tb := prepare(t, a), prepare(t, b)
		if x, y := finger.Compare(ta, tb), finger.Compare(tb, ta); x != y {
			t.Errorf("round %d: %v and, exchanged, %v", round, x, y)
		}
	}
}
