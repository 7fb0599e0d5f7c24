package jose

import (
	"encoding/json"
	"fmt"
)

const (
	// maxKeySetSize bounds a JWK or JWK Set. Entity Configurations carry a
	// handful of keys of some 200 bytes, with certificates some 4 KiB.
	maxKeySetSize = 64 << 10
	// maxKeys bounds the entries of a set, skipped ones included.
	maxKeys = 64
	// maxKeyIDSize bounds a kid.
	maxKeyIDSize = 256
)

// KeySet is a set of Ed25519 verification keys, each under a kid of its own
// (RFC 7517 section 5). The zero value is empty. A KeySet never changes.
type KeySet struct {
	entries []keyEntry
}

type keyEntry struct {
	kid string
	key PublicKey
}

// NewKeySet makes a set with each key under its thumbprint. Repeated and zero
// keys are left out.
func NewKeySet(keys ...PublicKey) KeySet {
	var s KeySet
	for _, k := range keys {
		if _, found := s.Key(k.id); !found && !k.IsZero() {
			s.entries = append(s.entries, keyEntry{k.id, k})
		}
	}
	return s
}

// ParseKeySet reads a JWK Set. Keys of other types and algorithms, or meant for
// another use, are skipped, so that a peer can publish a key of tomorrow without
// losing those of today. What is wrong with the rest is an error: an Ed25519 key
// without kid or with a malformed x, two under one kid, and private members in
// any entry. Errors wrap [ErrMalformed], [ErrKey] or [ErrTooLarge].
func ParseKeySet(data []byte) (KeySet, error) {
	if len(data) > maxKeySetSize {
		return KeySet{}, fmt.Errorf("parsing key set: %w", ErrTooLarge)
	}
	raw, err := keySetEntries(data)
	if err != nil {
		return KeySet{}, fmt.Errorf("parsing key set: %w", err)
	}
	var s KeySet
	for i, entry := range raw {
		if err := s.add(entry); err != nil {
			return KeySet{}, fmt.Errorf("parsing key set: key %d: %w", i, err)
		}
	}
	return s, nil
}

// keySetEntries returns the raw entries of a JWK Set, which must have "keys".
func keySetEntries(data []byte) ([][]byte, error) {
	var raw [][]byte
	found := false
	err := scanObject(data, nil, false, func(name, value []byte) error {
		if string(name) != "keys" {
			return nil
		}
		found = true
		return scanArray(value, func(entry []byte) error {
			if len(raw) == maxKeys {
				return fmt.Errorf("%w: more than %d keys", ErrTooLarge, maxKeys)
			}
			raw = append(raw, entry)
			return nil
		})
	})
	switch {
	case err != nil:
		return nil, err
	case !found:
		return nil, fmt.Errorf("%w: no keys member", ErrMalformed)
	}
	return raw, nil
}

func (s *KeySet) add(raw []byte) error {
	parsed, err := parseJWK(raw)
	switch {
	case err != nil:
		return err
	case parsed.private():
		return fmt.Errorf("%w: private members in a public set", ErrKey)
	case !parsed.isEd25519():
		return nil
	}
	key, err := parsed.ed25519()
	if err != nil {
		return err
	}
	kid := parsed.text["kid"]
	if kid == "" || len(kid) > maxKeyIDSize {
		return fmt.Errorf("%w: missing or overlong kid", ErrKey)
	}
	if _, found := s.Key(kid); found {
		return fmt.Errorf("%w: duplicate kid", ErrKey)
	}
	s.entries = append(s.entries, keyEntry{kid, key})
	return nil
}

// Key returns the key published under exactly this kid.
func (s KeySet) Key(kid string) (PublicKey, bool) {
	for _, e := range s.entries {
		if e.kid == kid {
			return e.key, true
		}
	}
	return PublicKey{}, false
}

// Keys returns the keys in the order of the set. The slice is the caller's.
func (s KeySet) Keys() []PublicKey {
	keys := make([]PublicKey, len(s.entries))
	for i, e := range s.entries {
		keys[i] = e.key
	}
	return keys
}

// Len returns the number of keys that can verify something.
func (s KeySet) Len() int { return len(s.entries) }

// MarshalJSON writes a JWK Set with every key under the kid it was published
// with; members that ParseKeySet skipped are gone.
func (s KeySet) MarshalJSON() ([]byte, error) {
	keys := make([]publicJWK, len(s.entries))
	for i, e := range s.entries {
		keys[i] = e.key.jwk(e.kid)
	}
	return json.Marshal(struct {
		Keys []publicJWK `json:"keys"`
	}{keys})
}

// UnmarshalJSON is [ParseKeySet]. On error s is empty.
func (s *KeySet) UnmarshalJSON(data []byte) (err error) {
	*s, err = ParseKeySet(data)
	return err
}
