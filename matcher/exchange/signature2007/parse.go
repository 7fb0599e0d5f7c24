package signature2007

import (
	"encoding/binary"

	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/signature"
)

const (
	magic           = "SDI\x00"
	version         = " 10\x00"
	offsetInclusion = len(magic) + len(version)
	hasExtended     = 0x80
)

// Rules of the record, in the words of a FormatError.
const (
	ruleSize         = "record exceeds the size limit"
	ruleShort        = "record ends early"
	ruleMagic        = "wrong format identifier"
	ruleVersion      = "wrong version"
	ruleMandatory    = "channels X and Y are not both included"
	ruleOrder        = "channels are not in order, or unknown"
	ruleReservedBit  = "reserved bit of a channel's preamble is not zero"
	ruleAttribute    = "attribute out of range, or given without its bit"
	ruleRange        = "least value of a channel is above its greatest"
	ruleReserved     = "reserved octet is not zero"
	ruleBody         = "reserved bits of the body's preamble are not zero"
	ruleStill        = "all channels are constant"
	ruleCount        = "number of sample points out of range"
	ruleValue        = "value out of the channel's range"
	ruleSwitch       = "tip switch is neither 0 nor 1"
	ruleExtended     = "extended data are too long"
	ruleTrailing     = "octets after the record"
	ruleTime         = "neither a time nor a time difference channel that varies or has a rate"
	ruleLinear       = "linear component of a position was removed"
	ruleFirst        = "time is before the first point's or too long after it"
	ruleNegative     = "negative value in a channel that has none"
	ruleSampleValues = "value is not finite or out of range"
)

// reader walks over a record. Once a fault is found nothing is read.
type reader struct {
	b     []byte
	at    int
	fault *exchange.FormatError
}

func (r *reader) fail(offset int, rule string) {
	if r.fault == nil {
		r.fault = fault(offset, rule)
	}
}

// take returns the next n octets, or zeros at the end of the record.
func (r *reader) take(n int) []byte {
	if r.fault == nil && len(r.b)-r.at < n {
		r.fail(len(r.b), ruleShort)
	}
	if r.fault != nil {
		return make([]byte, min(n, 4))
	}
	r.at += n
	return r.b[r.at-n : r.at]
}

func (r *reader) octet() byte { return r.take(1)[0] }

func (r *reader) number() uint16 { return binary.BigEndian.Uint16(r.take(2)) }

// Parse reads one record; see [Record.Encode] for the grammar. Checked are:
// identifier and version, that X and Y are there, reserved bits and octets,
// that no least value is above its greatest, 1 to signature.MaxPoints sample
// points, and that nothing follows.
func Parse(b []byte) (Record, error) {
	if len(b) > Max {
		return Record{}, fault(0, ruleSize)
	}
	r := &reader{b: b}
	if string(r.take(len(magic))) != magic {
		r.fail(0, ruleMagic)
	}
	if string(r.take(len(version))) != version {
		r.fail(len(magic), ruleVersion)
	}
	var rec Record
	rec.Channels = r.descriptions()
	if r.octet() != 0 {
		r.fail(r.at-1, ruleReserved)
	}
	r.body(&rec)
	if r.fault == nil && r.at != len(b) {
		r.fail(r.at, ruleTrailing)
	}
	if r.fault != nil {
		clear(rec.Values)
		return Record{}, r.fault
	}
	return rec, nil
}

func (r *reader) descriptions() []Description {
	inclusion := r.number()
	if inclusion&X.bit() == 0 || inclusion&Y.bit() == 0 {
		r.fail(offsetInclusion, ruleMandatory)
	}
	var out []Description
	for c := range channels {
		if inclusion&c.bit() != 0 && r.fault == nil {
			out = append(out, r.description(c))
		}
	}
	return out
}

func (r *reader) description(c Channel) Description {
	start := r.at
	d := Description{Channel: c, Attributes: Attributes(r.octet())}
	if d.Attributes&HasScaling != 0 {
		d.Scaling = Scaling(r.number())
	}
	for i, f := range d.fields() {
		if i > 0 && i < 4 && d.Attributes&f.has != 0 {
			*f.value = int32(r.number()) + f.least
		}
	}
	if d.Attributes&HasStd != 0 {
		d.Std = r.number()
	}
	if rule := d.rule(); rule != "" {
		r.fail(start, rule)
	}
	return d
}

func (r *reader) body(rec *Record) {
	flags := r.octet()
	if flags&^hasExtended != 0 {
		r.fail(r.at-1, ruleBody)
	}
	count := r.take(3)
	n := int(count[0])<<16 | int(count[1])<<8 | int(count[2])
	present := rec.varying()
	if len(present) == 0 {
		r.fail(offsetInclusion, ruleStill)
	}
	if n < 1 || n > signature.MaxPoints {
		r.fail(r.at-3, ruleCount)
	}
	size := 0
	for _, c := range present {
		size += c.width()
	}
	// The octets must be there before memory is reserved for them.
	if r.fault == nil && len(r.b)-r.at < n*size {
		r.fail(len(r.b), ruleShort)
	}
	if r.fault != nil {
		return
	}
	rec.Values = make([]int32, 0, n*len(present))
	for range n {
		for _, c := range present {
			rec.Values = append(rec.Values, r.value(c))
		}
	}
	if flags&hasExtended != 0 {
		length := int(r.number())
		rec.Extended = append([]byte{}, r.take(length)...)
	}
}

func (r *reader) value(c Channel) int32 {
	if c != S {
		return int32(r.number()) + c.least()
	}
	v := r.octet()
	if v > 1 {
		r.fail(r.at-1, ruleSwitch)
	}
	return int32(v)
}
