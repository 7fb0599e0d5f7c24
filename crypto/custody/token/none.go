//go:build !pkcs11

package token

// Token is a key in a token.
type Token struct{}

// Open returns [ErrBuild].
func Open(Config) (*Token, error) { return nil, ErrBuild }

// Seal returns [ErrBuild].
func (*Token) Seal(_, _ []byte) ([]byte, error) { return nil, ErrBuild }

// Open returns [ErrBuild].
func (*Token) Open(_, _ []byte) ([]byte, error) { return nil, ErrBuild }

// Close does nothing.
func (*Token) Close() error { return nil }
