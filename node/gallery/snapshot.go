package gallery

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"

	"github.com/tamga-id/tamga/node/gallery/store"
)

// Row is one entry of the store as it lies there: ciphertext under names that say
// nothing. It is valid until the next one is asked for.
type Row = store.Row

// Snapshot yields every row of the gallery as of one moment, in the order of the
// keys, while enrolments go on. Subjects is how many subjects the rows hold.
func (g *Gallery) Snapshot(ctx context.Context, visit func(Row) error) (subjects uint64, err error) {
	err = g.view(func(txn store.Reader) error {
		t, err := g.storedTally(txn)
		if err != nil {
			return damaged("reading tally", err)
		}
		var counted uint64
		for row, err := range txn.Scan(nil, nil) {
			if err = errors.Join(err, ctx.Err()); err != nil {
				return err
			}
			if row.Key[0] == 'v' {
				counted++
			}
			if err := visit(row); err != nil {
				return err
			}
		}
		// A store may lose rows to damage without saying so.
		if subjects = t.subjects; counted != subjects {
			return fmt.Errorf("%w: subjects are missing from the store", ErrDamaged)
		}
		return nil
	})
	if err == nil && !g.db.Shared() { // the rows of a shared store have it
		err = g.snapshotErasures(visit)
	}
	if err != nil {
		return 0, fmt.Errorf("reading gallery: %w", err)
	}
	return subjects, nil
}

// erasureRow begins the key of a row that is an entry of the list of erasures; the
// entry's number follows. Only a shared store keeps such rows.
const erasureRow = 'z'

func erasureKey(number uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{erasureRow}, number)
}

// snapshotErasures yields the list of erasures, which may by now say more than the
// store as it was: who opens what is restored from it erases that, too.
func (g *Gallery) snapshotErasures(visit func(Row) error) error {
	f, err := os.Open(g.erased.file.Name())
	if err != nil {
		return err
	}
	defer f.Close()
	r := bufio.NewReader(f)
	entry := make([]byte, erasureSize)
	for i := uint64(0); ; i++ {
		if _, err := io.ReadFull(r, entry); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := visit(Row{Key: erasureKey(i), Value: entry}); err != nil {
			return err
		}
	}
}

// Restore makes in dir, which must not exist, the gallery whose rows [Gallery.Snapshot]
// gave. A longer list of erasures that lies beside dir already is kept, and carried out
// when the gallery is opened. It needs no key and cannot tell what the rows hold: that they are complete
// and of this node shows when [Open] opens them. Errors of rows are returned.
func Restore(ctx context.Context, dir string, rows iter.Seq2[Row, error]) error {
	if err := restore(ctx, dir, rows); err != nil {
		return fmt.Errorf("restoring gallery: %w", err)
	}
	return nil
}

func restore(ctx context.Context, dir string, rows iter.Seq2[Row, error]) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	db, err := store.OpenBadger(dir)
	if err != nil {
		return err
	}
	var tally []byte
	list, err := newRestoredList(dir)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	err = db.Load(func(yield func(Row, error) bool) {
		for row, err := range rows {
			err = errors.Join(err, ctx.Err())
			if err == nil && len(row.Key) > 0 && row.Key[0] == erasureRow {
				if _, err = list.Write(row.Value); err == nil {
					continue
				}
			}
			if string(row.Key) == string(keyTally()) {
				tally = bytes.Clone(row.Value)
			}
			if !yield(row, err) {
				return
			}
		}
	})
	if err = errors.Join(err, db.Close(), list.Sync(), list.Close()); err != nil {
		return err
	}
	if err := keepLonger(list.Name(), ErasuresFile(dir)); err != nil {
		return err
	}
	return restoreTally(dir, tally)
}

func newRestoredList(dir string) (*os.File, error) {
	return os.OpenFile(ErasuresFile(dir)+".restored", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
}

// keepLonger puts the restored list in its place unless one that says as much is there.
func keepLonger(restored, place string) error {
	was, err := os.Stat(place)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	is, statErr := os.Stat(restored)
	if statErr != nil {
		return statErr
	}
	if err == nil && was.Size() >= is.Size() {
		return os.Remove(restored)
	}
	return errors.Join(os.Rename(restored, place), syncFolder(place))
}

// restoreTally makes the file beside the store. A gallery into which nobody was
// ever enrolled has no tally, and [Open] makes the file as it does for a new one.
func restoreTally(dir string, sealed []byte) error {
	if sealed == nil {
		return nil
	}
	f, err := os.OpenFile(filepath.Join(dir, tallyName), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	for slot := range 2 {
		_, e := f.WriteAt(sealed, int64(slot)*tallyStep)
		err = errors.Join(err, e)
	}
	return errors.Join(err, f.Sync(), f.Close())
}
