package sealing

import "github.com/cloudflare/circl/hpke"

// OpenWith opens under another KDF and AEAD, for published X-Wing vectors,
// none of which uses this package's suite.
func OpenWith(k PrivateKey, kdf hpke.KDF, aead hpke.AEAD, info, aad, sealed []byte) ([]byte, error) {
	return open(hpke.NewSuite(hpke.KEM_XWING, kdf, aead), k.open(), info, aad, sealed)
}

var LowOrder = lowOrder
