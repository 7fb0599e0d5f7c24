package store

import (
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
)

// lockName is the file that carries the lock on a Badger folder. Badger has one of its
// own, and takes it too late for what is done to the folder before.
const lockName = "lock"

// Badger is a store in a folder of the local disk.
type Badger struct {
	db   *badger.DB
	lock *os.File
	turn sync.Mutex // held by who updates, so that it reads the latest
}

var _ Store = (*Badger)(nil)

// OpenBadger opens or makes the store in a folder that exists. A folder that is open
// already gives [ErrLocked], one that is not as Badger left it [ErrDamaged].
func OpenBadger(dir string) (*Badger, error) {
	lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := Lock(lock); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	db, err := openBadger(dir)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return &Badger{db: db, lock: lock}, nil
}

func openBadger(dir string) (db *badger.DB, err error) {
	if err := errors.Join(dropEmptyLogs(dir), checkTables(dir)); err != nil {
		return nil, err
	}
	err = guard(func() (err error) {
		db, err = badger.Open(badgerOptions(dir))
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
func badgerOptions(dir string) badger.Options {
	return badger.DefaultOptions(dir).
		WithSyncWrites(true).
		WithLogger(nil).
		WithMetricsEnabled(false).
		WithCompression(options.None).
		WithBlockCacheSize(0).
		WithChecksumVerificationMode(options.OnBlockRead).
		WithMemTableSize(16 << 20).
		WithValueThreshold(1 << 10).
		WithValueLogFileSize(64 << 20).
		WithNumMemtables(2).
		WithNumCompactors(2).
		WithDetectConflicts(false)
}

// View runs f on a snapshot.
func (b *Badger) View(f func(Reader) error) error {
	return guard(func() error {
		return b.db.View(func(txn *badger.Txn) error { return f(badgerTxn{txn}) })
	})
}

// Update runs f and syncs what it staged, in one write.
func (b *Badger) Update(f func(Txn) error) error {
	b.turn.Lock()
	defer b.turn.Unlock()
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
		for row, err := range rows {
			if err != nil {
				return err
			}
			if err := batch.Set(append([]byte(nil), row.Key...), append([]byte(nil), row.Value...)); err != nil {
				return err
			}
		}
		return batch.Flush()
	})
}

// Shared is false: the folder is locked.
func (b *Badger) Shared() bool { return false }

// Close gives the folder back.
func (b *Badger) Close() error { return errors.Join(guard(b.db.Close), b.lock.Close()) }

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
