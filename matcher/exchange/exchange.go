// Package exchange reads and writes the formats in which biometric samples reach a node.
//
// Two formats are read here: the finger minutiae record of ISO/IEC 19794-2:2005 (record format,
// clause 7; [FormatFinger2005]) and a small container for face embeddings defined here
// ([FormatEmbedding], see [Embedding.Encode]). Start with [DecodeFinger] or [DecodeEmbedding],
// which give what packages finger and face take; use [ParseFinger] and [ParseEmbedding] where the
// rest of the record is wanted too. [Detect] names the format of bytes, of which its sub-packages
// read the others: one specification each, so that none grows past what one can review.
//
// It does not read the card formats of 19794-2 or images, and it does not compare.
//
// Invariants:
//
//   - Decoding is strict: bytes are refused whole or understood whole, nothing is skipped, and
//     cost is bounded by [MaxFinger] and [MaxEmbedding], checked first.
//   - Both formats are canonical as accepted: encoding what was parsed gives the same bytes.
//   - Every refusal is a [*FormatError]: where and which rule, never a byte of the content.
//   - On error the result is nil or zero.
//
// Samples, records and embeddings hold biometric data in clear and nothing here wipes the input:
// that is its owner's duty.
package exchange

import (
	"strconv"
)

// Identifiers of the formats. The first two travel in queries and stand in the gallery; of other
// finger records package intake makes the first.
const (
	FormatFinger2005  = "iso-19794-2-2005"
	FormatEmbedding   = "tamga-embedding-1"
	FormatFinger2011  = "iso-19794-2-2011" // package finger2011
	FormatFinger39794 = "iso-39794-2"      // package finger39794, which needs a layout
	FormatCBEFF       = "iso-19785-3-bit"  // package cbeff: a header around one of the others
	// FormatFinger378 is of INCITS 378-2004, which begins like 19794-2:2005 and has angles of another
	// unit. It is recognised, so that one is not taken for the other, and not read.
	FormatFinger378 = "incits-378-2004"
	// FormatFingerImage is of ISO/IEC 19794-4, in which passports keep fingers. It is recognised, to
	// tell its owner to extract minutiae first, and not read.
	FormatFingerImage = "iso-19794-4"
	// FormatSignature2007 is of signature time series, read by package signature2007.
	FormatSignature2007 = "iso-19794-7-2007"
	// FormatIris is this project's container for iris codes, read by package iriscode.
	FormatIris = "tamga-iris-1"
)

// FormatError says that bytes, or a value to encode, break a rule of a format. It never carries
// content. Find it with errors.As.
type FormatError struct {
	Format string // one of the identifiers above
	Offset int    // octets from the start of the record to the field at fault
	Rule   string // constant text
}

// Error names format, offset and rule.
func (e *FormatError) Error() string {
	return "checking " + e.Format + ": offset " + strconv.Itoa(e.Offset) + ": " + e.Rule
}

// fault is a broken rule at an offset, before the format's name is known. The zero value means
// that nothing is wrong.
type fault struct {
	offset int
	rule   string
}

func (f fault) err(format string) error {
	return &FormatError{Format: format, Offset: f.offset, Rule: f.rule}
}
