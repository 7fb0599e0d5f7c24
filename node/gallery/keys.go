package gallery

import (
	"context"
	"errors"
	"time"

	"github.com/tamga-id/tamga/crypto/envelope"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/gallery/presence"
	"github.com/tamga-id/tamga/node/gallery/renewal"
	"github.com/tamga-id/tamga/node/gallery/snapshot"
	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/gallery/subjects"
)

// Errors of keys that are not those of the gallery: see node/gallery/subjects.
var (
	ErrOutdated      = subjects.ErrOutdated
	ErrOlderKeys     = subjects.ErrOlderKeys
	ErrPseudonymKeys = subjects.ErrPseudonymKeys
)

// UseRing has the gallery use another ring of KEKs from now on: keys of new subjects
// are wrapped under its current generation. A ring that lacks a generation which is
// still in use makes its subjects damaged; see [Gallery.RewrapAll] and
// [Gallery.Accepts]. The ring of before may be wiped at once.
func (g *Gallery) UseRing(r *envelope.Ring) { g.set.UseRing(r) }

// UsePseudonyms has the gallery use another ring of pseudonym keys from now on: new
// subjects get the pseudonym under its current key, unless the store has gone on to a
// newer one. It refuses a ring that lacks a key under which subjects lie, and changes
// nothing then. See [Gallery.RenameAll].
func (g *Gallery) UsePseudonyms(ctx context.Context, ring *pseudonym.Ring) error {
	return g.set.UsePseudonyms(ctx, ring)
}

// PseudonymGenerations are those of the keys that subjects lie under, the one that new
// subjects get first.
func (g *Gallery) PseudonymGenerations() []uint32 { return g.set.PseudonymGenerations() }

// Accepts is nil when the gallery may use these keys from now on, and [ErrOlderKeys] when
// they are of before those that it was changed with. In a shared store others may be
// ahead, which is no reason: see [ErrOutdated].
func (g *Gallery) Accepts(ring *envelope.Ring, protection Protection) error {
	return g.set.Accepts(ring, protection)
}

// RewrapAll wraps the key of every subject under the current generation of the ring: see
// [renewal.Rewrap]. When it returns nil, older generations can be destroyed as soon as nobody
// is [Gallery.Behind]. Of subjects that are damaged, see [Gallery.EraseDamaged].
func (g *Gallery) RewrapAll(ctx context.Context, progress func(renewal.Rewrapped)) (renewal.Rewrapped, error) {
	return renewal.Rewrap(ctx, g.set, progress)
}

// RenameAll gives every subject the pseudonym under the key that new subjects get, whose
// generation it returns, so that others can be destroyed: see [renewal.Rename].
func (g *Gallery) RenameAll(ctx context.Context, progress func(renewal.Renamed)) (generation uint32, total renewal.Renamed, err error) {
	return renewal.Rename(ctx, g.set, progress)
}

// RenewAll gives every covered record the current generation of the protection, so that
// others can be destroyed: see [renewal.Templates].
func (g *Gallery) RenewAll(ctx context.Context, progress func(renewal.Renewed)) (renewal.Renewed, error) {
	if g.protection == nil {
		return renewal.Renewed{}, errors.New("renewing templates: they are not protected")
	}
	return renewal.Templates(ctx, g.set, renewing{g.protection, g}, progress)
}

// Replicas says to those who share the store that this gallery is there and which keys
// it uses, and returns them: each process calls it every [presence.Every]. Before that it
// takes up what the others have gone on to, as far as its keys allow. In a store that is
// not shared it does nothing.
func (g *Gallery) Replicas(now time.Time) ([]presence.Other, error) { return g.set.Replicas(now) }

// Behind returns which of those who share the store do not use generation keep of a key,
// or a later one, yet: as long as there are any, the ones before are not to be destroyed.
func (g *Gallery) Behind(now time.Time, key string, keep uint32) (names []string, err error) {
	return g.set.Behind(now, key, keep)
}

// AwaitReplicas returns when nobody is [Gallery.Behind], who is told to waiting when it changes.
func (g *Gallery) AwaitReplicas(ctx context.Context, key string, keep uint32, waiting func([]string)) error {
	return g.set.AwaitReplicas(ctx, key, keep, waiting)
}

// Snapshot yields every row of the gallery as of one moment, in the order of the keys, while
// enrolments go on: see [snapshot.Take]. [snapshot.Restore] makes a gallery of them.
func (g *Gallery) Snapshot(ctx context.Context, visit func(store.Row) error) (snapshot.Census, error) {
	return snapshot.Take(ctx, g.set, visit)
}

// CopyTo makes another store hold what the gallery held when it began, while enrolments go on:
// see [snapshot.Copy].
func (g *Gallery) CopyTo(ctx context.Context, to store.Store, progress func(rows uint64)) (snapshot.Copied, error) {
	return snapshot.Copy(ctx, g.set, to, progress)
}
