package signature_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/tamga-id/tamga/matcher/signature"
)

// invented is a signature of no one: a sum of slow oscillations that the
// writer fixes, with a little of each time's own in tempo and course.
func invented(writer, time uint64, strain float64) signature.Sample {
	w, r := rand.New(rand.NewPCG(writer, 1)), rand.New(rand.NewPCG(writer, 1000+time))
	const terms = 8
	var frequency, phase, size [3][terms]float64
	for c := range 3 {
		for k := range terms {
			frequency[c][k] = (0.5 + 2*w.Float64()) * float64(k+1)
			phase[c][k] = 2 * math.Pi * w.Float64()
			size[c][k] = w.NormFloat64() / float64(k+1) * (1 + strain*r.NormFloat64())
		}
	}
	n := 120 + w.IntN(80)
	n += int(strain * 100 * r.NormFloat64())
	bend := strain * r.NormFloat64()
	s := signature.Sample{HasPressure: true, HasAngles: true}
	for i := range n {
		t := float64(i) / float64(n)
		t += bend / 6 * math.Sin(math.Pi*t)
		at := func(c int) (v float64) {
			for k := range terms {
				v += size[c][k] * math.Sin(2*math.Pi*frequency[c][k]*t+phase[c][k])
			}
			return v
		}
		s.Points = append(s.Points, signature.Point{
			X: 4000*t + 600*at(0), Y: 500 * at(1), T: float64(10 * i), Pressure: 500 + 150*at(2),
			Azimuth: 1500 + 30*at(1), Altitude: 500 + 20*at(2),
		})
	}
	return s
}

func prepare(t testing.TB, s signature.Sample) *signature.Template {
	t.Helper()
	p, err := signature.Prepare(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// enrolled is the reference of an invented writer.
func enrolled(t testing.TB, writer uint64, n int) *signature.Reference {
	t.Helper()
	var templates []*signature.Template
	for k := range n {
		templates = append(templates, prepare(t, invented(writer, uint64(k), 0.05)))
	}
	r, err := signature.NewReference(templates...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func score(t testing.TB, p *signature.Template, r *signature.Reference) float64 {
	t.Helper()
	s, err := signature.Compare(p, r)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
