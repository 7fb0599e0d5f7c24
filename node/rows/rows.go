// Package rows keeps small rows of a node's own in the store that its gallery is in, so
// that they are as durable as the gallery, go into its backups, and are one and the same
// for all nodes that share the store.
//
// [New] with the gallery, then [Rows.Update] and [Rows.View]. Updates that come at once
// share one commit: one write to disk, or one exchange with the database.
//
// A row lies under its family, one byte that no row of the gallery begins with, and a
// keyed hash of its name; its value is sealed:
//
//	family HMAC-SHA256(names, family || name) (32)    nonce (12) || AES-256-GCM(value; the key)
//
// Invariants:
//
//   - an update of which Update returned nil is durable and seen by all that follow;
//     updates come one after the other, whichever node they come from;
//   - an update whose function returned an error changed nothing, and no other failed by it;
//   - who has the store alone learns how many rows there are and how long, and can take
//     rows away or put back older ones: no value is told from an older one of the same row.
package rows

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"

	"github.com/tamga-id/tamga/node/gallery/store"
)

// ErrNone: there is no row of this name.
var ErrNone = errors.New("there is no such row")

// Families of rows, each of one package.
const (
	Consents    byte = 'c' // node/consents: uses and withdrawals
	Withdrawals byte = 'w' // node/consents: withdrawals to be handed on
	Owed        byte = 'o' // node/consents: erasures that withdrawals leave owing
	Budgets     byte = 'q' // node/budget
	Canaries    byte = 'y' // node/decoy
	Handles     byte = 'i' // node/identify
	Laws        byte = 'l' // node/lawbook
	Alarms      byte = 'a' // node/alarms
)

// Beside lends the gallery's store. gallery.Gallery does.
type Beside interface {
	Beside(func(store.Store) error) error
}

// Rows is the rows of a node. It is safe for concurrent use.
type Rows struct {
	// Immutable.
	beside Beside
	names  [32]byte
	aead   cipher.AEAD

	// mu guards what follows.
	mu      sync.Mutex
	waiting []*update // in the order that they came
	leading bool      // somebody commits; who that is takes all that wait, or hands over
}

// maxTogether bounds how many updates share a commit: what they stage must fit in one.
const maxTogether = 256

// update is one caller's.
type update struct {
	f    func(Txn) error
	err  error
	done chan bool // has room for one: false when it is done, true to lead the next commit
}

// New gives the rows that a key opens. The key is of the node, and the same on all that
// share its store.
func New(beside Beside, key [32]byte) (*Rows, error) {
	block, err := aes.NewCipher(derive(key, "values"))
	if err != nil {
		return nil, fmt.Errorf("opening rows: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("opening rows: %w", err)
	}
	return &Rows{beside: beside, aead: aead, names: [32]byte(derive(key, "names"))}, nil
}

func derive(key [32]byte, label string) []byte {
	mac := hmac.New(sha256.New, key[:])
	mac.Write([]byte("tamga/v1/rows/" + label))
	return mac.Sum(nil)
}

// Reader reads rows as of one moment. It is not to be kept.
type Reader struct {
	rows *Rows
	from interface{ Get([]byte) ([]byte, error) }
	scan store.Reader
}

// In reads rows through a reader of the store that the rows lie in, for who has one: what is
// decided in an update of the store holds as of that.
func (r *Rows) In(txn store.Reader) Reader { return Reader{r, txn, txn} }

// Get is the value of a row, the caller's to keep. [ErrNone] when there is none.
func (r Reader) Get(family byte, name []byte) ([]byte, error) {
	return r.GetAt(r.rows.Key(family, name))
}

// Has reports whether there is a row, and does not open it.
func (r Reader) Has(family byte, name []byte) (bool, error) {
	_, err := r.from.Get(r.rows.key(family, name))
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// GetAt is Get of a row whose place is known.
func (r Reader) GetAt(key Key) ([]byte, error) {
	sealed, err := r.from.Get(key[:])
	if errors.Is(err, store.ErrNotFound) {
		return nil, ErrNone
	}
	if err != nil {
		return nil, err
	}
	return r.rows.open(key[:], sealed)
}

// Each visits the values of a family. One that does not open ends it.
func (r Reader) Each(family byte, visit func(key Key, value []byte) error) error {
	for row, err := range r.scan.Scan([]byte{family}, nil) {
		if err != nil {
			return err
		}
		if len(row.Key) != len(Key{}) {
			return fmt.Errorf("reading rows: %w", store.ErrDamaged)
		}
		value, err := r.rows.open(row.Key, row.Value)
		if err != nil {
			return err
		}
		if err := visit(Key(row.Key), value); err != nil {
			return err
		}
	}
	return nil
}

// Key is where a row lies.
type Key [1 + sha256.Size]byte

// Key is where the row of a name lies, if there is one.
func (r *Rows) Key(family byte, name []byte) Key { return Key(r.key(family, name)) }

// Txn is an update in the making. It is not to be kept.
type Txn struct {
	Reader
	staged *staged
}

// Set stages a row.
func (t Txn) Set(family byte, name, value []byte) {
	key := t.rows.key(family, name)
	t.staged.rows[string(key)] = t.rows.seal(key, value)
}

// SetAt stages a row whose place is known.
func (t Txn) SetAt(key Key, value []byte) { t.staged.rows[string(key[:])] = t.rows.seal(key[:], value) }

// Delete stages that a row is gone.
func (t Txn) Delete(key Key) { t.staged.rows[string(key[:])] = nil }

// staged holds back what one caller stages until it is known that nothing is wrong.
type staged struct {
	txn  store.Txn
	rows map[string][]byte // nil for a row that is to be gone
}

func (s *staged) Get(key []byte) ([]byte, error) {
	if v, ok := s.rows[string(key)]; ok {
		if v == nil {
			return nil, store.ErrNotFound
		}
		return v, nil
	}
	return s.txn.Get(key)
}

func (s *staged) apply() error {
	for key, value := range s.rows {
		err := error(nil)
		if value == nil {
			err = s.txn.Delete([]byte(key))
		} else {
			err = s.txn.Set([]byte(key), value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// View runs f, whose error it returns.
func (r *Rows) View(f func(Reader) error) error {
	return r.beside.Beside(func(db store.Store) error {
		return db.View(func(txn store.Reader) error { return f(r.In(txn)) })
	})
}

// Update runs f and makes durable what it staged; when f returns an error, nothing of it
// changes and Update returns that. f runs once at most. Other errors are those of
// store.Store, which match neither; whether the update stands can then be in doubt.
func (r *Rows) Update(f func(Txn) error) error {
	u := &update{f: f, done: make(chan bool, 1)}
	r.mu.Lock()
	r.waiting = append(r.waiting, u)
	lead := !r.leading
	r.leading = true
	r.mu.Unlock()
	if !lead && !<-u.done {
		return u.err
	}
	r.lead()
	return u.err
}

// lead commits for all that wait, of whom the caller is the first, and hands over to the
// first who came meanwhile.
func (r *Rows) lead() {
	r.mu.Lock()
	together := r.waiting[:min(len(r.waiting), maxTogether)]
	r.waiting = r.waiting[len(together):]
	r.mu.Unlock()
	r.commit(together)
	for _, u := range together[1:] {
		u.done <- false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.waiting) > 0 {
		r.waiting[0].done <- true
		return
	}
	r.waiting, r.leading = nil, false
}

func (r *Rows) commit(together []*update) {
	err := r.beside.Beside(func(db store.Store) error {
		return db.Update(func(txn store.Txn) error {
			for _, u := range together {
				s := &staged{txn, make(map[string][]byte)}
				if u.err = u.f(Txn{Reader{r, s, txn}, s}); u.err != nil {
					continue
				}
				if err := s.apply(); err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err == nil {
		return
	}
	for _, u := range together {
		u.err = fmt.Errorf("updating rows: %w", err)
	}
}

// maxForget bounds one commit of [Rows.Forget].
const maxForget = 5000

// Forget removes rows of a family whose value is over, some thousands at a time, and returns how many. A row is looked at once more
// when it is removed: one that was renewed meanwhile stays.
func (r *Rows) Forget(family byte, over func(value []byte) (bool, error)) (gone int, err error) {
	var old []Key
	err = r.View(func(from Reader) error {
		return from.Each(family, func(key Key, value []byte) error {
			is, err := over(value)
			if is && len(old) < maxForget {
				old = append(old, key)
			}
			return err
		})
	})
	if err != nil || len(old) == 0 {
		return 0, err
	}
	err = r.Update(func(t Txn) error {
		for _, key := range old {
			value, err := t.GetAt(key)
			if errors.Is(err, ErrNone) {
				continue
			}
			if err != nil {
				return err
			}
			is, err := over(value)
			if err != nil {
				return err
			}
			if is {
				t.Delete(key)
				gone++
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return gone, nil
}

func (r *Rows) key(family byte, name []byte) []byte {
	mac := hmac.New(sha256.New, r.names[:])
	mac.Write([]byte{family})
	mac.Write(name)
	return mac.Sum([]byte{family})
}

func (r *Rows) seal(key, value []byte) []byte {
	nonce := make([]byte, r.aead.NonceSize(), r.aead.NonceSize()+len(value)+r.aead.Overhead())
	_, _ = rand.Read(nonce)
	return r.aead.Seal(nonce, nonce, value, key)
}

func (r *Rows) open(key, sealed []byte) ([]byte, error) {
	n := r.aead.NonceSize()
	if len(sealed) < n {
		return nil, fmt.Errorf("opening row: %w", store.ErrDamaged)
	}
	value, err := r.aead.Open(nil, sealed[:n], sealed[n:], key)
	if err != nil {
		return nil, fmt.Errorf("opening row: %w", store.ErrDamaged)
	}
	return value, nil
}
