package finger_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tamga-id/tamga/matcher/finger"
)

// TestVotes: whatever the pairs, a processor's own instructions relax them to
// the same bits as portable Go does.
func TestVotes(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 14))
	agreeing := 0
	for trial := range 3000 {
		n := rng.IntN(33)
		a, b := make([][2]float32, n), make([][2]float32, n)
		angleA, angleB, local := make([]uint8, n), make([]uint8, n), make([]float32, n)
		turned := rng.IntN(256)
		sin, cos := math.Sincos(float64(turned) * 2 * math.Pi / 256)
		spread := []float32{2, 20, 300, 1e6}[rng.IntN(4)]
		for k := range n {
			a[k] = [2]float32{rng.Float32() * spread, rng.Float32() * spread}
			angleA[k], local[k] = uint8(rng.IntN(256)), rng.Float32()
			if rng.IntN(3) == 0 { // a false pair
				b[k], angleB[k] = [2]float32{rng.Float32() * spread, rng.Float32() * spread}, uint8(rng.IntN(256))
				continue
			}
			x, y := float64(a[k][0]), float64(a[k][1])
			b[k] = [2]float32{float32(cos*x-sin*y) + 3*rng.Float32(), float32(sin*x+cos*y) + 3*rng.Float32()}
			angleB[k] = angleA[k] + uint8(turned) + uint8(rng.IntN(5))
			if rng.IntN(20) == 0 && k > 0 {
				a[k], b[k] = a[k-1], b[k-1]
			}
		}
		portable, assembly := finger.Votes(a, b, angleA, angleB, local)
		for k := range portable {
			if portable[k] > 0.4*0.4*0.4*0.4*0.4*local[k] {
				agreeing++
			}
			if math.Float32bits(portable[k]) != math.Float32bits(assembly[k]) {
				t.Fatalf("trial %d, pair %d of %d: %v in Go, %v in assembly", trial, k, n, portable[k], assembly[k])
			}
		}
	}
	if agreeing < 1000 {
		t.Fatalf("only %d pairs had support", agreeing)
	}
}

// TestMeetings: likewise for the minutiae that an alignment brings together.
func TestMeetings(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 71))
	total := 0
	for trial := range 300 {
		a, b := scattered(uint64(trial), 3+rng.IntN(250)), scattered(uint64(trial/2), 3+rng.IntN(250))
		if trial%50 == 7 { // all of them in one place
			for i := range a.Minutiae {
				a.Minutiae[i].X, a.Minutiae[i].Y, a.Minutiae[i].Angle = 100, 100, uint8(i)
			}
			b = a
		}
		ta, tb := prepare(t, a), prepare(t, b)
		dx, dy, turned := rng.Float32()*40-20, rng.Float32()*40-20, uint8(rng.IntN(12))
		if trial%50 == 7 {
			dx, dy, turned = 0, 0, 0
		}
		portable, assembly := finger.Meetings(ta, tb, dx, dy, turned, []float32{18, 16, 3}[rng.IntN(3)])
		if !slices.Equal(portable, assembly) {
			t.Fatalf("trial %d: %d met in Go, %d in assembly, or in another order", trial, len(portable), len(assembly))
		}
		total += len(portable)
	}
	if total < 10000 {
		t.Fatalf("only %d met", total)
	}
}
