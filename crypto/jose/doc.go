// Package jose signs and verifies the tokens that leave a Tamga node, and reads
// the foreign ones that reach it. It implements the compact serialisations of
// JWS (RFC 7515) and JWE (RFC 7516), Ed25519 JWKs and their thumbprints (RFC
// 8037, RFC 7638, RFC 9864) and JWK Sets (RFC 7517), over lestrrat-go/jwx v2.
// No other package imports jwx: v2 is no longer maintained and has known holes,
// and every one of them is closed here, in front of it.
//
// Start with [GenerateKey] and [Sign] to issue, [ParseKeySet] and [Verify] to
// accept, [DecodeClaims] to read the payload. [Parse] only looks: what it
// returns is a type of its own, [Unverified], so that it cannot be passed where
// a verified payload is wanted. [NewVerifier] and [NewDecrypter] are for
// credentials of other systems, under an allow-list that the caller spells out.
//
// The package does not check iss, aud, exp or any other claim, does not fetch
// anything (jku and x5u are never followed), does not read certificates, and
// has no JSON serialisation, no detached payload and no encryption of its own
// (nodes seal with package sealing).
//
// Invariants:
//
//   - The algorithm is decided by the verifier and bound to the key type, curve
//     and "alg" member; the token only gets to agree. "none" does not exist.
//   - A key comes from the verifier's key set under the token's kid, never from
//     the token's header.
//   - typ is compared exactly: a token of one kind never passes for another
//     (RFC 8725 section 3.11).
//   - Any "crit" or "b64" member is refused: there is no extension we understand.
//   - A token has one spelling: base64url is unpadded with zero unused bits, and
//     JSON is refused for duplicate names, lone surrogates, invalid UTF-8, trailing
//     data or more than 16 levels.
//   - Nothing larger than [MaxTokenSize] is looked at.
//   - Errors name the rule and the place, never a value taken from a token.
//
// All types are immutable and safe for concurrent use. Sign is deterministic
// (RFC 8032); its header and the thumbprint are wire format and do not change.
package jose
