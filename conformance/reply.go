package conformance

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"slices"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/protocol"
)

// busyFrame is the one-byte reply of a node at its limit (TMG-T-006).
const busyFrame = 0x15

func busy(frame []byte) bool { return len(frame) == 1 && frame[0] == busyFrame }

// maxSkew is how far the clocks of target and tester may be apart.
const maxSkew = 5 * time.Second

// reply is what the target said, as far as it could be read.
type reply struct {
	answer  bool // an Answer; otherwise a Refusal
	opened  bool // signature, binding and, of an Answer, the seal are in order
	outcome protocol.Outcome
	code    protocol.Code
	rate    uint32
	policy  protocol.PolicyRef
	receipt protocol.Answer // only its Receipt is set
	iat     time.Time

	frame, header, payload, plain []byte // in the order of unwrapping
}

// said describes the reply without quoting what the target may have put there.
func (r reply) said() string {
	kind := "a Refusal in clear"
	if r.answer {
		kind = "an Answer"
	}
	if _, ok := protocol.Lookup(r.code); !ok {
		return kind + " with a code that the registry does not have"
	}
	return kind + ": " + string(r.code.Outcome()) + " " + string(r.code)
}

type answerClaims struct {
	Issuer    string `json:"iss"`
	Audience  string `json:"aud"`
	IssuedAt  int64  `json:"iat"`
	QueryHash string `json:"query_hash"`
	Sealed    string `json:"sealed"`
}

type refusalClaims struct {
	Issuer    string `json:"iss"`
	IssuedAt  int64  `json:"iat"`
	QueryHash string `json:"query_hash"`
	Outcome   string `json:"outcome"`
	Code      string `json:"code"`
}

// CDDL sealed-answer. Pointers tell what is missing.
type sealedAnswer struct {
	Outcome *string `cbor:"1,keyasint"`
	Code    *string `cbor:"2,keyasint"`
	Rate    *uint32 `cbor:"3,keyasint"`
	Policy  *struct {
		Law     string `cbor:"1,keyasint"`
		Version string `cbor:"2,keyasint"`
		ID      string `cbor:"3,keyasint"`
		Article string `cbor:"4,keyasint"`
	} `cbor:"4,keyasint"`
	Receipt *struct {
		Checkpoint []byte   `cbor:"1,keyasint"`
		Index      uint64   `cbor:"2,keyasint"`
		Proof      [][]byte `cbor:"3,keyasint"`
		Leaf       []byte   `cbor:"4,keyasint"`
	} `cbor:"5,keyasint"`
}

// read judges a reply by sections 4 and 7 of PROTOCOL.md. It returns what could be
// read together with the first thing that is wrong.
func (s *session) read(q sent, frame []byte) (reply, *finding) {
	r := reply{frame: frame}
	if busy(frame) {
		return r, &finding{"", aReply, "the frame of a node at its limit (TMG-T-006)"}
	}
	token, err := jose.Parse(string(frame))
	if err != nil {
		return r, &finding{"", "a compact JWS (section 4)", "something else"}
	}
	if r.header, err = b64.DecodeString(string(frame[:bytes.IndexByte(frame, '.')])); err != nil {
		return r, &finding{"", "a compact JWS (section 4)", "something else"}
	}
	var header struct {
		Algorithm string `json:"alg"`
		KeyID     string `json:"kid"`
		Type      string `json:"typ"`
	}
	var first *finding
	if err := jose.DecodeClaims(r.header, &header); err != nil {
		first = &finding{"TMG-Q-001", "a header of exactly alg, kid and typ", "other members"}
	}
	r.answer = token.Type() == protocol.TypeAnswer
	if !r.answer && token.Type() != protocol.TypeRefusal {
		return r, &finding{"", "typ of an Answer or Refusal (section 4)", "another typ"}
	}
	if r.payload, err = jose.Verify(string(frame), token.Type(), s.Target.Peer.Keys); err != nil {
		return r, &finding{"TMG-A-001", "a signature by a current key of the target", "a signature that does not verify"}
	}
	next := s.readRefusal
	if r.answer {
		next = s.readAnswer
	}
	r, f := next(q, r)
	return r, cmp.Or(first, f)
}

// claims decodes a payload that must have the members of v and no others. With others
// it is read all the same: a stray member is a finding, not a reason to see nothing.
func claims(payload []byte, v any, rule, members string) *finding {
	if jose.DecodeClaims(payload, v) == nil {
		return nil
	}
	_ = jose.DecodeOpenClaims(payload, v) // what is missing then fails the binding
	return &finding{rule, "exactly the claims " + members, "other claims"}
}

// bound checks what Answer and Refusal have in common.
func (s *session) bound(q sent, r *reply, issuer, hash string, iat int64) *finding {
	r.iat = time.Unix(iat, 0)
	switch {
	case issuer != s.Target.Entity:
		return &finding{"TMG-A-001", "iss naming the target", "another Entity Identifier"}
	case hash != b64.EncodeToString(q.hash[:]):
		return &finding{"TMG-A-002", "query_hash of the frame that was sent", "the hash of something else"}
	}
	return nil
}

func (s *session) readRefusal(q sent, r reply) (reply, *finding) {
	var c refusalClaims
	first := claims(r.payload, &c, "TMG-A-007", "iss, iat, query_hash, outcome and code")
	r.outcome, r.code = protocol.Outcome(c.Outcome), protocol.Code(c.Code)
	if f := s.bound(q, &r, c.Issuer, c.QueryHash, c.IssuedAt); f != nil {
		return r, f
	}
	r.opened = true
	if r.outcome != protocol.Refused && r.outcome != protocol.Unavailable {
		return r, &finding{"TMG-A-007", "a Refusal that is refused or unavailable", "another outcome"}
	}
	return r, cmp.Or(first, s.verdict(r))
}

func (s *session) readAnswer(q sent, r reply) (reply, *finding) {
	var c answerClaims
	first := claims(r.payload, &c, "", "iss, aud, iat, query_hash and sealed (section 4)")
	if f := s.bound(q, &r, c.Issuer, c.QueryHash, c.IssuedAt); f != nil {
		return r, f
	}
	if c.Audience != q.claims["iss"] {
		return r, &finding{"TMG-A-001", "aud naming the requester", "another Entity Identifier"}
	}
	aad, err := hashed("tamga/v1/answer-aad", c.Issuer, c.Audience, c.IssuedAt, c.QueryHash)
	if err != nil {
		return r, &finding{"TMG-A-004", "claims that can be bound", "others"}
	}
	sealed, err := b64.Strict().DecodeString(c.Sealed)
	if err != nil {
		return r, &finding{"", "sealed in base64url (section 4)", "another encoding"}
	}
	if r.plain, err = q.reply.Open([]byte("tamga/v1/answer"), aad, sealed); err != nil {
		return r, &finding{"TMG-A-003 TMG-A-004", "a verdict sealed to the Query's reply_key", "one that does not open"}
	}
	w, ok := decodeAnswer(r.plain)
	if !ok {
		return r, &finding{"TMG-A-005", "the deterministic CBOR map sealed-answer and nothing else in it", "another encoding"}
	}
	r.opened = true
	r.outcome, r.code, r.rate = protocol.Outcome(*w.Outcome), protocol.Code(*w.Code), *w.Rate
	r.policy = protocol.PolicyRef{Law: w.Policy.Law, Version: w.Policy.Version, ID: w.Policy.ID, Article: w.Policy.Article}
	r.receipt.Receipt.Checkpoint, r.receipt.Receipt.Index = w.Receipt.Checkpoint, w.Receipt.Index
	r.receipt.Receipt.Proof, r.receipt.Receipt.Leaf = w.Receipt.Proof, w.Receipt.Leaf
	if f := cmp.Or(first, s.verdict(r)); f != nil {
		return r, f
	}
	return r, s.recorded(q, r)
}

func decodeAnswer(b []byte) (sealedAnswer, bool) {
	var w sealedAnswer
	mode, err := cbor.DecOptions{DupMapKey: cbor.DupMapKeyEnforcedAPF, IndefLength: cbor.IndefLengthForbidden,
		TagsMd: cbor.TagsForbidden, ExtraReturnErrors: cbor.ExtraDecErrorUnknownField}.DecMode()
	if err != nil || mode.Unmarshal(b, &w) != nil {
		return sealedAnswer{}, false
	}
	if w.Outcome == nil || w.Code == nil || w.Rate == nil || w.Policy == nil || w.Receipt == nil {
		return sealedAnswer{}, false
	}
	if w.Receipt.Proof == nil {
		w.Receipt.Proof = [][]byte{}
	}
	again, err := deterministic(w)
	return w, err == nil && bytes.Equal(again, b)
}

// verdict checks TMG-A-006.
func (s *session) verdict(r reply) *finding {
	e, ok := protocol.Lookup(r.code)
	decided := r.outcome == protocol.Matched || r.outcome == protocol.NotMatched
	switch {
	case !ok || !e.Wire:
		return &finding{"", "a code of the registry that may go over the wire (section 9)", r.said()}
	case e.Outcome != r.outcome:
		return &finding{"TMG-A-006", "the outcome that the registry gives for " + string(r.code), "another outcome"}
	case decided && r.rate == 0:
		return &finding{"TMG-A-006", "a false match rate with the decision", "none"}
	}
	return nil
}

// recorded checks TMG-A-008 and TMG-L-002: the target's ledger holds what it said.
func (s *session) recorded(q sent, r reply) *finding {
	leaf, err := protocol.ParseLeaf(r.receipt.Receipt.Leaf)
	if err != nil {
		return &finding{"TMG-L-003", "a receipt with a leaf as the CDDL of section 7 has it", "something else"}
	}
	is := func(claim, value string) bool { return q.claims[claim] == value }
	same := is("iss", leaf.Requester) && is("aud", leaf.Responder) && is("purpose", leaf.Purpose) &&
		is("legal_basis", leaf.LegalBasis) && is("operation", leaf.Operation) && is("officer", leaf.Officer)
	verdict := protocol.Verdict{Outcome: r.outcome, Code: r.code, FMROneIn: r.rate, Policy: r.policy}
	switch {
	case leaf.Kind != protocol.LeafAnswer:
		return &finding{"TMG-A-008 TMG-L-003", `a leaf of kind "answer"`, "another kind"}
	case leaf.Query != protocol.Hash(q.hash):
		return &finding{"TMG-A-008", "a receipt about this Query", "a receipt about another"}
	case !same:
		return &finding{"TMG-A-008", "a leaf that repeats the Query's parties, purpose, legal basis, operation and officer", "another leaf"}
	case leaf.Verdict != verdict:
		return &finding{"TMG-A-008", "a leaf that repeats outcome, code, rate and policy of the Answer", "another verdict"}
	case s.Target.Peer.Ledger.Receipt(r.receipt.Receipt) != nil:
		return &finding{"TMG-L-002", "a receipt that verifies under the target's ledger keys", "one that does not"}
	case len(r.receipt.Receipt.Leaf) > 65_535:
		return &finding{"TMG-L-004", "a leaf of at most 65,535 bytes", "a longer one"}
	case slices.ContainsFunc(r.receipt.Receipt.Proof, func(h []byte) bool { return len(h) != sha256.Size }):
		return &finding{"", "hashes of 32 bytes in the proof (section 4)", "others"}
	}
	return nil
}
