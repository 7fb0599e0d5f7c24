package mutant_test

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tamga-id/tamga/conformance"
	"github.com/tamga-id/tamga/conformance/party"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/authority"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/demo"
	"github.com/tamga-id/tamga/node/lab"
	"github.com/tamga-id/tamga/node/mutant"
)

const people = 12

// sandbox is a federation with one node under test and two laboratories, the second
// of which lends its name to what the first sends.
type sandbox struct {
	federation    *demo.Federation
	tester, other *lab.Lab
}

func start(t *testing.T, code string, o node.Overrides) sandbox {
	t.Helper()
	ctx := t.Context()
	var country []demo.Country
	for _, c := range demo.Countries() {
		if c.Code == code {
			country = append(country, c)
		}
	}
	f, err := demo.Start(context.WithoutCancel(ctx), demo.Options{Dir: t.TempDir(), Countries: country, People: people,
		Log: slog.New(slog.DiscardHandler), Overrides: map[string]node.Overrides{code: o}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	s := sandbox{federation: f, tester: join(t, f, "https://lab.sandbox.tamga.example", "XTS"),
		other: join(t, f, "https://lab2.sandbox.tamga.example", "XTT")}
	if err := f.Introduce(ctx); err != nil {
		t.Fatal(err)
	}
	return s
}

func join(t *testing.T, f *demo.Federation, id trust.EntityID, jurisdiction string) *lab.Lab {
	t.Helper()
	l, err := lab.Join(t.Context(), lab.Config{EntityID: id, Jurisdiction: jurisdiction, Anchor: f.Anchor, Now: time.Now,
		Enrol: func(_ context.Context, configuration string) error {
			_, err := f.Authority().Enroll(configuration, authority.EnrollOptions{Jurisdiction: jurisdiction})
			return err
		}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func (s sandbox) examine(t *testing.T, code string) conformance.Report {
	t.Helper()
	target, err := s.tester.Country(code)
	if err != nil {
		t.Fatal(err)
	}
	r, err := conformance.Run(t.Context(), conformance.Options{
		Target: party.Target{Entity: string(target.EntityID), Jurisdiction: target.Jurisdiction, Peer: target.Peer,
			SealingKey: target.SealingKeys[0], Modalities: target.Modalities, Purposes: target.Purposes},
		Tester: party.Tester{Entity: string(s.tester.EntityID), Jurisdiction: s.tester.Jurisdiction, Signing: s.tester.Signing,
			Exchanger: target.Line, Trust: target.Trust, Consent: target.Consent, Stranger: target.Stranger,
			Other: party.Member{Entity: string(s.other.EntityID), Signing: s.other.Signing}},
		Subjects: party.Synthetic(demo.Seed, code, people), Seed: 71, Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func failed(r conformance.Report) (ids []string) {
	for _, c := range r.Cases {
		if c.Result == conformance.Fail {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

// TestHonest: the real node passes everything that applies, under every built-in law.
func TestHonest(t *testing.T) {
	for _, code := range []string{"KAZ", "KGZ", "TJK", "UZB"} {
		t.Run(code, func(t *testing.T) {
			r := start(t, code, node.Overrides{}).examine(t, code)
			if err := r.WriteText(t.Output()); err != nil {
				t.Fatal(err)
			}
			if !r.OK() {
				t.Error("the real node does not pass")
			}
			for _, c := range r.Cases {
				if c.Result == conformance.Skip && !strings.HasPrefix(c.ID, "TMG-CONF-T-") {
					t.Errorf("%s does not apply to %s: %s", c.ID, code, c.Got)
				}
			}
		})
	}
}

// TestCaught: of every mutant the suite names a requirement that it breaks.
func TestCaught(t *testing.T) {
	if len(mutant.All()) < 5 {
		t.Fatalf("only %d mutants", len(mutant.All()))
	}
	for _, m := range mutant.All() {
		t.Run(m.Name, func(t *testing.T) {
			t.Parallel()
			o, err := mutant.Overrides(m.Name)
			if err != nil {
				t.Fatal(err)
			}
			r := start(t, "UZB", o).examine(t, "UZB")
			caught := failed(r)
			t.Logf("%s, caught by %d: %s", m.Does, len(caught), strings.Join(caught[:min(len(caught), 6)], " "))
			if len(caught) == 0 {
				if err := r.WriteText(t.Output()); err != nil {
					t.Fatal(err)
				}
				t.Fatal("not caught")
			}
			for _, c := range r.Cases {
				if c.Result == conformance.Fail && slices.ContainsFunc(c.Broken, func(q string) bool { return slices.Contains(m.Requirements, q) }) {
					return
				}
			}
			t.Errorf("no finding names one of %v", m.Requirements)
		})
	}
}
