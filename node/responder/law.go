package responder

import (
	"strings"
	"time"

	"github.com/tamga-id/tamga/federation/policy"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/trust"
)

// judgement is a verdict, and what law was asked to come to it.
type judgement struct {
	protocol.Verdict
	inputs protocol.Inputs
	found  protocol.Found // by a search; zero with an error
}

// visible is what law is asked on the claims of a Query whose seal is not opened yet.
func (r *Responder) visible(q protocol.Query, asker trust.Node, now time.Time) policy.Request {
	return policy.Request{
		Direction: policy.Answer, Requester: q.Issuer, Responder: q.Audience,
		RequesterCountry: asker.Jurisdiction, ResponderCountry: r.cfg.Country,
		Purpose: q.Purpose, LegalBasis: q.LegalBasis, Operation: q.Operation, OfficerRole: q.Role, Assurance: q.Assurance,
		PeerMarks: asker.MarkTypes(now), Time: now, Sealed: true,
	}
}

func ruleOf(d policy.Decision) protocol.PolicyRef {
	return protocol.PolicyRef{Law: d.Law, Version: d.Version, ID: d.PolicyID, Article: d.Article, Text: protocol.Hash(d.Digest)}
}

// inputsOf is what the ledger keeps of them.
func inputsOf(r policy.Request) protocol.Inputs {
	return protocol.Inputs{RequesterCountry: r.RequesterCountry, ResponderCountry: r.ResponderCountry, Consent: r.Consent,
		Marks: strings.Join(r.PeerMarks, " ")}
}

// told is what of a code law lets be told (TMG-R-016), after comparison.Decision.Folded. It is what the ledger and the log say, too:
// what the requester may not learn must not lie where he could ask for it.
func told(c protocol.Code, d policy.Decision) protocol.Code {
	if d.WithholdReasons && c.Outcome() == protocol.Inconclusive && c != protocol.CodeSubjectUnknown {
		return protocol.CodeWithheld
	}
	return c
}
