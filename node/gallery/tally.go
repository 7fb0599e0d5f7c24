package gallery

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/tamga-id/tamga/node/gallery/erasure"
	"github.com/tamga-id/tamga/node/gallery/store"
)

// Badger repairs a damaged write-ahead log by forgetting what follows the damage,
// and reads a damaged table as if the keys in it did not exist. Either would turn
// an enrolled subject into an unknown one, which is a wrong verdict. Hence the
// tally: written by every commit into the store, where it shows a hole, and
// after the commit into a file beside it, which shows a lost end.

// tally is what the store adds up to after a commit. It holds no more than who
// has the folder can count.
type tally struct {
	commit   uint32 // number of the commit, from 1
	subjects uint64
	sum      uint64      // of the stamps, modulo 2^64
	erasures uint64      // entries of the list of erasures, all carried out
	last     erasure.Tag // of them, which its tag ties to all before it
}

const (
	tallyPlain = 4 + 8 + 8 + 8 + len(erasure.Tag{})
	tallySize  = tallyPlain + sha256.Size
	tallyName  = "tally"
	// tallyStep keeps the two slots of the file in different disk sectors.
	tallyStep = 4096
)

// keyTally is where the store keeps it.
func keyTally() []byte { return []byte("m" + tallyName) }

// tallyKey authenticates tallies, and by that binds the folder to a node and its
// keys: a wrong one is noticed at start and not as an unknown subject.
type tallyKey [32]byte

func newTallyKey(index [32]byte, node string) (k tallyKey) {
	mac := hmac.New(sha256.New, index[:])
	mac.Write([]byte("tamga/v1/gallery-tally\x00"))
	mac.Write(binary.BigEndian.AppendUint32(nil, uint32(len(node))))
	mac.Write([]byte(node))
	mac.Sum(k[:0])
	return k
}

// seal encodes t as commit (4) || subjects (8) || sum (8) || erasures (8) || last (16) ||
// HMAC-SHA256 (32), all integers big endian.
func (k tallyKey) seal(t tally) []byte {
	b := make([]byte, 0, tallySize)
	b = binary.BigEndian.AppendUint32(b, t.commit)
	b = binary.BigEndian.AppendUint64(b, t.subjects)
	b = binary.BigEndian.AppendUint64(b, t.sum)
	b = binary.BigEndian.AppendUint64(b, t.erasures)
	b = append(b, t.last[:]...)
	mac := hmac.New(sha256.New, k[:])
	mac.Write(b)
	return mac.Sum(b)
}

func (k tallyKey) open(b []byte) (tally, bool) {
	if len(b) != tallySize {
		return tally{}, false
	}
	t := tally{
		commit:   binary.BigEndian.Uint32(b),
		subjects: binary.BigEndian.Uint64(b[4:]),
		sum:      binary.BigEndian.Uint64(b[12:]),
		erasures: binary.BigEndian.Uint64(b[20:]),
		last:     erasure.Tag(b[28:]),
	}
	return t, hmac.Equal(k.seal(t), b)
}

// start checks the opened store against its tally and the one beside it, or makes
// both of a new gallery.
func (g *Gallery) start(known tally) error {
	stored, counted, err := g.recount()
	switch {
	case err != nil:
		return err
	case stored != counted:
		return fmt.Errorf("%w: subjects are missing from the store", ErrDamaged)
	case stored.commit < known.commit, stored.commit == known.commit && stored != known:
		return fmt.Errorf("%w: the store lacks commits that were acknowledged", ErrDamaged)
	}
	if g.beside.fresh {
		if stored.commit > 0 && !g.db.Shared() { // a gallery may join those that share
			return fmt.Errorf("%w: the file %q is missing", ErrDamaged, tallyName)
		}
		if err := g.beside.create(g.tallies); err != nil {
			return err
		}
	}
	g.see(stored)
	return g.startNames()
}

// recount reads the tally in the store and works out what it should be. A store
// without one must be empty.
func (g *Gallery) recount() (stored, counted tally, err error) {
	err = g.view(func(txn store.Reader) error {
		if stored, err = g.storedTally(txn); err != nil {
			return damaged("reading tally", err)
		}
		if _, err := txn.Get(copying()); err == nil && stored == (tally{}) {
			return fmt.Errorf("%w: copying a gallery into the store was not finished", ErrDamaged)
		}
		counted.commit, counted.erasures, counted.last = stored.commit, stored.erasures, stored.last
		// A store may lose rows to damage without saying so; the count then falls short.
		for row, err := range txn.Scan([]byte("v"), nil) {
			if err != nil {
				return damaged("counting subjects", err)
			}
			s, err := stampOf(row.Value)
			if err != nil {
				return damaged("counting subjects", err)
			}
			counted.subjects++
			counted.sum += s.number()
		}
		return nil
	})
	return stored, counted, err
}

func (g *Gallery) storedTally(txn store.Reader) (tally, error) {
	v, err := txn.Get(keyTally())
	if errors.Is(err, store.ErrNotFound) {
		return tally{}, nil
	}
	if err != nil {
		return tally{}, err
	}
	t, ok := g.tallies.open(v)
	if !ok {
		return tally{}, ErrDamaged
	}
	return t, nil
}

// damaged is what an error of the store comes to where the store must not fail.
func damaged(doing string, err error) error {
	if errors.Is(err, ErrDamaged) || errors.Is(err, ErrUnavailable) || errors.Is(err, ErrClosed) {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return fmt.Errorf("%s: %w: %v", doing, ErrDamaged, err)
}

// tallyFile keeps the last two tallies in two slots, written in turn, so that a
// torn write spoils one and leaves the other. It is written after the store's
// commit and not synced: the page cache outlives the process, and after a power cut
// the file is behind the store, never ahead of it. It also carries the folder's lock.
type tallyFile struct {
	file  *os.File
	fresh bool // the file was not there, or was never written
	torn  bool // one of the slots does not hold
	next  int  // slot to write next
}

// openTallyFile opens the file, new ones too, and with it takes the folder.
func openTallyFile(dir string) (*tallyFile, error) {
	f, err := os.OpenFile(filepath.Join(dir, tallyName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := store.Lock(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &tallyFile{file: f}, nil
}

// read returns the latest tally. A file without a valid one is of other keys, or
// damaged.
func (t *tallyFile) read(k tallyKey) (latest tally, err error) {
	b, err := io.ReadAll(io.LimitReader(t.file, 2*tallyStep))
	if err != nil {
		return tally{}, fmt.Errorf("reading file %q: %w", tallyName, err)
	}
	if len(b) == 0 {
		t.fresh = true
		return tally{}, nil
	}
	valid := false
	for slot := range 2 {
		if len(b) < slot*tallyStep+tallySize {
			break
		}
		one, ok := k.open(b[slot*tallyStep:][:tallySize])
		t.torn = t.torn || !ok
		if ok && (!valid || one.commit > latest.commit) {
			latest, valid, t.next = one, true, 1-slot
		}
	}
	if !valid {
		return tally{}, fmt.Errorf("%w: the file %q does not hold", ErrDamaged, tallyName)
	}
	return latest, nil
}

// create makes the file of a new gallery durable before anything is enrolled, so
// that a store without it is always damage.
func (t *tallyFile) create(k tallyKey) error {
	for range 2 {
		if err := t.write(k, tally{}); err != nil {
			return err
		}
	}
	dir, err := os.Open(filepath.Dir(t.file.Name()))
	if err != nil {
		return err
	}
	return errors.Join(t.file.Sync(), dir.Sync(), dir.Close())
}

func (t *tallyFile) write(k tallyKey, now tally) error {
	if _, err := t.file.WriteAt(k.seal(now), int64(t.next)*tallyStep); err != nil {
		return fmt.Errorf("writing file %q: %w", tallyName, err)
	}
	t.next = 1 - t.next
	return nil
}

var _ io.Closer = (*tallyFile)(nil)

// Close syncs the file and gives the folder back.
func (t *tallyFile) Close() error { return errors.Join(t.file.Sync(), t.file.Close()) }
