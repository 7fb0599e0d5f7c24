package authority

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/endpoint"
	"github.com/tamga-id/tamga/federation/trust/metadatapolicy"
)

// EnrollOptions are the operator's decisions about a new member.
type EnrollOptions struct {
	// Jurisdiction is the country the operator has established the node to act for;
	// required for a node, which must say the same, and empty for an Intermediate that
	// is no node.
	Jurisdiction string
	// Jurisdictions make the member an Intermediate: the countries, at least one, for
	// whose nodes it may vouch. Every chain through it is held to them by a metadata
	// policy.
	Jurisdictions []string
	// Depth is how many further Intermediates may stand between it and a node.
	Depth int
	// MarkIssuer makes the member neither node nor Intermediate: a laboratory, say, that
	// issues Trust Marks. It is held to being no node by a constraint.
	MarkIssuer bool
	// Constraints on names and Entity Types; MaxPathLength follows from Depth and is
	// left nil. Optional.
	Constraints trust.Constraints
	// Policy is a metadata policy for the member and all below it; optional.
	Policy json.RawMessage
	// Lifetime of statements about the member; zero means 24 hours.
	Lifetime time.Duration
	// Location is where the Entity Configuration can be fetched anew; optional. For
	// plain http say so in the URL.
	Location string
}

// Enroll makes the Entity that signed the Entity Configuration a member, or renews a
// member. It verifies the self-signature, that the Entity names this authority as its
// superior, that its metadata is complete, and that the operator's jurisdiction is
// the node's. The enrolment is durable on return. Errors match [ErrHeld] or [ErrFull], or hold a
// [*trust.ChainError] about the statement.
func (a *Authority) Enroll(token string, opts EnrollOptions) (Enrolment, error) {
	e, err := a.prepare(token, opts)
	if err != nil {
		return Enrolment{}, fmt.Errorf("enrolling: %w", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.heldLocked(e); err != nil {
		return Enrolment{}, fmt.Errorf("enrolling: %w", err)
	}
	if a.members[e.Entity] == nil && a.cfg.Most > 0 && len(a.members) >= a.cfg.Most {
		return Enrolment{}, fmt.Errorf("enrolling: %w", ErrFull)
	}
	if m := a.members[e.Entity]; m != nil {
		// Renewing what is known of a member lifts no suspension.
		e.Suspended, e.Reason = m.Suspended, m.Reason
	}
	if err := a.checkLocked(e); err != nil {
		return Enrolment{}, fmt.Errorf("enrolling: %w", err)
	}
	if err := save(a.store, enrolments, e); err != nil {
		return Enrolment{}, fmt.Errorf("enrolling: %w", err)
	}
	a.members[e.Entity] = &member{Enrolment: e}
	return e, nil
}

// prepare checks everything that does not depend on other members.
func (a *Authority) prepare(token string, opts EnrollOptions) (Enrolment, error) {
	now := a.cfg.Clock()
	e := Enrolment{
		Jurisdiction: opts.Jurisdiction, Jurisdictions: slices.Clone(opts.Jurisdictions), Depth: opts.Depth,
		Constraints: opts.Constraints, Policy: opts.Policy, Lifetime: cmp.Or(opts.Lifetime, defaultLifetime),
		Location: opts.Location, EnrolledAt: now.UTC().Truncate(time.Second), Configuration: token,
	}
	if e.Lifetime < minLifetime || e.Lifetime > maxLifetime {
		return Enrolment{}, fmt.Errorf("lifetime is not between %s and %s", minLifetime, maxLifetime)
	}
	if opts.MarkIssuer {
		if e.Jurisdiction != "" || len(e.Jurisdictions) > 0 || e.Constraints.EntityTypes != nil {
			return Enrolment{}, errors.New("an issuer of Trust Marks is neither a node nor an Intermediate")
		}
		e.Constraints.EntityTypes = &[]string{}
	}
	s, m, err := a.inspect(token, now, e)
	if err != nil {
		return Enrolment{}, err
	}
	if m.Jurisdiction != opts.Jurisdiction {
		return Enrolment{}, errors.New("the node does not claim the jurisdiction it is to be enrolled for")
	}
	if err := a.checkReach(e); err != nil {
		return Enrolment{}, err
	}
	e.Entity, e.PeerID, e.PeerIDs, e.Keys, e.EntityTypes = s.Subject(), m.PeerID, m.PeerIDs, s.Keys(), s.EntityTypes()
	if opts.Location != "" {
		if _, err := endpoint.NewHTTP(nil, nil, map[trust.EntityID]string{e.Entity: opts.Location}); err != nil {
			return Enrolment{}, err
		}
	}
	_, err = a.vouch(e, now) // whatever is wrong with constraints and policy shows here
	return e, err
}

// checkReach checks for whom a member is to be able to vouch.
func (a *Authority) checkReach(e Enrolment) error {
	leaf := len(e.Jurisdictions) == 0
	switch {
	case leaf && e.Jurisdiction == "" && !e.bare():
		return errors.New("a member is a node of a jurisdiction, or an Intermediate of some")
	case leaf && e.Depth != 0, e.Depth < 0, e.Constraints.MaxPathLength != nil:
		return errors.New("depth is for Intermediates, and the maximal path length follows from it")
	case !leaf && e.Jurisdiction != "" && !slices.Contains(e.Jurisdictions, e.Jurisdiction):
		return errors.New("the node's own jurisdiction is not among those it may vouch for")
	case a.cfg.Country != "" && slices.ContainsFunc(e.countries(), func(c string) bool { return c != a.cfg.Country }):
		return errors.New("a node vouches only for nodes of its own jurisdiction")
	}
	return nil
}

// bare reports whether the member may have no Entity Type but federation_entity.
func (e Enrolment) bare() bool {
	return e.Constraints.EntityTypes != nil && len(*e.Constraints.EntityTypes) == 0
}

// countries are all that the member stands for.
func (e Enrolment) countries() []string {
	if e.Jurisdiction == "" || slices.Contains(e.Jurisdictions, e.Jurisdiction) {
		return e.Jurisdictions
	}
	return append([]string{e.Jurisdiction}, e.Jurisdictions...)
}

// inspect checks an Entity Configuration as far as the Entity alone can make it good.
// The node metadata is empty for an Intermediate that is no node.
func (a *Authority) inspect(token string, now time.Time, e Enrolment) (trust.UnverifiedStatement, *trust.NodeMetadata, error) {
	u, err := trust.VerifyConfiguration(token, a.cfg.EntityID, now)
	if err != nil {
		return trust.UnverifiedStatement{}, nil, err
	}
	m, err := u.Metadata()
	if err != nil {
		return trust.UnverifiedStatement{}, nil, err
	}
	f, intermediate := m.FederationEntity, len(e.Jurisdictions) > 0
	switch {
	case intermediate && (f == nil || f.FetchEndpoint == "" || f.ListEndpoint == ""):
		return trust.UnverifiedStatement{}, nil, errors.New("the Intermediate publishes no fetch or list endpoint: a node does when trust.subordinates in its tamga.yaml is above 0; set that, start it anew and enroll the entity-configuration.jwt that it writes then")
	case e.bare() && (f == nil || m.TamgaNode != nil):
		return trust.UnverifiedStatement{}, nil, errors.New("the Entity is not a federation_entity alone")
	case e.bare(), intermediate && m.TamgaNode == nil:
		return u, &trust.NodeMetadata{}, nil
	}
	n, err := u.Node()
	return u, n, err
}

// heldLocked keeps jurisdictions and peer IDs with those who hold them. Below a node
// all are of one country.
func (a *Authority) heldLocked(e Enrolment) error {
	for id, m := range a.members {
		if id == e.Entity {
			continue
		}
		shared := slices.ContainsFunc(e.countries(), func(c string) bool { return slices.Contains(m.countries(), c) })
		if (shared && a.cfg.Country == "") || slices.ContainsFunc(e.peerIDs(), func(id string) bool { return slices.Contains(m.peerIDs(), id) }) {
			return ErrHeld
		}
	}
	return nil
}

// peerIDs are all of the member's; none of an Intermediate that is no node.
func (e Enrolment) peerIDs() []string {
	if e.PeerID == "" {
		return nil
	}
	return append([]string{e.PeerID}, e.PeerIDs...)
}

// vouch signs the Subordinate Statement that pins what was enrolled.
func (a *Authority) vouch(e Enrolment, now time.Time) (string, error) {
	below := 0 // a node is a Leaf: whatever it states about others leads nowhere
	policy := e.Policy
	if len(e.Jurisdictions) > 0 {
		below = 1 + e.Depth
		var err error
		if policy, err = e.bounded(); err != nil {
			return "", err
		}
	}
	s := trust.SubordinateStatement{
		Issuer: a.cfg.EntityID, Subject: e.Entity, IssuedAt: now, ExpiresAt: now.Add(e.Lifetime),
		Keys: e.Keys, Constraints: e.Constraints, Policy: policy,
		SourceEndpoint: a.cfg.EntityID.Base() + endpoint.Fetch.Path(),
	}
	s.Constraints.MaxPathLength = &below
	if e.Jurisdiction != "" {
		s.Metadata.TamgaNode = &trust.NodeMetadata{Jurisdiction: e.Jurisdiction, PeerID: e.PeerID, PeerIDs: e.PeerIDs}
	}
	return trust.SignSubordinateStatement(a.cfg.Key, s)
}

// bounded is the operator's policy with the one that keeps all nodes below the member
// within its jurisdictions. It does not say essential: each node's is pinned, and other
// implementations read that as a demand on Entities that are no nodes.
func (e Enrolment) bounded() (json.RawMessage, error) {
	claim, err := json.Marshal(map[string]any{trust.TypeNode: map[string]any{
		"jurisdiction": map[string]any{"one_of": e.Jurisdictions},
	}})
	if err != nil || e.Policy == nil {
		return claim, err
	}
	own, err := metadatapolicy.Parse(e.Policy)
	if err != nil {
		return nil, err
	}
	bound, err := metadatapolicy.Parse(claim)
	if err != nil {
		return nil, err
	}
	merged, err := bound.Merge(own)
	if err != nil {
		return nil, err
	}
	return json.Marshal(merged)
}

// refresh takes over a member's newer Entity Configuration.
func (a *Authority) refresh(ctx context.Context, e Enrolment) error {
	now := a.cfg.Clock()
	stored, err := trust.ParseStatement(e.Configuration)
	if err != nil {
		return err
	}
	half := stored.IssuedAt().Add(stored.ExpiresAt().Sub(stored.IssuedAt()) / 2)
	if e.Location == "" || now.Before(half) {
		return nil
	}
	source, err := endpoint.NewHTTP(a.cfg.Client, nil, map[trust.EntityID]string{e.Entity: e.Location})
	if err != nil {
		return err
	}
	token, err := source.EntityConfiguration(ctx, e.Entity)
	if err != nil {
		return err
	}
	_, err = a.Renew(token)
	return err
}

// Renew takes over a newer Entity Configuration of a member, signed with a key that
// was vouched for before: whatever the member changed in it, federation keys among it,
// except what was pinned. So a member rotates its keys: it announces the next beside
// the present one, and signs with it when chains through both are in use. Durable on
// return; the same configuration again is no error. The error matches
// [trust.ErrNotMember], or holds a [*trust.ChainError] about the statement.
func (a *Authority) Renew(token string) (Enrolment, error) {
	unverified, err := trust.ParseStatement(token)
	if err != nil {
		return Enrolment{}, fmt.Errorf("renewing: %w", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	m := a.members[unverified.Subject()]
	if m == nil {
		return Enrolment{}, fmt.Errorf("renewing: %w", trust.ErrNotMember)
	}
	e := m.Enrolment
	if e.Configuration == token {
		return e, nil
	}
	s, n, err := a.inspect(token, a.cfg.Clock(), e)
	if err == nil {
		err = s.VerifyBy(e.Keys)
	}
	if err != nil {
		return Enrolment{}, fmt.Errorf("renewing: %w", err)
	}
	stored, err := trust.ParseStatement(e.Configuration)
	if err != nil {
		return Enrolment{}, fmt.Errorf("renewing: %w", err)
	}
	if n.Jurisdiction != e.Jurisdiction || n.PeerID != e.PeerID || !s.IssuedAt().After(stored.IssuedAt()) {
		return Enrolment{}, errors.New("renewing: the new entity configuration changes what was pinned, or is not newer")
	}
	e.Configuration, e.Keys, e.EntityTypes = token, s.Keys(), s.EntityTypes()
	if err := save(a.store, enrolments, e); err != nil {
		return Enrolment{}, fmt.Errorf("renewing: %w", err)
	}
	a.members[e.Entity] = &member{Enrolment: e}
	return e, nil
}
