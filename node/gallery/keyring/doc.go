// Package keyring is the form in which a gallery's store has one subject: a keyring with
// the subject's key and the list of its records, a stamp, and the records.
//
// A [Vault] has the keys. Load a subject, or Make one; change its List, SealRecord what is
// new and Seal the keyring with the stamp that the subject has then; the caller writes the
// rows. Rewrap and Rename give the subject's key another KEK or pseudonym. The package
// writes nothing and knows nothing of commits but their numbers.
//
//	keyring row = 'k' pseudonym (32) -> CBOR [wrapped key, sealed list] ; see crypto/envelope
//	stamp row   = 'v' pseudonym (32) -> born (4) wrote (4), big endian
//	record row  = 'r' HMAC-SHA256(index, "tamga/v1/gallery-record" 0x00 home (32) slot (4)) -> sealed record
//
// Invariants:
//
//   - a keyring opens with the stamp of the commit that wrote it and with no other, so an
//     older one put back is [store.ErrDamaged], and so is one of two rows that is missing;
//   - a record opens only as the one, at the place, that its subject's list names;
//   - record rows cannot be tied to a subject, or counted per subject, without the root key;
//   - what is opened is wiped: Wipe overwrites the subject's key, and lists are cleared.
package keyring
