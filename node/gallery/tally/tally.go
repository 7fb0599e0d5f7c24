package tally

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/gallery/erasure"
	"github.com/tamga-id/tamga/node/gallery/store"
)

// Tally is what the store adds up to after a commit. It holds no more than who
// has the folder can count.
type Tally struct {
	Commit   uint32 // number of the commit, from 1
	Subjects uint64
	Sum      uint64      // of the stamps, modulo 2^64
	Bound    uint64      // sum of Bind of every subject and stamp, modulo 2^64
	Erasures uint64      // entries of the list of erasures, all carried out
	Last     erasure.Tag // of them, which its tag ties to all before it
}

// Has reports whether a store at t has all that one at u had.
func (t Tally) Has(u Tally) bool { return t.Commit > u.Commit || t == u }

const (
	plainSize = 4 + 8 + 8 + 8 + 8 + len(erasure.Tag{})
	// Size is the length of a sealed tally.
	Size = plainSize + sha256.Size
	// Name is that of the file, and of the row.
	Name = "tally"
	// Step keeps the two slots of the file in different disk sectors.
	Step = 4096
)

// Row is the key of the row in which the store keeps it.
func Row() []byte { return []byte("m" + Name) }

// Key authenticates tallies, and by that binds the folder to a node and its
// keys: a wrong one is noticed at start and not as an unknown subject.
type Key [32]byte

// NewKey derives the key of a node from the one that its gallery names rows with.
func NewKey(index [32]byte, node string) (k Key) {
	mac := hmac.New(sha256.New, index[:])
	mac.Write([]byte("tamga/v1/gallery-tally\x00"))
	mac.Write(binary.BigEndian.AppendUint32(nil, uint32(len(node))))
	mac.Write([]byte(node))
	mac.Sum(k[:0])
	return k
}

// Seal encodes t as commit (4) || subjects (8) || sum (8) || bound (8) || erasures (8) || last (16) ||
// HMAC-SHA256 (32), all integers big endian.
func (k Key) Seal(t Tally) []byte {
	b := make([]byte, 0, Size)
	b = binary.BigEndian.AppendUint32(b, t.Commit)
	b = binary.BigEndian.AppendUint64(b, t.Subjects)
	b = binary.BigEndian.AppendUint64(b, t.Sum)
	b = binary.BigEndian.AppendUint64(b, t.Bound)
	b = binary.BigEndian.AppendUint64(b, t.Erasures)
	b = append(b, t.Last[:]...)
	mac := hmac.New(sha256.New, k[:])
	mac.Write(b)
	return mac.Sum(b)
}

// Binder ties stamps to their subjects: without it rows of one subject could be exchanged
// for those of another that was erased, and has the same stamp. It is for one goroutine at a
// time.
type Binder struct {
	mac hash.Hash
	in  []byte
	out [sha256.Size]byte
}

// Binder makes one.
func (k Key) Binder() *Binder { return &Binder{mac: hmac.New(sha256.New, k[:])} }

// Bind is what a subject with a stamp adds to [Tally].Bound: the first 8 bytes of
// HMAC-SHA256(label || pseudonym || stamp), big endian.
func (b *Binder) Bind(p pseudonym.Pseudonym, stamp uint64) uint64 {
	b.in = append(append(b.in[:0], "tamga/v1/gallery-stamp\x00"...), p[:]...)
	b.in = binary.BigEndian.AppendUint64(b.in, stamp)
	b.mac.Reset()
	b.mac.Write(b.in)
	return binary.BigEndian.Uint64(b.mac.Sum(b.out[:0]))
}

// Tag authenticates something else that the store says: it returns b with HMAC-SHA256(of
// 0x00 b) behind it. What it is of keeps one thing from being taken for another.
func (k Key) Tag(of string, b []byte) []byte {
	mac := hmac.New(sha256.New, k[:])
	mac.Write([]byte(of + "\x00"))
	mac.Write(b)
	return mac.Sum(b[:len(b):len(b)])
}

// Open reads what Seal wrote. It reports whether the tally holds.
func (k Key) Open(b []byte) (Tally, bool) {
	if len(b) != Size {
		return Tally{}, false
	}
	t := Tally{
		Commit:   binary.BigEndian.Uint32(b),
		Subjects: binary.BigEndian.Uint64(b[4:]),
		Sum:      binary.BigEndian.Uint64(b[12:]),
		Bound:    binary.BigEndian.Uint64(b[20:]),
		Erasures: binary.BigEndian.Uint64(b[28:]),
		Last:     erasure.Tag(b[36:]),
	}
	if !hmac.Equal(k.Seal(t), b) {
		return Tally{}, false
	}
	return t, true
}

// Stored reads the tally of a store: the zero one when it has none, [store.ErrDamaged] when
// that does not hold.
func (k Key) Stored(txn store.Reader) (Tally, error) {
	v, err := txn.Get(Row())
	if errors.Is(err, store.ErrNotFound) {
		return Tally{}, nil
	}
	if err != nil {
		return Tally{}, err
	}
	t, ok := k.Open(v)
	if !ok {
		return Tally{}, store.ErrDamaged
	}
	return t, nil
}
