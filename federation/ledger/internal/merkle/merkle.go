// Package merkle is the arithmetic of a log's RFC 6962 tree over whatever keeps its nodes:
// how a tree grows by a batch, which entry's record holds which node, roots and proofs of
// any earlier size. The nodes are kept per entry: entry n completes its leaf hash and one
// node for every trailing one bit of n. It reads through a [Reader] and writes nothing.
package merkle

import (
	"fmt"
	"math/bits"
	"slices"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
)

// HashSize is the length of a node's hash in bytes.
const HashSize = 32

// Hashes is how many tree nodes entry index completes: its leaf hash and one
// for every trailing one bit of the index.
func Hashes(index uint64) int { return 1 + bits.TrailingZeros64(^index) }

// Home says which entry's record holds a node, and where in it.
func Home(id compact.NodeID) (index uint64, offset int) {
	return (id.Index+1)<<id.Level - 1, int(id.Level) * HashSize
}

// Reader returns the hash of one complete (non-ephemeral) tree node.
type Reader func(compact.NodeID) ([]byte, error)

// New is the tree of size entries whose compact range is frontier, which it takes over.
func New(size uint64, frontier [][]byte) (*compact.Range, error) {
	return ranges().NewRange(0, size, frontier)
}

// ranges makes the compact ranges; they may be merged only when made by one factory.
func ranges() *compact.RangeFactory {
	return &compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
}

// Load reads the O(log n) nodes that cover [0, size).
func Load(size uint64, read Reader) (*compact.Range, error) {
	ids := compact.RangeNodes(0, size, nil)
	hashes, err := readNodes(ids, read)
	if err != nil {
		return nil, err
	}
	return ranges().NewRange(0, size, hashes)
}

// Root is the hash of the tree that r covers.
func Root(r *compact.Range) ([]byte, error) {
	if r.End() == 0 {
		return rfc6962.DefaultHasher.EmptyRoot(), nil
	}
	return r.GetRootHash(nil)
}

// RootAt is the hash of the tree of the first size entries.
func RootAt(size uint64, read Reader) ([]byte, error) {
	r, err := Load(size, read)
	if err != nil {
		return nil, err
	}
	return Root(r)
}

func readNodes(ids []compact.NodeID, read Reader) ([][]byte, error) {
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

// Inclusion is the audit path of the leaf at index in the tree of size entries.
func Inclusion(index, size uint64, read Reader) ([][]byte, error) {
	nodes, err := proof.Inclusion(index, size)
	if err != nil {
		return nil, fmt.Errorf("proving inclusion: %w", err)
	}
	return path(nodes, read)
}

// Consistency proves that the tree of size2 entries extends that of size1.
func Consistency(size1, size2 uint64, read Reader) ([][]byte, error) {
	nodes, err := proof.Consistency(size1, size2)
	if err != nil {
		return nil, fmt.Errorf("proving consistency: %w", err)
	}
	return path(nodes, read)
}

func path(nodes proof.Nodes, read Reader) ([][]byte, error) {
	hashes, err := readNodes(nodes.IDs, read)
	if err != nil {
		return nil, err
	}
	return nodes.Rehash(hashes, rfc6962.DefaultHasher.HashChildren)
}

// Growth is the tree after a batch: everything needed to store the batch and to
// prove inclusion of its leaves without reading the store. Every sibling on the
// path of a new leaf was either complete before the batch, and then its parent
// was not, so it is in the old compact range, or became complete in the batch.
type Growth struct {
	// Tree is the compact range after the batch.
	Tree *compact.Range
	// Records are, per new leaf, the nodes that it completes, its own hash first.
	Records [][]byte

	nodes map[compact.NodeID][]byte // old compact range and all new nodes
}

// Grow appends leaf hashes to the tree of the given size and compact range,
// neither of which it modifies.
func Grow(size uint64, frontier [][]byte, leafHashes [][]byte) (*Growth, error) {
	tree, err := ranges().NewRange(0, size, slices.Clone(frontier))
	if err != nil {
		return nil, err
	}
	g := &Growth{Tree: tree, nodes: make(map[compact.NodeID][]byte, 2*len(leafHashes)+len(frontier))}
	for i, id := range compact.RangeNodes(0, size, nil) {
		g.nodes[id] = frontier[i]
	}
	for i, h := range leafHashes {
		record := make([]byte, 0, HashSize*Hashes(size+uint64(i)))
		err := tree.Append(h, func(id compact.NodeID, hash []byte) {
			record = append(record, hash...)
			g.nodes[id] = hash
		})
		if err != nil {
			return nil, err
		}
		g.Records = append(g.Records, record)
	}
	return g, nil
}

// Read returns a node of the old compact range or of the batch.
func (g *Growth) Read(id compact.NodeID) ([]byte, error) {
	h, ok := g.nodes[id]
	if !ok {
		return nil, fmt.Errorf("proving inclusion: node %d/%d is not at hand", id.Level, id.Index)
	}
	return h, nil
}
