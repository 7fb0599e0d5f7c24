package conformance

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/protocol"
)

var b64 = base64.RawURLEncoding

// fault is one thing that is done to a good Query.
type fault func(s *session, d *draft) error

// refuses are the steps of a case in which the fault must be met with a Refusal.
func refuses(f fault, codes ...protocol.Code) func(context.Context, *session) error {
	return faulty(f, false, codes)
}

// answers are the steps of a case in which the Query, fault and all, must be recorded
// and met with an Answer.
func answers(f fault, codes ...protocol.Code) func(context.Context, *session) error {
	return faulty(f, true, codes)
}

func faulty(f fault, answer bool, codes []protocol.Code) func(context.Context, *session) error {
	return func(ctx context.Context, s *session) error {
		d, err := s.Mated(s.Target.Ground())
		if err != nil {
			return err
		}
		if err := f(s, d); err != nil {
			return fmt.Errorf("making the fault: %w", err)
		}
		_, err = s.Demand(ctx, d, answer, codes)
		return err
	}
}

// claim is the fault that a claim has another value, in a Query that is otherwise
// sealed and signed over that value.
func claim(name string, value any) fault {
	return func(_ *session, d *draft) error { d.Claims[name] = value; return nil }
}

// symmetric signs with HMAC and takes the issuer's public key for the secret: the
// confusion of RFC 8725 section 2.1.
func symmetric(s *session, d *draft) error {
	secret := s.Tester.Signing.Public().Bytes()
	d.Header["alg"] = "HS256"
	d.Sign = func(input []byte) []byte {
		mac := hmac.New(sha256.New, secret)
		mac.Write(input)
		return mac.Sum(nil)
	}
	return nil
}

// unknownKey signs with a key that no metadata carries, under its own kid.
func unknownKey(_ *session, d *draft) error {
	k, err := jose.GenerateKey()
	if err != nil {
		return fmt.Errorf("making key: %w", err)
	}
	d.Key, d.Header["kid"] = k, k.Public().KeyID()
	return nil
}

// embedded is unknownKey with the public half in the header.
func embedded(s *session, d *draft) error {
	if err := unknownKey(s, d); err != nil {
		return err
	}
	d.Header["jwk"] = d.Key.Public()
	return nil
}

// flippedSignature damages one bit of the signature that the seed chooses. The last
// byte stays whole, so that the base64url is canonical whatever the bit.
func flippedSignature(s *session, d *draft) error {
	at, bit := s.Rand.IntN(32), byte(1)<<s.Rand.IntN(8)
	d.Token = func(t string) string {
		cut := len(t) - 86 // 64 bytes in base64url
		sig, err := b64.DecodeString(t[cut:])
		if err != nil {
			return t + "."
		}
		sig[at] ^= bit
		return t[:cut] + b64.EncodeToString(sig)
	}
	return nil
}

// flipped damages one bit of b that the seed chooses.
func flipped(s *session) func([]byte) []byte {
	return func(b []byte) []byte {
		b[s.Rand.IntN(len(b))] ^= 1 << s.Rand.IntN(8)
		return b
	}
}
