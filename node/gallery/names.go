package gallery

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tamga-id/tamga/crypto/envelope"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/gallery/commit"
	"github.com/tamga-id/tamga/node/gallery/keyring"
	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/gallery/tally"
)

// The pseudonym key may be replaced. The store says, in a row of its own, under which
// keys subjects lie: the first of them is the one that new subjects get, and from the
// others they are moved to it, one by one, by [Gallery.RenameAll]. Until they all are, a
// subject is looked for under every one.
//
//	names row = since (4) 1*(generation (4) public key (32)) HMAC-SHA256 (32) ; big endian
//
// Since is the number of the last commit that took keys out, because nobody lay under
// them any more.
//
// What a subject is moved by lies in its sealed list: not the identifier but the element
// that the pseudonym is the hash of, which tells nothing without the key.

// names are the pseudonym keys that subjects lie under. It is immutable.
type names struct {
	since uint32
	keys  []nameKey // the one that new subjects get first
}

type nameKey struct {
	generation uint32
	key        pseudonym.Key
}

// named is a person under every key that he may lie under.
type named struct {
	names    *names
	elements []pseudonym.Element // one for each key
}

const (
	namesLabel = "pseudonym-keys"

	nameSize = 4 + 32
	maxNames = 16
)

var (
	// errNamesChanged: the keys that subjects lie under are others by now.
	errNamesChanged = errors.New("the pseudonym keys changed meanwhile")
	// ErrPseudonymKeys reports a keystore that lacks a key under which subjects lie: it is
	// older than the gallery.
	ErrPseudonymKeys = errors.New("subjects lie under a pseudonym key that is not in the keystore")
)

// keyNames is where the store says under which keys subjects lie.
func keyNames() []byte { return []byte("m" + namesLabel) }

func (n *names) seal(k tally.Key) []byte {
	b := binary.BigEndian.AppendUint32(nil, n.since)
	for _, x := range n.keys {
		b = binary.BigEndian.AppendUint32(b, x.generation)
		b = append(b, x.key.Public().Bytes()...)
	}
	return k.Tag(namesLabel, b)
}

// openNames finds the keys that a row names in the ring.
func (g *Gallery) openNames(row []byte) (*names, error) {
	body := row[:max(0, len(row)-sha256.Size)]
	if len(body) < 4+nameSize || len(body)%nameSize != 4 || len(body) > 4+maxNames*nameSize || !hmac.Equal(row, g.tallies.Tag(namesLabel, body)) {
		return nil, fmt.Errorf("reading pseudonym keys: %w", ErrDamaged)
	}
	ring, n := g.keys.Load(), &names{since: binary.BigEndian.Uint32(body)}
	for body = body[4:]; len(body) > 0; body = body[nameSize:] {
		x := nameKey{generation: binary.BigEndian.Uint32(body)}
		x.key = ring.Key(x.generation)
		if g.shared() && x.key.IsZero() && x.generation > ring.Current() {
			return nil, fmt.Errorf("%w: %w", ErrOutdated, ErrPseudonymKeys)
		}
		if x.key.IsZero() || !bytes.Equal(x.key.Public().Bytes(), body[4:nameSize]) {
			return nil, ErrPseudonymKeys
		}
		n.keys = append(n.keys, x)
	}
	return n, nil
}

// startNames reads under which keys subjects lie, when the gallery is opened.
func (g *Gallery) startNames() error {
	ring := g.keys.Load()
	g.names.Store(&names{keys: []nameKey{{ring.Current(), ring.Key(ring.Current())}}})
	return g.line.View(func(txn store.Reader) error {
		_, err := g.seeNames(txn)
		if errors.Is(err, ErrPseudonymKeys) && !errors.Is(err, ErrOutdated) {
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		return err
	})
}

// seeNames takes note of the keys that subjects lie under as of a moment of the store,
// and reports whether the store says so: before the first commit it does not.
func (g *Gallery) seeNames(txn store.Reader) (said bool, err error) {
	row, err := txn.Get(keyNames())
	if errors.Is(err, store.ErrNotFound) {
		if t, err := g.tallies.Stored(txn); err != nil || t.Commit > 0 {
			return false, store.Damaged("reading pseudonym keys", errors.Join(err, errors.New("they are missing")))
		}
		return false, nil
	}
	if err != nil {
		return false, store.Damaged("reading pseudonym keys", err)
	}
	if bytes.Equal(row, g.names.Load().seal(g.tallies)) {
		return true, nil
	}
	n, err := g.openNames(row)
	if errors.Is(err, ErrPseudonymKeys) && g.shared() {
		// Another node has replaced the key. A subject that this one did not find would
		// pass for unknown.
		return true, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	if err != nil {
		return true, err
	}
	g.names.Store(n)
	return true, nil
}

// UsePseudonyms has the gallery use another ring of pseudonym keys from now on: new
// subjects get the pseudonym under its current key, unless the store has gone on to a
// newer one. It refuses a ring that lacks a key under which subjects lie, and changes
// nothing then. See [Gallery.RenameAll].
func (g *Gallery) UsePseudonyms(ctx context.Context, ring *pseudonym.Ring) error {
	if err := g.line.InTurn(ctx, func() error { return g.usePseudonyms(ring) }); err != nil {
		return fmt.Errorf("changing pseudonym keys: %w", err)
	}
	return nil
}

func (g *Gallery) usePseudonyms(ring *pseudonym.Ring) error {
	before := g.keys.Load()
	for _, x := range g.names.Load().keys {
		if !ring.Key(x.generation).Equal(x.key) {
			return fmt.Errorf("changing pseudonym keys: generation %d: %w", x.generation, ErrPseudonymKeys)
		}
	}
	g.keys.Store(ring)
	if err := g.adopt(); err != nil {
		g.keys.Store(before)
		return fmt.Errorf("changing pseudonym keys: %w", err)
	}
	return nil
}

// adopt has new subjects lie under the current key of the ring, if that is newer than
// what the store says. The caller has the turn, or the gallery alone.
func (g *Gallery) adopt() error {
	ring := g.keys.Load()
	if n := g.names.Load(); n != nil && ring.Current() <= n.keys[0].generation {
		return nil // nothing needs to be written, which a full disk does not take
	}
	return g.changeNames(func(n *names, _ uint32) *names {
		if ring.Current() <= n.keys[0].generation {
			return n
		}
		return &names{n.since, append([]nameKey{{ring.Current(), ring.Key(ring.Current())}}, n.keys...)}
	})
}

// changeNames makes durable which keys subjects lie under, and then goes by it. The
// caller has the turn, or the gallery alone.
func (g *Gallery) changeNames(change func(n *names, number uint32) *names) error {
	var next *names
	err := g.line.Update([][]byte{keyNames()}, func(b *commit.Bundle) error {
		was := g.names.Load() // as the store says by now
		next = change(was, b.Commit())
		switch {
		case len(next.keys) > maxNames:
			return errors.New("too many pseudonym keys are in use; retire old ones")
		case next == was:
			return nil
		case b.Commit() == 1: // nobody lies under any, and the first commit says so
			next = &names{keys: next.keys[:1:1]}
			return nil
		}
		return b.Set(commit.Write{Key: keyNames(), Value: next.seal(g.tallies)})
	})
	if err == nil {
		g.names.Store(next)
	}
	return err
}

// nameOf is who id is under every key that he may lie under.
func (g *Gallery) nameOf(id pseudonym.Identifier) (named, error) {
	who := named{names: g.names.Load()}
	for _, x := range who.names.keys {
		e, err := x.key.Element(id)
		if errors.Is(err, pseudonym.ErrHolders) {
			// Whether the person is enrolled cannot be told now.
			err = fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		if err != nil {
			return named{}, err
		}
		who.elements = append(who.elements, e)
	}
	return who, nil
}

func (w named) pseudonyms() []pseudonym.Pseudonym {
	out := make([]pseudonym.Pseudonym, 0, len(w.elements)+1)
	for _, e := range w.elements {
		out = append(out, e.Pseudonym())
	}
	return out
}

// isCurrent reports whether who is still all that he may lie under. That holds as long
// as the turn is held, and for what a view shows that began before it was asked.
func (g *Gallery) isCurrent(who named) bool { return who.names == g.names.Load() }

// find loads the subject from where it lies: see load.
func (g *Gallery) find(txn store.Reader, who named) (keyring.Subject, error) {
	for _, p := range who.pseudonyms() {
		if s, err := g.load(txn, p); !errors.Is(err, ErrUnknownSubject) {
			return s, err
		}
	}
	return keyring.Subject{}, ErrUnknownSubject
}

func whereIs(txn store.Reader, who named) (pseudonym.Pseudonym, error) {
	for _, p := range who.pseudonyms() {
		if _, err := keyring.FindStamp(txn, p); !errors.Is(err, ErrUnknownSubject) {
			return p, err
		}
	}
	return pseudonym.Pseudonym{}, ErrUnknownSubject
}

// viewOf runs f on the store as of one moment with who the identifier is at that moment.
func (g *Gallery) viewOf(id pseudonym.Identifier, f func(store.Reader, named) error) error {
	for {
		ring := g.vault.Ring()
		who, err := g.nameOf(id)
		if err != nil {
			return err
		}
		err = g.line.View(func(txn store.Reader) error {
			if err := g.notBehind(txn, who); err != nil {
				return err
			}
			if !g.isCurrent(who) {
				return errNamesChanged
			}
			return f(txn, who)
		})
		if errors.Is(err, envelope.ErrGeneration) && g.vault.Ring() != ring {
			continue // it was read before it was wrapped anew, and its KEK destroyed meanwhile
		}
		if !errors.Is(err, errNamesChanged) {
			return err
		}
	}
}

// notBehind refuses to look a subject up in a shared store that shows less than it has
// acknowledged.
func (g *Gallery) notBehind(txn store.Reader, who named) error {
	if !g.shared() {
		return nil
	}
	var keys [][]byte
	for _, p := range who.pseudonyms() {
		keys = append(keys, keyring.StampRow(p), keyring.Row(p))
	}
	return g.line.Current(txn, keys...)
}

// former are the pseudonyms that a subject had before, none when its list does not open.
func (g *Gallery) former(txn store.Reader, p pseudonym.Pseudonym) []pseudonym.Pseudonym {
	s, err := g.load(txn, p)
	if err != nil {
		return nil
	}
	s.Wipe()
	return s.List.Former
}

// Renamed is how far RenameAll has come.
type Renamed struct {
	Looked   uint64 // subjects that were looked at
	Subjects uint64 // of them, those that lay under another key
}

// RenameAll gives every subject the pseudonym under the key that new subjects get, and
// then has the store say that none lies under another, so that others can be destroyed.
// It returns the generation of that key. Nobody's identifier is asked for. Enrolments,
// erasures and look-ups go on meanwhile. It may be stopped and begun again at any time:
// what is done is durable and is passed over. Damaged subjects do not keep it from the
// others, and make it fail with [ErrDamaged] in the end.
//
// Copies of the files from before hold the old pseudonyms, which can be tested against
// guessed identifiers by who has the old key.
func (g *Gallery) RenameAll(ctx context.Context, progress func(Renamed)) (generation uint32, total Renamed, err error) {
	select {
	case g.moving <- struct{}{}:
		defer func() { <-g.moving }()
	case <-ctx.Done():
		return 0, total, fmt.Errorf("renewing pseudonyms: %w", ctx.Err())
	}
	target := g.names.Load()
	if len(target.keys) > 1 {
		if total, err = g.renameAll(ctx, progress); err == nil {
			err = g.leaveNames(ctx, target)
		}
	}
	if err != nil {
		return 0, total, fmt.Errorf("renewing pseudonyms: %w", err)
	}
	return target.keys[0].generation, total, nil
}

// PseudonymGenerations are those of the keys that subjects lie under, the one that new
// subjects get first.
func (g *Gallery) PseudonymGenerations() []uint32 {
	var out []uint32
	for _, x := range g.names.Load().keys {
		out = append(out, x.generation)
	}
	return out
}

func (g *Gallery) renameAll(ctx context.Context, progress func(Renamed)) (total Renamed, err error) {
	var broken error
	for after := []byte(nil); ; {
		if err := ctx.Err(); err != nil {
			return total, err
		}
		page, err := g.misnamed(after)
		broken = errors.Join(broken, page.broken)
		if err == nil {
			err = g.rename(ctx, page.found)
		}
		if errors.Is(err, ErrDamaged) {
			broken, err = errors.Join(broken, err), nil
		}
		if err != nil {
			return total, err
		}
		total.Looked += page.looked
		total.Subjects += uint64(len(page.found))
		if progress != nil {
			progress(total)
		}
		if page.last == nil {
			return total, broken
		}
		after = page.last
	}
}

// misnamed looks at subjects after a key for those that lie under another pseudonym key
// than the first.
func (g *Gallery) misnamed(after []byte) (page outdatedPage, err error) {
	err = g.line.View(func(txn store.Reader) error {
		target := g.names.Load().keys[0].generation
		for row, err := range txn.Scan([]byte("k"), after) {
			if err != nil {
				return err
			}
			if len(page.found) == maxRenew || page.looked == maxLooked {
				return nil
			}
			page.last = bytes.Clone(row.Key)
			page.looked++
			naming, p, err := g.namingOf(txn, page.last)
			switch {
			case errors.Is(err, ErrDamaged):
				page.broken = err
			case err != nil:
				return err
			case naming != target:
				page.found = append(page.found, p)
			}
		}
		page.last = nil
		return nil
	})
	return page, err
}

// namingOf is the generation of the pseudonym key of the subject whose keyring has this key.
func (g *Gallery) namingOf(txn store.Reader, key []byte) (uint32, pseudonym.Pseudonym, error) {
	if len(key) != 1+len(pseudonym.Pseudonym{}) {
		return 0, pseudonym.Pseudonym{}, fmt.Errorf("reading keyring: %w: key of the wrong length", ErrDamaged)
	}
	p := pseudonym.Pseudonym(key[1:])
	s, err := g.load(txn, p)
	if err != nil {
		return 0, p, err
	}
	s.Wipe()
	return s.List.Naming, p, nil
}

// rename commits the new pseudonyms of some subjects.
func (g *Gallery) rename(ctx context.Context, found []pseudonym.Pseudonym) error {
	if len(found) == 0 {
		return nil
	}
	c := &call{results: make([]Result, len(found)), size: len(found) * maxKeyring}
	for _, p := range found {
		c.jobs = append(c.jobs, job{p: p, rename: true})
	}
	err := g.await(ctx, c)
	for _, r := range c.results {
		if r.Change == Failed && !errors.Is(r.Err, ErrUnknownSubject) { // unknown: erased meanwhile
			err = errors.Join(err, r.Err)
		}
	}
	return err
}

// stageRename works out the keyring of a subject under its new pseudonym. Its records
// stay where they are and are sealed under the same key.
func (g *Gallery) stageRename(txn store.Reader, number uint32, p pseudonym.Pseudonym) (staged, error) {
	s, err := g.load(txn, p)
	if err != nil {
		return staged{}, err
	}
	defer func() { s.Wipe() }()
	n := g.names.Load()
	to := n.keys[0]
	if s.List.Naming == to.generation {
		return staged{change: Unchanged}, nil
	}
	from := n.key(s.List.Naming)
	element, err := to.key.Update(from, s.List.Element)
	if errors.Is(err, pseudonym.ErrHolders) {
		return staged{}, fmt.Errorf("renewing pseudonym: %w: %w", ErrUnavailable, err)
	}
	if err != nil {
		return staged{}, store.Damaged("renewing pseudonym", err)
	}
	if _, err := keyring.FindStamp(txn, element.Pseudonym()); !errors.Is(err, ErrUnknownSubject) {
		return staged{}, store.Damaged("renewing pseudonym", errors.Join(err, errors.New("it is taken")))
	}
	if err := g.vault.Rename(&s, element, to.generation); err != nil {
		return staged{}, err
	}
	if err := g.mayWrap(txn, s); err != nil {
		return staged{}, err
	}
	moved, err := g.stageKeyring(s, number, Updated, nil)
	moved.drops = [][]byte{keyring.Row(p), keyring.StampRow(p)}
	return moved, err
}

// key is that of a generation, the zero key when subjects lie under none of it.
func (n *names) key(generation uint32) pseudonym.Key {
	for _, x := range n.keys {
		if x.generation == generation {
			return x.key
		}
	}
	return pseudonym.Key{}
}

// leaveNames has the store say that subjects lie under the first key alone, once it is
// sure that they do: of a store that stopped early over damage, a scan would not tell.
func (g *Gallery) leaveNames(ctx context.Context, target *names) error {
	err := g.line.View(func(txn store.Reader) error {
		t, err := g.tallies.Stored(txn)
		if err != nil {
			return store.Damaged("reading tally", err)
		}
		var seen uint64
		for row, err := range txn.Scan([]byte("k"), nil) {
			if err = errors.Join(err, ctx.Err()); err != nil {
				return err
			}
			naming, _, err := g.namingOf(txn, bytes.Clone(row.Key))
			if err != nil {
				return err
			}
			if naming != target.keys[0].generation {
				return errNamesChanged
			}
			seen++
		}
		if seen != t.Subjects {
			return fmt.Errorf("%w: subjects are missing from the store", ErrDamaged)
		}
		return nil
	})
	if err != nil {
		return err
	}
	changed := false
	err = g.line.InTurn(ctx, func() error {
		return g.changeNames(func(n *names, number uint32) *names {
			if changed = n.keys[0].generation != target.keys[0].generation; changed || len(n.keys) == 1 {
				return n
			}
			return &names{number, n.keys[:1:1]}
		})
	})
	if err == nil && changed {
		err = errNamesChanged
	}
	return err
}
