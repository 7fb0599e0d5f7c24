package peering

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tamga-id/tamga/federation/transport"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/explain"
	"github.com/tamga-id/tamga/node/internal/durable"
	"github.com/tamga-id/tamga/node/introduction"
)

// Pause is an operator's decision to have nothing to do with a member for now, and those
// below it: a country's ministries go with the country.
type Pause struct {
	Since  time.Time `json:"since"`
	Reason string    `json:"reason,omitempty"`
	// Only spares those below the member.
	Only bool `json:"only,omitempty"`
}

var (
	// ErrPaused: the peer is paused already.
	ErrPaused = errors.New("the peer is paused already")
	// ErrNotPaused: the peer is not paused.
	ErrNotPaused = errors.New("the peer is not paused")
)

// maxReason bounds the reason of a pause.
const maxReason = 200

func (p *Peers) pauseFile() string { return filepath.Join(p.cfg.DataDir, "paused.json") }

func readPauses(path string) (map[trust.EntityID]Pause, error) {
	out := make(map[trust.EntityID]Pause)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return out, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &out)
	}
	if err != nil {
		return nil, fmt.Errorf("reading paused peers: %w", err)
	}
	return out, nil
}

// Pause refuses the member both ways from now on, over a restart too, and ends its
// connections; and all that are below it, or come to be, unless only. The error matches
// trust.ErrNotMember or [ErrPaused].
func (p *Peers) Pause(name, reason string, only bool) (trust.EntityID, error) {
	if len(reason) > maxReason || strings.ContainsFunc(reason, func(r rune) bool { return r < ' ' }) {
		return "", fmt.Errorf("pausing peer: the reason is one line of at most %d bytes", maxReason)
	}
	m, err := p.Find(name)
	if err != nil {
		return "", err
	}
	err = p.edit(func(all map[trust.EntityID]Pause) error {
		if _, is := all[m.EntityID]; is {
			return ErrPaused
		}
		all[m.EntityID] = Pause{Since: p.cfg.Now().UTC().Truncate(time.Second), Reason: reason, Only: only}
		return nil
	})
	if err == nil {
		p.cfg.Log.Warn("peer paused", slog.String("entity", string(m.EntityID)))
		p.cfg.Changed()
	}
	return m.EntityID, err
}

// Resume ends a pause, also that of a member which is none any more. Who is paused with a
// member above it is resumed with that. The error matches [ErrNotPaused].
func (p *Peers) Resume(name string) (trust.EntityID, error) {
	id := trust.EntityID(name)
	if m, err := p.Find(name); err == nil {
		id = m.EntityID
	}
	err := p.edit(func(all map[trust.EntityID]Pause) error {
		if _, is := all[id]; !is {
			if with, _, is := p.covering(all, id); is {
				return fmt.Errorf("%w itself: it is paused with %s", ErrNotPaused, with)
			}
			return ErrNotPaused
		}
		delete(all, id)
		return nil
	})
	if err == nil {
		p.cfg.Log.Info("peer resumed", slog.String("entity", string(id)))
	}
	return id, err
}

// edit changes the pauses, in the file first.
func (p *Peers) edit(change func(map[trust.EntityID]Pause) error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	next := make(map[trust.EntityID]Pause, len(p.paused)+1)
	for id, is := range p.paused {
		next[id] = is
	}
	err := change(next)
	if err != nil {
		return fmt.Errorf("changing paused peers: %w", err)
	}
	b, err := json.MarshalIndent(next, "", "  ")
	if err == nil {
		err = durable.Replace(p.pauseFile(), append(b, '\n'))
	}
	if err != nil {
		return fmt.Errorf("changing paused peers: %w", err)
	}
	p.paused = next
	return nil
}

func (p *Peers) pausedNow(n trust.Node) bool {
	if _, _, is := p.pauseOf(n.EntityID); is {
		return true
	}
	if n.Under == "" {
		return false
	}
	// One that is not known, and brings its chain.
	_, is, paused := p.pauseOf(n.Under)
	return paused && !is.Only
}

// pauseOf is the pause of the Entity, or else of one above it, with whom it is.
func (p *Peers) pauseOf(id trust.EntityID) (trust.EntityID, Pause, bool) {
	p.mu.Lock()
	paused := p.paused // replaced, never changed
	p.mu.Unlock()
	return p.covering(paused, id)
}

func (p *Peers) covering(paused map[trust.EntityID]Pause, id trust.EntityID) (trust.EntityID, Pause, bool) {
	if is, ok := paused[id]; ok {
		return id, is, true
	}
	for above, is := range paused {
		if id != p.cfg.Self && !is.Only && p.Directory.Names(id, above) {
			return above, is, true
		}
	}
	return "", Pause{}, false
}

// Contact is when a member was last heard, and what went wrong last.
type Contact struct {
	Heard   time.Time `json:"heard,omitzero"`
	Failed  time.Time `json:"failed,omitzero"`
	Failure string    `json:"failure,omitempty"`
}

// Heard notes that the member sent something, and Failed that it could not be asked.
func (p *Peers) Heard(peer transport.PeerID) {
	p.note(peer, func(c *Contact) { c.Heard = p.cfg.Now().UTC().Truncate(time.Second) })
}

// Failed notes that the member could not be asked.
func (p *Peers) Failed(peer transport.PeerID, err error) {
	p.note(peer, func(c *Contact) { c.Failed, c.Failure = p.cfg.Now().UTC().Truncate(time.Second), err.Error() })
}

func (p *Peers) note(peer transport.PeerID, edit func(*Contact)) {
	m, ok := p.Directory.Member(string(peer), p.cfg.Now())
	if !ok {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	c, known := p.contacts[m.EntityID]
	if !known {
		// Members come and go below an Intermediate: of those gone nothing is said any more.
		maps.DeleteFunc(p.contacts, func(id trust.EntityID, _ Contact) bool { return !p.Directory.Knows(id) })
	}
	edit(&c)
	p.contacts[m.EntityID] = c
}

// Peer is what is known and decided about another member.
type Peer struct {
	Node       trust.Node
	Paused     *Pause
	PausedWith trust.EntityID // itself, or the member above it with which it is paused
	Suspension *Suspension
	Contact    Contact
	Connected  bool
	Links      []transport.Link // its live connections
	// Marks are its valid Trust Marks, and Undetermined those of which it is not known now
	// whether they have been revoked.
	Marks, Undetermined []trust.ValidMark
	// Confirmed is when the member's federation keys were compared over the phone, and
	// KeysChanged whether its superior vouches for none of those now.
	Confirmed   time.Time
	KeysChanged bool
}

// introduced are the parties whose keys were confirmed, by Entity. A book that cannot be
// read confirms nobody.
func (p *Peers) introduced() map[trust.EntityID]introduction.Confirmed {
	out := make(map[trust.EntityID]introduction.Confirmed)
	b, err := introduction.OpenBook(p.cfg.Introductions)
	if err != nil {
		p.cfg.Log.Warn("introductions not read", slog.String("cause", err.Error()))
		return out
	}
	for _, c := range b.Confirmed() {
		out[c.Party.EntityID] = c
	}
	return out
}

// changed reports whether the superior of a member vouches for none of the keys that were
// confirmed.
func (p *Peers) changed(c introduction.Confirmed) bool {
	for _, s := range p.Chain(c.Party.EntityID) {
		if s.Kind == explain.Subordinate && s.Subject == c.Party.EntityID {
			return !slices.ContainsFunc(s.KeyIDs, func(id string) bool { return slices.Contains(c.Party.Fingerprints(), id) })
		}
	}
	return false
}

// List returns the other members, paused ones too, by country; then those suspended.
func (p *Peers) List() []Peer {
	connected := p.cfg.Connected()
	p.mu.Lock()
	contacts := maps.Clone(p.contacts)
	p.mu.Unlock()
	introduced := p.introduced()
	var out []Peer
	for _, m := range p.Directory.Members(p.cfg.Now()) {
		if m.EntityID == p.cfg.Self {
			continue
		}
		one := Peer{Node: m, Contact: contacts[m.EntityID]}
		for _, mark := range m.Marks {
			switch now := p.cfg.Now(); {
			case mark.Undetermined(now):
				one.Undetermined = append(one.Undetermined, mark)
			case now.Before(mark.Until):
				one.Marks = append(one.Marks, mark)
			}
		}
		for _, id := range m.IDs() {
			if slices.Contains(connected, transport.PeerID(id)) {
				one.Connected, one.Links = true, append(one.Links, p.cfg.Links(transport.PeerID(id))...)
			}
		}
		if with, is, ok := p.pauseOf(m.EntityID); ok {
			one.Paused, one.PausedWith = &is, with
		}
		if c, ok := introduced[m.EntityID]; ok {
			one.Confirmed, one.KeysChanged = c.At, p.changed(c)
		}
		out = append(out, one)
	}
	for _, l := range p.suspending() {
		for _, s := range l.Suspended {
			if s.Entity == p.cfg.Self {
				continue
			}
			if p.out(s.Entity) {
				out = append(out, Peer{Node: trust.Node{EntityID: s.Entity, Jurisdiction: s.Jurisdiction},
					Suspension: &Suspension{Anchor: l.Anchor, Since: time.Unix(s.Since, 0).UTC(), Reason: s.Reason}})
			}
		}
	}
	return out
}

// Suspension is a Trust Anchor's or superior's decision not to vouch for a member at present.
type Suspension struct {
	Anchor trust.EntityID // or superior
	Since  time.Time
	Reason string
}

// SelfSuspended reports whether this node is suspended itself.
func (p *Peers) SelfSuspended() bool { return p.suspended.Load() }

// Anchors returns the newest listing of each Anchor that publishes one.
func (p *Peers) Anchors() []AnchorState {
	var out []AnchorState
	for _, a := range p.keeper.Anchors() {
		s := AnchorState{EntityID: a.EntityID, Location: a.Location, KeyIDs: keyIDs(a)}
		if l, _, ok := p.keeper.Held(trust.Path(a.EntityID)); ok {
			s.Sequence, s.IssuedAt, s.Members, s.Suspended = l.Sequence, l.IssuedAt, len(l.Members), len(l.Suspended)
		}
		out = append(out, s)
	}
	return out
}

// AnchorState is what is held of a configured Trust Anchor; Sequence is 0 when it has
// published no signed listing.
type AnchorState struct {
	EntityID  trust.EntityID
	Location  string
	KeyIDs    []string
	Sequence  uint64
	IssuedAt  time.Time
	Members   int
	Suspended int
}

func keyIDs(a trust.Anchor) []string {
	var out []string
	for _, k := range a.Keys.Keys() {
		out = append(out, k.KeyID())
	}
	return out
}
