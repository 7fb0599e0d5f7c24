package membership

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/membership/internal/rollover"
)

const (
	listingType = "tamga-listing+jwt"

	// maxMembers bounds a listing, which has to fit into one frame of the transport.
	maxMembers = 1024
	// maxReason bounds the text of a suspension.
	maxReason = 200
	// clockSkew is how far in the future an iat may lie.
	clockSkew = time.Minute
)

// Listing is whom a Trust Anchor vouches for, or an Intermediate. The zero value is of nobody.
type Listing struct {
	Anchor trust.EntityID // who signed it
	Path   trust.Path     // of that
	// Sequence grows with every change; of two listings the one with the greater holds.
	Sequence  uint64
	IssuedAt  time.Time
	Members   []trust.EntityID // in order, without the suspended
	Suspended []Suspension
}

// Suspension is a member that the Anchor does not vouch for at present.
type Suspension struct {
	Entity trust.EntityID `json:"sub"`
	// Jurisdiction is the country that the member acts for.
	Jurisdiction string `json:"jurisdiction"`
	Since        int64  `json:"since"` // seconds since 1970
	Reason       string `json:"reason,omitempty"`
}

// Out returns the suspended. The slice is the caller's.
func (l Listing) Out() []trust.EntityID {
	var out []trust.EntityID
	for _, s := range l.Suspended {
		out = append(out, s.Entity)
	}
	return out
}

// Suspension returns the suspension of the Entity, if there is one.
func (l Listing) Suspension(id trust.EntityID) (Suspension, bool) {
	i := slices.IndexFunc(l.Suspended, func(s Suspension) bool { return s.Entity == id })
	if i < 0 {
		return Suspension{}, false
	}
	return l.Suspended[i], true
}

// claims is the payload of a listing (PROTOCOL.md, TMG-E-007):
//
//	{"iss","iat","seq","members":[entity identifier],"suspended":[{"sub","jurisdiction","since",["reason"]}]}
type claims struct {
	Issuer    string           `json:"iss"`
	IssuedAt  int64            `json:"iat"`
	Sequence  uint64           `json:"seq"`
	Members   []trust.EntityID `json:"members"`
	Suspended []Suspension     `json:"suspended"`
}

// sign signs a listing with the Anchor's federation key.
func sign(key jose.PrivateKey, l Listing) (string, error) {
	c := claims{string(l.Anchor), l.IssuedAt.Unix(), l.Sequence, l.Members, l.Suspended}
	if c.Members == nil {
		c.Members = []trust.EntityID{}
	}
	if c.Suspended == nil {
		c.Suspended = []Suspension{}
	}
	payload, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("signing listing: %w", err)
	}
	token, err := jose.Sign(key, listingType, payload)
	if err != nil {
		return "", fmt.Errorf("signing listing: %w", err)
	}
	if _, err := verifyListing(token, l.Anchor, jose.NewKeySet(key.Public())); err != nil {
		return "", fmt.Errorf("signing listing: %w", err)
	}
	return token, nil
}

// verifyListing verifies a listing of the Anchor under its keys.
func verifyListing(token string, anchor trust.EntityID, keys jose.KeySet) (Listing, error) {
	payload, err := jose.Verify(token, listingType, keys)
	if err != nil {
		return Listing{}, fmt.Errorf("verifying listing: %w", err)
	}
	l, err := parseListing(payload, anchor)
	if err != nil {
		return Listing{}, fmt.Errorf("verifying listing: %w", err)
	}
	return l, nil
}

// parseListing reads the payload of a listing.
func parseListing(payload []byte, anchor trust.EntityID) (Listing, error) {
	var c claims
	if err := jose.DecodeClaims(payload, &c); err != nil {
		return Listing{}, err
	}
	if c.Issuer != string(anchor) {
		return Listing{}, errors.New("it is of another Trust Anchor")
	}
	if c.Members == nil || c.Suspended == nil || c.Sequence == 0 || c.IssuedAt <= 0 || len(c.Members)+len(c.Suspended) > maxMembers {
		return Listing{}, errors.New("a claim is missing or out of range")
	}
	before := trust.EntityID("")
	for _, id := range c.Members {
		if _, err := trust.ParseEntityID(string(id)); err != nil || id <= before {
			return Listing{}, errors.New("members are not Entity Identifiers in order")
		}
		before = id
	}
	before = ""
	for _, s := range c.Suspended {
		_, isMember := slices.BinarySearch(c.Members, s.Entity)
		if _, err := trust.ParseEntityID(string(s.Entity)); err != nil || s.Entity <= before || len(s.Reason) > maxReason || isMember {
			return Listing{}, errors.New("suspended are not Entity Identifiers in order, or members")
		}
		before = s.Entity
	}
	return Listing{Anchor: anchor, Path: trust.Path(anchor), Sequence: c.Sequence, IssuedAt: time.Unix(c.IssuedAt, 0).UTC(), Members: c.Members, Suspended: c.Suspended}, nil
}

// Notice is a listing with what verifies it: all that one member needs to tell another.
type Notice struct {
	// Configuration is the Anchor's Entity Configuration, which names its keys.
	Configuration string `json:"configuration" cbor:"1,keyasint"`
	// Listing is the signed listing.
	Listing string `json:"listing" cbor:"2,keyasint"`
	// Statements make an Intermediate's Entity Configuration a Trust Chain: the Subordinate
	// Statements about it and those above it, and perhaps the Anchor's Entity Configuration.
	// None in an Anchor's notice.
	Statements []string `json:"statements,omitempty" cbor:"3,keyasint,omitempty"`
}

// verify verifies a notice of the Anchor: its Entity Configuration under the keys that are
// known of it, the listing under those that it names and that are not withdrawn.
func (n Notice) verify(a trust.Anchor) (Listing, error) {
	s, err := rollover.Announced(a, n.Configuration)
	if err != nil {
		return Listing{}, fmt.Errorf("verifying Entity Configuration of the Trust Anchor: %w", err)
	}
	return verifyListing(n.Listing, a.EntityID, a.Current(s.Keys(), s.IssuedAt()))
}

// read reads a notice's listing of which nobody knows who signed it.
func (n Notice) read(anchor trust.EntityID) (Listing, error) {
	u, err := jose.Parse(n.Listing)
	if err != nil {
		return Listing{}, err
	}
	return parseListing(u.Payload(), anchor)
}

// path says by which way a notice claims to be of its issuer.
func (n Notice) path() (trust.Path, error) {
	id, err := n.anchorOf()
	if err != nil {
		return "", err
	}
	var superiors []trust.EntityID
	for _, token := range n.Statements {
		s, err := trust.ParseStatement(token)
		if err != nil {
			return "", err
		}
		if !s.IsConfiguration() {
			superiors = append(superiors, s.Issuer())
		}
	}
	return trust.PathTo(id, superiors...), nil
}

// anchorOf says of which Anchor a notice claims to be.
func (n Notice) anchorOf() (trust.EntityID, error) {
	s, err := trust.ParseStatement(n.Configuration)
	if err != nil {
		return "", err
	}
	return s.Issuer(), nil
}
