package finger2011

import (
	"github.com/tamga-id/tamga/matcher/exchange/internal/calendar"
	"github.com/tamga-id/tamga/matcher/exchange/internal/extended"
	"github.com/tamga-id/tamga/matcher/finger"
)

// Rules of the record, in the words of a FormatError.
const (
	ruleSize           = "record exceeds the size limit"
	ruleShort          = "record ends early"
	ruleMagic          = "wrong format identifier"
	ruleVersion        = "wrong version"
	ruleLength         = "length field differs from the record's length"
	ruleCount          = "number of representations out of range"
	ruleFlag           = "certification flag is neither 0 nor 1"
	ruleRepresentation = "representation length differs from the representation's length"
	ruleTime           = "capture time is not a time, or known in parts that do not follow each other"
	ruleQuality        = "quality score out of range"
	ruleBlocks         = "too many quality blocks"
	ruleCertifications = "certifications without the certification flag, or too many"
	rulePosition       = "finger position is reserved"
	ruleNumber         = "representation number out of range"
	ruleDuplicate      = "position and representation number occur twice"
	ruleSampling       = "sampling rate out of range"
	ruleImpression     = "impression type is reserved"
	ruleImage          = "image size out of range"
	ruleFieldLength    = "minutia field length is neither 5 nor 6"
	ruleEnding         = "ridge ending type is reserved"
	ruleMinutiae       = "too many minutiae"
	ruleType           = "minutia type is reserved"
	ruleX              = "x outside the image"
	ruleReservedBits   = "reserved bits are not zero"
	ruleY              = "y outside the image"
	ruleMinutiaQuality = "minutia quality out of range"
	ruleExtended       = "extended data blocks do not fill their area"
	ruleTrailing       = "octets after the last representation"
)

// fault finds the first rule that a representation breaks by itself, at an offset of a
// representation that begins at 0. Both directions use it, so that one cannot write what the other
// refuses.
func (r Representation) fault() fault {
	if !r.Captured.valid() {
		return fault{4, ruleTime}
	}
	if len(r.Quality) > maxBlocks {
		return fault{18, ruleBlocks}
	}
	for i, q := range r.Quality {
		if q.Score > 100 && q.Score != qualityFailed {
			return fault{19 + qualitySize*i, ruleQuality}
		}
	}
	// Where the fields behind the blocks stand is known to the caller; here they are counted from
	// the finger position.
	at := r.fixed()
	switch {
	case len(r.Certifications) > maxBlocks:
		return fault{at - len(r.Certifications)*certificationSize, ruleCertifications}
	case !position(r.Position):
		return fault{at, rulePosition}
	case r.Number > 15:
		return fault{at + 1, ruleNumber}
	case r.ResX < minSamplingRate:
		return fault{at + 2, ruleSampling}
	case r.ResY < minSamplingRate:
		return fault{at + 4, ruleSampling}
	case !impression(r.Impression):
		return fault{at + 6, ruleImpression}
	case r.Width < 1 || r.Width > maxSide:
		return fault{at + 7, ruleImage}
	case r.Height < 1 || r.Height > maxSide:
		return fault{at + 9, ruleImage}
	case len(r.Minutiae) > maxMinutiae:
		return fault{at + 12, ruleMinutiae}
	}
	at += fixedSize
	for _, m := range r.Minutiae {
		if f := r.minutiaFault(m, at); f.rule != "" {
			return f
		}
		at += r.minutiaSize()
	}
	if len(r.Extended) > extended.Max {
		return fault{at, ruleExtended}
	}
	if n, bad := extended.Fault(r.Extended); bad {
		return fault{at + 2 + n, ruleExtended}
	}
	return fault{}
}

func (r Representation) minutiaFault(m finger.Minutia, at int) fault {
	switch {
	case m.Type > 2:
		return fault{at, ruleType}
	case m.X >= r.Width:
		return fault{at, ruleX}
	case m.Y >= r.Height:
		return fault{at + 2, ruleY}
	case r.MinutiaQuality && m.Quality > 100 && m.Quality < notReported, !r.MinutiaQuality && m.Quality != 0:
		return fault{at + 5, ruleMinutiaQuality}
	}
	return fault{}
}

func position(p uint8) bool { return p <= 10 || p >= 13 && p <= 15 || p >= 40 && p <= 50 }

func impression(i uint8) bool { return i <= 9 || i == 24 || i == 28 || i == 29 }

// valid tells whether the known parts are of a time on the calendar and the others zero.
func (c CaptureTime) valid() bool {
	if c.Given > 7 {
		return false
	}
	lowest, highest := [7]uint16{1, 1, 1}, [7]uint16{0xfffe, 12, 31, 23, 59, 59, 999}
	for i, v := range c.parts() {
		if i >= int(c.Given) {
			lowest[i], highest[i] = 0, 0
		}
		if v < lowest[i] || v > highest[i] {
			return false
		}
	}
	return c.Given < 3 || calendar.Day(int(c.Year), int(c.Month), int(c.Day))
}

func (c CaptureTime) parts() [7]uint16 {
	return [7]uint16{c.Year, uint16(c.Month), uint16(c.Day), uint16(c.Hour), uint16(c.Minute), uint16(c.Second), c.Millisecond}
}
