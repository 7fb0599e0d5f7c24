package node

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/keys"
	"github.com/tamga-id/tamga/node/ledgers"
)

// keystoreDigests tell whether a keystore is another than the one that is in use.
type keystoreDigests struct{ node, pseudonym [sha256.Size]byte }

func readDigests(dir string, roots Roots) (d keystoreDigests, err error) {
	b, err := os.ReadFile(keystorePath(dir))
	if err != nil {
		return d, fmt.Errorf("reading keystore: %w", err)
	}
	d.node = sha256.Sum256(b)
	if roots.Pseudonym.Usable() {
		if b, err = os.ReadFile(keystorePath(roots.PseudonymDir)); err != nil {
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
	defer n.reading.relent()
	pending := true
	for {
		if pending && n.family(keys.KEK).several() && n.family(keys.KEK).keep == 0 {
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
			if n.keys.unfinishedRenewal() {
				n.renewals.resume(n.keys.faces.Current())
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
	generation, done, err := n.gallery.RenameAll(ctx, func(r gallery.Renamed) { n.retirements.progress(keys.Pseudonym, r.Looked) })
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
	if errors.Is(cause, gallery.ErrOlderKeys) {
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
func (n *Node) currentRoots() (Roots, error) {
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
	roots, err := n.roots.current(n.dir, away)
	if err != nil {
		return err
	}
	k, err := openKeys(n.dir, roots, n.cfg.EntityID, ledgers.Number(n.cfg))
	if err != nil {
		roots.Wipe()
		return err
	}
	// One of before, put back: nobody could be read any more.
	if err := n.gallery.Accepts(k.ring, k.faces); err != nil {
		roots.Wipe()
		k.wipe()
		return err
	}
	if n.keys.drops(k) { // what reads the gallery for long may still come across it
		if !n.reading.tryClose() {
			n.reading.relent()
			roots.Wipe()
			k.wipe()
			return errReading
		}
		defer n.reading.open()
	}
	if away {
		roots.Pseudonym, n.roots.Pseudonym = n.roots.Pseudonym, custody.Root{}
	}
	n.roots.Wipe()
	n.roots = roots
	k.wipeUnused()
	n.watchHolders(ctx, k)
	if k.pseudonyms != nil {
		if err := n.gallery.UsePseudonyms(ctx, k.pseudonyms); err != nil {
			k.wipe()
			return err
		}
	}
	// New sealing keys open before peers learn of them, and old ones no longer once
	// they do not.
	n.gallery.UseRing(k.ring)
	n.keys.replaceRing(k.ring)
	n.keys.take(k)
	n.keys.faces.Replace(k.faces) // gallery and responder hold these
	k.faces = n.keys.faces
	// Peers verify under the ledger keys that they know, while both sign.
	if err := n.ledger.UseSigner(ctx, k.ledger); err != nil {
		return err
	}
	n.responder.Store(n.responder.Load().WithKeys(k.signing, k.sealing))
	n.requester.Store(n.makeRequester(k))
	if err := n.publish(k); err != nil {
		return err
	}
	n.keystore, n.changed = digests, true
	return nil
}

// Generation is one generation of a key as `tamga key list` shows it.
type Generation struct {
	Number uint32     `json:"number"`
	State  string     `json:"state"`           // prepared, active, old or retiring
	Since  *time.Time `json:"since,omitempty"` // when it became the active one
	Due    *time.Time `json:"due,omitempty"`   // when it is to be destroyed, by kek.retention
}

// KeyFamily is a key that rotates.
type KeyFamily struct {
	Name        keys.Family  `json:"name"`
	Generations []Generation `json:"generations"`
	Overdue     bool         `json:"overdue,omitempty"` // something that kek.retention asks for has not come about
}

// Keys lists the keys that rotate, of the node in dir, or of a pseudonym keystore: those
// that were opened.
func Keys(dir string, roots Roots, now time.Time) ([]KeyFamily, error) {
	var retention time.Duration // of a pseudonym keystore there is none
	if cfg, err := config.Load(filepath.Join(dir, ConfigFile)); err == nil {
		retention = cfg.KEK.Retention
	}
	secrets, err := roots.secrets(dir)
	if err != nil {
		return nil, err
	}
	defer wipeSecrets(secrets)
	var out []KeyFamily
	_, apart := secrets[secretMark]
	for _, f := range keys.Families() {
		if apart && !hasFamily(secrets, f) {
			continue // lies in the other keystore
		}
		g, err := keys.Of(secrets, f)
		if err != nil {
			return nil, err
		}
		out = append(out, familyOf(f, g, retention, now))
	}
	family, err := rootFamily(dir)
	return append(out, family), err
}

// familyOf is what is shown of a key; a retention counts for KEKs.
func familyOf(f keys.Family, g keys.Generations, retention time.Duration, now time.Time) KeyFamily {
	family := KeyFamily{Name: f}
	for _, number := range g.Numbers() {
		one := Generation{Number: number, State: stateOf(g, number)}
		if at, ok := g.Since[number]; ok {
			one.Since = &at
		}
		family.Generations = append(family.Generations, one)
	}
	if f == keys.KEK && retention != 0 {
		a := g.Age(retention, now)
		family.Overdue = overdue(a, now)
		if !a.Retire.IsZero() {
			family.Generations[0].Due = &a.Retire
		}
	}
	return family
}

func stateOf(g keys.Generations, number uint32) string {
	switch {
	case number > g.Current:
		return "prepared"
	case number == g.Current:
		return "active"
	case number < g.Keep:
		return "retiring"
	}
	return "old"
}

// RootKey is the name of the root key among those that rotate.
const RootKey = keys.Root

func rootRotation(dir string) custody.Rotation {
	return custody.Rotation{Root: RootFile(dir), Next: NextRootFile(dir), Keystore: keystorePath(dir)}
}

func rootFamily(dir string) (KeyFamily, error) {
	s, err := rootRotation(dir).State()
	if err != nil {
		return KeyFamily{}, err
	}
	f := KeyFamily{Name: RootKey}
	if s.Old {
		f.Generations = append(f.Generations, Generation{Number: s.Generation - 1, State: "old"})
	}
	f.Generations = append(f.Generations, Generation{Number: s.Generation, State: "active"})
	if s.Prepared {
		f.Generations = append(f.Generations, Generation{Number: s.Generation + 1, State: "prepared"})
	}
	return f, nil
}

// ErrProtectors refuses a root key that less would open than the one before it.
var ErrProtectors = errors.New("what is given opens the root key, and so does something else, which would not open the next one")

// PrepareRoot makes the next root key, under the one protector that is given, and
// returns its number. Unless fewer are accepted it returns [ErrProtectors] where the
// root key has more than that.
func PrepareRoot(dir string, given custody.Kind, by custody.Protector, fewer bool) (uint32, error) {
	p, err := custody.Inspect(RootFile(dir))
	if err != nil {
		return 0, err
	}
	if kinds := p.Kinds(); !fewer && !slices.Equal(kinds, []custody.Kind{given}) {
		return 0, fmt.Errorf("preparing root key: %w", ErrProtectors)
	}
	x := rootRotation(dir)
	if err := x.Prepare(by); err != nil {
		return 0, err
	}
	s, err := x.State()
	return s.Generation + 1, err
}

// ActivateRoot seals the keystore under the prepared root key, which open opens, and
// returns its number. Nothing else is encrypted anew: all other keys are secrets in the
// keystore, and none derives from the root.
func ActivateRoot(dir string, root custody.Root, open func(file string) (custody.Root, error)) (uint32, error) {
	next, err := open(NextRootFile(dir))
	if errors.Is(err, os.ErrNotExist) {
		err = custody.ErrNotPrepared
	}
	if err != nil {
		return 0, fmt.Errorf("opening the prepared root key: %w", err)
	}
	defer next.Wipe()
	x := rootRotation(dir)
	if err := x.Activate(root, next); err != nil {
		return 0, err
	}
	s, err := x.State()
	return s.Generation, err
}

// RetireRoot ends that the root key before the current one opens the keystore, and
// returns its number.
func RetireRoot(dir string, root custody.Root) (uint32, error) {
	x := rootRotation(dir)
	if err := x.Retire(root); err != nil {
		return 0, err
	}
	s, err := x.State()
	return s.Generation - 1, err
}

// SettleRoot brings to its end an activation that was cut off before the next root
// file was put in its place.
func SettleRoot(dir string) error { return rootRotation(dir).Settle() }

// PrepareKey adds a generation that is not used yet, and returns its number.
func PrepareKey(dir string, roots Roots, f keys.Family) (number uint32, err error) {
	err = roots.update(dir, f, func(secrets map[string][]byte) (err error) {
		if f == keys.Pseudonym {
			if err := mayReplace(secrets); err != nil {
				return err
			}
		}
		number, err = keys.Prepare(secrets, f)
		return err
	})
	return number, err
}

// ActivateKey makes the prepared generation the current one, and returns its number.
func ActivateKey(dir string, roots Roots, f keys.Family, now time.Time) (number uint32, err error) {
	if f == keys.Pseudonym {
		if err := checkHolders(dir, roots); err != nil {
			return 0, fmt.Errorf("activating %s: %w", f, err)
		}
	}
	err = roots.update(dir, f, func(secrets map[string][]byte) (err error) {
		number, err = keys.Activate(secrets, f, now)
		return err
	})
	return number, err
}
