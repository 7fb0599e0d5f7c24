package finger2011

import (
	"slices"

	"github.com/tamga-id/tamga/matcher/exchange/internal/extended"
	"github.com/tamga-id/tamga/matcher/finger"
)

const (
	ruleSeveral = "finger position names several fingers"
	ruleAbsent  = "an absent finger has minutiae, or its reason is not known"
)

// Decode gives the representations of a record in their order, ready for finger.Prepare unless
// they are absent. The samples own their memory. The error is an *exchange.FormatError; a record
// that [Parse] accepts is refused here when one of its representations is of several fingers.
func Decode(b []byte) ([]finger.Sample, error) {
	r, err := Parse(b)
	if err != nil {
		return nil, err
	}
	out := make([]finger.Sample, len(r.Representations))
	at := headerSize
	for i, p := range r.Representations {
		if p.Position > 10 {
			return nil, fault{at + p.fixed() + int(flag(r.Certified)), ruleSeveral}.err()
		}
		out[i] = p.sample()
		at += p.fixed() + int(flag(r.Certified)) + fixedSize + p.minutiaSize()*len(p.Minutiae) + 2 + len(p.Extended)
	}
	return out, nil
}

// Encode writes samples as one record without certifications and with what they know: no capture
// time and device, one quality block of no named algorithm where there is a quality. Samples of
// one position are numbered from 0 in the order given. Why a finger is absent stands in
// vendor-defined extended data, except what follows from the quality.
func Encode(samples []finger.Sample) ([]byte, error) {
	var r Record
	var seen [256]uint8
	if len(samples) > maxRepresentations {
		return nil, fault{12, ruleCount}.err()
	}
	for _, s := range samples {
		if s.Absent > finger.UnableToPrint || s.Absent != finger.Present && len(s.Minutiae) > 0 {
			return nil, fault{headerSize, ruleAbsent}.err()
		}
		r.Representations = append(r.Representations, representation(s, seen[s.Position]))
		seen[s.Position]++
	}
	return r.Encode()
}

func (r Representation) sample() finger.Sample {
	s := finger.Sample{
		Position: r.Position, Impression: r.Impression, Width: r.Width, Height: r.Height,
		ResX: r.ResX, ResY: r.ResY, Minutiae: slices.Clone(r.Minutiae), Absent: r.absence(),
	}
	for _, q := range r.Quality {
		if q.Score <= 100 {
			s.Quality = q.Score
			break
		}
	}
	for i, m := range s.Minutiae {
		switch {
		case m.Quality >= notReported:
			s.Minutiae[i].Quality = 0
		case r.MinutiaQuality && m.Quality == 0:
			s.Minutiae[i].Quality = 1 // the worst; a sample's 0 is "not reported"
		}
	}
	return s
}

// absence says why a representation has no minutiae. A quality, even one that could not be
// computed, tells that there was an impression.
func (r Representation) absence() finger.Absence {
	if len(r.Minutiae) > 0 {
		return finger.Present
	}
	if a, ok := extended.Absence(r.Extended); ok {
		return a
	}
	if len(r.Quality) > 0 {
		return finger.NotExtracted
	}
	return finger.NotCaptured
}

func representation(s finger.Sample, number uint8) Representation {
	r := Representation{
		Position: s.Position, Number: number, ResX: s.ResX, ResY: s.ResY, Impression: s.Impression,
		Width: s.Width, Height: s.Height, Minutiae: slices.Clone(s.Minutiae),
	}
	switch {
	case s.Quality > 0:
		r.Quality = []QualityBlock{{Score: s.Quality}}
	case s.Absent == finger.NotExtracted:
		r.Quality = []QualityBlock{{Score: qualityFailed}}
	}
	for _, m := range s.Minutiae {
		r.MinutiaQuality = r.MinutiaQuality || m.Quality > 0
	}
	for i, m := range r.Minutiae {
		if r.MinutiaQuality && m.Quality == 0 {
			r.Minutiae[i].Quality = notReported
		}
	}
	if s.Absent != finger.Present && s.Absent != r.absence() {
		r.Extended = extended.AppendAbsence(nil, s.Absent)
	}
	return r
}
