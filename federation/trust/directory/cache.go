package directory

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"time"

	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/internal/disk"
	"github.com/tamga-id/tamga/federation/trust/trustmark"
)

const (
	snapshotVersion = 3
	// maxSnapshot bounds the cache file: some 200 members at most chain size, or
	// thousands at the usual one.
	maxSnapshot = 64 << 20
)

// cacheFile is the JSON of a snapshot: tokens only, so that nothing in the file is
// believed that a signature does not cover.
type cacheFile struct {
	Version int            `json:"version"`
	Members []cachedMember `json:"members"`
	// Former are members no longer whose peer IDs are kept for them.
	Former []cachedMember `json:"former,omitempty"`
}

// cachedMember is one chain. Checked is not signed: whoever can write the file can make
// a chain look fresher than it is, and no longer than until it expires.
type cachedMember struct {
	Chain   []string  `json:"chain"`
	Checked time.Time `json:"checked"`
	// IDs are those of the peer IDs in the chain that belong to the member. Not signed either:
	// it can take some from a member, and give it none.
	IDs   []string             `json:"ids"`
	Marks []trustmark.Evidence `json:"marks,omitempty"`
}

func (d *Directory) loadSnapshot(path string) (*snapshot, error) {
	empty, _ := newSnapshot(nil, reserved{})
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
	r := reserved{former: make(map[trust.EntityID]*entry)}
	for _, e := range d.read(f.Former) {
		r.former[e.node.EntityID] = e
	}
	members := d.read(f.Members)
	s, _ := newSnapshot(members, r)
	return s, nil
}

// read verifies what is in the file, and leaves out what is not good.
func (d *Directory) read(cached []cachedMember) []*entry {
	var out []*entry
	for _, m := range cached {
		c, err := trust.VerifyUndated(m.Chain, *d.anchors.Load())
		if err != nil {
			continue
		}
		e, err := newEntry(c, m.Checked)
		if err != nil {
			continue
		}
		if e, ok := e.with(func(id string) bool { return slices.Contains(m.IDs, id) }); ok {
			// The marks are looked at as of then; their times are checked when they are asked for.
			e.evidence, e.node.Marks = m.Marks, trustmark.Valid(c, m.Marks, *d.anchors.Load(), d.markStaleness, m.Checked)
			out = append(out, e)
		}
	}
	return out
}

func newEntry(c trust.Chain, checked time.Time) (*entry, error) {
	n, err := c.Node()
	if err != nil {
		return nil, err
	}
	e := &entry{node: n, anchor: c.Anchor, superiors: c.Superiors, chain: c.Statements(), checked: checked}
	for i, id := range c.Superiors {
		e.paths = append(e.paths, trust.PathTo(id, c.Superiors[i+1:]...))
	}
	return e, nil
}

func (s *snapshot) save(path string) error {
	if path == "" {
		return nil
	}
	f := cacheFile{Version: snapshotVersion, Members: make([]cachedMember, 0, len(s.ordered))}
	for _, e := range s.all() {
		f.Members = append(f.Members, e.cached())
	}
	for _, id := range slices.Sorted(maps.Keys(s.former)) {
		f.Former = append(f.Former, s.former[id].cached())
	}
	b, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("encoding snapshot: %w", err)
	}
	return disk.Write(path, b)
}

func (e *entry) cached() cachedMember {
	return cachedMember{e.chain, e.checked, e.node.IDs(), e.evidence}
}
