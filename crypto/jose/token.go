package jose

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"strings"
)

// Unverified is a token that was taken apart and nothing more. Whatever it says
// may have been written by anyone; it is good for choosing the keys to verify
// with. The zero value is an empty token.
type Unverified struct {
	header    header
	payload   []byte
	signed    string // the signing input, RFC 7515 section 5.2 step 8
	signature []byte
}

// Type returns the typ header parameter, "" when absent.
func (u Unverified) Type() string { return u.header.typ }

// Algorithm returns the alg header parameter, "" when absent.
func (u Unverified) Algorithm() string { return u.header.alg }

// KeyID returns the kid header parameter, "" when absent.
func (u Unverified) KeyID() string { return u.header.kid }

// TrustChain returns the trust_chain header parameter (OpenID Federation 1.0 section
// 4.3), nil when absent: statements that nobody has verified. All calls share the memory.
func (u Unverified) TrustChain() []string { return u.header.chain }

// Payload returns the payload, which nobody vouches for. All calls share the memory.
func (u Unverified) Payload() []byte { return u.payload }

// Parse takes a compact JWS apart without believing any of it:
//
//	BASE64URL(header) "." BASE64URL(payload) "." BASE64URL(signature)
//
// Errors wrap [ErrMalformed], [ErrTooLarge] or [ErrCritical]; the result is then zero.
func Parse(token string) (Unverified, error) {
	u, err := parse(token)
	if err != nil {
		return Unverified{}, fmt.Errorf("parsing token: %w", err)
	}
	return u, nil
}

func parse(token string) (u Unverified, err error) {
	if len(token) > MaxTokenSize {
		return Unverified{}, ErrTooLarge
	}
	head, rest, _ := strings.Cut(token, ".")
	body, tail, ok := strings.Cut(rest, ".")
	if !ok || strings.IndexByte(tail, '.') >= 0 {
		return Unverified{}, fmt.Errorf("%w: not three parts", ErrMalformed)
	}
	if u.header, err = parseHeader(head, maxChainHeader); err != nil {
		return Unverified{}, err
	}
	if u.payload, err = decode(body); err != nil {
		return Unverified{}, fmt.Errorf("payload: %w", err)
	}
	if u.signature, err = decode(tail); err != nil {
		return Unverified{}, fmt.Errorf("signature: %w", err)
	}
	if len(u.signature) == 0 {
		return Unverified{}, fmt.Errorf("signature: %w: empty", ErrMalformed)
	}
	u.signed = token[:len(head)+1+len(body)]
	return u, nil
}

// Sign makes a compact JWS with the protected header
//
//	{"alg":"Ed25519","kid":"<thumbprint of k>","typ":"<typ>"}
//
// typ is a media type without "application/", such as "tamga-query+jwt". The
// same inputs give the same token. Errors wrap [ErrKey] for the zero key,
// [ErrType] for a typ that is empty or no media type, [ErrTooLarge].
func Sign(k PrivateKey, typ string, payload []byte) (string, error) {
	return SignWithChain(k, typ, payload, nil)
}

// SignWithChain is [Sign] with the signer's Trust Chain in the protected header, so that
// a verifier needs nothing but its Trust Anchor's keys (OpenID Federation 1.0 section
// 4.3):
//
//	{"alg":"Ed25519","kid":"<thumbprint of k>","trust_chain":[...],"typ":"<typ>"}
//
// A nil chain leaves the parameter out. [ErrTooLarge] also when the header is over 128 KiB.
func SignWithChain(k PrivateKey, typ string, payload []byte, chain []string) (string, error) {
	switch {
	case k.IsZero():
		return "", fmt.Errorf("signing token: %w", ErrKey)
	case !isMediaType(typ):
		return "", fmt.Errorf("signing token: %w: not a media type", ErrType)
	case len(payload) > MaxTokenSize:
		return "", fmt.Errorf("signing token: %w", ErrTooLarge)
	}
	head, err := json.Marshal(struct {
		Algorithm string   `json:"alg"`
		KeyID     string   `json:"kid"`
		Chain     []string `json:"trust_chain,omitempty"`
		Type      string   `json:"typ"`
	}{algEd25519, k.Public().KeyID(), chain, typ})
	if err != nil {
		return "", fmt.Errorf("signing token: header: %w", err)
	}
	if strictBase64.EncodedLen(len(head)) > maxChainHeader {
		return "", fmt.Errorf("signing token: header: %w", ErrTooLarge)
	}
	token := make([]byte, 0, strictBase64.EncodedLen(len(head)+len(payload)+ed25519.SignatureSize)+8)
	token = append(strictBase64.AppendEncode(token, head), '.')
	token = strictBase64.AppendEncode(token, payload)
	signature, err := signEd25519(k.open(), token)
	if err != nil {
		return "", fmt.Errorf("signing token: %w", err)
	}
	token = strictBase64.AppendEncode(append(token, '.'), signature)
	if len(token) > MaxTokenSize {
		return "", fmt.Errorf("signing token: %w", ErrTooLarge)
	}
	return string(token), nil
}

// isMediaType reports whether typ is a restricted name of RFC 6838 section 4.2,
// with "/" for those that spell out the top-level type.
func isMediaType(typ string) bool {
	for _, c := range []byte(typ) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("!#$&-^_.+/", c) >= 0:
		default:
			return false
		}
	}
	return typ != "" && len(typ) <= 127
}

// Verify checks that token is a JWS of exactly this typ, signed with Ed25519 by
// the key that keys publishes under the token's kid, and returns its payload,
// which belongs to the caller. The alg may be spelt "Ed25519" or "EdDSA", the
// older name (RFC 9864). Header parameters that bring their own key are refused.
//
// Errors wrap those of [Parse] or, tested in this order, [ErrType],
// [ErrAlgorithm], [ErrKey] or [ErrSignature]; the payload is then nil. Claims are
// the caller's to check.
func Verify(token, typ string, keys KeySet) ([]byte, error) {
	u, err := parse(token)
	if err != nil {
		return nil, fmt.Errorf("verifying token: %w", err)
	}
	return u.Verify(typ, keys)
}

// Verify is the package's [Verify] of a token that was taken apart already. The payload
// is that of [Unverified.Payload].
func (u Unverified) Verify(typ string, keys KeySet) ([]byte, error) {
	if typ == "" || u.header.typ != typ {
		return nil, fmt.Errorf("verifying token: %w", ErrType)
	}
	if !isEdwards(u.header.alg) {
		return nil, fmt.Errorf("verifying token: %w", ErrAlgorithm)
	}
	if u.header.ownKey {
		return nil, fmt.Errorf("verifying token: %w: the header brings its own", ErrKey)
	}
	if u.header.kid == "" {
		return nil, fmt.Errorf("verifying token: %w: no kid", ErrKey)
	}
	key, ok := keys.Key(u.header.kid)
	if !ok {
		return nil, fmt.Errorf("verifying token: %w: kid not in the set", ErrKey)
	}
	if len(u.signature) != ed25519.SignatureSize {
		return nil, fmt.Errorf("verifying token: %w", ErrSignature)
	}
	if err := verifySignature(algEd25519, key.key, u); err != nil {
		return nil, fmt.Errorf("verifying token: %w", err)
	}
	return u.payload, nil
}
