package authority

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/endpoint"
	"github.com/tamga-id/tamga/federation/trust/historicalkeys"
	"github.com/tamga-id/tamga/federation/trust/internal/pace"
)

const (
	// defaultLifetime is how long a Subordinate Statement holds: how long a removed
	// member stays trusted by those who cannot reach the authority, and how long
	// the authority may be down.
	defaultLifetime = 24 * time.Hour
	minLifetime     = time.Minute
	maxLifetime     = 90 * 24 * time.Hour

	// refreshWorkers is how many members are asked for their Entity Configurations at a
	// time: some that do not answer do not have the others' run out.
	refreshWorkers = 16
)

// ErrHeld: another Entity already holds the jurisdiction or peer ID.
var ErrHeld = errors.New("jurisdiction or peer ID is held by another entity")

// Config configures an [Authority].
type Config struct {
	// EntityID is the authority's Entity Identifier; required.
	EntityID trust.EntityID
	// Key is its federation key; required. Whoever has it decides who is a member.
	Key jose.PrivateKey
	// Keys are further federation keys that it publishes: the next one before it signs,
	// the last one until all that it signed has run out. Optional.
	Keys jose.KeySet
	// Superiors are the Entities above it, its authority_hints; none for a Trust Anchor
	// that is below nobody.
	Superiors []trust.EntityID
	// TrustAnchorHints are the Anchors at which its chains end; optional.
	TrustAnchorHints []trust.EntityID
	// Country is set when the authority is itself a country's node, whose subordinates are
	// nodes of the same country. Publisher is then required: it publishes the node's Entity
	// Configuration, with the endpoints that [Endpoints] names.
	Country   string
	Publisher *endpoint.Publisher
	// Most is how many Entities may be enrolled at once; zero sets no limit.
	Most int
	// Lifetime is that of the Entity Configuration; zero means 14 days.
	Lifetime time.Duration
	// Dir holds the enrolments, one file each; created if absent. Back it up.
	Dir string
	// OrganizationName is shown to people; optional.
	OrganizationName string
	// TrustMarks are the authority's own, and MarkRules, of a Trust Anchor, whose marks
	// count for anything. Optional.
	TrustMarks []trust.TrustMark
	MarkRules  trust.MarkRules
	// History are the federation keys used before, which stay published so that what
	// they signed can be judged later. Optional.
	History []historicalkeys.Key
	// Clock is required.
	Clock func() time.Time
	// Client fetches nodes' Entity Configurations anew; nil means a client of its own.
	Client *http.Client
}

// ErrFull: as many Entities are enrolled as may be.
var ErrFull = errors.New("as many members are enrolled as may be")

// Endpoints are the metadata of an authority that is reached below its Entity Identifier.
func Endpoints(id trust.EntityID, organization string) *trust.FederationEntityMetadata {
	base := id.Base()
	return &trust.FederationEntityMetadata{
		OrganizationName: organization,
		FetchEndpoint:    base + endpoint.Fetch.Path(),
		ListEndpoint:     base + endpoint.List.Path(),
		ResolveEndpoint:  base + endpoint.Resolve.Path(),

		MarkEndpoint: base + endpoint.Mark.Path(), MarkStatusEndpoint: base + endpoint.MarkStatus.Path(),
		MarkListEndpoint: base + endpoint.MarkList.Path(), HistoricalKeysEndpoint: base + endpoint.HistoricalKeys.Path(),
	}
}

// Enrolment is one member as the authority keeps it.
type Enrolment struct {
	// Entity is the member.
	Entity trust.EntityID `json:"entity"`
	// Jurisdiction and PeerID are pinned: no other Entity can be enrolled with
	// either, and the member cannot change them without being enrolled again. They are
	// empty for an Intermediate that is no node.
	Jurisdiction string `json:"jurisdiction"`
	PeerID       string `json:"peer_id"`
	// PeerIDs are further ones while the member replaces its libp2p key; pinned as PeerID is.
	PeerIDs []string `json:"peer_ids,omitempty"`
	// Jurisdictions are the countries for whose nodes an Intermediate may vouch, and
	// Depth how many Intermediates may stand below it; none for a Leaf.
	Jurisdictions []string `json:"jurisdictions,omitempty"`
	Depth         int      `json:"depth,omitempty"`
	// Constraints and Policy are the operator's own, beside those that follow from the
	// above.
	Constraints trust.Constraints `json:"constraints,omitzero"`
	Policy      json.RawMessage   `json:"metadata_policy,omitempty"`
	// EntityTypes are those that the member declares.
	EntityTypes []string `json:"entity_types,omitempty"`
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

// Authority is the side of a Trust Anchor or an Intermediate: it enrols nodes and Intermediates, keeps them on disk and
// answers fetch, list and resolve requests. Safe for concurrent use.
type Authority struct {
	cfg       Config // immutable after New
	publisher *endpoint.Publisher
	store     store

	mu      sync.Mutex              // guards what follows
	check   func([]Enrolment) error // of what follows once it is changed; nil for none
	members map[trust.EntityID]*member
	marks   map[markKey]IssuedMark
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
	publisher, err := cfg.publisher()
	if err != nil {
		return nil, fmt.Errorf("opening authority: %w", err)
	}
	a := &Authority{cfg: cfg, publisher: publisher, store: store{cfg.Dir, cfg.Key, cfg.keys()}, members: make(map[trust.EntityID]*member)}
	if err := a.loadLocked(); err != nil {
		return nil, fmt.Errorf("opening authority: %w", err)
	}
	return a, nil
}

// publisher is the one that was given, or that of an authority that is no node.
func (c Config) publisher() (*endpoint.Publisher, error) {
	switch {
	case c.Publisher != nil:
		return c.Publisher, nil
	case c.Country != "":
		return nil, errors.New("a node without publisher")
	}
	return endpoint.NewPublisher(endpoint.PublisherConfig{
		Key: c.Key, Lifetime: c.Lifetime,
		Clock: c.Clock, History: c.History,
		Configuration: trust.EntityConfiguration{
			Entity: c.EntityID, Keys: c.keys(), AuthorityHints: c.Superiors, TrustAnchorHints: c.TrustAnchorHints,
			TrustMarks: c.TrustMarks, MarkRules: c.MarkRules,
			Metadata: trust.Metadata{FederationEntity: Endpoints(c.EntityID, c.OrganizationName)},
		},
	})
}

// loadLocked reads the members from the folder. On error the members known so far
// stay. Before New returns no lock is needed.
func (a *Authority) loadLocked() error {
	modified := a.store.modified()
	enrolments, err := load(a.store, enrolments)
	if err != nil {
		return err
	}
	marks, err := a.store.loadMarks()
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
	a.marks, a.loaded = marks, modified
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
	return trust.Anchor{EntityID: a.cfg.EntityID, Keys: a.cfg.keys()}
}

// keys are all that the authority publishes, the one that signs first.
func (c Config) keys() jose.KeySet {
	return jose.NewKeySet(append([]jose.PublicKey{c.Key.Public()}, c.Keys.Keys()...)...)
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
	return listed(a.members)
}

func listed(members map[trust.EntityID]*member) []Enrolment {
	list := make([]Enrolment, 0, len(members))
	for _, id := range slices.Sorted(maps.Keys(members)) {
		list = append(list, members[id].Enrolment)
	}
	return list
}

// CheckWith has every enrolment and suspension from now on refused whose result, all
// members with it, check gives an error for: before anything is stored, and so before
// somebody is told that he is enrolled. check must not call the authority but for
// [Authority.Configuration].
func (a *Authority) CheckWith(check func([]Enrolment) error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.check = check
}

// checkLocked checks the members with one of them put in the place of what he was.
func (a *Authority) checkLocked(e Enrolment) error {
	if a.check == nil {
		return nil
	}
	next := maps.Clone(a.members)
	next[e.Entity] = &member{Enrolment: e}
	return a.check(listed(next))
}

// Refresh fetches the Entity Configuration of every member that has a location and
// whose stored one is past half of its life. What a member changes in it is taken
// over, except what was pinned: that needs Enroll. A member that cannot be reached
// keeps what is stored; the error joins what went wrong.
func (a *Authority) Refresh(ctx context.Context) error {
	members := a.List()
	faults := make([]error, len(members))
	var g errgroup.Group
	g.SetLimit(refreshWorkers)
	for i, e := range members {
		g.Go(func() error {
			if err := a.refresh(ctx, e); err != nil {
				faults[i] = fmt.Errorf("refreshing %q: %w", e.Entity.Clip(), err)
			}
			return nil
		})
	}
	_ = g.Wait()
	return errors.Join(faults...)
}

// Run calls Refresh at the given interval until ctx ends, and hands each result to
// report. It returns ctx's error.
func (a *Authority) Run(ctx context.Context, every time.Duration, report func(error)) error {
	return pace.Repeat(ctx, every, func() { report(a.Refresh(ctx)) })
}
