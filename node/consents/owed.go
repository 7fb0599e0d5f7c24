package consents

import (
	"fmt"

	"github.com/tamga-id/tamga/node/rows"
)

// Owed is an erasure: of whom a consent held that was withdrawn. Its row is
//
//	%x01 key of the consent (32)
type Owed struct {
	Consent [32]byte
	row     rows.Key
}

const owedSize = 1 + 32

// owe notes that an erasure is owed.
func owe(t rows.Txn, consent [32]byte) {
	t.Set(rows.Owed, consent[:], append([]byte{1}, consent[:]...))
}

// Owed lists them.
func (b *Book) Owed() (out []Owed, err error) {
	err = b.rows.View(func(r rows.Reader) error {
		return r.Each(rows.Owed, func(key rows.Key, value []byte) error {
			if len(value) != owedSize || value[0] != 1 {
				return errEntry
			}
			out = append(out, Owed{[32]byte(value[1:]), key})
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
