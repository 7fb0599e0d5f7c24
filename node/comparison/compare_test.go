package comparison

import (
	"slices"
	"testing"

	"github.com/tamga-id/tamga/matcher/calibration"
	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/finger"
	"github.com/tamga-id/tamga/matcher/signature"
	"github.com/tamga-id/tamga/matcher/synth"
)

// views are n of one invented finger. Each names a finger in turn when named.
func views(n int, named bool) []*sample {
	out := make([]*sample, n)
	for i := range out {
		s := &sample{modality: ModalityFinger, view: finger.Sample{ResX: 197, ResY: 197}}
		if named {
			s.place = uint8(i%10 + 1)
		}
		for m := range uint16(40) {
			s.view.Minutiae = append(s.view.Minutiae, finger.Minutia{X: 40 * (m % 7), Y: 40 * (m / 7), Angle: uint8(37 * m)})
		}
		out[i] = s
	}
	return out
}

// TestCostIsBounded: a Query that asks for more comparisons than can be decided on costs none, whatever the rate.
func TestCostIsBounded(t *testing.T) {
	for _, row := range []struct {
		name               string
		probes, references int
		named              bool
		oneIn              uint32
		want               bool
	}{
		{"ten-of-ten", 10, 10, false, 100, true},
		{"largest", 160, 1024, false, 10_000, false},
		{"largest-at-a-lax-rate", 160, 1024, false, 2, false},
		{"largest-named", 160, 1024, true, 2, false},
		{"one-of-largest", 1, 1024, false, 2, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			probes, references := views(row.probes, row.named), views(row.references, row.named)
			d := New(row.oneIn, nil, nil)
			var err error
			if d.planned, err = d.fingerSources(probes, references); err != nil {
				t.Fatal(err)
			}
			ok, err := d.affordable()
			if err != nil || ok != row.want {
				t.Fatalf("affordable: %t, %v; want %t", ok, err, row.want)
			}
			prepared, pairs := 0, 0
			for _, s := range append(probes, references...) {
				if s.ready != nil {
					prepared++
				}
			}
			for _, s := range d.planned {
				for _, p := range s.parts {
					pairs += len(p.pairs)
				}
			}
			if !ok && prepared > 0 {
				t.Errorf("%d views were prepared for comparisons that lead nowhere", prepared)
			}
			if ok && pairs > mostComparisons {
				t.Errorf("%d comparisons, want at most %d", pairs, mostComparisons)
			}
		})
	}
}

// TestTenFingersOfOnePerson: ten honest fingers against ten are never taken for fewer. Of the 45 pairs of positions of a
// person each would have to pass for one finger twice, at 1 in 100 by its probes and at 1 in 1,000 by its references.
func TestTenFingersOfOnePerson(t *testing.T) {
	people := synth.New(3, "KAZ")
	const n = 200 // of 1,000 none was, and 50 by their probes alone
	alarms, lax := 0, 0
	for i := range n {
		probes, references := tenFingers(t, people.Person(i))
		d := New(1000, nil, nil)
		together, err := d.onePlace(probes, references, fingerScale, left())
		if err != nil {
			t.Fatal(err)
		}
		if together {
			alarms++
		}
		// With references that are alike for certain, the probes alone decide.
		for _, r := range references {
			r.view, r.ready = references[0].view, nil
		}
		for i, p := range probes {
			references[i].place = p.place
		}
		if together, err = d.onePlace(probes, references, fingerScale, left()); err != nil {
			t.Fatal(err)
		}
		if together {
			lax++
		}
		wipe(probes)
	}
	t.Logf("%d of %d people with ten fingers were taken for fewer, %d by their probes alone", alarms, n, lax)
	if alarms > 0 {
		t.Errorf("%d of %d people with ten fingers were taken for fewer", alarms, n)
	}
}

func fingerScale(_, _ *sample) *calibration.Calibration { return finger.Calibration() }

func left() *int { n := mostComparisons; return &n }

// tenFingers is a probe and a reference of every finger.
func tenFingers(t *testing.T, p synth.Person) (probes, references []*sample) {
	t.Helper()
	for at := uint8(1); at <= 10; at++ {
		for _, record := range [][]byte{p.FingerProbe(at, 1), p.FingerReference(at)} {
			s, err := decode(ModalityFinger, exchange.FormatFinger2005, at, record)
			if err != nil {
				t.Fatal(err)
			}
			if len(probes) == len(references) {
				probes = append(probes, s...)
			} else {
				references = append(references, s...)
			}
		}
	}
	return probes, references
}

// TestSignaturesCostNothingInVain: how a writer varies, which takes as long as dozens of comparisons, is not looked into
// for an answer that is certain without, and not with more points than are allowed.
func TestSignaturesCostNothingInVain(t *testing.T) {
	p := synth.New(3, "KAZ").Person(1)
	signatureOf := func(n, times int) *sample {
		s := p.SignatureCapture(n)
		one, last := slices.Clone(s.Points), s.Points[len(s.Points)-1]
		for range times - 1 {
			for _, q := range one {
				q.T += last.T + 10
				s.Points = append(s.Points, q)
			}
			last = s.Points[len(s.Points)-1]
		}
		ready, err := signature.Prepare(s)
		if err != nil {
			t.Fatal(err)
		}
		return &sample{modality: ModalitySignature, signature: ready}
	}
	var references []*sample
	for n := range signature.MaxSignatures {
		references = append(references, signatureOf(n+1, 4))
	}
	probe := signatureOf(20, 1)
	for _, row := range []struct {
		oneIn uint32
		want  bool
	}{{10_000, false}, {100, true}} {
		d := New(row.oneIn, nil, nil)
		var err error
		if d.planned, err = d.signatureSources([]*sample{probe}, references); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Conclude(); err != nil {
			t.Fatal(err)
		}
		w := d.planned[0].parts[0].pairs[0].reference
		if made := w.writer != nil; made != row.want {
			t.Errorf("1 in %d: looked into %t", row.oneIn, made)
		}
		points := 0
		for _, s := range w.signatures {
			points += s.Len()
		}
		if len(w.signatures) < signature.MinSignatures || points > mostPoints && len(w.signatures) > signature.MinSignatures {
			t.Errorf("1 in %d: %d signatures of %d points", row.oneIn, len(w.signatures), points)
		}
	}
}
