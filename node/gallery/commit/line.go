package commit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/gallery/erasure"
	"github.com/tamga-id/tamga/node/gallery/keyring"
	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/gallery/tally"
)

// ErrReopen: nothing is changed before the line is closed and opened again, because only
// that finds out how things stand.
var ErrReopen = errors.New("close the gallery and open it again")

// Rules are what a line must know of the rows that are its caller's. The methods are called
// by who has the turn, and must not ask for it.
type Rules interface {
	// Row is the key of the row that says by which keys the others go. Every commit after
	// the first finds it there.
	Row() []byte
	// See takes note of that row as of a moment of the store, and reports whether it is
	// there. Look-ups call it, too, at any time.
	See(txn store.Reader) (said bool, err error)
	// Said is the value of that row, which the first commit writes.
	Said() []byte
	// Opens is nil when the keyring of a subject opens with the stamp that the reader shows.
	Opens(txn store.Reader, p pseudonym.Pseudonym) error
	// EraseAgain stages the removal of the subject of an entry, unless a later commit than
	// that of the entry enrolled it.
	EraseAgain(b *Bundle, x erasure.Entry) error
}

// Config says where a line is.
type Config struct {
	Store func(dir string) (store.Store, error) // opens what keeps the rows; nil for Badger in Dir
	Dir   string                                // folder, created when absent
	// Files that do not go back when Dir does, empty for none: another copy of the list of
	// erasures, and another tally.
	ListOutside, TallyOutside string
	Root                      custody.Root // key that the list of erasures is sealed under
	Tallies                   tally.Key
	Rules                     Rules
}

// Line is an open line of commits. It is safe for concurrent use; Close it.
type Line struct {
	// Patience is how long a commit in doubt is asked after before its callers are told that.
	// It may be changed before the line is used.
	Patience time.Duration

	// Immutable after Open.
	db      store.Store
	tallies tally.Key
	rules   Rules

	subjects atomic.Int64  // as last seen
	commits  atomic.Uint32 // the number of the last commit seen

	// turn has room for one: who sent into it may commit and owns what follows
	// until it receives again.
	turn    chan struct{}
	tally   tally.Tally
	beside  *tally.File
	outside *tally.File // nil for none
	erased  *erasure.List
	copied  *erasure.Copy
	failed  error // why nothing can be committed any more
	unkept  bool  // whether a tally file is behind

	// life is held for reading while the store is read, so that Close cannot
	// unmap files under a reader.
	life   sync.RWMutex
	closed bool
}

// Open opens or makes the line in cfg.Dir. A folder that another process has open gives
// [store.ErrLocked]; one of another node or other keys, or one that lacks anything that was
// acknowledged, [store.ErrDamaged]. What one subject lacks and
// follows from the rest is put back. Nothing that other keys made is touched.
func Open(cfg Config) (*Line, error) {
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, err
	}
	l := &Line{Patience: settleTime, tallies: cfg.Tallies, rules: cfg.Rules, turn: make(chan struct{}, 1)}
	var err error
	if l.beside, err = tally.OpenFile(cfg.Dir); err != nil {
		return nil, err
	}
	key, err := erasure.Key(cfg.Root)
	if err == nil {
		l.erased, err = erasure.Open(erasure.File(cfg.Dir), key, os.O_CREATE)
	}
	if err != nil {
		return nil, errors.Join(err, l.beside.Close())
	}
	if l.copied, err = erasure.OpenCopy(cfg.ListOutside, key); err != nil {
		return nil, errors.Join(err, l.erased.Close(), l.beside.Close())
	}
	if cfg.TallyOutside != "" {
		l.outside, err = tally.OpenOutside(cfg.TallyOutside)
	}
	if err == nil {
		err = l.openStore(cfg)
	}
	if err != nil {
		return nil, errors.Join(err, l.closeFiles())
	}
	return l, nil
}

// openStore does Open's work once the folder is ours alone.
func (l *Line) openStore(cfg Config) error {
	beside, err := l.beside.Read(l.tallies)
	if err != nil {
		return err
	}
	outside, err := l.outside.Read(l.tallies)
	if err != nil {
		return err
	}
	if cfg.Store == nil {
		cfg.Store = inFolder
	}
	if l.db, err = cfg.Store(cfg.Dir); err != nil {
		return err
	}
	if err := l.start(beside, outside); err != nil {
		return errors.Join(err, l.db.Close())
	}
	return nil
}

func inFolder(dir string) (store.Store, error) { return store.OpenBadger(dir) }

// start checks the opened store against its tally, the one beside it and the one
// outside, or makes them of a new gallery.
func (l *Line) start(beside, outside tally.Tally) error {
	stored, counted, err := l.recount()
	switch {
	case err != nil:
		return err
	case !stored.Has(beside):
		return fmt.Errorf("%w: the store lacks commits that were acknowledged", store.ErrDamaged)
	case !stored.Has(outside):
		return fmt.Errorf("%w: the gallery was put back to an earlier state: it has %d commits, and the file outside of its folder knows of %d",
			store.ErrDamaged, stored.Commit, outside.Commit)
	case stored != counted:
		if err := l.mend(stored, counted); err != nil {
			return err
		}
	}
	if l.outside.Fresh() {
		if err := l.outside.Create(l.tallies); err != nil {
			return err
		}
	}
	if err := l.outside.Write(l.tallies, stored); err != nil {
		return err
	}
	if l.beside.Fresh() {
		if stored.Commit > 0 && !l.db.Shared() { // a gallery may join those that share
			return fmt.Errorf("%w: the file %q is missing", store.ErrDamaged, tally.Name)
		}
		if err := l.beside.Create(l.tallies); err != nil {
			return err
		}
	}
	l.see(stored)
	return nil
}

// CopyingRow is the key of the row that a store has while a copy is being made into it.
func CopyingRow() []byte { return []byte("m" + "copying") }

// recount reads the tally in the store and works out what it should be. A store
// without one must be empty.
func (l *Line) recount() (stored, counted tally.Tally, err error) {
	err = l.View(func(txn store.Reader) error {
		if stored, err = l.tallies.Stored(txn); err != nil {
			return store.Damaged("reading tally", err)
		}
		if _, err := txn.Get(CopyingRow()); err == nil && stored == (tally.Tally{}) {
			return fmt.Errorf("%w: copying a gallery into the store was not finished", store.ErrDamaged)
		}
		bind := l.tallies.Binder()
		counted.Commit, counted.Erasures, counted.Last = stored.Commit, stored.Erasures, stored.Last
		// A store may lose rows to damage without saying so; the count then falls short.
		for row, err := range txn.Scan([]byte("v"), nil) {
			if err != nil {
				return store.Damaged("counting subjects", err)
			}
			s, err := keyring.ParseStamp(row.Value)
			if err != nil {
				return store.Damaged("counting subjects", err)
			}
			counted.Subjects++
			if len(row.Key) != 1+len(pseudonym.Pseudonym{}) {
				return fmt.Errorf("counting subjects: %w", store.ErrDamaged)
			}
			counted.Sum += s.Number()
			counted.Bound += bind.Bind(pseudonym.Pseudonym(row.Key[1:]), s.Number())
		}
		return nil
	})
	return stored, counted, err
}

// Close waits for the turn, has last do what is to be done while the store is still open,
// and releases the folder. It is called once.
func (l *Line) Close(last func()) error {
	l.turn <- struct{}{}
	defer func() { <-l.turn }()
	l.failed = store.ErrClosed // what still waits for the turn learns it from here
	l.life.Lock()
	defer l.life.Unlock()
	l.closed = true
	last()
	return errors.Join(l.db.Close(), l.copied.Follow(l.erased), l.closeFiles())
}

// Abandon releases the folder of a line that proved to be of no use to who opened it, and
// leaves everything in it as it is.
func (l *Line) Abandon() error {
	return errors.Join(l.db.Close(), l.closeFiles())
}

func (l *Line) closeFiles() error {
	return errors.Join(l.outside.Close(), l.copied.Close(), l.erased.Close(), l.beside.Close())
}

// Store is what keeps the rows. While gives it to who must not find it closed.
func (l *Line) Store() store.Store { return l.db }

// Shared reports whether others may commit to the store.
func (l *Line) Shared() bool { return l.db.Shared() }

// Subjects is how many subjects there are; in a shared store, when last looked.
func (l *Line) Subjects() int64 { return l.subjects.Load() }

// Commits is the number of the last commit, or of a later one if more is known of a shared
// store.
func (l *Line) Commits() uint32 { return l.commits.Load() }

// While runs f with the store open: [store.ErrClosed] when it is not any more.
func (l *Line) While(f func(store.Store) error) error {
	l.life.RLock()
	defer l.life.RUnlock()
	if l.closed {
		return store.ErrClosed
	}
	return f(l.db)
}

// View runs f on the store as of one moment. What f returns must not depend on the
// store.
func (l *Line) View(f func(store.Reader) error) error {
	return l.While(func(db store.Store) error { return db.View(f) })
}

// InTurn runs f once nobody else commits, and nobody does meanwhile.
func (l *Line) InTurn(ctx context.Context, f func() error) error {
	return l.hold(ctx, func() error {
		if l.failed != nil {
			return l.failed
		}
		return f()
	})
}

func (l *Line) hold(ctx context.Context, f func() error) error {
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
		return f()
	case <-ctx.Done():
		return ctx.Err()
	}
}
