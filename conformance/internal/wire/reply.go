package wire

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

// Busy reports whether frame is that of a node at its limit (TMG-T-006).
func Busy(frame []byte) bool {
	_, ok := protocol.ParseOverloaded(frame)
	return ok
}

// aReply is what is expected where any reply will do.
const aReply = "a signed reply"

// Finding is what a target did wrong: which requirements it broke, separated by
// spaces (none: those of the case), what was expected and what came. It holds no
// subject data.
type Finding struct{ Rules, Expected, Got string }

func (f *Finding) Error() string { return "expected " + f.Expected + ", got " + f.Got }

// Reader judges replies of one target.
type Reader struct{ Peer protocol.Peer }

// Reply is what the target said, as far as it could be read.
type Reply struct {
	Answer   bool // an Answer; otherwise a Refusal
	Opened   bool // signature, binding and, of an Answer, the seal are in order
	Outcome  protocol.Outcome
	Code     protocol.Code
	Rate     uint32
	Policy   protocol.PolicyRef
	Receipt  protocol.Answer // only its Receipt is set
	IssuedAt time.Time

	Frame, Header, Payload, Plain []byte // in the order of unwrapping
}

// Said describes the reply without quoting what the target may have put there.
func (r Reply) Said() string {
	kind := "a Refusal in clear"
	if r.Answer {
		kind = "an Answer"
	}
	if _, ok := protocol.Lookup(r.Code); !ok {
		return kind + " with a code that the registry does not have"
	}
	return kind + ": " + string(r.Code.Outcome()) + " " + string(r.Code)
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
		Text    []byte `cbor:"5,keyasint,omitempty"`
	} `cbor:"4,keyasint"`
	Receipt *struct {
		Checkpoint []byte   `cbor:"1,keyasint"`
		Index      uint64   `cbor:"2,keyasint"`
		Proof      [][]byte `cbor:"3,keyasint"`
		Leaf       []byte   `cbor:"4,keyasint"`
	} `cbor:"5,keyasint"`

	// The first two of an Answer to an identify or a resolve only.
	Handles [][]byte          `cbor:"6,keyasint,omitempty"`
	Subject map[uint64]string `cbor:"7,keyasint,omitempty"`
	Padding []byte            `cbor:"8,keyasint,omitempty"`
}

// padTo is what the plaintext of an Answer to a search is a multiple of, TMG-A-009.
const padTo = 4096

// told checks TMG-A-009.
func (w sealedAnswer) told(operation any, size int) *Finding {
	search := operation == protocol.OperationIdentify || operation == protocol.OperationResolve
	switch code := protocol.Code(*w.Code); {
	case !search && (w.Handles != nil || w.Subject != nil):
		return &Finding{"TMG-A-009", "an Answer to this operation without handles and subject", "one with"}
	case (w.Handles != nil) != (code == protocol.CodeCandidates):
		return &Finding{"TMG-A-009", "handles with " + string(protocol.CodeCandidates) + " alone", string(code)}
	case (w.Subject != nil) != (code == protocol.CodeResolved):
		return &Finding{"TMG-A-009", "a subject with " + string(protocol.CodeResolved) + " alone", string(code)}
	case !search && len(bytes.Trim(w.Padding, "\x00")) > 0:
		return &Finding{"TMG-A-010", "an Answer padded with zeros", "another padding"}
	case search && (size%padTo != 0 || len(bytes.Trim(w.Padding, "\x00")) > 0):
		return &Finding{"TMG-A-009", "an Answer padded with zeros to a multiple of 4,096 octets", "another length or padding"}
	}
	return nil
}

// Read judges a reply by sections 4 and 7 of PROTOCOL.md. It returns what could be
// read together with the first thing that is wrong.
func (t Reader) Read(q Sent, frame []byte) (Reply, *Finding) {
	r := Reply{Frame: frame}
	if Busy(frame) {
		return r, &Finding{"", aReply, "the frame of a node at its limit (TMG-T-006)"}
	}
	token, err := jose.Parse(string(frame))
	if err != nil {
		return r, &Finding{"", "a compact JWS (section 4)", "something else"}
	}
	if r.Header, err = b64.DecodeString(string(frame[:bytes.IndexByte(frame, '.')])); err != nil {
		return r, &Finding{"", "a compact JWS (section 4)", "something else"}
	}
	var header struct {
		Algorithm string `json:"alg"`
		KeyID     string `json:"kid"`
		Type      string `json:"typ"`
	}
	var first *Finding
	if err := jose.DecodeClaims(r.Header, &header); err != nil {
		first = &Finding{"TMG-Q-001", "a header of exactly alg, kid and typ", "other members"}
	}
	r.Answer = token.Type() == protocol.TypeAnswer
	if !r.Answer && token.Type() != protocol.TypeRefusal {
		return r, &Finding{"", "typ of an Answer or Refusal (section 4)", "another typ"}
	}
	if r.Payload, err = jose.Verify(string(frame), token.Type(), t.Peer.Keys); err != nil {
		return r, &Finding{"TMG-A-001", "a signature by a current key of the target", "a signature that does not verify"}
	}
	next := t.readRefusal
	if r.Answer {
		next = t.readAnswer
	}
	r, f := next(q, r)
	return r, cmp.Or(first, f)
}

// claims decodes a payload that must have the members of v and no others. With others
// it is read all the same: a stray member is a finding, not a reason to see nothing.
func claims(payload []byte, v any, rule, members string) *Finding {
	if jose.DecodeClaims(payload, v) == nil {
		return nil
	}
	_ = jose.DecodeOpenClaims(payload, v) // what is missing then fails the binding
	return &Finding{rule, "exactly the claims " + members, "other claims"}
}

// bound checks what Answer and Refusal have in common.
func (t Reader) bound(q Sent, r *Reply, issuer, hash string, iat int64) *Finding {
	r.IssuedAt = time.Unix(iat, 0)
	switch {
	case issuer != t.Peer.Entity:
		return &Finding{"TMG-A-001", "iss naming the target", "another Entity Identifier"}
	case hash != b64.EncodeToString(q.Hash[:]):
		return &Finding{"TMG-A-002", "query_hash of the frame that was sent", "the hash of something else"}
	}
	return nil
}

func (t Reader) readRefusal(q Sent, r Reply) (Reply, *Finding) {
	var c refusalClaims
	first := claims(r.Payload, &c, "TMG-A-007", "iss, iat, query_hash, outcome and code")
	r.Outcome, r.Code = protocol.Outcome(c.Outcome), protocol.Code(c.Code)
	if f := t.bound(q, &r, c.Issuer, c.QueryHash, c.IssuedAt); f != nil {
		return r, f
	}
	r.Opened = true
	if r.Outcome != protocol.Refused && r.Outcome != protocol.Unavailable {
		return r, &Finding{"TMG-A-007", "a Refusal that is refused or unavailable", "another outcome"}
	}
	return r, cmp.Or(first, verdict(r))
}

func (t Reader) readAnswer(q Sent, r Reply) (Reply, *Finding) {
	var c answerClaims
	first := claims(r.Payload, &c, "", "iss, aud, iat, query_hash and sealed (section 4)")
	if f := t.bound(q, &r, c.Issuer, c.QueryHash, c.IssuedAt); f != nil {
		return r, f
	}
	if c.Audience != q.Claims["iss"] {
		return r, &Finding{"TMG-A-001", "aud naming the requester", "another Entity Identifier"}
	}
	aad, err := hashed("tamga/v1/answer-aad", c.Issuer, c.Audience, c.IssuedAt, c.QueryHash)
	if err != nil {
		return r, &Finding{"TMG-A-004", "claims that can be bound", "others"}
	}
	sealed, err := b64.Strict().DecodeString(c.Sealed)
	if err != nil {
		return r, &Finding{"", "sealed in base64url (section 4)", "another encoding"}
	}
	if r.Plain, err = q.Reply.Open([]byte("tamga/v1/answer"), aad, sealed); err != nil {
		return r, &Finding{"TMG-A-003 TMG-A-004", "a verdict sealed to the Query's reply_key", "one that does not open"}
	}
	w, ok := decodeAnswer(r.Plain)
	if !ok {
		return r, &Finding{"TMG-A-005", "the deterministic CBOR map sealed-answer and nothing else in it", "another encoding"}
	}
	r.Opened = true
	r.Outcome, r.Code, r.Rate = protocol.Outcome(*w.Outcome), protocol.Code(*w.Code), *w.Rate
	r.Policy = protocol.PolicyRef{Law: w.Policy.Law, Version: w.Policy.Version, ID: w.Policy.ID, Article: w.Policy.Article}
	copy(r.Policy.Text[:], w.Policy.Text)
	r.Receipt.Receipt.Checkpoint, r.Receipt.Receipt.Index = w.Receipt.Checkpoint, w.Receipt.Index
	r.Receipt.Receipt.Proof, r.Receipt.Receipt.Leaf = w.Receipt.Proof, w.Receipt.Leaf
	if f := cmp.Or(first, verdict(r), w.told(q.Claims["operation"], len(r.Plain))); f != nil {
		return r, f
	}
	return r, t.recorded(q, r)
}

func decodeAnswer(b []byte) (sealedAnswer, bool) {
	var w sealedAnswer
	mode, err := cbor.DecOptions{DupMapKey: cbor.DupMapKeyEnforcedAPF, IndefLength: cbor.IndefLengthForbidden,
		TagsMd: cbor.TagsForbidden, ExtraReturnErrors: cbor.ExtraDecErrorUnknownField}.DecMode()
	if err != nil || mode.Unmarshal(b, &w) != nil {
		return sealedAnswer{}, false
	}
	if w.Outcome == nil || w.Code == nil || w.Rate == nil || w.Policy == nil || w.Receipt == nil ||
		w.Policy.Text != nil && len(w.Policy.Text) != sha256.Size {
		return sealedAnswer{}, false
	}
	if w.Receipt.Proof == nil {
		w.Receipt.Proof = [][]byte{}
	}
	again, err := Deterministic(w)
	return w, err == nil && bytes.Equal(again, b)
}

// verdict checks TMG-A-006.
func verdict(r Reply) *Finding {
	e, ok := protocol.Lookup(r.Code)
	decided := r.Outcome == protocol.Matched || r.Outcome == protocol.NotMatched
	switch {
	case !ok || !e.Wire:
		return &Finding{"", "a code of the registry that may go over the wire (section 9)", r.Said()}
	case e.Outcome != r.Outcome:
		return &Finding{"TMG-A-006", "the outcome that the registry gives for " + string(r.Code), "another outcome"}
	case decided && r.Rate == 0:
		return &Finding{"TMG-A-006", "a false match rate with the decision", "none"}
	}
	return nil
}

// recorded checks TMG-A-008 and TMG-L-002: the target's ledger holds what it said.
func (t Reader) recorded(q Sent, r Reply) *Finding {
	leaf, err := protocol.ParseLeaf(r.Receipt.Receipt.Leaf)
	if err != nil {
		return &Finding{"TMG-L-003", "a receipt with a leaf as the CDDL of section 7 has it", "something else"}
	}
	is := func(claim, value string) bool { return q.Claims[claim] == value }
	same := is("iss", leaf.Requester) && is("aud", leaf.Responder) && is("purpose", leaf.Purpose) &&
		is("legal_basis", leaf.LegalBasis) && is("operation", leaf.Operation) && is("officer", leaf.Officer)
	verdict := protocol.Verdict{Outcome: r.Outcome, Code: r.Code, FMROneIn: r.Rate, Policy: r.Policy}
	switch {
	case leaf.Kind != protocol.LeafAnswer:
		return &Finding{"TMG-A-008 TMG-L-003", `a leaf of kind "answer"`, "another kind"}
	case leaf.Query != protocol.Hash(q.Hash):
		return &Finding{"TMG-A-008", "a receipt about this Query", "a receipt about another"}
	case !same:
		return &Finding{"TMG-A-008", "a leaf that repeats the Query's parties, purpose, legal basis, operation and officer", "another leaf"}
	case leaf.Verdict != verdict:
		return &Finding{"TMG-A-008", "a leaf that repeats outcome, code, rate and policy of the Answer", "another verdict"}
	case t.Peer.Ledger.Receipt(r.Receipt.Receipt) != nil:
		return &Finding{"TMG-L-002", "a receipt that verifies under the target's ledger keys", "one that does not"}
	case len(r.Receipt.Receipt.Leaf) > 65_535:
		return &Finding{"TMG-L-004", "a leaf of at most 65,535 bytes", "a longer one"}
	case slices.ContainsFunc(r.Receipt.Receipt.Proof, func(h []byte) bool { return len(h) != sha256.Size }):
		return &Finding{"", "hashes of 32 bytes in the proof (section 4)", "others"}
	}
	return nil
}
