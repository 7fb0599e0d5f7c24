package conformance

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tamga-id/tamga/conformance/internal/exchange"
	"github.com/tamga-id/tamga/conformance/internal/wire"
	"github.com/tamga-id/tamga/conformance/party"
	"github.com/tamga-id/tamga/credentials/consent"
	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/protocol"
)

// consentCases ask on the ground of the person's consent, section 8.
func consentCases() []Case {
	bad := func(id, title, requirement string, code protocol.Code, edit func(s *session, c *consent.Consent)) Case {
		return Case{ID: id, Title: title, Negative: true, Requirements: []string{requirement, "TMG-R-009"},
			Hint: "Compare the artefact with what is about to be done, claim by claim.", steps: withConsent(edit, nil, code)}
	}
	return []Case{
		{ID: "TMG-CONF-C-001", Title: "without the person's consent nothing is compared", Negative: true, Requirements: []string{"TMG-C-001", "TMG-R-009"},
			Hint: "A legal basis of consent is an assertion; the artefact is the proof.", steps: noConsent},
		{ID: "TMG-CONF-C-002", Title: "with the person's consent a mated probe is matched", Requirements: []string{"TMG-R-009", "TMG-R-011"},
			Hint: "The thumbprint enrolled with the test subjects may be of another key.", steps: withConsent(nil, nil, protocol.CodeMatched)},
		{ID: "TMG-CONF-C-003", Title: "a consent that is no JWS is refused", Negative: true, Requirements: []string{"TMG-C-002"},
			steps: withConsent(nil, func(string) string { return "yes" }, protocol.CodeConsentInvalid)},
		{ID: "TMG-CONF-C-004", Title: "a consent with a changed signature is refused", Negative: true, Requirements: []string{"TMG-C-002"},
			steps: withConsent(nil, damaged, protocol.CodeConsentInvalid)},
		{ID: "TMG-CONF-C-005", Title: "another person's consent is refused", Negative: true, Requirements: []string{"TMG-C-003"},
			Hint: "The key must be the one enrolled with the subject.", steps: othersConsent},
		{ID: "TMG-CONF-C-006", Title: "a self-made consent does not tell who is in the register", Negative: true, Requirements: []string{"TMG-C-003"},
			Hint: "A subject who is not enrolled is answered like one whose consent it is not.", steps: selfMade},
		bad("TMG-CONF-C-007", "a consent to another purpose is refused", "TMG-C-004", protocol.CodeConsentPurpose, func(_ *session, c *consent.Consent) { c.Purpose = "sandbox_test" }),
		bad("TMG-CONF-C-008", "a consent given to another requester is refused", "TMG-C-004", protocol.CodeConsentAudience, func(_ *session, c *consent.Consent) { c.Requester = "https://elsewhere.example" }),
		bad("TMG-CONF-C-009", "a consent about another register is refused", "TMG-C-004", protocol.CodeConsentAudience, func(_ *session, c *consent.Consent) { c.Controller = "https://elsewhere.example" }),
		bad("TMG-CONF-C-010", "an expired consent is refused", "TMG-C-004", protocol.CodeConsentExpired, func(s *session, c *consent.Consent) {
			c.IssuedAt, c.ExpiresAt = s.Now().Add(-2*time.Hour), s.Now().Add(-time.Hour)
		}),
		bad("TMG-CONF-C-011", "a consent of tomorrow is refused", "TMG-C-004", protocol.CodeConsentExpired, func(s *session, c *consent.Consent) {
			c.IssuedAt, c.ExpiresAt = s.Now().Add(24*time.Hour), s.Now().Add(25*time.Hour)
		}),
		bad("TMG-CONF-C-012", "a consent to another modality is refused", "TMG-C-004", protocol.CodeConsentModality, func(_ *session, c *consent.Consent) { c.Modalities = []string{"iris"} }),
	}
}

// ground is one on which the target's law asks for consent: the first served purpose
// that a traveller can consent to and the law does not refuse on that basis.
func ground(ctx context.Context, s *session) (party.Ground, reply, error) {
	for _, purpose := range []string{"travel_check_in", "visa_issuance", "migration_registration"} {
		if !slices.Contains(s.Target.Purposes, purpose) {
			continue
		}
		g := party.Ground{Purpose: purpose, LegalBasis: "consent"}
		d, err := s.Mated(g)
		if err != nil {
			return party.Ground{}, reply{}, err
		}
		r, _, err := s.Exchange(ctx, d)
		if err != nil {
			return party.Ground{}, reply{}, err
		}
		if r.Code != protocol.CodeLaw {
			return g, r, nil
		}
	}
	return party.Ground{}, reply{}, &skip{Reason: "the target's law serves no purpose on the legal basis of consent"}
}

func noConsent(ctx context.Context, s *session) error {
	_, r, err := ground(ctx, s)
	if err != nil {
		return err
	}
	return exchange.Is(r, true, protocol.CodeConsentMissing)
}

// withConsent asks with the person's consent, after edit, as issued, after damage.
func withConsent(edit func(*session, *consent.Consent), damage func(string) string, want protocol.Code) func(context.Context, *session) error {
	return func(ctx context.Context, s *session) error {
		p, err := s.Person()
		if err != nil {
			return err
		}
		return consented(ctx, s, p, p, edit, damage, want)
	}
}

func othersConsent(ctx context.Context, s *session) error {
	p, other, err := s.Pair()
	if err != nil {
		return err
	}
	return consented(ctx, s, p, other, nil, nil, protocol.CodeConsentHolder)
}

func selfMade(ctx context.Context, s *session) error {
	p, err := s.Stranger()
	if err != nil {
		return err
	}
	return consented(ctx, s, p, p, nil, nil, protocol.CodeConsentHolder)
}

// consented asks about p with a consent that giver signed.
func consented(ctx context.Context, s *session, p, giver party.Subject, edit func(*session, *consent.Consent), damage func(string) string, want protocol.Code) error {
	if giver.Holder.IsZero() {
		return &skip{Reason: "the test subjects have no consent keys"}
	}
	g, _, err := ground(ctx, s)
	if err != nil {
		return err
	}
	d, err := s.About(p, g)
	if err != nil {
		return err
	}
	c := consent.Consent{ID: d.Claims["jti"].(string), Requester: s.Tester.Entity, Controller: s.Target.Entity, Purpose: g.Purpose,
		Modalities: []string{s.Modality()}, IssuedAt: s.Now(), ExpiresAt: s.Now().Add(time.Hour), Notice: consent.NoticeOf([]byte("Your samples are compared."), "en")}
	if edit != nil {
		edit(s, &c)
	}
	token, err := issue(giver.Holder, c)
	if err != nil {
		return err
	}
	if damage != nil {
		token = damage(token)
	}
	d.Content[wire.KeyConsent] = token
	_, err = s.Answered(ctx, d, want)
	return err
}

func issue(k jose.PrivateKey, c consent.Consent) (string, error) {
	token, err := consent.Issue(k, c)
	if err != nil {
		return "", fmt.Errorf("making consent: %w", err)
	}
	return token, nil
}

// damaged flips a bit in the first byte of the signature.
func damaged(token string) string {
	at := strings.LastIndexByte(token, '.') + 1
	sig, err := b64.DecodeString(token[at:])
	if err != nil || len(sig) == 0 {
		return token + "."
	}
	sig[0] ^= 1
	return token[:at] + b64.EncodeToString(sig)
}
