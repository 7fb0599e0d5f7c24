// Package finger2011 reads and writes finger minutiae records of ISO/IEC 19794-2:2011, version
// "030": the record format for use off cards.
//
// Start with [Decode], which gives what package finger takes, and [Encode]; use [Parse] and
// [Record.Encode] where capture devices, quality blocks and certifications are wanted too.
//
// It does not read the on-card formats of the same standard, which share the format identifier and
// fail here, and it does not look into extended data beyond their structure and its own block.
//
// Invariants:
//
//   - Parsing is strict: bytes are refused whole or understood whole. Cost is bounded by [Max],
//     checked first, and no count is believed before the octets behind it were seen.
//   - A record encodes to the bytes it was parsed from, except that a capture time of nine zero
//     octets, which devices write though there is no year 0, comes back as "not given".
//   - Every refusal is an *exchange.FormatError: where and which rule, never a byte of the content.
//   - Records print and log as a constant, and share no memory with what they were parsed from.
//
// Of the standard only excerpts were at hand: the coordinate system (clause 6.4.2), the angle and
// its 256 steps (6.5.1), big-endian numbers (6.7), the two minutia sizes and ridge ending types
// (table 1). Field order, sizes and code tables of clause 8 follow two public implementations that
// agree: iso_fmr_v030 (C) and FingerprintIO (Java), the latter written from the standard. Where
// they differ this package takes the narrower reading, with one exception: both want one minutia
// at least, and here a representation without minutiae is a missing finger.
package finger2011
