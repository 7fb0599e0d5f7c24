package registrar

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/gallery/snapshot"
	"github.com/tamga-id/tamga/node/gallery/undo"
	"github.com/tamga-id/tamga/node/holding"
	"github.com/tamga-id/tamga/node/stores"
)

// Witnessed carries out what an operator does to a gallery, after saying so in the ledger.
// All its fields are required; it is safe for concurrent use.
type Witnessed struct {
	Gallery *gallery.Gallery
	Ledger  *ledger.Log
	Entity  string // the node's Entity Identifier
	Grounds *holding.Grounds
	Now     func() time.Time
	Log     *slog.Logger
}

// Enrol stores subjects durably, after saying so in the ledger: how many and when,
// no more. Adding a face to somebody's record
// is how an insider would make an impostor match, so it leaves a trace.
func (w Witnessed) Enrol(ctx context.Context, batch []gallery.Enrolment) ([]gallery.Result, error) {
	return w.Grounds.Enrol(batch, func(good []gallery.Enrolment) ([]gallery.Result, error) { return w.enrol(ctx, good) })
}

// Plan says what Enrol would do, and changes nothing.
func (w Witnessed) Plan(ctx context.Context, batch []gallery.Enrolment) ([]gallery.Result, error) {
	return w.Grounds.Enrol(batch, func(good []gallery.Enrolment) ([]gallery.Result, error) { return w.Gallery.Plan(ctx, good) })
}

func (w Witnessed) enrol(ctx context.Context, batch []gallery.Enrolment) ([]gallery.Result, error) {
	if len(batch) == 0 {
		return nil, nil
	}
	// An entry about what cannot happen would only be noise.
	if err := w.Gallery.Ready(); err != nil {
		return nil, err
	}
	// The intent comes first: an enrolment without an entry must be impossible.
	leaf, err := enrolmentLeaf(w.Entity, batch, w.Now())
	if err != nil {
		return nil, err
	}
	receipt, err := w.Ledger.Append(ctx, leaf)
	if err != nil {
		return nil, unwitnessed(err)
	}
	results, err := w.Gallery.Enrol(ctx, batch)
	w.Log.InfoContext(ctx, "enrolment", slog.Int("subjects", len(batch)), slog.Uint64("entry", receipt.Index), slog.Bool("stored", err == nil))
	return results, err
}

// unwitnessed is what an operation comes to whose entry could not be written. A full disk
// is not a broken ledger.
func unwitnessed(err error) error {
	if errors.Is(err, ledger.ErrNoSpace) {
		return fmt.Errorf("writing the ledger: %w", err)
	}
	return &protocol.Fault{Code: protocol.CodeLedgerUnavailable, Err: err}
}

// Undo takes a batch back, after saying so in the ledger.
func (w Witnessed) Undo(ctx context.Context, batch string) (undo.Done, error) {
	if err := w.Gallery.Ready(); err != nil {
		return undo.Done{}, err
	}
	leaf, err := operatorLeaf(w.Entity, "undo", "import-"+batch, w.Now())
	if err != nil {
		return undo.Done{}, err
	}
	if _, err := w.Ledger.Append(ctx, leaf); err != nil {
		return undo.Done{}, unwitnessed(err)
	}
	return w.Gallery.Undo(ctx, batch)
}

// Erase destroys all that is held of a subject, after saying in the ledger that somebody
// is erased.
func (w Witnessed) Erase(ctx context.Context, id pseudonym.Identifier) (records int, err error) {
	if err := w.erasure(ctx); err != nil {
		return 0, err
	}
	return w.Gallery.Erase(ctx, id)
}

// EraseDamaged erases a subject that a check of the gallery lists as damaged under this
// handle, after saying so in the ledger.
func (w Witnessed) EraseDamaged(ctx context.Context, handle string) error {
	if err := w.erasure(ctx); err != nil {
		return err
	}
	return w.Gallery.EraseDamaged(ctx, handle)
}

// EraseHeldBy erases who is held by a consent alone, each after saying so in the ledger.
func (w Witnessed) EraseHeldBy(ctx context.Context, consent [32]byte) (int, error) {
	return w.Gallery.EraseHeldBy(ctx, consent, w.erasure)
}

// EraseHeldByAny erases whom withdrawn consents hold, each after saying so in the ledger.
func (w Witnessed) EraseHeldByAny(ctx context.Context, withdrawn func([32]byte) (bool, error)) (int, error) {
	return w.Gallery.EraseHeldByAny(ctx, withdrawn, w.erasure)
}

func (w Witnessed) erasure(ctx context.Context) error {
	if err := w.Gallery.Ready(); err != nil {
		return err
	}
	leaf, err := operatorLeaf(w.Entity, "erase", "one-subject", w.Now())
	if err != nil {
		return err
	}
	if _, err := w.Ledger.Append(ctx, leaf); err != nil {
		return unwitnessed(err)
	}
	return nil
}

// Copy makes another store hold what the gallery of a node with this configuration does,
// after saying so in the ledger. See [gallery.Gallery.CopyTo].
func (w Witnessed) Copy(ctx context.Context, cfg config.Config, to config.Store, progress func(uint64)) (done snapshot.Copied, err error) {
	if to.Engine == config.EngineBadger && cfg.Store.Engine == config.EngineBadger {
		return done, fmt.Errorf("copying gallery: %w", snapshot.ErrSameStore)
	}
	leaf, err := operatorLeaf(w.Entity, "copy", "gallery-to-"+to.Engine, w.Now())
	if err != nil {
		return done, err
	}
	cfg.Store = to
	target, err := stores.OpenStore(ctx, cfg)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	if _, err := w.Ledger.Append(ctx, leaf); err != nil {
		return done, &protocol.Fault{Code: protocol.CodeLedgerUnavailable, Err: err}
	}
	return w.Gallery.CopyTo(ctx, target, progress)
}

// enrolmentLeaf is the entry about a batch: how many records, of which import.
func enrolmentLeaf(entity string, batch []gallery.Enrolment, at time.Time) ([]byte, error) {
	what := fmt.Sprintf("batch-of-%d", len(batch))
	if id := batch[0].Batch; id != "" {
		what += "-of-import-" + id
	}
	return operatorLeaf(entity, "enrol", what, at)
}

// operatorLeaf is an entry about the own gallery, under a random number, so that
// nothing in it can be computed from a person.
func operatorLeaf(entity, operation, what string, at time.Time) ([]byte, error) {
	var number protocol.Hash
	_, _ = rand.Read(number[:])
	return protocol.NewLeaf(protocol.LeafEnrolment, protocol.Envelope{
		Issuer: entity, Audience: entity, Purpose: "enrolment", LegalBasis: "legal_obligation", Operation: operation,
		Officer: what,
	}, number, protocol.Verdict{}, at).Marshal()
}
