package jose

import "errors"

// The errors of this package wrap exactly one of these; test with errors.Is.
// Which one tells why a token was refused, so that a parse failure is not taken
// for a forged signature.
var (
	// ErrMalformed: the bytes are not what the specification's grammar allows.
	ErrMalformed = errors.New("malformed")
	// ErrTooLarge: a size limit was exceeded; nothing was decoded.
	ErrTooLarge = errors.New("too large")
	// ErrType: the token is of another kind than the one asked for.
	ErrType = errors.New("unexpected token type")
	// ErrAlgorithm: the algorithm is not on the allow-list, or is not the key's.
	ErrAlgorithm = errors.New("algorithm not allowed")
	// ErrKey: a key is unusable, or no key of the set fits the token.
	ErrKey = errors.New("no usable key")
	// ErrCritical: the header asks for an extension (crit, b64, zip) that is not understood.
	ErrCritical = errors.New("critical header parameter not understood")
	// ErrSignature: everything else was in order and the signature does not verify.
	ErrSignature = errors.New("signature does not verify")
	// ErrDecrypt: a JWE does not open. Deliberately without a cause: which of
	// padding, key and tag was wrong is what an attacker wants to know.
	ErrDecrypt = errors.New("token does not decrypt")
)
