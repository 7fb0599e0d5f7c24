// Package live replaces the keys of a running node: it takes up what commands, age and other
// nodes of a shared store do to the keystore, has what is stored moved to the newest keys,
// destroys those that are to be retired, and renews stored templates.
//
// [Open] opens the keystore, Join says who uses the keys, and Run and Renewing work until
// their context ends.
//
// Invariants: one at a time takes up a keystore or sees the keys ([Keys.With]); a key that
// something under way may come across is not dropped (node/internal/gate); keys older than
// those in use are refused.
//
// Not here: the steps by which a keystore is changed (node/rotation).
package live

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/attention"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/gallery/presence"
	"github.com/tamga-id/tamga/node/gallery/renewal"
	"github.com/tamga-id/tamga/node/internal/gate"
	"github.com/tamga-id/tamga/node/keys"
	"github.com/tamga-id/tamga/node/keystore"
	"github.com/tamga-id/tamga/node/ledgers"
	"github.com/tamga-id/tamga/node/registrar"
)

// keystoreDigests tell whether a keystore is another than the one that is in use.
type keystoreDigests struct{ node, pseudonym [sha256.Size]byte }

func readDigests(dir string, roots keystore.Roots) (d keystoreDigests, err error) {
	b, err := os.ReadFile(keystore.File(dir))
	if err != nil {
		return d, fmt.Errorf("reading keystore: %w", err)
	}
	d.node = sha256.Sum256(b)
	if roots.Pseudonym.Usable() {
		if b, err = os.ReadFile(keystore.File(roots.PseudonymDir)); err != nil {
			return d, fmt.Errorf("reading pseudonym keystore: %w", err)
		}
		d.pseudonym = sha256.Sum256(b)
	}
	return d, nil
}

// Config is who uses the keys. All fields are required.
type Config struct {
	Gallery *gallery.Gallery
	Ledger  *ledger.Log
	Reading *gate.Gate // entered by what reads the whole gallery, or its files, for long
	// Use puts keys into use everywhere else. It is called while one at a time takes up the keystore.
	Use       func(context.Context, keystore.Set) error
	Attention *attention.Board
	Now       func() time.Time
}

// Keys are those of a running node. They are safe for concurrent use after Join.
type Keys struct {
	// Immutable after Join.
	node config.Config
	dir  string
	log  *slog.Logger
	cfg  Config

	renewals    renewals
	retirements retirements
	others      atomic.Pointer[[]presence.Other] // that share the store
	wrapped     bool                             // owned by Run: the gallery's keys are, under the current KEK

	mu      sync.Mutex // guards what follows, and that one at a time takes up the keystore
	set     keystore.Set
	roots   keystore.Roots  // to read the keystores again when they changed
	digests keystoreDigests // of the files that are in use
	changed bool            // it is another since Run last looked
}

// Open opens the keystore of the node in dir with root keys that the caller may wipe afterwards.
func Open(ctx context.Context, node config.Config, dir string, roots keystore.Roots, log *slog.Logger) (_ *Keys, err error) {
	k := &Keys{node: node, dir: dir, log: log}
	defer func() {
		if err != nil {
			k.roots.Wipe()
		}
	}()
	// Those that the keystores are sealed under, if the ones before opened them: these may
	// be retired any time.
	if k.roots, err = roots.Current(dir, false); err != nil {
		return nil, err
	}
	if k.digests, err = readDigests(dir, k.roots); err != nil {
		return nil, err
	}
	if k.set, err = keystore.Open(dir, roots, node.EntityID, ledgers.Number(node)); err != nil {
		return nil, err
	}
	k.watchHolders(ctx, k.set)
	k.renewals.wake, k.retirements.wake = make(chan struct{}, 1), make(chan struct{}, 1)
	k.renewals.state = registrar.Renewal{State: registrar.RenewalIdle, Generation: k.set.Faces.Current()}
	if k.set.UnfinishedRenewal() {
		k.renewals.resume(k.set.Faces.Current())
	}
	return k, nil
}

// Join says who uses the keys. It is called once, before anything but Set and Close.
func (k *Keys) Join(cfg Config) { k.cfg = cfg }

// Set are the keys in use. Those that are replaced are wiped; what never changes is good for
// as long as the node runs: the tokens, what the gallery derives names from, the Faces.
func (k *Keys) Set() keystore.Set {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.set
}

// With runs f with the keys in use, which are not replaced meanwhile. f must not call other
// methods of k.
func (k *Keys) With(f func(keystore.Set)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f(k.set)
}

// Close wipes the keys, once nothing uses them any more.
func (k *Keys) Close() {
	k.set.Wipe()
	k.roots.Wipe()
}

// Run takes up what `tamga key rotate` did to the keystore while the node runs, and wraps
// the gallery's keys anew after the current KEK changed, or goes on with that after a
// restart; then it destroys what is to be retired. What is due by age it does by itself. It
// returns when ctx ends.
func (k *Keys) Run(ctx context.Context) error {
	every := time.NewTicker(k.node.Trust.Refresh)
	defer every.Stop()
	defer k.cfg.Reading.Relent()
	again := k.work(ctx)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-k.retirements.wake:
		case <-again:
		case <-every.C:
		}
		again, _ = k.Turn(ctx) // what was not taken up is in the log
	}
}

// Turn does once what Run does whenever it looks. Again fires when it is worth looking again
// before the next refresh. The error says why the keys of before stay in use.
func (k *Keys) Turn(ctx context.Context) (again <-chan time.Time, err error) {
	if err = k.reload(ctx); err != nil {
		k.notTakenUp(ctx, err)
	} else {
		k.aging(ctx)
	}
	if err == nil && k.wasChanged() {
		k.log.InfoContext(ctx, "changed keystore taken up")
		k.Meet(ctx)
		k.wrapped = false
		if k.set.UnfinishedRenewal() {
			k.renewals.resume(k.set.Faces.Current())
		}
	}
	return k.work(ctx), err
}

// work goes on with what the keys in use ask for.
func (k *Keys) work(ctx context.Context) (again <-chan time.Time) {
	if kek := k.Family(keys.KEK); !k.wrapped && kek.Several() && kek.Keep == 0 {
		k.wrapped = k.rewrapping(ctx)
	}
	k.renaming(ctx)
	if ctx.Err() != nil {
		return nil
	}
	return k.retiring(ctx)
}

// rewrapping wraps the gallery's keys under the current KEK and reports whether all are.
func (k *Keys) rewrapping(ctx context.Context) bool {
	done, err := k.cfg.Gallery.RewrapAll(ctx, nil)
	switch {
	case err != nil && ctx.Err() == nil:
		k.log.WarnContext(ctx, "keys not rewrapped", slog.String("cause", err.Error()))
	case done.Subjects > 0:
		k.log.InfoContext(ctx, "keys rewrapped", slog.Uint64("subjects", done.Subjects))
	}
	return err == nil
}

// renaming gives subjects their pseudonyms under the current key, or goes on with that
// after a restart. What fails is tried again.
func (k *Keys) renaming(ctx context.Context) {
	if len(k.cfg.Gallery.PseudonymGenerations()) == 1 {
		return
	}
	generation, done, err := k.cfg.Gallery.RenameAll(ctx, func(r renewal.Renamed) { k.retirements.progress(keys.Pseudonym, r.Looked) })
	switch {
	case ctx.Err() != nil:
	case err != nil:
		k.log.WarnContext(ctx, "pseudonyms not renewed", slog.String("cause", err.Error()))
	default:
		k.log.InfoContext(ctx, "pseudonyms renewed", slog.Uint64("generation", uint64(generation)), slog.Uint64("subjects", done.Subjects))
	}
}

// notTakenUp says why the keys of before stay in use.
func (k *Keys) notTakenUp(ctx context.Context, cause error) {
	if errors.Is(cause, gallery.ErrOlderKeys) || errors.Is(cause, keystore.ErrOlder) {
		k.log.ErrorContext(ctx, "older keystore refused: the keys of before stay in use", slog.String("code", string(protocol.CodeOlderKeys)),
			slog.String("cause", cause.Error()))
		return
	}
	k.log.WarnContext(ctx, "changed keystore not taken up", slog.String("cause", cause.Error()))
}

// wasChanged reports whether the keystore was taken up since it was last called.
func (k *Keys) wasChanged() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	was := k.changed
	k.changed = false
	return was
}

// currentRoots are copies of the root keys, which the caller wipes: reload may replace those.
func (k *Keys) currentRoots() (keystore.Roots, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.roots.Clone()
}

// reload puts the keys of the keystores into use when a file is another one. The disk of
// the pseudonym keystore may be away: what was read of it stays in use.
func (k *Keys) reload(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	digests, err := readDigests(k.dir, k.roots)
	away := errors.Is(err, os.ErrNotExist) && digests.node != [sha256.Size]byte{}
	if away {
		digests.pseudonym = k.digests.pseudonym
	} else if err != nil {
		return err
	}
	if digests == k.digests {
		return nil
	}
	roots, err := k.roots.Current(k.dir, away)
	if err != nil {
		return err
	}
	next, err := keystore.Open(k.dir, roots, k.node.EntityID, ledgers.Number(k.node))
	if err != nil {
		roots.Wipe()
		return err
	}
	// One of before, put back: nobody could be read any more, or a key that was replaced is used again.
	if err = k.cfg.Gallery.Accepts(next.Ring, next.Faces); err == nil {
		err = next.Note(k.node)
	}
	if err != nil {
		roots.Wipe()
		next.Wipe()
		return err
	}
	if k.set.Drops(next) { // what reads the gallery for long may still come across it
		if !k.cfg.Reading.TryClose() {
			k.cfg.Reading.Relent()
			roots.Wipe()
			next.Wipe()
			return errReading
		}
		defer k.cfg.Reading.Open()
	}
	if away {
		roots.Pseudonym, k.roots.Pseudonym = k.roots.Pseudonym, custody.Root{}
	}
	k.roots.Wipe()
	k.roots = roots
	next.WipeUnused()
	k.watchHolders(ctx, next)
	if next.Pseudonyms != nil {
		if err := k.cfg.Gallery.UsePseudonyms(ctx, next.Pseudonyms); err != nil {
			next.Wipe()
			return err
		}
	}
	// New sealing keys open before peers learn of them, and old ones no longer once
	// they do not.
	k.cfg.Gallery.UseRing(next.Ring)
	k.set.ReplaceRing(next.Ring)
	k.set.Take(next)
	k.set.Faces.Replace(next.Faces) // gallery and responder hold these
	next.Faces = k.set.Faces
	// Peers verify under the ledger keys that they know, while both sign.
	if err := k.cfg.Ledger.UseSigner(ctx, next.Ledger); err != nil {
		return err
	}
	if err := k.cfg.Use(ctx, next); err != nil {
		return err
	}
	k.digests, k.changed = digests, true
	return nil
}
