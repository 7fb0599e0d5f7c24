package ledger

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
)

const hashSize = 32

// Record keys inside Badger. Entry records sort by index, the hashes of an entry
// before its leaf, so one forward scan reads the log in order:
//
//	"c"                      latest checkpoint
//	"e" || uint64 || "h"     the tree nodes that entry completes, leaf hash first
//	"e" || uint64 || "l"     the leaf
const (
	kindHashes = 'h'
	kindLeaf   = 'l'
)

func keyCheckpoint() []byte { return []byte("c") }

func keyEntry(index uint64, kind byte) []byte {
	k := make([]byte, 0, 10)
	k = append(k, 'e')
	k = binary.BigEndian.AppendUint64(k, index)
	return append(k, kind)
}

// entryIndex is the index in the key of an entry's record.
func entryIndex(key []byte) (uint64, bool) {
	if len(key) != 10 || key[0] != 'e' {
		return 0, false
	}
	return binary.BigEndian.Uint64(key[1:9]), true
}

// hashesOf is how many tree nodes entry index completes: its leaf hash and one
// for every trailing one bit of the index.
func hashesOf(index uint64) int { return 1 + bits.TrailingZeros64(^index) }

// nodeHome says which entry's record holds a node, and where in it.
func nodeHome(id compact.NodeID) (index uint64, offset int) {
	return (id.Index+1)<<id.Level - 1, int(id.Level) * hashSize
}

// nodeReader returns the hash of one complete (non-ephemeral) tree node.
type nodeReader func(compact.NodeID) ([]byte, error)

// ranges makes the compact ranges; they may be merged only when made by one factory.
func ranges() *compact.RangeFactory {
	return &compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
}

// loadRange reads the O(log n) nodes that cover [0, size).
func loadRange(size uint64, read nodeReader) (*compact.Range, error) {
	ids := compact.RangeNodes(0, size, nil)
	hashes, err := readNodes(ids, read)
	if err != nil {
		return nil, err
	}
	return ranges().NewRange(0, size, hashes)
}

func rootOf(r *compact.Range) ([]byte, error) {
	if r.End() == 0 {
		return rfc6962.DefaultHasher.EmptyRoot(), nil
	}
	return r.GetRootHash(nil)
}

func rootAt(size uint64, read nodeReader) ([]byte, error) {
	r, err := loadRange(size, read)
	if err != nil {
		return nil, err
	}
	return rootOf(r)
}

func readNodes(ids []compact.NodeID, read nodeReader) ([][]byte, error) {
	hashes := make([][]byte, len(ids))
	for i, id := range ids {
		h, err := read(id)
		if err != nil {
			return nil, err
		}
		hashes[i] = h
	}
	return hashes, nil
}

func inclusionPath(index, size uint64, read nodeReader) ([][]byte, error) {
	nodes, err := proof.Inclusion(index, size)
	if err != nil {
		return nil, fmt.Errorf("proving inclusion: %w", err)
	}
	return path(nodes, read)
}

func consistencyPath(size1, size2 uint64, read nodeReader) ([][]byte, error) {
	nodes, err := proof.Consistency(size1, size2)
	if err != nil {
		return nil, fmt.Errorf("proving consistency: %w", err)
	}
	return path(nodes, read)
}

func path(nodes proof.Nodes, read nodeReader) ([][]byte, error) {
	hashes, err := readNodes(nodes.IDs, read)
	if err != nil {
		return nil, err
	}
	return nodes.Rehash(hashes, rfc6962.DefaultHasher.HashChildren)
}

// growth is the tree after a batch: everything needed to store the batch and to
// prove inclusion of its leaves without reading the store. Every sibling on the
// path of a new leaf was either complete before the batch, and then its parent
// was not, so it is in the old compact range, or became complete in the batch.
type growth struct {
	tree    *compact.Range
	records [][]byte                  // per new leaf, the value of its hash record
	nodes   map[compact.NodeID][]byte // old compact range and all new nodes
}

// grow appends leaf hashes to the tree of the given size and compact range,
// neither of which it modifies.
func grow(size uint64, frontier [][]byte, leafHashes [][]byte) (*growth, error) {
	tree, err := ranges().NewRange(0, size, slices.Clone(frontier))
	if err != nil {
		return nil, err
	}
	g := &growth{tree: tree, nodes: make(map[compact.NodeID][]byte, 2*len(leafHashes)+len(frontier))}
	for i, id := range compact.RangeNodes(0, size, nil) {
		g.nodes[id] = frontier[i]
	}
	for i, h := range leafHashes {
		record := make([]byte, 0, hashSize*hashesOf(size+uint64(i)))
		err := tree.Append(h, func(id compact.NodeID, hash []byte) {
			record = append(record, hash...)
			g.nodes[id] = hash
		})
		if err != nil {
			return nil, err
		}
		g.records = append(g.records, record)
	}
	return g, nil
}

func (g *growth) read(id compact.NodeID) ([]byte, error) {
	h, ok := g.nodes[id]
	if !ok {
		return nil, fmt.Errorf("proving inclusion: node %d/%d is not at hand", id.Level, id.Index)
	}
	return h, nil
}
