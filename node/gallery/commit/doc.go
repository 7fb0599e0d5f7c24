// Package commit keeps the line of commits of a gallery: one after the other, each in the
// store whole or not at all, counted by a tally, and never behind what was acknowledged or
// erased before.
//
// [Open] a line on a folder; MeetLists before anybody is served; View the store, and Update
// it by a [Bundle] while you have the turn, which InTurn waits for. A [Queue] has many
// callers share a commit. The package knows which rows are stamps and erasures; what the
// others say is its caller's, who tells it by [Rules].
//
// Invariants:
//
//   - when Update returns nil the bundle is on disk, and the tally in the store says so; the
//     one beside it says so before anything follows;
//   - a line opens only on a store that has every commit which the files beside and outside know of,
//     and every subject that its own tally counts;
//   - no bundle is committed while the lists of erasures differ: what the longer one has is
//     carried out before anything else;
//   - after an error that leaves open how things stand, [ErrReopen], nothing is committed any
//     more;
//   - of a store that several share, nobody takes an older tally for the latest than one it
//     has seen.
package commit
