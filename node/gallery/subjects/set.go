// Package subjects is how the subjects of a gallery lie in its store: under which keys, and
// how those are changed while others read and write.
//
// Make a [Set] with [New] and Begin it on a line of commits before anybody is served. Load
// opens one subject, ViewOf looks one up by identifier; Await commits [Job]s, many callers'
// at once. UsePseudonyms and UseRing replace keys, and Announce makes known that those before
// a generation are used no more. In a store that several share, Replicas tells them which
// keys are used here, and takes up what they have gone on to.
//
// The package decides nothing about what is enrolled, erased or renewed: node/gallery and
// node/gallery/renewal do, by jobs. It does not know what a record holds.
//
// Invariants:
//
//   - nobody is taken for unknown who lies under a pseudonym key that is not there;
//   - no key is wrapped under a KEK which the store says is about to be destroyed;
//   - who a named person is was worked out under the keys of the moment that is looked at.
package subjects

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/tamga-id/tamga/crypto/envelope"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/gallery/commit"
	"github.com/tamga-id/tamga/node/gallery/keyring"
	"github.com/tamga-id/tamga/node/gallery/naming"
	"github.com/tamga-id/tamga/node/gallery/presence"
	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/gallery/tally"
)

// Config is what a [Set] is made of. Every field but Templates is required.
type Config struct {
	Node       string          // Entity Identifier; bound into every record
	Index      [32]byte        // key that the names of rows and the tally derive from
	Presence   [32]byte        // key of what those who share a store tell each other
	Ring       *envelope.Ring  // KEKs; its current generation wraps the keys of new subjects
	Pseudonyms *pseudonym.Ring // keys of pseudonyms
	Templates  Templates       // what templates are turned by; nil for nothing
}

// Templates says which generation of the secret templates are turned by now.
type Templates interface{ Current() uint32 }

// Set is the subjects of one gallery. It is safe for concurrent use.
type Set struct {
	// Immutable after Begin.
	Line      *commit.Line // nil before Begin
	Vault     *keyring.Vault
	Tallies   tally.Key
	queue     *commit.Queue[*call]
	templates Templates // nil for none
	presence  [32]byte
	board     *presence.Board // nil in a store that is not shared

	keys   atomic.Pointer[pseudonym.Ring] // replaced by UsePseudonyms
	names  atomic.Pointer[naming.Keys]    // what rows lie under
	moving chan struct{}                  // has room for one, who moves subjects or must not miss one
}

// New is a set with nothing open: it can look into rows that are at hand.
func New(cfg Config) *Set {
	ss := &Set{
		Vault:     keyring.New(cfg.Node, cfg.Index, cfg.Ring),
		Tallies:   tally.NewKey(cfg.Index, cfg.Node),
		templates: cfg.Templates,
		presence:  cfg.Presence,
		moving:    make(chan struct{}, 1),
	}
	ss.keys.Store(cfg.Pseudonyms)
	return ss
}

// Begin does what is to be done before anybody is served. The folder is the gallery's.
func (ss *Set) Begin(line *commit.Line, dir string) error {
	ss.Line = line
	ss.queue = commit.NewQueue(line, MaxCommit, ss.commit)
	if err := ss.startNames(); err != nil {
		return err
	}
	if err := ss.join(dir); err != nil {
		return err
	}
	if err := line.MeetLists(); err != nil {
		return err
	}
	return ss.adopt()
}

// Close waits for the commit under way, refuses those that wait, and closes the line. A
// second Close returns [store.ErrClosed].
func (ss *Set) Close() error {
	if !ss.queue.Close() {
		return store.ErrClosed
	}
	return ss.Line.Close(func() {
		if ss.board != nil {
			_ = ss.board.Leave() // otherwise it is waited for until its lease is over
		}
	})
}

// Load opens a subject's key and record list: see [keyring.Vault.Load].
func (ss *Set) Load(txn store.Reader, p pseudonym.Pseudonym) (keyring.Subject, error) {
	s, err := ss.Vault.Load(txn, p)
	if errors.Is(err, envelope.ErrGeneration) {
		err = ss.lacks(txn, p, err)
	}
	return s, err
}

// Readable is nil when keyring and record list of a subject open.
func (ss *Set) Readable(txn store.Reader, p pseudonym.Pseudonym) error {
	s, err := ss.Load(txn, p)
	if err == nil {
		s.Wipe()
	}
	return err
}

// lacks says what it means that the KEK of a keyring is not there: that others of a
// shared store have gone on, where the store says so, and damage everywhere else.
func (ss *Set) lacks(txn store.Reader, p pseudonym.Pseudonym, cause error) error {
	if !ss.shared() {
		return cause
	}
	row, err := txn.Get(keyring.Row(p))
	if err != nil {
		return store.Damaged("reading keyring", err)
	}
	generation, err := keyring.GenerationOf(store.Row{Key: keyring.Row(p), Value: row})
	if err != nil {
		return err
	}
	if least, err := ss.Least(txn, LeastKEK); err == nil && generation > ss.Vault.Current() && least >= generation {
		return fmt.Errorf("unwrapping subject key: %w: %w", store.ErrUnavailable, ErrOutdated)
	}
	return cause
}

// UseRing has another ring of KEKs used from now on: keys of new subjects are wrapped under
// its current generation. A ring that lacks a generation which is still in use makes its
// subjects damaged; see [Set.Accepts]. The ring of before may be wiped at once.
func (ss *Set) UseRing(r *envelope.Ring) { ss.Vault.Use(r) }

// MayWrap refuses a key that was just wrapped under a KEK which may be about to be
// destroyed.
func (ss *Set) MayWrap(txn store.Reader, fresh keyring.Subject) error {
	least, err := ss.Least(txn, LeastKEK)
	if err == nil && fresh.Generation() < least {
		err = ss.Outrun()
	}
	return err
}
