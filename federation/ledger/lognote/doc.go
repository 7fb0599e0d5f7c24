// Package lognote is what a log signs and what anybody can check without the log: checkpoints
// (c2sp.org/tlog-checkpoint 1.0.0, a c2sp.org/signed-note 1.0.0) signed twice, by Ed25519
// (signature type 0x01) and ML-DSA-44 (type 0x06, c2sp.org/tlog-cosignature 1.1.0-rc.1),
// receipts with RFC 6962 inclusion proofs, and consistency proofs.
//
// A log signs with a [Signer] made by [NewSigner]. A peer or an auditor builds a [Verifier]
// from the log's published keys with [NewVerifier] and calls [Verifier.Receipt],
// [Verifier.Checkpoint] or [Verifier.Consistency].
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
// What it does not do: it keeps nothing, makes no proofs (package ledger does) and knows
// nothing of what a leaf means. That no two checkpoints of one size with different roots are
// ever signed is the promise of the log, not of the Signer.
//
// Checkpoints, proofs and receipts follow the documents above.
package lognote
