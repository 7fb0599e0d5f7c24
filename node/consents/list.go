package consents

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tamga-id/tamga/node/rows"
	"github.com/tamga-id/tamga/node/rows/outside"
)

// OpenList reads the list of withdrawals that lies beside the checkpoint file, empty for none.
// It fails with [outside.ErrEdited].
func OpenList(checkpoint string, key [32]byte, now time.Time) (*outside.List, error) {
	return outside.Open(outside.File(checkpoint, Withdrawals), key, forgetBefore(now))
}

// Withdrawals ends the name of the list's file.
const Withdrawals = "withdrawals"

// Agree puts withdrawals back that the list has and the store does not, as of an older copy
// of it or where somebody took rows away, and returns how many; the list gets those that
// only the store has. When there are any, before runs first, and if that fails none is put
// back: Withdrawn knows them already.
func (b *Book) Agree(before func() error) (back int, err error) {
	if b.list == nil {
		return 0, nil
	}
	missing, more := b.list.All(), make(map[rows.Key]int64)
	err = b.rows.View(func(r rows.Reader) error {
		return r.Each(rows.Consents, func(key rows.Key, value []byte) error {
			e, err := parseEntry(value)
			if err == nil && e.withdrawn {
				if _, ok := missing[key]; !ok {
					more[key] = e.expires
				}
				delete(missing, key)
			}
			return err
		})
	})
	for key, expires := range more {
		if err == nil {
			err = b.list.Add(key, expires)
		}
	}
	if err == nil && len(missing) > 0 {
		err = before()
	}
	for some := range slices.Chunk(slices.Collect(maps.Keys(missing)), maxForget) {
		if err == nil {
			err = b.rows.Update(func(t rows.Txn) error { return putBack(t, some, missing) })
		}
	}
	if err != nil {
		return 0, fmt.Errorf("comparing withdrawn consents: %w", err)
	}
	return len(missing), nil
}

func putBack(t rows.Txn, some []rows.Key, expires map[rows.Key]int64) error {
	for _, key := range some {
		var e entry
		b, err := t.GetAt(key)
		if err == nil {
			e, err = parseEntry(b)
		}
		if err != nil && !errors.Is(err, rows.ErrNone) {
			return err
		}
		e.withdrawn, e.expires = true, max(e.expires, expires[key])
		t.SetAt(key, e.bytes())
	}
	return nil
}
