// Package evaluate measures a comparator as ISO/IEC 19795-1:2021 asks: false
// match and false non-match rates, equal error rate and detection error
// trade-off, each with the number of comparisons behind it.
//
// Start with [Evaluate] for scores that are at hand, [Trials] for scores with the
// subjects they are of, and [Pairs] to have captures compared; templates of
// fingers, faces and irises are for package modality, which plans for Pairs, and
// signatures for [Signature]. Each returns a [Report], whose JSON form is what
// "tamga evaluate" prints.
//
// The package reads no files, knows no clock and draws no random numbers but
// from a fixed seed: the same input gives the same report. It reports rates,
// counts and thresholds, never the score of one comparison.
//
// Definitions, for the decision "match when score >= threshold" with higher
// scores more similar:
//
//   - FMR is the share of non-mated comparisons with a score of at least the
//     threshold, FNMR the share of mated comparisons below it. Both are
//     fractions of comparisons made, never percentages; identification rates
//     (FPIR, FNIR) are other quantities and not computed here.
//   - EER is where the line through neighbouring operating points crosses
//     FMR = FNMR.
//   - FNMR at an FMR of x is the lowest FNMR among thresholds whose FMR is at
//     most x. It is unmeasured where x is less than one in the number of
//     non-mated comparisons; [Support] says how far a figure may be trusted.
//   - A template that cannot be made ready is not dropped: it counts as a
//     failure, and all its comparisons take the lowest score there is.
package evaluate
