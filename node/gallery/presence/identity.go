package presence

import (
	"bytes"
	"crypto/rand"
	"os"
	"slices"
)

// identity is what a process's file says of it:
//
//	id (16) || start (16) || start before (16)
type identity struct {
	id, start, before []byte
}

// readIdentity is that of a process that starts now with the file: a new one where there
// is none.
func readIdentity(file string) identity {
	own := newIdentity()
	f, err := os.Open(file)
	if err != nil {
		return own
	}
	defer f.Close()
	b := make([]byte, idSize+2*startSize+1)
	n, _ := f.Read(b)
	if n != len(b)-1 {
		return own
	}
	own.id, own.before = b[:idSize:idSize], b[idSize:idSize+startSize]
	return own
}

func newIdentity() identity {
	b := make([]byte, idSize+2*startSize)
	_, _ = rand.Read(b)
	return identity{b[:idSize:idSize], b[idSize : idSize+startSize], b[idSize+startSize:]}
}

func (i identity) encode() []byte { return slices.Concat(i.id, i.start, i.before) }

// was reports whether a row's start is this process's, or, where it has said nothing yet,
// the one before it.
func (i identity) was(start []byte, began bool) bool {
	return bytes.Equal(start, i.start) || !began && bytes.Equal(start, i.before)
}
