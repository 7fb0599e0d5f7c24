// Package ledger is a node's transparency log: an append-only RFC 6962 Merkle
// tree over opaque leaves, kept in Badger, whose head is published as a
// checkpoint. What a log signs, and what a peer can check of it without the log,
// is in package lognote.
//
// Make a [lognote.Signer], call [Open], then [Log.Append] before an answer leaves
// the node and hand the [lognote.Receipt] to the peer. An auditor calls [Verify]
// on the folder of a stopped log.
//
// Invariants:
//
//   - A leaf is acknowledged only after the leaf, its tree hashes, the new size
//     and the new checkpoint are in one Badger transaction that was synced.
//   - A checkpoint leaves the package only after that sync, so no two
//     checkpoints of one size with different roots are ever published.
//   - The latest checkpoint is also kept outside Badger (file "checkpoint", two
//     alternating self-authenticating slots). Badger repairs damage by silently
//     forgetting records; a store that is behind that file is refused before
//     Badger is allowed to repair anything.
//   - After a failed commit the log refuses to go on until it is opened again,
//     because it cannot know what the disk holds.
//   - [Restore] signs nothing: a log made from a backup ends where its last
//     signed checkpoint does.
//
// What it does not do: it does not gossip, witness or serve tiles, it knows
// nothing of what a leaf means, and alone it cannot notice that the whole folder
// was replaced by an older copy of itself. Config.Outside names a file elsewhere
// that does, unless it was replaced as well; peers hold a checkpoint in every
// receipt, and [Log.HasTail] tells whether the log contains it.
//
// The folder's layout and the key names inside Badger are private to the package.
package ledger
