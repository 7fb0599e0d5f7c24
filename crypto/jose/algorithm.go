package jose

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	_ "crypto/sha256" // crypto.SHA256.New
	_ "crypto/sha512" // crypto.SHA384.New, crypto.SHA512.New
	"fmt"
	"sync"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"
)

const (
	algEd25519 = "Ed25519" // RFC 9864
	algEdDSA   = "EdDSA"   // RFC 8037, deprecated by RFC 9864, still what most of the world writes
)

func isEdwards(alg string) bool { return alg == algEd25519 || alg == algEdDSA }

// signatureAlgorithm binds a JWS algorithm to the one kind of key it may be used with.
type signatureAlgorithm struct {
	kty    string
	crv    string      // of EC and OKP keys
	hash   crypto.Hash // of RSA and HMAC; 0 where jwx or the curve decides
	pss    bool
	secret bool // the verifier could sign, too
}

// signatureAlgorithmOf is the closed list of what this package can verify. What
// is absent is refused: "none", ES256K (no Tamga peer has it and jwx needs a
// build tag), and anything a later jwx may bring.
func signatureAlgorithmOf(name string) (signatureAlgorithm, bool) {
	switch name {
	case algEd25519, algEdDSA:
		return signatureAlgorithm{kty: "OKP", crv: "Ed25519"}, true
	case "ES256":
		return signatureAlgorithm{kty: "EC", crv: "P-256"}, true
	case "ES384":
		return signatureAlgorithm{kty: "EC", crv: "P-384"}, true
	case "ES512":
		return signatureAlgorithm{kty: "EC", crv: "P-521"}, true
	case "RS256":
		return signatureAlgorithm{kty: "RSA", hash: crypto.SHA256}, true
	case "RS384":
		return signatureAlgorithm{kty: "RSA", hash: crypto.SHA384}, true
	case "RS512":
		return signatureAlgorithm{kty: "RSA", hash: crypto.SHA512}, true
	case "PS256":
		return signatureAlgorithm{kty: "RSA", hash: crypto.SHA256, pss: true}, true
	case "PS384":
		return signatureAlgorithm{kty: "RSA", hash: crypto.SHA384, pss: true}, true
	case "PS512":
		return signatureAlgorithm{kty: "RSA", hash: crypto.SHA512, pss: true}, true
	case "HS256":
		return signatureAlgorithm{kty: "oct", hash: crypto.SHA256, secret: true}, true
	case "HS384":
		return signatureAlgorithm{kty: "oct", hash: crypto.SHA384, secret: true}, true
	case "HS512":
		return signatureAlgorithm{kty: "oct", hash: crypto.SHA512, secret: true}, true
	}
	return signatureAlgorithm{}, false
}

// ed25519Alias is jwx's EdDSA signer under the name RFC 9864 gives it.
type ed25519Alias struct{ jws.Signer }

func (ed25519Alias) Algorithm() jwa.SignatureAlgorithm { return algEd25519 }

var _ jws.Signer = ed25519Alias{}

// registerEd25519 teaches jwx v2 the name "Ed25519", which it predates. It runs
// once, on first use, instead of in an init function.
var registerEd25519 = sync.OnceFunc(func() {
	jws.RegisterSigner(algEd25519, jws.SignerFactoryFn(func() (jws.Signer, error) {
		signer, err := jws.NewSigner(jwa.EdDSA)
		return ed25519Alias{signer}, err
	}))
	jws.RegisterVerifier(algEd25519, jws.VerifierFactoryFn(func() (jws.Verifier, error) {
		return jws.NewVerifier(jwa.EdDSA)
	}))
})

func signEd25519(key ed25519.PrivateKey, message []byte) ([]byte, error) {
	registerEd25519()
	signer, err := jws.NewSigner(algEd25519)
	if err != nil {
		return nil, err
	}
	return signer.Sign(message, key)
}

// verifySignature checks one signature under an algorithm of the closed list
// whose key was already bound to it. jwx's error texts are dropped: they say
// nothing more than ErrSignature does.
func verifySignature(alg string, key any, u Unverified) error {
	if a, _ := signatureAlgorithmOf(alg); a.pss {
		return verifyPSS(a.hash, key.(*rsa.PublicKey), u)
	}
	registerEd25519()
	verifier, err := jws.NewVerifier(jwa.SignatureAlgorithm(alg))
	if err != nil {
		return fmt.Errorf("%w: %v", ErrAlgorithm, err)
	}
	if verifier.Verify([]byte(u.signed), u.signature, key) != nil {
		return ErrSignature
	}
	return nil
}

// verifyPSS is not left to jwx, which takes any salt length; RFC 7518 section
// 3.5 wants exactly that of the hash.
func verifyPSS(hash crypto.Hash, key *rsa.PublicKey, u Unverified) error {
	digest := hash.New()
	digest.Write([]byte(u.signed))
	options := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash}
	if rsa.VerifyPSS(key, hash, digest.Sum(nil), u.signature, options) != nil {
		return ErrSignature
	}
	return nil
}
