package trust

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
)

const (
	historyType = "jwk-set+jwt"
	maxHistory  = 256
)

// Reasons why a key was revoked (section 8.7.3).
const (
	KeyCompromised = "compromised"
	KeySuperseded  = "superseded"
)

// HistoricalKey is a federation key that was in use (section 8.7.2).
type HistoricalKey struct {
	// Key is the key.
	Key jose.PublicKey
	// IssuedAt is when its use began; zero when that is not known.
	IssuedAt time.Time
	// ExpiresAt is when it ended.
	ExpiresAt time.Time
	// RevokedAt is since when the key must not be believed; zero when it was not revoked.
	RevokedAt time.Time
	// Reason is why; optional.
	Reason string
}

// historicalKey is a JWK with its life:
//
//	{"kty","crv","x","kid",["iat"],"exp",["revoked": {"revoked_at",["reason"]}]}
type historicalKey struct {
	Kid     string             `json:"kid"`
	Iat     *int64             `json:"iat,omitempty"`
	Exp     *int64             `json:"exp"`
	Revoked *historicalRevoked `json:"revoked,omitempty"`
}

type historicalRevoked struct {
	At     *int64 `json:"revoked_at"`
	Reason string `json:"reason,omitempty"`
}

// history is the claims set {"iss","iat","keys"}.
type history struct {
	Iss  EntityID          `json:"iss"`
	Iat  *int64            `json:"iat"`
	Keys []json.RawMessage `json:"keys"`
}

// SignHistoricalKeys states with a present federation key which keys id used before.
func SignHistoricalKeys(key jose.PrivateKey, id EntityID, keys []HistoricalKey, now time.Time) (string, error) {
	iat := now.Unix()
	h := history{Iss: id, Iat: &iat, Keys: []json.RawMessage{}}
	for _, k := range keys {
		raw, err := k.marshal()
		if err != nil {
			return "", fmt.Errorf("signing historical keys: %w", err)
		}
		h.Keys = append(h.Keys, raw)
	}
	payload, err := json.Marshal(h)
	if err != nil {
		return "", fmt.Errorf("signing historical keys: %w", err)
	}
	return jose.Sign(key, historyType, payload)
}

func (k HistoricalKey) marshal() (json.RawMessage, error) {
	jwk, err := json.Marshal(k.Key)
	if err != nil {
		return nil, err
	}
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(jwk, &members); err != nil {
		return nil, err
	}
	life := map[string]any{"exp": k.ExpiresAt.Unix()}
	if !k.IssuedAt.IsZero() {
		life["iat"] = k.IssuedAt.Unix()
	}
	if !k.RevokedAt.IsZero() {
		at := k.RevokedAt.Unix()
		life["revoked"] = historicalRevoked{&at, k.Reason}
	}
	for name, v := range life {
		if members[name], err = json.Marshal(v); err != nil {
			return nil, err
		}
	}
	return json.Marshal(members)
}

// VerifyHistoricalKeys verifies a historical keys response of id under its present
// federation keys. Keys of other types are left out.
func VerifyHistoricalKeys(token string, id EntityID, keys jose.KeySet, now time.Time) ([]HistoricalKey, error) {
	payload, err := jose.Verify(token, historyType, keys)
	if err != nil {
		return nil, fmt.Errorf("verifying historical keys: %w", err)
	}
	var h history
	if err := jose.DecodeOpenClaims(payload, &h); err != nil {
		return nil, fmt.Errorf("verifying historical keys: %w", err)
	}
	if h.Iss != id || h.Iat == nil || *h.Iat > now.Add(ClockSkew).Unix() || h.Keys == nil || len(h.Keys) > maxHistory {
		return nil, errors.New("verifying historical keys: iss, iat or keys missing, too many, or of another Entity")
	}
	out := []HistoricalKey{}
	for i, raw := range h.Keys {
		k, ok, err := parseHistoricalKey(raw)
		if err != nil {
			return nil, fmt.Errorf("verifying historical keys: key %d: %w", i, err)
		}
		if ok {
			out = append(out, k)
		}
	}
	return out, nil
}

func parseHistoricalKey(raw json.RawMessage) (HistoricalKey, bool, error) {
	var life historicalKey
	if err := jose.DecodeOpenClaims(raw, &life); err != nil || life.Kid == "" || life.Exp == nil ||
		(life.Revoked != nil && life.Revoked.At == nil) {
		return HistoricalKey{}, false, errors.New("kid, exp or revoked_at missing or malformed")
	}
	set, err := jose.ParseKeySet([]byte(`{"keys":[` + string(raw) + `]}`))
	if err != nil {
		return HistoricalKey{}, false, errors.New("not a public key")
	}
	key, ok := set.Key(life.Kid)
	if !ok {
		return HistoricalKey{}, false, nil
	}
	k := HistoricalKey{Key: key, ExpiresAt: time.Unix(*life.Exp, 0).UTC()}
	if life.Iat != nil {
		k.IssuedAt = time.Unix(*life.Iat, 0).UTC()
	}
	if life.Revoked != nil {
		k.RevokedAt, k.Reason = time.Unix(*life.Revoked.At, 0).UTC(), life.Revoked.Reason
	}
	return k, true, nil
}

// HeldAt reports whether what the key signed at t may be believed: it was in use and not
// revoked. A compromised key is believed for no time, because whoever has it chooses
// the time that he writes.
func (k HistoricalKey) HeldAt(t time.Time) bool {
	switch {
	case k.Reason == KeyCompromised && !k.RevokedAt.IsZero():
		return false
	case !k.IssuedAt.IsZero() && t.Before(k.IssuedAt), !t.Before(k.ExpiresAt):
		return false
	default:
		return k.RevokedAt.IsZero() || t.Before(k.RevokedAt)
	}
}
