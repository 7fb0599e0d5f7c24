package keyring

import (
	"encoding/binary"
	"errors"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/gallery/store"
)

// ErrUnknown: nothing is in the store under this pseudonym.
var ErrUnknown = errors.New("no subject is enrolled under this identifier")

const stampSize = 8

// Stamp is what is known of a subject without any key of its own: which commit wrote
// the keyring, and which one enrolled the subject, when nobody was enrolled under the
// pseudonym. The second tells what of an older line of the gallery is still to be
// erased, so that neither a record that is added nor a key that is wrapped anew may
// change it.
type Stamp struct{ Wrote, Born uint32 }

// Number is what a tally adds up.
func (s Stamp) Number() uint64 { return uint64(s.Born)<<32 | uint64(s.Wrote) }

// StampOf is the stamp with a number.
func StampOf(n uint64) Stamp { return Stamp{Wrote: uint32(n), Born: uint32(n >> 32)} }

// Bytes is the value of the row.
func (s Stamp) Bytes() []byte { return binary.BigEndian.AppendUint64(nil, s.Number()) }

// By is the stamp that the subject has once the numbered commit wrote it.
func (s Stamp) By(commit uint32) Stamp {
	if s.Born == 0 {
		s.Born = commit
	}
	s.Wrote = commit
	return s
}

// Row is the key of the row of a keyring.
func Row(p pseudonym.Pseudonym) []byte { return append([]byte("k"), p[:]...) }

// StampRow is the key of the row of a stamp.
func StampRow(p pseudonym.Pseudonym) []byte { return append([]byte("v"), p[:]...) }

// ParseStamp reads the value of a stamp's row. One of another length is [store.ErrDamaged].
func ParseStamp(value []byte) (Stamp, error) {
	if len(value) != stampSize {
		return Stamp{}, store.ErrDamaged
	}
	return StampOf(binary.BigEndian.Uint64(value)), nil
}

// FindStamp finds the stamp of a subject, whatever became of its keyring:
// [ErrUnknown] when there is neither.
func FindStamp(txn store.Reader, p pseudonym.Pseudonym) (Stamp, error) {
	v, err := txn.Get(StampRow(p))
	if err == nil {
		return ParseStamp(v)
	}
	if !errors.Is(err, store.ErrNotFound) {
		return Stamp{}, err
	}
	if _, err := txn.Get(Row(p)); !errors.Is(err, store.ErrNotFound) {
		return Stamp{}, errors.Join(store.ErrDamaged, err)
	}
	return Stamp{}, ErrUnknown
}
