package node

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/gallery/renewal"
	"github.com/tamga-id/tamga/node/keys"
	"github.com/tamga-id/tamga/node/keystore"
	"github.com/tamga-id/tamga/node/ledgers"
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

// rotating takes up what `tamga key rotate` did to the keystore while the node runs,
// and wraps the gallery's keys anew after the current KEK changed, or goes on with
// that after a restart; then it destroys what is to be retired. What is due by age it does
// by itself.
func (n *Node) rotating(ctx context.Context) error {
	every := time.NewTicker(n.cfg.Trust.Refresh)
	defer every.Stop()
	defer n.reading.Relent()
	pending := true
	for {
		if pending && n.family(keys.KEK).Several() && n.family(keys.KEK).Keep == 0 {
			pending = !n.rewrapping(ctx)
		}
		if err := n.renaming(ctx); err != nil {
			return err
		}
		again, stop := n.retiring(ctx)
		select {
		case <-ctx.Done():
			stop()
			return ctx.Err()
		case <-n.retirements.wake:
		case <-again:
		case <-every.C:
		}
		stop()
		if err := n.reload(ctx); err != nil {
			n.notTakenUp(ctx, err)
			continue
		}
		n.aging(ctx)
		if n.wasChanged() {
			n.log.InfoContext(ctx, "changed keystore taken up")
			n.meet(ctx)
			pending = true
			if n.keys.UnfinishedRenewal() {
				n.renewals.resume(n.keys.Faces.Current())
			}
		}
	}
}

// rewrapping wraps the gallery's keys under the current KEK and reports whether all are.
func (n *Node) rewrapping(ctx context.Context) bool {
	done, err := n.gallery.RewrapAll(ctx, nil)
	switch {
	case err != nil && ctx.Err() == nil:
		n.log.WarnContext(ctx, "keys not rewrapped", slog.String("cause", err.Error()))
	case done.Subjects > 0:
		n.log.InfoContext(ctx, "keys rewrapped", slog.Uint64("subjects", done.Subjects))
	}
	return err == nil
}

// renaming gives subjects their pseudonyms under the current key, or goes on with that
// after a restart. What fails is tried again.
func (n *Node) renaming(ctx context.Context) error {
	if len(n.gallery.PseudonymGenerations()) == 1 {
		return nil
	}
	generation, done, err := n.gallery.RenameAll(ctx, func(r renewal.Renamed) { n.retirements.progress(keys.Pseudonym, r.Looked) })
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		n.log.WarnContext(ctx, "pseudonyms not renewed", slog.String("cause", err.Error()))
	default:
		n.log.InfoContext(ctx, "pseudonyms renewed", slog.Uint64("generation", uint64(generation)), slog.Uint64("subjects", done.Subjects))
	}
	return nil
}

// notTakenUp says why the keys of before stay in use.
func (n *Node) notTakenUp(ctx context.Context, cause error) {
	if errors.Is(cause, gallery.ErrOlderKeys) || errors.Is(cause, keystore.ErrOlder) {
		n.log.ErrorContext(ctx, "older keystore refused: the keys of before stay in use", slog.String("code", string(protocol.CodeOlderKeys)),
			slog.String("cause", cause.Error()))
		return
	}
	n.log.WarnContext(ctx, "changed keystore not taken up", slog.String("cause", cause.Error()))
}

// wasChanged reports whether the keystore was taken up since it was last called.
func (n *Node) wasChanged() bool {
	n.takingUp.Lock()
	defer n.takingUp.Unlock()
	was := n.changed
	n.changed = false
	return was
}

// currentRoots are copies of the root keys, which the caller wipes: reload may replace those.
func (n *Node) currentRoots() (keystore.Roots, error) {
	n.takingUp.Lock()
	defer n.takingUp.Unlock()
	return n.roots.Clone()
}

// reload puts the keys of the keystores into use when a file is another one. The disk of
// the pseudonym keystore may be away: what was read of it stays in use.
func (n *Node) reload(ctx context.Context) error {
	n.takingUp.Lock()
	defer n.takingUp.Unlock()
	digests, err := readDigests(n.dir, n.roots)
	away := errors.Is(err, os.ErrNotExist) && digests.node != [sha256.Size]byte{}
	if away {
		digests.pseudonym = n.keystore.pseudonym
	} else if err != nil {
		return err
	}
	if digests == n.keystore {
		return nil
	}
	roots, err := n.roots.Current(n.dir, away)
	if err != nil {
		return err
	}
	k, err := keystore.Open(n.dir, roots, n.cfg.EntityID, ledgers.Number(n.cfg))
	if err != nil {
		roots.Wipe()
		return err
	}
	// One of before, put back: nobody could be read any more, or a key that was replaced is used again.
	if err = n.gallery.Accepts(k.Ring, k.Faces); err == nil {
		err = k.Note(n.cfg)
	}
	if err != nil {
		roots.Wipe()
		k.Wipe()
		return err
	}
	if n.keys.Drops(k) { // what reads the gallery for long may still come across it
		if !n.reading.TryClose() {
			n.reading.Relent()
			roots.Wipe()
			k.Wipe()
			return errReading
		}
		defer n.reading.Open()
	}
	if away {
		roots.Pseudonym, n.roots.Pseudonym = n.roots.Pseudonym, custody.Root{}
	}
	n.roots.Wipe()
	n.roots = roots
	k.WipeUnused()
	n.watchHolders(ctx, k)
	if k.Pseudonyms != nil {
		if err := n.gallery.UsePseudonyms(ctx, k.Pseudonyms); err != nil {
			k.Wipe()
			return err
		}
	}
	// New sealing keys open before peers learn of them, and old ones no longer once
	// they do not.
	n.gallery.UseRing(k.Ring)
	n.keys.ReplaceRing(k.Ring)
	n.keys.Take(k)
	n.keys.Faces.Replace(k.Faces) // gallery and responder hold these
	k.Faces = n.keys.Faces
	// Peers verify under the ledger keys that they know, while both sign.
	if err := n.ledger.UseSigner(ctx, k.Ledger); err != nil {
		return err
	}
	// Members admit the next peer ID since it was prepared.
	if k.PeerIDs[0] != n.line.Host().PeerID() {
		n.log.InfoContext(ctx, "going over to the next libp2p key", slog.String("peer", string(k.PeerIDs[0])))
		if err := n.line.Rekey(ctx, k.LibP2P); err != nil {
			return err
		}
	}
	n.responder.Store(n.responder.Load().WithKeys(k.Signing, k.Sealing))
	n.requester.Store(n.makeRequester(k))
	if err := n.publish(k); err != nil {
		return err
	}
	n.keystore, n.changed = digests, true
	return nil
}
