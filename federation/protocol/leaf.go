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

	// LeafLaw is a law put into force: the hash of its text is that of Policy, and in place of a
	// Query's hash it has that of the proposal that two operators signed, which is its Evidence with their signatures.
	LeafLaw LeafKind = "law"
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
	Role       string // of the officer; empty when not said
	Assurance  string // of the capture; empty when not said
	Inputs            // what law was asked besides; zero where law was not reached
	Verdict           // zero for an intent
	Evidence   string // of a gap or a law only: what was signed and who signed it, JSON
}

// Inputs are what law was asked about an exchange beyond what its Envelope says, so that a decision can be repeated, and a
// proposed law tried on those of the past. Counts are not among them: they would tell a requester what others ask.
// Lists are words separated by one space.
type Inputs struct {
	RequesterCountry, ResponderCountry string // ISO 3166-1 alpha-3
	Modalities                         string // of the probes; empty when the seal was not opened
	Consent                            string // its state, a word of the registry; empty when it was not looked at
	Marks                              string // Trust Marks that the other side validly held
}

// Wire form, CDDL:
//
//	leaf   = { 1: 1, 2: tstr, 3: uint, 4: tstr, 5: tstr, 6: bstr .size 32, 7: tstr, 8: tstr, 9: tstr, 10: tstr,
//	           ? 11: tstr, ? 12: tstr, ? 13: uint, ? 14: policy, ? 15: bstr, ? 16: tstr, ? 17: inputs,
//	           ? 18: tstr }
//	inputs = { 1: tstr, 2: tstr, ? 3: tstr, ? 4: tstr, ? 5: tstr }
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
	Role       string     `cbor:"16,keyasint,omitempty"`
	Inputs     *wireInput `cbor:"17,keyasint,omitempty"`
	Assurance  string     `cbor:"18,keyasint,omitempty"`
}

type wireInput struct {
	RequesterCountry string `cbor:"1,keyasint"`
	ResponderCountry string `cbor:"2,keyasint"`
	Modalities       string `cbor:"3,keyasint,omitempty"`
	Consent          string `cbor:"4,keyasint,omitempty"`
	Marks            string `cbor:"5,keyasint,omitempty"`
}

// NewLeaf is the entry of kind k about the Query with hash h.
func NewLeaf(k LeafKind, e Envelope, h Hash, v Verdict, at time.Time) Leaf {
	return Leaf{Kind: k, Time: at.UTC().Truncate(time.Millisecond), Requester: e.Issuer, Responder: e.Audience, Query: h,
		Purpose: e.Purpose, LegalBasis: e.LegalBasis, Operation: e.Operation, Officer: e.Officer, Role: e.Role,
		Assurance: e.Assurance, Verdict: v}
}

// Marshal is the leaf's deterministic CBOR.
func (l Leaf) Marshal() ([]byte, error) {
	var inputs *wireInput
	if l.Inputs != (Inputs{}) {
		in := wireInput(l.Inputs)
		inputs = &in
	}
	b, err := encodeCBOR(wireLeaf{
		Version: 1, Kind: string(l.Kind), TimeMillis: l.Time.UnixMilli(), Requester: l.Requester, Responder: l.Responder,
		Query: l.Query[:], Purpose: l.Purpose, LegalBasis: l.LegalBasis, Operation: l.Operation, Officer: l.Officer,
		Outcome: string(l.Outcome), Code: string(l.Code), FMROneIn: l.FMROneIn,
		Policy: newWirePolicy(l.Policy), Evidence: []byte(l.Evidence), Role: l.Role, Inputs: inputs, Assurance: l.Assurance,
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
	case LeafIntent, LeafAnswer, LeafVerdict, LeafEnrolment, LeafBackup, LeafGap, LeafLaw:
	default:
		return Leaf{}, errors.New("decoding ledger leaf: unknown kind")
	}
	if (w.Kind == string(LeafGap) || w.Kind == string(LeafLaw)) != (len(w.Evidence) > 0) {
		return Leaf{}, errors.New("decoding ledger leaf: evidence is of a gap or a law, and these have it")
	}
	rule, err := w.Policy.ref()
	if err != nil {
		return Leaf{}, fmt.Errorf("decoding ledger leaf: %w", err)
	}
	var inputs Inputs
	if w.Inputs != nil {
		inputs = Inputs(*w.Inputs)
		if inputs == (Inputs{}) {
			return Leaf{}, errors.New("decoding ledger leaf: inputs that are none")
		}
	}
	return Leaf{
		Kind: LeafKind(w.Kind), Time: time.UnixMilli(w.TimeMillis).UTC(), Requester: w.Requester, Responder: w.Responder,
		Query: Hash(w.Query), Purpose: w.Purpose, LegalBasis: w.LegalBasis, Operation: w.Operation, Officer: w.Officer,
		Role: w.Role, Assurance: w.Assurance, Inputs: inputs, Verdict: Verdict{Outcome(w.Outcome), Code(w.Code), w.FMROneIn, rule},
		Evidence: string(w.Evidence),
	}, nil
}
