package directory

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/internal/disk"
)

const (
	snapshotVersion = 1
	// maxSnapshot bounds the cache file: some 200 members at most chain size, or
	// thousands at the usual one.
	maxSnapshot = 64 << 20
)

// entry is one member with the chain that makes it one. Immutable.
type entry struct {
	node   trust.Node
	anchor trust.EntityID
	top    trust.EntityID // whom the Anchor itself vouches for: the member, or an Intermediate above it
	chain  []string
}

func (e *entry) at(now time.Time) (trust.Node, error) {
	if !now.Before(e.node.ExpiresAt) {
		return trust.Node{}, trust.ErrExpired
	}
	return e.node, nil
}

// snapshot is the state of a Directory. Immutable after newSnapshot.
type snapshot struct {
	entities  map[trust.EntityID]*entry
	peers     map[string]*entry
	countries map[string]*entry
	ordered   []*entry // by jurisdiction
	// unresolved are listed members that nothing verified is known about.
	unresolved map[trust.EntityID]bool
	// complete says that every Anchor was asked for its list in the last refresh.
	complete bool
}

func (s *snapshot) absent(undetermined bool) error {
	if undetermined || !s.complete {
		return trust.ErrUndetermined
	}
	return trust.ErrNotMember
}

// newSnapshot indexes members. Two that claim one jurisdiction or peer ID can only
// come from different Anchors, or from one that errs: the earlier in the list keeps
// it, and the other is returned as a conflict.
func newSnapshot(members []*entry) (*snapshot, []trust.EntityID) {
	s := &snapshot{
		entities: make(map[trust.EntityID]*entry, len(members)), peers: make(map[string]*entry, len(members)),
		countries: make(map[string]*entry, len(members)), unresolved: make(map[trust.EntityID]bool),
	}
	var conflicts []trust.EntityID
	for _, m := range members {
		if s.entities[m.node.EntityID] != nil {
			continue
		}
		if s.peers[m.node.PeerID] != nil || s.countries[m.node.Jurisdiction] != nil {
			conflicts = append(conflicts, m.node.EntityID)
			continue
		}
		s.entities[m.node.EntityID] = m
		s.peers[m.node.PeerID] = m
		s.countries[m.node.Jurisdiction] = m
		s.ordered = append(s.ordered, m)
	}
	slices.SortFunc(s.ordered, func(a, b *entry) int { return strings.Compare(a.node.Jurisdiction, b.node.Jurisdiction) })
	return s, conflicts
}

// holds reports whether the snapshot gives e's Entity the same jurisdiction and
// peer ID, still valid at now.
func (s *snapshot) holds(e *entry, now time.Time) bool {
	held := s.entities[e.node.EntityID]
	return held != nil && now.Before(held.node.ExpiresAt) &&
		held.node.Jurisdiction == e.node.Jurisdiction && held.node.PeerID == e.node.PeerID
}

// byPrecedence orders candidates: members that hold their places already, so that a
// newcomer under another Anchor cannot push them out; then as the Anchors are
// ordered, which is the order they come in.
func (s *snapshot) byPrecedence(candidates []*entry, now time.Time) {
	rank := func(e *entry) int {
		if s.holds(e, now) {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(candidates, func(a, b *entry) int { return cmp.Compare(rank(a), rank(b)) })
}

// cacheFile is the JSON of a snapshot: tokens only, so that nothing in the file is
// believed that a signature does not cover.
type cacheFile struct {
	Version int        `json:"version"`
	Chains  [][]string `json:"chains"`
}

func loadSnapshot(path string, anchors []trust.Anchor) (*snapshot, error) {
	empty, _ := newSnapshot(nil)
	if path == "" {
		return empty, nil
	}
	b, err := disk.Read(path, maxSnapshot)
	if errors.Is(err, fs.ErrNotExist) {
		return empty, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading snapshot: %w", err)
	}
	var f cacheFile
	if err := json.Unmarshal(b, &f); err != nil || f.Version != snapshotVersion {
		return nil, errors.New("reading snapshot: not a snapshot of this version; delete the file to start without one")
	}
	var members []*entry
	for _, chain := range f.Chains {
		if c, err := trust.VerifyUndated(chain, anchors); err == nil {
			if e, err := newEntry(c); err == nil {
				members = append(members, e)
			}
		}
	}
	s, _ := newSnapshot(members)
	return s, nil
}

func newEntry(c trust.Chain) (*entry, error) {
	n, err := c.Node()
	if err != nil {
		return nil, err
	}
	e := &entry{node: n, anchor: c.Anchor, top: c.Leaf, chain: c.Statements()}
	for _, token := range slices.Backward(e.chain) {
		if s, err := trust.ParseStatement(token); err == nil && !s.IsConfiguration() {
			e.top = s.Subject()
			break
		}
	}
	return e, nil
}

func (s *snapshot) save(path string) error {
	if path == "" {
		return nil
	}
	f := cacheFile{Version: snapshotVersion, Chains: make([][]string, 0, len(s.ordered))}
	for _, e := range s.ordered {
		f.Chains = append(f.Chains, e.chain)
	}
	b, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("encoding snapshot: %w", err)
	}
	return disk.Write(path, b)
}
