package storebench

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"

	"github.com/tamga-id/tamga/node/storebench/drive"
)

// entriesOf reads off a closed gallery what a subject's rows are.
func entriesOf(dir string) (s drive.Spec, err error) {
	db, err := badger.Open(badger.DefaultOptions(dir).WithLogger(nil).WithReadOnly(true))
	if err != nil {
		return s, fmt.Errorf("looking at what the gallery wrote: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return s, db.View(func(txn *badger.Txn) error {
		for _, family := range []string{"v", "k", "r"} {
			it := txn.NewIterator(badger.IteratorOptions{Prefix: []byte(family)})
			it.Rewind()
			if !it.Valid() {
				it.Close()
				return fmt.Errorf("looking at what the gallery wrote: nothing under %q", family)
			}
			s.Entries = append(s.Entries, drive.Entry{Family: family, Size: int(it.Item().ValueSize())})
			it.Close()
		}
		return nil
	})
}

// sizeOf is what a folder takes on disk, which is less than the lengths of files with holes.
func sizeOf(dir string) (total int64, err error) {
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := os.Stat(path)
		if err == nil {
			total += onDisk(info)
		}
		return err
	})
	return total, err
}
