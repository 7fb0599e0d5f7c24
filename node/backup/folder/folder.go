// Package folder takes backups and key escrows of a node's folder, and makes a folder of them
// again; the archives themselves are node/backup's.
//
// [Source.BackUp] and [Source.Escrow] of a node, running or not, after an entry in its ledger;
// [Restore], then [Learn] and [Finish], of one that was lost. [RefreshEscrow] keeps the key
// escrow of the configuration as new as the keys. [OpenRestored] reads all that was restored.
package folder

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"filippo.io/age"

	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/federation/ledger/lognote"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/backup"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/keystore"
	"github.com/tamga-id/tamga/node/ledgers"
	"github.com/tamga-id/tamga/node/stores"
	"github.com/tamga-id/tamga/node/subordinates"
)

// Source is the parts of a node that a backup is made of. All are required.
type Source struct {
	Config  config.Config
	Dir     string
	Keys    keystore.Set
	Gallery *gallery.Gallery
	Ledger  *ledger.Log
	Law     func() ([]byte, error) // the text in force
	Now     func() time.Time
}

// BackUp writes a backup to w, encrypted to the age recipients, after saying so in the
// ledger. See package node/backup for what is in it.
func (b Source) BackUp(ctx context.Context, w io.Writer, texts []string, progress func(string, uint64)) (backup.Manifest, error) {
	recipients, err := backup.ParseRecipients(texts)
	if err != nil {
		return backup.Manifest{}, fmt.Errorf("creating backup: %w", err)
	}
	if err := b.witness(ctx, "backup", texts); err != nil {
		return backup.Manifest{}, err
	}
	return b.write(ctx, w, recipients, progress)
}

// witness writes the trace that comes first: whoever holds the operator's token and takes
// a copy away shows in the ledger, with a digest of whom the copy was encrypted to.
func (b Source) witness(ctx context.Context, operation string, recipients []string) error {
	leaf, err := backupLeaf(b.Config.EntityID, operation, recipients, b.Now())
	if err != nil {
		return err
	}
	if _, err := b.Ledger.Append(ctx, leaf); err != nil {
		return &protocol.Fault{Code: protocol.CodeLedgerUnavailable, Err: err}
	}
	return nil
}

func (b Source) write(ctx context.Context, w io.Writer, to []age.Recipient, progress func(string, uint64)) (m backup.Manifest, err error) {
	var sources []backup.LedgerSource
	add := func(name string, signer lognote.Signer, log backup.Log) error {
		v, err := lognote.NewVerifier(signer.Origin(), signer.VerifierKeys())
		sources = append(sources, backup.LedgerSource{Name: name, Log: log, Verifier: v})
		return err
	}
	for i, signer := range b.Keys.Closed {
		name := ledgers.Name(i + 1)
		dir := filepath.Join(b.Config.DataDir, name)
		if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
			continue // it was lost with its node
		}
		old, err := ledger.Open(ctx, ledger.Config{Dir: dir, Signer: signer, Now: b.Now})
		if err != nil {
			return m, fmt.Errorf("creating backup: %w", err)
		}
		defer old.Close()
		if err := add(name, signer, old); err != nil {
			return m, fmt.Errorf("creating backup: %w", err)
		}
	}
	if err := add(filepath.Base(ledgers.Dir(b.Config)), b.Keys.Ledger, b.Ledger); err != nil {
		return m, fmt.Errorf("creating backup: %w", err)
	}
	key, err := announcedKey(b.Dir, b.Keys.Federations)
	if err != nil {
		return m, fmt.Errorf("creating backup: %w", err)
	}
	return backup.Create(ctx, w, to, backup.Source{
		EntityID: b.Config.EntityID, Jurisdiction: b.Config.Jurisdiction, Gallery: b.Gallery,
		Ledgers:   sources,
		Files:     func() ([]backup.File, error) { return b.files() },
		Templates: b.Keys.Faces.Generations,
		Key:       key, Now: b.Now(), Progress: progress,
	})
}

// backupLeaf is the entry about a backup or key escrow: how many recipients, and a digest that
// tells whether they were those that somebody names.
func backupLeaf(entity, operation string, recipients []string, at time.Time) ([]byte, error) {
	sorted := slices.Sorted(slices.Values(recipients))
	digest := sha256.Sum256([]byte("tamga/v1/backup-recipients\x00" + strings.Join(sorted, "\x00")))
	return protocol.NewLeaf(protocol.LeafBackup, protocol.Envelope{
		Issuer: entity, Audience: entity, Purpose: "backup", LegalBasis: "legal_obligation", Operation: operation,
		Officer: fmt.Sprintf("to-%d-recipients", len(recipients)),
	}, digest, protocol.Verdict{}, at).Marshal()
}

// files are the folder's files under the names they have in a restored one, which
// holds everything itself, wherever it lies now. Root file and keystore are not among
// them: they are in the key escrow. Nor are the API tokens, which are in the keystore: a
// node without them writes them anew.
func (b Source) files() ([]backup.File, error) {
	cfg, dir := b.Config, b.Dir
	moved := cfg
	moved.DataDir, moved.Policy.Law = backup.DataDir, config.LawFile
	moved.Store = config.Store{}   // a restored gallery lies in the folder, whatever kept it
	moved.Backup = config.Backup{} // which is of another place, where the lost node's may still be needed
	law, err := b.Law()
	if err != nil {
		return nil, err
	}
	from := [][2]string{{filepath.Join(dir, config.EntityConfigurationFile), backup.EntityConfiguration}}
	move := func(paths []string, stem, suffix string) []string {
		var out []string
		for i, path := range paths {
			name := stem + suffix
			if i > 0 {
				name = stem + "-" + strconv.Itoa(i+1) + suffix
			}
			from, out = append(from, [2]string{path, name}), append(out, name)
		}
		return out
	}
	moved.Recovery.Operators = move(cfg.Recovery.Operators, "operator", ".jwk.json")
	here, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("reading configuration: %w", err)
	}
	if moved.Recovery.CheckpointFile == config.DefaultCheckpointFile(here, cfg.EntityID) {
		moved.Recovery.CheckpointFile = ""
	}
	if cfg.Pseudonym.Holders != "" {
		moved.Pseudonym.Holders = move([]string{cfg.Pseudonym.Holders}, strings.TrimSuffix(keystore.CommitteeFile, ".json"), ".json")[0]
	}
	moved.Policy.Calibrations = move(cfg.Policy.Calibrations, "calibration", ".json")
	moved.Trust.Marks = move(cfg.Trust.Marks, "mark", ".jwt")
	moved.Trust.Anchors = slices.Clone(cfg.Trust.Anchors)
	for i := range moved.Trust.Anchors {
		stem := strings.TrimSuffix(config.AnchorFile, ".json")
		if i > 0 {
			stem += "-" + strconv.Itoa(i+1)
		}
		moved.Trust.Anchors[i].KeysFile = move([]string{cfg.Trust.Anchors[i].KeysFile}, stem, ".json")[0]
	}
	yaml, err := moved.Marshal()
	if err != nil {
		return nil, fmt.Errorf("reading configuration: %w", err)
	}
	if _, err := os.Lstat(filepath.Join(dir, backup.HistoricalKeys)); err == nil {
		from = append(from, [2]string{filepath.Join(dir, backup.HistoricalKeys), backup.HistoricalKeys})
	}
	// A restored node begins with the law that was in force, and a book of its own.
	files := []backup.File{{Name: config.File, Data: yaml}, {Name: config.LawFile, Data: law}}
	for _, f := range from {
		data, err := os.ReadFile(f[0])
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", f[1], err)
		}
		files = append(files, backup.File{Name: f[1], Data: data})
	}
	enrolled, err := subordinates.Pack(subordinates.Dir(cfg))
	return append(files, enrolled...), err
}

// OpenRestored opens the gallery of a restored folder, reads everybody in it with the
// node's keys, and returns the number of subjects: [gallery.ErrDamaged] when somebody
// cannot be read. It changes nothing that a node would serve.
func OpenRestored(ctx context.Context, dir string, roots keystore.Roots) (subjects int64, err error) {
	cfg, err := config.Load(filepath.Join(dir, config.File))
	if err != nil {
		return 0, err
	}
	k, err := keystore.Open(dir, roots, cfg.EntityID, ledgers.Number(cfg))
	if err != nil {
		return 0, err
	}
	defer k.Wipe()
	if err := keystore.NeedPseudonyms(cfg, k); err != nil {
		return 0, fmt.Errorf("opening gallery: %w", err)
	}
	c := stores.GalleryConfig(cfg, k)
	c.Restored = true
	g, err := gallery.Open(c)
	if err != nil {
		return 0, err
	}
	subjects = g.Subjects()
	r, err := g.Fsck(ctx, nil)
	if err = errors.Join(err, g.Close()); err == nil && !r.Sound() {
		unread := make(map[string]bool) // by handle: one may have several damaged records
		for _, d := range r.Damaged {
			unread[d.Subject] = true
		}
		err = fmt.Errorf("reading gallery: %w: of %d subjects %d cannot be read whole", gallery.ErrDamaged, subjects, len(unread))
	}
	return subjects, err
}
