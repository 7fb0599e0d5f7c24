package trust

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
)

const (
	// defaultLifetime is how long a Subordinate Statement holds: how long a removed
	// member stays trusted by those who cannot reach the authority, and how long
	// the authority may be down.
	defaultLifetime = 24 * time.Hour
	minLifetime     = time.Minute
	maxLifetime     = 90 * 24 * time.Hour
)

// ErrHeld: another Entity already holds the jurisdiction or peer ID.
var ErrHeld = errors.New("jurisdiction or peer ID is held by another entity")

// AuthorityConfig configures an [Authority].
type AuthorityConfig struct {
	// EntityID is the authority's Entity Identifier; required.
	EntityID EntityID
	// Key is its federation key; required. Whoever has it decides who is a member.
	Key jose.PrivateKey
	// Dir holds the enrolments, one file each; created if absent. Back it up.
	Dir string
	// OrganizationName is shown to people; optional.
	OrganizationName string
	// Clock is required.
	Clock func() time.Time
	// Client fetches nodes' Entity Configurations anew; nil means a client of its own.
	Client *http.Client
}

// Enrolment is one member as the authority keeps it.
type Enrolment struct {
	// Entity is the member.
	Entity EntityID `json:"entity"`
	// Jurisdiction and PeerID are pinned: no other Entity can be enrolled with
	// either, and the member cannot change them without being enrolled again.
	Jurisdiction string `json:"jurisdiction"`
	PeerID       string `json:"peer_id"`
	// Keys are the federation keys the authority vouches for.
	Keys jose.KeySet `json:"jwks"`
	// Lifetime is how long each statement about the member holds.
	Lifetime time.Duration `json:"lifetime_ns"`
	// Location is the base URL where the member's Entity Configuration is fetched
	// anew before it expires; empty means never.
	Location string `json:"location"`
	// EnrolledAt is when the operator enrolled the member last.
	EnrolledAt time.Time `json:"enrolled_at"`
	// Configuration is the member's current Entity Configuration.
	Configuration string `json:"configuration"`
	// Suspended is when the operator suspended the member, zero when he has not, and
	// Reason what he gave for it, which members are shown.
	Suspended time.Time `json:"suspended,omitzero"`
	Reason    string    `json:"reason,omitempty"`
}

// EnrollOptions are the operator's decisions about a new member.
type EnrollOptions struct {
	// Jurisdiction is the country the operator has established the node to act for;
	// required, and the node must say the same.
	Jurisdiction string
	// Lifetime of statements about the member; zero means 24 hours.
	Lifetime time.Duration
	// Location is where the Entity Configuration can be fetched anew; optional. For
	// plain http say so in the URL.
	Location string
}

// Authority is the Trust Anchor's side: it enrols nodes, keeps them on disk and
// answers fetch, list and resolve requests. Safe for concurrent use.
type Authority struct {
	cfg       AuthorityConfig // immutable after New
	publisher *Publisher
	store     store

	mu      sync.Mutex // guards what follows
	members map[EntityID]*member
	loaded  time.Time // modification time of the folder when members were read
}

// member is an enrolment with its last resolve responses. Guarded by Authority.mu.
type member struct {
	Enrolment
	responses map[string]response // by selection of Entity Types
}

// NewAuthority opens the authority whose enrolments are in cfg.Dir. A file there
// that the authority's key did not sign is an error: somebody edited it.
func NewAuthority(cfg AuthorityConfig) (*Authority, error) {
	if cfg.Clock == nil || cfg.Dir == "" || cfg.Key.IsZero() {
		return nil, errors.New("opening authority: key, folder and clock are required")
	}
	if _, err := ParseEntityID(string(cfg.EntityID)); err != nil {
		return nil, fmt.Errorf("opening authority: %w", err)
	}
	base := strings.TrimRight(string(cfg.EntityID), "/")
	publisher, err := NewPublisher(PublisherConfig{
		Key:   cfg.Key,
		Clock: cfg.Clock,
		Configuration: EntityConfiguration{
			Entity: cfg.EntityID,
			Metadata: Metadata{FederationEntity: &FederationEntityMetadata{
				OrganizationName: cfg.OrganizationName,
				FetchEndpoint:    base + pathFetch,
				ListEndpoint:     base + pathList,
				ResolveEndpoint:  base + pathResolve,
			}},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("opening authority: %w", err)
	}
	a := &Authority{cfg: cfg, publisher: publisher, store: store{cfg.Dir, cfg.Key}, members: make(map[EntityID]*member)}
	if err := a.loadLocked(); err != nil {
		return nil, fmt.Errorf("opening authority: %w", err)
	}
	return a, nil
}

// loadLocked reads the members from the folder. On error the members known so far
// stay. Before New returns no lock is needed.
func (a *Authority) loadLocked() error {
	modified := a.store.modified()
	enrolments, err := a.store.load()
	if err != nil {
		return err
	}
	before := a.members
	a.members = make(map[EntityID]*member, len(enrolments))
	for _, e := range enrolments {
		if err := a.heldLocked(e); err != nil {
			a.members = before
			return fmt.Errorf("%q: %w", clip(string(e.Entity)), err)
		}
		if m := before[e.Entity]; m != nil && m.Configuration == e.Configuration && m.EnrolledAt.Equal(e.EnrolledAt) && m.Suspended.Equal(e.Suspended) {
			a.members[e.Entity] = m // and its resolve responses
			continue
		}
		a.members[e.Entity] = &member{Enrolment: e}
	}
	a.loaded = modified
	return nil
}

// settled is how old a change of the folder must be before its time alone proves
// that nothing came after it: file systems count time in steps.
const settled = 2 * time.Second

// Reload notices what another process enrolled or removed: `tamga anchor enroll`
// beside a running anchor. It costs one stat when nothing changed. On error the
// members known so far stay.
func (a *Authority) Reload() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	modified := a.store.modified()
	if modified.Equal(a.loaded) && a.cfg.Clock().Sub(modified) > settled {
		return nil
	}
	if err := a.loadLocked(); err != nil {
		return fmt.Errorf("reloading authority: %w", err)
	}
	return nil
}

// Anchor is what nodes are given out of band.
func (a *Authority) Anchor() Anchor {
	return Anchor{EntityID: a.cfg.EntityID, Keys: jose.NewKeySet(a.cfg.Key.Public())}
}

// Enroll makes the node that signed the Entity Configuration a member, or renews a
// member. It verifies the self-signature, that the node names this authority as its
// superior, that its metadata is complete, and that the operator's jurisdiction is
// the node's. The enrolment is durable on return. Errors match [ErrHeld], or hold a
// [*ChainError] about the statement.
func (a *Authority) Enroll(token string, opts EnrollOptions) (Enrolment, error) {
	lifetime := cmp.Or(opts.Lifetime, defaultLifetime)
	if lifetime < minLifetime || lifetime > maxLifetime {
		return Enrolment{}, fmt.Errorf("enrolling: lifetime is not between %s and %s", minLifetime, maxLifetime)
	}
	now := a.cfg.Clock()
	s, m, err := a.inspect(token, now)
	if err != nil {
		return Enrolment{}, fmt.Errorf("enrolling: %w", err)
	}
	if m.Jurisdiction != opts.Jurisdiction {
		return Enrolment{}, errors.New("enrolling: the node does not claim the jurisdiction it is to be enrolled for")
	}
	if opts.Location != "" {
		if _, err := NewHTTPSource(nil, nil, map[EntityID]string{s.sub: opts.Location}); err != nil {
			return Enrolment{}, fmt.Errorf("enrolling: %w", err)
		}
	}
	e := Enrolment{
		Entity: s.sub, Jurisdiction: m.Jurisdiction, PeerID: m.PeerID, Keys: s.keys, Lifetime: lifetime,
		Location: opts.Location, EnrolledAt: now.UTC().Truncate(time.Second), Configuration: token,
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.heldLocked(e); err != nil {
		return Enrolment{}, fmt.Errorf("enrolling: %w", err)
	}
	if m := a.members[e.Entity]; m != nil {
		// Renewing what is known of a member lifts no suspension.
		e.Suspended, e.Reason = m.Suspended, m.Reason
	}
	if err := a.store.save(e); err != nil {
		return Enrolment{}, fmt.Errorf("enrolling: %w", err)
	}
	a.members[e.Entity] = &member{Enrolment: e}
	return e, nil
}

// inspect checks an Entity Configuration as far as the node alone can make it good.
func (a *Authority) inspect(token string, now time.Time) (statement, *NodeMetadata, error) {
	s, fault := parseStatement(token)
	if fault == nil && s.iss != s.sub {
		fault = s.fault(ruleOrder, 0)
	}
	if fault == nil {
		fault = s.verify(s.keys)
	}
	if fault == nil {
		fault = checkTimes([]statement{s}, now)
	}
	if fault == nil && !slices.Contains(s.hints, a.cfg.EntityID) {
		fault = s.fault(ruleHint, 0)
	}
	if fault != nil {
		return statement{}, nil, fault
	}
	metadata, err := s.metadata.decode()
	m := metadata.TamgaNode
	switch {
	case err != nil:
	case m == nil:
		return statement{}, nil, s.fault(ruleNotNode, 0)
	case m.sharesKey(s.keys):
		return statement{}, nil, s.fault(ruleKeysShared, 0)
	default:
		err = m.check()
	}
	if err != nil {
		return statement{}, nil, &ChainError{Entity: s.sub, Rule: ruleMetadata, Err: err}
	}
	return s, m, nil
}

// heldLocked keeps jurisdictions and peer IDs with those who hold them.
func (a *Authority) heldLocked(e Enrolment) error {
	for id, m := range a.members {
		if id != e.Entity && (m.Jurisdiction == e.Jurisdiction || m.PeerID == e.PeerID) {
			return ErrHeld
		}
	}
	return nil
}

// Remove ends a membership; durable on return. Nodes drop the member at their next
// refresh, and those that cannot reach the authority when the last statement about
// it expires. The error matches [ErrNotMember] when there is none.
func (a *Authority) Remove(id EntityID) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, ok := a.members[id]; !ok {
		return fmt.Errorf("removing %q: %w", clip(string(id)), ErrNotMember)
	}
	if err := a.store.remove(id); err != nil {
		return fmt.Errorf("removing %q: %w", clip(string(id)), err)
	}
	delete(a.members, id)
	return nil
}

// List returns the members in the order of their identifiers, suspended ones among them.
func (a *Authority) List() []Enrolment {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := make([]Enrolment, 0, len(a.members))
	for _, id := range slices.Sorted(maps.Keys(a.members)) {
		list = append(list, a.members[id].Enrolment)
	}
	return list
}

// Refresh fetches the Entity Configuration of every member that has a location and
// whose stored one is past half of its life. What a member changes in it is taken
// over, except what was pinned: that needs Enroll. A member that cannot be reached
// keeps what is stored; the error joins what went wrong.
func (a *Authority) Refresh(ctx context.Context) error {
	var faults []error
	for _, e := range a.List() {
		if err := a.refresh(ctx, e); err != nil {
			faults = append(faults, fmt.Errorf("refreshing %q: %w", clip(string(e.Entity)), err))
		}
	}
	return errors.Join(faults...)
}

func (a *Authority) refresh(ctx context.Context, e Enrolment) error {
	now := a.cfg.Clock()
	stored, err := ParseStatement(e.Configuration)
	if err != nil {
		return err
	}
	half := stored.IssuedAt().Add(stored.ExpiresAt().Sub(stored.IssuedAt()) / 2)
	if e.Location == "" || now.Before(half) {
		return nil
	}
	source, err := NewHTTPSource(a.cfg.Client, nil, map[EntityID]string{e.Entity: e.Location})
	if err != nil {
		return err
	}
	token, err := source.EntityConfiguration(ctx, e.Entity)
	if err != nil {
		return err
	}
	s, m, err := a.inspect(token, now)
	if err != nil {
		return err
	}
	if fault := s.verify(e.Keys); fault != nil {
		return fault
	}
	if s.sub != e.Entity || m.Jurisdiction != e.Jurisdiction || m.PeerID != e.PeerID || !s.exp.After(stored.ExpiresAt()) {
		return errors.New("the new entity configuration changes what was pinned, or is not newer")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	// While the lock was open the operator may have enrolled or removed the member.
	if current, ok := a.members[e.Entity]; !ok || current.Configuration != e.Configuration {
		return nil
	}
	e.Configuration = token
	if err := a.store.save(e); err != nil {
		return err
	}
	a.members[e.Entity] = &member{Enrolment: e}
	return nil
}

// Run calls Refresh at the given interval until ctx ends, and hands each result to
// report. It returns ctx's error.
func (a *Authority) Run(ctx context.Context, every time.Duration, report func(error)) error {
	return repeat(ctx, every, func() { report(a.Refresh(ctx)) })
}
