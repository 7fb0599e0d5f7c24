package intake

import (
	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/exchange/cbeff"
	"github.com/tamga-id/tamga/matcher/finger"
)

// Finger2005 gives a record as one of ISO/IEC 19794-2:2005. A record that is one comes back as it
// is, sharing its memory, and so does one behind a CBEFF header, in memory of its own, unless the
// header had to supply the finger's position.
//
// From other formats are kept: minutiae, positions, qualities and absences. The image size, which
// 2005 has once, becomes the largest, so that every minutia lies within; impression types that
// 2005 does not have become the nearest that it has. Capture time, device, certifications and
// extended data are dropped. Views that differ in sampling rate, and more than 16, are refused.
func Finger2005(b []byte, today cbeff.Date) ([]byte, error) {
	format, err := exchange.Detect(b)
	switch {
	case err != nil:
		return nil, err
	case format == exchange.FormatFinger2005:
		if _, err := exchange.ParseFinger(b); err != nil {
			return nil, err
		}
		return b, nil
	case format == exchange.FormatCBEFF:
		if out, done, err := unwrapped(b, today); done {
			return out, err
		}
	}
	s, _, err := Fingers(b, today)
	if err != nil {
		return nil, err
	}
	defer wipe(s)
	if err := level(s); err != nil {
		return nil, err
	}
	return exchange.EncodeFinger(s)
}

// unwrapped gives the one record of 2005 behind a header, with everything that is in it. It is not
// done when there are several, or one of another format.
func unwrapped(b []byte, today cbeff.Date) (out []byte, done bool, err error) {
	ts, err := unwrap(b, today)
	if err != nil {
		return nil, true, err
	}
	defer wipeTemplates(ts)
	if format, err := exchange.Detect(ts[0].Data); len(ts) > 1 || err != nil || format != exchange.FormatFinger2005 {
		return nil, false, nil
	}
	s, err := templateSamples(ts[0])
	if err != nil {
		return nil, true, err
	}
	defer wipe(s)
	r, err := exchange.ParseFinger(ts[0].Data)
	if err != nil {
		return nil, true, err
	}
	for i := range r.Views {
		r.Views[i].Position = s[i].Position
		defer clear(r.Views[i].Minutiae)
	}
	out, err = r.Encode()
	return out, true, err
}

// level gives samples the common header that a record of 2005 has.
func level(samples []finger.Sample) error {
	var width, height uint16
	for _, s := range samples {
		if s.ResX != samples[0].ResX || s.ResY != samples[0].ResY {
			return &exchange.FormatError{Format: exchange.FormatFinger2005, Rule: ruleSampling}
		}
		width, height = max(width, s.Width), max(height, s.Height)
	}
	for i := range samples {
		samples[i].Width, samples[i].Height = width, height
		samples[i].Impression = impression2005(samples[i].Impression)
	}
	return nil
}

// impression2005 is the nearest impression type of those that 2005 has: a vertical roll is a roll;
// other and unknown impressions have nothing nearer than a plain live scan. No comparison depends
// on it.
func impression2005(code uint8) uint8 {
	const plain, rolled, swipe, verticalRoll, contactless = 0, 1, 8, 9, 24
	switch {
	case code <= swipe, code == contactless:
		return code
	case code == verticalRoll:
		return rolled
	}
	return plain
}

// Wrap puts a CBEFF header in front of a finger record of 2005 or 2011. Type and owner are set;
// the subtype is set when all views are of one finger, and must otherwise be 0; for a record of
// 2005 the format is set too, for one of 2011 the caller names it. What h says must not contradict
// the record.
func Wrap(record []byte, h cbeff.Header) ([]byte, error) {
	format, err := exchange.Detect(record)
	if err != nil {
		return nil, err
	}
	s, err := samples(format, record)
	if err != nil {
		return nil, err
	}
	defer wipe(s)
	if h.Type == 0 {
		h.Type = cbeff.TypeFingerprint
	}
	if h.Owner == 0 {
		h.Owner = cbeff.OwnerSC37
	}
	if h.Subtype == 0 {
		h.Subtype = cbeff.Subtype(s[0].Position)
		for _, v := range s {
			if v.Position != s[0].Position {
				h.Subtype = 0
			}
		}
	}
	if h.Format == 0 && format == exchange.FormatFinger2005 {
		h.Format = formatOf(record)
	}
	for _, v := range s {
		if _, ok := agree(h.Subtype, v.Position); !ok {
			return nil, fault(rulePosition)
		}
	}
	switch {
	case h.Type != cbeff.TypeFingerprint:
		return nil, fault(ruleKind)
	case h.Owner != cbeff.OwnerSC37:
		return nil, fault(ruleOwner)
	case !names(h.Format, format):
		return nil, fault(ruleFormat)
	}
	return cbeff.Template{Header: h, Data: record}.Encode()
}

// formatOf is the number of a record of 2005, which was parsed before.
func formatOf(record []byte) uint16 {
	r, err := exchange.ParseFinger(record)
	if err != nil {
		return 0
	}
	number := uint16(formatMinutiae)
	for _, v := range r.Views {
		clear(v.Minutiae)
		if len(v.Extended) > 0 {
			number = formatMinutiaeExtended
		}
	}
	return number
}
