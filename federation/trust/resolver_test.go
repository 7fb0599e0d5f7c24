package trust_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/resolver"
)

// graph is a federation in memory. Edges go from subordinate to superiors.
type graph struct {
	t      testing.TB
	edges  map[trust.EntityID][]trust.EntityID
	silent map[trust.EntityID]bool // unreachable
	denies map[trust.EntityID]bool // knows no subordinate
	wrong  map[trust.EntityID]bool // serves another's statements
	calls  int
}

func (g *graph) EntityConfiguration(_ context.Context, id trust.EntityID) (string, error) {
	g.calls++
	if _, known := g.edges[id]; !known || g.silent[id] {
		return "", errDown
	}
	if g.wrong[id] {
		id = nodeID
	}
	return trust.SignEntityConfiguration(keyOf(g.t, string(id)), trust.EntityConfiguration{
		Entity: id, IssuedAt: epoch, ExpiresAt: epoch.Add(time.Hour), AuthorityHints: g.edges[id],
	})
}

func (g *graph) SubordinateStatement(_ context.Context, superior, subject trust.EntityID) (string, error) {
	g.calls++
	if g.silent[superior] {
		return "", errDown
	}
	if g.denies[superior] {
		return "", fmt.Errorf("fetching: %w", trust.ErrNotMember)
	}
	return trust.SignSubordinateStatement(keyOf(g.t, string(superior)), trust.SubordinateStatement{
		Issuer: superior, Subject: subject, IssuedAt: epoch, ExpiresAt: epoch.Add(time.Hour), Keys: keySet(g.t, string(subject)),
	})
}

func (g *graph) List(context.Context, trust.EntityID) ([]trust.EntityID, error) { return nil, errDown }

func (g *graph) Resolve(context.Context, trust.EntityID, trust.EntityID, trust.EntityID) (string, error) {
	return "", errDown
}

func (g *graph) MarkStatus(context.Context, trust.EntityID, string) (string, error) {
	return "", errDown
}

func entity(name string) trust.EntityID {
	if name == "anchor" {
		return anchorID
	}
	return trust.EntityID("https://" + name + ".example")
}

// TestResolver draws each federation as "subordinate>superior" arrows.
func TestResolver(t *testing.T) {
	for _, tc := range []struct {
		name                  string
		arrows                [][2]string
		silent, denies, wrong []string
		statements            int
		err                   error
	}{
		{name: "direct", arrows: [][2]string{{"n", "anchor"}}, statements: 3},
		{name: "intermediate", arrows: [][2]string{{"n", "r"}, {"r", "anchor"}}, statements: 4},
		{name: "longest", arrows: [][2]string{{"n", "a"}, {"a", "b"}, {"b", "c"}, {"c", "d"}, {"d", "e"}, {"e", "anchor"}}, statements: 8},
		{name: "too-long", arrows: [][2]string{{"n", "a"}, {"a", "b"}, {"b", "c"}, {"c", "d"}, {"d", "e"}, {"e", "f"}, {"f", "anchor"}}, err: trust.ErrNotMember},
		{name: "shortest-first", arrows: [][2]string{{"n", "r"}, {"n", "anchor"}, {"r", "anchor"}}, statements: 3},
		{name: "second-way", arrows: [][2]string{{"n", "x"}, {"n", "r"}, {"r", "anchor"}}, silent: []string{"x"}, statements: 4},
		{name: "denied-once", arrows: [][2]string{{"n", "x"}, {"n", "r"}, {"r", "anchor"}, {"x", "anchor"}}, denies: []string{"x"}, statements: 4},
		{name: "loop", arrows: [][2]string{{"n", "a"}, {"a", "b"}, {"b", "a"}}, err: trust.ErrNotMember},
		{name: "self-loop", arrows: [][2]string{{"n", "n"}}, err: trust.ErrNotMember},
		{name: "no-superior", arrows: [][2]string{{"n", ""}}, err: trust.ErrNotMember},
		{name: "other-anchor", arrows: [][2]string{{"n", "z"}, {"z", ""}}, err: trust.ErrNotMember},
		{name: "denied", arrows: [][2]string{{"n", "anchor"}}, denies: []string{"anchor"}, err: trust.ErrNotMember},
		{name: "anchor-silent", arrows: [][2]string{{"n", "anchor"}}, silent: []string{"anchor"}, err: trust.ErrUndetermined},
		{name: "node-silent", arrows: [][2]string{{"n", "anchor"}}, silent: []string{"n"}, err: trust.ErrUndetermined},
		{name: "one-silent-one-denies", arrows: [][2]string{{"n", "x"}, {"n", "anchor"}, {"x", "anchor"}}, silent: []string{"x"}, denies: []string{"anchor"}, err: trust.ErrUndetermined},
		{name: "serves-another", arrows: [][2]string{{"n", "anchor"}, {"tamga.kaz", "anchor"}}, wrong: []string{"n"}, err: &trust.ChainError{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := newGraph(t, tc.arrows)
			for m, names := range map[*map[trust.EntityID]bool][]string{&g.silent: tc.silent, &g.denies: tc.denies, &g.wrong: tc.wrong} {
				*m = make(map[trust.EntityID]bool)
				for _, n := range names {
					(*m)[entity(n)] = true
				}
			}
			c, err := resolver.Resolver{Anchors: []trust.Anchor{anchor(t)}, Source: g}.Resolve(t.Context(), entity("n"), epoch)
			if fault, ok := errors.AsType[*trust.ChainError](tc.err); ok && fault != nil {
				if got, refused := errors.AsType[*trust.ChainError](err); !refused || got.Rule != "wrong-entity" {
					t.Errorf("got %v, want rule wrong-entity", err)
				}
			} else if !errors.Is(err, tc.err) {
				t.Errorf("got error %v, want %v", err, tc.err)
			}
			if len(c.Statements()) != tc.statements {
				t.Errorf("got a chain of %d, want %d", len(c.Statements()), tc.statements)
			}
		})
	}
}

func newGraph(t testing.TB, arrows [][2]string) *graph {
	g := &graph{t: t, edges: map[trust.EntityID][]trust.EntityID{anchorID: nil}}
	for _, a := range arrows {
		from := entity(a[0])
		if a[1] == "" {
			g.edges[from] = nil
			continue
		}
		g.edges[from] = append(g.edges[from], entity(a[1]))
	}
	return g
}

// TestResolverBoundsFetches: a graph in which every Entity names 16 others.
func TestResolverBoundsFetches(t *testing.T) {
	var arrows [][2]string
	for level, names := range []int{1, 16, 16, 16} {
		for i := range names {
			for j := range 16 {
				arrows = append(arrows, [2]string{fmt.Sprintf("l%d-%d", level, i), fmt.Sprintf("l%d-%d", level+1, j)})
			}
		}
	}
	g := newGraph(t, arrows)
	_, err := resolver.Resolver{Anchors: []trust.Anchor{anchor(t)}, Source: g}.Resolve(t.Context(), entity("l0-0"), epoch)
	if !errors.Is(err, trust.ErrUndetermined) {
		t.Errorf("got %v, want undetermined: not everything was asked", err)
	}
	if g.calls > 32 {
		t.Errorf("%d fetches", g.calls)
	}
}
