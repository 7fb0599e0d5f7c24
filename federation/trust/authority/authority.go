package authority

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/endpoint"
	"github.com/tamga-id/tamga/federation/trust/internal/pace"
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

// Config configures an [Authority].
type Config struct {
	// EntityID is the authority's Entity Identifier; required.
	EntityID trust.EntityID
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
	Entity trust.EntityID `json:"entity"`
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
	cfg       Config // immutable after New
	publisher *endpoint.Publisher
	store     store

	mu      sync.Mutex // guards what follows
	members map[trust.EntityID]*member
	loaded  time.Time // modification time of the folder when members were read
}

// member is an enrolment with its last resolve responses. Guarded by Authority.mu.
type member struct {
	Enrolment
	responses map[string]response // by selection of Entity Types
}

// New opens the authority whose enrolments are in cfg.Dir. A file there
// that the authority's key did not sign is an error: somebody edited it.
func New(cfg Config) (*Authority, error) {
	if cfg.Clock == nil || cfg.Dir == "" || cfg.Key.IsZero() {
		return nil, errors.New("opening authority: key, folder and clock are required")
	}
	if _, err := trust.ParseEntityID(string(cfg.EntityID)); err != nil {
		return nil, fmt.Errorf("opening authority: %w", err)
	}
	base := cfg.EntityID.Base()
	publisher, err := endpoint.NewPublisher(endpoint.PublisherConfig{
		Key:   cfg.Key,
		Clock: cfg.Clock,
		Configuration: trust.EntityConfiguration{
			Entity: cfg.EntityID,
			Metadata: trust.Metadata{FederationEntity: &trust.FederationEntityMetadata{
				OrganizationName: cfg.OrganizationName,
				FetchEndpoint:    base + endpoint.Fetch.Path(),
				ListEndpoint:     base + endpoint.List.Path(),
				ResolveEndpoint:  base + endpoint.Resolve.Path(),
			}},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("opening authority: %w", err)
	}
	a := &Authority{cfg: cfg, publisher: publisher, store: store{cfg.Dir, cfg.Key}, members: make(map[trust.EntityID]*member)}
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
	a.members = make(map[trust.EntityID]*member, len(enrolments))
	for _, e := range enrolments {
		if err := a.heldLocked(e); err != nil {
			a.members = before
			return fmt.Errorf("%q: %w", e.Entity.Clip(), err)
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
func (a *Authority) Anchor() trust.Anchor {
	return trust.Anchor{EntityID: a.cfg.EntityID, Keys: jose.NewKeySet(a.cfg.Key.Public())}
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
		if _, err := endpoint.NewHTTP(nil, nil, map[trust.EntityID]string{s.Subject(): opts.Location}); err != nil {
			return Enrolment{}, fmt.Errorf("enrolling: %w", err)
		}
	}
	e := Enrolment{
		Entity: s.Subject(), Jurisdiction: m.Jurisdiction, PeerID: m.PeerID, Keys: s.Keys(), Lifetime: lifetime,
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
func (a *Authority) inspect(token string, now time.Time) (trust.UnverifiedStatement, *trust.NodeMetadata, error) {
	u, err := trust.VerifyConfiguration(token, a.cfg.EntityID, now)
	if err != nil {
		return trust.UnverifiedStatement{}, nil, err
	}
	m, err := u.Node()
	return u, m, err
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
func (a *Authority) Remove(id trust.EntityID) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, ok := a.members[id]; !ok {
		return fmt.Errorf("removing %q: %w", id.Clip(), trust.ErrNotMember)
	}
	if err := a.store.remove(id); err != nil {
		return fmt.Errorf("removing %q: %w", id.Clip(), err)
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
			faults = append(faults, fmt.Errorf("refreshing %q: %w", e.Entity.Clip(), err))
		}
	}
	return errors.Join(faults...)
}

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
	s, m, err := a.inspect(token, now)
	if err != nil {
		return err
	}
	if err := s.VerifyBy(e.Keys); err != nil {
		return err
	}
	if s.Subject() != e.Entity || m.Jurisdiction != e.Jurisdiction || m.PeerID != e.PeerID || !s.ExpiresAt().After(stored.ExpiresAt()) {
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
	return pace.Repeat(ctx, every, func() { report(a.Refresh(ctx)) })
}
