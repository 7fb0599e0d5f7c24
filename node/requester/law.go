package requester

import (
	"slices"
	"strings"
	"time"

	"github.com/tamga-id/tamga/federation/policy"
	"github.com/tamga-id/tamga/federation/policy/vocabulary"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/trust"
)

// lawful asks own law about every modality of the question, and returns the strictest decision: the first refusal, or the
// obligations of all. Whose consent it is, and of what form, only the responder can tell; that there is none, we can.
func (r *Requester) lawful(e protocol.Envelope, peer trust.Node, q protocol.Question, counts policy.Counts, now time.Time) (policy.Decision, protocol.Inputs) {
	ask := policy.Request{
		Direction: policy.Ask, Requester: e.Issuer, Responder: e.Audience,
		RequesterCountry: r.cfg.Country, ResponderCountry: peer.Jurisdiction,
		Purpose: e.Purpose, LegalBasis: e.LegalBasis, Operation: e.Operation, OfficerRole: e.Role, Assurance: e.Assurance,
		PeerMarks: peer.MarkTypes(now), Time: now, Counts: counts,
	}
	if q.Consent == "" {
		ask.Consent = vocabulary.ConsentNone
	}
	in := protocol.Inputs{RequesterCountry: ask.RequesterCountry, ResponderCountry: ask.ResponderCountry, Consent: ask.Consent,
		Marks: strings.Join(ask.PeerMarks, " "), Modalities: strings.Join(vocabulary.KnownModalities(modalities(q.Probes)), " ")}
	ask = policy.Under(ask, r.cfg.Law)
	var all policy.Decision
	wanted := modalities(q.Probes)
	if len(wanted) == 0 {
		wanted = []string{""} // no Query can be made of it; that is said later
	}
	for i, modality := range wanted {
		ask.Modality = modality
		d := r.cfg.Law.Decide(ask)
		if !d.Allowed {
			return d, in
		}
		if i == 0 || d.FMROneIn > all.FMROneIn {
			all = d
		}
	}
	return all, in
}

// modalities lists those of the probes, each once, in order.
func modalities(probes []protocol.Probe) []string {
	var out []string
	for _, p := range probes {
		if !slices.Contains(out, p.Modality) {
			out = append(out, p.Modality)
		}
	}
	return out
}

// unlawful is the code under which own law forbids the question, empty when it does not.
func unlawful(d policy.Decision, q protocol.Question) protocol.Code {
	switch {
	case !d.Allowed && d.ConsentLacking, d.Allowed && d.ConsentRequired && q.Consent == "":
		return protocol.CodeConsentMissing
	case !d.Allowed:
		return protocol.CodeOwnLaw
	}
	for _, p := range q.Probes {
		if !d.AllowsModality(p.Modality) {
			return protocol.CodeOwnLaw
		}
	}
	return ""
}
