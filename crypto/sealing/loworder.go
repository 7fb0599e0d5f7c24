package sealing

import "crypto/subtle"

const x25519Size = 32

// lowOrder reports whether u, an X25519 u-coordinate, makes every shared
// secret zero (RFC 7748 section 6.1). X-Wing stays as strong as ML-KEM then,
// but the hybrid promise is gone without a sign; crypto/ecdh, and so
// crypto/hpke, refuses these points while circl computes with them. Refusing
// them here keeps the two implementations agreeing on what a valid key is.
//
// The seven encodings below are all there are once bit 255 is ignored, as
// RFC 7748 section 5 says it must be: 0, 1, the two points of order 8, and
// the non-canonical p-1 (order 4), p, p+1.
func lowOrder(u []byte) bool {
	table := [7][x25519Size]byte{
		{},
		{1},
		{0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
			0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00},
		{0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b,
			0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57},
		fieldEdge(0xec),
		fieldEdge(0xed),
		fieldEdge(0xee),
	}
	var masked [x25519Size]byte
	copy(masked[:], u)
	masked[x25519Size-1] &= 0x7f
	found := 0
	for i := range table {
		found |= subtle.ConstantTimeCompare(masked[:], table[i][:])
	}
	return found == 1
}

// fieldEdge is 2^255-19 with its lowest byte replaced: p-1, p or p+1.
func fieldEdge(low byte) [x25519Size]byte {
	var e [x25519Size]byte
	for i := range e {
		e[i] = 0xff
	}
	e[0], e[x25519Size-1] = low, 0x7f
	return e
}
