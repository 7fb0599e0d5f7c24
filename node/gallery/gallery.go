// Package gallery keeps a node's enrolled subjects: encrypted, under pseudonyms,
// in a store of node/gallery/store.
//
// Open it, Enrol batches, look references up with [Gallery.References].
// What a subject's records are keyed by is the VOPRF output of the identifier
// (crypto/pseudonym); what they are sealed with is a key of the subject's own,
// itself sealed under the node's root (crypto/envelope). The package neither
// matches nor decodes templates: callers validate before they enrol.
//
// Layout of the store, one key family each:
//
//	'm' "tally"                     what the store adds up to, authenticated
//	'm' "pseudonym-keys"            which pseudonym keys rows lie under, authenticated
//	'v' pseudonym (32 bytes)        numbers of the commits that wrote the keyring and that enrolled the subject
//	'k' pseudonym (32 bytes)        keyring: wrapped key, then the sealed list of records
//	'm' "least-..."                 of a shared store: the oldest keys in use, authenticated
//	'r' HMAC(pseudonym, slot) (32)  one sealed record
//	'b' HMAC(batch) (32)            number of the commit that an import's first enrolment is in
//	'z' number (8)                  an entry of the list of erasures
//	'n' HMAC(host, folder) (16)     of a shared store: who uses it, see node/gallery/presence
//
// and in the gallery's folder the file "tally" with the last commit's, and beside it the
// list of erasures once more, see [erasure.File].
//
// Invariants:
//
//   - a result is returned only after the commit that holds it is synced to disk,
//     and a commit is in the store whole or not at all;
//   - record keys cannot be tied to a subject, or counted per subject, without the
//     root key, and without the pseudonym key nobody can test who is enrolled;
//   - a record is returned only as the record, at the place, that its subject's
//     list names; everything else is [ErrDamaged];
//   - a folder opens only under the node, root key and pseudonym keys of its rows,
//     and only if no acknowledged enrolment is missing from it;
//   - who was erased is unknown, whatever older copy of the folder is put back, and
//     until enrolled anew;
//   - no error and no printed value names a person.
//
// It does not notice that the whole folder was put back to an earlier state.
//
// A disk that is nearly full: below [store.Reserve] every change is refused with [ErrFull]
// before anything is written, look-ups go on, and changes do by themselves when there is
// room. [Gallery.Ready] says so beforehand. Nothing can be done about another program that
// takes the whole reserve while a compaction is under way: Badger ends the process then,
// and what was acknowledged stays.
//
// [Gallery.Collect] gives disk space back; a running node calls it every hour. Damage is
// found by [Open], by look-ups, and whole by [Gallery.Fsck].
package gallery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/envelope"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/gallery/erasure"
	"github.com/tamga-id/tamga/node/gallery/keyring"
	"github.com/tamga-id/tamga/node/gallery/presence"
	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/gallery/tally"
)

// Errors that callers branch on.
var (
	ErrUnknownSubject = keyring.ErrUnknown
	ErrLocked         = store.ErrLocked
	ErrDamaged        = store.ErrDamaged
	ErrClosed         = store.ErrClosed
	ErrInDoubt        = store.ErrInDoubt                                  // sending the same again is safe, and tells
	ErrUnavailable    = store.ErrUnavailable                              // nothing was changed
	ErrReopen         = errors.New("close the gallery and open it again") // nothing is changed before that: only Open finds out how things stand
	ErrFull           = store.ErrFull                                     // an ErrUnavailable: look-ups go on, changes do once the disk has room
)

// Limits per subject.
const (
	MaxRecords    = 64
	MaxRecordSize = 64 << 10
)

// Config says where a gallery is and under which keys. Every field but Store, Outside
// and Protection is required.
type Config struct {
	// Store opens what keeps the rows; nil for Badger in Dir. It may be shared by
	// several galleries with the same keys, each with a folder of its own.
	Store      func(dir string) (store.Store, error)
	Dir        string          // folder of the gallery, created when absent; nothing else may be kept in it
	Outside    string          // file for another copy of the list of erasures, which does not go back when Dir does; empty for none
	Node       string          // Entity Identifier; bound into every record
	Root       custody.Root    // key that the names of records and the tally derive from
	Ring       *envelope.Ring  // KEKs; its current generation wraps the keys of new subjects
	Pseudonyms *pseudonym.Ring // a ring without a key that rows lie under is refused
	Protection Protection      // what templates are turned by before they are stored; nil stores them as they are
}

func (c Config) check() error {
	var errs []error
	if c.Dir == "" {
		errs = append(errs, errors.New("no folder given"))
	}
	if c.Node == "" {
		errs = append(errs, errors.New("no entity identifier given"))
	}
	if !c.Root.Usable() {
		errs = append(errs, errors.New("no root key given"))
	}
	if c.Ring == nil {
		errs = append(errs, errors.New("no key ring given"))
	}
	if c.Pseudonyms == nil {
		errs = append(errs, errors.New("no pseudonym key given"))
	}
	return errors.Join(errs...)
}

// Gallery is an open store. It is safe for concurrent use; Close it.
type Gallery struct {
	// Immutable after Open.
	db         store.Store
	index      [32]byte
	vault      *keyring.Vault
	tallies    tally.Key
	protection Protection    // nil for none
	patience   time.Duration // how long a commit in doubt is asked after
	presence   [32]byte
	board      *presence.Board // nil in a store that is not shared

	keys     atomic.Pointer[pseudonym.Ring] // replaced by UsePseudonyms
	names    atomic.Pointer[names]          // what rows lie under
	moving   chan struct{}                  // has room for one, who moves subjects or must not miss one
	queue    queue
	subjects atomic.Int64  // as last seen
	commits  atomic.Uint32 // the number of the last commit seen

	// turn has room for one: who sent into it may commit and owns what follows
	// until it receives again.
	turn   chan struct{}
	tally  tally.Tally
	beside *tally.File
	erased *erasure.List
	copied *erasure.Copy
	failed error                       // why nothing can be committed any more
	unkept bool                        // whether the tally beside the store is behind
	owed   map[pseudonym.Pseudonym]int // records of who is listed as erased and may not be yet

	// life is held for reading while the store is read, so that Close cannot
	// unmap files under a reader.
	life   sync.RWMutex
	closed bool
}

// Open opens or makes the gallery in cfg.Dir. A folder that another process has
// open gives [ErrLocked]; one of another node or other keys, or one that lacks
// anything that was acknowledged, [ErrDamaged]. What one subject lacks and follows from
// the rest is put back.
func Open(cfg Config) (*Gallery, error) {
	g, err := open(cfg)
	if err != nil {
		return nil, fmt.Errorf("opening gallery: %w", err)
	}
	return g, nil
}

func open(cfg Config) (*Gallery, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, err
	}
	var err error
	g := newGallery(cfg)
	if g.beside, err = tally.OpenFile(cfg.Dir); err != nil {
		return nil, err
	}
	key, err := erasure.Key(cfg.Root)
	if err == nil {
		g.erased, err = erasure.Open(erasure.File(cfg.Dir), key, os.O_CREATE)
	}
	if err != nil {
		return nil, errors.Join(err, g.beside.Close())
	}
	if g.copied, err = erasure.OpenCopy(cfg.Outside, key); err != nil {
		return nil, errors.Join(err, g.erased.Close(), g.beside.Close())
	}
	if err := g.openLocked(cfg); err != nil {
		return nil, errors.Join(err, g.copied.Close(), g.erased.Close(), g.beside.Close())
	}
	return g, nil
}

// newGallery is the gallery of a configuration that was checked, with nothing open.
func newGallery(cfg Config) *Gallery {
	index := cfg.Root.Derive("tamga/v1/gallery-index")
	g := &Gallery{
		index:      index,
		vault:      keyring.New(cfg.Node, index, cfg.Ring),
		tallies:    tally.NewKey(index, cfg.Node),
		presence:   cfg.Root.Derive("tamga/v1/gallery-presence"),
		protection: cfg.Protection,
		moving:     make(chan struct{}, 1),
		turn:       make(chan struct{}, 1), patience: settleTime,
		owed: make(map[pseudonym.Pseudonym]int),
	}
	g.keys.Store(cfg.Pseudonyms)
	return g
}

// openLocked does Open's work once the folder is ours alone. Nothing that other
// keys made is touched.
func (g *Gallery) openLocked(cfg Config) error {
	known, err := g.beside.Read(g.tallies)
	if err != nil {
		return err
	}
	if cfg.Store == nil {
		cfg.Store = inFolder
	}
	if g.db, err = cfg.Store(cfg.Dir); err != nil {
		return err
	}
	err = g.start(known)
	if err == nil {
		err = g.join(cfg.Dir)
	}
	if err == nil {
		err = g.meetLists()
	}
	if err == nil {
		err = g.adopt()
	}
	if err != nil {
		return errors.Join(err, g.db.Close())
	}
	return nil
}

func inFolder(dir string) (store.Store, error) { return store.OpenBadger(dir) }

// Close waits for the commit under way, refuses those that wait, and releases the
// folder. A second Close returns [ErrClosed].
func (g *Gallery) Close() error {
	if !g.queue.close() {
		return ErrClosed
	}
	g.turn <- struct{}{}
	defer func() { <-g.turn }()
	g.failed = ErrClosed // what still waits in the queue learns it from here
	g.life.Lock()
	defer g.life.Unlock()
	g.closed = true
	if g.board != nil {
		_ = g.board.Leave() // otherwise it is waited for until its lease is over
	}
	if err := errors.Join(g.db.Close(), g.copied.Follow(g.erased), g.copied.Close(), g.erased.Close(), g.beside.Close()); err != nil {
		return fmt.Errorf("closing gallery: %w", err)
	}
	return nil
}

// Subjects is how many subjects are enrolled; in a shared store, when this gallery last
// looked.
func (g *Gallery) Subjects() int64 { return g.subjects.Load() }

// Ready is [ErrFull] while no change would be taken.
func (g *Gallery) Ready() error {
	g.life.RLock()
	defer g.life.RUnlock()
	if g.closed {
		return ErrClosed
	}
	return g.db.Ready()
}

// Collect gives disk space back that only rows take which are gone: those of subjects who
// were erased, of batches undone, of lists rewritten. It returns how many files it
// replaced. What is erased needs none of it to be out of reach; who has the disk finds
// less that is sealed. It may be called at any time, and does nothing in a store that
// looks after itself.
func (g *Gallery) Collect(ctx context.Context) (files int, err error) {
	g.life.RLock()
	defer g.life.RUnlock()
	if g.closed {
		return 0, ErrClosed
	}
	c, ok := g.db.(interface {
		Collect(context.Context) (int, error)
	})
	if !ok {
		return 0, nil
	}
	if files, err = c.Collect(ctx); err != nil {
		return files, fmt.Errorf("collecting what is gone: %w", err)
	}
	return files, nil
}

// view runs f on the store as of one moment. What f returns must not depend on the
// store.
func (g *Gallery) view(f func(store.Reader) error) error {
	g.life.RLock()
	defer g.life.RUnlock()
	if g.closed {
		return ErrClosed
	}
	return g.db.View(f)
}

// Format prints a constant whatever the verb.
func (*Gallery) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "gallery(redacted)") }

// LogValue is a constant.
func (*Gallery) LogValue() slog.Value { return slog.StringValue("gallery(redacted)") }
