package gallery

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
)

// The list of erasures lies beside the gallery's folder, so that an older copy of
// the folder, put back, meets a list that knows better: [Open] erases again before
// anybody is served. The stored tally names the last entry that it has carried out.
//
//	list    = *entry
//	entry   = nonce (12) AES-256-GCM(commit (4) pseudonym (32)) ; big endian
//	key     = HKDF(root, "tamga/v1/gallery-erasures")
//	AAD     = "tamga/v1/gallery-erasure" 0x00 number (8) tag of the entry before (16)
//
// The chain of tags keeps entries from being taken out or put elsewhere; sealed, they
// do not say who was erased to who has the folder alone.

// erasure says that the commit with this number, and all before it, are to have left
// nothing of a subject.
type erasure struct {
	commit  uint32
	subject pseudonym.Pseudonym
}

const (
	erasurePlain  = 4 + len(pseudonym.Pseudonym{})
	erasureNonce  = 12
	erasureTag    = 16
	erasureSize   = erasureNonce + erasurePlain + erasureTag
	erasuresLabel = "tamga/v1/gallery-erasures"
	erasureAAD    = "tamga/v1/gallery-erasure\x00"
)

// ErasuresFile is where the list of the gallery in dir lies.
func ErasuresFile(dir string) string { return filepath.Clean(dir) + "-erasures" }

// erasures is the open list. It belongs to who has the turn.
type erasures struct {
	file *os.File
	aead cipher.AEAD
	n    uint64                         // entries
	last [erasureTag]byte               // tag of the last one, zeros before the first
	who  map[pseudonym.Pseudonym]uint32 // the latest commit in an entry of each
}

func erasuresKey(root custody.Root) (cipher.AEAD, error) {
	key := root.Derive(erasuresLabel)
	defer clear(key[:])
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// openErasures opens the list at path, with create os.O_CREATE also a new one.
func openErasures(path string, key cipher.AEAD, create int) (e *erasures, err error) {
	e = &erasures{aead: key, who: make(map[pseudonym.Pseudonym]uint32)}
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
func (e *erasures) measure() error {
	info, err := e.file.Stat()
	if err != nil {
		return err
	}
	e.n = uint64(info.Size()) / uint64(erasureSize)
	if torn, err := e.tornEnd(); err != nil {
		return err
	} else if torn {
		e.n--
	}
	if whole := int64(e.n) * int64(erasureSize); whole != info.Size() {
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
func (e *erasures) tornEnd() (bool, error) {
	if e.n == 0 {
		return false, nil
	}
	var raw [erasureSize]byte
	if _, err := e.file.ReadAt(raw[:], int64(e.n-1)*int64(erasureSize)); err != nil {
		return false, err
	}
	if !bytes.HasSuffix(raw[:], make([]byte, erasureTag)) {
		return false, nil
	}
	before, err := e.tagBefore(e.n - 1)
	if err != nil {
		return false, err
	}
	_, err = e.open(raw[:], e.n-1, before)
	return err != nil, nil
}

// learn reads the list from entry number i on.
func (e *erasures) learn(i uint64) error {
	if i == 0 {
		clear(e.who)
	}
	return e.from(i, func(x erasure) error { e.note(x); return nil })
}

func (e *erasures) note(x erasure) { e.who[x.subject] = max(e.who[x.subject], x.commit) }

func syncFolder(of string) error {
	dir, err := os.Open(filepath.Dir(of))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// tagBefore reads the tag of the entry before number i.
func (e *erasures) tagBefore(i uint64) (tag [erasureTag]byte, err error) {
	if i > 0 {
		_, err = e.file.ReadAt(tag[:], int64(i)*int64(erasureSize)-erasureTag)
	}
	return tag, err
}

// from yields the entries from number i on. An entry that does not open is damage.
func (e *erasures) from(i uint64, visit func(erasure) error) error {
	before, err := e.tagBefore(i)
	if err != nil {
		return fmt.Errorf("reading the list of erasures: %w", err)
	}
	r := io.NewSectionReader(e.file, int64(i)*int64(erasureSize), int64(e.n-i)*int64(erasureSize))
	var raw [erasureSize]byte
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

// check reads the whole list, anew, and whether it goes on from what was carried out.
func (e *erasures) check(carried tally) error {
	f, err := os.Open(e.file.Name())
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	whole := &erasures{file: f, aead: e.aead, n: uint64(info.Size()) / uint64(erasureSize)}
	if err := whole.from(0, func(erasure) error { return nil }); err != nil || whole.n < carried.erasures {
		return err
	}
	tag, err := whole.tagBefore(carried.erasures)
	if err == nil && tag != carried.last {
		err = fmt.Errorf("%w: the list of erasures is not the one that the store has carried out", ErrDamaged)
	}
	return err
}

// open is what entry number i says, if it follows the one with the tag before.
func (e *erasures) open(raw []byte, i uint64, before [erasureTag]byte) (erasure, error) {
	if len(raw) == erasureSize {
		plain, err := e.aead.Open(nil, raw[:erasureNonce], raw[erasureNonce:], aadOfErasure(i, before))
		if err == nil {
			return erasure{binary.BigEndian.Uint32(plain), pseudonym.Pseudonym(plain[4:])}, nil
		}
	}
	return erasure{}, fmt.Errorf("%w: the list of erasures does not hold at entry %d", ErrDamaged, i)
}

func aadOfErasure(i uint64, before [erasureTag]byte) []byte {
	return append(binary.BigEndian.AppendUint64([]byte(erasureAAD), i), before[:]...)
}

// seal is entry number i, after the one with the tag before.
func (e *erasures) seal(x erasure, i uint64, before [erasureTag]byte) []byte {
	plain := append(binary.BigEndian.AppendUint32(nil, x.commit), x.subject[:]...)
	raw := make([]byte, erasureNonce, erasureSize)
	_, _ = rand.Read(raw)
	return e.aead.Seal(raw, raw, plain, aadOfErasure(i, before))
}

func tagOf(entry []byte) [erasureTag]byte { return [erasureTag]byte(entry[erasureSize-erasureTag:]) }

// add makes one more entry durable, and returns it as it is written.
func (e *erasures) add(x erasure) ([]byte, error) {
	entry := e.seal(x, e.n, e.last)
	e.note(x)
	return entry, e.write(entry)
}

// write makes entries durable that follow those there are.
func (e *erasures) write(entries []byte) error {
	if _, err := e.file.WriteAt(entries, int64(e.n)*int64(erasureSize)); err != nil {
		return fmt.Errorf("writing the list of erasures: %w", err)
	}
	if err := e.file.Sync(); err != nil {
		return fmt.Errorf("writing the list of erasures: %w", err)
	}
	e.n += uint64(len(entries) / erasureSize)
	e.last = tagOf(entries[len(entries)-erasureSize:])
	return nil
}

// put makes a continuation durable. What it replaces is there until all of it is.
func (e *erasures) put(c *continuation) error {
	switch {
	case c.err != nil:
		return c.err
	case len(c.entries) == 0 && c.from == e.n:
		return nil
	case c.from == e.n:
		if err := e.write(c.entries); err != nil {
			return err
		}
		return e.learn(c.from)
	}
	path := e.file.Name()
	f, err := os.OpenFile(path+".next", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("writing the list of erasures: %w", err)
	}
	_, err = io.Copy(f, io.MultiReader(io.NewSectionReader(e.file, 0, int64(c.from)*int64(erasureSize)), bytes.NewReader(c.entries)))
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
	return e.learn(0)
}
