package consents

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/tamga-id/tamga/node/rows"
)

// Owed is an erasure: of whom a consent held that was withdrawn. Its row is
//
//	%x01 key of the consent (32) since (8, seconds)
type Owed struct {
	Consent [32]byte
	Since   time.Time // of the withdrawal
	row     rows.Key
}

const owedSize = 1 + 32 + 8

func (o Owed) bytes() []byte {
	return binary.BigEndian.AppendUint64(append([]byte{1}, o.Consent[:]...), uint64(o.Since.Unix()))
}

// owe notes that an erasure is owed as of now, unless it is already.
func owe(t rows.Txn, consent [32]byte, now time.Time) error {
	_, err := t.Get(rows.Owed, consent[:])
	if errors.Is(err, rows.ErrNone) {
		t.Set(rows.Owed, consent[:], Owed{Consent: consent, Since: now}.bytes())
		return nil
	}
	return err
}

// Owed lists them.
func (b *Book) Owed() (out []Owed, err error) {
	err = b.rows.View(func(r rows.Reader) error {
		return r.Each(rows.Owed, func(key rows.Key, value []byte) error {
			if len(value) != owedSize || value[0] != 1 {
				return errEntry
			}
			out = append(out, Owed{[32]byte(value[1:]), time.Unix(int64(binary.BigEndian.Uint64(value[33:])), 0).UTC(), key})
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("listing erasures that are owed: %w", err)
	}
	return out, nil
}

// Settled notes that nothing is owed any more.
func (b *Book) Settled(o Owed) error {
	err := b.rows.Update(func(t rows.Txn) error {
		t.Delete(o.row)
		return nil
	})
	if err != nil {
		return fmt.Errorf("settling an erasure: %w", err)
	}
	return nil
}
