package protocol

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/crypto/sealing"
	"github.com/tamga-id/tamga/federation/ledger/lognote"
)

// Verdict is what a responder decided and under which rule.
type Verdict struct {
	Outcome  Outcome
	Code     Code
	FMROneIn uint32 // the decision's false match rate is 1/FMROneIn; 0 when nothing was compared
	Policy   PolicyRef
}

// PolicyRef names the rule of law that decided.
type PolicyRef struct {
	Law, Version, ID, Article string
	// Text is the SHA-256 of the law file, so that which text decided can be proved; zero when law was not reached.
	Text Hash
}

// Answer is a verified reply.
type Answer struct {
	Verdict
	Found    Found // of a search or a resolution only
	Issuer   string
	IssuedAt time.Time
	Receipt  lognote.Receipt // proof that the responder's ledger holds this verdict
	// Checkpoint is the one that Receipt is in; zero without one.
	Checkpoint lognote.Checkpoint
	Signed     bool   // false only for a Refusal, which carries no receipt
	Token      string // the reply as received, evidence
}

type wireAnswer struct {
	Issuer    string `json:"iss"`
	Audience  string `json:"aud"`
	IssuedAt  int64  `json:"iat"`
	QueryHash string `json:"query_hash"`
	Sealed    string `json:"sealed"`
}

type wireRefusal struct {
	Issuer    string `json:"iss"`
	IssuedAt  int64  `json:"iat"`
	QueryHash string `json:"query_hash"`
	Outcome   string `json:"outcome"`
	Code      string `json:"code"`
}

// Wire form of the sealed part of an Answer, CDDL:
//
//	sealed-answer = { 1: tstr, 2: tstr, 3: uint, 4: policy, 5: receipt,
//	                  ? 6: [1*20 bstr .size 16], ? 7: subject, ? 8: bstr }  ; handles, identifier, padding
//	policy        = { 1: tstr, 2: tstr, 3: tstr, 4: tstr, ? 5: bstr .size 32 } ; law, version, id, article, hash of the text
//	receipt       = { 1: bstr, 2: uint, 3: [* bstr .size 32], 4: bstr }
type wireVerdict struct {
	Outcome  string      `cbor:"1,keyasint"`
	Code     string      `cbor:"2,keyasint"`
	FMROneIn uint32      `cbor:"3,keyasint"`
	Policy   wirePolicy  `cbor:"4,keyasint"`
	Receipt  wireReceipt `cbor:"5,keyasint"`

	// Of operations identify and resolve only.
	Handles [][]byte     `cbor:"6,keyasint,omitempty"`
	Subject *wireSubject `cbor:"7,keyasint,omitempty"`
	Padding []byte       `cbor:"8,keyasint,omitempty"`
}

// encode leaves no second copy behind: who was found is nobody's else.
func (w wireVerdict) encode() ([]byte, error) { return encodeSized(w, w.atMost()) }

// atMost is no less than w takes: its heads, outcome, code and hash take less than 512.
func (w wireVerdict) atMost() int {
	n := 512 + len(w.Policy.Law) + len(w.Policy.Version) + len(w.Policy.ID) + len(w.Policy.Article) +
		len(w.Receipt.Checkpoint) + len(w.Receipt.Leaf) + len(w.Padding)
	for _, list := range [][][]byte{w.Receipt.Proof, w.Handles} {
		for _, b := range list {
			n += 3 + len(b)
		}
	}
	if w.Subject != nil {
		n += len(w.Subject.Jurisdiction) + len(w.Subject.Type) + len(w.Subject.Value)
	}
	return n
}

type wirePolicy struct {
	Law     string `cbor:"1,keyasint"`
	Version string `cbor:"2,keyasint"`
	ID      string `cbor:"3,keyasint"`
	Article string `cbor:"4,keyasint"`
	Text    []byte `cbor:"5,keyasint,omitempty"`
}

func newWirePolicy(p PolicyRef) wirePolicy {
	w := wirePolicy{Law: p.Law, Version: p.Version, ID: p.ID, Article: p.Article}
	if p.Text != (Hash{}) {
		w.Text = p.Text[:]
	}
	return w
}

func (w wirePolicy) ref() (PolicyRef, error) {
	p := PolicyRef{Law: w.Law, Version: w.Version, ID: w.ID, Article: w.Article}
	switch {
	case w.Text == nil:
		return p, nil
	case len(w.Text) != len(p.Text) || Hash(w.Text) == Hash{}:
		return PolicyRef{}, errors.New("the hash of the law's text is not one")
	}
	p.Text = Hash(w.Text)
	return p, nil
}

type wireReceipt struct {
	Checkpoint []byte   `cbor:"1,keyasint"`
	Index      uint64   `cbor:"2,keyasint"`
	Proof      [][]byte `cbor:"3,keyasint"`
	Leaf       []byte   `cbor:"4,keyasint"`
}

// aad is SHA-256 of the deterministic CBOR array
// ["tamga/v1/answer-aad", iss, aud, iat, query_hash] (TMG-A-004).
func (w wireAnswer) aad() ([]byte, error) {
	b, err := encodeCBOR([]any{"tamga/v1/answer-aad", w.Issuer, w.Audience, w.IssuedAt, w.QueryHash})
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(b)
	return sum[:], nil
}

// Answer seals v and its receipt to the Query's reply key and signs the reply.
func (q Query) Answer(v Verdict, r lognote.Receipt, sign jose.PrivateKey, now time.Time) ([]byte, error) {
	return q.AnswerFound(v, Found{}, r, sign, now)
}

// AnswerFound is Answer that tells what was found, too.
func (q Query) AnswerFound(v Verdict, f Found, r lognote.Receipt, sign jose.PrivateKey, now time.Time) ([]byte, error) {
	verdict := wireVerdict{
		Outcome: string(v.Outcome), Code: string(v.Code), FMROneIn: v.FMROneIn,
		Policy:  newWirePolicy(v.Policy),
		Receipt: wireReceipt{r.Checkpoint, r.Index, r.Proof, r.Leaf},
	}
	pad := verdict.even
	if searching(q.Operation) {
		verdict.take(f)
		pad = verdict.pad
	}
	if err := pad(); err != nil {
		return nil, fmt.Errorf("padding verdict: %w", err)
	}
	plain, err := verdict.encode()
	if err != nil {
		return nil, fmt.Errorf("encoding verdict: %w", err)
	}
	defer clear(plain)
	w := wireAnswer{Issuer: q.Audience, Audience: q.Issuer, IssuedAt: now.Unix(), QueryHash: q.Hash.String()}
	aad, err := w.aad()
	if err != nil {
		return nil, fmt.Errorf("binding claims: %w", err)
	}
	sealed, err := sealing.Seal(q.replyKey, []byte(infoAnswer), aad, plain)
	if err != nil {
		return nil, fmt.Errorf("sealing verdict: %w", err)
	}
	w.Sealed = b64.EncodeToString(sealed)
	return signJSON(sign, TypeAnswer, w)
}

// Refuse signs a reply in clear to a frame of which nothing could be trusted, or
// for which there is no durable ledger entry (TMG-A-007). It says no more than a
// code; a requester accepts those of TMG-A-007 alone.
func Refuse(self string, h Hash, c Code, sign jose.PrivateKey, now time.Time) ([]byte, error) {
	o := c.Outcome()
	if o != Refused {
		o = Unavailable
	}
	return signJSON(sign, TypeRefusal, wireRefusal{
		Issuer: self, IssuedAt: now.Unix(), QueryHash: h.String(), Outcome: string(o), Code: string(c),
	})
}

func signJSON(sign jose.PrivateKey, typ string, v any) ([]byte, error) {
	payload, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encoding claims: %w", err)
	}
	t, err := jose.Sign(sign, typ, payload)
	if err != nil {
		return nil, fmt.Errorf("signing %s: %w", typ, err)
	}
	return []byte(t), nil
}

// Peer is what a requester knows of the responder from its Trust Chain.
type Peer struct {
	Entity string
	Keys   jose.KeySet
	Ledger lognote.Verifier
}

// Reply verifies the responder's frame: signature, binding to this Query, seal,
// outcome and ledger receipt (TMG-A-001 to TMG-A-008). Every error is a Fault
// with CodeAnswerInvalid or CodeReceiptInvalid: the reply says nothing then.
func (p *Pending) Reply(frame []byte, from Peer, now time.Time) (Answer, error) {
	token := string(frame)
	t, err := jose.Parse(token)
	if err != nil {
		return Answer{}, &Fault{CodeAnswerInvalid, err}
	}
	if t.Type() == TypeRefusal {
		return p.refusal(t, token, from, now)
	}
	payload, err := t.Verify(TypeAnswer, from.Keys)
	if err != nil {
		return Answer{}, &Fault{CodeAnswerInvalid, err}
	}
	var w wireAnswer
	if err := jose.DecodeClaims(payload, &w); err != nil {
		return Answer{}, &Fault{CodeAnswerInvalid, err}
	}
	if err := p.bound(w.Issuer, w.QueryHash, from); err != nil {
		return Answer{}, err
	}
	if err := p.timely(w.IssuedAt, now); err != nil {
		return Answer{}, err
	}
	if w.Audience != p.Issuer {
		return Answer{}, fault(CodeAnswerInvalid, "aud names another entity")
	}
	v, err := p.open(w)
	if err != nil {
		return Answer{}, err
	}
	rule, err := v.Policy.ref()
	if err != nil {
		return Answer{}, &Fault{CodeAnswerInvalid, err}
	}
	a := Answer{
		Verdict: Verdict{Outcome(v.Outcome), Code(v.Code), v.FMROneIn, rule},
		Issuer:  w.Issuer, IssuedAt: time.Unix(w.IssuedAt, 0).UTC(), Token: token, Signed: true,
		Receipt: lognote.Receipt{Checkpoint: v.Receipt.Checkpoint, Index: v.Receipt.Index, Proof: v.Receipt.Proof, Leaf: v.Receipt.Leaf},
	}
	if err := a.Verdict.check(); err != nil {
		return Answer{}, &Fault{CodeAnswerInvalid, err}
	}
	if a.Found, err = v.found(p.Operation); err != nil {
		return Answer{}, &Fault{CodeAnswerInvalid, err}
	}
	if a.Checkpoint, err = p.receipt(a, from); err != nil {
		return Answer{}, err
	}
	return a, nil
}

func (p *Pending) open(w wireAnswer) (wireVerdict, error) {
	sealed, err := b64.DecodeString(w.Sealed)
	if err != nil {
		return wireVerdict{}, fault(CodeAnswerInvalid, "sealed is not base64url")
	}
	aad, err := w.aad()
	if err != nil {
		return wireVerdict{}, &Fault{CodeAnswerInvalid, err}
	}
	plain, err := p.reply.Open([]byte(infoAnswer), aad, sealed)
	if err != nil {
		return wireVerdict{}, &Fault{CodeAnswerInvalid, err}
	}
	defer clear(plain)
	v, err := decodeCBOR[wireVerdict](plain)
	if err != nil {
		return wireVerdict{}, &Fault{CodeAnswerInvalid, err}
	}
	return v, nil
}

func (p *Pending) refusal(t jose.Unverified, token string, from Peer, now time.Time) (Answer, error) {
	payload, err := t.Verify(TypeRefusal, from.Keys)
	if err != nil {
		return Answer{}, &Fault{CodeAnswerInvalid, err}
	}
	var w wireRefusal
	if err := jose.DecodeClaims(payload, &w); err != nil {
		return Answer{}, &Fault{CodeAnswerInvalid, err}
	}
	if err := p.bound(w.Issuer, w.QueryHash, from); err != nil {
		return Answer{}, err
	}
	v := Verdict{Outcome: Outcome(w.Outcome), Code: Code(w.Code)}
	// That the clocks differ is what these two codes say; it is of this Query, whose hash is of no other.
	if v.Code != CodeExpired && v.Code != CodeLifetime {
		if err := p.timely(w.IssuedAt, now); err != nil {
			return Answer{}, err
		}
	}
	if v.Outcome != Refused && v.Outcome != Unavailable {
		return Answer{}, fault(CodeAnswerInvalid, "a refusal carries a verdict")
	}
	if !v.Code.inClear() {
		return Answer{}, fault(CodeAnswerInvalid, "a refusal without receipt carries a code that demands one")
	}
	if err := v.check(); err != nil {
		return Answer{}, &Fault{CodeAnswerInvalid, err}
	}
	return Answer{Verdict: v, Issuer: w.Issuer, IssuedAt: time.Unix(w.IssuedAt, 0).UTC(), Token: token}, nil
}

// bound checks that a reply is this responder's, about this Query.
func (p *Pending) bound(issuer, hash string, from Peer) error {
	switch {
	case issuer != from.Entity || issuer != p.Audience:
		return fault(CodeAnswerInvalid, "iss is not the responder")
	case hash != p.Hash.String():
		return fault(CodeAnswerInvalid, "query_hash is of another Query")
	}
	return nil
}

// timely checks that a reply was made when its Query could be answered.
func (p *Pending) timely(iat int64, now time.Time) error {
	at := time.Unix(iat, 0)
	if at.Before(p.IssuedAt.Add(-MaxSkew-MaxLifetime)) || at.After(now.Add(MaxSkew+MaxLifetime)) {
		return fault(CodeAnswerInvalid, "iat is not near the Query")
	}
	return nil
}

// check enforces TMG-A-006: outcome and code belong together.
func (v Verdict) check() error {
	e, ok := Lookup(v.Code)
	if !ok || !e.Wire || !v.Outcome.Valid() || e.Outcome != v.Outcome {
		return errors.New("outcome and code do not belong together")
	}
	if (v.Outcome == Matched || v.Outcome == NotMatched || v.Code == CodeCandidates) && v.FMROneIn == 0 {
		return errors.New("a decision without its false match rate")
	}
	return nil
}

// receipt enforces TMG-A-008: the ledger holds a leaf that says what the Answer says.
func (p *Pending) receipt(a Answer, from Peer) (lognote.Checkpoint, error) {
	leaf, err := ParseLeaf(a.Receipt.Leaf)
	if err != nil {
		return lognote.Checkpoint{}, &Fault{CodeReceiptInvalid, err}
	}
	want := NewLeaf(LeafAnswer, p.Envelope, p.Hash, a.Verdict, leaf.Time)
	want.Inputs = leaf.Inputs // what the responder's law saw is its own record
	if leaf != want {
		return lognote.Checkpoint{}, fault(CodeReceiptInvalid, "the leaf is about something else")
	}
	c, err := from.Ledger.Included(a.Receipt)
	if err != nil {
		return lognote.Checkpoint{}, &Fault{CodeReceiptInvalid, err}
	}
	return c, nil
}
