// Package signature2007 reads and writes signature/sign time series of
// ISO/IEC 19794-7:2007, full format, version " 10": the course of a pen in up to
// sixteen channels.
//
// Start with [Decode], which gives what package signature takes, and
// [Encode]; use [Parse] and [Record.Encode] where the other channels, their
// attributes or extended data are wanted too.
//
// It does not read the compact format for cards, nor the edition of 2014, and
// it does not compare.
//
// Invariants:
//
//   - Parsing is strict: bytes are refused whole or understood whole. Cost is
//     bounded by [Max], checked first, and no count is believed before the octets
//     behind it were seen.
//   - A record encodes to the bytes it was parsed from.
//   - Every refusal is an *exchange.FormatError: where and which rule, never a
//     byte of the content. On error the result is zero.
//   - Records print and log as a constant, and share no memory with what they were
//     parsed from.
//
// The text of the standard was not at hand. Layout and sizes follow its ASN.1
// module (annex B) as printed in GOST R ISO/IEC 19794-7-2009, and where that
// leaves open how whole numbers are laid out (signed ones as unsigned with
// their least value subtracted, the exponent with 16 added), two public
// implementations that agree: BioSignIn (Java) and a reader by the Fraunhofer
// SIT (C++). Three points rest on one source each: that a constant channel has
// the value 1 and no place in the sample points (Fraunhofer), that the pen tip
// switch takes one octet (annex B; BioSignIn writes two), and that extended data
// are announced by the highest bit of the body's preamble (annex B).
package signature2007
