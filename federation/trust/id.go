package trust

import (
	"errors"
	"net/url"
	"strings"
)

// MaxEntityID is the length limit of section 1.2 of OpenID Federation.
const MaxEntityID = 2048

// EntityID is an Entity Identifier: an https URL with a host, without user
// information, query or fragment. A value that [ParseEntityID] returned is valid;
// two identifiers are the same Entity only if they are the same bytes. The zero
// value names nobody.
type EntityID string

var errEntityID = errors.New("not an Entity Identifier")

// ParseEntityID checks s and returns it unchanged. It does not normalise: an
// identifier with upper-case letters in its host, a default port or dot segments
// is refused, so that one Entity has one spelling.
func ParseEntityID(s string) (EntityID, error) {
	if len(s) > MaxEntityID || !strings.HasPrefix(s, "https://") {
		return "", errEntityID
	}
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>\\^`{|}", c) >= 0 {
			return "", errEntityID
		}
	}
	if strings.ContainsAny(s, "?#") {
		return "", errEntityID
	}
	u, err := url.Parse(s)
	if err != nil || u.User != nil || !validHost(u) || !validPath(u.EscapedPath()) {
		return "", errEntityID
	}
	if u.String() != s {
		return "", errEntityID
	}
	return EntityID(s), nil
}

func validHost(u *url.URL) bool {
	host := u.Hostname()
	if host == "" || u.Port() == "443" || strings.HasSuffix(u.Host, ":") {
		return false
	}
	for i := range len(host) {
		c := host[i]
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '.', c == ':':
		default:
			return false
		}
	}
	return true
}

func validPath(p string) bool {
	for segment := range strings.SplitSeq(p, "/") {
		if segment == "." || segment == ".." {
			return false
		}
	}
	return true
}

// UnmarshalText parses an identifier, so that identifiers inside JSON are checked
// where they are decoded.
func (id *EntityID) UnmarshalText(b []byte) error {
	parsed, err := ParseEntityID(string(b))
	if err != nil {
		return err
	}
	*id = parsed
	return nil
}

// Path is who vouches for others by the way to it: its identifier, then those of its superiors up to the Trust Anchor, with
// spaces between. An Intermediate can vouch for a key of its own under any identifier, that of another Intermediate too: what
// is said by an identifier alone may be anybody's, by a path it is that of whom everybody in it vouches for. The path of a
// Trust Anchor is its identifier. The zero value is nobody's.
type Path string

// PathTo is the path of the Entity below the superiors, the immediate one first.
func PathTo(id EntityID, superiors ...EntityID) Path {
	p := []byte(id)
	for _, s := range superiors {
		p = append(append(p, ' '), s...)
	}
	return Path(p)
}

// Entity is whose path it is.
func (p Path) Entity() EntityID {
	id, _, _ := strings.Cut(string(p), " ")
	return EntityID(id)
}

// Top is the member of the Trust Anchor that the path leads through, or is; of an Anchor it is itself.
func (p Path) Top() EntityID {
	all := strings.Split(string(p), " ")
	return EntityID(all[max(0, len(all)-2)])
}

// Clip is the identifier for error messages and logs, cut to a bounded length.
func (id EntityID) Clip() string { return clip(string(id)) }

// Base is the identifier without trailing slashes: what endpoint paths are appended to.
func (id EntityID) Base() string { return strings.TrimRight(string(id), "/") }

// WellKnownPath is appended to an Entity Identifier, or to the base URL that
// overrides it, to find the Entity Configuration; unlike RFC 8414 it goes behind the
// path (section 9).
const WellKnownPath = "/.well-known/openid-federation"
