package gallery_test

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/gallery/presence"
	"github.com/tamga-id/tamga/node/gallery/subjects"
)

// behind are those that do not use generation keep of the KEK yet.
func behind(t *testing.T, g *gallery.Gallery, at time.Time, keep uint32) int {
	t.Helper()
	names, err := g.Behind(at, subjects.KeyKEK, keep)
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}

func tell(t *testing.T, g *gallery.Gallery, at time.Time) []presence.Other {
	t.Helper()
	others, err := g.Replicas(at)
	if err != nil {
		t.Fatal(err)
	}
	return others
}

// TestReplicas replaces a KEK under three galleries of one store: one that does it, one
// that was given the next KEK before, and one that was not.
func TestReplicas(t *testing.T) {
	dsn := postgres.Start(t).Database(t)
	at := time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC)
	cfgs := []gallery.Config{inPostgres(t, dsn), inPostgres(t, dsn), inPostgres(t, dsn)}
	prepared := ringOf(t, 2, 1) // the current one last
	cfgs[0].Ring, cfgs[1].Ring = prepared, prepared
	var gs []*gallery.Gallery
	for _, cfg := range cfgs {
		gs = append(gs, home{cfg: cfg}.open(t))
	}
	enrol(t, gs[2], persons(0, 3)...)
	for _, g := range gs {
		tell(t, g, at)
	}
	gs[0].UseRing(ringOf(t, 1, 2))
	if n := behind(t, gs[0], at, 2); n != 2 {
		t.Errorf("%d are behind, want 2", n)
	}
	if n, err := gs[0].RewrapAll(t.Context(), nil); err != nil || n.Subjects != 3 {
		t.Fatalf("%+v rewrapped, %v", n, err)
	}

	// Who has the KEK goes on to it by itself.
	tell(t, gs[1], at)
	enrol(t, gs[1], person(3))
	check(t, gs[1], person(0))
	if n, err := gs[1].RewrapAll(t.Context(), nil); err != nil || n.Subjects != 0 {
		t.Errorf("%+v rewrapped, %v", n, err)
	}

	// Who does not can neither write nor say that somebody is unknown or damaged, and is
	// waited for.
	if r, err := gs[2].Enrol(t.Context(), persons(4, 5)); err != nil || !errors.Is(r[0].Err, gallery.ErrOutdated) {
		t.Errorf("enrolled: %v, %v", r, err)
	}
	if _, err := gs[2].References(passport(0), "finger"); !errors.Is(err, gallery.ErrOutdated) || errors.Is(err, gallery.ErrDamaged) {
		t.Errorf("looked up: %v", err)
	}
	if n := behind(t, gs[0], at.Add(presence.Lease-1), 2); n != 1 {
		t.Errorf("%d are behind, want 1", n)
	}
	tell(t, gs[2], at)
	if n := behind(t, gs[0], at.Add(presence.Lease), 2); n != 1 {
		t.Errorf("%d are behind, want 1", n)
	}
	if err := gs[2].Close(); err != nil {
		t.Fatal(err)
	}
	if n := behind(t, gs[0], at.Add(presence.Lease), 2); n != 0 {
		t.Errorf("%d are behind, want none", n)
	}

	// It comes back late, with the keystore of before, and then with the present one.
	if g, err := gallery.Open(cfgs[2]); !errors.Is(err, gallery.ErrOutdated) {
		t.Errorf("opened %v, %v; want ErrOutdated", g, err)
	}
	cfgs[2].Ring = ringOf(t, 2)
	g := home{cfg: cfgs[2]}.open(t)
	tell(t, g, at)
	if n := behind(t, gs[0], at.Add(presence.Lease), 2); n != 0 {
		t.Errorf("%d are behind, want none", n)
	}
	for i := range 4 {
		check(t, g, person(i))
	}
	// One that was killed is waited for as long as its lease.
	for _, o := range tell(t, gs[1], at) {
		if o.Keys[subjects.KeyKEK].Current != 2 {
			t.Errorf("%s uses %+v", o.Name, o.Keys)
		}
	}
	if n := behind(t, gs[0], at.Add(presence.Lease), 3); n != 2 {
		t.Errorf("%d are behind, want 2", n)
	}
	if n := behind(t, gs[0], at.Add(2*presence.Lease), 3); n != 0 {
		t.Errorf("%d are behind, want none", n)
	}
}

// TestClonedReplicas: two galleries whose folders are copies of one are two.
func TestClonedReplicas(t *testing.T) {
	dsn := postgres.Start(t).Database(t)
	at := time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC)
	cfg := inPostgres(t, dsn)
	g := home{cfg: cfg}.open(t)
	tell(t, g, at)
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	copied := cfg
	copied.Dir = newDir(t)
	if err := os.CopyFS(copied.Dir, os.DirFS(cfg.Dir)); err != nil {
		t.Fatal(err)
	}
	one, two := home{cfg: cfg}.open(t), home{cfg: copied}.open(t)
	for range 2 {
		tell(t, one, at)
		tell(t, two, at)
	}
	if n := len(tell(t, one, at)); n != 1 {
		t.Errorf("one sees %d others", n)
	}
	if n := len(tell(t, two, at)); n != 1 {
		t.Errorf("the other one sees %d others", n)
	}
}
