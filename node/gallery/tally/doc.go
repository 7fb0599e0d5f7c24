// Package tally keeps what a gallery's store adds up to after its last commit, so that a
// store which lost rows or commits is noticed.
//
// Badger repairs a damaged write-ahead log by forgetting what follows the damage, and
// reads a damaged table as if the keys in it did not exist. Either would turn an enrolled
// subject into an unknown one, which is a wrong verdict. Hence the tally: written by every
// commit into the store, under [Row], where it shows a hole, and after the commit into a
// [File] beside it, which shows a lost end, and one outside, which shows that store and
// folder were put back together.
//
// A [Key] seals and opens tallies. [OpenFile] takes the gallery's folder; Read what it
// knows, Write after every commit. The package does not count, and compares nothing.
//
// Invariants:
//
//   - a tally opens under the node and root key that sealed it and no others;
//   - of a file that was created one of its two slots holds whatever write a crash cut off,
//     and Read gives the later one that does;
//   - a tally tells no more than who has the folder can count.
package tally
