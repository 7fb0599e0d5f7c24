package synth

import (
	"math"
	"testing"
)

// The expected values are floating point; the code under test is not.
func TestTrigonometry(t *testing.T) {
	for i := range 1 << 16 {
		sin, cos := math.Sincos(float64(i) / (1 << 16) * 2 * math.Pi)
		x, y := int64(math.Round(5000*cos)), int64(math.Round(5000*sin))
		// The vector is rounded to 1 in 5000, which is 2 of 65536ths of a turn.
		if d := int16(direction(x, y) - uint16(i)); d < -3 || d > 3 {
			t.Fatalf("direction of %d: off by %d", i, d)
		}
		gx, gy := rotate(5000, 0, uint16(i))
		if max(gx-x, x-gx, gy-y, y-gy) > 1 {
			t.Fatalf("rotating by %d: got %d, %d, want %d, %d", i, gx, gy, x, y)
		}
		gx, gy = rotate(0, -5000, uint16(i))
		if max(gx-y, y-gx, gy+x, -x-gy) > 1 {
			t.Fatalf("rotating downwards by %d: got %d, %d, want %d, %d", i, gx, gy, y, -x)
		}
	}
	if d := direction(0, 0); d != 0 && d != halfTurn {
		t.Errorf("zero vector: got %d", d)
	}
}

// A permutation that is none would give two people one number.
func TestPermutation(t *testing.T) {
	for _, n := range []uint64{1000, 7290} {
		p := newPermutation(newStream(9, "KAZ", "test", n), n)
		seen := make([]bool, n)
		for x := range n {
			y := p.at(x)
			if y >= n || seen[y] {
				t.Fatalf("%d maps to %d, which is taken or out of range", x, y)
			}
			seen[y] = true
		}
	}
	if nationalNumbers < MaxPersons || passportNumbers < MaxPersons {
		t.Error("the number spaces do not hold the population")
	}
}

func TestNormal(t *testing.T) {
	s := newStream(1, "KAZ", "test", 0)
	var sum, squares float64
	const n = 200_000
	for range n {
		x := float64(s.normal())
		sum, squares = sum+x, squares+x*x
	}
	mean, deviation := sum/n, math.Sqrt(squares/n)
	if math.Abs(mean) > 2 || math.Abs(deviation-normalUnit) > 2 {
		t.Errorf("got %v, %v, want 0, %d", mean, deviation, normalUnit)
	}
}
