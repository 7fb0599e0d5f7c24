// Package decoy keeps which of the enrolled subjects are canaries: invented people, about
// whom nobody has a reason to ask, so that a Query about one shows an insider who tries
// numbers, sells look-ups or copied a list.
//
// [New], then [Book.Add] when they were enrolled like anybody, and [Book.Touched] for every
// Query. A canary is answered like anybody; who touches one must not notice.
//
// Invariants:
//
//   - whether a subject is a canary costs one look-up, the same for canaries, for people and
//     for numbers that nobody has;
//   - who has the store without the node's keys cannot tell which rows are of canaries'
//     subjects, and sees how many there are.
//
// Who can write to the store can take these rows away, all of them at once, and no alarm is
// raised any more: compare [Book.List] now and then with what was seeded.
package decoy

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/rows"
)

// Max bounds how many canaries there may be: they are listed as a whole.
const Max = 10_000

// ErrFull: no more canaries fit.
var ErrFull = errors.New("there are as many canaries as there may be")

// Canary is one of them.
type Canary struct {
	Subject pseudonym.Identifier
	Since   time.Time // whole seconds
}

// Book is what is kept. It is safe for concurrent use.
type Book struct{ rows *rows.Rows }

// New opens the book in rows.
func New(r *rows.Rows) *Book { return &Book{r} }

// name is the row of an identifier that was normalised.
func name(id pseudonym.Identifier) []byte {
	return []byte(id.Jurisdiction + "\x00" + id.Type + "\x00" + id.Value)
}

// Add makes subjects canaries, all or none; one that is a canary stays one.
func (b *Book) Add(now time.Time, subjects ...pseudonym.Identifier) error {
	var ids []pseudonym.Identifier
	for _, s := range subjects {
		id, err := s.Normalize()
		if err != nil {
			return fmt.Errorf("adding canaries: %w", err)
		}
		ids = append(ids, id)
	}
	err := b.rows.Update(func(t rows.Txn) error {
		there := 0
		if err := t.Each(rows.Canaries, func(rows.Key, []byte) error { there++; return nil }); err != nil {
			return err
		}
		for _, id := range ids {
			_, err := t.Get(rows.Canaries, name(id))
			if err == nil {
				continue
			}
			if !errors.Is(err, rows.ErrNone) {
				return err
			}
			if there++; there > Max {
				return ErrFull
			}
			t.Set(rows.Canaries, name(id), []byte(now.UTC().Format(time.RFC3339)+"\x00"+string(name(id))))
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("adding canaries: %w", err)
	}
	return nil
}

// Touched reports whether the subject of a Query, normalised, is a canary.
func (b *Book) Touched(id pseudonym.Identifier) (is bool, err error) {
	err = b.rows.View(func(r rows.Reader) error {
		_, err := r.Get(rows.Canaries, name(id))
		if errors.Is(err, rows.ErrNone) {
			return nil
		}
		is = err == nil
		return err
	})
	if err != nil {
		return false, fmt.Errorf("looking for a canary: %w", err)
	}
	return is, nil
}

// List is all of them, in no order that means anything.
func (b *Book) List() (out []Canary, err error) {
	err = b.rows.View(func(r rows.Reader) error {
		return r.Each(rows.Canaries, func(_ rows.Key, value []byte) error {
			parts := strings.Split(string(value), "\x00")
			if len(parts) != 4 {
				return errors.New("a row is not what it should be")
			}
			at, err := time.Parse(time.RFC3339, parts[0])
			out = append(out, Canary{pseudonym.Identifier{Jurisdiction: parts[1], Type: parts[2], Value: parts[3]}, at})
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("listing canaries: %w", err)
	}
	return out, nil
}
