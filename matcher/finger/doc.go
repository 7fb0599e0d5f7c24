// Package finger compares fingerprints by their minutiae.
//
// It takes one finger view as ISO/IEC 19794-2:2005 describes it (positions in
// pixels, directions in 256ths of a turn, counter-clockwise from the x axis)
// and yields a comparison score in the sense of ISO/IEC 2382-37: the higher,
// the more alike. The method joins published ideas:
//
//   - R. Cappelli, M. Ferrara, D. Maltoni, "Minutia Cylinder-Code: A New
//     Representation and Matching Technique for Fingerprint Recognition",
//     IEEE TPAMI 32(12), 2010: a bit description of each minutia's surroundings
//     that does not depend on where the finger lay (matcher/internal/mcc),
//     compared by counting bits, and the relaxation over the graph of edges
//     between pairs that lets them vote for one another (relax.go);
//   - a greedy one-to-one choice of pairs where that paper's local similarity
//     assignment uses the Hungarian method, about no turn or, where that leads
//     nowhere, the turn that the cylinders vote for (assign.go);
//   - M. Tico, P. Kuosmanen, "Fingerprint Matching Using an Orientation-Based
//     Minutia Descriptor", IEEE TPAMI 25(8), 2003: rigid alignments proposed by
//     the best pairs, and a score that weighs the paired minutiae against those
//     that had a chance to be paired (align.go, weigh.go). The rigid motion is
//     refined by least squares (B. Horn, J. Opt. Soc. Am. A 4(4), 1987);
//   - A. Bazen, S. Gerez, "Fingerprint matching by thin-plate spline modelling
//     of elastic deformations", Pattern Recognition 36(8), 2003, in a cheaper
//     form: the best alignment gives way where the skin did (bend.go).
//
// Minutiae of low quality weigh less than the good ones of their template
// (weight.go), types count where both are stated, and two records whose image
// sizes differ are compared in a common frame, too (frame.go).
//
// Start with [Prepare], once per template, then [Compare] as often as needed,
// and hold the score against [Threshold].
//
// The package does not read any file format (matcher/exchange does), extract
// minutiae from images, search galleries, or decide: it never says "match".
//
// Invariants: scores are finite and never negative; Compare(a, b) equals
// Compare(b, a) bit for bit; neither the order of the minutiae nor a record
// that occurs twice changes a score; nothing here logs, and a [Template] prints
// as "template(redacted)". Scores have no meaning across versions of this
// package: compare them with the thresholds of the same version only.
package finger
