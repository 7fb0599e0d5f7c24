package finger

// Reason says why a comparison that is no match says little, and so what an officer can do about it. The zero value
// says that nothing is wrong with it.
type Reason int

// The reasons, the weightiest last.
const (
	NoReason    Reason = iota
	PoorCapture        // the capture device reported a poor sample: clean finger and sensor, capture again
	SmallPart          // a sample shows little of the finger: put the middle of the finger on the sensor
	FewMinutiae        // too little detail: use another finger or modality
)

const (
	// MinDecidable is the least number of minutiae, on either side of a comparison, at which anything is decided.
	// Fragments of 5 to 8, cut out of fingers, were seen to match foreign fingers ten to twenty times as often as a
	// threshold says. Whoever decides calls a comparison with fewer inconclusive.
	MinDecidable = 16
	// MinWhole is the number of minutiae on either side under which a comparison is held to [FragmentCalibration]. The
	// 16 that lie closest together, cut out of a finger, match foreign fingers about twice as often at 1 in 1,000 as
	// [Threshold] says and four times at 1 in 10,000 (95 and 20 of 48,062 comparisons), and 20 little less.
	MinWhole = 24
	// MinQuality is the least reported quality (ISO/IEC 19794-2:2005, 7.4.1.6: 0 to 100, here 0 counts as not reported)
	// at which a comparison that is no match says "no". ISO/IEC 29794-1 calls the lowest fifth unacceptable.
	MinQuality = 20
)

// Poor says why nothing can be decided on a sample at a stated rate, whatever it is compared with: FewMinutiae or
// NoReason. Places count and not records: a fragment does not become a finger by repetition.
func (s Sample) Poor() Reason {
	if s.fewerThan(MinDecidable) {
		return FewMinutiae
	}
	return NoReason
}

// Fragment reports that so little of a finger is there that only [FragmentCalibration] says what a score is worth.
func (s Sample) Fragment() bool { return s.fewerThan(MinWhole) }

// fewerThan counts places; n is at most MinWhole.
func (s Sample) fewerThan(n int) bool {
	var places [MinWhole][2]uint16
	defer clear(places[:])
	found := 0
next:
	for _, m := range s.Minutiae {
		at := [2]uint16{m.X, m.Y}
		for _, seen := range places[:found] {
			if seen == at {
				continue next
			}
		}
		places[found] = at
		if found++; found == n {
			return false
		}
	}
	return true
}

// Doubt says why a comparison of the two samples that is no match does not say that they are of two fingers: the
// weightiest of the reasons. A match is never doubted: its threshold holds for all of them but FewMinutiae, which Poor
// settles before.
//
// The reasons lie in the samples alone and never in how they compare: whoever sends probes one after the other would
// learn from a reason that depends on the score, or on the overlap at the best alignment, which of them came closer.
func Doubt(probe, reference Sample) Reason {
	reported := func(s Sample) bool { return s.Quality > 0 && s.Quality < MinQuality }
	switch {
	case probe.Poor() != NoReason || reference.Poor() != NoReason:
		return FewMinutiae
	case probe.Fragment() || reference.Fragment():
		return SmallPart
	case reported(probe) || reported(reference):
		return PoorCapture
	}
	return NoReason
}
