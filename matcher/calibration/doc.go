// Package calibration gives comparison scores a meaning: it turns the score of one comparator into a log-likelihood
// ratio, and says from which ratio on a comparison is a match at a stated false match rate (FMR, ISO/IEC 2382-37).
//
// A [Calibration] is made once by [Fit] from the scores of an evaluation, kept as a versioned file ([Calibration.Encode],
// written by "tamga calibrate"), and read by [Parse]. Callers hold one score against [Calibration.Threshold]; package
// fusion joins the ratios ([Calibration.LLR]) of several comparisons into one decision.
//
// # Log-likelihood ratios
//
// LLR(s) is the natural logarithm of how much likelier the score s is when both samples are of one source than when
// they are of two. It is fitted as N. Brümmer and J. du Preez, "Application-independent evaluation of speaker
// detection", Computer Speech & Language 20 (2006) propose, by pooling adjacent violators (isotonic regression) over
// bins of the pooled scores, then interpolated. It is kept honest in two ways: a bin in
// which no comparison was seen is charged with half a one and the highest ratio with the three false matches that the
// rule of three allows, and the whole is shifted so that the mean ratio of non-mated comparisons is at most one. The latter makes exp(LLR) an e-value: whatever else is
// wrong, a ratio of R comes to a non-mated pair with a probability of at most 1/R (Markov), and products of
// independent ones keep that.
//
// # False match rates
//
// A rate of 1/N is vouched for only where the one-sided 95 % Poisson bound of the rate is at most 1/N. With no false
// match seen that is the rule of three (N comparisons show 3/N), with thirty or more it is about the rule of thirty
// (ISO/IEC 19795-1:2021, annex B); [Claim] says which. Scores from several groups (extractors, say) are not mixed: each
// threshold holds in every group, and the smallest group bounds what can be claimed.
//
// What it does not do: comparisons of few people are not independent, and no bound here knows it; [Group] says how
// many sources there were. It reads no files and decides nothing.
package calibration
