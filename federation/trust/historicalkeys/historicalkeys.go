// Package historicalkeys signs and verifies the list of federation keys that an Entity
// used before: OpenID Federation 1.0 (Final, February 2026) section 8.7.
//
// [Sign] and [Verify] are the two ends; [Key.HeldAt] says whether what a key signed at a
// time may be believed. Nothing here decides on a Trust Chain: those end before their
// keys retire.
package historicalkeys

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/trust"
)

const (
	historyType = "jwk-set+jwt"
	maxHistory  = 256
)

// Reasons why a key was revoked (section 8.7.3).
const (
	Compromised = "compromised"
	Superseded  = "superseded"
)

// Key is a federation key that was in use (section 8.7.2).
type Key struct {
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

// wireKey is a JWK with its life:
//
//	{"kty","crv","x","kid",["iat"],"exp",["revoked": {"revoked_at",["reason"]}]}
type wireKey struct {
	Kid     string   `json:"kid"`
	Iat     *int64   `json:"iat,omitempty"`
	Exp     *int64   `json:"exp"`
	Revoked *revoked `json:"revoked,omitempty"`
}

type revoked struct {
	At     *int64 `json:"revoked_at"`
	Reason string `json:"reason,omitempty"`
}

// history is the claims set {"iss","iat","keys"}.
type history struct {
	Iss  trust.EntityID    `json:"iss"`
	Iat  *int64            `json:"iat"`
	Keys []json.RawMessage `json:"keys"`
}

// Sign states with a present federation key which keys id used before.
func Sign(key jose.PrivateKey, id trust.EntityID, keys []Key, now time.Time) (string, error) {
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

func (k Key) marshal() (json.RawMessage, error) {
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
		life["revoked"] = revoked{&at, k.Reason}
	}
	for name, v := range life {
		if members[name], err = json.Marshal(v); err != nil {
			return nil, err
		}
	}
	return json.Marshal(members)
}

// Verify verifies a historical keys response of id under its present
// federation keys. Keys of other types are left out.
func Verify(token string, id trust.EntityID, keys jose.KeySet, now time.Time) ([]Key, error) {
	payload, err := jose.Verify(token, historyType, keys)
	if err != nil {
		return nil, fmt.Errorf("verifying historical keys: %w", err)
	}
	var h history
	if err := jose.DecodeOpenClaims(payload, &h); err != nil {
		return nil, fmt.Errorf("verifying historical keys: %w", err)
	}
	if h.Iss != id || h.Iat == nil || *h.Iat > now.Add(trust.ClockSkew).Unix() || h.Keys == nil || len(h.Keys) > maxHistory {
		return nil, errors.New("verifying historical keys: iss, iat or keys missing, too many, or of another Entity")
	}
	out := []Key{}
	for i, raw := range h.Keys {
		k, ok, err := parse(raw)
		if err != nil {
			return nil, fmt.Errorf("verifying historical keys: key %d: %w", i, err)
		}
		if ok {
			out = append(out, k)
		}
	}
	return out, nil
}

func parse(raw json.RawMessage) (Key, bool, error) {
	var life wireKey
	if err := jose.DecodeOpenClaims(raw, &life); err != nil || life.Kid == "" || life.Exp == nil ||
		(life.Revoked != nil && life.Revoked.At == nil) {
		return Key{}, false, errors.New("kid, exp or revoked_at missing or malformed")
	}
	set, err := jose.ParseKeySet([]byte(`{"keys":[` + string(raw) + `]}`))
	if err != nil {
		return Key{}, false, errors.New("not a public key")
	}
	key, ok := set.Key(life.Kid)
	if !ok {
		return Key{}, false, nil
	}
	k := Key{Key: key, ExpiresAt: time.Unix(*life.Exp, 0).UTC()}
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
func (k Key) HeldAt(t time.Time) bool {
	switch {
	case k.Reason == Compromised && !k.RevokedAt.IsZero():
		return false
	case !k.IssuedAt.IsZero() && t.Before(k.IssuedAt), !t.Before(k.ExpiresAt):
		return false
	default:
		return k.RevokedAt.IsZero() || t.Before(k.RevokedAt)
	}
}
