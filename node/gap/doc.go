// Package gap finds out what is missing from a node's ledger, and gives it up.
//
// A data folder that was restored, or put back to an earlier state, ends before the newest
// checkpoint that the node is known to have signed. [Folder.Learn] looks for that checkpoint
// where such things are kept, and among what other members have seen ([Heads]); it puts the
// node in recovery, and [Refuse] keeps it from being opened. [Folder.Finish] takes the claim
// that two operators have accepted (node/recovery) and begins the ledger that follows.
//
// The package opens no keys and asks nobody over the network; node does both.
//
// Invariants:
//
//   - nothing is appended to a ledger of which entries may be missing;
//   - a checkpoint counts only when it verifies under the node's own ledger keys, or of a
//     member under those in its Entity Configuration;
//   - the mark of recovery goes only when the ledger that follows is complete.
package gap
