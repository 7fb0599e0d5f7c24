package finger_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/finger"
	"github.com/tamga-id/tamga/matcher/synth"
)

// invented is the finger of a synthetic person.
func invented(t testing.TB, person int) finger.Sample {
	t.Helper()
	s, err := exchange.DecodeFinger(synth.New(5, "UZB").Person(person).FingerReference(uint8(person % 11)))
	if err != nil {
		t.Fatal(err)
	}
	return s[0]
}

func victims(t testing.TB, n int) []*finger.Template {
	t.Helper()
	out := make([]*finger.Template, n)
	for i := range out {
		out[i] = prepare(t, invented(t, i))
	}
	return out
}

// hostile are views made to match anybody or to take for ever.
func hostile() map[string]finger.Sample {
	build := func(n int, f func(i int) finger.Minutia) finger.Sample {
		s := finger.Sample{Width: 400, Height: 560, ResX: 197, ResY: 197}
		for i := range n {
			s.Minutiae = append(s.Minutiae, f(i))
		}
		return s
	}
	m := func(x, y, angle int) finger.Minutia {
		return finger.Minutia{X: uint16(x), Y: uint16(y), Angle: uint8(angle), Type: 1}
	}
	out := map[string]finger.Sample{
		"one-place":    build(255, func(i int) finger.Minutia { return m(180, 240, i) }),
		"one-angle":    build(255, func(i int) finger.Minutia { return m(180+i%16, 240+i/16, 64) }),
		"grid":         build(255, func(i int) finger.Minutia { return m(20+i%16*22, 20+i/16*28, 0) }),
		"grid-turning": build(255, func(i int) finger.Minutia { return m(20+i%16*22, 20+i/16*28, i*16) }),
		"grid-dense":   build(255, func(i int) finger.Minutia { return m(100+i%16*9, 150+i/16*9, i*67) }),
		"stacks":       build(255, func(i int) finger.Minutia { return m(40+i%32%6*50, 40+i%32/6*70, i/32*32) }),
		"lines":        build(255, func(i int) finger.Minutia { return m(60+i%5*50, 20+i*2, i%2*128+64) }),
		"corners":      build(255, func(i int) finger.Minutia { return m(i%2*16000+i, i/2%2*16000+i, i) }),
		"whorl":        build(255, func(i int) finger.Minutia { return m(180+(i%16-8)*20, 240+(i/16-8)*26, i*16+i) }),
	}
	for seed := range uint64(4) {
		r := rand.New(rand.NewPCG(seed, 3))
		for _, n := range []int{16, 60, 120, 255} {
			out[fmt.Sprintf("random-%d-%d", n, seed)] = build(n, func(int) finger.Minutia {
				return m(20+r.IntN(330), 20+r.IntN(440), r.IntN(256))
			})
		}
	}
	low := out["random-255-0"]
	low.Minutiae = slices.Clone(low.Minutiae)
	for i := range low.Minutiae {
		low.Minutiae[i].Quality = uint8(1 + i%4/3*99)
	}
	out["random-low-quality"] = low
	return out
}

// TestHostileTemplatesMatchFew: none may match more fingers than the false match rate allows, with
// what chance adds, at one in a thousand and at one in ten thousand.
func TestHostileTemplatesMatchFew(t *testing.T) {
	const people = 300
	fingers := victims(t, people)
	strict, stricter := threshold(t, 1000), threshold(t, 10000)
	for name, s := range hostile() {
		p := prepare(t, s)
		matched, most := 0, 0.0
		for _, v := range fingers {
			score := finger.Compare(p, v)
			most = max(most, score)
			if score >= strict {
				matched++
			}
		}
		if matched > 2 || most >= stricter {
			t.Errorf("%s matches %d of %d fingers at 1 in 1000, best score %.2f with a threshold of %.2f at 1 in 10000",
				name, matched, people, most, stricter)
		}
	}
}

// TestHostileTemplatesCostLittle counts the pairs of minutiae looked at. The bound is what the
// shape of the loops gives; two fingers keep far below it.
func TestHostileTemplatesCostLittle(t *testing.T) {
	all := hostile()
	ordinary := prepare(t, invented(t, 0))
	for name, s := range all {
		p := prepare(t, s)
		for other, o := range map[string]*finger.Template{"itself": p, "ordinary": ordinary, "dense": prepare(t, all["one-angle"])} {
			if met, most := finger.Work(p, o); met > most {
				t.Errorf("%s with %s: %d pairs looked at, want at most %d", name, other, met, most)
			}
		}
	}
	if met, most := finger.Work(ordinary, prepare(t, invented(t, 1))); met*5 > most {
		t.Errorf("two fingers: %d of at most %d pairs looked at, want a fifth or less", met, most)
	}
}

// mutate moves, turns, adds or removes a few minutiae.
func mutate(r *rand.Rand, s finger.Sample) finger.Sample {
	out := s
	out.Minutiae = slices.Clone(s.Minutiae)
	fresh := func() finger.Minutia {
		return finger.Minutia{X: uint16(20 + r.IntN(320)), Y: uint16(20 + r.IntN(440)), Angle: uint8(r.IntN(256)), Type: uint8(1 + r.IntN(2))}
	}
	for range 1 + r.IntN(2) {
		i := r.IntN(len(out.Minutiae))
		switch r.IntN(4) {
		case 0:
			out.Minutiae[i] = fresh()
		case 1:
			m := &out.Minutiae[i]
			m.X, m.Y = uint16(max(0, int(m.X)+r.IntN(25)-12)), uint16(max(0, int(m.Y)+r.IntN(25)-12))
			m.Angle += uint8(r.IntN(33) - 16)
		case 2:
			if len(out.Minutiae) < 80 {
				out.Minutiae = append(out.Minutiae, fresh())
			}
		default:
			if len(out.Minutiae) > finger.MinDecidable {
				out.Minutiae = slices.Delete(out.Minutiae, i, i+1)
			}
		}
	}
	return out
}

// climb lets an attacker change a random template step by step, keeping what see says is no worse,
// until it passes or the steps are used up. It returns the steps and whether it passed.
func climb(t *testing.T, victim int, steps int, see func(score, limit float64) float64) (int, bool) {
	t.Helper()
	v, limit := prepare(t, invented(t, victim)), threshold(t, 1000)
	r := rand.New(rand.NewPCG(uint64(victim), 77))
	s := scattered(uint64(victim)+4000, 35)
	best := 0.0
	for step := range steps {
		c := mutate(r, s)
		score := finger.Compare(prepare(t, c), v)
		if score >= limit {
			return step, true
		}
		if seen := see(score, limit); seen >= best {
			s, best = c, seen
		}
	}
	return steps, false
}

// TestHillClimbingOnDecisions: who is told only yes or no has nothing to climb by, and gets in no
// more often than by as many random fingers: once in 1000 at the threshold of 1 in 1000.
func TestHillClimbingOnDecisions(t *testing.T) {
	const fingers, steps = 12, 300
	passed := 0
	for victim := range fingers {
		if _, in := climb(t, victim, steps, func(float64, float64) float64 { return 0 }); in {
			passed++
		}
	}
	t.Logf("%d of %d passed in %d steps each", passed, fingers, steps)
	if passed > fingers*steps/1000 { // the expected number, which is 3
		t.Errorf("%d of %d passed, want at most one for each 1000 steps", passed, fingers)
	}
}

// TestHillClimbingOnScores says what showing scores would cost: as with every comparator of
// minutiae (U. Uludag, A. Jain, "Attacks on biometric systems: a case study in fingerprints",
// SPIE 5306, 2004) a few hundred steps get in. Scores therefore stay within the node; the test
// keeps the climb from becoming easier still.
func TestHillClimbingOnScores(t *testing.T) {
	const fingers = 20
	var needed []int
	for victim := range fingers {
		steps, _ := climb(t, victim, 3000, func(score, _ float64) float64 { return score })
		needed = append(needed, steps)
	}
	slices.Sort(needed)
	t.Logf("steps until inside: least %d, median %d, most %d", needed[0], needed[fingers/2], needed[fingers-1])
	if needed[0] < 50 || needed[fingers/2] < 150 {
		t.Errorf("least %d and median %d steps until inside, want at least 50 and 150", needed[0], needed[fingers/2])
	}
}

// TestHostileShapes draws hostile templates at random: lattices, stacks and fields of any spacing,
// with directions that follow any rule. All together may match no more than the rate allows.
func TestHostileShapes(t *testing.T) {
	const rounds, people = 60, 60
	fingers, limit := victims(t, people), threshold(t, 1000)
	matched := 0
	for round := range rounds {
		r := rand.New(rand.NewPCG(uint64(round), 11))
		columns, dx, dy, slope := 1+r.IntN(24), 1+r.IntN(40), 1+r.IntN(40), r.IntN(256)
		jitter, stack := 1+r.IntN(12), 1+r.IntN(6)
		s := finger.Sample{ResX: uint16(150 + r.IntN(300)), ResY: uint16(150 + r.IntN(300))}
		for i := range 16 + r.IntN(240) {
			k := i / stack
			s.Minutiae = append(s.Minutiae, finger.Minutia{
				X: uint16(20 + k%columns*dx + r.IntN(jitter)), Y: uint16(20 + k/columns*dy + r.IntN(jitter)),
				Angle: uint8(k*slope + i%stack*256/stack), Type: uint8(r.IntN(3)), Quality: uint8(r.IntN(101)),
			})
		}
		p := prepare(t, s)
		for _, v := range fingers {
			if finger.Compare(p, v) >= limit {
				matched++
			}
		}
	}
	t.Logf("%d matches of %d", matched, rounds*people)
	if matched > 8 { // 3.6 expected at the rate itself, 8 are within two standard deviations
		t.Errorf("hostile shapes match %d times in %d, want at most 8", matched, rounds*people)
	}
}
