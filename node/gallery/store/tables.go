package store

import (
	"errors"
	"fmt"
	"os"

	"github.com/tamga-id/tamga/federation/ledger/badgerfile"
)

// checkTables looks at the ends of Badger's tables before Badger does, because it
// opens them in goroutines of its own and there ends the process over a bad one. The
// caller has the folder's lock.
func checkTables(dir string) error {
	err := badgerfile.CheckTables(dir)
	if d, ok := errors.AsType[*badgerfile.Damage](err); ok {
		if d.Rule == badgerfile.Missing {
			// The fsync of MANIFEST failed, and Badger made the table again under another number:
			// which one that is nobody has noted.
			return fmt.Errorf("%w: %v: it was removed, or the disk failed while the store last wrote it; look at the disk, put this folder aside, and restore the newest backup", ErrDamaged, err)
		}
		return fmt.Errorf("%w: %v", ErrDamaged, err)
	}
	return err
}

// dropEmptyLogs removes logs without a byte in them: the process died between making
// one and giving it its length, so that nothing was ever in it, and Badger takes it for
// damage. One that was emptied afterwards is missed by the tally all the same. The
// caller has the folder's lock.
func dropEmptyLogs(dir string) error {
	values, err := badgerfile.List(dir, ".vlog")
	if err != nil {
		return err
	}
	logs, err := badgerfile.List(dir, ".mem")
	if err != nil {
		return err
	}
	for _, path := range append(values, logs...) {
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		if info.Mode().IsRegular() && info.Size() == 0 {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	return nil
}
