// Package search looks one sample up among many (1:N): it keeps references in
// memory, compares a probe with all of them, and returns the candidate list in
// the sense of ISO/IEC 2382-37 and ISO/IEC 19795-1.
//
// There is one index for each modality: [Faces] and [Irises] compare the probe
// with every reference, exactly; [Fingers] sorts out unlike fingers in two
// cheap stages first. Start with [NewFaces], [NewIrises] or [NewFingers], call
// Add for each reference, then Search as often as needed, from any number of
// goroutines. [Limit] gives the least score for a candidate at a false positive
// identification rate (FPIR), which is not an FMR: among a million references
// an FMR of one in a million finds a stranger more often than not.
//
// It reads no files, keeps no names, and identifies nobody: a candidate is a
// person for an officer to look at.
//
// Invariants:
//
//   - A search returns once all its goroutines have ended.
//   - [Result.Outcome] is [NoCandidate] only when every reference was compared;
//     the zero value, and whatever comes with an error, is [Incomplete].
//   - The list does not depend on the order of the gallery, the number of
//     workers, the batch or the processor: equal scores are ordered by [ID].
//   - A search sees every reference that was added before it began and not
//     removed before it ended. Of those added or removed meanwhile it may see
//     some. No search waits for an Add or a Remove longer than the writing of one
//     row takes, and neither waits for a search longer than the comparison of one block.
//   - Once Remove or Close has returned, the reference is overwritten in memory
//     and no later search finds it.
//   - After the first searches of a kind have grown the working memory, a
//     search allocates nothing.
//   - Indexes, identifiers and candidates print and log as constants.
//
// Memory a reference takes, besides the spare room of the newest segment (at
// most as much again): a face of d dimensions, d rounded up to 64, and 20
// bytes; an iris 532 bytes; a finger about 5 KB at 40 minutiae. Memory says what an index
// holds.
package search
