package protocol

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/crypto/sealing"
)

// Names on the wire.
const (
	Revision    = "1"
	TypeQuery   = "tamga-query+jwt"
	TypeAnswer  = "tamga-answer+jwt"
	TypeRefusal = "tamga-refusal+jwt"

	OperationVerify = "verify"

	// MaxLifetime bounds exp - iat; MaxSkew is how far in the future iat may lie.
	MaxLifetime = 60 * time.Second
	MaxSkew     = 5 * time.Second

	infoQuery  = "tamga/v1/query"
	infoAnswer = "tamga/v1/answer"
)

// Hash is the SHA-256 of a Query's compact JWS: what Answer, receipt and ledger
// are bound to.
type Hash [32]byte

// String is the hash in base64url.
func (h Hash) String() string { return b64.EncodeToString(h[:]) }

var b64 = base64.RawURLEncoding.Strict()

// HashQuery hashes the exact bytes of a Query's frame (TMG-A-002).
func HashQuery(frame []byte) Hash { return sha256.Sum256(frame) }

// Envelope is the part of a Query that the responder reads before it opens the
// seal: who asks whom, when, why and under what law.
type Envelope struct {
	Issuer     string // requester's Entity Identifier
	Audience   string // responder's Entity Identifier
	IssuedAt   time.Time
	ExpiresAt  time.Time
	ID         string // jti: 16 random bytes, base64url
	Purpose    string
	LegalBasis string
	Operation  string
	Officer    string // requester-scoped pseudonym of the person who asks
	Role       string // what that person is, a word of the registry; empty when the requester does not say
	Assurance  string // how the probes were captured, a word of the registry; empty when the requester does not say
}

// wireQuery holds the claims of a Query (PROTOCOL.md section 3).
type wireQuery struct {
	Revision   string    `json:"rev"`
	Issuer     string    `json:"iss"`
	Audience   string    `json:"aud"`
	IssuedAt   int64     `json:"iat"`
	ExpiresAt  int64     `json:"exp"`
	ID         string    `json:"jti"`
	Purpose    string    `json:"purpose"`
	LegalBasis string    `json:"legal_basis"`
	Operation  string    `json:"operation"`
	Officer    string    `json:"officer"`
	Role       jose.Said `json:"role,omitempty"`
	Assurance  jose.Said `json:"assurance,omitempty"`
	SealKey    string    `json:"seal_kid"`
	ReplyKey   string    `json:"reply_key"`
	Sealed     string    `json:"sealed"`
}

// aad is SHA-256 of the deterministic CBOR array
//
//	["tamga/v1/query-aad", rev, iss, aud, iat, exp, jti, purpose, legal_basis,
//	 operation, officer, ? (role, ? assurance), seal_kid, reply_key]
//
// so that no claim can be changed under an unchanged seal (TMG-Q-010).
func (w wireQuery) aad() ([]byte, error) {
	bound := []any{"tamga/v1/query-aad", w.Revision, w.Issuer, w.Audience, w.IssuedAt, w.ExpiresAt,
		w.ID, w.Purpose, w.LegalBasis, w.Operation, w.Officer}
	if w.Role != "" || w.Assurance != "" {
		bound = append(bound, string(w.Role))
	}
	if w.Assurance != "" {
		bound = append(bound, string(w.Assurance))
	}
	b, err := encodeSized(append(bound, w.SealKey, w.ReplyKey), 1024+len(w.Issuer)+len(w.Audience)+len(w.ReplyKey))
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(b)
	return sum[:], nil
}

// Pending is a Query on its way: the frame to send and what is needed to read
// the reply.
type Pending struct {
	Envelope
	Frame []byte
	Hash  Hash
	reply sealing.PrivateKey
}

// Ask seals question to the responder's key and signs the Query. ID, IssuedAt and
// ExpiresAt of e are filled in: a fresh jti, now, and now plus MaxLifetime.
func Ask(e Envelope, question Asked, to sealing.PublicKey, sign jose.PrivateKey, now time.Time) (*Pending, error) {
	return ask(e, question, to, sign, nil, now)
}

func ask(e Envelope, question Asked, to sealing.PublicKey, sign jose.PrivateKey, chain []string, now time.Time) (*Pending, error) {
	var jti [16]byte
	_, _ = rand.Read(jti[:])
	e.ID = b64.EncodeToString(jti[:])
	e.IssuedAt = now.Truncate(time.Second)
	e.ExpiresAt = e.IssuedAt.Add(MaxLifetime)
	reply, err := sealing.GenerateEphemeral()
	if err != nil {
		return nil, fmt.Errorf("making reply key: %w", err)
	}
	return askExactly(e, question, to, sign, chain, reply)
}

// AskWithChain is Ask with the requester's Trust Chain in the header, for a responder
// whose knowledge of the requester may be older. Where the Query would be too long with
// it, it goes without.
func AskWithChain(e Envelope, question Asked, to sealing.PublicKey, sign jose.PrivateKey, chain []string, now time.Time) (*Pending, error) {
	p, err := ask(e, question, to, sign, chain, now)
	if chain != nil && errors.Is(err, jose.ErrTooLarge) {
		return ask(e, question, to, sign, nil, now)
	}
	return p, err
}

// AskExactly is Ask with every claim given by the caller. It does not judge
// them: conformance cases use it to build Queries that a node must refuse.
func AskExactly(e Envelope, question Asked, to sealing.PublicKey, sign jose.PrivateKey, reply sealing.PrivateKey) (*Pending, error) {
	return askExactly(e, question, to, sign, nil, reply)
}

func askExactly(e Envelope, question Asked, to sealing.PublicKey, sign jose.PrivateKey, chain []string, reply sealing.PrivateKey) (*Pending, error) {
	plain, err := question.marshal()
	if err != nil {
		return nil, fmt.Errorf("encoding question: %w", err)
	}
	defer clear(plain)
	w := wireQuery{
		Revision: Revision, Issuer: e.Issuer, Audience: e.Audience,
		IssuedAt: e.IssuedAt.Unix(), ExpiresAt: e.ExpiresAt.Unix(), ID: e.ID,
		Purpose: e.Purpose, LegalBasis: e.LegalBasis, Operation: e.Operation, Officer: e.Officer, Role: jose.Said(e.Role), Assurance: jose.Said(e.Assurance),
		SealKey: to.KeyID(), ReplyKey: b64.EncodeToString(reply.Public().Bytes()),
	}
	aad, err := w.aad()
	if err != nil {
		return nil, fmt.Errorf("binding claims: %w", err)
	}
	sealed, err := sealing.Seal(to, []byte(infoQuery), aad, plain)
	if err != nil {
		return nil, fmt.Errorf("sealing question: %w", err)
	}
	w.Sealed = b64.EncodeToString(sealed)
	payload, err := json.Marshal(w)
	if err != nil {
		return nil, fmt.Errorf("encoding claims: %w", err)
	}
	jws, err := jose.SignWithChain(sign, TypeQuery, payload, chain)
	if err != nil {
		return nil, fmt.Errorf("signing query: %w", err)
	}
	frame := []byte(jws)
	return &Pending{Envelope: e, Frame: frame, Hash: HashQuery(frame), reply: reply}, nil
}

// UnverifiedQuery is a Query that parsed. Nothing in it may be trusted.
type UnverifiedQuery struct {
	claimed wireQuery
	token   jose.Unverified
	hash    Hash
}

// ParseQuery reads a frame. A Fault with CodeMalformed or CodeRevision comes back
// for anything that is not a Query of this revision; Hash is set all the same so
// that a Refusal can be bound to the frame.
func ParseQuery(frame []byte) (UnverifiedQuery, error) {
	u := UnverifiedQuery{hash: HashQuery(frame)}
	t, err := jose.Parse(string(frame))
	if err != nil {
		return u, &Fault{CodeMalformed, err}
	}
	if t.Type() != TypeQuery {
		return u, fault(CodeMalformed, "typ is not %s", TypeQuery)
	}
	u.token = t
	if err := jose.DecodeClaims(t.Payload(), &u.claimed); err != nil {
		if otherRevision(t.Payload()) {
			return UnverifiedQuery{hash: u.hash}, fault(CodeRevision, "rev is not %s", Revision)
		}
		return UnverifiedQuery{hash: u.hash}, &Fault{CodeMalformed, err}
	}
	if u.claimed.Revision != Revision {
		return UnverifiedQuery{hash: u.hash}, fault(CodeRevision, "rev is not %s", Revision)
	}
	if err := u.claimed.syntax(); err != nil {
		return UnverifiedQuery{hash: u.hash}, &Fault{CodeMalformed, err}
	}
	return u, nil
}

// otherRevision reports whether claims that are not ours are those of another
// revision: its claims may be others, but it says which one it is.
func otherRevision(payload []byte) bool {
	var rev struct {
		Revision string `json:"rev"`
	}
	return jose.DecodeOpenClaims(payload, &rev) == nil && rev.Revision != Revision
}

// syntax enforces TMG-Q-004: the form of each claim, before any trust.
func (w wireQuery) syntax() error {
	if jti, err := b64.DecodeString(w.ID); err != nil || len(jti) != 16 {
		return fmt.Errorf("claim jti is not 16 bytes in base64url")
	}
	if !handle(w.SealKey, 64) {
		return fmt.Errorf("claim seal_kid is not a key identifier")
	}
	return Envelope{Issuer: w.Issuer, Audience: w.Audience, Purpose: w.Purpose, LegalBasis: w.LegalBasis,
		Operation: w.Operation, Officer: w.Officer, Role: string(w.Role), Assurance: string(w.Assurance)}.Check()
}

// Check enforces the form of the names in e, which goes into ledgers as it stands;
// times and ID are not looked at. The error names the claim, never its value.
func (e Envelope) Check() error {
	switch {
	case len(e.Issuer) == 0 || len(e.Issuer) > 2048:
		return errors.New("claim iss is not an Entity Identifier")
	case len(e.Audience) == 0 || len(e.Audience) > 2048:
		return errors.New("claim aud is not an Entity Identifier")
	case !token(e.Purpose, 64):
		return errors.New("claim purpose is not a name")
	case !token(e.LegalBasis, 64):
		return errors.New("claim legal_basis is not a name")
	case !token(e.Operation, 32):
		return errors.New("claim operation is not a name")
	case !handle(e.Officer, 64):
		return errors.New("claim officer is not a pseudonym")
	case e.Role != "" && !token(e.Role, 64):
		return errors.New("claim role is not a name")
	case e.Assurance != "" && !token(e.Assurance, 64):
		return errors.New("claim assurance is not a name")
	}
	return nil
}

// Hash is the hash of the frame; it is set even when ParseQuery failed.
func (u UnverifiedQuery) Hash() Hash { return u.hash }

// ClaimedIssuer is who the Query says it is from, for looking up keys.
func (u UnverifiedQuery) ClaimedIssuer() string { return u.claimed.Issuer }

// TrustChain is the Trust Chain that the Query brings, nil for none. It proves itself or
// nothing.
func (u UnverifiedQuery) TrustChain() []string { return u.token.TrustChain() }

// Query is a Query whose signature, audience and times were verified. It may
// still be a replay, unlawful, or sealed to an unknown key.
type Query struct {
	Envelope
	Hash     Hash
	SealKey  string
	replyKey sealing.PublicKey
	aad      []byte
	sealed   []byte
}

// Verify checks signature, audience and times (TMG-Q-005 to TMG-Q-008).
func (u UnverifiedQuery) Verify(keys jose.KeySet, self string, now time.Time) (Query, error) {
	if _, err := u.token.Verify(TypeQuery, keys); err != nil {
		return Query{}, &Fault{CodeSignature, err}
	}
	w := u.claimed
	iat, exp := time.Unix(w.IssuedAt, 0).UTC(), time.Unix(w.ExpiresAt, 0).UTC()
	switch {
	case w.Audience != self:
		return Query{}, fault(CodeAudience, "aud names another entity")
	case iat.After(now.Add(MaxSkew)):
		return Query{}, fault(CodeLifetime, "iat lies in the future")
	case !exp.After(iat) || exp.Sub(iat) > MaxLifetime:
		return Query{}, fault(CodeLifetime, "exp is not within 60 s after iat")
	case !now.Before(exp):
		return Query{}, fault(CodeExpired, "exp has passed")
	}
	rawReply, err := b64.DecodeString(w.ReplyKey)
	if err != nil {
		return Query{}, fault(CodeMalformed, "reply_key is not base64url")
	}
	reply, err := sealing.ParsePublicKey(rawReply)
	if err != nil {
		return Query{}, &Fault{CodeMalformed, err}
	}
	sealed, err := b64.DecodeString(w.Sealed)
	if err != nil {
		return Query{}, fault(CodeMalformed, "sealed is not base64url")
	}
	aad, err := w.aad()
	if err != nil {
		return Query{}, &Fault{CodeMalformed, err}
	}
	return Query{
		Envelope: Envelope{Issuer: w.Issuer, Audience: w.Audience, IssuedAt: iat, ExpiresAt: exp, ID: w.ID,
			Purpose: w.Purpose, LegalBasis: w.LegalBasis, Operation: w.Operation, Officer: w.Officer, Role: string(w.Role), Assurance: string(w.Assurance)},
		Hash: u.hash, SealKey: w.SealKey, replyKey: reply, aad: aad, sealed: sealed,
	}, nil
}

// Open opens the sealed part of a verify (TMG-Q-009 to TMG-Q-014). The caller wipes the
// Question when it has been used.
func (q Query) Open(key sealing.PrivateKey) (Question, error) { return opened(q, key, parseQuestion) }

func opened[T any](q Query, key sealing.PrivateKey, parse func([]byte) (T, error)) (T, error) {
	var none T
	plain, err := key.Open([]byte(infoQuery), q.aad, q.sealed)
	if err != nil {
		return none, &Fault{CodeSeal, err}
	}
	defer clear(plain)
	v, err := parse(plain)
	if err != nil {
		return none, &Fault{CodeSealedContent, err}
	}
	return v, nil
}
