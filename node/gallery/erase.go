package gallery

import (
	"context"
	"errors"
	"fmt"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/gallery/commit"
	"github.com/tamga-id/tamga/node/gallery/erasure"
	"github.com/tamga-id/tamga/node/gallery/fsck"
	"github.com/tamga-id/tamga/node/gallery/keyring"
	"github.com/tamga-id/tamga/node/gallery/naming"
	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/gallery/subjects"
	"github.com/tamga-id/tamga/node/gallery/undo"
)

// Erase destroys everything that is held of a subject: key, records, findings and
// holder key, whichever batch brought them. It returns how many records there were,
// once the subject is unknown and stays so: past a crash, past an import that began
// before, and past an older copy of the folder put back, which [Open] erases from again
// as long as one of the lists of erasures is newer: see [Config]. An identifier under
// which no one is enrolled gives [ErrUnknownSubject]. Who is erased can be enrolled anew.
//
// Copies of the wrapped key, in files that the store has not rewritten and in copies of
// them of any age, open to who has the KEK that wraps it; [Gallery.RewrapAll] lets it be
// destroyed. A backup carries no KEK: what it holds is out of reach then, too, but for who
// kept a key escrow of its time.
func (g *Gallery) Erase(ctx context.Context, id pseudonym.Identifier) (records int, err error) {
	for {
		var who naming.Named
		if who, err = g.set.NameOf(id); err != nil {
			break
		}
		records, err = g.eraseInTurn(ctx, who.Pseudonyms(), func(txn store.Reader) (pseudonym.Pseudonym, error) {
			if !g.set.IsCurrent(who) {
				return pseudonym.Pseudonym{}, subjects.ErrNamesChanged
			}
			return subjects.Where(txn, who)
		})
		if !errors.Is(err, subjects.ErrNamesChanged) {
			break
		}
	}
	if err != nil {
		return 0, fmt.Errorf("erasing subject: %w", err)
	}
	return records, nil
}

// ErrSound: nothing of the subject is damaged.
var ErrSound = errors.New("nothing of this subject is damaged: erase it by its number")

// EraseDamaged does what [Gallery.Erase] does with a subject of whom only the handle is
// known under which a [fsck.Report] lists it as damaged, and with no other: [ErrSound]. What
// is damaged keeps a KEK from being destroyed, and nobody else can ask for its erasure.
func (g *Gallery) EraseDamaged(ctx context.Context, handle string) error {
	p, err := g.damagedSubject(ctx, handle)
	if err == nil {
		_, err = g.eraseInTurn(ctx, []pseudonym.Pseudonym{p}, func(txn store.Reader) (pseudonym.Pseudonym, error) {
			_, err := keyring.FindStamp(txn, p)
			return p, err
		})
	}
	if err != nil {
		return fmt.Errorf("erasing damaged subject: %w", err)
	}
	return nil
}

// damagedSubject finds whose handle it is. Handles cannot be turned back.
func (g *Gallery) damagedSubject(ctx context.Context, handle string) (p pseudonym.Pseudonym, err error) {
	c := g.checker()
	err = g.set.Line.View(func(txn store.Reader) error {
		for row, err := range txn.Scan([]byte("v"), nil) {
			if err = errors.Join(err, ctx.Err()); err != nil {
				return err
			}
			if len(row.Key) != 1+len(p) || c.Handle(pseudonym.Pseudonym(row.Key[1:])) != handle {
				continue
			}
			var r fsck.Report
			p = pseudonym.Pseudonym(row.Key[1:])
			if err := c.Subject(txn, p, &r); err != nil {
				return err
			}
			if len(r.Damaged) == 0 {
				return ErrSound
			}
			return nil
		}
		return ErrUnknownSubject
	})
	return p, err
}

// located says under which pseudonym a subject lies: [ErrUnknownSubject] under none.
type located func(store.Reader) (pseudonym.Pseudonym, error)

// eraseInTurn erases the subject who lies where that says, which is one of all or nowhere.
func (g *Gallery) eraseInTurn(ctx context.Context, all []pseudonym.Pseudonym, where located) (records int, err error) {
	err = g.set.Line.InTurn(ctx, func() (err error) {
		records, err = g.erase(all, where)
		return err
	})
	return records, err
}

// erase is Erase by who has the turn. The list of erasures comes first: whatever ends
// this before the commit, the lists then differ, and the next commit, or Open, carries
// the erasure out before anything else. Asked again, it says what it came to. The
// pseudonyms of before are on the list, too: an older copy has the subject under one of
// those.
func (g *Gallery) erase(all []pseudonym.Pseudonym, where located) (records int, err error) {
	var p pseudonym.Pseudonym
	listed := false
	err = g.set.Line.Update(nil, func(b *commit.Bundle) (err error) {
		p, err = where(b.Txn)
		if errors.Is(err, ErrUnknownSubject) || errors.Is(err, subjects.ErrNamesChanged) {
			return err
		} else if err != nil {
			return store.Damaged("reading keyring", err)
		}
		for _, p := range append(g.set.Former(b.Txn, p), p) {
			if err := b.List(erasure.Entry{Commit: b.Commit(), Subject: p}); err != nil {
				return err
			}
		}
		listed = true
		records, err = g.stageErase(b, p)
		return err
	})
	if errors.Is(err, ErrUnknownSubject) {
		for _, p = range all {
			if owed, ok := g.owed[p]; ok {
				records, err = owed, nil
				break
			}
		}
	}
	if err == nil {
		if err = g.set.Line.FollowOutside(); err != nil {
			err = fmt.Errorf("erased, but another folder put back would not show it: %w", err)
			listed = true
		}
	}
	if err == nil {
		delete(g.owed, p)
	} else if listed {
		g.owed[p] = records
	}
	return records, err
}

// stageErase stages the removal of a subject, whole, also of one whose keyring is damaged:
// its records cannot be found then, and without the key they are noise.
func (g *Gallery) stageErase(b *commit.Bundle, p pseudonym.Pseudonym) (records int, err error) {
	s, err := keyring.FindStamp(b.Txn, p)
	if err != nil {
		return 0, store.Damaged("reading keyring", err)
	}
	opened, err := g.set.Load(b.Txn, p)
	switch {
	case err == nil:
		defer opened.Wipe()
		records = len(opened.List.Records)
		for _, row := range g.set.Vault.ConsentRows(opened.List.Consent, p) {
			if err := b.Drop(row); err != nil {
				return 0, err
			}
		}
		for _, r := range opened.List.Records {
			if err := b.Drop(g.set.Vault.RecordRow(opened.Home(), r.Slot)); err != nil {
				return 0, err
			}
		}
	case !errors.Is(err, ErrDamaged):
		return 0, err
	}
	b.Forget(p, s)
	return records, errors.Join(b.Drop(keyring.Row(p)), b.Drop(keyring.StampRow(p)))
}

// Undo takes back what enrolments under batch added: see [undo.Batch].
func (g *Gallery) Undo(ctx context.Context, batch string) (undo.Done, error) {
	return undo.Batch(ctx, g.set, batch)
}

// eraseAgain stages the removal of a subject, unless a later commit enrolled it.
func (g *Gallery) eraseAgain(b *commit.Bundle, x erasure.Entry) error {
	s, err := keyring.FindStamp(b.Txn, x.Subject)
	switch {
	case errors.Is(err, ErrUnknownSubject), err == nil && s.Born > x.Commit:
		return nil
	case err != nil:
		return store.Damaged("erasing again", err)
	}
	records, err := g.stageErase(b, x.Subject)
	if _, owed := g.owed[x.Subject]; owed {
		g.owed[x.Subject] = records
	}
	return err
}
