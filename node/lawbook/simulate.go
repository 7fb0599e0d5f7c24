package lawbook

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/tamga-id/tamga/federation/policy"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/budget"
)

// maxGroups bounds a report: what changes in more ways than that is another law.
const maxGroups = 500

// Group is decisions of the past that differ in nothing law was asked about and would all change alike.
type Group struct {
	Direction, Purpose, LegalBasis, Operation, Role string
	Assurance                                       string // of the capture
	Country                                         string // the other one
	Modalities, Consent                             string
	OldPolicy, OldVersion                           string // what decided then
	WasAllowed                                      bool
	New                                             policy.Decision // the strictest of its modalities
	Differs                                         string          // of an answer that law allows as it did: what else would be otherwise
	Count                                           int
	Counts                                          policy.Counts // the highest that the law saw, and the least it saw left; zero where it asks for none
	First, Last                                     uint64        // entries of the ledger
}

// Simulation is what would have come of decisions of the past under another law.
type Simulation struct {
	Entries   int // that were read
	Decisions int // in which law was asked
	Same      int // that would come out alike
	Unknown   int // that cannot be repeated: the entry says nothing of what was asked
	Groups    []Group
	Truncated bool // there are more groups
}

// Simulate decides again what a ledger's entries say was decided, under law. Verdicts that concern another node's law,
// and entries about no Query, are left out. The times are those of then. What law asks of counts is counted again, from
// the first of the entries on: by requester, officer and purpose. What does not stand in a leaf (counts about a subject,
// misses) is taken to be none; the subject's class to be what is assumed. An entry that cannot be read is an
// error.
func Simulate(law *policy.Law, entries iter.Seq2[uint64, []byte], assumed Assumed) (Simulation, error) {
	var out Simulation
	groups := make(map[groupKey]*Group)
	past := past{assumed, make(budget.Sliding)}
	for index, b := range entries {
		leaf, err := protocol.ParseLeaf(b)
		if err != nil {
			return Simulation{}, err
		}
		out.Entries++
		direction, ok := directionOf(leaf)
		if !ok {
			continue
		}
		out.Decisions++
		if leaf.Inputs == (protocol.Inputs{}) {
			out.Unknown++
			continue
		}
		r := past.request(law, leaf, direction)
		d := again(law, leaf, r)
		differs := otherwise(leaf, d)
		if d.Allowed == allowed(leaf) && differs == "" {
			out.Same++
			continue
		}
		out.count(groups, r, leaf, d, differs, index)
	}
	slices.SortStableFunc(out.Groups, func(a, b Group) int { return cmp.Compare(groups[b.key()].Count, groups[a.key()].Count) })
	for i := range out.Groups {
		out.Groups[i] = *groups[out.Groups[i].key()]
	}
	return out, nil
}

// Assumed is what a simulation takes for given where the ledger says nothing.
type Assumed struct {
	Class  string        // of every subject; empty: unspecified
	Limits budget.Limits // of foreign Queries, for what is left of them
	// Searches are those of searches, which are counted apart.
	Searches budget.Limits
}

// past is what was counted so far.
type past struct {
	Assumed
	counts budget.Sliding
}

// request is what the law was asked about, so far as the leaf and those before it say.
func (p past) request(law *policy.Law, l protocol.Leaf, direction string) policy.Request {
	r := policy.Request{Direction: direction, Requester: l.Requester, Responder: l.Responder,
		RequesterCountry: l.RequesterCountry, ResponderCountry: l.ResponderCountry, Purpose: l.Purpose, LegalBasis: l.LegalBasis,
		Operation: l.Operation, OfficerRole: l.Role, Assurance: l.Assurance, PeerMarks: strings.Fields(l.Marks), Time: l.Time, Consent: l.Consent, SubjectClass: p.Class}
	limits := p.Limits
	if direction == policy.Ask {
		r.SubjectClass, limits = "", budget.Limits{}
	}
	// A Query whose seal was not opened was not counted.
	if law.AsksCounts(direction) && (direction == policy.Ask || l.Modalities != "") {
		country, requester := l.RequesterCountry, l.Requester
		if direction == policy.Answer && l.Operation == protocol.OperationIdentify {
			country, requester, limits = budget.Searching+country, budget.Searching+requester, p.Searches
		}
		r.Counts = p.counts.Count(country, requester, l.Officer, l.Purpose, limits, l.Time).Law()
	}
	return r
}

// groupKey is what decisions of one group have in common.
type groupKey struct {
	direction, purpose, basis, operation, role, assurance, country, modalities, consent, policy, version, next, differs string
}

func (g Group) key() groupKey {
	return groupKey{g.Direction, g.Purpose, g.LegalBasis, g.Operation, g.Role, g.Assurance, g.Country, g.Modalities, g.Consent, g.OldPolicy, g.OldVersion, g.New.PolicyID, g.Differs}
}

func (s *Simulation) count(groups map[groupKey]*Group, r policy.Request, l protocol.Leaf, d policy.Decision, differs string, index uint64) {
	g := Group{Direction: r.Direction, Counts: r.Counts, Purpose: l.Purpose, LegalBasis: l.LegalBasis, Operation: l.Operation, Role: l.Role, Assurance: l.Assurance,
		Country: l.RequesterCountry, Modalities: l.Modalities, Consent: l.Consent, OldPolicy: l.Policy.ID, OldVersion: l.Policy.Version,
		WasAllowed: allowed(l), New: d, Differs: differs, First: index, Last: index, Count: 1}
	if r.Direction == policy.Ask {
		g.Country = l.ResponderCountry
	}
	if have, ok := groups[g.key()]; ok {
		have.Count++
		have.First, have.Last = min(have.First, index), max(have.Last, index)
		have.Counts = furthest(have.Counts, r.Counts)
		return
	}
	if len(groups) >= maxGroups {
		s.Truncated = true
		return
	}
	groups[g.key()] = &g
	s.Groups = append(s.Groups, g)
}

// furthest is the most of what was counted, and the least of what was left.
func furthest(a, b policy.Counts) policy.Counts {
	least := func(a, b int64) int64 {
		if a == 0 || b == 0 {
			return a + b
		}
		return min(a, b)
	}
	return policy.Counts{ByOfficer: max(a.ByOfficer, b.ByOfficer), ByRequester: max(a.ByRequester, b.ByRequester), ForPurpose: max(a.ForPurpose, b.ForPurpose),
		LeftByOfficer: least(a.LeftByOfficer, b.LeftByOfficer), LeftByRequester: least(a.LeftByRequester, b.LeftByRequester), LeftForPurpose: least(a.LeftForPurpose, b.LeftForPurpose)}
}

// directionOf says on which side law was asked, and whether it was: an intent is own law's leave to ask, a verdict
// without a Query its refusal, an answer that names a policy the decision on a foreign Query.
func directionOf(l protocol.Leaf) (string, bool) {
	switch {
	case l.Kind == protocol.LeafIntent, l.Kind == protocol.LeafVerdict && l.Query == protocol.Hash{}:
		return policy.Ask, true
	case l.Kind == protocol.LeafAnswer && l.Policy.ID != "":
		return policy.Answer, true
	}
	return "", false
}

// allowed reports whether law let the exchange go on.
func allowed(l protocol.Leaf) bool {
	switch l.Code {
	case protocol.CodeLaw, protocol.CodeOwnLaw, protocol.CodeConsentMissing, protocol.CodeConsentForm:
		return false
	}
	return true
}

// otherwise says what else of an answer to a verify would differ: the rate of a decision, which the entry has, and what is
// told of one that could not be made. Of "no" the entry does not say whether it was told in place of that nobody is
// enrolled.
func otherwise(l protocol.Leaf, d policy.Decision) string {
	inconclusive, nobody := l.Code.Outcome() == protocol.Inconclusive, l.Code == protocol.CodeSubjectUnknown
	switch {
	case l.Kind != protocol.LeafAnswer || l.Operation != protocol.OperationVerify || !d.Allowed || !allowed(l):
	case l.FMROneIn > 0 && l.FMROneIn != d.FMROneIn:
		return fmt.Sprintf("decided at FMR 1/%d and not 1/%d", d.FMROneIn, l.FMROneIn)
	case (nobody || l.Code == protocol.CodeNoReference) && d.WithholdUnknown:
		return "not telling who is enrolled"
	case inconclusive && !nobody && l.Code != protocol.CodeWithheld && d.WithholdReasons:
		return "not telling the reason"
	case l.Code == protocol.CodeWithheld && !d.WithholdReasons:
		return "telling the reason"
	}
	return ""
}

// again decides what the leaf is about, for each of its modalities; the first refusal counts.
func again(law *policy.Law, l protocol.Leaf, r policy.Request) policy.Decision {
	if l.Modalities == "" {
		return law.Decide(r)
	}
	var d policy.Decision
	for _, r.Modality = range strings.Fields(l.Modalities) {
		rate := d.FMROneIn
		if d = law.Decide(r); !d.Allowed {
			return d
		}
		d.FMROneIn = max(d.FMROneIn, rate) // one decision on all of them
	}
	return d
}
