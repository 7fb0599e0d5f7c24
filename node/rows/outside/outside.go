// Package outside remembers of some rows that they are there, in a file outside of the store and
// of the node's folder, so that neither who can write to the store nor an older copy of it
// takes them away.
//
// [Open], [List.Add] once a row is durable, [List.Has] beside looking for the row.
package outside

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

// File is where a list lies, beside the checkpoint file outside of the node's folder; empty when
// there is none.
func File(checkpoint, name string) string {
	if checkpoint == "" {
		return ""
	}
	return filepath.Clean(checkpoint) + "-" + name
}

// ErrEdited: a list is not what the node wrote.
var ErrEdited = errors.New("the list was edited, or is of another node")

// List is a list. Each entry is bound to those before it:
//
//	list  = *entry
//	entry = key of the row (33) expiry (8, seconds) tag (16)      ; big endian
//	tag   = HMAC-SHA256(the list's key, number (8) || tag of the entry before || the entry's first 41 bytes)[:16]
//
// An edited list is refused; that its end was cut off is not seen: compare the list with the
// rows when both are opened. A nil List has no entry and takes none. It is safe for concurrent use.
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

// Open reads the list at path, empty for none; what is not there yet is made when it is
// needed. It fails with [ErrEdited].
func Open(path string, key [32]byte, before time.Time) (*List, error) {
	if path == "" {
		return nil, nil
	}
	l := &List{path: path, key: key, of: make(map[rows.Key]int64)}
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading a list of rows: %w", err)
	}
	// An entry that a crash cut off is written over: nobody was told of it.
	for whole := len(b) / listEntry; int(l.n) < whole; {
		raw := b[int(l.n)*listEntry:][:listEntry]
		tag := l.tag(raw[:listPlain])
		if !hmac.Equal(tag[:], raw[listPlain:]) {
			if int(l.n) == whole-1 && bytes.Equal(raw[listPlain:], make([]byte, len(listTag{}))) {
				break // of a power cut: its length, and zeros
			}
			return nil, fmt.Errorf("%s: entry %d: %w", filepath.Base(path), l.n, ErrEdited)
		}
		l.of[rows.Key(raw)] = int64(binary.BigEndian.Uint64(raw[len(rows.Key{}):]))
		l.n, l.last = l.n+1, tag
	}
	return l, l.Forget(before)
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

// Has reports whether the row is in the list.
func (l *List) Has(key rows.Key) bool {
	if l == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ok := l.of[key]
	return ok
}

// Add makes durable that the row is there, until it is forgotten.
func (l *List) Add(key rows.Key, expires int64) error {
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
		return fmt.Errorf("writing a list of rows: %w", err)
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

// Forget takes out what was to be forgotten before a time.
func (l *List) Forget(before time.Time) error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	kept := maps.Clone(l.of)
	maps.DeleteFunc(kept, func(_ rows.Key, expires int64) bool { return expires < before.Unix() })
	if len(kept) == len(l.of) {
		return nil
	}
	anew := &List{key: l.key}
	var b []byte
	for _, key := range slices.SortedFunc(maps.Keys(kept), func(a, b rows.Key) int { return bytes.Compare(a[:], b[:]) }) {
		b = append(b, anew.next(key, kept[key])...)
	}
	if err := durable.Replace(l.path, b); err != nil {
		return fmt.Errorf("forgetting rows: %w", err)
	}
	l.n, l.last, l.of = anew.n, anew.last, kept
	return nil
}

// All is a copy of the list: which rows, and when each can be forgotten, in seconds since 1970.
func (l *List) All() map[rows.Key]int64 {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.of)
}
