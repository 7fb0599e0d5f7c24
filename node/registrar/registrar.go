// Package registrar does to the gallery of a node what its operators do, and writes each of it
// into the node's ledger first: nobody is enrolled, erased or copied without a trace.
//
// [Witness] for a node that runs, [Open] for the folder of one that does not. [RenewTemplates]
// and [Check] are for such a folder, too; a node that runs goes through the steps of a renewal
// itself: [BeginRenewal], [FinishRenewal].
//
// Not here: backups (node/backup/folder), and replacing keys (node/rotation).
package registrar

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/consents"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/gallery/snapshot"
	"github.com/tamga-id/tamga/node/gap"
	"github.com/tamga-id/tamga/node/holding"
	"github.com/tamga-id/tamga/node/keys"
	"github.com/tamga-id/tamga/node/keystore"
	"github.com/tamga-id/tamga/node/ledgers"
	"github.com/tamga-id/tamga/node/rows"
	"github.com/tamga-id/tamga/node/stores"
)

// Registrar has the gallery of a node that is not running.
type Registrar struct {
	Witnessed
	Config config.Config
	Dir    string
	Keys   keystore.Set
}

// Open opens gallery and ledger of the node that configFile describes.
func Open(ctx context.Context, configFile string, passphrase []byte) (*Registrar, error) {
	root, err := keystore.OpenRoot(filepath.Dir(configFile), passphrase, time.Now())
	if err != nil {
		return nil, err
	}
	defer root.Wipe()
	return OpenUnsealed(ctx, configFile, keystore.Roots{Node: root})
}

// OpenUnsealed does what Open does with root keys that are open
// already. The caller may wipe them afterwards.
func OpenUnsealed(ctx context.Context, configFile string, roots keystore.Roots) (*Registrar, error) {
	cfg, err := config.Load(configFile)
	if err != nil {
		return nil, err
	}
	if err := gap.Refuse(cfg); err != nil {
		return nil, err
	}
	r := &Registrar{Config: cfg, Dir: filepath.Dir(configFile)}
	if r.Keys, err = keystore.Open(r.Dir, roots, cfg.EntityID, ledgers.Number(cfg)); err != nil {
		return nil, err
	}
	g, l, err := stores.Open(ctx, cfg, r.Keys, time.Now)
	if err != nil {
		r.Keys.Wipe()
		return nil, err
	}
	r.Witnessed, err = Witness(cfg, r.Keys, g, l, time.Now, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// Copy does what Witnessed.Copy does.
func (r *Registrar) Copy(ctx context.Context, to config.Store, progress func(rows uint64)) (snapshot.Copied, error) {
	return r.Witnessed.Copy(ctx, r.Config, to, progress)
}

// Finality is that of an erasure that was just carried out.
func (r *Registrar) Finality() Finality {
	return FinalityOf(r.Config.KEK.Retention, r.Keys.Families[keys.KEK].Current, r.Now())
}

// Close releases both and wipes the keys that can be.
func (r *Registrar) Close() error {
	defer r.Keys.Wipe()
	return stores.Close(r.Gallery, r.Ledger)
}

// Rows gives the rows of the node's own that lie beside the gallery.
func Rows(k keystore.Set, beside rows.Beside) (*rows.Rows, error) {
	return rows.New(beside, k.Gallery.Derive("tamga/v1/node-rows"))
}

// Witness has what is done to a gallery that is open witnessed by a ledger that is. The result
// has both also with an error.
func Witness(cfg config.Config, k keystore.Set, g *gallery.Gallery, l *ledger.Log, now func() time.Time, log *slog.Logger) (Witnessed, error) {
	w := Witnessed{Gallery: g, Ledger: l, Entity: cfg.EntityID, Now: now, Log: log}
	own, err := Rows(k, g)
	if err != nil {
		return w, err
	}
	list, err := consents.OpenList(cfg.Recovery.CheckpointFile, k.Gallery.Derive("tamga/v1/consent-withdrawals"), now())
	if err != nil {
		return w, err
	}
	offices, err := holding.LoadOffices(cfg.Policy.Offices)
	if err != nil {
		return w, err
	}
	w.Grounds = &holding.Grounds{Entity: cfg.EntityID, Offices: offices, Book: consents.New(own, list), Now: now}
	return w, nil
}

// Finality says when somebody who is erased now is gone from backups of before, too.
type Finality struct {
	KEK uint32    // When this generation and those before it are retired, and the key escrows of before destroyed.
	By  time.Time // By when kek.retention retires it; the zero time when nobody but an operator does.
}

// FinalityOf is that of an erasure now: the current KEK is replaced within half of the retention, and then kept for
// the other half.
func FinalityOf(retention time.Duration, current uint32, now time.Time) Finality {
	f := Finality{KEK: current}
	if retention != 0 {
		f.By = now.Add(retention).UTC().Truncate(time.Second)
	}
	return f
}
