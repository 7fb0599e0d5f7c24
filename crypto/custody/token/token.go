// Package token protects a node's root key by a key in a PKCS#11 token (OASIS
// PKCS #11 3.0), such as an HSM, that never leaves it.
//
// [Open] logs in to a token and finds, or makes, an AES-256 key that is sensitive
// and cannot be extracted; the result seals and opens with CKM_AES_GCM inside the
// token, as crypto/custody wants of a custody.Wrapper. A node that is given the PIN
// so opens its root at start without anyone.
//
// It is there with the build tag "pkcs11" only, which needs cgo; without it Open
// returns [ErrBuild]. The module is a program that is loaded into this one: name
// only one that is trusted like it.
package token

import "errors"

var (
	// ErrBuild reports a program that was built without PKCS#11.
	ErrBuild = errors.New("this build has no PKCS#11: build with -tags pkcs11")
	// ErrToken reports a module, token or PIN that does not work, or a key that
	// is not there or not one that stays in the token.
	ErrToken = errors.New("PKCS#11 token refused")
)

// Config says which key of which token.
type Config struct {
	Module string // path of the PKCS#11 library
	Token  string // label of the token
	Key    string // label of the key
	PIN    []byte // of the token's user; the caller wipes it
	Make   bool   // make the key when there is none
}
