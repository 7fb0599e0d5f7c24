package holder

import (
	"bytes"
	"testing"

	"github.com/tamga-id/tamga/crypto/pseudonym"
)

// Lying is a holder that says it has the share of that public key, and answers with its own.
func Lying(f *Folder, public []byte) *Folder {
	liar := *f
	liar.key = func(of []byte) (share, error) {
		k, err := pseudonym.NewShare(of)
		return lie{k, bytes.Clone(public)}, err
	}
	return &liar
}

type lie struct {
	pseudonym.Key
	public []byte
}

func (l lie) public32() []byte { return l.public }

// Held are the public keys of the shares that a holder answers with when it is started.
func Held(t *testing.T, f *Folder) (public [][]byte) {
	h, err := f.shares()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range h.shares {
		public = append(public, s.public32())
	}
	return public
}

// Hurry has a client wait for no holder whose rate is used up.
func (c *Client) Hurry() { c.queueing = 0 }
