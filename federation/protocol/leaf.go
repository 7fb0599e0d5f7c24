package protocol

import (
	"errors"
	"fmt"
	"time"
)

// LeafKind says which side of an exchange a ledger entry records.
type LeafKind string

// The kinds of entries.
const (
	LeafIntent  LeafKind = "intent"  // requester, before it sends
	LeafAnswer  LeafKind = "answer"  // responder, before it answers
	LeafVerdict LeafKind = "verdict" // requester, what came back

	// LeafEnrolment is a batch enrolled into the own gallery; it concerns no Query.
	LeafEnrolment LeafKind = "enrolment"

	// LeafBackup is a backup of the own node; in place of a Query's hash it has a
	// digest of whom it was encrypted to.
	LeafBackup LeafKind = "backup"

	// LeafGap begins a ledger after entries of the one before were lost: it has
	// Evidence, and in place of a Query's hash the root that they hashed to.
	LeafGap LeafKind = "gap"
)

// Leaf is one ledger entry: who asked whom, why, under which law and what came
// of it. It holds nothing about the person: the Query's hash covers a sealed
// part with fresh randomness, so it cannot be guessed from an identifier.
type Leaf struct {
	Kind       LeafKind
	Time       time.Time // UTC, milliseconds
	Requester  string
	Responder  string
	Query      Hash
	Purpose    string
	LegalBasis string
	Operation  string
	Officer    string
	Verdict           // zero for an intent
	Evidence   string // of a gap only: the claim and who accepted it, JSON
}

// Wire form, CDDL:
//
//	leaf = { 1: 1, 2: tstr, 3: uint, 4: tstr, 5: tstr, 6: bstr .size 32, 7: tstr, 8: tstr,
//	         9: tstr, 10: tstr, ? 11: tstr, ? 12: tstr, ? 13: uint, ? 14: policy, ? 15: bstr }
type wireLeaf struct {
	Version    uint       `cbor:"1,keyasint"`
	Kind       string     `cbor:"2,keyasint"`
	TimeMillis int64      `cbor:"3,keyasint"`
	Requester  string     `cbor:"4,keyasint"`
	Responder  string     `cbor:"5,keyasint"`
	Query      []byte     `cbor:"6,keyasint"`
	Purpose    string     `cbor:"7,keyasint"`
	LegalBasis string     `cbor:"8,keyasint"`
	Operation  string     `cbor:"9,keyasint"`
	Officer    string     `cbor:"10,keyasint"`
	Outcome    string     `cbor:"11,keyasint,omitempty"`
	Code       string     `cbor:"12,keyasint,omitempty"`
	FMROneIn   uint32     `cbor:"13,keyasint,omitempty"`
	Policy     wirePolicy `cbor:"14,keyasint"`
	Evidence   []byte     `cbor:"15,keyasint,omitempty"`
}

// NewLeaf is the entry of kind k about the Query with hash h.
func NewLeaf(k LeafKind, e Envelope, h Hash, v Verdict, at time.Time) Leaf {
	return Leaf{Kind: k, Time: at.UTC().Truncate(time.Millisecond), Requester: e.Issuer, Responder: e.Audience, Query: h,
		Purpose: e.Purpose, LegalBasis: e.LegalBasis, Operation: e.Operation, Officer: e.Officer, Verdict: v}
}

// Marshal is the leaf's deterministic CBOR.
func (l Leaf) Marshal() ([]byte, error) {
	b, err := encodeCBOR(wireLeaf{
		Version: 1, Kind: string(l.Kind), TimeMillis: l.Time.UnixMilli(), Requester: l.Requester, Responder: l.Responder,
		Query: l.Query[:], Purpose: l.Purpose, LegalBasis: l.LegalBasis, Operation: l.Operation, Officer: l.Officer,
		Outcome: string(l.Outcome), Code: string(l.Code), FMROneIn: l.FMROneIn,
		Policy: wirePolicy{l.Policy.Law, l.Policy.Version, l.Policy.ID, l.Policy.Article}, Evidence: []byte(l.Evidence),
	})
	if err != nil {
		return nil, fmt.Errorf("encoding ledger leaf: %w", err)
	}
	return b, nil
}

// ParseLeaf reads a leaf and refuses every encoding but the deterministic one.
func ParseLeaf(b []byte) (Leaf, error) {
	w, err := decodeCBOR[wireLeaf](b)
	if err != nil {
		return Leaf{}, fmt.Errorf("decoding ledger leaf: %w", err)
	}
	if w.Version != 1 || len(w.Query) != len(Hash{}) {
		return Leaf{}, errors.New("decoding ledger leaf: unknown version or bad hash")
	}
	switch LeafKind(w.Kind) {
	case LeafIntent, LeafAnswer, LeafVerdict, LeafEnrolment, LeafBackup, LeafGap:
	default:
		return Leaf{}, errors.New("decoding ledger leaf: unknown kind")
	}
	if (w.Kind == string(LeafGap)) != (len(w.Evidence) > 0) {
		return Leaf{}, errors.New("decoding ledger leaf: evidence is of a gap, and a gap has it")
	}
	return Leaf{
		Kind: LeafKind(w.Kind), Time: time.UnixMilli(w.TimeMillis).UTC(), Requester: w.Requester, Responder: w.Responder,
		Query: Hash(w.Query), Purpose: w.Purpose, LegalBasis: w.LegalBasis, Operation: w.Operation, Officer: w.Officer,
		Verdict: Verdict{Outcome(w.Outcome), Code(w.Code), w.FMROneIn,
			PolicyRef{w.Policy.Law, w.Policy.Version, w.Policy.ID, w.Policy.Article}},
		Evidence: string(w.Evidence),
	}, nil
}
