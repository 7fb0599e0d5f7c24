package finger_test

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/finger"
	"github.com/tamga-id/tamga/matcher/synth"
)

// scattered is an invented view of n minutiae at 500 dpi.
func scattered(seed uint64, n int) finger.Sample {
	r := rand.New(rand.NewPCG(seed, 7))
	s := finger.Sample{Width: 300, Height: 400, ResX: 197, ResY: 197}
	for range n {
		s.Minutiae = append(s.Minutiae, finger.Minutia{
			X: uint16(30 + r.IntN(240)), Y: uint16(30 + r.IntN(340)),
			Angle: uint8(r.IntN(256)), Type: uint8(1 + r.IntN(2)),
		})
	}
	return s
}

// moved is s after a turn about its middle and a shift, in pixels.
func moved(s finger.Sample, turn uint8, dx, dy float64) finger.Sample {
	out := s
	out.Minutiae = slices.Clone(s.Minutiae)
	sin, cos := math.Sincos(float64(turn) * 2 * math.Pi / 256)
	for i, m := range s.Minutiae {
		x, y := float64(m.X)-150, 200-float64(m.Y)
		out.Minutiae[i].X = uint16(math.Round(500 + cos*x - sin*y + dx))
		out.Minutiae[i].Y = uint16(math.Round(500 - (sin*x + cos*y) + dy))
		out.Minutiae[i].Angle = m.Angle + turn
	}
	return out
}

func prepare(t testing.TB, s finger.Sample) *finger.Template {
	t.Helper()
	p, err := finger.Prepare(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func threshold(t testing.TB, oneIn uint32) float64 {
	t.Helper()
	v, err := finger.Threshold(oneIn)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestPrepareLimits(t *testing.T) {
	for _, c := range []struct {
		n    int
		want error
	}{{0, finger.ErrTooFewMinutiae}, {2, finger.ErrTooFewMinutiae}, {3, nil}, {255, nil}, {256, finger.ErrTooMany}} {
		got, err := finger.Prepare(scattered(1, c.n))
		if !errors.Is(err, c.want) || (got == nil) != (c.want != nil) {
			t.Errorf("Prepare of %d minutiae: %v, %v, want %v", c.n, got, err, c.want)
		}
	}
}

func TestCompareFindsTheSameFingerWhereverItLies(t *testing.T) {
	same := scattered(1, 40)
	reference := prepare(t, same)
	for _, turn := range []uint8{0, 10, 40, 64, 90, 128, 170, 226} {
		probe := prepare(t, moved(same, turn, 35, -20))
		if got, want := finger.Compare(probe, reference), threshold(t, 10000); got < 10*want {
			t.Errorf("turned by %d/256: score %v, want far above %v", turn, got, want)
		}
	}
	for seed := range uint64(50) {
		other := prepare(t, scattered(seed+100, 40))
		if got, limit := finger.Compare(other, reference), threshold(t, 100); got >= limit {
			t.Errorf("different finger %d: score %v, want below %v", seed, got, limit)
		}
	}
}

func TestCompareScalesByResolution(t *testing.T) {
	same := scattered(2, 35)
	finer := same
	finer.ResX, finer.ResY = 394, 394
	finer.Minutiae = slices.Clone(same.Minutiae)
	for i := range finer.Minutiae {
		finer.Minutiae[i].X *= 2
		finer.Minutiae[i].Y *= 2
	}
	unstated := same
	unstated.ResX, unstated.ResY = 0, 0
	a := prepare(t, same)
	want := finger.Compare(a, a)
	for name, s := range map[string]finger.Sample{"finer": finer, "unstated": unstated} {
		if got := finger.Compare(a, prepare(t, s)); got != want {
			t.Errorf("%s: score %v, want %v", name, got, want)
		}
	}
}

// TestCompareInvariants checks symmetry, independence of order and of repeated
// records, and range, over invented views of all sizes.
func TestCompareInvariants(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for round := range 200 {
		a, b := scattered(uint64(round), 3+r.IntN(80)), scattered(uint64(round+1000), 3+r.IntN(80))
		if round%2 == 0 {
			b = moved(a, uint8(r.IntN(30)), 5, 9)
			b.Minutiae = b.Minutiae[:3+r.IntN(len(b.Minutiae)-2)]
		}
		ta, tb := prepare(t, a), prepare(t, b)
		want := finger.Compare(ta, tb)
		if math.IsNaN(want) || math.IsInf(want, 0) || want < 0 {
			t.Fatalf("round %d: score %v", round, want)
		}
		if got := finger.Compare(tb, ta); got != want {
			t.Errorf("round %d: swapped %v, want %v", round, got, want)
		}
		shuffled := b
		shuffled.Minutiae = append(slices.Clone(b.Minutiae), b.Minutiae[0], b.Minutiae[1])
		r.Shuffle(len(shuffled.Minutiae), func(i, j int) {
			shuffled.Minutiae[i], shuffled.Minutiae[j] = shuffled.Minutiae[j], shuffled.Minutiae[i]
		})
		if got := finger.Compare(ta, prepare(t, shuffled)); got != want {
			t.Errorf("round %d: shuffled with repeats %v, want %v", round, got, want)
		}
	}
}

// TestCompareDegenerate: views that no finger gives must do no harm.
func TestCompareDegenerate(t *testing.T) {
	build := func(n int, f func(i int) finger.Minutia) finger.Sample {
		var s finger.Sample
		for i := range n {
			s.Minutiae = append(s.Minutiae, f(i))
		}
		return s
	}
	samples := map[string]finger.Sample{
		"all-same":      build(255, func(int) finger.Minutia { return finger.Minutia{X: 9, Y: 9, Angle: 4} }),
		"one-place":     build(255, func(i int) finger.Minutia { return finger.Minutia{X: 9, Y: 9, Angle: uint8(i)} }),
		"collinear":     build(200, func(i int) finger.Minutia { return finger.Minutia{X: uint16(3 * i), Y: uint16(3 * i)} }),
		"vertical":      build(200, func(i int) finger.Minutia { return finger.Minutia{X: 5, Y: uint16(4 * i)} }),
		"grid":          build(255, func(i int) finger.Minutia { return finger.Minutia{X: uint16(i % 16 * 20), Y: uint16(i / 16 * 20)} }),
		"packed":        build(255, func(i int) finger.Minutia { return finger.Minutia{X: uint16(i % 16), Y: uint16(i / 16)} }),
		"far-corners":   build(4, func(i int) finger.Minutia { return finger.Minutia{X: uint16(i%2) * 65535, Y: uint16(i/2) * 65535} }),
		"three":         build(3, func(i int) finger.Minutia { return finger.Minutia{X: uint16(i * 30), Y: uint16(i * i * 20)} }),
		"coarse":        scattered(4, 50),
		"finest":        scattered(5, 50),
		"ordinary":      scattered(6, 50),
		"anisotropic":   scattered(7, 50),
		"largest":       scattered(8, 255),
		"largest-again": scattered(9, 255),
	}
	set := func(name string, x, y uint16) {
		s := samples[name]
		s.ResX, s.ResY = x, y
		samples[name] = s
	}
	set("coarse", 1, 1)
	set("finest", 65535, 65535)
	set("anisotropic", 1, 65535)
	for na, a := range samples {
		for nb, b := range samples {
			got := finger.Compare(prepare(t, a), prepare(t, b))
			if math.IsNaN(got) || math.IsInf(got, 0) || got < 0 {
				t.Errorf("%s against %s: score %v", na, nb, got)
			}
		}
	}
	same := prepare(t, samples["all-same"])
	if got := finger.Compare(same, same); got != 0 {
		t.Errorf("one minutia repeated against itself: score %v, want 0", got)
	}
}

func TestEmptyAndWipedTemplatesScoreZero(t *testing.T) {
	good, wiped := prepare(t, scattered(1, 40)), prepare(t, scattered(1, 40))
	wiped.Wipe()
	wiped.Wipe()
	var none *finger.Template
	none.Wipe()
	for name, p := range map[string]*finger.Template{"nil": nil, "zero": {}, "wiped": wiped} {
		if got := finger.Compare(p, good) + finger.Compare(good, p) + finger.Compare(p, p); got != 0 {
			t.Errorf("%s template: scores %v, want 0", name, got)
		}
	}
}

func TestTemplateRedacts(t *testing.T) {
	p := prepare(t, scattered(1, 20))
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", slog.Any("template", p), slog.Any("value", *p))
	held := struct{ T *finger.Template }{p}
	for _, got := range []string{fmt.Sprintf("%v", p), fmt.Sprintf("%#v", *p), fmt.Sprintf("%d", p), fmt.Sprintf("%+v", held)} {
		if !strings.Contains(got, "template(redacted)") {
			t.Errorf("printed %q", got)
		}
	}
	if strings.Count(log.String(), "template(redacted)") != 2 {
		t.Errorf("logged %q", log.String())
	}
}

func TestCompareConcurrently(t *testing.T) {
	sample, probe := scattered(1, 60), moved(scattered(1, 60), 9, 3, 3)
	probe.Width += 40 // so that both are brought to a common frame, once for all
	want := finger.Compare(prepare(t, sample), prepare(t, probe))
	a, b := prepare(t, sample), prepare(t, probe)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 50 {
				if got := finger.Compare(a, b); got != want {
					t.Errorf("score %v, want %v", got, want)
				}
			}
		})
	}
	group.Wait()
}

func TestCompareAllocatesLittle(t *testing.T) {
	if raceDetector {
		t.Skip("under the race detector sync.Pool forgets at random")
	}
	a, b := prepare(t, scattered(1, 60)), prepare(t, scattered(2, 60))
	finger.Compare(a, b)
	if got := testing.AllocsPerRun(50, func() { finger.Compare(a, b) }); got > 2 {
		t.Errorf("%v allocations in a comparison, want at most 2", got)
	}
}

// FuzzCompare feeds records of five bytes: the invariants must hold for any.
func FuzzCompare(f *testing.F) {
	f.Add([]byte("aaaaabbbbbcccccdddddeeeee"), uint16(197), uint16(197), uint16(300), uint16(500))
	f.Add(make([]byte, 60), uint16(1), uint16(0), uint16(0), uint16(1))
	f.Add([]byte("\x00\x10\x00\x20\x01\x00\x90\x00\x20\x41\x00\x10\x00\xa0\x81\x00\x70\x00\x80\xc1"), uint16(300), uint16(100), uint16(700), uint16(300))
	reference := prepare(f, scattered(1, 40))
	f.Fuzz(func(t *testing.T, raw []byte, resX, resY, width, height uint16) {
		s := finger.Sample{ResX: resX, ResY: resY, Width: width, Height: height}
		for ; len(raw) >= 5; raw = raw[5:] {
			s.Minutiae = append(s.Minutiae, finger.Minutia{
				X: uint16(raw[0])<<8 | uint16(raw[1]), Y: uint16(raw[2])<<8 | uint16(raw[3]), Angle: raw[4],
			})
		}
		p, err := finger.Prepare(s)
		if err != nil {
			if p != nil {
				t.Fatal("error with a template")
			}
			return
		}
		for _, other := range []*finger.Template{reference, p} {
			got := finger.Compare(p, other)
			if math.IsNaN(got) || math.IsInf(got, 0) || got < 0 {
				t.Fatalf("score %v", got)
			}
			if back := finger.Compare(other, p); back != got {
				t.Fatalf("score %v one way, %v the other", got, back)
			}
		}
	})
}

// TestExamine checks what an officer is told against a finger of which a known
// part is shown.
func TestExamine(t *testing.T) {
	whole := scattered(11, 60)
	half := moved(whole, 20, 30, -10)
	kept := half.Minutiae[:0]
	for i, m := range whole.Minutiae {
		if m.Y < 200 {
			kept = append(kept, half.Minutiae[i])
		}
	}
	half.Minutiae = kept
	reference, probe := prepare(t, whole), prepare(t, half)
	got := finger.Examine(probe, reference)
	if score := finger.Compare(probe, reference); got.Score != score || score == 0 {
		t.Errorf("Examine scores %v, Compare %v", got.Score, score)
	}
	if n := len(kept); got.Paired < n-1 || got.ProbeInOverlap != n || got.ReferenceInOverlap < got.Paired || got.ReferenceInOverlap > n+6 {
		t.Errorf("half of a finger with %d minutiae: %+v", n, got)
	}
	if got.Overlap < 0.95 || got.Overlap > 1 {
		t.Errorf("overlap %v of the smaller, want nearly 1", got.Overlap)
	}
	back := finger.Examine(reference, probe)
	back.ProbeInOverlap, back.ReferenceInOverlap = back.ReferenceInOverlap, back.ProbeInOverlap
	if back != got {
		t.Errorf("exchanged %+v, want %+v", back, got)
	}
	if got := finger.Examine(nil, reference); got != (finger.Comparison{}) {
		t.Errorf("nothing against a finger: %+v", got)
	}
}

func TestRelaxedPrefersTheSameFinger(t *testing.T) {
	same := scattered(12, 45)
	reference := prepare(t, same)
	mated := finger.Relaxed(prepare(t, moved(same, 12, 9, 4)), reference)
	if back := finger.Relaxed(reference, prepare(t, moved(same, 12, 9, 4))); back != mated {
		t.Errorf("%v one way, %v the other", mated, back)
	}
	for seed := range uint64(30) {
		if got := finger.Relaxed(prepare(t, scattered(200+seed, 45)), reference); got >= mated || got < 0 {
			t.Errorf("another finger: %v, the same %v", got, mated)
		}
	}
	if got := finger.Relaxed(reference, &finger.Template{}); got != 0 {
		t.Errorf("nothing: %v, want 0", got)
	}
}

// TestCompareFindsTurnedFingers: captured upside down or turned by a quarter, with noise, most
// synthetic fingers still match at 1 in 1000.
func TestCompareFindsTurnedFingers(t *testing.T) {
	p := synth.New(6, "UZB")
	limit := threshold(t, 1000)
	found, tried := 0, 0
	for i := range 40 {
		reference, err := exchange.DecodeFinger(p.Person(i).FingerReference(2))
		if err != nil {
			t.Fatal(err)
		}
		probe, err := exchange.DecodeFinger(p.Person(i).FingerProbe(2, 1))
		if err != nil {
			t.Fatal(err)
		}
		for _, turn := range []uint8{96, 128, 200} {
			tried++
			if finger.Compare(prepare(t, moved(probe[0], turn, 0, 0)), prepare(t, reference[0])) >= limit {
				found++
			}
		}
	}
	if found*20 < tried*19 {
		t.Errorf("%d of %d found, want 95 %%", found, tried)
	}
}

// TestCompareUpsideDown: a finger upside down scores what it does upright but for the fixed share,
// 0.84, that an unlikely turn costs and what comes of minutiae being taken in another order.
func TestCompareUpsideDown(t *testing.T) {
	p := synth.New(9, "UZB")
	limit := threshold(t, 1000)
	matched := 0
	for i := range 30 {
		reference, err := exchange.DecodeFinger(p.Person(i).FingerReference(3))
		if err != nil {
			t.Fatal(err)
		}
		probe, err := exchange.DecodeFinger(p.Person(i).FingerProbe(3, 1))
		if err != nil {
			t.Fatal(err)
		}
		b := prepare(t, reference[0])
		upright := finger.Compare(prepare(t, probe[0]), b)
		turned := finger.Compare(prepare(t, quarterTurns(probe[0], 2)), b)
		if upright < limit {
			continue
		}
		matched++
		if ratio := turned / upright; ratio < 0.75 || ratio > 0.9 {
			t.Errorf("person %d: %v upright, %v upside down", i, upright, turned)
		}
	}
	if matched < 27 {
		t.Errorf("%d of 30 match upright", matched)
	}
}

// TestFramesOfTurnedImages: the size of a picture that was turned, or laid on a larger canvas, neither
// helps nor harms.
func TestFramesOfTurnedImages(t *testing.T) {
	for i := range 20 {
		s := invented(t, i+1)
		s.Width, s.Height = 280, 360
		larger := s
		larger.Width, larger.Height = 400, 460
		for name, probe := range map[string]finger.Sample{"turned": quarterTurns(s, 1), "larger": larger} {
			reference := invented(t, i)
			reference.Width, reference.Height = 280, 360
			told := finger.Compare(prepare(t, probe), prepare(t, reference))
			probe.Width, reference.Width = 0, 0
			untold := finger.Compare(prepare(t, probe), prepare(t, reference))
			if math.Abs(told-untold) > 0.01*untold {
				t.Errorf("fingers %d and %d, %s: score %v with the sizes, %v without", i, i+1, name, told, untold)
			}
		}
	}
}

// quarterTurns turns a sample counter-clockwise with its picture, which rounds nothing.
func quarterTurns(s finger.Sample, n int) finger.Sample {
	for range n {
		o := s
		o.Minutiae = slices.Clone(s.Minutiae)
		for i := range o.Minutiae {
			m := &o.Minutiae[i]
			m.X, m.Y, m.Angle = m.Y, 1000-m.X, m.Angle+64
		}
		o.Width, o.Height, o.ResX, o.ResY = s.Height, s.Width, s.ResY, s.ResX
		s = o
	}
	return s
}

// TestCompareSeesThroughStretchedImages: two records of one finger, one of them from an image that
// was stretched to another size, match when the sizes tell.
func TestCompareSeesThroughStretchedImages(t *testing.T) {
	limit := threshold(t, 1000)
	told, untold := 0, 0
	const people = 30
	for i := range people {
		reference := invented(t, i)
		probe, err := exchange.DecodeFinger(synth.New(5, "UZB").Person(i).FingerProbe(uint8(i%11), 1))
		if err != nil {
			t.Fatal(err)
		}
		s := probe[0]
		s.Width, s.Height = s.Width*3/4, s.Height*6/5
		s.Minutiae = slices.Clone(s.Minutiae)
		for k := range s.Minutiae {
			m := &s.Minutiae[k]
			sin, cos := math.Sincos(float64(m.Angle) * 2 * math.Pi / 256)
			m.X, m.Y = m.X*3/4, m.Y*6/5
			m.Angle = uint8(int(math.Round(math.Atan2(sin*1.2, cos*0.75) * 128 / math.Pi)))
		}
		if finger.Compare(prepare(t, s), prepare(t, reference)) >= limit {
			told++
		}
		s.Width = 0
		if finger.Compare(prepare(t, s), prepare(t, reference)) >= limit {
			untold++
		}
	}
	if told < people*9/10 || untold >= told {
		t.Errorf("%d of %d match with the sizes, %d without: want nine in ten, and fewer", told, people, untold)
	}
}

// TestPoorMinutiaeProposeNoPairs: where there are enough others they have no cylinder, where there
// are not they keep it.
func TestPoorMinutiaeProposeNoPairs(t *testing.T) {
	for _, c := range []struct{ n, good int }{{60, 45}, {60, 12}} {
		s := scattered(21, c.n)
		for i := range s.Minutiae {
			s.Minutiae[i].Quality = 80
			if i >= c.good {
				s.Minutiae[i].Quality = 30
			}
		}
		// With 12 of 80 among 60 the upper quartile is poor, and nobody is poorer than it.
		if got := len(prepare(t, s).Cylinders()); (got <= c.good) != (c.good == 45) {
			t.Errorf("%d good minutiae of %d: %d cylinders", c.good, c.n, got)
		}
	}
}
