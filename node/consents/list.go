package consents

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/tamga-id/tamga/node/internal/durable"
	"github.com/tamga-id/tamga/node/rows"
)

// ListFile is where the list of withdrawn consents lies, beside the checkpoint file outside
// of the node's folder, so that it is not put back with the store; empty when there is none.
func ListFile(checkpoint string) string {
	if checkpoint == "" {
		return ""
	}
	return filepath.Clean(checkpoint) + "-withdrawals"
}

// ErrList: the list of withdrawn consents is not what the node wrote.
var ErrList = errors.New("the list of withdrawn consents was edited, or is of another node")

// List remembers withdrawals where the store's operator, or an older copy of the store, does
// not take them away. Each entry is bound to those before it:
//
//	list  = *entry
//	entry = key of the row (33) expiry (8, seconds) tag (16)      ; big endian
//	tag   = HMAC-SHA256(the list's key, number (8) || tag of the entry before || the entry's first 41 bytes)[:16]
//
// An edited list is refused; that its end was cut off is not seen, but made up for by the
// rows. A nil List has no entry and takes none. It is safe for concurrent use.
type List struct {
	path string   // immutable
	key  [32]byte // immutable

	mu   sync.Mutex         // guards what follows, and the file
	n    uint64             // entries in the file
	last listTag            // of the last of them
	of   map[rows.Key]int64 // when each can be forgotten
}

type listTag [16]byte

const (
	listPlain = len(rows.Key{}) + 8
	listEntry = listPlain + len(listTag{})
)

// OpenList reads the list at path, empty for none; what is not there yet is made when it is
// needed. It fails with [ErrList].
func OpenList(path string, key [32]byte, now time.Time) (*List, error) {
	if path == "" {
		return nil, nil
	}
	l := &List{path: path, key: key, of: make(map[rows.Key]int64)}
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading the list of withdrawn consents: %w", err)
	}
	// An entry that a crash cut off is written over: nobody was told of it.
	for whole := len(b) / listEntry; int(l.n) < whole; {
		raw := b[int(l.n)*listEntry:][:listEntry]
		tag := l.tag(raw[:listPlain])
		if !hmac.Equal(tag[:], raw[listPlain:]) {
			if int(l.n) == whole-1 && bytes.Equal(raw[listPlain:], make([]byte, len(listTag{}))) {
				break // of a power cut: its length, and zeros
			}
			return nil, fmt.Errorf("%s: entry %d: %w", filepath.Base(path), l.n, ErrList)
		}
		l.of[rows.Key(raw)] = int64(binary.BigEndian.Uint64(raw[len(rows.Key{}):]))
		l.n, l.last = l.n+1, tag
	}
	return l, l.forget(now)
}

// tag is that of the next entry.
func (l *List) tag(plain []byte) (t listTag) {
	mac := hmac.New(sha256.New, l.key[:])
	mac.Write(binary.BigEndian.AppendUint64(nil, l.n))
	mac.Write(l.last[:])
	mac.Write(plain)
	copy(t[:], mac.Sum(nil))
	return t
}

// next is the next entry, and makes it the last.
func (l *List) next(key rows.Key, expires int64) []byte {
	b := binary.BigEndian.AppendUint64(bytes.Clone(key[:]), uint64(expires))
	t := l.tag(b)
	l.n, l.last = l.n+1, t
	return append(b, t[:]...)
}

func (l *List) has(key rows.Key) bool {
	if l == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ok := l.of[key]
	return ok
}

// add makes a withdrawal durable.
func (l *List) add(key rows.Key, expires int64) error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if at, ok := l.of[key]; ok && at >= expires {
		return nil
	}
	n, last := l.n, l.last
	if err := l.write(l.next(key, expires), int64(n)*int64(listEntry)); err != nil {
		l.n, l.last = n, last // the next one is written over it
		return fmt.Errorf("writing the list of withdrawn consents: %w", err)
	}
	l.of[key] = expires
	return nil
}

func (l *List) write(entry []byte, at int64) error {
	f, err := os.OpenFile(l.path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(entry, at)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil && at == 0 {
		err = durable.Folders(filepath.Dir(l.path))
	}
	return err
}

// forget writes the list anew when there is something of artefacts that expired.
func (l *List) forget(now time.Time) error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	kept, before := maps.Clone(l.of), forgetBefore(now)
	maps.DeleteFunc(kept, func(_ rows.Key, expires int64) bool { return expires < before })
	if len(kept) == len(l.of) {
		return nil
	}
	anew := &List{key: l.key}
	var b []byte
	for _, key := range slices.SortedFunc(maps.Keys(kept), func(a, b rows.Key) int { return bytes.Compare(a[:], b[:]) }) {
		b = append(b, anew.next(key, kept[key])...)
	}
	if err := durable.Replace(l.path, b); err != nil {
		return fmt.Errorf("forgetting withdrawn consents: %w", err)
	}
	l.n, l.last, l.of = anew.n, anew.last, kept
	return nil
}

// all is a copy of the entries.
func (l *List) all() map[rows.Key]int64 {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.of)
}

// Agree puts withdrawals back that the list has and the store does not, as of an older copy
// of it or where somebody took rows away, and returns how many; the list gets those that
// only the store has. When there are any, before runs first, and if that fails none is put
// back: Withdrawn knows them already.
func (b *Book) Agree(before func() error) (back int, err error) {
	if b.list == nil {
		return 0, nil
	}
	missing, more := b.list.all(), make(map[rows.Key]int64)
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
			err = b.list.add(key, expires)
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
