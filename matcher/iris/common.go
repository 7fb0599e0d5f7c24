package iris

import (
	"cmp"
	"slices"
)

// commonRounds is how often Common turns the samples towards what they have in common; it settles after three or four.
const commonRounds = 4

// Common is the code that agrees most with many irises at once, a wolf in the words of M. Une, A. Otsuka, H. Imai, "Wolf
// Attack Probability: A New Security Measure in Biometric Authentication Systems" (ICB 2007): the samples are turned
// towards one another, each bit is what most of them have, and the mask shows the given number of bits, those that most
// agree in where most are seen. Whoever makes a calibration compares it with irises that it was not made of, for no
// iris looks like that and its false match rate is higher than theirs. The samples' first sets the direction; with none
// the sample is zero.
func Common(samples []Sample, shown int) Sample {
	if len(samples) == 0 {
		return Sample{}
	}
	turned := slices.Clone(samples)
	defer clear(turned)
	var lean [Bits]float64 // how many more have a 1
	count(&lean, samples[:1])
	for range commonRounds {
		for i := range samples {
			turned[i] = towards(&samples[i], &lean)
		}
		count(&lean, turned)
	}
	order := make([]int, Bits)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(abs(lean[b]), abs(lean[a])) })
	var out Sample
	for _, i := range order[:min(Bits, max(0, shown))] {
		out.Mask[i/8] |= 0x80 >> (i % 8)
		if lean[i] > 0 {
			out.Code[i/8] |= 0x80 >> (i % 8)
		}
	}
	return out
}

func abs(x float64) float64 { return max(x, -x) }

// count sets lean to the ones less the zeros of every bit, among samples that show it.
func count(lean *[Bits]float64, samples []Sample) {
	clear(lean[:])
	for i := range samples {
		each(&samples[i], func(at int, sign float64) { lean[at] += sign })
	}
}

// each calls f for every bit that s shows, with 1 or -1.
func each(s *Sample, f func(at int, sign float64)) {
	for i, m := range s.Mask {
		for k := range 8 {
			if m&(0x80>>k) == 0 {
				continue
			}
			sign := -1.0
			if s.Code[i]&(0x80>>k) != 0 {
				sign = 1
			}
			f(8*i+k, sign)
		}
	}
}

// towards is s in the rotation in which it agrees most with lean.
func towards(s *Sample, lean *[Bits]float64) Sample {
	var best Sample
	most := 0.0
	for r := -MaxRotation; r <= MaxRotation; r++ {
		t, agree := s.turn(r), 0.0
		each(&t, func(at int, sign float64) { agree += sign * lean[at] })
		if r == -MaxRotation || agree > most {
			best, most = t, agree
		}
	}
	return best
}

// turn gives the sample whose angle a is that of s at a+steps.
func (s *Sample) turn(steps int) (out Sample) {
	const octets = angleBits / 8
	for a := range Angles {
		from := (a + steps + Angles) % Angles
		copy(out.Code[octets*a:octets*(a+1)], s.Code[octets*from:])
		copy(out.Mask[octets*a:octets*(a+1)], s.Mask[octets*from:])
	}
	return out
}
