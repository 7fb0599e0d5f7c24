// Package presence lets processes that share a store know of each other, and which
// keys each of them uses, so that none is destroyed that another one still needs.
//
// Every process calls [Board.Beat] each [Every] and [Board.Leave] when it ends. It keeps
// one row in the store:
//
//	'n' HMAC(id) (16)    nonce (12) || AES-256-GCM(CBOR: beat, host, keys, start)
//
// The id is random and lies in a file of the process's folder, with a start that each start
// makes anew, so that one that was killed goes on with its row. A copy of the folder has
// the id, too: it takes another one when it begins, if the row is of a start that its file
// does not name, and else whoever finds the other's start in the row at its next beat does.
// For so long, two that began from copies made while they ran may count as one.
//
// Beat counts up. A process is alive while its beat moves, by the clock of who looks:
// clocks of several machines are not compared. One that has not moved for [Lease] is
// dead, and who notices removes its row (Gray and Cheriton, "Leases: An Efficient
// Fault-Tolerant Mechanism for Distributed File Cache Consistency", 1989, section 4, for
// the reason to wait).
//
// It is for availability. A process that is taken for dead and is not must be kept from
// writing by something that is checked with each write: see node/gallery.
//
// Invariants:
//
//   - a live process that has beaten once is among [Board.Others] of all that look;
//   - a row that other keys made, or that was moved, is nobody's;
//   - a row says nothing to who has the store alone, but that it is one of a process.
package presence

import (
	"bytes"
	"cmp"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/internal/durable"
)

const (
	// Every is how often a process says that it is there. It costs a small commit.
	Every = 10 * time.Second
	// Lease is longer than three failovers of a database take, during which nobody can
	// say anything.
	Lease = 90 * time.Second

	rowPrefix = 'n'
	idSize    = 16
	startSize = 16
	maxHost   = 64
	maxRow    = 1024
	// maxOthers bounds the rows that are looked at.
	maxOthers = 1024
)

// Span are the generations that a process has of a key.
type Span struct {
	Oldest  uint32 `cbor:"1,keyasint"`
	Current uint32 `cbor:"2,keyasint"` // that it uses for what is new
	Newest  uint32 `cbor:"3,keyasint"` // that it could use
}

// Keys are those of a process, by family.
type Keys map[string]Span

// Other is another process that is alive.
type Other struct {
	Name string // host, and a mark that tells two processes of it apart
	Keys Keys
}

// row is what a process says.
type row struct {
	Beat uint64 `cbor:"1,keyasint"`
	Host string `cbor:"2,keyasint"`
	Keys Keys   `cbor:"3,keyasint"`
	// Start tells one start of a process from another.
	Start []byte `cbor:"4,keyasint"`
}

// sighting is when a row was last seen to move.
type sighting struct {
	beat uint64
	at   time.Time
}

// Board is what one process says and sees. It is safe for concurrent use.
type Board struct {
	// Immutable.
	db   store.Store
	aead cipher.AEAD
	mac  [32]byte
	host string
	file string

	// mu guards what follows.
	mu    sync.Mutex
	own   identity
	key   []byte // of the own row
	saved bool   // file has own
	beat  uint64 // that was last said; 0 for none
	seen  map[string]sighting
}

// New makes the board of a process on a host, of which a file in a folder that it has to
// itself says who it is. Processes with other keys do not see each other.
func New(db store.Store, key [32]byte, host, file string) (*Board, error) {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, fmt.Errorf("making presence: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("making presence: %w", err)
	}
	b := &Board{db: db, aead: aead, mac: key, host: host[:min(len(host), maxHost)], file: file, seen: make(map[string]sighting)}
	b.be(readIdentity(file))
	return b, nil
}

// be takes an identity.
func (b *Board) be(own identity) {
	mac := hmac.New(sha256.New, b.mac[:])
	fmt.Fprintf(mac, "tamga/v1/presence\x00%s", own.id)
	b.own, b.key, b.saved = own, append([]byte{rowPrefix}, mac.Sum(nil)[:idSize]...), false
}

// Beat says that the process is there and which keys it uses.
func (b *Board) Beat(mine Keys) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	err := b.say(mine)
	if errors.Is(err, errTaken) {
		b.be(newIdentity())
		b.beat = 0
		err = b.say(mine)
	}
	if err != nil {
		return fmt.Errorf("saying that this node is there: %w", err)
	}
	return nil
}

// errTaken: another process says under this one's identity that it is there.
var errTaken = errors.New("another process has this one's identity")

// say writes the row, or returns [errTaken].
func (b *Board) say(mine Keys) error {
	beat := b.beat
	err := b.db.Update(func(txn store.Txn) error {
		sealed, err := txn.Get(b.key)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		beat = b.beat
		if was, ok := b.open(b.key, sealed); ok {
			if !b.own.was(was.Start, b.beat > 0) {
				return errTaken
			}
			beat = max(beat, was.Beat) // of before it was started again
		}
		// The file goes first: a row of a start that it does not name would not be taken up.
		// One that cannot be written costs no more than that: who cannot write is to be
		// waited for all the same.
		if !b.saved {
			b.saved = durable.Replace(b.file, b.own.encode()) == nil
		}
		beat++
		sealed, err = b.seal(row{beat, b.host, mine, b.own.start})
		if err != nil {
			return err
		}
		return txn.Set(b.key, sealed)
	})
	if err == nil {
		b.beat = beat
	}
	return err
}

// Leave says that the process is not there any more.
func (b *Board) Leave() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.beat == 0 {
		return nil
	}
	err := b.db.Update(func(txn store.Txn) error {
		sealed, err := txn.Get(b.key)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if was, ok := b.open(b.key, sealed); ok && !b.own.was(was.Start, true) {
			return nil // another process has taken it
		}
		return txn.Delete(b.key)
	})
	if err != nil {
		return fmt.Errorf("saying that this node is gone: %w", err)
	}
	b.beat = 0
	return nil
}

// Others are the other processes that are alive at now, in the order of their names.
// One that is seen for the first time is.
func (b *Board) Others(now time.Time) ([]Other, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var alive []Other
	dead := make(map[string][]byte)
	there := make(map[string]bool)
	err := b.db.View(func(txn store.Reader) error {
		for r, err := range txn.Scan([]byte{rowPrefix}, nil) {
			if err != nil {
				return err
			}
			if bytes.Equal(r.Key, b.key) {
				continue
			}
			if len(there) == maxOthers {
				return errors.New("there are too many rows of other nodes")
			}
			said, ok := b.open(r.Key, r.Value)
			there[string(r.Key)] = true
			s, known := b.seen[string(r.Key)]
			if !known || said.Beat > s.beat {
				s = sighting{said.Beat, now}
			}
			b.seen[string(r.Key)] = s
			switch {
			case now.Sub(s.at) >= Lease:
				dead[string(r.Key)] = bytes.Clone(r.Value)
			case ok:
				alive = append(alive, Other{fmt.Sprintf("%s-%x", said.Host, r.Key[1:4]), said.Keys})
			}
		}
		return nil
	})
	if err == nil && len(dead) > 0 {
		err = b.bury(dead)
	}
	if err != nil {
		return nil, fmt.Errorf("looking for other nodes of the store: %w", err)
	}
	for key := range b.seen {
		if !there[key] {
			delete(b.seen, key)
		}
	}
	slices.SortFunc(alive, func(x, y Other) int { return cmp.Compare(x.Name, y.Name) })
	return alive, nil
}

// bury removes rows that are still as they were.
func (b *Board) bury(dead map[string][]byte) error {
	return b.db.Update(func(txn store.Txn) error {
		for key, value := range dead {
			now, err := txn.Get([]byte(key))
			if errors.Is(err, store.ErrNotFound) || err == nil && !bytes.Equal(now, value) {
				continue
			}
			if err != nil {
				return err
			}
			if err := txn.Delete([]byte(key)); err != nil {
				return err
			}
		}
		return nil
	})
}

func (b *Board) seal(r row) ([]byte, error) {
	plain, err := cbor.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encoding: %w", err)
	}
	nonce := make([]byte, b.aead.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return nil, err
	}
	return b.aead.Seal(nonce, nonce, plain, b.key), nil
}

func (b *Board) open(key, sealed []byte) (r row, ok bool) {
	n := b.aead.NonceSize()
	if len(key) != 1+idSize || len(sealed) < n || len(sealed) > maxRow {
		return row{}, false
	}
	plain, err := b.aead.Open(nil, sealed[:n], sealed[n:], key)
	if err != nil || cbor.Unmarshal(plain, &r) != nil {
		return row{}, false
	}
	return r, true
}
