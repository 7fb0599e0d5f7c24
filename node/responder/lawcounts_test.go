package responder_test

import (
	"strings"
	"testing"

	"github.com/tamga-id/tamga/federation/policy"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/budget"
)

// counting is a law of KAZ that lets borders ask, and forbids by what the node has counted and knows of the subject.
func counting(t *testing.T, forbids ...string) *policy.Law {
	t.Helper()
	text := `//! tamga_law: 1
//! jurisdiction: KAZ
//! version: 1
//! status: confirmed
//! law: Act
//! default_article: Article 1
@id("border") @law("Act") @article("Article 2") @consent("none") @fmr("1000") @modalities("face")
permit (principal, action == Tamga::Action::"verify", resource)
when { context.purpose == "border_control" && context.legal_basis == "public_task" };
`
	for _, f := range forbids {
		id, condition, _ := strings.Cut(f, ": ")
		text += `@id("` + id + `") @law("Act") @article("Article 3") forbid (principal, action, resource) when { ` + condition + " };\n"
	}
	return must(policy.Load("KAZ.cedar", []byte(text)))
}

// TestLawCounts: law sees what was counted before a Query, and what the limits leave.
func TestLawCounts(t *testing.T) {
	p := person(7)
	for name, c := range map[string]struct {
		forbid string
		limits budget.Limits
		want   []protocol.Code // of one Query after the other
		rule   string
	}{
		"used-by-officer":   {"often: context.queries_by_officer > 1", budget.Limits{}, []protocol.Code{protocol.CodeMatched, protocol.CodeMatched, protocol.CodeLaw}, "often"},
		"used-by-requester": {"often: context.queries_by_requester >= 1", budget.Limits{}, []protocol.Code{protocol.CodeMatched, protocol.CodeLaw}, "often"},
		"used-for-purpose":  {"often: 0 < context.queries_for_purpose", budget.Limits{}, []protocol.Code{protocol.CodeMatched, protocol.CodeLaw}, "often"},
		"about-subject":     {"often: context.queries_about_subject >= 2", budget.Limits{}, []protocol.Code{protocol.CodeMatched, protocol.CodeMatched, protocol.CodeLaw}, "often"},
		// the last two of four are kept for others
		"left-by-officer": {"kept: context.left_by_officer <= 2", budget.Limits{Officer: 4},
			[]protocol.Code{protocol.CodeMatched, protocol.CodeMatched, protocol.CodeLaw, protocol.CodeLaw, protocol.CodeBudget}, "kept"},
		"left-without-limit": {"kept: context.left_by_officer <= 2", budget.Limits{}, []protocol.Code{protocol.CodeMatched, protocol.CodeMatched}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld().withLedger(t).withGallery(t, enrolled(p, faceTemplate(p.FaceReference()))).withBudgets(t, c.limits)
			w.law.real = counting(t, c.forbid)
			for i, want := range c.want {
				a := w.send(t, about(p, faceProbe(p.FaceProbe(1))))
				if a.Code != want {
					t.Errorf("query %d: %s, want %s", i+1, a.Code, want)
				}
				if a.Code == protocol.CodeLaw && (a.Policy.ID != c.rule || a.Policy.Article != "Article 3") {
					t.Errorf("query %d: refused by %+v", i+1, a.Policy)
				}
			}
		})
	}
}

// TestLawMisses: misses are counted for law where no limit locks anybody.
func TestLawMisses(t *testing.T) {
	p, other := person(7), person(8)
	w := newWorld().withLedger(t).withGallery(t, enrolled(p, faceTemplate(p.FaceReference()))).withBudgets(t, budget.Limits{})
	w.law.real = counting(t, "probing: context.near_misses >= 2")
	for i, want := range []protocol.Code{protocol.CodeNotMatched, protocol.CodeNotMatched, protocol.CodeLaw} {
		if got := w.tries(t, p, other.FaceProbe(1)); got != want {
			t.Errorf("query %d: %s, want %s", i+1, got, want)
		}
	}
}

// TestLawClass: law is asked about the class that the register has of the subject, once the seal is open; before, and of
// who is not enrolled, none is known.
func TestLawClass(t *testing.T) {
	nobody := person(9)
	for name, c := range map[string]struct {
		class, forbid string
		want, of      protocol.Code // about the person, and about nobody
	}{
		"minor":           {"minor", `minors: resource.subject_class == "minor"`, protocol.CodeLaw, protocol.CodeSubjectUnknown},
		"adult":           {"adult", `minors: resource.subject_class == "minor"`, protocol.CodeMatched, protocol.CodeSubjectUnknown},
		"nothing-said":    {"", `minors: resource.subject_class == "minor"`, protocol.CodeMatched, protocol.CodeSubjectUnknown},
		"adults-alone":    {"adult", `others: resource.subject_class != "adult"`, protocol.CodeMatched, protocol.CodeLaw},
		"protected-alone": {"protected", `others: !(resource.subject_class == "protected")`, protocol.CodeMatched, protocol.CodeLaw},
	} {
		t.Run(name, func(t *testing.T) {
			p := person(7)
			e := enrolled(p, faceTemplate(p.FaceReference()))
			e.Class = c.class
			w := newWorld().withLedger(t).withGallery(t, e)
			w.law.real = counting(t, c.forbid)
			if got := w.tries(t, p, p.FaceProbe(1)); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			if got := w.tries(t, nobody, p.FaceProbe(2)); got != c.of {
				t.Errorf("of nobody: got %s, want %s", got, c.of)
			}
		})
	}
}

// TestNoLaw: a node that cannot read its law is unavailable, whatever is asked; it refuses nobody by an article.
func TestNoLaw(t *testing.T) {
	p := person(7)
	w := newWorld().withLedger(t).withGallery(t, enrolled(p, faceTemplate(p.FaceReference())))
	w.law.d = (*policy.Law)(nil).Decide(policy.Request{})
	if a := w.send(t, about(p, faceProbe(p.FaceProbe(1)))); a.Code != protocol.CodeInternal || a.Outcome != protocol.Unavailable {
		t.Errorf("got %+v", a.Verdict)
	}
}
