package lawbook

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/ledgers"
)

// Past is the node's ledger. ledger.Log is.
type Past interface {
	Size() uint64
	Entries(start uint64, n int) ([][]byte, error)
}

// Prove demands of every publication that the ledger of that origin has its entry, word for word, and that the newest
// text is the one that the ledger tells of last. Where a publication got its entry and no file, as when the node was
// killed in between, it is finished. Errors match [ErrForged] and [ErrUnpublished].
//
// Entries of an earlier ledger, before one that was given up, cannot be looked at; the newest publication must then
// have approvals by two operators of today.
func (b *Book) Prove(origin string, past Past, operators []jose.PublicKey) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, p := range b.all[1:] {
		if err := p.proven(origin, past, operators, i == len(b.all)-2); err != nil {
			return fmt.Errorf("proving law: %w: number %d: %w", ErrForged, p.Number, err)
		}
	}
	told, at, err := newest(past)
	if err != nil {
		return fmt.Errorf("proving law: %w", err)
	}
	last := b.all[len(b.all)-1]
	if told.Policy.Text == (protocol.Hash{}) || told.Policy.Text == protocol.Hash(last.Digest) {
		return nil
	}
	if told.Kind == protocol.LeafLaw && b.finish(origin, told, at) {
		return nil
	}
	if last.Number == 0 && told.Kind != protocol.LeafLaw && len(operators) < quorum {
		return nil // nobody could publish: the file is the operator's to change
	}
	return fmt.Errorf("proving law: %w: entry %d of the ledger tells of the text with SHA-256 %s, and this is another",
		ErrUnpublished, at, hex.EncodeToString(told.Policy.Text[:]))
}

// proven says what is wrong with a publication.
func (p Publication) proven(origin string, past Past, operators []jose.PublicKey, isLast bool) error {
	if p.Origin != origin {
		first, number := ledgers.Split(origin)
		if before, n := ledgers.Split(p.Origin); before != first || n >= number {
			return errors.New("its ledger is not the node's")
		}
		if !isLast {
			return nil
		}
		_, err := p.proposal.Approvers(p.Approvals, operators)
		return err
	}
	entries, err := past.Entries(p.Entry, 1)
	if err != nil {
		return err
	}
	if len(entries) == 0 {
		return errors.New("there is no such entry")
	}
	leaf, err := protocol.ParseLeaf(entries[0])
	if err != nil {
		return err
	}
	if !p.is(leaf) {
		return fmt.Errorf("entry %d is about something else", p.Entry)
	}
	return nil
}

// is reports whether the leaf says all that the publication does.
func (p Publication) is(l protocol.Leaf) bool {
	evidence, err := p.proposal.Evidence(p.Approvals)
	return err == nil && l.Kind == protocol.LeafLaw && l.Query == protocol.Hash(p.Proposal) && l.Evidence == string(evidence) &&
		l.Policy.Text == protocol.Hash(p.Digest) && l.Time.Truncate(time.Second).Equal(p.At)
}

// finish takes the publication that a leaf is about, if it is the one that was under way.
func (b *Book) finish(origin string, l protocol.Leaf, at uint64) bool {
	src, err := os.ReadFile(filepath.Join(b.dir, pendingFile))
	if err != nil {
		return false
	}
	var w wirePublication
	if jose.DecodeClaims(src, &w) != nil {
		return false
	}
	p, err := assemble([]byte(w.Proposal.Claim), []byte(w.Proposal.Law))
	if err != nil || b.follows(p) != nil {
		return false
	}
	w.Origin, w.Entry = origin, at
	if !publication(p, w).is(l) {
		return false
	}
	_, err = b.take(p, w)
	return err == nil
}

// underWay is longer than a Query is decided: for that long a decision by an earlier text may follow a publication.
const underWay = 5 * time.Minute

// newest finds the entry that tells last what text is in force: a publication, or else a decision. It reads from the end
// back until shortly before that, and gives the zero Leaf when nothing tells.
func newest(past Past) (found protocol.Leaf, index uint64, err error) {
	const step = 256
	for end := past.Size(); end > 0; {
		begin := end - min(end, step)
		entries, err := past.Entries(begin, int(end-begin))
		if err != nil {
			return protocol.Leaf{}, 0, err
		}
		for i := len(entries) - 1; i >= 0; i-- {
			l, err := protocol.ParseLeaf(entries[i])
			switch told := found.Kind != ""; {
			case err != nil:
				return protocol.Leaf{}, 0, err
			case told && l.Time.Before(found.Time.Add(-underWay)):
				return found, index, nil
			case l.Kind == protocol.LeafLaw:
				return l, begin + uint64(i), nil
			case !told && tells(l):
				found, index = l, begin+uint64(i)
			}
		}
		end = begin
	}
	return found, index, nil
}

// tells reports whether a leaf names the text of the node's own law: a verdict on a Query that was sent names the peer's.
func tells(l protocol.Leaf) bool {
	switch l.Kind {
	case protocol.LeafLaw, protocol.LeafIntent, protocol.LeafAnswer:
	case protocol.LeafVerdict:
		if l.Query != (protocol.Hash{}) {
			return false
		}
	default:
		return false
	}
	return l.Policy.Text != protocol.Hash{}
}
