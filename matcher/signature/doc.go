// Package signature compares handwritten signatures as they were written: the
// course of the pen, its pressure and its slant over time.
//
// It takes samples as ISO/IEC 19794-7 describes them and yields a comparison
// score in the sense of ISO/IEC 2382-37: the higher, the more alike. The
// method joins published ideas:
//
//   - dynamic time warping (H. Sakoe, S. Chiba, "Dynamic Programming Algorithm
//     Optimization for Spoken Word Recognition", IEEE Trans. ASSP 26(1), 1978)
//     within a band round the diagonal (dtw.go);
//   - the functions of time that work best with it: coordinates, pressure and
//     slant, first differences by regression, the direction of the path
//     (M. Martinez-Diaz, J. Fierrez, R. P. Krish, J. Galbally, "Mobile Signature
//     Verification: Feature Robustness and Performance Comparison", IET
//     Biometrics 3(4), 2014), each brought to mean 0 and deviation 1 within the
//     signature so that size, place and device do not matter (features.go);
//   - a writer's own variation, read from the distances of the references to
//     one another, as measure of a probe's distance (A. Kholmatov, B.
//     Yanikoglu, "Identity Authentication Using Improved Online Signature
//     Verification Method", Pattern Recognition Letters 26(15), 2005, the
//     winner of SVC2004); half of it, on a logarithmic scale, because the
//     variation of five signatures is itself a rough estimate (reference.go);
//   - lower bounds and abandoning of the dynamic programme for comparisons that
//     only have to reach a threshold (E. Keogh, C. A. Ratanamahatana, "Exact
//     Indexing of Dynamic Time Warping", KAIS 7(3), 2005; T. Rakthanmanon et
//     al., "Searching and Mining Trillions of Time Series Subsequences under
//     Dynamic Time Warping", KDD 2012) (bound.go).
//
// Start with [Prepare] for each sample, [NewReference] for a subject's three to
// ten, then [Compare] a probe, or ask [Reaches] whether it attains a threshold.
//
// The package reads no file format (matcher/exchange does), searches no
// galleries, and decides nothing: it never says "match".
//
// Invariants: a score lies between 0 and 1; Reaches answers exactly as Compare
// would; neither the size of a signature, nor its place, nor the order of the
// references changes a score; templates print and log as a constant. Scores
// have no meaning across versions of this package.
package signature
