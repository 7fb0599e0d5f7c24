package synth

import (
	"math"
	"testing"
)

// The expected values are floating point; the code under test is not.
func TestFixedPoint(t *testing.T) {
	for x := int64(-8 * one); x < 8*one; x += 997 {
		want := math.Exp2(float64(x) / one)
		if got := float64(exp2(x)) / one; math.Abs(got-want) > want*1e-5+2./one {
			t.Fatalf("2^%v: got %v, want %v", float64(x)/one, got, want)
		}
	}
	for x := int64(1); x < 1<<40; x = x*17/16 + 1 {
		want := math.Log2(float64(x) / one)
		if got := float64(log2(x)) / one; math.Abs(got-want) > 3./one {
			t.Fatalf("log2 of %d: got %v, want %v", x, got, want)
		}
		if r := root(x); r*r > x || (r+1)*(r+1) <= x {
			t.Fatalf("root of %d: got %d", x, r)
		}
	}
	if root(0) != 0 || root(1<<62) != 1<<31 {
		t.Error("root at the ends")
	}
}

func TestLognormal(t *testing.T) {
	s := newStream(1, "KAZ", "test", 0)
	var sum, squares float64
	const n = 50_000
	for range n {
		x := math.Log(float64(s.lognormal(100_000, 400)) / 100_000)
		sum, squares = sum+x, squares+x*x
	}
	if mean, deviation := sum/n, math.Sqrt(squares/n); math.Abs(mean) > 0.01 || math.Abs(deviation-0.4) > 0.01 {
		t.Errorf("got %v, %v, want 0, 0.4", mean, deviation)
	}
}
