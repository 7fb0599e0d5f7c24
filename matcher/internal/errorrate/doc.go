// Package errorrate computes error rates of comparisons: it gathers scores in
// bounded memory, orders them into a [Curve], and computes equal error rates
// and rates at a bound, also of samples in which subjects were drawn again.
//
// Start with [Of] for scores at hand. For comparisons between known subjects
// fill a [Tally], turn it into a [Sample], and take its Curve or a Replicate.
// Package evaluate makes reports of them and has the definitions of the rates.
//
// Everything is deterministic. A Tally has one user at a time; Curve and Sample
// may be read by several.
package errorrate
