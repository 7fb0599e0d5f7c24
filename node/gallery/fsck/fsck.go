package fsck

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/gallery/keyring"
	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/gallery/tally"
)

// Checker has what looking at a gallery needs. It is safe for concurrent use.
type Checker struct {
	Tallies tally.Key
	Vault   *keyring.Vault
	Index   [32]byte // that handles derive from
	// Load opens a subject, as Vault does; it may know better what a missing KEK means.
	Load func(store.Reader, pseudonym.Pseudonym) (keyring.Subject, error)
	// Holds reports whether the secret of a generation of the protection of templates is
	// there. 0 is for none, and always is.
	Holds func(generation uint32) bool
	// Keys is an error when everybody would be taken for damaged who is not.
	Keys func(store.Reader) error
}

// Rows looks at every row of the subjects, and whether they add up to the tally of the
// store and to what is known beside it.
func (c Checker) Rows(ctx context.Context, txn store.Reader, r *Report, known tally.Tally, progress Progress) error {
	switch err := c.Keys(txn); {
	case errors.Is(err, store.ErrDamaged):
		r.Faults = append(r.Faults, store.Fault{Where: "least generations of keys in the store", Rule: "damaged, or of other keys"})
	case err != nil:
		return err
	}
	stored, err := c.Tallies.Stored(txn)
	if err != nil && !errors.Is(err, store.ErrDamaged) {
		return err
	}
	counted := tally.Tally{Commit: stored.Commit, Erasures: stored.Erasures, Last: stored.Last}
	if err != nil {
		r.Faults = append(r.Faults, store.Fault{Where: "tally in the store", Rule: "damaged, or of other keys"})
		counted.Commit = 0
	}
	r.Carried = stored
	bind := c.Tallies.Binder()
	for row, err := range txn.Scan([]byte("v"), nil) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if errors.Is(err, store.ErrUnavailable) {
			return err
		}
		if err != nil {
			r.Unreadable = true
			break
		}
		stamp, err := keyring.ParseStamp(row.Value)
		if err != nil || len(row.Key) != 1+len(pseudonym.Pseudonym{}) {
			r.Unreadable = true
			continue
		}
		counted.Subjects++
		counted.Sum += stamp.Number()
		counted.Bound += bind.Bind(pseudonym.Pseudonym(row.Key[1:]), stamp.Number())
		if err := c.Subject(txn, pseudonym.Pseudonym(row.Key[1:]), r); err != nil {
			return err
		}
		if progress != nil && counted.Subjects%512 == 0 {
			progress("subjects", counted.Subjects, max(stored.Subjects, counted.Subjects))
		}
	}
	if err := c.keyrings(ctx, txn, r); err != nil {
		return err
	}
	r.Subjects = counted.Subjects
	if stored.Subjects > counted.Subjects {
		r.Missing = stored.Subjects - counted.Subjects
	}
	r.Stale = r.Missing == 0 && stored != counted
	r.Behind = stored.Commit < known.Commit || stored.Commit == known.Commit && known != (tally.Tally{Commit: known.Commit}) && stored != known
	return nil
}

// keyrings finds those without a stamp.
func (c Checker) keyrings(ctx context.Context, txn store.Reader, r *Report) error {
	for row, err := range txn.Scan([]byte("k"), nil) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err != nil || len(row.Key) != 1+len(pseudonym.Pseudonym{}) {
			r.Unreadable = true
			break
		}
		p := pseudonym.Pseudonym(row.Key[1:])
		_, err := txn.Get(keyring.StampRow(p))
		switch {
		case errors.Is(err, store.ErrNotFound):
			r.Damaged = append(r.Damaged, Damage{Subject: c.Handle(p), Part: "stamp"})
		case err != nil:
			return err
		}
	}
	return nil
}

// Subject opens everything of a subject, and wipes it.
func (c Checker) Subject(txn store.Reader, p pseudonym.Pseudonym, r *Report) error {
	s, err := c.Load(txn, p)
	switch {
	case errors.Is(err, store.ErrDamaged), errors.Is(err, keyring.ErrUnknown):
		r.Damaged = append(r.Damaged, Damage{Subject: c.Handle(p), Part: "keyring"})
		return nil
	case err != nil:
		return err
	}
	defer s.Wipe()
	switch found, err := c.Vault.Found(txn, s); {
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrClosed):
		return err
	case !found: // the consent withdrawn, nobody would be erased
		r.Damaged = append(r.Damaged, Damage{Subject: c.Handle(p), Part: "consent"})
	}
	for _, info := range s.List.Records {
		sealed, err := txn.Get(c.Vault.RecordRow(s.Home(), info.Slot))
		if errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrClosed) {
			return err
		}
		plain, err := c.Vault.OpenRecord(s, info, sealed)
		switch {
		case errors.Is(err, store.ErrDamaged), err == nil && !c.Holds(info.Generation): // a record without its secret compares with nothing
			r.Damaged = append(r.Damaged, Damage{Subject: c.Handle(p), Part: "record", Place: info.Slot})
		case err != nil:
			return err
		default:
			r.Records++
		}
		clear(plain)
	}
	return nil
}

// Handle is what a report calls a subject.
func (c Checker) Handle(p pseudonym.Pseudonym) string {
	mac := hmac.New(sha256.New, c.Index[:])
	mac.Write([]byte("tamga/v1/gallery-handle\x00"))
	mac.Write(p[:])
	return hex.EncodeToString(mac.Sum(nil)[:10])
}
