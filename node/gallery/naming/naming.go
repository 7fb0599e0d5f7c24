// Package naming is under which pseudonym keys the subjects of a gallery lie, while a key is
// replaced.
//
// The store says so in a row of its own, [Row]: the first key is the one that new subjects
// get, and from the others they are moved to it one by one. Until they all are, a subject is
// looked for under every one: [Keys.Name]. Open reads the row with the ring that has the
// keys; Seal writes it. The package moves nobody and reads no store.
//
//	row = since (4) 1*(generation (4) public key (32)) HMAC-SHA256 (32) ; big endian
//
// Since is the number of the last commit that took keys out, because nobody lay under
// them any more.
//
// Invariants:
//
//   - a row opens only with every key that it names, by generation and public key, so that
//     nobody is taken for unknown who lies under a key that is not there;
//   - Keys are immutable.
package naming

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/gallery/tally"
)

var (
	// ErrMissing reports a keystore that lacks a key under which subjects lie: it is older
	// than the gallery.
	ErrMissing = errors.New("subjects lie under a pseudonym key that is not in the keystore")
	// ErrAhead is an [ErrMissing]: the key is a later one than any in the ring.
	ErrAhead = fmt.Errorf("%w", ErrMissing)
	// ErrTooMany: keys have been added and none taken out.
	ErrTooMany = errors.New("too many pseudonym keys are in use; retire old ones")
)

const (
	label   = "pseudonym-keys"
	keySize = 4 + 32
	maxKeys = 16
)

// Row is the key of the row.
func Row() []byte { return []byte("m" + label) }

// Keys are the pseudonym keys that subjects lie under, at least one.
type Keys struct {
	since uint32
	keys  []key // the one that new subjects get first
}

type key struct {
	generation uint32
	key        pseudonym.Key
}

// Current is the current key of a ring alone, as for a store in which nobody is.
func Current(ring *pseudonym.Ring) *Keys {
	return &Keys{keys: []key{{ring.Current(), ring.Key(ring.Current())}}}
}

// Open finds the keys that a row names in the ring. A row that does not hold is
// [store.ErrDamaged].
func Open(row []byte, tallies tally.Key, ring *pseudonym.Ring) (*Keys, error) {
	body := row[:max(0, len(row)-sha256.Size)]
	if len(body) < 4+keySize || len(body)%keySize != 4 || len(body) > 4+maxKeys*keySize || !hmac.Equal(row, tallies.Tag(label, body)) {
		return nil, fmt.Errorf("reading pseudonym keys: %w", store.ErrDamaged)
	}
	n := &Keys{since: binary.BigEndian.Uint32(body)}
	for body = body[4:]; len(body) > 0; body = body[keySize:] {
		x := key{generation: binary.BigEndian.Uint32(body)}
		x.key = ring.Key(x.generation)
		if x.key.IsZero() && x.generation > ring.Current() {
			return nil, ErrAhead
		}
		if x.key.IsZero() || !bytes.Equal(x.key.Public().Bytes(), body[4:keySize]) {
			return nil, ErrMissing
		}
		n.keys = append(n.keys, x)
	}
	return n, nil
}

// Seal is the value of the row.
func (n *Keys) Seal(tallies tally.Key) []byte {
	b := binary.BigEndian.AppendUint32(nil, n.since)
	for _, x := range n.keys {
		b = binary.BigEndian.AppendUint32(b, x.generation)
		b = append(b, x.key.Public().Bytes()...)
	}
	return tallies.Tag(label, b)
}

// Since is the number of the last commit that took keys out.
func (n *Keys) Since() uint32 { return n.since }

// Target is the generation of the key that new subjects get.
func (n *Keys) Target() uint32 { return n.keys[0].generation }

// Several reports whether subjects may lie under another key than that.
func (n *Keys) Several() bool { return len(n.keys) > 1 }

// Generations are those of all keys, Target first.
func (n *Keys) Generations() []uint32 {
	var out []uint32
	for _, x := range n.keys {
		out = append(out, x.generation)
	}
	return out
}

// Key is that of a generation, the zero key when subjects lie under none of it.
func (n *Keys) Key(generation uint32) pseudonym.Key {
	for _, x := range n.keys {
		if x.generation == generation {
			return x.key
		}
	}
	return pseudonym.Key{}
}

// In is nil when a ring has all the keys, and otherwise [ErrMissing].
func (n *Keys) In(ring *pseudonym.Ring) error {
	for _, x := range n.keys {
		if !ring.Key(x.generation).Equal(x.key) {
			return fmt.Errorf("generation %d: %w", x.generation, ErrMissing)
		}
	}
	return nil
}

// Before are these keys after the current one of a ring, which new subjects get from then on.
func (n *Keys) Before(ring *pseudonym.Ring) (*Keys, error) {
	if len(n.keys) == maxKeys {
		return nil, ErrTooMany
	}
	return &Keys{n.since, append(Current(ring).keys, n.keys...)}, nil
}

// Only is the first key alone, as the numbered commit leaves it; 0 for one of a store in which
// nobody was.
func (n *Keys) Only(commit uint32) *Keys { return &Keys{commit, n.keys[:1:1]} }

// Named is a person under every key that he may lie under.
type Named struct {
	Keys     *Keys
	Elements []pseudonym.Element // one for each key
}

// Name is who id is under every key.
func (n *Keys) Name(id pseudonym.Identifier) (Named, error) {
	who := Named{Keys: n}
	for _, x := range n.keys {
		e, err := x.key.Element(id)
		if err != nil {
			return Named{}, err
		}
		who.Elements = append(who.Elements, e)
	}
	return who, nil
}

// Pseudonyms are those of the person, that under Target first. The caller may append one.
func (w Named) Pseudonyms() []pseudonym.Pseudonym {
	out := make([]pseudonym.Pseudonym, 0, len(w.Elements)+1)
	for _, e := range w.Elements {
		out = append(out, e.Pseudonym())
	}
	return out
}
