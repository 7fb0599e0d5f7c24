package synth

import (
	"fmt"
	"io"
	"log/slog"
)

// occlusionMap says what of the iris is not seen.
type occlusionMap [irisBands][irisAngles]bool

// lid is an eyelid with its lashes over the edge of the iris: half as many angle steps as it hides
// of the outermost band, about the middle.
type lid struct{ middle, half int }

// lids draws where a person's eyelids lie when the eye is open: masks of CASIA-IrisV1 show the
// upper about step 97 and the lower about step 32.
func (s *stream) lids() [2]lid {
	return [2]lid{
		{middle: 97 + s.spread(4), half: 17 + s.spread(5)},
		{middle: 32 + s.spread(3), half: 7 + s.spread(4)},
	}
}

// occlusion covers what eyelids, lashes and reflections hide in one capture: 17 % in the mean.
func (s *stream) occlusion(lids [2]lid) *occlusionMap {
	var m occlusionMap
	for _, l := range lids {
		half, deep := l.half+s.spread(2), s.spread(2)
		for b := range m {
			reach := half * (2*b - irisBands + 1 + deep) / (irisBands - 1)
			for d := -reach; d <= reach; d++ {
				m[b][(l.middle+d+2*irisAngles)%irisAngles] = true
			}
		}
	}
	for range s.between(8, 24) { // reflections and specks
		middle, band := s.below(irisAngles), s.below(irisBands)
		for k := range s.between(1, 4) {
			m[band][(middle+k)%irisAngles] = true
			m[max(0, band-1)][(middle+k)%irisAngles] = true
		}
	}
	return &m
}

// Code gives a copy of the 256 octets of the code; nil of the zero value.
func (i Iris) Code() []byte { code, _ := i.contents(); return append([]byte(nil), code...) }

// Mask gives a copy of the 256 octets of the mask; nil of the zero value.
func (i Iris) Mask() []byte { _, mask := i.contents(); return append([]byte(nil), mask...) }

func (i Iris) contents() (code, mask []byte) {
	if i.open == nil {
		return nil, nil
	}
	return i.open()
}

// LogValue keeps the contents out of logs.
func (Iris) LogValue() slog.Value { return slog.StringValue("iris(redacted)") }

// Format keeps the contents out of anything printed, whatever the verb.
func (Iris) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "iris(redacted)") }
