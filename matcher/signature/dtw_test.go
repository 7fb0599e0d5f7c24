package signature_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tamga-id/tamga/matcher/signature"
)

// plainCost fills the whole table of the dynamic programme from its
// definition, with the band as a condition on each cell.
func plainCost(a, b [][signature.Channels]int32) int32 {
	n, m := len(a), len(b)
	radius := max(int(signature.BandShare*float64(m))+1, m/n+1)
	table := make([][]float64, n)
	for i := range table {
		table[i] = make([]float64, m)
		centre := int(math.Floor((float64(i) + 0.5) * float64(m) / float64(n)))
		switch i {
		case 0:
			centre = 0
		case n - 1:
			centre = m - 1
		}
		for j := range table[i] {
			table[i][j] = math.Inf(1)
			if j < centre-radius || j > centre+radius {
				continue
			}
			before := math.Inf(1)
			if i == 0 && j == 0 {
				before = 0
			}
			if i > 0 {
				before = min(before, table[i-1][j])
			}
			if j > 0 {
				before = min(before, table[i][j-1])
			}
			if i > 0 && j > 0 {
				before = min(before, table[i-1][j-1])
			}
			cost := 0.0
			for c := range a[i] {
				cost += math.Min(math.Abs(float64(a[i][c])-float64(b[j][c])), signature.FurthestApart)
			}
			table[i][j] = before + cost
		}
	}
	return int32(table[n-1][m-1])
}

// stretched has n points of a random walk.
func stretched(seed uint64, n int) signature.Sample {
	r := rand.New(rand.NewPCG(seed, 5))
	s := signature.Sample{HasPressure: true}
	x, y := 0.0, 0.0
	for i := range n {
		x, y = x+r.NormFloat64(), y+r.NormFloat64()
		s.Points = append(s.Points, signature.Point{X: x, Y: y, T: float64(10 * i), Pressure: r.Float64()})
	}
	return s
}

func TestCostAgreesWithPlainTable(t *testing.T) {
	lengths := []int{16, 17, 31, 100, 333, 600, 2048}
	for _, n := range lengths {
		for _, m := range lengths {
			if n+m > 2200 && testing.Short() {
				continue
			}
			a, b := prepare(t, stretched(uint64(n), n)), prepare(t, stretched(uint64(m)+7, m))
			want := plainCost(signature.Rows(a), signature.Rows(b))
			if got := signature.Cost(a, b); got != want {
				t.Errorf("%d against %d: cost %d, want %d", n, m, got, want)
			}
			if bound := signature.Bound(a, b); bound > want || bound < 0 {
				t.Errorf("%d against %d: bound %d of a cost %d", n, m, bound, want)
			}
		}
	}
	for k := range uint64(40) {
		a, b := prepare(t, invented(k, 1, 0.05)), prepare(t, invented(k/2, 2, 0.3))
		want := plainCost(signature.Rows(a), signature.Rows(b))
		if got := signature.Cost(a, b); got != want {
			t.Errorf("writers %d and %d: cost %d, want %d", k, k/2, got, want)
		}
		if bound := signature.Bound(a, b); bound > want {
			t.Errorf("writers %d and %d: bound %d of a cost %d", k, k/2, bound, want)
		}
	}
}

// TestReachesAnswersAsCompare: giving up early never changes the answer, at
// thresholds right at the score least of all.
func TestReachesAnswersAsCompare(t *testing.T) {
	for writer := range uint64(6) {
		r := enrolled(t, writer, 3+int(writer))
		for other := range uint64(8) {
			p := prepare(t, invented(other, 50+other, 0.1))
			s := score(t, p, r)
			for _, th := range []float64{
				-1, 0, 1e-9, 0.2, 0.4, 0.5, s - 1e-9, math.Nextafter(s, 0), s, math.Nextafter(s, 1), s + 1e-9, 0.9, 1, 2,
				math.Inf(1), math.Inf(-1),
			} {
				got, err := signature.Reaches(p, r, th)
				if err != nil || got != (s >= th) {
					t.Errorf("score %v, threshold %v: %v, %v", s, th, got, err)
				}
			}
			if got, err := signature.Reaches(p, r, math.NaN()); got || err != nil {
				t.Errorf("threshold NaN: %v, %v", got, err)
			}
		}
	}
}

// TestFastCostsAreTheSame holds what this processor computes against pure Go.
func TestFastCostsAreTheSame(t *testing.T) {
	for _, n := range []int{16, 17, 31, 32, 100, 333} {
		a, b := prepare(t, stretched(1, 40)), prepare(t, stretched(uint64(n), n))
		for i := range 40 {
			plain, fast := signature.Costs(a, b, i)
			if !slices.Equal(plain, fast) {
				t.Fatalf("%d rows, probe row %d: %v, want %v", n, i, fast, plain)
			}
		}
	}
}

// The two benchmarks run over signatures like those of SVC2004: 200 points,
// five references, one probe in five by the same writer.
func BenchmarkCompare(b *testing.B) {
	bench(b, func(p *signature.Template, r *signature.Reference) {
		if _, err := signature.Compare(p, r); err != nil {
			b.Fatal(err)
		}
	})
}

func BenchmarkReaches(b *testing.B) {
	bench(b, func(p *signature.Template, r *signature.Reference) {
		if _, err := signature.Reaches(p, r, 0.45); err != nil {
			b.Fatal(err)
		}
	})
}

func bench(b *testing.B, f func(*signature.Template, *signature.Reference)) {
	r := enrolled(b, 1, 5)
	var probes []*signature.Template
	for k := range uint64(40) {
		probes = append(probes, prepare(b, stretchedAngles(180+int(k))), prepare(b, invented(1+k%5, 10+k, 0.05)))
	}
	b.ReportAllocs()
	k := 0
	for b.Loop() {
		f(probes[k%len(probes)], r)
		k++
	}
	b.ReportMetric(5*float64(b.N)/b.Elapsed().Seconds(), "warps/s")
}
