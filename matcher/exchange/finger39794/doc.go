// Package finger39794 reads finger minutiae records of ISO/IEC 39794-2:2023 in their tagged binary
// form, which is ASN.1 in BER or DER.
//
// The numbers of part 2 are not built in. Its ASN.1 module was not at hand, and numbers that were
// guessed would turn a record into other minutiae without anyone noticing. So [Parse] takes a
// [Layout], which says where the module has each field and in which units. Whoever has the module
// writes it down once; until then nodes recognise such records and refuse them.
//
// Built in is what the parts of the series have in common, as the specimens of part 5 that ICAO
// publishes and a public implementation of part 4 show it: the tag [APPLICATION n] of part n around
// the record, the version block [0] with generation [0] and year [1], the representation blocks [1]
// as a SEQUENCE OF, implicit context tags, codes in a choice of code [0] and extension [1], the
// position codes, and the reasons why a finger is missing.
//
// Invariants:
//
//   - Cost is bounded by [Max], checked first, by 176 representations, 255 minutiae each, and
//     eight levels of nesting below them.
//   - Elements that the layout does not name are skipped, as the extension marks of the module
//     demand; their lengths must fit.
//   - Every refusal is an *exchange.FormatError: where and which rule, never a byte of the content.
package finger39794
