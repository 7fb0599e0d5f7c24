package lognote

// What the published vectors of proofs are checked by.
var (
	VerifyInclusion   = verifyInclusion
	VerifyConsistency = verifyConsistency
)
