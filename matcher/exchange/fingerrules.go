package exchange

import (
	"github.com/tamga-id/tamga/matcher/exchange/internal/extended"
	"github.com/tamga-id/tamga/matcher/finger"
)

// Offsets of header fields (ISO/IEC 19794-2:2005 clause 7.3).
const (
	offsetLength   = 8
	offsetWidth    = 14
	offsetHeight   = 16
	offsetResX     = 18
	offsetResY     = 20
	offsetViews    = 22
	offsetReserved = 23
)

// Rules of the finger record, in the words of a FormatError.
const (
	ruleSize          = "record exceeds the size limit"
	ruleShort         = "record ends early"
	ruleMagic         = "wrong format identifier"
	ruleVersion       = "wrong version"
	ruleLength        = "length field differs from the record's length"
	ruleReservedOctet = "reserved octet is not zero"
	ruleReservedBits  = "reserved bits are not zero"
	ruleImage         = "image size out of range"
	ruleResolution    = "resolution out of range"
	ruleViews         = "number of views out of range"
	rulePosition      = "finger position out of range"
	ruleNumber        = "view number out of range"
	ruleDuplicate     = "position and view number occur twice"
	ruleImpression    = "impression type is reserved"
	ruleQuality       = "quality out of range"
	ruleCount         = "too many minutiae"
	ruleType          = "minutia type is reserved"
	ruleX             = "x outside the image"
	ruleY             = "y outside the image"
	ruleExtended      = "extended data blocks do not fill their area"
	ruleTrailing      = "octets after the last view"
	ruleAbsent        = "an absent finger has minutiae, or its reason is not known"
)

// headerFault finds the first rule that the fields common to all views break.
func (r FingerRecord) headerFault() fault { return r.headerFaultWith(len(r.Views)) }

func (r FingerRecord) headerFaultWith(views int) fault {
	switch {
	case !imageSide(r.Width):
		return fault{offsetWidth, ruleImage}
	case !imageSide(r.Height):
		return fault{offsetHeight, ruleImage}
	case r.ResX < minResolution:
		return fault{offsetResX, ruleResolution}
	case r.ResY < minResolution:
		return fault{offsetResY, ruleResolution}
	case views < 1 || views > maxViews:
		return fault{offsetViews, ruleViews}
	}
	return fault{}
}

// imageSide bounds a side to what fourteen bits of coordinate can address.
func imageSide(n uint16) bool { return n >= 1 && n <= coordinateMask+1 }

// viewFault finds the first rule that view i, standing at an offset, breaks by itself or towards
// the views before it.
func (r FingerRecord) viewFault(i, at int) fault {
	v := r.Views[i]
	switch {
	case v.Position > 10:
		return fault{at, rulePosition}
	case v.Number > 15:
		return fault{at + 1, ruleNumber}
	case v.Impression > contactless2005:
		return fault{at + 1, ruleImpression}
	case v.Quality > 100:
		return fault{at + 2, ruleQuality}
	case len(v.Minutiae) > maxMinutiae:
		return fault{at + 3, ruleCount}
	}
	for _, w := range r.Views[:i] {
		if w.Position == v.Position && w.Number == v.Number {
			return fault{at, ruleDuplicate}
		}
	}
	at += viewHeaderSize
	for _, m := range v.Minutiae {
		if f := r.minutiaFault(m, at); f.rule != "" {
			return f
		}
		at += minutiaSize
	}
	return extendedFault(v.Extended, at)
}

func (r FingerRecord) minutiaFault(m finger.Minutia, at int) fault {
	switch {
	case m.Type > 2:
		return fault{at, ruleType}
	case m.X >= r.Width:
		return fault{at, ruleX}
	case m.Y >= r.Height:
		return fault{at + 2, ruleY}
	case m.Quality > 100:
		return fault{at + 5, ruleQuality}
	}
	return fault{}
}

// extendedFault checks an extended data area whose length field stands at an offset.
func extendedFault(ext []byte, at int) fault {
	if len(ext) > extended.Max {
		return fault{at, ruleExtended}
	}
	if n, bad := extended.Fault(ext); bad {
		return fault{at + 2 + n, ruleExtended}
	}
	return fault{}
}

// absence says why a view has no minutiae: as its extended data give it, or else as its quality
// tells whether there was an impression.
func (v FingerView) absence() finger.Absence {
	if len(v.Minutiae) > 0 {
		return finger.Present
	}
	if a, ok := extended.Absence(v.Extended); ok {
		return a
	}
	if v.Quality > 0 {
		return finger.NotExtracted
	}
	return finger.NotCaptured
}

// In samples impression types are those of 2011, where 9 is another one and contactless is 24.
const (
	contactless2005 = 9
	contactless2011 = 24
)

func impressionOf2005(code uint8) uint8 {
	if code == contactless2005 {
		return contactless2011
	}
	return code
}

// viewOf is the view of a sample under a view number.
func viewOf(s finger.Sample, number uint8) FingerView {
	v := FingerView{
		Position: s.Position, Number: number,
		Impression: s.Impression, Quality: s.Quality, Minutiae: s.Minutiae,
	}
	switch s.Impression {
	case contactless2011:
		v.Impression = contactless2005
	case contactless2005:
		v.Impression = 0xff // which no record has
	}
	// A reason that the view tells by itself needs no block.
	if s.Absent != finger.Present && s.Absent != v.absence() {
		v.Extended = extended.AppendAbsence(nil, s.Absent)
	}
	return v
}
