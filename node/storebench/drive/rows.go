package drive

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
)

// Spec says what a subject is, to a store that knows no galleries.
type Spec struct {
	Entries []Entry `json:"entries"` // of one subject
}

// Entry is a row of a subject: its key is a letter and 32 bytes, its value so many bytes.
type Entry struct {
	Family string `json:"family"`
	Size   int    `json:"size"`
}

// Row is one row.
type Row struct{ Key, Value []byte }

// Keys are the keys of a subject: spread evenly, as pseudonyms are.
func Keys(s Spec, subject int) [][]byte {
	keys := make([][]byte, 0, len(s.Entries))
	for _, e := range s.Entries {
		sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte(e.Family), uint64(subject)))
		keys = append(keys, append([]byte(e.Family), sum[:]...))
	}
	return keys
}

// Rows are the rows of a subject, of bytes that do not compress, as ciphertext does not.
func Rows(s Spec, subject int) []Row {
	rows := make([]Row, 0, len(s.Entries))
	for i, key := range Keys(s, subject) {
		rows = append(rows, Row{key, Noise(uint64(subject), s.Entries[i].Size)})
	}
	return rows
}

// Noise is the same bytes for the same seed.
func Noise(seed uint64, n int) []byte {
	var s [32]byte
	binary.BigEndian.PutUint64(s[:], seed)
	b := make([]byte, n)
	_, _ = rand.NewChaCha8(s).Read(b)
	return b
}
