package jose

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// MaxTokenSize is the size in bytes above which nothing is parsed, signed or
// decrypted. It fits one frame of the node-to-node protocol (256 KiB) with room
// for what is around it.
const MaxTokenSize = 192 << 10

// maxHeaderSize bounds the encoded protected header of a JWE: a certificate
// chain of three in x5c fits, a document does not. maxChainHeader is that of a JWS, which
// may bring a Trust Chain.
const (
	maxHeaderSize  = 16 << 10
	maxChainHeader = 128 << 10
)

// strictBase64 refuses padding and unused bits that are not zero. Never modified.
var strictBase64 = base64.RawURLEncoding.Strict()

func encode(data []byte) string { return strictBase64.EncodeToString(data) }

// decode reads canonical base64url. encoding/base64 skips line breaks even when
// strict, which would give one token many spellings.
func decode(text string) ([]byte, error) {
	if strings.IndexByte(text, '\n') >= 0 || strings.IndexByte(text, '\r') >= 0 {
		return nil, fmt.Errorf("%w: line break in base64url", ErrMalformed)
	}
	data, err := strictBase64.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("%w: not canonical base64url", ErrMalformed)
	}
	return data, nil
}

// header is a protected header. Parameters that are not understood are ignored
// unless crit names them (RFC 7515 section 4); keys in it are never used.
type header struct {
	alg, kid, typ string
	enc           string // JWE
	extension     bool   // crit, b64 or zip is present, whatever its value
	ownKey        bool   // jwk, jku or x5u is present
	chain         []string
	members       map[string][]byte
}

// parseHeader decodes the first part of a token, at most limit bytes. Members named in
// keep are returned raw.
func parseHeader(part string, limit int, keep ...string) (header, error) {
	if len(part) > limit {
		return header{}, fmt.Errorf("header: %w", ErrTooLarge)
	}
	text, err := decode(part)
	if err != nil {
		return header{}, fmt.Errorf("header: %w", err)
	}
	var h header
	err = scanObject(text, nil, false, func(name, value []byte) (err error) {
		switch string(name) {
		case "alg":
			h.alg, err = stringValue(value)
		case "enc":
			h.enc, err = stringValue(value)
		case "kid":
			if h.kid, err = stringValue(value); err == nil && (h.kid == "" || len(h.kid) > maxKeyIDSize) {
				err = fmt.Errorf("%w: empty or overlong kid", ErrMalformed)
			}
		case "typ":
			if h.typ, err = stringValue(value); err == nil && h.typ == "" {
				err = fmt.Errorf("%w: empty typ", ErrMalformed)
			}
		case "crit", "b64", "zip":
			h.extension = true
		case "trust_chain":
			if h.chain, err = stringValues(value); err != nil {
				err = fmt.Errorf("%w: trust_chain is not an array of strings", ErrMalformed)
			}
		case "jwk", "jku", "x5u":
			h.ownKey = true
		}
		for _, wanted := range keep {
			if wanted == string(name) {
				if h.members == nil {
					h.members = make(map[string][]byte)
				}
				h.members[wanted] = value
			}
		}
		return err
	})
	if err != nil {
		return header{}, fmt.Errorf("header: %w", err)
	}
	if h.extension {
		return header{}, fmt.Errorf("header: %w", ErrCritical)
	}
	return h, nil
}
