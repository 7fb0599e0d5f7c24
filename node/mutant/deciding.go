package mutant

import (
	"errors"
	"sync"
	"time"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/federation/policy"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/responder"
)

// deciding are mutants that answer what they must refuse, or decide wrongly.
func deciding() []Mutant {
	return []Mutant{
		{"accepts-replays", "answers a Query as often as it comes", []string{"TMG-R-006"},
			edits(func(c *responder.Config) { c.Replay = forgetful{} })},
		{"lawless", "allows every purpose on every basis, without consent", []string{"TMG-R-007", "TMG-C-001"},
			edits(func(c *responder.Config) { c.Law = lawless{} })},
		{"skips-consent", "takes the legal basis consent for the consent", []string{"TMG-C-001"},
			edits(func(c *responder.Config) {
				c.Law = edited{unasked{c.Law}, func(d *policy.Decision) { d.ConsentRequired = false }}
			})},
		{"nameless-law", "refuses without saying under which article", []string{"TMG-R-007"},
			edits(func(c *responder.Config) {
				c.Law = edited{c.Law, func(d *policy.Decision) { d.PolicyID, d.Article = "", "" }}
			})},
		{"answers-strangers", "takes an issuer whom it does not know for the member it saw last", []string{"TMG-R-002"},
			edits(func(c *responder.Config) { c.Members = &credulous{Members: c.Members, unknown: true} })},
		{"ignores-sender", "answers a member's Query whoever sends it", []string{"TMG-R-003"},
			edits(func(c *responder.Config) { c.Members = &credulous{Members: c.Members} })},
		{"says-no-when-unknown", "compares with someone else when no one is enrolled, and says no", []string{"TMG-R-010"},
			edits(func(c *responder.Config) { c.Gallery = &guessing{Gallery: c.Gallery} })},
		{"believes-the-future", "judges the times of a Query with a clock that is 50 s fast", []string{"TMG-Q-007"}, fast},
	}
}

// forgetful breaks TMG-R-006: every Query is new.
type forgetful struct{}

func (forgetful) Fresh(string, string, time.Time) (bool, error) { return true, nil }

// lawless breaks TMG-R-007.
type lawless struct{}

func (lawless) Decide(policy.Request) policy.Decision {
	return policy.Decision{Allowed: true, PolicyID: "anything-goes", Law: "none", Article: "none", Version: "0",
		FMROneIn: 10_000, Modalities: []string{"face", "finger"}}
}

// edited changes what the law decided.
type edited struct {
	responder.Law
	edit func(*policy.Decision)
}

func (e edited) Decide(r policy.Request) policy.Decision {
	d := e.Law.Decide(r)
	e.edit(&d)
	return d
}

// unasked has law suppose the best of a consent that was not given.
type unasked struct{ responder.Law }

func (u unasked) Decide(r policy.Request) policy.Decision {
	r.Consent = ""
	return u.Law.Decide(r)
}

// credulous breaks TMG-R-002 when unknown is set: an issuer who is no member passes
// for the last one who was. Otherwise it breaks TMG-R-003: every member has the peer
// ID of the first one who asked.
type credulous struct {
	responder.Members
	unknown bool

	last  memory[trust.Node]
	first sync.Once
}

func (c *credulous) Entity(id trust.EntityID, now time.Time) (trust.Node, error) {
	n, err := c.Members.Entity(id, now)
	if errors.Is(err, trust.ErrNotMember) && c.unknown {
		return c.last.load(), nil
	}
	if err != nil {
		return n, err
	}
	if c.unknown {
		c.last.swap(n)
		return n, nil
	}
	c.first.Do(func() { c.last.swap(n) })
	n.PeerID = c.last.load().PeerID
	return n, nil
}

// guessing breaks TMG-R-010: for a subject who is not enrolled it finds the last one
// who was.
type guessing struct {
	responder.Gallery
	last memory[pseudonym.Identifier]
}

func (g *guessing) References(id pseudonym.Identifier, modality string) (gallery.References, error) {
	refs, err := g.Gallery.References(id, modality)
	if err != nil {
		return refs, err
	}
	if refs.Known {
		g.last.swap(id)
		return refs, nil
	}
	if last := g.last.load(); last.Value != "" {
		return g.Gallery.References(last, modality)
	}
	return refs, nil
}

// fast breaks TMG-Q-007: the first look at the clock for each Query, which its times
// are judged by, is 50 s ahead. A reply ends the Query.
func fast() node.Overrides {
	var judging memory[bool]
	return node.Overrides{
		Responder: func(c *responder.Config) {
			now := c.Now
			made := false // New looks at the clock once, before any Query
			c.Now = func() time.Time {
				if !made {
					made = true
					judging.swap(true)
					return now()
				}
				if judging.swap(false) {
					return now().Add(50 * time.Second)
				}
				return now()
			}
		},
		Reply: func(reply []byte) []byte {
			judging.swap(true)
			return reply
		},
	}
}
