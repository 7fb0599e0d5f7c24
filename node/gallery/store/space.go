package store

import (
	"errors"
	"fmt"
	"math"
	"os"

	"github.com/tamga-id/tamga/federation/ledger/badgerfile"
)

// FreeSpace is how many bytes a process can still write below dir; false where that is not known.
func FreeSpace(dir string) (uint64, bool) {
	free, err := freeSpace(dir)
	return free, err == nil && free != math.MaxUint64
}

// Badger writes logs and tables through memory maps of files with holes, so that a full
// disk is no error but a SIGBUS, most of the time in a goroutine of Badger's own, where
// it ends the process. Hence no update begins unless there is room for all that it can
// set off. How full the disk is is asked before every one: it costs a microsecond, and
// updates go on by themselves when there is room again.
const (
	memTableSize  = 16 << 20
	memTables     = 2        // besides the one that is written
	levelZero     = 15       // tables that wait for compaction before updates do
	baseLevelSize = 10 << 20 // and up to ten times that in the level below
	valueLogSize  = 64 << 20

	// Reserve is how much of the disk a Badger store leaves free: an update in each of
	// the two logs, the flush of every memtable, a compaction of level zero beside what it
	// replaces, and one value log that is rewritten.
	Reserve = 2*MaxUpdate + (memTables+1)*memTableSize + levelZero*memTableSize + 10*baseLevelSize + valueLogSize

	// openSlack is what opening writes besides tables: beginnings of new logs, the ends of
	// MANIFEST and statistics.
	openSlack = 16 << 20
)

// checkRoom is [ErrFull] when less than need is free.
func checkRoom(dir string, need uint64) error {
	free, err := freeSpace(dir)
	if err != nil {
		return fmt.Errorf("asking for free disk space: %w", err)
	}
	if free < need {
		return fmt.Errorf("%w: %d MiB are free, %d are needed", ErrFull, free>>20, need>>20)
	}
	return nil
}

// flushNeed is what Badger writes on opening and closing: everything in the memtables'
// logs as tables, which are no larger.
func flushNeed(dir string) (uint64, error) {
	logs, err := badgerfile.List(dir, ".mem")
	if err != nil {
		return 0, err
	}
	need := uint64(openSlack)
	for _, path := range logs {
		n, err := allocated(path)
		if err != nil && !errors.Is(err, os.ErrNotExist) { // flushed meanwhile
			return 0, err
		}
		need += n
	}
	return need, nil
}
