package lognote

import "errors"

var (
	// ErrMalformed means that bytes are not a checkpoint or receipt of ours.
	ErrMalformed = errors.New("malformed")
	// ErrOrigin means that a checkpoint belongs to another log.
	ErrOrigin = errors.New("checkpoint of another log")
	// ErrKey means that a required key's signature is absent.
	ErrKey = errors.New("signature of a required key is missing")
	// ErrSignature means that a required key's signature is wrong.
	ErrSignature = errors.New("signature is not valid")
	// ErrProof means that a Merkle proof does not lead to the signed root.
	ErrProof = errors.New("proof does not match the checkpoint")
	// ErrLeafSize refuses an empty leaf, one longer than [MaxLeaf], and more
	// leaves at once than one transaction holds.
	ErrLeafSize = errors.New("leaf size out of bounds")
)
