package peerid

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"

	"github.com/tamga-id/tamga/crypto/jose"
)

// Size is the length of every peer ID of an Ed25519 key: the leading 1 of the zero octet, and 51 digits.
const Size = 52

const alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz" // base58btc

// multihash is what stands before the key: identity, 36 octets; protobuf PublicKey with Type 1, Ed25519, and Data of 32.
const multihash = "\x00\x24\x08\x01\x12\x20"

// digits is all but the zero octet, which base58 writes as a 1 and not as a digit.
const digits = len(multihash) - 1 + ed25519.PublicKeySize

// Parse returns the key that the peer ID stands for. Its text has to be the canonical one. Errors never quote it.
func Parse(id string) (jose.PublicKey, error) {
	if len(id) != Size {
		return jose.PublicKey{}, fmt.Errorf("reading peer ID: %d characters instead of %d", len(id), Size)
	}
	if id[0] != alphabet[0] {
		return jose.PublicKey{}, errors.New("reading peer ID: character 0: not an identity multihash")
	}
	var b [digits]byte
	for i := 1; i < Size; i++ {
		carry := strings.IndexByte(alphabet, id[i])
		if carry < 0 {
			return jose.PublicKey{}, fmt.Errorf("reading peer ID: character %d: not of base58btc", i)
		}
		for j := digits - 1; j >= 0; j-- {
			carry += len(alphabet) * int(b[j])
			b[j] = byte(carry)
			carry >>= 8
		}
		if carry != 0 {
			return jose.PublicKey{}, fmt.Errorf("reading peer ID: character %d: more than %d octets", i, 1+digits)
		}
	}
	// The first of these octets is not zero, so that no shorter number with ones before it is read as the same.
	raw, ok := strings.CutPrefix(string(b[:]), multihash[1:])
	if !ok {
		return jose.PublicKey{}, errors.New("reading peer ID: not the identity multihash of an Ed25519 key")
	}
	key, err := jose.NewPublicKey([]byte(raw))
	if err != nil {
		return jose.PublicKey{}, fmt.Errorf("reading peer ID: %v", err)
	}
	return key, nil
}

// Of is the peer ID of the key; of none it is empty.
func Of(key jose.PublicKey) string {
	if key.IsZero() {
		return ""
	}
	b := append([]byte(multihash[1:]), key.Bytes()...)
	var out [Size]byte
	for i := Size - 1; i > 0; i-- {
		rest := 0
		for j := range b {
			rest = rest<<8 | int(b[j])
			b[j] = byte(rest / len(alphabet))
			rest %= len(alphabet)
		}
		out[i] = alphabet[rest]
	}
	out[0] = alphabet[0]
	return string(out[:])
}
