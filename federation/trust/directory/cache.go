package directory

import (
	"maps"
	"slices"
	"time"

	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/directory/internal/cachefile"
	"github.com/tamga-id/tamga/federation/trust/trustmark"
)

func (d *Directory) loadSnapshot(path string) (*snapshot, error) {
	f, err := cachefile.Read(path)
	if err != nil {
		return nil, err
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
func (d *Directory) read(cached []cachefile.Member) []*entry {
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
	f := cachefile.File{Members: make([]cachefile.Member, 0, len(s.ordered))}
	for _, e := range s.all() {
		f.Members = append(f.Members, e.cached())
	}
	for _, id := range slices.Sorted(maps.Keys(s.former)) {
		f.Former = append(f.Former, s.former[id].cached())
	}
	return f.Write(path)
}

func (e *entry) cached() cachefile.Member {
	return cachefile.Member{Chain: e.chain, Checked: e.checked, IDs: e.node.IDs(), Marks: e.evidence}
}
