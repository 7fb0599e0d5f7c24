package store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
)

// lockName is the file that carries the lock on a Badger folder. Badger has one of its
// own, and takes it too late for what is done to the folder before.
const lockName = "lock"

// Badger is a store in a folder of the local disk.
type Badger struct {
	dir  string
	lock *os.File
	turn sync.Mutex // held by who updates, so that it reads the latest

	// life is held for reading by who uses db. Who replaces it, in its turn to update, only
	// ever tries to have it alone: a View may last.
	life    sync.RWMutex
	db      *badger.DB
	cramped bool // opened without what would need room to work in
}

var _ Store = (*Badger)(nil)

// OpenBadger opens or makes the store in a folder that exists. A folder that is open
// already gives [ErrLocked], one that is not as Badger left it [ErrDamaged].
//
// Of a disk that is nearly full it leaves [Reserve] free: updates are refused with
// [ErrFull] and views go on. Where there is not even room for what opening itself writes,
// or for a new store, it gives [ErrFull], too.
func OpenBadger(dir string) (*Badger, error) {
	lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := Lock(lock); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	b := &Badger{dir: dir, lock: lock}
	if err := b.open(); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return b, nil
}

// open opens Badger, without compaction when there is no room for one.
func (b *Badger) open() error {
	options := badgerOptions(b.dir)
	err := checkRoom(b.dir, Reserve)
	cramped := errors.Is(err, ErrFull)
	if err != nil && (!cramped || isNew(b.dir)) {
		return err
	}
	if cramped {
		need, err := flushNeed(b.dir)
		if err = errors.Join(err, checkRoom(b.dir, need)); err != nil {
			return err
		}
		// Tables pile up meanwhile, which is no reason to wait for a compaction.
		options = options.WithNumCompactors(0).WithNumLevelZeroTablesStall(1000)
	}
	db, err := openBadger(b.dir, options)
	if err != nil {
		return err
	}
	b.db, b.cramped = db, cramped
	return nil
}

// isNew: nothing was ever stored in the folder.
func isNew(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, badger.ManifestFilename))
	return errors.Is(err, os.ErrNotExist)
}

// room is [ErrFull] while there is too little for an update. The caller has the turn.
func (b *Badger) room() error {
	if err := checkRoom(b.dir, Reserve); err != nil || !b.cramped {
		return err
	}
	for range crampedTries {
		if b.life.TryLock() {
			defer b.life.Unlock()
			if err := b.reopen(); err != nil || !b.cramped {
				return err
			}
			return fmt.Errorf("%w: what opening it again wrote has taken the room", ErrFull)
		}
		time.Sleep(crampedPause)
	}
	return fmt.Errorf("%w: there is room again, and readers leave no gap to use it", ErrFull)
}

// How long an update waits for a moment without readers, once after a full disk.
const (
	crampedTries = 200
	crampedPause = 5 * time.Millisecond
)

// reopen gives Badger its compaction back. While it cannot be opened again, the next
// update tries, and views say that they cannot.
func (b *Badger) reopen() error {
	if b.db != nil {
		_ = guard(b.db.Close) // what it is good for, opening tells
		b.db = nil
	}
	return b.open()
}

// errReopening is for views between a failed reopening and the next.
var errReopening = fmt.Errorf("%w: it could not be opened again after the disk was full", ErrUnavailable)

func openBadger(dir string, o badger.Options) (db *badger.DB, err error) {
	if err := errors.Join(dropEmptyLogs(dir), checkTables(dir)); err != nil {
		return nil, err
	}
	err = guard(func() (err error) {
		db, err = badger.Open(o)
		return err
	})
	switch {
	case err == nil || errors.Is(err, ErrDamaged):
		return db, err
	case strings.Contains(err.Error(), "Cannot acquire directory lock"):
		return nil, ErrLocked
	}
	return nil, fmt.Errorf("%w: %v", ErrDamaged, err)
}

// badgerOptions keep Badger small and honest: every commit synced, every block
// checked when read, no compression of what is ciphertext anyway, and larger values
// in the value log, which keeps memory and start-up small.
//
// Memory of its own is bounded by the memtables, 3 of 16 MiB; the rest is pages of mapped
// files, which the system takes back when others need them. With 200,000 subjects of 2 KB
// (0.5 GB on disk) a process held 357 MB at most, 35 MB of them its own, and started in
// 0.3 s (`tamga bench store --subjects 200000`, 2 cores): a machine with 2 GB has room.
func badgerOptions(dir string) badger.Options {
	return badger.DefaultOptions(dir).
		WithSyncWrites(true).
		WithLogger(nil).
		WithMetricsEnabled(false).
		WithCompression(options.None).
		WithBlockCacheSize(0).
		WithChecksumVerificationMode(options.OnBlockRead).
		WithMemTableSize(memTableSize).
		WithNumMemtables(memTables).
		WithNumLevelZeroTablesStall(levelZero).
		WithBaseLevelSize(baseLevelSize).
		WithValueThreshold(1 << 10).
		WithValueLogFileSize(valueLogSize).
		WithNumCompactors(2).
		WithDetectConflicts(false)
}

// View runs f on a snapshot.
func (b *Badger) View(f func(Reader) error) error {
	b.life.RLock()
	defer b.life.RUnlock()
	if b.db == nil {
		return errReopening
	}
	return guard(func() error {
		return b.db.View(func(txn *badger.Txn) error { return f(badgerTxn{txn}) })
	})
}

// Ready asks how full the disk is.
func (b *Badger) Ready() error { return checkRoom(b.dir, Reserve) }

// Update runs f and syncs what it staged, in one write.
func (b *Badger) Update(f func(Txn) error) error {
	b.turn.Lock()
	defer b.turn.Unlock()
	if err := b.room(); err != nil {
		return err
	}
	b.life.RLock()
	defer b.life.RUnlock()
	if b.db == nil {
		return errReopening
	}
	return guard(func() error {
		txn := b.db.NewTransaction(true)
		defer txn.Discard()
		if err := f(badgerTxn{txn}); err != nil {
			return err
		}
		if err := guard(txn.Commit); err != nil {
			return fmt.Errorf("%w: %v", ErrInDoubt, err)
		}
		return nil
	})
}

// Load writes in batches that Badger sizes.
func (b *Badger) Load(rows iter.Seq2[Row, error]) error {
	return guard(func() error {
		if err := b.View(empty); err != nil {
			return err
		}
		batch := b.db.NewWriteBatch()
		defer batch.Cancel()
		written := 0
		for row, err := range rows {
			if err != nil {
				return err
			}
			if written += len(row.Key) + len(row.Value); written > MaxUpdate {
				if err := checkRoom(b.dir, Reserve); err != nil {
					return err
				}
				written = 0
			}
			if err := batch.Set(append([]byte(nil), row.Key...), append([]byte(nil), row.Value...)); err != nil {
				return err
			}
		}
		return batch.Flush()
	})
}

// Collect rewrites value logs that are mostly rows which are gone, each into a new one,
// and removes them; it returns how many. One that is not worth it stays. Views and updates
// go on. It does nothing while there is too little room.
func (b *Badger) Collect(ctx context.Context) (logs int, err error) {
	for {
		if err := errors.Join(ctx.Err(), checkRoom(b.dir, Reserve)); err != nil {
			return logs, err
		}
		err := b.collect()
		switch {
		case errors.Is(err, badger.ErrNoRewrite), errors.Is(err, badger.ErrRejected):
			return logs, nil
		case err != nil:
			return logs, err
		}
		logs++
	}
}

// worthCollecting is which part of a value log must be gone for the rest to be rewritten.
const worthCollecting = 0.5

func (b *Badger) collect() error {
	b.life.RLock()
	defer b.life.RUnlock()
	if b.db == nil {
		return errReopening
	}
	return guard(func() error { return b.db.RunValueLogGC(worthCollecting) })
}

// Shared is false: the folder is locked.
func (b *Badger) Shared() bool { return false }

// Close gives the folder back. Where there is no room for the tables that Badger makes of
// its logs on closing, it is left open until the process ends: all that was acknowledged is
// in the logs.
func (b *Badger) Close() error {
	if b.db == nil {
		return b.lock.Close()
	}
	need, err := flushNeed(b.dir)
	if err == nil && errors.Is(checkRoom(b.dir, need), ErrFull) {
		return b.lock.Close()
	}
	return errors.Join(guard(b.db.Close), b.lock.Close())
}

// badgerTxn is a Badger transaction as a Txn.
type badgerTxn struct{ txn *badger.Txn }

func (t badgerTxn) Get(key []byte) ([]byte, error) {
	item, err := t.txn.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return item.ValueCopy(nil)
}

// Fetch has nothing to bring nearer.
func (badgerTxn) Fetch(...[]byte) error { return nil }

// Scan reads values when it comes to them: Badger would prefetch them in goroutines of
// its own, where a fault in a mapped file ends the process.
func (t badgerTxn) Scan(prefix, after []byte) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		it := t.txn.NewIterator(badger.IteratorOptions{Prefix: prefix})
		defer it.Close()
		for it.Seek(start(prefix, after)); it.Valid(); it.Next() {
			item, more := it.Item(), true
			err := item.Value(func(v []byte) error {
				more = yield(Row{item.Key(), v}, nil)
				return nil
			})
			if err != nil {
				yield(Row{}, err)
				return
			}
			if !more {
				return
			}
		}
	}
}

// start is the least key that a Scan may yield.
func start(prefix, after []byte) []byte {
	if string(after) < string(prefix) || after == nil {
		return prefix
	}
	return append(append(make([]byte, 0, len(after)+1), after...), 0)
}

func (t badgerTxn) Set(key, value []byte) error { return t.txn.Set(key, value) }

func (t badgerTxn) Delete(key []byte) error { return t.txn.Delete(key) }
