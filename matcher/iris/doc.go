// Package iris compares iris codes: 2,048 bits of phase with a mask of the
// bits that show iris and not eyelid, eyelash or reflection.
//
// A code has 128 angles by 8 bands (pupil to white) by 2 bits (the signs of
// the real and of the imaginary part of a filter's answer), angle-major, most
// significant bit first, so that one angle step is two octets. The comparison
// is made of published parts:
//
//   - J. Daugman, "How Iris Recognition Works", IEEE Trans. CSVT 14(1), 2004:
//     the fractional Hamming distance over the bits that both masks admit, the
//     least over rotations of the eye;
//   - J. Daugman, "New Methods in Iris Recognition", IEEE Trans. SMC-B 37(5),
//     2007: the distance normalised for the number of bits compared, so that a
//     distance over few bits is not worth as much as one over many;
//   - J. Thornton, M. Savvides, B. V. K. Vijaya Kumar, "A Bayesian Approach to
//     Deformed Pattern Matching of Iris Images", IEEE TPAMI 29(4), 2007: an iris
//     whose pupil was not found exactly is shifted by different amounts in
//     different sectors, so each sector may turn by itself, at a price; here a
//     dynamic programme over eight sectors (elastic.go), and a price for a
//     shift by one band, which a wrong radius causes.
//
// Start with [Prepare], once for each sample, then [Compare] as often as
// needed. [Distance] is the plain masked Hamming distance that other systems
// report, and [Unmasked] the fastest measure, for screening.
//
// Whoever enrols should keep several samples of an eye and take the best of
// their scores: with three of one session against those of the next, the equal
// error rate on the test data fell from 3.7 % to 1.4 %. Joining them into one
// code by majority, with the bits masked in which they disagree (K. P.
// Hollingsworth, K. W. Bowyer, P. J. Flynn, IEEE TPAMI 31(6), 2009), gave 3.2 %.
//
// The package finds no iris in an image, reads no file format
// (matcher/exchange does), searches no gallery (matcher/search does), and
// decides nothing: it never says "match".
//
// The rates of [Threshold] hold for irises and for codes made of what irises
// have in common ([Common]): such a code of half of the test data's eyes matched
// the other half up to 3.7 times as often as thresholds from irises alone allow,
// so calibrations are made of both, which costs 0.8 points of FNMR at 1 in 1,000
// and 0.1 at 1 in 10,000. On other halves it is then at most 1.3 times. A code
// made of the very eyes that it is tried on does better (up to 21 times), but
// whoever has these needs no such code.
//
// Invariants: all counting is in whole numbers, so a score is the same on
// every processor; a score lies between 0 and 1; too few common bits are
// [ErrUndecidable] and not a low score; a [Template] prints and logs as a
// constant. [Compare] gives the same for (a, b) as for (b, a).
package iris
