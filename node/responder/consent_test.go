package responder_test

import (
	"errors"
	"testing"
	"time"

	"github.com/tamga-id/tamga/credentials/consent"
	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/policy"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/matcher/synth"
)

const office = "https://office.uzb.example"

func officerKey(b byte) jose.PrivateKey { return must(jose.NewPrivateKey(seed(b))) }

// withOffices has an office of which "desk" attests, and "first" and "second" exempt.
func (w *world) withOffices() *world {
	exempt := []consent.Role{consent.MayExempt}
	w.offices = consent.Offices{office: {ID: office, Under: asker, Officers: []consent.Officer{
		{Name: "desk", Roles: []consent.Role{consent.MayAttest}, Key: officerKey(41).Public()},
		{Name: "first", Roles: exempt, Key: officerKey(42).Public()},
		{Name: "second", Roles: exempt, Key: officerKey(43).Public()},
	}}}
	w.clock.set(start.Add(-time.Hour))
	w.Responder = w.build(w.clock.Now)
	w.clock.set(start)
	return w
}

// byOffice is what an office signs about p; an exemption when it has a case.
func byOffice(p synth.Person, edit func(*consent.Consent)) consent.Consent {
	c := consent.Consent{ID: "o-1", Requester: asker, Controller: self, Purpose: "border_control", Modalities: []string{"face"},
		IssuedAt: start.Add(-time.Minute), ExpiresAt: start.Add(time.Hour), Uses: 1, Notice: consent.NoticeOf([]byte("shown"), "uz"),
		Office: office, Officer: "desk", Form: consent.ThumbMark, Subject: must(consent.Bind(passport(p)))}
	if edit != nil {
		edit(&c)
	}
	return c
}

func exempted(c *consent.Consent) {
	c.Notice, c.Form, c.Officer = consent.Notice{}, "", "first"
	c.Exemption = consent.Exemption{Case: "17/2026", Disclose: start.AddDate(1, 0, 0)}
}

func (w *world) asks(t *testing.T, p synth.Person, artefact string) protocol.Code {
	t.Helper()
	w.law.d.ConsentRequired = true
	q := about(p, faceProbe(p.FaceProbe(1)))
	q.question.Consent = artefact
	return w.send(t, q).Code
}

func TestConsentUses(t *testing.T) {
	p := person(7)
	w := newWorld().withLedger(t).withGallery(t, enrolled(p, faceTemplate(p.FaceReference())))
	twice := consented(p, func(c *consent.Consent) { c.Uses = 2 })
	for i, want := range []protocol.Code{protocol.CodeMatched, protocol.CodeMatched, protocol.CodeConsentUsed} {
		if got := w.asks(t, p, twice); got != want {
			t.Errorf("use %d: %s, want %s", i+1, got, want)
		}
	}
	other := consented(p, func(c *consent.Consent) { c.ID = "c-2" })
	u := must(consent.Parse(other)).Claimed()
	w.consents.withdrawn[u.Key()] = true
	if got := w.asks(t, p, other); got != protocol.CodeConsentWithdrawn {
		t.Errorf("withdrawn: %s", got)
	}
	w.consents.err = errors.New("the store is away")
	if got := w.asks(t, p, consented(p, func(c *consent.Consent) { c.ID = "c-3" })); got != protocol.CodeConsentStore || got.Outcome() != protocol.Unavailable {
		t.Errorf("with the store away: %s, %s", got, got.Outcome())
	}
	// What is refused for another reason is no use.
	before := len(w.consents.counted)
	w.consents.err = nil
	if got := w.asks(t, p, consented(p, func(c *consent.Consent) { c.ID, c.Purpose = "c-4", "visa_issuance" })); got != protocol.CodeConsentPurpose {
		t.Errorf("another purpose: %s", got)
	}
	if len(w.consents.counted) != before {
		t.Error("a refused artefact was counted")
	}
}

// TestConsentForm asks a law that takes an exemption and nothing else.
func TestConsentForm(t *testing.T) {
	p := person(7)
	w := newWorld().withLedger(t).withGallery(t, enrolled(p, faceTemplate(p.FaceReference()))).withOffices()
	w.law.real = must(policy.Load("law.cedar", []byte(exemptionLaw)))
	attested := must(consent.Attest(officerKey(41), byOffice(p, nil)))
	order := must(consent.Order(officerKey(42), byOffice(p, exempted)))
	both := must(consent.Countersign(officerKey(43), order, office, "second", start))
	for i, c := range []struct {
		artefact string
		want     protocol.Code
	}{
		{"", protocol.CodeConsentMissing},
		{attested, protocol.CodeConsentForm},
		{consented(p, nil), protocol.CodeConsentForm},
		{order, protocol.CodeSecondOfficer},
		{both, protocol.CodeMatched},
		{both, protocol.CodeConsentUsed},
	} {
		if got := w.asks(t, p, c.artefact); got != c.want {
			t.Errorf("%d: got %s, want %s", i, got, c.want)
		}
	}
}

const exemptionLaw = `//! tamga_law: 1
//! jurisdiction: KAZ
//! version: test
//! status: working-translation
//! law: Act
//! default_article: Article 1

@id("exempted")
@law("Act")
@article("Article 2")
@consent("exemption")
@fmr("10000")
@modalities("face")
permit (principal is Tamga::Node, action == Tamga::Action::"verify", resource is Tamga::Gallery)
when { context.purpose == "border_control" && context.legal_basis == "public_task" };
`

func TestConsentOfOffices(t *testing.T) {
	p, other, nobody := person(7), person(8), person(9)
	keyless := enrolled(p, faceTemplate(p.FaceReference()))
	keyless.Holder = ""
	base := newWorld().withLedger(t).withGallery(t, keyless)
	attest := func(key byte, c consent.Consent) string { return must(consent.Attest(officerKey(key), c)) }
	order := must(consent.Order(officerKey(42), byOffice(p, exempted)))
	for name, c := range map[string]struct {
		subject  synth.Person
		artefact string
		offices  bool
		want     protocol.Code
	}{
		"attested":             {p, attest(41, byOffice(p, nil)), true, protocol.CodeMatched},
		"attested-no-offices":  {p, attest(41, byOffice(p, nil)), false, protocol.CodeConsentOffice},
		"attested-other-key":   {p, attest(44, byOffice(p, nil)), true, protocol.CodeConsentOffice},
		"attested-about-other": {p, attest(41, byOffice(other, nil)), true, protocol.CodeConsentHolder},
		"attested-not-known":   {nobody, attest(41, byOffice(nobody, nil)), true, protocol.CodeSubjectUnknown},
		"order-alone":          {p, order, true, protocol.CodeSecondOfficer},
		"exempt":               {p, must(consent.Countersign(officerKey(43), order, office, "second", start)), true, protocol.CodeMatched},
		"exempt-by-desk":       {p, must(consent.Countersign(officerKey(41), order, office, "desk", start)), true, protocol.CodeConsentOffice},
		"exempt-no-offices":    {p, must(consent.Countersign(officerKey(43), order, office, "second", start)), false, protocol.CodeConsentOffice},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.log, w.ledger.under, w.gallery.under = base.log, base.ledger.under, base.gallery.under
			if c.offices {
				w.withOffices()
			}
			if got := w.asks(t, c.subject, c.artefact); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}
