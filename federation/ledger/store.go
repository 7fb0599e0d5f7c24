package ledger

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	badger "github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/tamga-id/tamga/federation/ledger/badgerfile"
	"github.com/tamga-id/tamga/federation/ledger/internal/disk"
	"github.com/tamga-id/tamga/federation/ledger/internal/merkle"
	"github.com/tamga-id/tamga/federation/ledger/internal/slots"
	"github.com/tamga-id/tamga/federation/ledger/lognote"
	"github.com/transparency-dev/merkle/compact"
)

const (
	storeDir = "store"      // Badger's folder inside the ledger's
	slotFile = "checkpoint" // see package slots

	// memTableSize bounds what waits in memory and what is replayed after a crash;
	// Badger maps twice as much per write-ahead log and takes a transaction of at
	// most 15 % of it, which maxBatchBytes and maxBatchLeaves stay well below.
	memTableSize   = 8 << 20
	maxBatchBytes  = 512 << 10
	maxBatchLeaves = 1024

	// reserveBytes must be free before a batch is written. Badger writes through
	// memory maps of sparse files, so a full disk would not be an error but a
	// SIGBUS; the reserve covers a flush and a compaction on top of the batch.
	reserveBytes = 128 << 20
	// closeBytes is more than the memtables that Badger flushes on closing.
	closeBytes = 4 * memTableSize
)

// storeOptions: small caps everywhere, no compression (leaves are mostly hashes
// and signatures) and therefore no block cache, checksum on every block read.
// No value ever reaches the value log: the default threshold is far above MaxLeaf.
func storeOptions(dir string) badger.Options {
	return badger.DefaultOptions(dir).
		WithSyncWrites(true).
		WithMemTableSize(memTableSize).
		WithNumMemtables(2).
		WithValueLogFileSize(1 << 20).
		WithCompression(options.None).
		WithBlockCacheSize(0).
		WithIndexCacheSize(0).
		WithNumCompactors(2). // the least Badger allows
		WithChecksumVerificationMode(options.OnBlockRead).
		WithDetectConflicts(false).
		WithMetricsEnabled(false).
		WithLogger(nil)
}

// Record keys inside Badger. Entry records sort by index, the hashes of an entry
// before its leaf, so one forward scan reads the log in order:
//
//	"c"                      latest checkpoint
//	"e" || uint64 || "h"     the tree nodes that entry completes, leaf hash first
//	"e" || uint64 || "l"     the leaf
const (
	kindHashes = 'h'
	kindLeaf   = 'l'
)

func keyCheckpoint() []byte { return []byte("c") }

func keyEntry(index uint64, kind byte) []byte {
	k := make([]byte, 0, 10)
	k = append(k, 'e')
	k = binary.BigEndian.AppendUint64(k, index)
	return append(k, kind)
}

// entryIndex is the index in the key of an entry's record.
func entryIndex(key []byte) (uint64, bool) {
	if len(key) != 10 || key[0] != 'e' {
		return 0, false
	}
	return binary.BigEndian.Uint64(key[1:9]), true
}

// checkSpace refuses to write where reserveBytes are not free.
func checkSpace(dir string) error {
	free, err := disk.Free(dir)
	if err != nil {
		return fmt.Errorf("asking for free disk space: %w", err)
	}
	if free < reserveBytes {
		return fmt.Errorf("%d bytes free, %d are kept in reserve: %w", free, uint64(reserveBytes), ErrNoSpace)
	}
	return nil
}

// guard runs f and turns a panic of the store into damage found in part.
func guard(part string, f func() error) error {
	return asTampered(badgerfile.Guard(part, f))
}

// asTampered gives damage its public type.
func asTampered(err error) error {
	if d, ok := errors.AsType[*badgerfile.Damage](err); ok {
		return tampered(d.Part, "%s", d.Rule)
	}
	return err
}

// recall reads the file of the latest checkpoint.
func recall(path string, v lognote.Verifier) (slots.State, error) {
	s, err := slots.Read(path, v)
	if d, ok := errors.AsType[*slots.Damage](err); ok {
		return slots.State{}, tampered("checkpoint file", "%s", d.Rule)
	}
	return s, err
}

// examine looks at the store's files before Badger does.
func examine(ctx context.Context, dir string, deep bool) (badgerfile.Store, error) {
	s, err := badgerfile.Examine(ctx, dir, deep, entryIndex)
	return s, asTampered(err)
}

// openStore opens a store whose files were examined before, so that an error is
// rather the system's (permissions, descriptors, memory) than damage.
func openStore(opts badger.Options) (db *badger.DB, err error) {
	err = guard("store", func() error {
		if db, err = badger.Open(opts); err != nil {
			return fmt.Errorf("opening store: %v", err)
		}
		return nil
	})
	return db, err
}

// closeStore closes db, unless there is no room for the tables that Badger makes of its
// logs on closing: then it stays open until the process ends, and the logs hold all.
func closeStore(dir string, db *badger.DB) error {
	if free, err := disk.Free(dir); err == nil && free < closeBytes {
		return nil
	}
	return guard("store", db.Close)
}

// view runs f in a read transaction. What f returns is damage, unless f says
// otherwise, because reading a record that must exist cannot fail in a sound store.
func view(db *badger.DB, f func(*badger.Txn) error) error {
	return guard("store", func() error {
		err := db.View(f)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, ErrTampered), errors.Is(err, ErrOutdated), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
			return err
		case errors.Is(err, badger.ErrDBClosed):
			return ErrClosed
		}
		return tampered("store", "%v", err)
	})
}

// errAbsent means that a record does not exist.
var errAbsent = errors.New("record is absent")

// value returns a copy of a record.
func value(txn *badger.Txn, key []byte) ([]byte, error) {
	item, err := txn.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, errAbsent
	}
	if err != nil {
		return nil, err
	}
	return item.ValueCopy(nil)
}

// storedNodes reads tree nodes from the store.
func storedNodes(txn *badger.Txn) merkle.Reader {
	return func(id compact.NodeID) ([]byte, error) {
		index, offset := merkle.Home(id)
		record, err := hashRecord(txn, index)
		if err != nil {
			return nil, err
		}
		return record[offset : offset+merkle.HashSize], nil
	}
}

func hashRecord(txn *badger.Txn, index uint64) ([]byte, error) {
	record, err := value(txn, keyEntry(index, kindHashes))
	if errors.Is(err, errAbsent) {
		return nil, tamperedEntry(index, "tree hashes", "missing")
	}
	if err != nil {
		return nil, err
	}
	if len(record) != merkle.HashSize*merkle.Hashes(index) {
		return nil, tamperedEntry(index, "tree hashes", "wrong length")
	}
	return record, nil
}

// storedCheckpoint reads and verifies the checkpoint inside the store. A store
// that was never written to has none, which stands for the empty tree.
func storedCheckpoint(txn *badger.Txn, v lognote.Verifier) (lognote.Checkpoint, []byte, error) {
	raw, err := value(txn, keyCheckpoint())
	if errors.Is(err, errAbsent) {
		return lognote.Checkpoint{}, nil, nil
	}
	if err != nil {
		return lognote.Checkpoint{}, nil, err
	}
	c, err := v.Checkpoint(raw)
	if err != nil {
		return lognote.Checkpoint{}, nil, tampered("stored checkpoint", "%v", err)
	}
	return c, raw, nil
}
