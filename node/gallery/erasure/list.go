package erasure

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/gallery/store"
)

// Entry says that the commit with this number, and all before it, are to have left
// nothing of a subject.
type Entry struct {
	Commit  uint32
	Subject pseudonym.Pseudonym
}

// Tag is the tag of an entry, which ties it to all before it.
type Tag [16]byte

// Size is the length of an entry.
const Size = nonceSize + plainSize + len(Tag{})

const (
	plainSize = 4 + len(pseudonym.Pseudonym{})
	nonceSize = 12
	keyLabel  = "tamga/v1/gallery-erasures"
	entryAAD  = "tamga/v1/gallery-erasure\x00"
)

// File is where the list of the gallery in dir lies.
func File(dir string) string { return filepath.Clean(dir) + "-erasures" }

// List is an open list. It is for one goroutine at a time; Close it.
type List struct {
	file *os.File
	aead cipher.AEAD
	n    uint64                         // entries
	last Tag                            // tag of the last one, zeros before the first
	who  map[pseudonym.Pseudonym]uint32 // the latest commit in an entry of each
}

// Key derives what lists are sealed with.
func Key(root custody.Root) (cipher.AEAD, error) {
	key := root.Derive(keyLabel)
	defer clear(key[:])
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// Open opens the list at path, with create os.O_CREATE also a new one. It forgets the
// beginning of an entry that a crash cut off. [List.Learn] reads the rest.
func Open(path string, key cipher.AEAD, create int) (e *List, err error) {
	e = &List{aead: key, who: make(map[pseudonym.Pseudonym]uint32)}
	e.file, err = os.OpenFile(path, os.O_RDWR|create, 0o600)
	if err != nil {
		return nil, err
	}
	if err := e.measure(); err != nil {
		return nil, errors.Join(err, e.file.Close())
	}
	return e, nil
}

// measure counts the entries and forgets the beginning of one that was being written
// when the process died: nobody was told of it.
func (e *List) measure() error {
	info, err := e.file.Stat()
	if err != nil {
		return err
	}
	e.n = uint64(info.Size()) / uint64(Size)
	if torn, err := e.tornEnd(); err != nil {
		return err
	} else if torn {
		e.n--
	}
	if whole := int64(e.n) * int64(Size); whole != info.Size() {
		if err := e.file.Truncate(whole); err != nil {
			return err
		}
	}
	e.last, err = e.tagBefore(e.n)
	if err != nil {
		return err
	}
	return syncFolder(e.file.Name())
}

// tornEnd reports whether the last entry ends in zeros and does not open: a power cut may
// leave a file with its new length and without what was written there. A last entry with
// other damage was whole once, and somebody was told of it.
func (e *List) tornEnd() (bool, error) {
	if e.n == 0 {
		return false, nil
	}
	var raw [Size]byte
	if _, err := e.file.ReadAt(raw[:], int64(e.n-1)*int64(Size)); err != nil {
		return false, err
	}
	if !bytes.HasSuffix(raw[:], make([]byte, len(Tag{}))) {
		return false, nil
	}
	before, err := e.tagBefore(e.n - 1)
	if err != nil {
		return false, err
	}
	_, err = e.open(raw[:], e.n-1, before)
	return err != nil, nil
}

// Check reads the whole list, anew: see [Check]. It may be called while others read.
func (e *List) Check(n uint64, last Tag) error {
	return Check(e.file.Name(), e.aead, n, last)
}

// Len is how many entries there are.
func (e *List) Len() uint64 { return e.n }

// Last is the tag of the last entry, zeros when there is none.
func (e *List) Last() Tag { return e.last }

// Latest is the highest commit in an entry of the subject, as far as the list was read.
func (e *List) Latest(p pseudonym.Pseudonym) (commit uint32, listed bool) {
	commit, listed = e.who[p]
	return commit, listed
}

// Close closes the file.
func (e *List) Close() error { return e.file.Close() }

// Learn reads the list from entry number i on.
func (e *List) Learn(i uint64) error {
	if i == 0 {
		clear(e.who)
	}
	return e.From(i, func(x Entry) error { e.note(x); return nil })
}

func (e *List) note(x Entry) { e.who[x.Subject] = max(e.who[x.Subject], x.Commit) }

func syncFolder(of string) error {
	dir, err := os.Open(filepath.Dir(of))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// tagBefore reads the tag of the entry before number i.
func (e *List) tagBefore(i uint64) (tag Tag, err error) {
	if i > 0 {
		_, err = e.file.ReadAt(tag[:], int64(i)*int64(Size)-int64(len(tag)))
	}
	return tag, err
}

// From yields the entries from number i on. An entry that does not open is damage.
func (e *List) From(i uint64, visit func(Entry) error) error {
	before, err := e.tagBefore(i)
	if err != nil {
		return fmt.Errorf("reading the list of erasures: %w", err)
	}
	r := io.NewSectionReader(e.file, int64(i)*int64(Size), int64(e.n-i)*int64(Size))
	var raw [Size]byte
	for ; i < e.n; i++ {
		if _, err := io.ReadFull(r, raw[:]); err != nil {
			return fmt.Errorf("reading the list of erasures: %w", err)
		}
		x, err := e.open(raw[:], i, before)
		if err != nil {
			return err
		}
		before = tagOf(raw[:])
		if err := visit(x); err != nil {
			return err
		}
	}
	return nil
}

// At is entry number i, and how it is written. One that does not open is damage.
func (e *List) At(i uint64) (Entry, []byte, error) {
	before, err := e.tagBefore(i)
	raw := make([]byte, Size)
	if err == nil {
		_, err = e.file.ReadAt(raw, int64(i)*int64(Size))
	}
	if err != nil {
		return Entry{}, nil, fmt.Errorf("reading the list of erasures: %w", err)
	}
	x, err := e.open(raw, i, before)
	return x, raw, err
}

// Check reads the list at path, which may be in use, as far as it goes now, and whether
// it goes on from the n entries ending in the tag last that were carried out. One that
// does not is damage; one that has fewer entries is not looked at for that.
func Check(path string, key cipher.AEAD, n uint64, last Tag) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	whole := &List{file: f, aead: key, n: uint64(info.Size()) / uint64(Size)}
	if err := whole.From(0, func(Entry) error { return nil }); err != nil || whole.n < n {
		return err
	}
	tag, err := whole.tagBefore(n)
	if err == nil && tag != last {
		err = fmt.Errorf("%w: the list of erasures is not the one that the store has carried out", store.ErrDamaged)
	}
	return err
}

// open is what entry number i says, if it follows the one with the tag before.
func (e *List) open(raw []byte, i uint64, before Tag) (Entry, error) {
	if len(raw) == Size {
		plain, err := e.aead.Open(nil, raw[:nonceSize], raw[nonceSize:], aadOf(i, before))
		if err == nil {
			return Entry{binary.BigEndian.Uint32(plain), pseudonym.Pseudonym(plain[4:])}, nil
		}
	}
	return Entry{}, fmt.Errorf("%w: the list of erasures does not hold at entry %d", store.ErrDamaged, i)
}

func aadOf(i uint64, before Tag) []byte {
	return append(binary.BigEndian.AppendUint64([]byte(entryAAD), i), before[:]...)
}

// seal is entry number i, after the one with the tag before.
func (e *List) seal(x Entry, i uint64, before Tag) []byte {
	plain := append(binary.BigEndian.AppendUint32(nil, x.Commit), x.Subject[:]...)
	raw := make([]byte, nonceSize, Size)
	_, _ = rand.Read(raw)
	return e.aead.Seal(raw, raw, plain, aadOf(i, before))
}

func tagOf(entry []byte) Tag { return Tag(entry[Size-len(Tag{}):]) }

// TagOf is the tag of an entry that is kept elsewhere. One of another length is damage.
func TagOf(entry []byte) (Tag, error) {
	if len(entry) != Size {
		return Tag{}, store.ErrDamaged
	}
	return tagOf(entry), nil
}

// Add makes one more entry durable, and returns it as it is written.
func (e *List) Add(x Entry) ([]byte, error) {
	entry := e.seal(x, e.n, e.last)
	e.note(x)
	return entry, e.write(entry)
}

// write makes entries durable that follow those there are.
func (e *List) write(entries []byte) error {
	if _, err := e.file.WriteAt(entries, int64(e.n)*int64(Size)); err != nil {
		return fmt.Errorf("writing the list of erasures: %w", err)
	}
	if err := e.file.Sync(); err != nil {
		return fmt.Errorf("writing the list of erasures: %w", err)
	}
	e.n += uint64(len(entries) / Size)
	e.last = tagOf(entries[len(entries)-Size:])
	return nil
}

// Put makes a continuation durable. What it replaces is there until all of it is.
func (e *List) Put(c *Continuation) error {
	switch {
	case c.err != nil:
		return c.err
	case len(c.entries) == 0 && c.from == e.n:
		return nil
	case c.from == e.n:
		if err := e.write(c.entries); err != nil {
			return err
		}
		return e.Learn(c.from)
	}
	path := e.file.Name()
	f, err := os.OpenFile(path+".next", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("writing the list of erasures: %w", err)
	}
	_, err = io.Copy(f, io.MultiReader(io.NewSectionReader(e.file, 0, int64(c.from)*int64(Size)), bytes.NewReader(c.entries)))
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(path+".next", path)
	}
	if err == nil {
		err = syncFolder(path)
	}
	if err != nil {
		return fmt.Errorf("writing the list of erasures: %w", err)
	}
	f, err = os.OpenFile(path, os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("writing the list of erasures: %w", err)
	}
	_ = e.file.Close() // the file that was replaced
	e.file, e.n, e.last = f, c.n, c.last
	return e.Learn(0)
}
