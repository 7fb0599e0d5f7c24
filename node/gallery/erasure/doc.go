// Package erasure keeps the list of erasures of a gallery: who was to be forgotten, up to
// which commit, in a file that does not go back when the gallery does.
//
// The list lies beside the gallery's folder, at [File], so that an older copy of the
// folder, put back, meets a list that knows better. The gallery keeps the entries in its
// store as well, and its tally names the last one that it has carried out. [Open] a list,
// [List.Add] to it before anything is erased; [List.After] and [List.Put] make it go on
// as the store's does, and [Copy] follows it where nothing is ever put back.
//
//	list    = *entry
//	entry   = nonce (12) AES-256-GCM(commit (4) pseudonym (32)) ; big endian
//	key     = HKDF(root, "tamga/v1/gallery-erasures")
//	AAD     = "tamga/v1/gallery-erasure" 0x00 number (8) tag of the entry before (16)
//
// The package erases nothing, and does not know what the entries have come to.
//
// Invariants:
//
//   - an entry that was added is on disk when Add or Put returns nil, and what Put
//     replaces is there until all of the new list is;
//   - the chain of tags keeps entries from being taken out or put elsewhere; a list that
//     does not hold is [store.ErrDamaged], and never a shorter one;
//   - sealed, the entries do not say who was erased to who has no root key.
package erasure
