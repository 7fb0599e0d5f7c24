// Package strictcbor is the one place that says what the federation's wire formats
// refuse of CBOR (RFC 8949) when they decode: repeated keys, indefinite lengths, tags,
// members that a type does not have, invalid UTF-8, and more nesting or elements than a
// format needs. [NewDecoder] makes a decoder once for each format.
//
// It does not demand the deterministic encoding of section 4.2.1: callers encode again
// and compare, with the encoder that their format has. Errors are the library's and may
// quote the data; callers drop them.
package strictcbor

import "github.com/fxamacker/cbor/v2"

// Limits bound what a decoder takes. They are properties of a format, not of a machine.
type Limits struct {
	Nesting  int // levels, 4 to 65535
	Elements int // of an array, 16 at least
	Pairs    int // of a map, 16 at least
}

// NewDecoder returns a decoder, safe for concurrent use. It panics when the limits are
// outside what the library takes, which is a fault of the caller's constants.
func NewDecoder(l Limits) cbor.DecMode {
	dec, err := cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
		UTF8:              cbor.UTF8RejectInvalid,
		MaxNestedLevels:   l.Nesting,
		MaxArrayElements:  l.Elements,
		MaxMapPairs:       l.Pairs,
	}.DecMode()
	if err != nil {
		panic("strictcbor: decoding options: " + err.Error())
	}
	return dec
}
