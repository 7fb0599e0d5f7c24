// Package ledger is a node's transparency log: an append-only RFC 6962 Merkle
// tree over opaque leaves, kept in Badger, whose head is published as a C2SP
// tlog-checkpoint (c2sp.org/tlog-checkpoint 1.0.0, a c2sp.org/signed-note 1.0.0)
// signed twice: Ed25519 (signature type 0x01) and ML-DSA-44 (type 0x06,
// c2sp.org/tlog-cosignature 1.1.0-rc.1).
//
// Make a [Signer] with [NewSigner], call [Open], then [Log.Append] before an
// answer leaves the node and hand the [Receipt] to the peer. The peer builds a
// [Verifier] from the log's published keys with [NewVerifier] and calls
// [Verifier.Receipt]. An auditor calls [Verify] on the folder of a stopped log.
//
// What is signed. Ed25519 covers the whole note text (origin, size, root).
// ML-DSA-44, with an empty context string, covers the structure
//
//	struct {
//	    uint8  label[12] = "subtree/v1\n\0";
//	    opaque cosigner_name<1..2^8-1>;  // the log's own name, its origin
//	    uint64 timestamp;                // POSIX seconds, also in front of the signature
//	    opaque log_origin<1..2^8-1>;
//	    uint64 start = 0;
//	    uint64 end;                      // tree size
//	    uint8  hash[32];                 // tree root
//	} cosigned_message;
//
// which does not reach extension lines, therefore a checkpoint with extension
// lines is refused. A [Verifier] wants a valid signature by every key it was
// given, so cutting the ML-DSA signature off is noticed.
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
// The folder's layout and the key names inside Badger are private to the
// package; checkpoints, proofs and receipts follow the documents above.
package ledger
