// Package decoy keeps which of the enrolled subjects are canaries: invented people, about
// whom nobody has a reason to ask, so that a Query about one shows an insider who tries
// numbers, sells look-ups or copied a list.
//
// [New], then [Book.Add] before they are enrolled like anybody, and [Book.Touched] for every
// Query. A canary is answered like anybody; who touches one must not notice.
//
// Invariants:
//
//   - whether a subject is a canary costs one look-up of a row and one in memory, the same for
//     canaries, for people and for numbers that nobody has;
//   - who has the store without the node's keys cannot tell from the rows which ones are of
//     canaries' subjects, and sees how many there are. Who watches the store, or the list's file,
//     sees when some were made: seed them while others are enrolled, and not all at once.
//
// Who can write to the store can take these rows away, spoil them, or put an older copy of it back: the list
// outside of the store still has them, so that the alarm is raised all the same, and
// [Book.Agree] says that they are missing.
package decoy

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/rows"
	"github.com/tamga-id/tamga/node/rows/outside"
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
type Book struct {
	rows *rows.Rows
	list *outside.List
}

// New opens the book in rows, with the list of canaries outside of them, nil for none: see
// [OpenList] and [Book.Agree].
func New(r *rows.Rows, list *outside.List) *Book { return &Book{r, list} }

// Canaries ends the name of the list's file.
const Canaries = "canaries"

// OpenList reads the list of canaries that lies beside the checkpoint file, empty for none. It
// fails with [outside.ErrEdited].
func OpenList(checkpoint string, key [32]byte) (*outside.List, error) {
	return outside.Open(outside.File(checkpoint, Canaries), key, time.Time{})
}

// keep has the list know of canaries.
func (b *Book) keep(keys ...rows.Key) error {
	for _, key := range keys {
		if err := b.list.Add(key, math.MaxInt64); err != nil {
			return err
		}
	}
	return nil
}

// Agree has the list know of the canaries of the store, which other nodes may have made, and
// returns how many it knows that are missing there.
func (b *Book) Agree() (missing int, err error) {
	left, fresh := b.list.All(), []rows.Key(nil)
	err = b.rows.View(func(r rows.Reader) error {
		return r.Each(rows.Canaries, func(key rows.Key, _ []byte) error {
			if _, ok := left[key]; !ok {
				fresh = append(fresh, key)
			}
			delete(left, key)
			return nil
		})
	})
	if err == nil {
		err = b.keep(fresh...)
	}
	if err != nil {
		return 0, fmt.Errorf("comparing canaries: %w", err)
	}
	return len(left), nil
}

// name is the row of an identifier that was normalised.
func name(id pseudonym.Identifier) []byte {
	return []byte(id.Jurisdiction + "\x00" + id.Type + "\x00" + id.Value)
}

// Add makes subjects canaries, all or none; one that is a canary stays one.
func (b *Book) Add(now time.Time, subjects ...pseudonym.Identifier) error {
	var ids []pseudonym.Identifier
	var keys []rows.Key
	for _, s := range subjects {
		id, err := s.Normalize()
		if err != nil {
			return fmt.Errorf("adding canaries: %w", err)
		}
		ids, keys = append(ids, id), append(keys, b.rows.Key(rows.Canaries, name(id)))
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
	if err == nil { // again, too, when it failed before
		err = b.keep(keys...)
	}
	if err != nil {
		return fmt.Errorf("adding canaries: %w", err)
	}
	return nil
}

// Touched reports whether the subject of a Query, normalised, is a canary. It may be, also with
// an error. The row is not opened: in the place of one that somebody spoilt nobody else's lies.
func (b *Book) Touched(id pseudonym.Identifier) (is bool, err error) {
	listed := b.list.Has(b.rows.Key(rows.Canaries, name(id)))
	err = b.rows.View(func(r rows.Reader) (err error) {
		is, err = r.Has(rows.Canaries, name(id))
		return err
	})
	if err != nil {
		return listed, fmt.Errorf("looking for a canary: %w", err)
	}
	return listed || is, nil
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
