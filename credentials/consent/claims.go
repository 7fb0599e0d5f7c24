package consent

import (
	"encoding/base64"
	"fmt"
	"slices"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
)

// claims is the payload of the holder's consent, an attestation and an order. Which members
// each has says validate.
type claims struct {
	ID         string        `json:"jti"`
	Issuer     string        `json:"iss"`
	Subject    string        `json:"sub,omitempty"`
	Audience   []string      `json:"aud"`
	Controller string        `json:"controller"`
	Purpose    string        `json:"purpose"`
	Modalities []string      `json:"modalities"`
	IssuedAt   int64         `json:"iat"`
	ExpiresAt  int64         `json:"exp"`
	Uses       int           `json:"uses"`
	Notice     *noticeClaim  `json:"notice,omitempty"`
	Form       string        `json:"form,omitempty"`
	Officer    string        `json:"officer,omitempty"`
	Case       string        `json:"case,omitempty"`
	Disclose   string        `json:"disclose,omitempty"`
	Confirm    *confirmation `json:"cnf,omitempty"`
}

type noticeClaim struct {
	Digest   string `json:"sha-256"`
	Language string `json:"lang"`
}

type confirmation struct {
	Key jose.PublicKey `json:"jwk"`
}

// day is the form of disclose.
const day = "2006-01-02"

// claimsOf are the members that all kinds have.
func claimsOf(c Consent) claims {
	cl := claims{ID: c.ID, Audience: []string{c.Requester}, Controller: c.Controller, Purpose: c.Purpose,
		Modalities: slices.Clone(c.Modalities), IssuedAt: c.IssuedAt.Unix(), ExpiresAt: c.ExpiresAt.Unix(), Uses: max(c.Uses, 1)}
	if c.Uses < 0 {
		cl.Uses = c.Uses
	}
	if c.Notice != (Notice{}) {
		cl.Notice = &noticeClaim{base64.RawURLEncoding.EncodeToString(c.Notice.Digest[:]), c.Notice.Language}
	}
	return cl
}

// consent is what claims that are valid for their typ say.
func (c *claims) consent(typ string) Consent {
	out := Consent{
		ID: c.ID, Requester: c.Audience[0], Controller: c.Controller, Purpose: c.Purpose, Modalities: c.Modalities,
		IssuedAt: time.Unix(c.IssuedAt, 0).UTC(), ExpiresAt: time.Unix(c.ExpiresAt, 0).UTC(), Uses: c.Uses,
	}
	if c.Notice != nil {
		out.Notice.Language = c.Notice.Language
		digest, _ := base64.RawURLEncoding.DecodeString(c.Notice.Digest)
		copy(out.Notice.Digest[:], digest)
	}
	if typ == Type {
		out.Holder = c.Issuer
		return out
	}
	out.Office, out.Subject, out.Officer, out.Form = c.Issuer, c.Subject, c.Officer, c.Form
	if typ == TypeOrder {
		out.Exemption.Case = c.Case
		out.Exemption.Disclose, _ = time.Parse(day, c.Disclose)
	}
	return out
}

const (
	maxID         = 128
	maxEntity     = 1024
	maxName       = 64
	maxModalities = 8
	// maxTime is 9999-12-31T23:59:59Z: later values overflow time arithmetic
	// and RFC 3339 alike.
	maxTime = 253402300799
	// maxDisclosure is how long after the order the person must be told: secrecy without
	// an end would be no exemption but another rule.
	maxDisclosure = 10 * 366 * 24 * time.Hour
)

// validate checks the form of every claim, for both directions.
func (c *claims) validate(typ string) error {
	if err := c.formed(); err != nil {
		return err
	}
	return c.validateKind(typ)
}

// formed checks those that all kinds have.
func (c *claims) formed() error {
	switch {
	case !visible(c.ID, maxID):
		return malformed("jti")
	case !visible(c.Issuer, maxEntity):
		return malformed("iss")
	case len(c.Audience) != 1 || !visible(c.Audience[0], maxEntity):
		return malformed("aud")
	case !visible(c.Controller, maxEntity):
		return malformed("controller")
	case !name(c.Purpose):
		return malformed("purpose")
	case len(c.Modalities) == 0 || len(c.Modalities) > maxModalities:
		return malformed("modalities")
	case c.IssuedAt <= 0 || c.IssuedAt > maxTime:
		return malformed("iat")
	case c.ExpiresAt <= 0 || c.ExpiresAt > maxTime:
		return malformed("exp")
	case c.Uses < 1 || c.Uses > MaxUses:
		return malformed("uses")
	}
	for i, m := range c.Modalities {
		if !name(m) || slices.Contains(c.Modalities[:i], m) {
			return malformed("modalities")
		}
	}
	if life := c.ExpiresAt - c.IssuedAt; life <= 0 || life > int64(MaxLifetime/time.Second) {
		return ErrLifetime
	}
	return nil
}

// validateKind checks what only some have.
func (c *claims) validateKind(typ string) error {
	byOffice := typ != Type
	switch {
	case (c.Confirm != nil) == byOffice || c.Confirm != nil && c.Confirm.Key.IsZero():
		return malformed("cnf")
	case byOffice != isBinding(c.Subject) || !byOffice && c.Subject != "":
		return malformed("sub")
	case byOffice != visible(c.Officer, maxName) || !byOffice && c.Officer != "":
		return malformed("officer")
	case (typ == TypeAttestation) != slices.Contains([]string{Written, Guardian, ThumbMark}, c.Form) || typ != TypeAttestation && c.Form != "":
		return malformed("form")
	case (typ == TypeOrder) == (c.Notice != nil):
		return malformed("notice")
	case c.Notice != nil && !c.Notice.valid():
		return malformed("notice")
	case typ != TypeOrder && (c.Case != "" || c.Disclose != ""):
		return malformed("case")
	case typ == TypeOrder && !visible(c.Case, maxID):
		return malformed("case")
	}
	if typ == TypeOrder {
		at, err := time.Parse(day, c.Disclose)
		issued := time.Unix(c.IssuedAt, 0).UTC()
		if err != nil || !at.After(issued) || at.Sub(issued) > maxDisclosure {
			return malformed("disclose")
		}
	}
	return nil
}

func (n *noticeClaim) valid() bool {
	digest, err := base64.RawURLEncoding.Strict().DecodeString(n.Digest)
	return err == nil && len(digest) == len(Notice{}.Digest) && isLanguage(n.Language)
}

// isLanguage reports whether s has the form of a BCP 47 tag (RFC 5646 section 2.1) of a
// language with at most a script and a region.
func isLanguage(s string) bool {
	parts := 0
	for start, i := 0, 0; i <= len(s); i++ {
		if i < len(s) && s[i] != '-' {
			if c := s[i] | 0x20; (c < 'a' || c > 'z') && (parts == 0 || s[i] < '0' || s[i] > '9') {
				return false
			}
			continue
		}
		if n := i - start; n < 2 || n > 8 || parts == 0 && n > 3 {
			return false
		}
		parts, start = parts+1, i+1
	}
	return parts >= 1 && parts <= 3
}

func malformed(claim string) error { return fmt.Errorf("claim %s: %w", claim, ErrMalformed) }

// visible reports whether s is 1 to limit visible ASCII characters, so that
// nothing in a log or a page can be spoofed by it.
func visible(s string, limit int) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return s != "" && len(s) <= limit
}

// name reports whether s is 1 to maxName of a-z, 0-9, '_'.
func name(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return s != "" && len(s) <= maxName
}
