package benchmatchcmd

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/finger"
	"github.com/tamga-id/tamga/matcher/iris"
	"github.com/tamga-id/tamga/matcher/search"
	"github.com/tamga-id/tamga/matcher/signature"
	"github.com/tamga-id/tamga/matcher/synth"
)

const (
	benchPosition = 2  // right index finger
	benchFingers  = 40 // compared one to one, all with all
)

// benchFinger prepares a record of package synth.
func benchFinger(record []byte) (*finger.Template, error) {
	samples, err := exchange.DecodeFinger(record)
	if err != nil {
		return nil, err
	}
	return finger.Prepare(samples[0])
}

// fingers measures 1:1, the first stage of 1:N, and the whole cascade, on synthetic fingers.
func (m *matchBench) fingers(ctx context.Context) error {
	people := synth.New(benchSeed, "KGZ")
	index, err := search.NewFingers(search.Config{})
	if err != nil {
		return err
	}
	defer index.Close()
	n, cylinders := m.sized(10_000), 0
	err = m.progress(ctx, "fingers", n, func(i int) error {
		t, err := benchFinger(people.Person(i).FingerReference(benchPosition))
		if err != nil {
			return err
		}
		cylinders += len(t.Cylinders())
		return index.Add(benchID(i), benchPosition, t)
	})
	if err != nil {
		return err
	}
	var references, probes []*finger.Template
	for i := range benchFingers {
		r, err := benchFinger(people.Person(i).FingerReference(benchPosition))
		if err != nil {
			return err
		}
		p, err := benchFinger(people.Person(i).FingerProbe(benchPosition, 1))
		if err != nil {
			return err
		}
		references, probes = append(references, r), append(probes, p)
	}
	if err := m.compareFingers(ctx, references, probes); err != nil {
		return err
	}
	return m.searchFingers(ctx, index, probes, n, float64(cylinders)/float64(n))
}

// compareFingers measures 1:1 with one mated pair to ten non-mated ones, about the mix of an evaluation.
func (m *matchBench) compareFingers(ctx context.Context, references, probes []*finger.Template) error {
	done := 0
	cpu, _, err := measure(ctx, func() error {
		done = 0
		for i, p := range probes {
			for k := range 11 {
				finger.Compare(p, references[(i+k)%len(references)])
				done++
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	m.report.add(matchRow{Modality: "finger", What: "one to one, one mated pair in eleven", Value: float64(done) / cpu, Unit: "comparisons/s/core", Goal: ">= 25000"})
	return nil
}

func (m *matchBench) searchFingers(ctx context.Context, index *search.Fingers, probes []*finger.Template, n int, cylinders float64) error {
	i := 0
	cpu, _, err := measure(ctx, func() error {
		i = (i + 1) % len(probes)
		_, err := index.Screen(ctx, probes[i])
		return err
	})
	if err != nil {
		return err
	}
	m.report.add(matchRow{Modality: "finger", What: fmt.Sprintf("first stage of a search, %.0f cylinders a template", cylinders),
		Value: float64(n) / cpu, Unit: "templates/s/core", Goal: ">= 500000 at about 40"})
	var found search.Result
	hits, tried := 0, 0
	o := search.Options{Limit: search.Everyone, Most: 1}
	cpu, _, err = measure(ctx, func() error {
		i := tried % len(probes)
		err := index.Search(ctx, benchPosition, probes[i], o, &found)
		tried++
		if err == nil && found.Candidates[0].ID == benchID(i) {
			hits++
		}
		return err
	})
	if err != nil {
		return err
	}
	m.report.add(matchRow{Modality: "finger", What: fmt.Sprintf("whole search among %d", n), Value: float64(n) / cpu, Unit: "templates/s/core"})
	m.report.add(matchRow{Modality: "finger", What: fmt.Sprintf("rank 1 of %d synthetic probes", tried), Value: float64(hits) / float64(tried), Unit: "of them"})
	m.report.add(matchRow{Modality: "finger", What: "memory of a reference", Value: float64(index.Memory()) / float64(index.Len()), Unit: "bytes"})
	return nil
}

// benchIris draws a code; masked leaves about three quarters of the bits.
func benchIris(r *rand.PCG, masked bool) *iris.Sample {
	s := new(iris.Sample)
	for i := range s.Code {
		s.Code[i], s.Mask[i] = byte(r.Uint64()), 0xff
		if masked {
			s.Mask[i] = byte(r.Uint64())
			s.Mask[i] |= byte(r.Uint64())
		}
	}
	return s
}

// irises measures 1:1 and 1:N, without masks and with.
func (m *matchBench) irises(ctx context.Context) error {
	n := m.sized(200_000)
	for _, masked := range []bool{false, true} {
		index, err := search.NewIrises(search.Config{})
		if err != nil {
			return err
		}
		defer index.Close()
		r := rand.NewPCG(benchSeed, 2)
		probe := benchIris(r, masked)
		if err := m.progress(ctx, "irises", n, func(i int) error { return index.Add(benchID(i), benchIris(r, masked)) }); err != nil {
			return err
		}
		var found search.Result
		cpu, _, err := measure(ctx, func() error {
			return index.Search(ctx, probe, search.Options{Limit: search.Everyone, Most: 10}, &found)
		})
		if err != nil {
			return err
		}
		row := matchRow{Modality: "iris", What: fmt.Sprintf("one probe among %d, unmasked", n), Value: float64(n) / cpu / 1e6, Unit: "M rotation-complete comparisons/s/core", Goal: ">= 8 unmasked"}
		if masked {
			row.What, row.Goal = fmt.Sprintf("one probe among %d, masked", n), ""
		}
		m.report.add(row)
		if masked {
			m.report.add(matchRow{Modality: "iris", What: "memory of a reference", Value: float64(index.Memory()) / float64(index.Len()), Unit: "bytes"})
		}
	}
	return m.compareIrises(ctx)
}

func (m *matchBench) compareIrises(ctx context.Context) error {
	r := rand.NewPCG(benchSeed, 3)
	templates := make([]*iris.Template, 16)
	for i := range templates {
		var err error
		if templates[i], err = iris.Prepare(*benchIris(r, true)); err != nil {
			return err
		}
	}
	cpu, _, err := measure(ctx, func() error {
		for _, a := range templates {
			for _, b := range templates {
				if _, err := iris.Compare(a, b); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	m.report.add(matchRow{Modality: "iris", What: "one to one, masked, sectors turning by themselves", Value: float64(len(templates)*len(templates)) / cpu, Unit: "comparisons/s/core"})
	return nil
}

// benchSignature writes a name that does not exist: a sum of swings, about two seconds at
// 100 points a second, each time a little differently.
func benchSignature(r *rand.Rand, writer uint64) signature.Sample {
	w := rand.New(rand.NewPCG(writer, 4))
	var swings [6][3]float64
	for i := range swings {
		swings[i] = [3]float64{w.Float64()*300 + 50, w.Float64()*6 + 1, w.Float64() * 2 * math.Pi}
	}
	s := signature.Sample{HasPressure: true}
	speed := 0.95 + 0.1*r.Float64()
	for i := range 200 {
		t := float64(i) / 200 * speed
		p := signature.Point{X: 2000 * t, T: float64(10 * i), Pressure: 500 + 200*math.Sin(9*t)}
		for k, g := range swings {
			v := g[0] * (1 + 0.03*r.NormFloat64()) * math.Sin(g[1]*2*math.Pi*t+g[2])
			if k%2 == 0 {
				p.X += v
			} else {
				p.Y += v
			}
		}
		s.Points = append(s.Points, p)
	}
	return s
}

// signatures measures 1:1 against a reference of five.
func (m *matchBench) signatures(ctx context.Context) error {
	const writers, enrolled = 8, 5
	r := rand.New(rand.NewPCG(benchSeed, 5))
	var references []*signature.Reference
	var probes []*signature.Template
	for w := range uint64(writers) {
		var own []*signature.Template
		for range enrolled + 1 {
			t, err := signature.Prepare(benchSignature(r, w))
			if err != nil {
				return err
			}
			own = append(own, t)
		}
		reference, err := signature.NewReference(own[:enrolled]...)
		if err != nil {
			return err
		}
		references, probes = append(references, reference), append(probes, own[enrolled])
	}
	cpu, _, err := measure(ctx, func() error {
		for _, p := range probes {
			for _, reference := range references {
				if _, err := signature.Compare(p, reference); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	m.report.add(matchRow{Modality: "signature", What: "probe against five references, 200 points each", Value: writers * writers / cpu, Unit: "comparisons/s/core"})
	m.report.add(matchRow{Modality: "signature", What: "the same, by reference", Value: writers * writers * enrolled / cpu, Unit: "DTW/s/core", Goal: ">= 10000"})
	return nil
}
