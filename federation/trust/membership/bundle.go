package membership

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/membership/internal/rollover"
)

const (
	// WellKnown is the path of an Anchor's bundle below its location.
	WellKnown = "/.well-known/tamga-federation"

	wellKnownConfiguration = "/.well-known/openid-federation"
	bundleVersion          = 1
	// maxBundle bounds a bundle: a thousand members at 64 KiB.
	maxBundle = 64 << 20
	// maxStatuses is four Trust Marks for each of the most members.
	maxStatuses = 4 * maxMembers
)

// Bundle is all that an Anchor has to say. What is in it proves itself: the file needs no
// protection but against loss.
type Bundle struct {
	Version int `json:"version"`
	Notice
	// Rollover holds the Anchor's Entity Configurations that changed its keys, the oldest
	// first, for those who have older ones from out of band.
	Rollover []string `json:"rollover"`
	// Resolved holds a resolve response about each member.
	Resolved []string `json:"resolved"`
	// Historical is the Anchor's historical keys response (section 8.7).
	Historical string `json:"historical_keys,omitempty"`
	// Statuses holds status responses of the Anchor's Trust Marks (section 8.4.2), for those
	// who cannot ask it.
	Statuses []string `json:"mark_statuses,omitempty"`
}

// ParseBundle reads a bundle. Nothing in it is verified.
func ParseBundle(b []byte) (Bundle, error) {
	var out Bundle
	if len(b) > maxBundle {
		return Bundle{}, fmt.Errorf("reading bundle: over %d bytes", maxBundle)
	}
	if err := json.Unmarshal(b, &out); err != nil || out.Version != bundleVersion {
		return Bundle{}, errors.New("reading bundle: not a bundle of this version")
	}
	if len(out.Resolved) > maxMembers || len(out.Rollover) > rollover.Max {
		return Bundle{}, fmt.Errorf("reading bundle: over %d members or %d changes of keys", maxMembers, rollover.Max)
	}
	if len(out.Statuses) > maxStatuses {
		return Bundle{}, fmt.Errorf("reading bundle: the status of over %d Trust Marks", maxStatuses)
	}
	return out, nil
}

// index gives the resolve responses by subject, as they claim it.
func (b Bundle) index() map[trust.EntityID]string {
	out := make(map[trust.EntityID]string, len(b.Resolved))
	for _, token := range b.Resolved {
		if sub, _, err := inside(token); err == nil {
			out[sub] = token
		}
	}
	return out
}

// statuses gives the status responses by the mark that they claim to be about.
func (b Bundle) statuses() map[string]string {
	out := make(map[string]string, len(b.Statuses))
	for _, token := range b.Statuses {
		u, err := jose.Parse(token)
		if err != nil {
			continue
		}
		var c struct {
			Mark string `json:"trust_mark"`
		}
		if err := jose.DecodeOpenClaims(u.Payload(), &c); err == nil {
			out[c.Mark] = token
		}
	}
	return out
}

// inside reads subject and chain of a resolve response, which nobody has verified.
func inside(token string) (trust.EntityID, []string, error) {
	u, err := jose.Parse(token)
	if err != nil {
		return "", nil, err
	}
	var c struct {
		Subject trust.EntityID `json:"sub"`
		Chain   []string       `json:"trust_chain"`
	}
	if err := jose.DecodeOpenClaims(u.Payload(), &c); err != nil {
		return "", nil, err
	}
	return c.Subject, c.Chain, nil
}
