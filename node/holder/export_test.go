package holder

import (
	"bytes"

	"github.com/tamga-id/tamga/crypto/pseudonym"
)

// Lying is a holder that says it has the share of that public key, and answers with its own.
func Lying(f *Folder, public []byte) *Folder {
	liar := *f
	liar.key = func() (share, error) {
		k, err := pseudonym.NewShare(f.share)
		return lie{k, bytes.Clone(public)}, err
	}
	return &liar
}

type lie struct {
	pseudonym.Key
	public []byte
}

func (l lie) public32() []byte { return l.public }
