package consent

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ParseRecord reads a record that [Consent.Record] wrote. Nothing in it is proved.
func ParseRecord(b []byte) (Unverified, error) {
	c, err := parseRecord(b)
	if err != nil {
		return Unverified{}, fmt.Errorf("reading consent record: %w", err)
	}
	return Unverified{claimed: c}, nil
}

func parseRecord(b []byte) (c Consent, err error) {
	var r record
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if d.Decode(&r) != nil { // its text may quote the record
		return Consent{}, fmt.Errorf("not of the form that is written: %w", ErrMalformed)
	}
	if _, err := d.Token(); err != io.EOF || r.Schema != Profile {
		return Consent{}, fmt.Errorf("of another schema: %w", ErrMalformed)
	}
	c = Consent{ID: r.ID, Requester: r.Recipient.ID, Controller: r.Controller.ID, Uses: r.Uses, Officer: r.Basis.Officer}
	c.Purpose, _ = strings.CutPrefix(r.Processing.Purpose, "tamga:purpose/")
	for _, m := range r.Processing.Data {
		m, _ = strings.CutPrefix(m, "tamga:biometric/")
		c.Modalities = append(c.Modalities, m)
	}
	issued, err := time.Parse(time.RFC3339, r.Basis.Time)
	seconds, bad := strconv.ParseInt(strings.TrimSuffix(strings.TrimPrefix(r.Basis.Duration.Value, "PT"), "S"), 10, 64)
	if err != nil || bad != nil || seconds <= 0 || seconds > int64(MaxLifetime/time.Second) {
		return Consent{}, fmt.Errorf("time or duration: %w", ErrMalformed)
	}
	c.IssuedAt, c.ExpiresAt = issued.UTC(), issued.UTC().Add(time.Duration(seconds)*time.Second)
	if n := r.Notice; n != nil {
		digest, err := base64.RawURLEncoding.Strict().DecodeString(n.Checksum)
		if err != nil || len(digest) != len(c.Notice.Digest) {
			return Consent{}, fmt.Errorf("notice: %w", ErrMalformed)
		}
		c.Notice.Language = n.Language
		copy(c.Notice.Digest[:], digest)
	}
	typ := Type
	switch {
	case r.Exemption != nil:
		typ = TypeOrder
		c.Exemption = Exemption{Case: r.Exemption.Case, Second: r.Exemption.Second}
		if c.Exemption.Disclose, err = time.Parse(day, r.Exemption.Disclose); err != nil {
			return Consent{}, fmt.Errorf("disclosure: %w", ErrMalformed)
		}
	case r.Basis.Method != indications()[""]:
		typ = TypeAttestation
		for form, method := range indications() {
			if method == r.Basis.Method {
				c.Form = form
			}
		}
	}
	if typ == Type {
		c.Holder = r.Principal
		cl := claimsOf(c)
		cl.Issuer = c.Holder
		return c, cl.formed()
	}
	c.Office, c.Subject = r.Basis.By, r.Principal
	cl := claimsOf(c)
	cl.Issuer, cl.Subject, cl.Officer, cl.Form, cl.Case = c.Office, c.Subject, c.Officer, c.Form, c.Exemption.Case
	if typ == TypeOrder {
		cl.Disclose = r.Exemption.Disclose
	}
	cl.Modalities = slices.Clone(c.Modalities)
	return c, cl.validate(typ)
}
