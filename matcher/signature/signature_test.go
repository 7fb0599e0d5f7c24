package signature_test

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

	"github.com/tamga-id/tamga/matcher/signature"
)

func TestTellsWritersApart(t *testing.T) {
	r := enrolled(t, 1, 5)
	worst, best := 1.0, 0.0
	for k := range uint64(10) {
		worst = min(worst, score(t, prepare(t, invented(1, 20+k, 0.05)), r))
		best = max(best, score(t, prepare(t, invented(2+k, 1, 0.05)), r))
	}
	if worst <= best {
		t.Errorf("own signatures down to %v, others up to %v", worst, best)
	}
}

// TestSizePlaceAndRate: what the device decides does not count.
func TestSizePlaceAndRate(t *testing.T) {
	r := enrolled(t, 1, 5)
	base := invented(1, 9, 0.05)
	want := score(t, prepare(t, base), r)
	change := func(f func(*signature.Point)) signature.Sample {
		s := base
		s.Points = slices.Clone(base.Points)
		for i := range s.Points {
			f(&s.Points[i])
		}
		return s
	}
	for name, s := range map[string]signature.Sample{
		"larger":   change(func(p *signature.Point) { p.X, p.Y = 8*p.X, 8*p.Y }),
		"moved":    change(func(p *signature.Point) { p.X, p.Y = p.X-4096, p.Y+512 }),
		"later":    change(func(p *signature.Point) { p.T += 1e6 }),
		"pressure": change(func(p *signature.Point) { p.Pressure = 4*p.Pressure + 100 }),
		"tip":      change(func(p *signature.Point) { p.Up = !p.Up }),
	} {
		if got := score(t, prepare(t, s), r); math.Abs(got-want) > 0.002 {
			t.Errorf("%s: score %v, want %v", name, got, want)
		}
	}
	// The same movement taken down twice as often and half as often.
	double := signature.Sample{HasPressure: true, HasAngles: true}
	half := double
	for i, p := range base.Points {
		if i > 0 {
			q := base.Points[i-1]
			double.Points = append(double.Points, signature.Point{
				X: (p.X + q.X) / 2, Y: (p.Y + q.Y) / 2, T: p.T - 5, Pressure: (p.Pressure + q.Pressure) / 2,
				Azimuth: (p.Azimuth + q.Azimuth) / 2, Altitude: (p.Altitude + q.Altitude) / 2,
			})
		}
		double.Points = append(double.Points, p)
		if i%2 == 0 {
			half.Points = append(half.Points, p)
		}
	}
	for name, s := range map[string]signature.Sample{"200-Hz": double, "50-Hz": half} {
		if got := score(t, prepare(t, s), r); math.Abs(got-want) > 0.06 {
			t.Errorf("%s: score %v, want about %v", name, got, want)
		}
	}
}

func TestPrepareRefuses(t *testing.T) {
	change := func(f func(p []signature.Point)) signature.Sample {
		s := invented(1, 1, 0)
		f(s.Points)
		return s
	}
	still := invented(1, 1, 0)
	for i := range still.Points {
		still.Points[i].X, still.Points[i].Y = 5, 5
	}
	slow := invented(1, 1, 0) // 190 seconds, which become too many points
	for i := range slow.Points {
		slow.Points[i].T *= 100
	}
	slow.Points[0].T = slow.Points[1].T - 1
	brief := signature.Sample{Points: stretched(1, 40).Points}
	for i := range brief.Points {
		brief.Points[i].T /= 100
	}
	for name, c := range map[string]struct {
		s     signature.Sample
		err   error
		where string
	}{
		"nothing":   {signature.Sample{}, signature.ErrTooFewPoints, ""},
		"one-point": {signature.Sample{Points: invented(1, 1, 0).Points[:1]}, signature.ErrTooFewPoints, ""},
		"fifteen":   {signature.Sample{Points: invented(1, 1, 0).Points[:15]}, signature.ErrTooFewPoints, ""},
		"brief":     {brief, signature.ErrTooFewPoints, ""},
		"too-many":  {stretched(1, signature.MaxPoints+1), signature.ErrTooMany, ""},
		"nan":       {change(func(p []signature.Point) { p[3].X = math.NaN() }), signature.ErrValue, "point 3"},
		"infinite":  {change(func(p []signature.Point) { p[4].Y = math.Inf(-1) }), signature.ErrValue, "point 4"},
		"huge":      {change(func(p []signature.Point) { p[5].Pressure = 1.1e9 }), signature.ErrValue, "point 5"},
		"nan-time":  {change(func(p []signature.Point) { p[6].T = math.NaN() }), signature.ErrValue, "point 6"},
		"nan-angle": {change(func(p []signature.Point) { p[7].Altitude = math.NaN() }), signature.ErrValue, "point 7"},
		"backwards": {change(func(p []signature.Point) { p[8].T = 0 }), signature.ErrTime, "point 8"},
		"no-time":   {change(func(p []signature.Point) { setTimes(p, 7) }), signature.ErrTime, "point"},
		"still":     {still, signature.ErrStill, ""},
	} {
		p, err := signature.Prepare(c.s)
		if p != nil || !errors.Is(err, c.err) || !strings.Contains(fmt.Sprint(err), c.where) {
			t.Errorf("%s: %v, want %v", name, err, c.err)
		}
	}
	jitter := change(func(p []signature.Point) { p[8].T = p[7].T - 9 })
	if _, err := signature.Prepare(jitter); err != nil {
		t.Errorf("a step back of 9 ms: %v", err)
	}
}

func setTimes(points []signature.Point, t float64) {
	for i := range points {
		points[i].T = t
	}
}

func TestNewReferenceRefuses(t *testing.T) {
	one := func(k uint64) *signature.Template { return prepare(t, invented(1, k, 0.05)) }
	bare := invented(1, 3, 0.05)
	bare.HasAngles = false
	many := make([]*signature.Template, 11)
	for i := range many {
		many[i] = one(uint64(i))
	}
	wiped := one(3)
	wiped.Wipe()
	for name, c := range map[string]struct {
		in  []*signature.Template
		err error
	}{
		"none":   {nil, signature.ErrSignatures},
		"two":    {many[:2], signature.ErrSignatures},
		"eleven": {many, signature.ErrSignatures},
		"nil":    {[]*signature.Template{one(1), nil, one(2)}, signature.ErrNoTemplate},
		"wiped":  {[]*signature.Template{one(1), one(2), wiped}, signature.ErrNoTemplate},
		"angles": {[]*signature.Template{one(1), one(2), prepare(t, bare)}, signature.ErrChannels},
		"unlike": {[]*signature.Template{one(1), prepare(t, invented(2, 1, 0)), prepare(t, invented(3, 1, 0))}, signature.ErrUnlike},
	} {
		if r, err := signature.NewReference(c.in...); r != nil || !errors.Is(err, c.err) {
			t.Errorf("%s: %v, want %v", name, err, c.err)
		}
	}
}

func TestReferenceIsOwnAndUnordered(t *testing.T) {
	var in []*signature.Template
	for k := range uint64(6) {
		in = append(in, prepare(t, invented(1, k, 0.05)))
	}
	a, err := signature.NewReference(in...)
	if err != nil {
		t.Fatal(err)
	}
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(in), func(i, k int) { in[i], in[k] = in[k], in[i] })
	b, err := signature.NewReference(in...)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range in {
		p.Wipe()
	}
	p := prepare(t, invented(1, 77, 0.1))
	if x, y := score(t, p, a), score(t, p, b); x != y || x < 0.4 {
		t.Errorf("scores %v and %v", x, y)
	}
	if a.Len() != 6 {
		t.Errorf("%d signatures", a.Len())
	}
}

// TestCopiesAreNoSteadyHand: one signature enrolled three times must not make
// a measure so fine that the writer fails, nor anything divide by zero.
func TestCopiesAreNoSteadyHand(t *testing.T) {
	p := prepare(t, invented(1, 1, 0.05))
	r, err := signature.NewReference(p, p, p)
	if err != nil {
		t.Fatal(err)
	}
	if got := score(t, p, r); got != 1 {
		t.Errorf("score %v with itself", got)
	}
	if got := score(t, prepare(t, invented(1, 2, 0.05)), r); got < 0.4 {
		t.Errorf("score %v of the same writer", got)
	}
}

// TestMasterKeys: signatures made to look like everybody's look like nobody's,
// and the most extreme values neither overflow nor score.
func TestMasterKeys(t *testing.T) {
	shapes := map[string]func(i int) signature.Point{
		"line":     func(i int) signature.Point { return signature.Point{X: float64(i)} },
		"square":   func(i int) signature.Point { return signature.Point{X: float64(i % 2), Y: float64(i / 2 % 2)} },
		"circle":   func(i int) signature.Point { return signature.Point{X: math.Sin(float64(i)), Y: math.Cos(float64(i))} },
		"jump":     func(i int) signature.Point { return signature.Point{X: float64(i / 150)} },
		"extremes": func(i int) signature.Point { return signature.Point{X: 1e9 * float64(1-i%2*2), Y: -1e9, Pressure: 1e9} },
		"tiny":     func(i int) signature.Point { return signature.Point{X: 1e-300 * float64(i), Y: 1e-12} },
	}
	for name, shape := range shapes {
		for _, n := range []int{16, 200, signature.MaxPoints} {
			s := signature.Sample{HasPressure: true, HasAngles: true}
			for i := range n {
				p := shape(i)
				// A channel that never varies would make it another kind of sample, which does not compare.
				p.T, p.Pressure, p.Azimuth = float64(10*i), p.Pressure-float64(i%2), float64(i%2)
				s.Points = append(s.Points, p)
			}
			p, err := signature.Prepare(s)
			if errors.Is(err, signature.ErrStill) {
				continue
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for writer := range uint64(5) {
				if got := score(t, p, enrolled(t, writer, 3)); !(got >= 0 && got < 0.42) {
					t.Errorf("%s of %d points: score %v", name, n, got)
				}
			}
		}
	}
}

// TestHillClimbing: moving one point at a time for as long as the score rises
// must not reach a genuine score in 500 answers.
func TestHillClimbing(t *testing.T) {
	r := enrolled(t, 1, 5)
	genuine := score(t, prepare(t, invented(1, 30, 0.05)), r)
	guess := invented(2, 1, 0)
	random := rand.New(rand.NewPCG(4, 4))
	best := score(t, prepare(t, guess), r)
	for range 500 {
		i := random.IntN(len(guess.Points))
		old := guess.Points[i]
		guess.Points[i].X += 300 * random.NormFloat64()
		guess.Points[i].Y += 300 * random.NormFloat64()
		if s := score(t, prepare(t, guess), r); s > best {
			best = s
		} else {
			guess.Points[i] = old
		}
	}
	t.Logf("score %.3f after 500 answers, genuine %.3f", best, genuine)
	if best > genuine-0.05 {
		t.Errorf("score %v, genuine %v", best, genuine)
	}
}

func TestEmptyAndWiped(t *testing.T) {
	good, r := prepare(t, invented(1, 1, 0)), enrolled(t, 1, 3)
	wiped, wipedReference := prepare(t, invented(1, 1, 0)), enrolled(t, 1, 3)
	wiped.Wipe()
	wiped.Wipe()
	wipedReference.Wipe()
	wipedReference.Wipe()
	var none *signature.Template
	none.Wipe()
	var noReference *signature.Reference
	noReference.Wipe()
	bare := invented(1, 3, 0)
	bare.HasPressure = false
	constant := invented(1, 3, 0) // declared, but says nothing
	for i := range constant.Points {
		constant.Points[i].Pressure = 512
	}
	for name, c := range map[string]struct {
		p   *signature.Template
		r   *signature.Reference
		err error
	}{
		"nil":       {nil, r, signature.ErrNoTemplate},
		"zero":      {&signature.Template{}, r, signature.ErrNoTemplate},
		"wiped":     {wiped, r, signature.ErrNoTemplate},
		"reference": {good, wipedReference, signature.ErrNoTemplate},
		"no-one":    {good, nil, signature.ErrNoTemplate},
		"zero-one":  {good, &signature.Reference{}, signature.ErrNoTemplate},
		"channels":  {prepare(t, bare), r, signature.ErrChannels},
		"constant":  {prepare(t, constant), r, signature.ErrChannels},
	} {
		if s, err := signature.Compare(c.p, c.r); !math.IsInf(s, -1) || !errors.Is(err, c.err) {
			t.Errorf("%s: %v, %v", name, s, err)
		}
		if ok, err := signature.Reaches(c.p, c.r, -1); ok || !errors.Is(err, c.err) {
			t.Errorf("%s: %v, %v", name, ok, err)
		}
	}
	if noReference.Len() != 0 || wipedReference.Len() != 0 {
		t.Error("an empty reference has signatures")
	}
}

func TestRedacts(t *testing.T) {
	s := invented(1, 1, 0)
	p, r := prepare(t, s), enrolled(t, 1, 3)
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", slog.Any("s", s), slog.Any("p", *p), slog.Any("r", r))
	held := struct {
		P *signature.Template
		R signature.Reference
	}{p, *r}
	for _, got := range []string{fmt.Sprintf("%v", p), fmt.Sprintf("%#v", *r), fmt.Sprintf("%d", s), fmt.Sprintf("%+v", held)} {
		if !strings.Contains(got, "(redacted)") {
			t.Errorf("printed %.60q", got)
		}
	}
	if strings.Count(log.String(), "(redacted)") != 3 {
		t.Errorf("logged %.200q", log.String())
	}
}

func TestCompareConcurrently(t *testing.T) {
	r := enrolled(t, 1, 4)
	p, other := prepare(t, invented(1, 9, 0.1)), prepare(t, stretchedAngles(300))
	want, wantOther := score(t, p, r), score(t, other, r)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 20 {
				a, errA := signature.Compare(p, r)
				b, errB := signature.Compare(other, r)
				if a != want || b != wantOther || errA != nil || errB != nil {
					t.Errorf("%v and %v, want %v and %v", a, b, want, wantOther)
				}
			}
		})
	}
	group.Wait()
}

func stretchedAngles(n int) signature.Sample {
	s := stretched(3, n)
	s.HasAngles = true
	for i := range s.Points {
		s.Points[i].Azimuth = float64(i % 7)
	}
	return s
}

func TestCompareDoesNotAllocate(t *testing.T) {
	if raceDetector {
		t.Skip("under the race detector sync.Pool forgets at random")
	}
	r, p := enrolled(t, 1, 5), prepare(t, invented(1, 9, 0.1))
	if n := testing.AllocsPerRun(50, func() {
		_, errA := signature.Compare(p, r)
		_, errB := signature.Reaches(p, r, 0.4)
		if errA != nil || errB != nil {
			panic("matcher/signature: comparison failed")
		}
	}); n >= 1 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzCompare feeds points of six octets: the invariants must hold for any.
func FuzzCompare(f *testing.F) {
	f.Add([]byte("the quick brown fox jumps over the lazy dog, and on, and on, and on, and on, and so on, and so on!"), uint8(10))
	f.Add(make([]byte, 200), uint8(1))
	r := enrolled(f, 1, 3)
	f.Fuzz(func(t *testing.T, raw []byte, step uint8) {
		s := signature.Sample{HasPressure: true, HasAngles: true}
		for i := 0; len(raw) >= 6; raw, i = raw[6:], i+1 {
			s.Points = append(s.Points, signature.Point{
				X: float64(int16(raw[0])<<8 | int16(raw[1])), Y: float64(int16(raw[2])<<8 | int16(raw[3])),
				T: float64(i*int(step)) + float64(raw[4]&15), Pressure: float64(raw[5]), Azimuth: float64(raw[4]), Altitude: float64(raw[5] ^ raw[4]),
			})
		}
		p, err := signature.Prepare(s)
		if err != nil {
			if p != nil {
				t.Fatal("error with a template")
			}
			return
		}
		got := score(t, p, r)
		if !(got >= 0 && got <= 1) {
			t.Fatalf("score %v", got)
		}
		for _, th := range []float64{got, math.Nextafter(got, 2), 0.5} {
			if ok, err := signature.Reaches(p, r, th); err != nil || ok != (got >= th) {
				t.Fatalf("score %v, threshold %v: %v, %v", got, th, ok, err)
			}
		}
	})
}
