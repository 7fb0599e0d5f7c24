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

// Find is the publication of the number with its approvals, unverified, and whether there is one.
func (s Shelf) Find(number uint64) (p Proposal, approvals []string, ok bool, err error) {
	var b []byte
	err = s.rows.View(func(r rows.Reader) (err error) {
		b, err = r.Get(rows.Laws, rowOf(number))
		return err
	})
	if errors.Is(err, rows.ErrNone) {
		return Proposal{}, nil, false, nil
	}
	if err == nil {
		p, approvals, err = readShelved(b)
	}
	if err == nil && p.Number != number {
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
