package lab_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/tamga-id/tamga/federation/transport"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/authority"
	"github.com/tamga-id/tamga/node/demo"
	"github.com/tamga-id/tamga/node/lab"
)

func sandbox(t *testing.T) *demo.Federation {
	t.Helper()
	f, err := demo.Start(context.WithoutCancel(t.Context()), demo.Options{Dir: t.TempDir(), Countries: demo.Countries()[:1], Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func config(f *demo.Federation) lab.Config {
	return lab.Config{EntityID: "https://lab.example", Anchor: f.Anchor, Keys: lab.NewKeys(), Now: time.Now,
		Enrol: func(_ context.Context, configuration string) error {
			_, err := f.Authority().Enroll(configuration, authority.EnrollOptions{Jurisdiction: lab.Jurisdiction})
			return err
		}}
}

// TestJoin: a laboratory reaches a node as a member, under its keys again later, and a
// stranger does not reach it.
func TestJoin(t *testing.T) {
	f := sandbox(t)
	cfg := config(f)
	for range 2 {
		l, err := lab.Join(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		cfg.Enrol = nil
		if err := f.Introduce(t.Context()); err != nil {
			t.Fatal(err)
		}
		target, err := l.Country("KAZ")
		if err != nil {
			t.Fatal(err)
		}
		if same, err := l.Entity(target.EntityID); err != nil || same.PeerID != target.PeerID {
			t.Errorf("found another node by identifier: %v", err)
		}
		if _, err := target.Line.Exchange(t.Context(), []byte("no Query")); err != nil {
			t.Errorf("the laboratory is not answered: %v", err)
		}
		if _, err := target.Stranger.Exchange(t.Context(), []byte("no Query")); !errors.Is(err, transport.ErrNotAdmitted) {
			t.Errorf("the stranger got %v", err)
		}
		if _, err := l.Country("UZB"); !errors.Is(err, trust.ErrNotMember) {
			t.Errorf("a country without a node gives %v", err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestJoinRefused(t *testing.T) {
	f := sandbox(t)
	for name, edit := range map[string]func(*lab.Config){
		"not-enrolled":     func(c *lab.Config) { c.Enrol = nil },
		"other-keys":       func(c *lab.Config) { c.EntityID, c.Enrol = trust.EntityID(demo.EntityID("KAZ")), nil },
		"held":             func(c *lab.Config) { c.Jurisdiction = "KAZ" },
		"no-clock":         func(c *lab.Config) { c.Now = nil },
		"not-an-entity":    func(c *lab.Config) { c.EntityID = "lab" },
		"anchor-is-silent": func(c *lab.Config) { c.Anchor.Location = "http://127.0.0.1:1" },
		"half-the-keys":    func(c *lab.Config) { c.Keys.Transport = nil },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config(f)
			edit(&cfg)
			if l, err := lab.Join(t.Context(), cfg); err == nil {
				t.Error("joined")
				_ = l.Close()
			}
		})
	}
}
