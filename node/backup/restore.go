package backup

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/node/gallery/snapshot"
	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/internal/durable"
)

// DataDir is the folder of gallery and ledgers inside a restored one.
const DataDir = "data"

// Restore makes dir, which must not exist, the folder of the node as it was, with the keys
// that e holds now. Without an escrow, for which e is nil, the folder is that of no node:
// there is the ledger to recompute, and rows that do not open. With an error the folder is
// removed. progress may be nil. Errors: those of [Escrow.Covers].
func (c *Checked) Restore(ctx context.Context, dir string, e *Escrow, progress func(string, uint64)) (err error) {
	if e != nil {
		if err := e.Covers(c.Manifest); err != nil {
			return fmt.Errorf("restoring backup: %w", err)
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("restoring backup: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("restoring backup: %w", err), os.RemoveAll(dir))
		}
	}()
	if err := os.Mkdir(filepath.Join(dir, DataDir), 0o700); err != nil {
		return err
	}
	f, err := os.Open(c.file)
	if err != nil {
		return err
	}
	defer f.Close()
	s, err := openSealed(f, KindBackup)
	if err != nil {
		return err
	}
	r, err := s.walk(ctx, c.ids, progress, func(name string, r *reader) error { return c.put(ctx, dir, name, r) })
	if err != nil {
		return err
	}
	// The file was checked before; this is about the one that was read now.
	if err := compare(c.Manifest.Parts, r.parts); err != nil {
		return err
	}
	if e != nil {
		for _, f := range e.files {
			if err := writeNew(filepath.Join(dir, f.Name), f.Data); err != nil {
				return err
			}
		}
	}
	return durable.Folders(filepath.Join(dir, DataDir), dir)
}

func (c *Checked) put(ctx context.Context, dir, name string, r *reader) error {
	data := filepath.Join(dir, DataDir)
	file, isFile := strings.CutPrefix(name, filePrefix)
	switch {
	case isFile:
		b, err := r.one()
		if err != nil {
			return err
		}
		return writeNew(filepath.Join(dir, file), b)
	case name == partGallery:
		return snapshot.Restore(ctx, filepath.Join(data, partGallery), rows(r))
	case strings.HasSuffix(name, suffixHead):
		_, err := r.one()
		return err
	}
	v, ok := c.verifiers[name]
	if !ok {
		return damaged(name, "not the part it was")
	}
	return ledger.Restore(ctx, filepath.Join(data, name), v, c.heads[name], r.records())
}

// rows splits the records of the gallery's part.
func rows(r *reader) iter.Seq2[store.Row, error] {
	return func(yield func(store.Row, error) bool) {
		for b, err := range r.records() {
			var row store.Row
			if err == nil {
				row, err = splitRow(b)
			}
			if !yield(row, err) || err != nil {
				return
			}
		}
	}
}

func splitRow(b []byte) (store.Row, error) {
	if len(b) < 2 || len(b)-2 < int(binary.BigEndian.Uint16(b)) {
		return store.Row{}, damaged(partGallery, "a row is too short")
	}
	n := int(binary.BigEndian.Uint16(b))
	return store.Row{Key: b[2 : 2+n], Value: b[2+n:]}, nil
}

func writeNew(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

// Audit recomputes the ledgers of a restored folder from their entries.
func (c *Checked) Audit(ctx context.Context, dir string) error {
	for _, l := range c.Manifest.Ledgers {
		r, err := ledger.Verify(ctx, filepath.Join(dir, DataDir, l.Name), c.verifiers[l.Name], nil)
		if err != nil {
			return err
		}
		if r.Size != l.Size || string(r.Root[:]) != string(l.Root) {
			return damaged(l.Name, "the restored ledger is not the one that the manifest names")
		}
	}
	return nil
}
