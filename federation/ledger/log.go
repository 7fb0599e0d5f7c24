package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	badger "github.com/dgraph-io/badger/v4"
	"github.com/tamga-id/tamga/federation/ledger/internal/disk"
	"github.com/tamga-id/tamga/federation/ledger/internal/merkle"
	"github.com/tamga-id/tamga/federation/ledger/internal/slots"
	"github.com/tamga-id/tamga/federation/ledger/lognote"
)

// Config says where a log is and who signs it. All fields but Outside are required.
type Config struct {
	// Dir is the log's own folder; created with mode 0700 when absent. Nothing
	// else may be kept in it.
	Dir string
	// Signer holds the log's name and keys. A log opened with other keys or
	// another origin than it was made with is refused.
	Signer lognote.Signer
	// Now is the clock whose time goes into checkpoints. A wrong clock makes
	// checkpoints claim a wrong time and does no other harm.
	Now func() time.Time
	// Outside is a file outside Dir that remembers the latest checkpoint, too;
	// empty for none. With it a whole folder that was put back to an earlier state
	// is refused: [ErrOutdated], or [ErrForgotten] when the file is not there. It
	// protects as far as who puts the folder back does not put back the file.
	Outside string
}

func (c Config) check() error {
	var errs []error
	if c.Dir == "" {
		errs = append(errs, errors.New("no folder given"))
	}
	if c.Signer.IsZero() {
		errs = append(errs, errors.New("no signer given"))
	}
	if c.Now == nil {
		errs = append(errs, errors.New("no clock given"))
	}
	return errors.Join(errs...)
}

// Log is an open ledger. It is safe for concurrent use.
type Log struct {
	// Immutable after Open.
	dir     string
	now     func() time.Time
	outside string
	lock    *os.File
	// outsideLock is the file outside, taken; nil for none.
	outsideLock *os.File
	db          *badger.DB

	// identity are the keys in use; replaced whole by UseSigner.
	identity atomic.Pointer[identity]

	queue queue
	head  atomic.Pointer[head]

	// turn has room for one: who sent into it may commit and owns failed, slots
	// and memory until it receives again.
	turn   chan struct{}
	failed error
	slots  *slots.File
	memory *slots.File // at outside; nil for none

	// life is held for reading while the store is read, so that Close cannot
	// unmap files under a reader.
	life   sync.RWMutex
	closed bool
}

// identity is who signs the log's checkpoints, and whose are taken for its own.
type identity struct {
	signer   lognote.Signer
	verifier lognote.Verifier
}

// head is the published state after a commit; immutable.
type head struct {
	size       uint64
	frontier   [][]byte // compact range of [0, size)
	checkpoint []byte
}

// Open opens or creates the log in cfg.Dir and starts nothing. It checks in
// O(log n), and after a crash also whatever the write-ahead logs hold, that the
// store agrees with its signed checkpoint and with the one kept beside it; use
// [Verify] to check everything. Errors: [ErrLocked], [ErrTampered], [ErrRolledBack],
// [ErrOutdated], [ErrForgotten], [lognote.ErrOrigin], [lognote.ErrKey] and [ErrNoSpace]. Whoever opens a log closes it.
func Open(ctx context.Context, cfg Config) (*Log, error) {
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("opening ledger: %w", err)
	}
	v, err := cfg.Signer.Verifier()
	if err != nil {
		return nil, fmt.Errorf("opening ledger: %w", err)
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("opening ledger: %w", err)
	}
	lock, err := lockDir(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("opening ledger: %w", err)
	}
	l := &Log{
		dir: cfg.Dir, now: cfg.Now, outside: cfg.Outside,
		lock: lock, turn: make(chan struct{}, 1),
	}
	l.identity.Store(&identity{cfg.Signer, v})
	if err := l.lockOutside(); err != nil {
		lock.Close()
		return nil, fmt.Errorf("opening ledger: %w", err)
	}
	if err := l.open(ctx); err != nil {
		l.unlock()
		return nil, fmt.Errorf("opening ledger: %w", err)
	}
	// Keys that were put into use while the log was closed.
	if cfg.Signer.Generations() > 1 {
		h, err := l.signedBy(cfg.Signer)
		if err == nil {
			err = l.put(h)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("opening ledger: %w", err), l.Close())
		}
	}
	return l, nil
}

// lockDir takes the folder for this use alone.
func lockDir(dir string) (*os.File, error) {
	f, err := disk.Lock(dir)
	if errors.Is(err, disk.ErrInUse) {
		return nil, ErrLocked
	}
	return f, err
}

// unlock gives the folder and the file outside back.
func (l *Log) unlock() error {
	err := l.lock.Close()
	if l.outsideLock != nil {
		err = errors.Join(l.outsideLock.Close(), err)
	}
	return err
}

// open does Open's work under the lock. Badger is let at the files only after
// it is sure that its repairs will lose nothing that was acknowledged.
func (l *Log) open(ctx context.Context) error {
	if err := checkSpace(l.dir); err != nil {
		return err
	}
	path := filepath.Join(l.dir, slotFile)
	known, err := l.remembered(path)
	if err != nil {
		return err
	}
	outside := slots.State{Index: -1}
	if l.outside != "" {
		if outside, err = l.recalled(known.Best); err != nil {
			return err
		}
	}
	store := filepath.Join(l.dir, storeDir)
	if err := rehearse(ctx, l.dir, store, l.identity.Load().verifier, known.Best); err != nil {
		return err
	}
	if l.db, err = openStore(storeOptions(store)); err != nil {
		return err
	}
	if err := l.start(path, known, outside); err != nil {
		return errors.Join(err, guard("store", l.db.Close))
	}
	return nil
}

// start checks the opened store and refreshes both slots.
func (l *Log) start(path string, known, outside slots.State) error {
	var h *head
	err := view(l.db, func(txn *badger.Txn) (err error) {
		if h, err = checkHead(txn, l.identity.Load().verifier, known.Best); err != nil {
			return err
		}
		return checkOutside(txn, h, outside)
	})
	if err != nil {
		return err
	}
	if h.checkpoint == nil {
		h.checkpoint = known.Raw
	}
	if l.slots, err = slots.Open(path, false, known.Index); err != nil {
		return err
	}
	if err := l.slots.Settle(h.checkpoint); err != nil {
		return errors.Join(err, l.slots.Close())
	}
	l.head.Store(h)
	if err := l.openOutside(outside); err != nil {
		return errors.Join(err, l.slots.Close())
	}
	return nil
}

// remembered reads the checkpoint file, and makes one for a log that is new: one
// with neither a store nor a checkpoint.
func (l *Log) remembered(path string) (slots.State, error) {
	known, err := recall(path, l.identity.Load().verifier)
	if err == nil || !errors.Is(err, ErrTampered) {
		return known, err
	}
	if _, statErr := os.Stat(filepath.Join(l.dir, storeDir)); !errors.Is(statErr, os.ErrNotExist) {
		return slots.State{}, err
	}
	if err := l.create(path); err != nil {
		return slots.State{}, fmt.Errorf("creating: %w", err)
	}
	return recall(path, l.identity.Load().verifier)
}

// create signs the empty tree. The file is durable before the store exists, so a
// store without it is always damage.
func (l *Log) create(path string) error {
	root, err := merkle.RootAt(0, nil)
	if err != nil {
		return err
	}
	signed, err := l.identity.Load().signer.Sign(0, root, l.now())
	if err != nil {
		return err
	}
	s, err := slots.Open(path, true, -1)
	if err != nil {
		return err
	}
	if err := errors.Join(s.Settle(signed), s.Close(), disk.SyncDir(l.dir), disk.SyncDir(filepath.Dir(l.dir))); err != nil {
		return err
	}
	return nil
}

// checkHead verifies the stored checkpoint, that the stored tree leads to it,
// and that the tree extends the checkpoint known from outside the store.
func checkHead(txn *badger.Txn, v lognote.Verifier, known lognote.Checkpoint) (*head, error) {
	c, raw, err := storedCheckpoint(txn, v)
	if err != nil {
		return nil, err
	}
	if c.Size < known.Size {
		return nil, rolledBack(c.Size, known.Size)
	}
	read := storedNodes(txn)
	tree, err := merkle.Load(c.Size, read)
	if err != nil {
		return nil, err
	}
	h := &head{size: c.Size, frontier: tree.Hashes(), checkpoint: raw}
	if root, err := merkle.Root(tree); err != nil || raw != nil && !bytes.Equal(root, c.Root[:]) {
		return nil, tampered("tree", "its root is not the one in the stored checkpoint")
	}
	if root, err := merkle.RootAt(known.Size, read); err != nil {
		return nil, err
	} else if !bytes.Equal(root, known.Root[:]) {
		return nil, tampered("tree", "at size %d it is not the one in the checkpoint file", known.Size)
	}
	for _, kind := range []byte{kindHashes, kindLeaf} {
		if _, err := txn.Get(keyEntry(c.Size, kind)); !errors.Is(err, badger.ErrKeyNotFound) {
			return nil, tamperedEntry(c.Size, "record", "beyond the signed size")
		}
	}
	if c.Size == 0 {
		return h, nil
	}
	_, err = entry(txn, c.Size-1)
	return h, err
}

// Close waits for the commit under way, refuses those that wait, and closes the
// store. A second Close returns [ErrClosed].
func (l *Log) Close() error {
	l.queue.mu.Lock()
	again := l.queue.closed
	l.queue.closed = true
	l.queue.mu.Unlock()
	if again {
		return ErrClosed
	}
	l.turn <- struct{}{}
	defer func() { <-l.turn }()
	if l.failed == nil {
		l.failed = ErrClosed // what still waits in the queue learns it from here
	}
	l.life.Lock()
	defer l.life.Unlock()
	l.closed = true
	err := errors.Join(
		l.slots.Settle(l.head.Load().checkpoint),
		l.slots.Close(),
		l.closeOutside(),
		closeStore(l.dir, l.db),
		l.unlock(),
	)
	if err != nil {
		return fmt.Errorf("closing ledger: %w", err)
	}
	return nil
}
