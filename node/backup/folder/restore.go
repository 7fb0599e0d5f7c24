package folder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/federation/ledger/lognote"
	"github.com/tamga-id/tamga/node/backup"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/gallery/erasure"
	"github.com/tamga-id/tamga/node/gap"
	"github.com/tamga-id/tamga/node/internal/durable"
	"github.com/tamga-id/tamga/node/keystore"
	"github.com/tamga-id/tamga/node/recovery"
	"github.com/tamga-id/tamga/node/stores"
	"github.com/tamga-id/tamga/node/subordinates"
)

// Restore makes dir, which must not exist, the folder of the node of a backup and its key
// escrow, in recovery. It appears under its name when it is complete. The file erasures, empty for
// none, is a later list of erasures of its gallery (erasure.File) than the one
// in the backup: whoever is on it is erased again before anybody is served.
func Restore(ctx context.Context, c *backup.Checked, keys *backup.Escrow, dir, erasures string, progress func(part string, records uint64)) (recovery.Claim, error) {
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		return recovery.Claim{}, fmt.Errorf("restoring backup: %s: %w", dir, fs.ErrExist)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return recovery.Claim{}, fmt.Errorf("restoring backup: %w", err)
	}
	partial := dir + ".partial"
	if err := errors.Join(os.RemoveAll(partial), os.MkdirAll(filepath.Dir(dir), 0o700)); err != nil { // partial of a restore that was killed
		return recovery.Claim{}, fmt.Errorf("restoring backup: %w", err)
	}
	if err := c.Restore(ctx, partial, keys, progress); err != nil {
		return recovery.Claim{}, err
	}
	if err := subordinates.Unpack(partial); err != nil {
		return recovery.Claim{}, errors.Join(fmt.Errorf("restoring backup: %w", err), os.RemoveAll(partial))
	}
	l := c.Manifest.Ledger()
	claim := recovery.Claim{EntityID: c.Manifest.EntityID, Why: "restored", Kept: recovery.Head{Origin: l.Origin, Size: l.Size, Root: l.Root}}
	b, err := claim.Marshal()
	if err == nil {
		err = durable.WriteNew(filepath.Join(partial, backup.DataDir, filepath.Base(gap.File(config.Config{}))), b, 0o600)
	}
	if err == nil {
		err = c.Audit(ctx, partial)
	}
	if err == nil && erasures != "" {
		err = laterErasures(erasures, erasure.File(stores.GalleryDir(config.Config{DataDir: filepath.Join(partial, backup.DataDir)})))
	}
	if err == nil {
		err = durable.Folders(filepath.Join(partial, backup.DataDir))
	}
	if err == nil {
		err = os.Rename(partial, dir)
	}
	if err == nil {
		err = durable.Folders(filepath.Dir(dir))
	}
	if err != nil {
		return recovery.Claim{}, errors.Join(fmt.Errorf("restoring backup: %w", err), os.RemoveAll(partial))
	}
	return claim, nil
}

// ErrErasures: a list of erasures does not go on from the one in the backup.
var ErrErasures = errors.New("the list of erasures is not a later one of this gallery")

// laterErasures puts a later list in the place of the one that the backup brought. That
// each entry was sealed by this gallery shows when it is opened.
func laterErasures(from, to string) error {
	later, err := os.ReadFile(from)
	if err != nil {
		return fmt.Errorf("reading list of erasures: %w", err)
	}
	was, err := os.ReadFile(to)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading list of erasures: %w", err)
	}
	switch {
	case len(later) == 0:
		return fmt.Errorf("%w: it is empty, and what a list that was lost would say is not known", ErrErasures)
	case len(later)%erasure.Size != 0:
		return fmt.Errorf("%w: it was cut off inside an entry, or is no list", ErrErasures)
	case !bytes.HasPrefix(later, was):
		return ErrErasures
	}
	return durable.Replace(to, later)
}

// Learn finds out what is missing from the ledger of a node that does not run, of which
// somebody kept the file checkpoint, empty for none: see [gap.Folder.Learn].
func Learn(ctx context.Context, configFile, checkpoint string) (recovery.Claim, error) {
	_, r, err := Open(configFile)
	if err != nil {
		return recovery.Claim{}, err
	}
	return r.Learn(ctx, checkpoint)
}

// Open opens the recovery of the node that a configuration is of.
func Open(configFile string) (config.Config, gap.Folder, error) {
	cfg, err := config.Load(configFile)
	if err != nil {
		return cfg, gap.Folder{}, err
	}
	r, err := gap.NewFolder(cfg, filepath.Join(filepath.Dir(configFile), config.EntityConfigurationFile))
	return cfg, r, err
}

// Finish ends the recovery of a node that does not run: the acceptances must
// be of the claim in its folder, by two operators of its configuration. A ledger of
// another origin begins, whose first entry is the claim with its acceptances; the one
// before gets no entry any more. It may be done again after a crash.
func Finish(ctx context.Context, configFile string, root custody.Root, acceptances []string, now func() time.Time) (recovery.Claim, error) {
	cfg, r, err := Open(configFile)
	if err != nil {
		return recovery.Claim{}, err
	}
	return r.Finish(ctx, acceptances, func(number int) (lognote.Signer, error) {
		k, err := keystore.Open(filepath.Dir(configFile), keystore.Roots{Node: root}, cfg.EntityID, number)
		if err != nil {
			return lognote.Signer{}, err
		}
		defer k.Wipe()
		if err := checkErasures(cfg, k); err != nil {
			return lognote.Signer{}, err
		}
		if err := subordinates.Adopt(cfg, filepath.Dir(configFile), k, now); err != nil {
			return lognote.Signer{}, err
		}
		// While the mark is there, so that it is made up for when this is cut off.
		return k.Ledger, k.NoteAnew(cfg)
	}, now)
}

// checkErasures refuses the list of another gallery, or an edited one, while nothing was begun.
func checkErasures(cfg config.Config, k keystore.Set) error {
	key, err := erasure.Key(k.Gallery)
	if err != nil {
		return err
	}
	err = erasure.Check(erasure.File(stores.GalleryDir(cfg)), key, 0, erasure.Tag{})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
