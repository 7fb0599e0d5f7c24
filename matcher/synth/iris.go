package synth

// The sampling of an iris code: 128 angles, 8 bands from the pupil outwards, and the signs of the
// real and the imaginary part of a Gabor response at each (J. Daugman, IEEE Trans. CSVT 14(1), 2004).
const (
	irisAngles = 128
	irisBands  = 8
	irisOctets = irisAngles * irisBands * 2 / 8
)

// Noise of irises in thousandths of the texture, and the deviations of its logarithm: within a
// person and between; patient captures have the least of it.
const (
	irisNoise       = 685
	irisNoiseEyes   = 260
	irisNoiseImages = 430
	irisNoiseLeast  = 350
	irisNoiseMost   = 600
	irisCommon      = 110 // what lids and light draw alike over all irises: their distance is 0.497, not 0.5
)

// Iris is one iris code with its mask: 128 angles x 8 bands x 2 bits, angle-major, most significant
// bit first, so that one angle is two octets. A set bit of the mask says that the bit of the code
// was seen. Its contents lie behind a closure, so that it prints as "iris(redacted)".
type Iris struct{ open func() (code, mask []byte) }

// IrisReference gives the code of the person's enrolled left (0) or right (1) iris. It panics for
// another eye.
func (p Person) IrisReference(eye uint8) Iris {
	s := p.stream("iris-reference", uint64(eye))
	return p.irisCapture(s, eye, irisPose{noise: irisNoiseLeast})
}

// IrisProbe gives capture n of the same iris by a patient officer: its Hamming distance to the
// reference is about 0.2, to another iris 0.46 at the best of 17 rotations.
func (p Person) IrisProbe(eye uint8, n int) Iris {
	s := p.stream("iris-probe", uint64(eye), uint64(n))
	return p.irisCapture(s, eye, irisPose{noise: int64(s.between(irisNoiseLeast, irisNoiseMost)), turn: s.between(-2, 2)})
}

// IrisCapture gives capture n of the iris as it comes, good or bad, for measuring.
func (p Person) IrisCapture(eye uint8, n int) Iris {
	own := p.stream("iris-noise", uint64(eye)).lognormal(irisNoise, irisNoiseEyes)
	s := p.stream("iris-capture", uint64(eye), uint64(n))
	pose := irisPose{noise: s.lognormal(own, irisNoiseImages), turn: s.spread(70) / 100}
	if s.below(100) < 2 {
		pose.turn = s.between(-4, 4)
	}
	return p.irisCapture(s, eye, pose)
}

// irisPose is what one capture differs by.
type irisPose struct {
	noise int64 // in thousandths of the texture
	turn  int   // angle steps, by which the head was tilted
}

// texture is what the filters of irisField see.
type texture [irisBands][irisAngles]int64

func (p Person) irisCapture(s *stream, eye uint8, pose irisPose) Iris {
	if eye > 1 {
		panic("synth: eye out of range")
	}
	field := p.stream("iris", uint64(eye)).texture()
	noise, all := s.texture(), newStream(0, "", "iris-common", 0).texture()
	var seen texture
	for b := range field {
		for a := range field[b] {
			seen[b][a] = 1000*field[b][(a-pose.turn+irisAngles)%irisAngles] + pose.noise*noise[b][a] + irisCommon*all[b][a]
		}
	}
	lids := p.stream("iris-lids", uint64(eye)).lids()
	hidden := s.occlusion(lids)
	code, mask := make([]byte, irisOctets), make([]byte, irisOctets)
	for b := range seen {
		even, odd := gabor(b)
		for a := range irisAngles {
			var re, im int64
			for k := range even {
				x := seen[b][(a+k-gaborReach+irisAngles)%irisAngles]
				re += even[k] * x
				im += odd[k] * x
			}
			at := a*irisBands*2 + b*2
			setBit(code, at, re >= 0)
			setBit(code, at+1, im >= 0)
			setBit(mask, at, !hidden[b][a])
			setBit(mask, at+1, !hidden[b][a])
		}
	}
	return Iris{func() ([]byte, []byte) { return code, mask }}
}

func setBit(b []byte, i int, to bool) {
	if to {
		b[i/8] |= 0x80 >> (i % 8)
	}
}

// texture draws independent values by angle that neighbouring bands share by 0.37, which makes
// their signs correlate by the 0.24 measured on CASIA-IrisV1.
func (s *stream) texture() *texture {
	var white, t texture
	for b := range white {
		for a := range white[b] {
			white[b][a] = int64(s.normal())
		}
	}
	for b := range t {
		for a := range t[b] {
			t[b][a] = 5 * white[b][a]
			if b > 0 {
				t[b][a] += white[b-1][a]
			}
			if b < irisBands-1 {
				t[b][a] += white[b+1][a]
			}
		}
	}
	return &t
}

// gaborReach is how many angle steps the filters look to either side.
const gaborReach = 10

type filter [2*gaborReach + 1]int64

// gabor gives the even and odd filters of a band in thousandths: Gaussians times waves of 6.43 and
// 12.05 angle steps in the middle of the iris, shorter within and longer without. The two together
// come near the log-Gabor filter of CASIA-IrisV1's codes, so that the signs of neighbours correlate
// as there: 0.46, 0, -0.27, -0.30, -0.21 at 1 to 5 steps. The sum of the even filter is removed, or
// else brightness would show.
func gabor(band int) (even, odd filter) {
	var bell filter
	for _, wave := range [2]struct{ length, share int64 }{{643, 1000}, {1205, 471}} {
		length := wave.length * (840 + 45*int64(band)) / 1000 // hundredths of a step
		for k := range bell {
			d := int64(k - gaborReach)
			// exp(-d^2/2s^2) with s = 0.39 wavelengths: log2(e)/(2*0.39^2) = 4.74.
			b := wave.share * exp2(-d*d*10_000*474*one/100/(length*length)) / one
			c, s := rotate(1000, 0, uint16(d*100*(1<<16)/length))
			even[k], odd[k], bell[k] = even[k]+c*b/1000, odd[k]-s*b/1000, bell[k]+b
		}
	}
	var sum, weight int64
	for k := range bell {
		sum, weight = sum+even[k], weight+bell[k]
	}
	for k := range even {
		even[k] -= sum * bell[k] / weight
	}
	return even, odd
}
