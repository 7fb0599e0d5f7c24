package witness

import "crypto/sha256"

// remembered is how many receipts of a member are held at once, some 5 kB each. What was
// known when a Query was sent is in the newest checkpoint; only those of Queries that were
// under way together have to be compared with each other.
const remembered = 128

// memory is of the receipts of one ledger.
type memory struct {
	number int
	ring   []receipt
	next   int // where the next one goes
	trees  map[uint64]tree
}

type tree struct {
	root [sha256.Size]byte
	at   int // in the ring
}

func newMemory(number int) *memory {
	return &memory{number: number, trees: make(map[uint64]tree)}
}

// compare returns the rule that r breaks with one that is known, and that one. Two leaves
// of one index make two trees that end with them.
func (m *memory) compare(r receipt) (rule string, known exhibit) {
	for size, root := range r.trees {
		if t, ok := m.trees[size]; ok && t.root != root {
			return ruleRoot, m.ring[t.at].exhibit()
		}
	}
	return "", exhibit{}
}

// add takes r in the place of the oldest.
func (m *memory) add(r receipt) {
	at := m.next
	m.next = (m.next + 1) % remembered
	if at == len(m.ring) {
		m.ring = append(m.ring, r)
	} else {
		m.forget(at)
		m.ring[at] = r
	}
	for size, root := range r.trees {
		m.trees[size] = tree{root, at}
	}
}

// forget drops what only the receipt at that place says.
func (m *memory) forget(at int) {
	for size := range m.ring[at].trees {
		if t, ok := m.trees[size]; ok && t.at == at {
			delete(m.trees, size)
		}
	}
}
