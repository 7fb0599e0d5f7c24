package sealing

import (
	"github.com/cloudflare/circl/hpke"
	"golang.org/x/crypto/chacha20poly1305"
)

// OpenChaCha opens under another AEAD, for the published X-Wing vectors, none of
// which uses this package's suite.
func OpenChaCha(k PrivateKey, info, aad, sealed []byte) ([]byte, error) {
	a := aead{uint16(hpke.AEAD_ChaCha20Poly1305), chacha20poly1305.KeySize, chacha20poly1305.New}
	return open(a, k.open(), info, aad, sealed)
}

var LowOrder = lowOrder
