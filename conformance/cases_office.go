package conformance

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"github.com/tamga-id/tamga/conformance/internal/exchange"
	"github.com/tamga-id/tamga/conformance/internal/wire"
	"github.com/tamga-id/tamga/conformance/party"
	"github.com/tamga-id/tamga/credentials/consent"
	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/protocol"
)

// officeCases are about uses, offices and withdrawals of consents, TMG-C-005 to TMG-C-008.
func officeCases() []Case {
	return []Case{
		{ID: "TMG-CONF-C-013", Title: "a consent to one use is refused the second time", Negative: true, Requirements: []string{"TMG-C-006"},
			Hint: "Count the use, durably, before anything is compared.", steps: usedTwice},
		{ID: "TMG-CONF-C-014", Title: "what was refused for another reason is no use of a consent", Requirements: []string{"TMG-C-006"},
			Hint: "A use is counted when everything else about the artefact holds.", steps: refusedFirst},
		{ID: "TMG-CONF-C-015", Title: "an attestation by an office that the node does not know is refused", Negative: true, Requirements: []string{"TMG-C-005"},
			Hint: "Who may attest is the responder's to say.", steps: byStranger(consent.Attest, protocol.CodeConsentOffice)},
		{ID: "TMG-CONF-C-016", Title: "an order of exemption that nobody countersigned is refused", Negative: true, Requirements: []string{"TMG-C-005"},
			Hint: "An exemption needs two officers.", steps: byStranger(order, protocol.CodeSecondOfficer)},
		{ID: "TMG-CONF-C-017", Title: "an order of exemption that the same officer countersigned is refused", Negative: true, Requirements: []string{"TMG-C-005"},
			Hint: "Compare the officers' names and the keys before anything else.", steps: byStranger(signedTwice, protocol.CodeSecondOfficer)},
		{ID: "TMG-CONF-C-018", Title: "a consent that was withdrawn is refused", Negative: true, Requirements: []string{"TMG-C-007", "TMG-C-008"},
			Hint: "Keep the withdrawal before it is acknowledged.", steps: withdrawn},
		{ID: "TMG-CONF-C-019", Title: "a withdrawal of a consent between two others is not taken", Negative: true, Requirements: []string{"TMG-C-008"},
			Hint: "Take a withdrawal only from the other of the two nodes that it names.", steps: withdrawnByOther},
		{ID: "TMG-CONF-R-016", Title: "what is withheld of someone who is not enrolled is told like somebody else", Negative: true, Requirements: []string{"TMG-R-016"},
			Hint: "Where the law withholds who is enrolled, code and rate are those of a person who did not match.", steps: withheld},
	}
}

// agreement is a consent of p's to one use, and a Query with it, both on the ground of consent.
func agreement(ctx context.Context, s *session) (party.Subject, consent.Consent, *draft, error) {
	fail := func(err error) (party.Subject, consent.Consent, *draft, error) {
		return party.Subject{}, consent.Consent{}, nil, err
	}
	p, err := s.Person()
	if err != nil {
		return fail(err)
	}
	if p.Holder.IsZero() {
		return fail(&skip{Reason: "the test subjects have no consent keys"})
	}
	g, _, err := ground(ctx, s)
	if err != nil {
		return fail(err)
	}
	d, err := s.About(p, g)
	if err != nil {
		return fail(err)
	}
	return p, consent.Consent{ID: d.Claims["jti"].(string), Requester: s.Tester.Entity, Controller: s.Target.Entity, Purpose: g.Purpose,
		Modalities: []string{s.Modality()}, IssuedAt: s.Now(), ExpiresAt: s.Now().Add(time.Hour),
		Notice: consent.NoticeOf([]byte("Your samples are compared."), "en")}, d, nil
}

// again is a new Query about p on the ground of c, with another capture.
func again(s *session, p party.Subject, c consent.Consent, token string) (*draft, error) {
	d, err := s.About(p, party.Ground{Purpose: c.Purpose, LegalBasis: "consent"})
	if err != nil {
		return nil, err
	}
	d.Content[wire.KeyConsent] = token
	return d, nil
}

func usedTwice(ctx context.Context, s *session) error {
	return inTurn(ctx, s, nil, protocol.CodeMatched, protocol.CodeConsentUsed)
}

// refusedFirst asks with the wrong purpose first, which counts for nothing.
func refusedFirst(ctx context.Context, s *session) error {
	return inTurn(ctx, s, func(d *draft) { d.Claims["purpose"] = "no_such_purpose" }, protocol.CodeLaw, protocol.CodeMatched)
}

// inTurn asks twice on one artefact; edit changes the first Query.
func inTurn(ctx context.Context, s *session, edit func(*draft), first, second protocol.Code) error {
	p, c, d, err := agreement(ctx, s)
	if err != nil {
		return err
	}
	token, err := issue(p.Holder, c)
	if err != nil {
		return err
	}
	d.Content[wire.KeyConsent] = token
	if edit != nil {
		edit(d)
	}
	if _, err := s.Answered(ctx, d, first); err != nil {
		return err
	}
	if d, err = again(s, p, c, token); err != nil {
		return err
	}
	_, err = s.Answered(ctx, d, second)
	return err
}

// byStranger asks on what an office made that no node knows.
func byStranger(make func(jose.PrivateKey, consent.Consent) (string, error), want protocol.Code) func(context.Context, *session) error {
	return func(ctx context.Context, s *session) error {
		p, c, d, err := agreement(ctx, s)
		if err != nil {
			return err
		}
		if c.Subject, err = consent.Bind(p.Identifier); err != nil {
			return fmt.Errorf("making consent: %w", err)
		}
		c.Office, c.Officer, c.Form = "https://office.invalid", "desk-1", consent.Written
		token, err := make(officer(s, "first"), c)
		if err != nil {
			return fmt.Errorf("making consent: %w", err)
		}
		d.Content[wire.KeyConsent] = token
		_, err = s.Answered(ctx, d, want)
		return err
	}
}

// order is an exemption that one officer signed.
func order(k jose.PrivateKey, c consent.Consent) (string, error) {
	c.Form, c.Notice = "", consent.Notice{}
	c.Exemption = consent.Exemption{Case: "conformance", Disclose: c.IssuedAt.Add(48 * time.Hour)}
	return consent.Order(k, c)
}

// signedTwice is an order that its own officer countersigned, which consent.Countersign would not do.
func signedTwice(k jose.PrivateKey, c consent.Consent) (string, error) {
	token, err := order(k, c)
	if err != nil {
		return "", err
	}
	payload, err := json.Marshal(map[string]any{"iss": c.Office, "officer": c.Officer, "iat": c.IssuedAt.Unix(), "order": token})
	if err != nil {
		return "", err
	}
	return jose.Sign(k, consent.TypeExemption, payload)
}

// withdrawn withdraws a consent before it is used.
func withdrawn(ctx context.Context, s *session) error {
	p, c, d, err := agreement(ctx, s)
	if err != nil {
		return err
	}
	token, err := issue(p.Holder, c)
	if err != nil {
		return err
	}
	taken, err := withdraw(ctx, s, p.Holder, c)
	if err != nil {
		return err
	}
	if !taken {
		return exchange.Broke("TMG-C-008", "a withdrawal that is kept and acknowledged", "another reply, or none")
	}
	d.Content[wire.KeyConsent] = token
	_, err = s.Answered(ctx, d, protocol.CodeConsentWithdrawn)
	return err
}

// withdrawnByOther hands over what concerns another requester.
func withdrawnByOther(ctx context.Context, s *session) error {
	p, c, _, err := agreement(ctx, s)
	if err != nil {
		return err
	}
	c.Requester = "https://elsewhere.example"
	taken, err := withdraw(ctx, s, p.Holder, c)
	if err != nil {
		return err
	}
	if taken {
		return exchange.Broke("TMG-C-008", "a withdrawal between others that is not taken", "an acknowledgement")
	}
	return nil
}

// withdraw hands a withdrawal over, and reports whether it is acknowledged.
func withdraw(ctx context.Context, s *session, k jose.PrivateKey, c consent.Consent) (bool, error) {
	if s.Tester.Consent == nil {
		return false, &skip{Reason: "the tester cannot hand over withdrawals"}
	}
	c.Holder = k.Public().KeyID()
	token, err := consent.Withdraw(k, c, "", s.Now())
	if err != nil {
		return false, fmt.Errorf("withdrawing consent: %w", err)
	}
	reply, err := s.Tester.Consent.Exchange(ctx, append([]byte{1}, token...))
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	return err == nil && len(reply) == 1 && reply[0] == 1, nil
}

// officer is the key of an office's officer, of this run alone.
func officer(s *session, name string) jose.PrivateKey {
	sum := sha256.Sum256(fmt.Appendf(nil, "conformance officer %s %d", name, s.Seed))
	k, err := jose.NewPrivateKey(sum[:])
	if err != nil {
		panic("conformance: making an officer's key: " + err.Error())
	}
	return k
}

// withheld asks about somebody who is not enrolled, and about somebody else than who is.
func withheld(ctx context.Context, s *session) error {
	p, err := s.Stranger()
	if err != nil {
		return err
	}
	d, err := s.About(p, s.Target.Ground())
	if err != nil {
		return err
	}
	nobody, _, err := s.Exchange(ctx, d)
	if err != nil {
		return err
	}
	if nobody.Code == protocol.CodeSubjectUnknown {
		return exchange.Is(nobody, true, protocol.CodeSubjectUnknown) // the law lets it be told
	}
	holder, other, err := s.Pair()
	if err != nil {
		return err
	}
	probe, err := s.Probe(other, s.Modality())
	if err != nil {
		return err
	}
	if d, err = s.Draft(holder, s.Target.Ground(), probe); err != nil {
		return err
	}
	somebody, err := s.Answered(ctx, d, protocol.CodeNotMatched)
	if err != nil {
		return err
	}
	if err := exchange.Is(nobody, true, protocol.CodeNotMatched); err != nil {
		return err
	}
	if nobody.Rate != somebody.Rate || nobody.Policy != somebody.Policy {
		return exchange.Broke("TMG-R-016", "the rate and the policy of a person who did not match", "others")
	}
	return nil
}
