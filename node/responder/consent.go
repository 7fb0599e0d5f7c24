package responder

import (
	"errors"
	"time"

	"github.com/tamga-id/tamga/credentials/consent"
	"github.com/tamga-id/tamga/federation/policy"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/consents"
	"github.com/tamga-id/tamga/node/gallery"
)

// ground looks the subject up in each modality and settles on what ground the samples are
// compared: what was permitted (the state it returns, empty when that was not settled), what law says to
// that, and that a use of it is left. The references are the caller's to close, with an error too.
func (r *Responder) ground(q protocol.Query, question protocol.Question, wanted []string, asked policy.Request, d policy.Decision, l lap) (found []gallery.References, state consent.State, _ policy.Decision, err error) {
	if !d.ConsentRequired {
		// The artefact is looked at only where law wants one: otherwise it is for nothing.
		without, err := r.opened(asked, wanted, consent.None)
		switch {
		case err == nil:
			d = without
		case !without.ConsentLacking || question.Consent == "":
			return nil, consent.None, without, err
		default:
			d.ConsentRequired = true
		}
	}
	for _, m := range wanted {
		refs, err := r.cfg.Gallery.References(question.Subject, m)
		if err != nil {
			return found, "", d, err
		}
		found = append(found, refs)
		asked.SubjectClass = refs.Class
	}
	// Now the class is known: of who is not enrolled, that it is not.
	asked.Sealed = false
	if !d.ConsentRequired {
		without, err := r.opened(asked, wanted, consent.None)
		if err == nil || !without.ConsentLacking || question.Consent == "" {
			return found, consent.None, without, err
		}
	}
	var agreed consent.Consent
	for i, m := range wanted {
		if agreed, err = r.consented(q, question, m, found[i], asked.Time); err != nil {
			return found, "", d, err
		}
	}
	with, err := r.opened(asked, wanted, agreed.State())
	if err == nil {
		l.apart(func() { err = Use(r.cfg.Consents, agreed) })
	}
	return found, agreed.State(), with, err
}

// opened is what law says once the seal is open: for each modality, with what was
// permitted. Of several that allow, the one at the lowest false match rate is named.
func (r *Responder) opened(asked policy.Request, wanted []string, state consent.State) (policy.Decision, error) {
	var all policy.Decision
	for _, m := range wanted {
		asked.Modality, asked.Consent = m, string(state)
		d := r.cfg.Law.Decide(asked)
		switch {
		case d.Allowed && d.AllowsModality(m):
		case !d.Allowed && d.ConsentLacking && state == consent.None:
			return d, &protocol.Fault{Code: protocol.CodeConsentMissing}
		case !d.Allowed && d.ConsentLacking:
			return d, &protocol.Fault{Code: protocol.CodeConsentForm}
		default:
			return d, &protocol.Fault{Code: protocol.CodeLaw}
		}
		withholdReasons, withholdUnknown := all.WithholdReasons || d.WithholdReasons, all.WithholdUnknown || d.WithholdUnknown
		if d.FMROneIn > all.FMROneIn || !all.Allowed {
			all = d
		}
		all.WithholdReasons, all.WithholdUnknown = withholdReasons, withholdUnknown
	}
	return all, nil
}

// consented checks the consent artefact that the law demands. A subject who is
// not enrolled is refused like one whose consent it is not: otherwise a
// self-made consent would tell who is in the register. What an office made is not
// self-made, and needs no key of the person's.
func (r *Responder) consented(q protocol.Query, question protocol.Question, modality string, refs gallery.References, now time.Time) (consent.Consent, error) {
	c, err := consent.Verify(question.Consent, consent.Expectation{
		HolderThumbprint: refs.Holder, Subject: question.Subject, Requester: q.Issuer, Controller: q.Audience,
		Purpose: q.Purpose, Modality: modality, Now: now, Offices: r.cfg.Offices,
	})
	if err != nil {
		return consent.Consent{}, &protocol.Fault{Code: ConsentCode(err), Err: err}
	}
	if c.State() == consent.Holder && (!refs.Known || refs.Holder == "") {
		return consent.Consent{}, &protocol.Fault{Code: protocol.CodeConsentHolder}
	}
	return c, nil
}

// Use takes one of the artefact's uses, before anything is compared: a use whose answer
// was lost is gone, where one that is counted afterwards could be had for nothing. A nil book
// has none. Errors are faults.
func Use(book Consents, c consent.Consent) error {
	if book == nil {
		return &protocol.Fault{Code: protocol.CodeConsentStore, Err: errors.New("no book of consents")}
	}
	err := book.Use(c)
	switch {
	case errors.Is(err, consents.ErrUsed):
		return &protocol.Fault{Code: protocol.CodeConsentUsed, Err: err}
	case errors.Is(err, consents.ErrWithdrawn):
		return &protocol.Fault{Code: protocol.CodeConsentWithdrawn, Err: err}
	case err != nil:
		return &protocol.Fault{Code: protocol.CodeConsentStore, Err: err}
	}
	return nil
}

// ConsentCode is the code of an error of consent.Verify.
func ConsentCode(err error) protocol.Code {
	switch {
	case errors.Is(err, consent.ErrHolder):
		return protocol.CodeConsentHolder
	case errors.Is(err, consent.ErrPurpose):
		return protocol.CodeConsentPurpose
	case errors.Is(err, consent.ErrAudience), errors.Is(err, consent.ErrController):
		return protocol.CodeConsentAudience
	case errors.Is(err, consent.ErrExpired), errors.Is(err, consent.ErrNotYet):
		return protocol.CodeConsentExpired
	case errors.Is(err, consent.ErrModality):
		return protocol.CodeConsentModality
	case errors.Is(err, consent.ErrOffice):
		return protocol.CodeConsentOffice
	case errors.Is(err, consent.ErrSecondOfficer):
		return protocol.CodeSecondOfficer
	}
	return protocol.CodeConsentInvalid
}
