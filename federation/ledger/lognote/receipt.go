package lognote

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
)

// MaxLeaf is the longest leaf in bytes: what a C2SP tlog-tiles entry bundle can
// hold with its 16-bit length.
const MaxLeaf = 65535

// maxProof is the deepest path in a tree of maxSize entries, plus one.
const maxProof = 64

// Receipt proves that a leaf is in a log. It is data without trust until
// [Verifier.Receipt] accepts it. Whoever sends it chooses the encoding; the four
// fields determine it entirely.
type Receipt struct {
	// Checkpoint is the signed note of a tree that contains the leaf.
	Checkpoint []byte
	// Index is the leaf's position, counted from zero.
	Index uint64
	// Proof is the RFC 6962 audit path, lowest sibling first, 32 bytes each.
	Proof [][]byte
	// Leaf is the entry itself.
	Leaf []byte
}

// Receipt verifies r: the checkpoint's signatures and origin, and that the leaf
// is entry r.Index of exactly that tree. It fails with the errors of
// [Verifier.Checkpoint], [ErrLeafSize], [ErrMalformed] or [ErrProof].
func (v Verifier) Receipt(r Receipt) error {
	_, err := v.Included(r)
	return err
}

// Included does what Receipt does, and returns the checkpoint that r is in.
func (v Verifier) Included(r Receipt) (Checkpoint, error) {
	if err := CheckLeaf(r.Leaf); err != nil {
		return Checkpoint{}, fmt.Errorf("verifying receipt: %w", err)
	}
	c, err := v.Checkpoint(r.Checkpoint)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("verifying receipt: %w", err)
	}
	leafHash := rfc6962.DefaultHasher.HashLeaf(r.Leaf)
	if err := verifyInclusion(r.Index, c.Size, leafHash, r.Proof, c.Root[:]); err != nil {
		return Checkpoint{}, fmt.Errorf("verifying receipt: %w", err)
	}
	return c, nil
}

// Prefixes are two older trees that r proves besides its own, of size entries: that of
// the r.Index entries before the leaf, and that which ends with the leaf. The siblings to
// the left of the leaf's path are all of both (RFC 6962 section 2.1.1), so that receipts
// which follow one another show that the log only grew. r must have been verified.
func (r Receipt) Prefixes(size uint64) (before, through [sha256.Size]byte) {
	h := rfc6962.DefaultHasher
	var left []byte // nil: nothing is to the left
	with := h.HashLeaf(r.Leaf)
	at, last := r.Index, size-1
	for _, sibling := range r.Proof {
		if at&1 == 1 || at == last { // RFC 9162 section 2.1.3.2: which side the sibling is on
			with = h.HashChildren(sibling, with)
			if left == nil {
				left = sibling
			} else {
				left = h.HashChildren(sibling, left)
			}
			for at&1 == 0 && at != 0 {
				at, last = at>>1, last>>1
			}
		}
		at, last = at>>1, last>>1
	}
	if left == nil {
		left = h.EmptyRoot()
	}
	return [sha256.Size]byte(left), [sha256.Size]byte(with)
}

// Consistency verifies that the log described by the signed checkpoint newer is
// an extension of the one described by older, by the proof that
// the log made for their sizes.
func (v Verifier) Consistency(older, newer []byte, path [][]byte) error {
	a, err := v.Checkpoint(older)
	if err != nil {
		return fmt.Errorf("verifying consistency: older: %w", err)
	}
	b, err := v.Checkpoint(newer)
	if err != nil {
		return fmt.Errorf("verifying consistency: newer: %w", err)
	}
	if a.Size == 0 && len(path) == 0 {
		return nil // every log extends the empty one, there is nothing to prove
	}
	if err := verifyConsistency(a.Size, b.Size, path, a.Root[:], b.Root[:]); err != nil {
		return fmt.Errorf("verifying consistency: %w", err)
	}
	return nil
}

func verifyInclusion(index, size uint64, leafHash []byte, path [][]byte, root []byte) error {
	if err := checkPath(path); err != nil {
		return err
	}
	if err := proof.VerifyInclusion(rfc6962.DefaultHasher, index, size, leafHash, path, root); err != nil {
		return fmt.Errorf("inclusion of index %d in size %d: %w", index, size, errProof(err))
	}
	return nil
}

func verifyConsistency(size1, size2 uint64, path [][]byte, root1, root2 []byte) error {
	if err := checkPath(path); err != nil {
		return err
	}
	if size1 == 0 {
		return fmt.Errorf("consistency with an empty tree: %w", ErrProof)
	}
	if err := proof.VerifyConsistency(rfc6962.DefaultHasher, size1, size2, path, root1, root2); err != nil {
		return fmt.Errorf("consistency of sizes %d and %d: %w", size1, size2, errProof(err))
	}
	return nil
}

// errProof drops the library's error, which prints both roots byte by byte.
func errProof(err error) error {
	if _, ok := errors.AsType[proof.RootMismatchError](err); ok {
		return ErrProof
	}
	return fmt.Errorf("%v: %w", err, ErrProof)
}

// checkPath bounds a path before it is hashed. The library concatenates whatever
// it is given, so a hash of another length would shift bytes between siblings.
func checkPath(path [][]byte) error {
	if len(path) > maxProof {
		return fmt.Errorf("proof of %d hashes: %w", len(path), ErrMalformed)
	}
	for i, h := range path {
		if len(h) != sha256.Size {
			return fmt.Errorf("proof hash %d of %d bytes: %w", i, len(h), ErrMalformed)
		}
	}
	return nil
}

// CheckLeaf refuses with [ErrLeafSize] what is empty or longer than [MaxLeaf].
func CheckLeaf(leaf []byte) error {
	if len(leaf) == 0 || len(leaf) > MaxLeaf {
		return fmt.Errorf("leaf of %d bytes, want 1 to %d: %w", len(leaf), MaxLeaf, ErrLeafSize)
	}
	return nil
}
