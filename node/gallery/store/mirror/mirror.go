// Package mirror makes one store hold the rows of another.
//
// Begin with [New], Take the rows in the order of their keys, Finish, and Check what
// was written by reading it back. Rows that are there already are compared and not
// written, so that a mirror that was cut off is made from its beginning again and does
// only the rest. It knows nothing of what the rows hold and keeps no rows in memory but
// a page of the copy and what one update writes.
package mirror

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"

	"github.com/tamga-id/tamga/node/gallery/store"
)

// page is how many rows of the copy are looked at in one read.
const page = 256

// Counts say what was done.
type Counts struct {
	Rows    uint64 // in the copy
	Written uint64 // that were missing, or others
	Removed uint64 // that were there and were not taken
}

// Mirror walks rows and their copy side by side. It is for one goroutine; nobody else
// may write to the store meanwhile.
type Mirror struct {
	to       store.Store
	keep     func(key []byte) bool
	progress func(rows uint64)
	ahead    []store.Row // of the copy, not yet passed
	last     []byte      // key that the last read of the copy ended at
	end      bool
	staged   []change
	size     int
	digest   hash.Hash
	done     Counts
}

type change struct{ key, value []byte } // a nil value removes

// New begins. Rows whose key is not to be kept are passed over, in what is taken and in
// the copy. Progress, if not nil, is told of the rows so far, now and then.
func New(to store.Store, keep func(key []byte) bool, progress func(rows uint64)) *Mirror {
	return &Mirror{to: to, keep: keep, progress: progress, digest: sha256.New()}
}

// Done is what was done so far; an update that failed may count.
func (m *Mirror) Done() Counts { return m.done }

// Take brings the copy up to a row, and removes what the copy has before it.
func (m *Mirror) Take(row store.Row) error {
	if !m.keep(row.Key) {
		return nil
	}
	add(m.digest, row)
	if m.done.Rows++; m.progress != nil && m.done.Rows%4096 == 0 {
		m.progress(m.done.Rows)
	}
	for {
		has, err := m.next()
		if err != nil {
			return err
		}
		if has == nil || bytes.Compare(has.Key, row.Key) > 0 {
			break
		}
		m.ahead = m.ahead[1:]
		if !bytes.Equal(has.Key, row.Key) {
			if err := m.stage(change{has.Key, nil}); err != nil {
				return err
			}
			continue
		}
		if bytes.Equal(has.Value, row.Value) {
			return nil
		}
		break
	}
	return m.stage(change{bytes.Clone(row.Key), append([]byte{}, row.Value...)})
}

// next is the first row of the copy that was not passed, nil at the end.
func (m *Mirror) next() (*store.Row, error) {
	for len(m.ahead) == 0 && !m.end {
		if err := m.to.View(m.read); err != nil {
			return nil, err
		}
	}
	if len(m.ahead) == 0 {
		return nil, nil
	}
	return &m.ahead[0], nil
}

func (m *Mirror) read(r store.Reader) error {
	n := 0
	for row, err := range r.Scan(nil, m.last) {
		if err != nil {
			return err
		}
		m.last = bytes.Clone(row.Key)
		if m.keep(m.last) {
			m.ahead = append(m.ahead, store.Row{Key: m.last, Value: bytes.Clone(row.Value)})
		}
		if n++; n == page {
			return nil
		}
	}
	m.end = true
	return nil
}

// Finish removes what the copy has after the last row.
func (m *Mirror) Finish(ctx context.Context) error {
	for {
		has, err := m.next()
		if err = errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		if has == nil {
			return m.flush()
		}
		m.ahead = m.ahead[1:]
		if err := m.stage(change{has.Key, nil}); err != nil {
			return err
		}
	}
}

func (m *Mirror) stage(c change) error {
	if c.value == nil {
		m.done.Removed++
	} else {
		m.done.Written++
	}
	m.staged = append(m.staged, c)
	if m.size += len(c.key) + len(c.value); m.size < store.MaxUpdate/2 {
		return nil
	}
	return m.flush()
}

func (m *Mirror) flush() error {
	if len(m.staged) == 0 {
		return nil
	}
	err := m.to.Update(func(txn store.Txn) error {
		for _, c := range m.staged {
			var err error
			if c.value == nil {
				err = txn.Delete(c.key)
			} else {
				err = txn.Set(c.key, c.value)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	m.staged, m.size = nil, 0
	return err
}

// Check reads the copy back: [store.ErrDamaged] when it is not what was taken.
func (m *Mirror) Check(ctx context.Context) error {
	digest := sha256.New()
	err := m.to.View(func(r store.Reader) error {
		for row, err := range r.Scan(nil, nil) {
			if err = errors.Join(err, ctx.Err()); err != nil {
				return err
			}
			if m.keep(row.Key) {
				add(digest, row)
			}
		}
		return nil
	})
	if err == nil && !bytes.Equal(digest.Sum(nil), m.digest.Sum(nil)) {
		err = fmt.Errorf("%w: the copy is not what was written", store.ErrDamaged)
	}
	return err
}

func add(h hash.Hash, row store.Row) {
	var size [8]byte
	binary.BigEndian.PutUint32(size[:], uint32(len(row.Key)))
	binary.BigEndian.PutUint32(size[4:], uint32(len(row.Value)))
	h.Write(size[:])
	h.Write(row.Key)
	h.Write(row.Value)
}
