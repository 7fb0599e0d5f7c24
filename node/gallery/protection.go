package gallery

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/gallery/commit"
	"github.com/tamga-id/tamga/node/gallery/keyring"
	"github.com/tamga-id/tamga/node/gallery/store"
)

// Protection turns templates into what is stored of them, so that it can be replaced
// when it leaked (ISO/IEC 24745:2022, renewable biometric references). It has numbered
// generations from 1, of which one is current. It is safe for concurrent use.
type Protection interface {
	// Covers reports whether templates of a modality and format are protected. The
	// others are stored as they are.
	Covers(modality, format string) bool
	// Current is the generation that Protect and Renew use now, and Holds reports whether
	// one is there.
	Current() uint32
	Holds(generation uint32) bool
	// Protect gives the stored form of a template that is covered, and its generation.
	// Neither changes nor keeps t.
	Protect(t Template) (stored Template, generation uint32, err error)
	// Renew gives the stored form under the current generation of one under another
	// that is still there, or of a template that is not protected.
	Renew(t Template) (stored Template, generation uint32, err error)
}

// protected is a template as it is stored.
type protected struct {
	Template
	generation uint32 // 0 for one that is stored as it was imported
	source     []byte // of what was imported, when generation is not 0
}

// protect works out what is stored of t. The data is t's own where it is not protected.
func (g *Gallery) protect(t Template) (protected, error) {
	if g.protection == nil || !g.protection.Covers(t.Modality, t.Format) {
		return protected{Template: t}, nil
	}
	stored, generation, err := g.protection.Protect(t)
	if err != nil {
		return protected{}, fmt.Errorf("protecting template: %w", err)
	}
	return protected{stored, generation, g.source(t.Data)}, nil
}

// current reports that p need not be worked out again.
func (g *Gallery) current(p protected) bool {
	return p.generation == 0 || p.generation == g.protection.Current()
}

// holds reports that the secret of a generation is there; 0 is for none.
func (g *Gallery) holds(generation uint32) bool {
	return generation == 0 || g.protection != nil && g.protection.Holds(generation)
}

// wipe overwrites what protect made.
func (p protected) wipe() {
	if p.generation != 0 {
		clear(p.Data)
	}
}

// source tells a repeated import, whatever generation the record is of by then. A plain
// digest would be equal at two nodes that were given the same photograph's template.
func (g *Gallery) source(data []byte) []byte {
	mac := hmac.New(sha256.New, g.index[:])
	mac.Write([]byte("tamga/v1/gallery-source\x00"))
	mac.Write(data)
	return mac.Sum(nil)
}

// Renewed is how far a renewal has come.
type Renewed struct {
	Looked   uint64 // subjects that were looked at
	Subjects uint64 // of them, those that had something of another generation
}

// RenewAll gives every covered record the current generation of the protection.
// Enrolments and look-ups go on meanwhile. It may be stopped and begun again at any
// time: what is done is durable and is passed over. When it returns nil, no record in
// the store is of another generation, so those can be destroyed: it has looked at all
// subjects that the store should have. Damaged ones do not keep it from the others, and
// make it fail with [ErrDamaged] in the end.
//
// A record keeps its place, batch and key. Its older forms stay sealed in files that
// the store has not rewritten, and in backups.
func (g *Gallery) RenewAll(ctx context.Context, progress func(Renewed)) (total Renewed, err error) {
	if g.protection == nil {
		return total, errors.New("renewing templates: they are not protected")
	}
	if _, err := g.announce(ctx, leastProtection, g.protection.Current); err != nil {
		return total, fmt.Errorf("renewing templates: %w", err)
	}
	var broken error // the first
	for after := []byte(nil); ; {
		if err := ctx.Err(); err != nil {
			return total, fmt.Errorf("renewing templates: %w", err)
		}
		page, err := g.outdated(after)
		if err == nil {
			err = g.renew(ctx, page.found)
		}
		switch {
		case errors.Is(err, ErrDamaged):
			broken = cmp.Or(broken, err)
		case err != nil:
			return total, fmt.Errorf("renewing templates: %w", err)
		}
		broken = cmp.Or(broken, page.broken)
		total.Looked += page.looked
		total.Subjects += uint64(len(page.found))
		if progress != nil {
			progress(total)
		}
		if page.last == nil {
			break
		}
		after = page.last
	}
	if broken == nil {
		broken = g.verifyRenewed(ctx)
	}
	if broken != nil {
		return total, fmt.Errorf("renewing templates: %w", broken)
	}
	return total, nil
}

// upToDate works out anew what was prepared under another generation than the current
// one, and refuses what the store does not take any more.
func (g *Gallery) upToDate(txn store.Reader, j *job) error {
	covered := slices.ContainsFunc(j.stored, func(p protected) bool { return p.generation != 0 })
	if !covered {
		return nil
	}
	if slices.ContainsFunc(j.stored, func(p protected) bool { return !g.current(p) }) {
		if err := g.protectAll(j); err != nil {
			return err
		}
	}
	least, err := g.least(txn, leastProtection)
	if err == nil && slices.ContainsFunc(j.stored, func(p protected) bool { return p.generation != 0 && p.generation < least }) {
		err = g.outrun()
	}
	return err
}

// maxRenew bounds how many subjects one commit renews, and maxLooked how many one view
// of the store looks at.
const (
	maxRenew  = 64
	maxLooked = 4096
)

// outdatedPage is who of the next subjects has something of another generation.
type outdatedPage struct {
	found  []pseudonym.Pseudonym
	looked uint64
	last   []byte // the key to go on after; nil at the end
	broken error  // the first subject that could not be read
}

// outdated looks at subjects after a key.
func (g *Gallery) outdated(after []byte) (page outdatedPage, err error) {
	err = g.line.View(func(txn store.Reader) error {
		for row, err := range txn.Scan([]byte("k"), after) {
			if err != nil {
				return err
			}
			if len(page.found) == maxRenew || page.looked == maxLooked {
				return nil
			}
			page.last = bytes.Clone(row.Key)
			page.looked++
			old, p, err := g.isOutdated(txn, page.last)
			if err != nil && !errors.Is(err, ErrDamaged) {
				return err
			}
			if err != nil && page.broken == nil {
				page.broken = err
			}
			if old {
				page.found = append(page.found, p)
			}
		}
		page.last = nil
		return nil
	})
	return page, err
}

// isOutdated looks at the subject whose keyring has this key.
func (g *Gallery) isOutdated(txn store.Reader, key []byte) (bool, pseudonym.Pseudonym, error) {
	if len(key) != 1+len(pseudonym.Pseudonym{}) {
		return false, pseudonym.Pseudonym{}, fmt.Errorf("reading keyring: %w: key of the wrong length", ErrDamaged)
	}
	p := pseudonym.Pseudonym(key[1:])
	s, err := g.load(txn, p)
	if err != nil {
		return false, p, err
	}
	s.Wipe()
	current := g.protection.Current()
	for _, r := range s.List.Records {
		if g.protection.Covers(r.Modality, r.Format) && r.Generation != current {
			return true, p, nil
		}
	}
	return false, p, nil
}

// renew commits the renewal of some subjects.
func (g *Gallery) renew(ctx context.Context, found []pseudonym.Pseudonym) error {
	if len(found) == 0 {
		return nil
	}
	c := &call{results: make([]Result, len(found)), size: maxCommit}
	for _, p := range found {
		c.jobs = append(c.jobs, job{p: p, renew: true})
	}
	err := g.await(ctx, c)
	for _, r := range c.results {
		switch {
		case r.Change != Failed, errors.Is(r.Err, ErrUnknownSubject): // unknown: erased meanwhile
		case err == nil, errors.Is(err, ErrDamaged) && !errors.Is(r.Err, ErrDamaged):
			err = r.Err
		}
	}
	return err
}

// stageRenew works out the records of a subject under the current generation.
func (g *Gallery) stageRenew(txn store.Reader, number uint32, p pseudonym.Pseudonym) (staged, error) {
	s, err := g.load(txn, p)
	if err != nil {
		return staged{}, err
	}
	defer s.Wipe()
	var writes []commit.Write
	for i := range s.List.Records {
		r := &s.List.Records[i]
		if !g.protection.Covers(r.Modality, r.Format) || r.Generation == g.protection.Current() {
			continue
		}
		w, err := g.renewRecord(txn, s, r)
		if err != nil {
			return staged{}, err
		}
		writes = append(writes, w)
	}
	if len(writes) == 0 {
		return staged{change: Unchanged}, nil
	}
	return g.stageKeyring(s, number, Updated, writes)
}

// renewRecord is the record that r names under the current generation, and has r say so.
func (g *Gallery) renewRecord(txn store.Reader, s keyring.Subject, r *keyring.Record) (commit.Write, error) {
	sealed, err := txn.Get(g.vault.RecordRow(s.Home(), r.Slot))
	if err != nil {
		return commit.Write{}, store.Damaged("reading record", err)
	}
	plain, err := g.vault.OpenRecord(s, *r, sealed)
	if err != nil {
		return commit.Write{}, err
	}
	defer clear(plain)
	t, generation, err := g.protection.Renew(Template{Modality: r.Modality, Format: r.Format, Position: r.Position, Data: plain})
	if err != nil {
		return commit.Write{}, store.Damaged("renewing record", err)
	}
	defer clear(t.Data)
	if r.Generation == 0 {
		r.Source = g.source(plain)
	}
	digest := sha256.Sum256(t.Data)
	r.Digest, r.Generation = digest[:], generation
	if sealed, err = g.vault.SealRecord(s, r, t.Data); err != nil {
		return commit.Write{}, err
	}
	return commit.Write{Key: g.vault.RecordRow(s.Home(), r.Slot), Value: sealed}, nil
}

// verifyRenewed looks at every subject as of one moment: that none is outdated, and
// that all are there. An engine that stops early over damage would otherwise have the
// secret destroyed that what it passed over needs.
func (g *Gallery) verifyRenewed(ctx context.Context) error {
	return g.line.View(func(txn store.Reader) error {
		t, err := g.tallies.Stored(txn)
		if err != nil {
			return store.Damaged("reading tally", err)
		}
		var seen uint64
		for row, err := range txn.Scan([]byte("k"), nil) {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				return err
			}
			old, _, err := g.isOutdated(txn, bytes.Clone(row.Key))
			if err != nil {
				return err
			}
			if old {
				return errors.New("a subject was written under another generation meanwhile; begin again")
			}
			seen++
		}
		if seen != t.Subjects {
			return fmt.Errorf("%w: subjects are missing from the store", ErrDamaged)
		}
		return nil
	})
}
