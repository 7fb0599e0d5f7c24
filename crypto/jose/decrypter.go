package jose

import (
	"crypto/rsa"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwe"

	"github.com/tamga-id/tamga/crypto/jose/internal/strictjson"
)

// Decrypter opens JWEs that other systems made for us, such as a wallet's
// encrypted OpenID4VP response. Nodes seal with package sealing instead. The zero
// value opens nothing. It holds private keys and prints as a placeholder.
type Decrypter struct {
	algs, encs []string
	open       func() []foreignKey
}

// NewDecrypter takes a private JWK or JWK Set and the "alg" and "enc" values to
// accept. alg: ECDH-ES and ECDH-ES+A128KW/A192KW/A256KW over P-256, P-384 and
// P-521, RSA-OAEP(-256/-384/-512), A128/192/256KW, A128/192/256GCMKW, dir. enc:
// A128/192/256GCM, A128CBC-HS256, A192CBC-HS384, A256CBC-HS512. RSA1_5 and PBES2
// do not exist here.
//
// Keys that do not fit the list are left out. Errors wrap [ErrKey] when none is
// left or two have the same kid, [ErrAlgorithm] when a list is empty or names an
// unknown algorithm.
func NewDecrypter(jwks []byte, algs, encs []string) (Decrypter, error) {
	if err := checkEncryption(algs, encs); err != nil {
		return Decrypter{}, fmt.Errorf("building decrypter: %w", err)
	}
	parsed, err := parseForeign(jwks)
	if err != nil {
		return Decrypter{}, fmt.Errorf("building decrypter: %w", err)
	}
	d := Decrypter{algs: slices.Clone(algs), encs: slices.Clone(encs)}
	keys, err := collectKeys(parsed, d.key)
	if err != nil {
		return Decrypter{}, fmt.Errorf("building decrypter: %w", err)
	}
	d.open = func() []foreignKey { return keys }
	return d, nil
}

func checkEncryption(algs, encs []string) error {
	for _, name := range algs {
		if _, ok := keyAlgorithmOf(name); !ok {
			return fmt.Errorf("%w: alg %s", ErrAlgorithm, strictjson.Quote(name))
		}
	}
	for _, name := range encs {
		if _, ok := contentAlgorithmOf(name); !ok {
			return fmt.Errorf("%w: enc %s", ErrAlgorithm, strictjson.Quote(name))
		}
	}
	if len(algs) == 0 || len(encs) == 0 {
		return fmt.Errorf("%w: empty list", ErrAlgorithm)
	}
	return nil
}

// LogValue redacts.
func (Decrypter) LogValue() slog.Value { return slog.StringValue("decrypter(redacted)") }

// Format redacts, whatever the verb.
func (Decrypter) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "decrypter(redacted)") }

// key builds the key if there is an allowed algorithm for it.
func (d Decrypter) key(k jwk) (foreignKey, error) {
	key := k.foreign(nil)
	fits := slices.ContainsFunc(d.algs, func(alg string) bool {
		a, _ := keyAlgorithmOf(alg)
		return k.permits("enc", a.ops()...) &&
			slices.ContainsFunc(d.encs, func(enc string) bool { return key.opens(alg, enc) })
	})
	if !fits {
		return foreignKey{}, fmt.Errorf("%w: not a key for the allowed algorithms", ErrKey)
	}
	var err error
	switch key.kty {
	case "EC":
		key.raw, err = k.ecPrivate()
	case "RSA":
		key.raw, err = k.rsaPrivate()
	case "oct":
		key.raw, err = k.member("k")
	}
	if err != nil {
		return foreignKey{}, err
	}
	return key, nil
}

// opens reports whether alg is the algorithm of this key. A key for dir may name
// what it encrypts with instead (RFC 7520 section 5.6.1).
func (k foreignKey) opens(alg, enc string) bool {
	a, ok := keyAlgorithmOf(alg)
	return ok && a.kty == k.kty && (k.alg == "" || k.alg == alg || a.mode == modeDirect && k.alg == enc)
}

// Decrypt opens a compact JWE:
//
//	BASE64URL(header) "." BASE64URL(encrypted key) "." BASE64URL(iv) "." BASE64URL(ciphertext) "." BASE64URL(tag)
//
// and returns the plaintext, which belongs to the caller. It proves nothing about
// the sender. Compressed content (zip) is refused. Errors wrap [ErrMalformed],
// [ErrTooLarge], [ErrCritical], [ErrAlgorithm], [ErrKey] or, without saying why,
// [ErrDecrypt].
func (d Decrypter) Decrypt(token string) ([]byte, error) {
	e, err := d.parse(token)
	if err != nil {
		return nil, fmt.Errorf("decrypting token: %w", err)
	}
	plaintext, err := jwe.Decrypt([]byte(token), jwe.WithKey(jwa.KeyEncryptionAlgorithm(e.header.alg), e.recipient.raw))
	if err != nil {
		return nil, fmt.Errorf("decrypting token: %w", ErrDecrypt)
	}
	return plaintext, nil
}

// encrypted is a JWE taken apart.
type encrypted struct {
	header                          header
	encryptedKey, iv, cipher, check []byte
	recipient                       foreignKey
}

// parse checks all that can be checked without a private key. jwx v2 leaves out
// the sizes: an empty encrypted key makes its key unwrap panic.
func (d Decrypter) parse(token string) (e encrypted, err error) {
	if len(token) > MaxTokenSize {
		return e, ErrTooLarge
	}
	parts := strings.SplitN(token, ".", 6)
	if len(parts) != 5 {
		return e, fmt.Errorf("%w: not five parts", ErrMalformed)
	}
	if e.header, err = parseHeader(parts[0], maxHeaderSize, "epk", "apu", "apv", "iv", "tag"); err != nil {
		return e, err
	}
	if !slices.Contains(d.algs, e.header.alg) || !slices.Contains(d.encs, e.header.enc) {
		return e, ErrAlgorithm
	}
	for i, part := range []*[]byte{&e.encryptedKey, &e.iv, &e.cipher, &e.check} {
		if *part, err = decode(parts[i+1]); err != nil {
			return e, fmt.Errorf("part %d: %w", i+2, err)
		}
	}
	if e.recipient, err = pickKey(d.open(), e.header.kid); err != nil {
		return e, err
	}
	if !e.recipient.opens(e.header.alg, e.header.enc) {
		return e, fmt.Errorf("%w: not the algorithm of the key", ErrAlgorithm)
	}
	if err := e.checkContent(); err != nil {
		return e, err
	}
	return e, e.checkKeyManagement()
}

func (e encrypted) checkContent() error {
	c, _ := contentAlgorithmOf(e.header.enc)
	switch {
	case len(e.iv) != c.iv:
		return fmt.Errorf("%w: size of the initialisation vector", ErrMalformed)
	case len(e.check) != c.tag:
		return fmt.Errorf("%w: size of the authentication tag", ErrMalformed)
	case len(e.cipher)%c.block != 0 || c.block > 1 && len(e.cipher) == 0:
		return fmt.Errorf("%w: size of the ciphertext", ErrMalformed)
	}
	return nil
}

func (e encrypted) checkKeyManagement() error {
	a, _ := keyAlgorithmOf(e.header.alg)
	c, _ := contentAlgorithmOf(e.header.enc)
	wanted, shared := 0, a.size
	switch a.mode {
	case modeDirect:
		shared = c.key
	case modeWrap, modeAgreeWrap:
		wanted = c.key + 8 // RFC 3394 section 2.2.1
	case modeGCMWrap:
		wanted = c.key
	case modeTransport:
		wanted = e.recipient.raw.(*rsa.PrivateKey).Size()
	}
	if len(e.encryptedKey) != wanted {
		return fmt.Errorf("%w: size of the encrypted key", ErrMalformed)
	}
	if secret, ok := e.recipient.raw.([]byte); ok && len(secret) != shared {
		return fmt.Errorf("%w: size of the shared key", ErrKey)
	}
	switch a.mode {
	case modeGCMWrap:
		return e.checkWrapHeader()
	case modeAgree, modeAgreeWrap:
		return e.checkAgreement()
	}
	return nil
}

// checkWrapHeader: RFC 7518 section 4.7.1.
func (e encrypted) checkWrapHeader() error {
	for name, size := range map[string]int{"iv": 12, "tag": 16} {
		value, err := e.bytes(name)
		if err != nil || len(value) != size {
			return fmt.Errorf("%w: header %s", ErrMalformed, name)
		}
	}
	return nil
}

// checkAgreement: RFC 7518 section 4.6.1. The ephemeral key must be a point of
// the recipient's own curve.
func (e encrypted) checkAgreement() error {
	for _, name := range [...]string{"apu", "apv"} {
		if _, err := e.bytes(name); err != nil && e.header.members[name] != nil {
			return fmt.Errorf("%w: header %s", ErrMalformed, name)
		}
	}
	ephemeral, err := parseJWK(e.header.members["epk"])
	if err != nil {
		return fmt.Errorf("header epk: %w", err)
	}
	if ephemeral.private() || ephemeral.text["crv"] != e.recipient.crv {
		return fmt.Errorf("header epk: %w: not a public key of the recipient's curve", ErrKey)
	}
	if _, err := ephemeral.ecPublic(); err != nil {
		return fmt.Errorf("header epk: %w", err)
	}
	return nil
}

// bytes decodes a header parameter of type base64url string.
func (e encrypted) bytes(name string) ([]byte, error) {
	text, err := stringValue(e.header.members[name])
	if err != nil {
		return nil, err
	}
	return decode(text)
}
