package jose

// keyMode is how a JWE comes by its content encryption key (RFC 7516 section 2).
type keyMode int

const (
	modeDirect    keyMode = iota + 1 // the shared key is the content key
	modeWrap                         // AES key wrap, RFC 3394
	modeGCMWrap                      // AES-GCM key wrap, RFC 7518 section 4.7
	modeTransport                    // RSA-OAEP
	modeAgree                        // ECDH-ES gives the content key
	modeAgreeWrap                    // ECDH-ES gives a key that wraps the content key
)

// keyAlgorithm binds a JWE "alg" to the kind of key it may be used with.
type keyAlgorithm struct {
	kty  string
	mode keyMode
	size int // bytes of the shared AES key, 0 if another
}

// keyAlgorithmOf is the closed list of JWE key management algorithms. Absent and
// so refused: RSA1_5, whose padding cannot be checked without telling (RFC 8725
// section 3.2), and PBES2, which is for passwords and lets the sender choose how
// long the recipient computes.
func keyAlgorithmOf(name string) (keyAlgorithm, bool) {
	switch name {
	case "dir":
		return keyAlgorithm{kty: "oct", mode: modeDirect}, true
	case "A128KW":
		return keyAlgorithm{kty: "oct", mode: modeWrap, size: 16}, true
	case "A192KW":
		return keyAlgorithm{kty: "oct", mode: modeWrap, size: 24}, true
	case "A256KW":
		return keyAlgorithm{kty: "oct", mode: modeWrap, size: 32}, true
	case "A128GCMKW":
		return keyAlgorithm{kty: "oct", mode: modeGCMWrap, size: 16}, true
	case "A192GCMKW":
		return keyAlgorithm{kty: "oct", mode: modeGCMWrap, size: 24}, true
	case "A256GCMKW":
		return keyAlgorithm{kty: "oct", mode: modeGCMWrap, size: 32}, true
	case "RSA-OAEP", "RSA-OAEP-256", "RSA-OAEP-384", "RSA-OAEP-512":
		return keyAlgorithm{kty: "RSA", mode: modeTransport}, true
	case "ECDH-ES":
		return keyAlgorithm{kty: "EC", mode: modeAgree}, true
	case "ECDH-ES+A128KW", "ECDH-ES+A192KW", "ECDH-ES+A256KW":
		return keyAlgorithm{kty: "EC", mode: modeAgreeWrap}, true
	}
	return keyAlgorithm{}, false
}

// ops are the key_ops of which one permits the algorithm.
func (a keyAlgorithm) ops() []string {
	switch a.mode {
	case modeDirect:
		return []string{"decrypt"}
	case modeAgree, modeAgreeWrap:
		return []string{"deriveKey", "deriveBits"}
	default:
		return []string{"unwrapKey", "decrypt"}
	}
}

// contentAlgorithm has the exact sizes in bytes of a JWE "enc".
type contentAlgorithm struct {
	key, iv, tag int
	block        int // the ciphertext is a positive multiple of it
}

// contentAlgorithmOf is the closed list of JWE content encryption algorithms,
// all of RFC 7518 section 5.1.
func contentAlgorithmOf(name string) (contentAlgorithm, bool) {
	switch name {
	case "A128GCM":
		return contentAlgorithm{key: 16, iv: 12, tag: 16, block: 1}, true
	case "A192GCM":
		return contentAlgorithm{key: 24, iv: 12, tag: 16, block: 1}, true
	case "A256GCM":
		return contentAlgorithm{key: 32, iv: 12, tag: 16, block: 1}, true
	case "A128CBC-HS256":
		return contentAlgorithm{key: 32, iv: 16, tag: 16, block: 16}, true
	case "A192CBC-HS384":
		return contentAlgorithm{key: 48, iv: 16, tag: 24, block: 16}, true
	case "A256CBC-HS512":
		return contentAlgorithm{key: 64, iv: 16, tag: 32, block: 16}, true
	}
	return contentAlgorithm{}, false
}
