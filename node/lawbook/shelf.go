package lawbook

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/node/rows"
)

// Shelf is where nodes that share a store leave each other what was published. It proves nothing: who takes a publication
// from it demands the approvals again, has an entry made in a ledger of its own, and keeps it in its own [Book]. It is safe
// for concurrent use.
//
// Who can write to the store can take rows away, so that who was not there when they were left goes on by an older law:
// each node that has a publication puts it back ([Book.Restore]), and where a later one is there than the next, none is
// found but an error. While no other node runs, that all were taken away cannot be told.
type Shelf struct{ rows *rows.Rows }

// NewShelf is the shelf in the rows.
func NewShelf(r *rows.Rows) Shelf { return Shelf{r} }

// shelved is a publication's row.
type shelved struct {
	Proposal  wireProposal `json:"proposal"`
	Approvals []string     `json:"approvals"`
}

func rowOf(number uint64) []byte { return binary.BigEndian.AppendUint64([]byte("law"), number) }

// Leave puts a publication where the others find it. Again it changes nothing; another of the same number is [ErrStale].
func (s Shelf) Leave(p Proposal, approvals []string) error {
	b, err := json.Marshal(shelved{wireProposal{string(p.raw), string(p.Text)}, approvals})
	if err != nil {
		return fmt.Errorf("sharing law: %w", err)
	}
	err = s.rows.Update(func(t rows.Txn) error {
		there, err := t.Get(rows.Laws, rowOf(p.Number))
		if errors.Is(err, rows.ErrNone) {
			t.Set(rows.Laws, rowOf(p.Number), b)
			return nil
		}
		if err != nil {
			return err
		}
		was, _, err := readShelved(there)
		if err == nil && was.Digest() != p.Digest() {
			err = fmt.Errorf("%w: another node of the store has published number %d", ErrStale, p.Number)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("sharing law: %w", err)
	}
	return nil
}

// Next is the publication that follows the numbered one with its approvals, unverified, and whether there is one. That it is
// missing, and a later one is there, is [ErrStale].
func (s Shelf) Next(after uint64) (p Proposal, approvals []string, ok bool, err error) {
	var b []byte
	err = s.rows.View(func(r rows.Reader) (err error) {
		if b, err = r.Get(rows.Laws, rowOf(after+1)); !errors.Is(err, rows.ErrNone) {
			return err
		}
		there := uint64(0)
		err = r.Each(rows.Laws, func(rows.Key, []byte) error { there++; return nil })
		if err == nil && there > after {
			err = fmt.Errorf("%w: number %d is missing, and there is a later one", ErrStale, after+1)
		}
		return err
	})
	if err == nil && b == nil {
		return Proposal{}, nil, false, nil
	}
	if err == nil {
		p, approvals, err = readShelved(b)
	}
	if err == nil && p.Number != after+1 {
		err = errors.New("it is of another number")
	}
	if err != nil {
		return Proposal{}, nil, false, fmt.Errorf("reading shared law: %w", err)
	}
	return p, approvals, true, nil
}

func readShelved(b []byte) (Proposal, []string, error) {
	var w shelved
	if err := jose.DecodeClaims(b, &w); err != nil {
		return Proposal{}, nil, err
	}
	p, err := assemble([]byte(w.Proposal.Claim), []byte(w.Proposal.Law))
	return p, w.Approvals, err
}

// Share leaves all that the book has on the shelf.
func (b *Book) Share(s Shelf) error {
	for _, p := range b.Publications()[1:] {
		if err := s.Leave(p.proposal, p.Approvals); err != nil {
			return err
		}
	}
	return nil
}

// Restore puts back what the book has and the shelf has not any more, and returns how many publications that were.
func (b *Book) Restore(s Shelf) (missing int, err error) {
	all := b.Publications()[1:]
	err = s.rows.View(func(r rows.Reader) error {
		for _, p := range all {
			switch _, err := r.Get(rows.Laws, rowOf(p.Number)); {
			case errors.Is(err, rows.ErrNone):
				missing++
			case err != nil:
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("looking for shared law: %w", err)
	}
	if missing == 0 {
		return 0, nil
	}
	return missing, b.Share(s)
}
