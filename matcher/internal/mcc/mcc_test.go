package mcc_test

import (
	"fmt"
	"log/slog"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/tamga-id/tamga/matcher/internal/mcc"
)

func everywhere(float32, float32) bool { return true }

// minutiae gives n places strewn over 300 by 400 pixels.
func minutiae(seed uint64, n int) []mcc.Minutia {
	r := rand.New(rand.NewPCG(seed, 1))
	ms := make([]mcc.Minutia, n)
	for i := range ms {
		angle := uint8(r.IntN(256))
		sin, cos := math.Sincos(float64(angle) * 2 * math.Pi / 256)
		ms[i] = mcc.Minutia{X: r.Float32() * 300, Y: r.Float32() * 400, Cos: float32(cos), Sin: float32(sin), Angle: angle}
	}
	return ms
}

func TestCylinderFillsOneCacheLine(t *testing.T) {
	if size := unsafe.Sizeof(mcc.Cylinder{}); size != 64 {
		t.Errorf("a cylinder takes %d bytes, want 64", size)
	}
}

func TestBuildKeepsTheInvariants(t *testing.T) {
	left := func(x, _ float32) bool { return x < 160 }
	cs := mcc.Build(minutiae(1, 120), left)
	if len(cs) == 0 || len(cs) == 120 {
		t.Fatalf("%d cylinders of 120 minutiae, want some and not all", len(cs))
	}
	last := -1
	for _, c := range cs {
		ones := 0
		for _, word := range c.Bits {
			if word&^c.Valid != 0 {
				t.Fatal("bit set outside the valid cells")
			}
			ones += bits.OnesCount64(word)
		}
		if ones != int(c.Ones) || bits.OnesCount64(c.Valid) > mcc.DiscCells || int(c.Index) <= last {
			t.Errorf("ones %d, want %d; valid %d; index %d after %d", c.Ones, ones, bits.OnesCount64(c.Valid), c.Index, last)
		}
		last = int(c.Index)
	}
	if got := mcc.Build(minutiae(1, 120), func(float32, float32) bool { return false }); len(got) != 0 {
		t.Errorf("%d cylinders where no cell is valid", len(got))
	}
}

// naive is the similarity in floating point, cell by cell, as the paper has it.
func naive(a, b *mcc.Cylinder) float64 {
	var sumA, sumB, difference float64
	shared := 0
	for cell := range mcc.Side * mcc.Side {
		if a.Valid>>cell&1 == 0 || b.Valid>>cell&1 == 0 {
			continue
		}
		shared++
		for k := range mcc.Sections {
			x, y := float64(a.Bits[k]>>cell&1), float64(b.Bits[k]>>cell&1)
			sumA, sumB, difference = sumA+x*x, sumB+y*y, difference+(x-y)*(x-y)
		}
	}
	if shared < mcc.MinShared || sumA+sumB == 0 {
		return 0
	}
	return 1 - math.Sqrt(difference)/(math.Sqrt(sumA)+math.Sqrt(sumB))
}

func TestSimilarityAgreesWithTheDefinition(t *testing.T) {
	top := func(_, y float32) bool { return y < 320 }
	left := func(x, _ float32) bool { return x < 240 }
	as, bs := mcc.Build(minutiae(1, 90), top), mcc.Build(minutiae(2, 90), left)
	zero := 0
	for i := range as {
		if got := mcc.Similarity(&as[i], &as[i]); got != 1 {
			t.Errorf("cylinder with itself: %v, want 1", got)
		}
		for j := range bs {
			got, want := mcc.Similarity(&as[i], &bs[j]), naive(&as[i], &bs[j])
			if math.Abs(float64(got)-want) > 1e-6 || got != mcc.Similarity(&bs[j], &as[i]) {
				t.Fatalf("similarity %v, want %v either way", got, want)
			}
			if want == 0 {
				zero++
			}
		}
	}
	if zero == 0 || zero == len(as)*len(bs) {
		t.Errorf("%d of %d pairs share too little: the case is not looked at", zero, len(as)*len(bs))
	}
	if got := mcc.Similarity(&mcc.Cylinder{Valid: math.MaxUint64}, &mcc.Cylinder{Valid: math.MaxUint64}); got != 0 {
		t.Errorf("two empty cylinders: %v, want 0", got)
	}
}

// TestBuildIgnoresTheFrame: a finger moved and turned has the same cylinders, bar the rounding at
// the level from which a bit is set.
func TestBuildIgnoresTheFrame(t *testing.T) {
	ms := minutiae(3, 60)
	turned := make([]mcc.Minutia, len(ms))
	sin, cos := math.Sincos(96 * 2 * math.Pi / 256)
	s, c := float32(sin), float32(cos)
	for i, m := range ms {
		turned[i] = mcc.Minutia{
			X: c*m.X - s*m.Y + 900, Y: s*m.X + c*m.Y - 70,
			Cos: c*m.Cos - s*m.Sin, Sin: s*m.Cos + c*m.Sin, Angle: m.Angle + 96,
		}
	}
	as, bs := mcc.Build(ms, everywhere), mcc.Build(turned, everywhere)
	if len(as) != len(bs) || len(as) < 55 {
		t.Fatalf("%d and %d cylinders", len(as), len(bs))
	}
	for i := range as {
		if got := mcc.Similarity(&as[i], &bs[i]); got < 0.9 {
			t.Errorf("cylinder %d: similarity %v after a turn, want nearly 1", i, got)
		}
	}
}

func TestCylinderRedacts(t *testing.T) {
	c := mcc.Cylinder{Valid: 1234567}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", slog.Any("c", c), slog.Any("p", &c))
	for _, got := range []string{fmt.Sprint(c), fmt.Sprintf("%#v", &c), fmt.Sprintf("%d", []mcc.Cylinder{c}), log.String()} {
		if !strings.Contains(got, "cylinder(redacted)") || strings.Contains(got, "1234567") {
			t.Errorf("printed %q", got)
		}
	}
}

func BenchmarkSimilarity(b *testing.B) {
	as, bs := mcc.Build(minutiae(1, 40), everywhere), mcc.Build(minutiae(2, 40), everywhere)
	var sum float32
	for b.Loop() {
		for i := range as {
			for j := range bs {
				sum += mcc.Similarity(&as[i], &bs[j])
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(as)*len(bs)), "ns/pair")
	_ = sum
}

// TestCountAgreesWithSimilarity holds the counts, by assembly where there is one, and their
// portable twin against the pair-wise definition, for cylinders of fingers and of noise.
func TestCountAgreesWithSimilarity(t *testing.T) {
	top := func(_, y float32) bool { return y < 320 }
	as := mcc.Build(minutiae(4, 120), top)
	r := rand.New(rand.NewPCG(9, 9))
	for range 200 {
		c := mcc.Cylinder{Valid: r.Uint64() & mcc.Disc()}
		if r.IntN(4) == 0 {
			c.Valid = mcc.Disc()
		}
		for k := range c.Bits {
			c.Bits[k] = c.Valid
			for range r.IntN(4) {
				c.Bits[k] &= r.Uint64()
			}
			c.Ones += uint16(bits.OnesCount64(c.Bits[k]))
		}
		as = append(as, c)
	}
	as = append(as, mcc.Cylinder{}, mcc.Cylinder{Valid: mcc.Disc()})
	for n := range len(as) {
		got, twin := make([]mcc.Counts, n), make([]mcc.Counts, n)
		mcc.Count(&as[n], as[:n], got)
		mcc.CountGeneric(&as[n], as[:n], twin)
		for j := range n {
			want := mcc.Similarity(&as[n], &as[j])
			if got[j] != twin[j] || got[j].Similarity() != want {
				t.Fatalf("cylinders %d and %d: counts %#x, portable %#x, similarity %v, want %v", n, j, got[j], twin[j], got[j].Similarity(), want)
			}
			for _, limit := range []float32{0.2, 0.5, 0.7} {
				if got[j].Below(1-limit) && want > limit+1e-6 || !got[j].Below(1-limit) && want < limit-1e-6 {
					t.Fatalf("similarity %v said to be on the wrong side of %v", want, limit)
				}
			}
		}
	}
}

func BenchmarkCount(b *testing.B) {
	as, bs := mcc.Build(minutiae(1, 40), everywhere), mcc.Build(minutiae(2, 40), everywhere)
	out := make([]mcc.Counts, len(bs))
	for b.Loop() {
		for i := range as {
			mcc.Count(&as[i], bs, out)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(as)*len(bs)), "ns/pair")
}

// TestFindAgreesWithSorting holds the most similar of a row, by assembly where there is one, and
// those of its portable twin against what sorting all similarities gives.
func TestFindAgreesWithSorting(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	var all []mcc.Cylinder
	for seed := range uint64(3) {
		all = append(all, mcc.Build(minutiae(10+seed, 100), everywhere)...)
	}
	all = append(all, mcc.Cylinder{}, mcc.Cylinder{Valid: mcc.Disc()})
	var f mcc.Finder
	found := 0
	for round := range 600 {
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		bs := all[1 : 1+r.IntN(min(len(all)-1, mcc.Row-1))]
		angles := mcc.Angles(bs)
		a, centre := &all[0], uint8(r.IntN(256))
		if round%5 == 0 && len(bs) > 0 {
			// The same bits, and with them the cells they lie in and their number.
			b := &bs[r.IntN(len(bs))]
			b.Bits, b.Valid, b.Ones = a.Bits, a.Valid, a.Ones
		}
		// Two rows, of which the second is looked at: it lies behind the first.
		f.Count([]mcc.Cylinder{all[len(all)-1], *a}, bs)
		got, twin := f.Find(1, a.Angle, angles, centre), mcc.FindGeneric(a, bs, angles, centre)
		if want := sorted(a, bs, centre); got != want || twin != want {
			t.Fatalf("round %d, %d cylinders: %#x, portable %#x, want %#x", round, len(bs), got, twin, want)
		}
		for _, k := range got {
			if k != 0 {
				found++
				want := mcc.Similarity(a, &bs[k.Index()])
				if v := k.Similarity(); v > want || v < want-1e-4 {
					t.Fatalf("key says %v, similarity is %v", v, want)
				}
			}
		}
	}
	if found < 1000 {
		t.Errorf("only %d found: the rows say little", found)
	}
}

func sorted(a *mcc.Cylinder, bs []mcc.Cylinder, centre uint8) (best mcc.Best) {
	var inside, outside []mcc.Key
	for j := range bs {
		v := mcc.Similarity(a, &bs[j])
		if v <= mcc.Chance {
			continue
		}
		k := mcc.Key(math.Float32bits(v)&^0xff | uint32(j))
		if turned := int8(a.Angle - centre - bs[j].Angle); turned >= -mcc.MaxTurn && turned <= mcc.MaxTurn {
			inside = append(inside, k)
		} else {
			outside = append(outside, k)
		}
	}
	slices.Sort(inside)
	slices.Sort(outside)
	for k := range min(mcc.Kept, len(inside)) {
		best[k] = inside[len(inside)-1-k]
	}
	if len(outside) > 0 {
		best[mcc.Kept] = outside[len(outside)-1]
	}
	return best
}

// TestFindOfAllCounts: every count that can be gives the same from assembly as without.
func TestFindOfAllCounts(t *testing.T) {
	const most = mcc.Sections * mcc.DiscCells
	counts := make([]mcc.Counts, 0, mcc.Row)
	angles := make([]uint8, mcc.Row)
	for first := 0; first <= most; first += 3 {
		for second := 0; second <= most; second += 5 {
			for both := max(0, first+second-most); both <= min(first, second); both += 7 {
				counts = append(counts, mcc.Counts(both|first<<10|second<<20|1<<30))
				if len(counts) == 3 {
					if got, twin := mcc.BestOf(counts, angles, true), mcc.BestOf(counts, angles, false); got != twin {
						t.Fatalf("counts %#x: %#x, portable %#x", counts, got, twin)
					}
					counts = counts[:0]
				}
			}
		}
	}
}

func BenchmarkFind(b *testing.B) {
	as, bs := mcc.Build(minutiae(1, 40), everywhere), mcc.Build(minutiae(2, 40), everywhere)
	angles := mcc.Angles(bs)
	var f mcc.Finder
	for b.Loop() {
		f.Count(as, bs)
		for i := range as {
			f.Find(i, as[i].Angle, angles, 0)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(as)*len(bs)), "ns/pair")
}

func BenchmarkCountGeneric(b *testing.B) {
	as, bs := mcc.Build(minutiae(1, 40), everywhere), mcc.Build(minutiae(2, 40), everywhere)
	out := make([]mcc.Counts, len(bs))
	for b.Loop() {
		for i := range as {
			mcc.CountGeneric(&as[i], bs, out)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(as)*len(bs)), "ns/pair")
}
