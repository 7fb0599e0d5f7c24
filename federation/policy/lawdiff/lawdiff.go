// Package lawdiff says what changes when one text of a law takes the place of another: which policies, and, since few
// people see in a policy what follows from it, which decisions.
//
// [Between] is all there is. Decisions are compared on every combination of direction, purpose, legal basis, state of
// consent and operation (verify, identify, resolve) with one other country, and of officers' roles and assurances where either
// law asks for them: what a law says of named countries, entities, classes, modalities, marks, times and counts shows in its
// policies alone.
// The package does no I/O.
package lawdiff

import (
	"slices"
	"strings"
	"time"

	"github.com/tamga-id/tamga/federation/policy"
	"github.com/tamga-id/tamga/federation/policy/vocabulary"
)

// Change of a policy.
type Change struct {
	ID   string
	Kind string // "added", "removed" or "changed"
}

// Decision is a combination that is decided otherwise, and how.
type Decision struct {
	Request  policy.Request
	Old, New policy.Decision
}

// Opens reports whether the new law allows what the old one refused.
func (d Decision) Opens() bool { return d.New.Allowed && !d.Old.Allowed }

// Closes reports whether the new law refuses what the old one allowed.
func (d Decision) Closes() bool { return d.Old.Allowed && !d.New.Allowed }

// Diff is what changes.
type Diff struct {
	Policies  []Change   // in the order of the old law, then what is new
	Decisions []Decision // those whose verdict or obligations change, in the order of the vocabulary
	Compared  int        // combinations
}

// Between compares two laws of one country at a time.
func Between(older, newer *policy.Law, at time.Time) Diff {
	out := Diff{Policies: policies(older.Policies(), newer.Policies())}
	for r := range requests(older, newer, at) {
		out.Compared++
		a, b := older.Decide(r), newer.Decide(r)
		if !Same(a, b) {
			out.Decisions = append(out.Decisions, Decision{r, a, b})
		}
	}
	return out
}

// Same reports whether two decisions demand the same of everybody; which policy or text decided is left out.
func Same(a, b policy.Decision) bool {
	return a.Allowed == b.Allowed && a.ConsentLacking == b.ConsentLacking && slices.Equal(a.Consents, b.Consents) &&
		a.FMROneIn == b.FMROneIn && slices.Equal(a.Modalities, b.Modalities) &&
		a.WithholdReasons == b.WithholdReasons && a.WithholdUnknown == b.WithholdUnknown
}

func policies(older, newer []policy.Policy) []Change {
	find := func(list []policy.Policy, id string) int {
		return slices.IndexFunc(list, func(p policy.Policy) bool { return p.ID == id })
	}
	var out []Change
	for _, p := range older {
		switch i := find(newer, p.ID); {
		case i < 0:
			out = append(out, Change{p.ID, "removed"})
		case newer[i].Text != p.Text:
			out = append(out, Change{p.ID, "changed"})
		}
	}
	for _, p := range newer {
		if find(older, p.ID) < 0 {
			out = append(out, Change{p.ID, "added"})
		}
	}
	return out
}

// requests yields the combinations, with the jurisdiction of the older law on its own side.
func requests(older, newer *policy.Law, at time.Time) func(yield func(policy.Request) bool) {
	roles, assurances := []string{""}, []string{""}
	for _, p := range slices.Concat(older.Policies(), newer.Policies()) {
		// By the word alone: a law may also write principal["officer_role"].
		if strings.Contains(p.Text, "officer_role") {
			roles = vocabulary.OfficerRoles()
		}
		if strings.Contains(p.Text, "assurance") {
			assurances = vocabulary.Assurances()
		}
	}
	r := policy.Request{Requester: "https://requester.invalid", Responder: "https://responder.invalid", Time: at}
	return func(yield func(policy.Request) bool) {
		each(roles, &r.OfficerRole, func() bool {
			return each(assurances, &r.Assurance, func() bool {
				return each(vocabulary.Operations()[:3], &r.Operation, func() bool {
					return each(vocabulary.Purposes(), &r.Purpose, func() bool {
						return each(vocabulary.LegalBases(), &r.LegalBasis, func() bool {
							return each([]string{policy.Ask, policy.Answer}, &r.Direction, func() bool {
								r.RequesterCountry, r.ResponderCountry = older.Jurisdiction(), "XXZ"
								if r.Direction == policy.Answer {
									r.RequesterCountry, r.ResponderCountry = r.ResponderCountry, r.RequesterCountry
								}
								return each(vocabulary.ConsentStates(), &r.Consent, func() bool { return yield(r) })
							})
						})
					})
				})
			})
		})
	}
}

// each sets a word to every one of the list in turn, until f says stop.
func each(words []string, of *string, f func() bool) bool {
	for _, *of = range words {
		if !f() {
			return false
		}
	}
	return true
}
