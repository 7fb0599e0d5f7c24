// Package intake takes finger records in every format that the sub-packages of exchange read, with
// or without a CBEFF header, and makes of them what a node compares and stores.
//
// Start with [Fingers] for samples, or with [Finger2005], which gives the record of ISO/IEC
// 19794-2:2005 that the gallery and the protocol know. [Wrap] goes the other way and puts a header
// in front of a record.
//
// It does not read ISO/IEC 39794-2, because package finger39794 needs a layout that has to come
// from the standard, nor INCITS 378: both are recognised and refused with [ErrNotRead].
//
// Invariants:
//
//   - What is not understood is refused whole. A header that contradicts its record, in the kind
//     of biometric, the format or the finger, is refused too.
//   - That a finger is missing, and why, survives every conversion.
//   - Errors are *exchange.FormatError, or one of the named errors here, in exchange and in cbeff;
//     none carries content.
//   - Copies made on the way are wiped; the input is its owner's.
package intake

import (
	"errors"

	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/exchange/cbeff"
	"github.com/tamga-id/tamga/matcher/exchange/finger2011"
	"github.com/tamga-id/tamga/matcher/finger"
)

var (
	// ErrNotRead says that a record is of ISO/IEC 39794-2 or INCITS 378, whose minutiae are not read.
	ErrNotRead = errors.New("reading finger record: ISO/IEC 39794-2 and INCITS 378 are not read; export it as ISO/IEC 19794-2")
	// ErrImage says that a record holds images of fingers, as those of passports do, and no minutiae.
	ErrImage = errors.New("reading finger record: it holds images; extract their minutiae first")
	// ErrNotFinger says that a record is of a known format that holds no fingers.
	ErrNotFinger = errors.New("reading finger record: the record is of another kind")
	// ErrNone says that a CBEFF group is empty: the document says that there are no fingerprints.
	ErrNone = errors.New("reading finger record: the group holds no record")
)

// Rules that a header and its record break together, in the words of an exchange.FormatError.
const (
	ruleKind     = "biometric type is not fingerprint"
	ruleOwner    = "format owner is not ISO/IEC JTC 1/SC 37"
	ruleFormat   = "format type does not name the record's format"
	rulePosition = "biometric subtype names another finger than the record"
	ruleSampling = "records or views differ in sampling rate"
)

// Fingers gives the samples of a record in their order, and the format that they were in. today
// is for validity periods of CBEFF headers.
func Fingers(b []byte, today cbeff.Date) ([]finger.Sample, exchange.Format, error) {
	format, err := exchange.Detect(b)
	if err != nil {
		return nil, "", err
	}
	if format != exchange.FormatCBEFF {
		s, err := samples(format, b)
		return s, format, err
	}
	ts, err := unwrap(b, today)
	if err != nil {
		return nil, format, err
	}
	defer wipeTemplates(ts)
	var out []finger.Sample
	for _, t := range ts {
		s, err := templateSamples(t)
		if err != nil {
			wipe(out)
			return nil, format, err
		}
		out = append(out, s...)
	}
	return out, format, nil
}

func samples(format exchange.Format, b []byte) ([]finger.Sample, error) {
	switch format {
	case exchange.FormatFinger2005:
		return exchange.DecodeFinger(b)
	case exchange.FormatFinger2011:
		return finger2011.Decode(b)
	case exchange.FormatFinger39794, exchange.FormatFinger378:
		return nil, ErrNotRead
	case exchange.FormatFingerImage:
		return nil, ErrImage
	}
	return nil, ErrNotFinger
}

// unwrap parses headers and checks what they say by themselves.
func unwrap(b []byte, today cbeff.Date) ([]cbeff.Template, error) {
	ts, err := cbeff.Parse(b)
	if err != nil {
		return nil, err
	}
	if len(ts) == 0 {
		return nil, ErrNone
	}
	for _, t := range ts {
		switch {
		case t.Header.Type != 0 && t.Header.Type != cbeff.TypeFingerprint:
			err = fault(ruleKind)
		case t.Header.Owner != cbeff.OwnerSC37:
			err = fault(ruleOwner)
		default:
			err = t.Header.CheckValidity(today)
		}
		if err != nil {
			wipeTemplates(ts)
			return nil, err
		}
	}
	return ts, nil
}

func templateSamples(t cbeff.Template) ([]finger.Sample, error) {
	format, err := exchange.Detect(t.Data)
	if err != nil {
		return nil, err
	}
	if !names(t.Header.Format, format) {
		return nil, fault(ruleFormat)
	}
	out, err := samples(format, t.Data)
	if err != nil {
		return nil, err
	}
	for i := range out {
		var ok bool
		if out[i].Position, ok = agree(t.Header.Subtype, out[i].Position); !ok {
			wipe(out)
			return nil, fault(rulePosition)
		}
	}
	return out, nil
}

// Numbers of formats of ISO/IEC JTC 1/SC 37 in CBEFF headers.
const (
	formatMinutiae         = 1 // finger minutiae record of 2005 without extended data
	formatMinutiaeExtended = 2 // the same with extended data
	formatFingerImage      = 7
	formatFaceImage        = 8
	formatIrisRectilinear  = 9
	formatIrisPolar        = 11
	formatFace39794        = 0x2a
)

// names tells whether a header's format number can be of a format. The two numbers of 2005 are
// used alike in practice. The number of 2011 could not be looked up in the registry, so any passes
// that is not known to be another's.
func names(number uint16, format exchange.Format) bool {
	switch number {
	case formatMinutiae, formatMinutiaeExtended:
		return format == exchange.FormatFinger2005 || format == exchange.FormatFinger2011
	case formatFingerImage:
		return format == exchange.FormatFingerImage
	case formatFaceImage, formatIrisRectilinear, formatIrisPolar, formatFace39794:
		return false
	}
	return format == exchange.FormatFinger2011 || format == exchange.FormatFinger39794
}

// agree joins what header and record say about the finger. The record's position wins, and must
// not contradict what a header says of side or digit; where the record is silent the header's is
// taken.
func agree(subtype, position uint8) (uint8, bool) {
	named, ok := cbeff.Finger(subtype)
	if !ok || position > 10 {
		return 0, false
	}
	if position == 0 {
		return named, true
	}
	s := cbeff.Subtype(position)
	side, digit := subtype&3, subtype>>2
	return position, (side == 0 || side == s&3) && (digit == 0 || digit == s>>2)
}

func fault(rule string) error {
	return &exchange.FormatError{Format: exchange.FormatCBEFF, Rule: rule}
}

func wipe(samples []finger.Sample) {
	for _, s := range samples {
		clear(s.Minutiae)
	}
}

func wipeTemplates(ts []cbeff.Template) {
	for _, t := range ts {
		clear(t.Data)
	}
}
