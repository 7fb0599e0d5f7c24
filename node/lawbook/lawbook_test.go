package lawbook_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/policy"
	"github.com/tamga-id/tamga/federation/policy/lawtext"
	"github.com/tamga-id/tamga/federation/policy/vocabulary"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/budget"
	"github.com/tamga-id/tamga/node/lawbook"
)

const entity = "https://node.kgz.example"

var noon = time.Date(2026, time.March, 21, 12, 0, 0, 0, time.UTC)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func key(b byte) jose.PrivateKey { return must(jose.NewPrivateKey(bytes.Repeat([]byte{b}, 32))) }

// first is the built-in law; next is one that also serves hotels.
func first() []byte { src, _ := policy.Builtin("KGZ"); return src }

func next(version string) []byte {
	src := strings.Replace(string(first()), "version: 2026.3", "version: "+version, 1)
	i := strings.Index(src, "// Commercial check-in")
	j := strings.Index(src, "// Nor is a bank")
	return []byte(src[:i] + `@id("kgz-hotels") @law("Act") @article("Article 9") @consent("holder") @fmr("10000") @modalities("face")
permit (principal, action == Tamga::Action::"verify", resource)
when { context.purpose == "travel_check_in" && context.legal_basis == "consent" };

` + src[j:])
}

func open(t testing.TB, dir string) *lawbook.Book {
	t.Helper()
	return must(lawbook.Open(dir, must(policy.Load("law.cedar", first())), first()))
}

func propose(t testing.TB, b *lawbook.Book, text []byte) lawbook.Proposal {
	t.Helper()
	last := b.Last()
	return must(lawbook.Propose(entity, "KGZ", last.Number, last.Digest, "next.cedar", text, "hotels asked for it"))
}

var a, b, c = key(1), key(2), key(3)

func operators() []jose.PublicKey { return []jose.PublicKey{a.Public(), b.Public()} }

func approve(p lawbook.Proposal, keys ...jose.PrivateKey) []string {
	var out []string
	for _, k := range keys {
		out = append(out, must(lawbook.Approve(p, k, noon)))
	}
	return out
}

func recorded(lawbook.Proposal, []byte, []string) (string, uint64, error) { return "origin", 7, nil }

// TestPublish: a text, then another, then the first again; each can be had for ever, over a restart too.
func TestPublish(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "laws")
	book := open(t, dir)
	for i, text := range [][]byte{next("2026.4"), next("2026.5"), first()} {
		p := propose(t, book, text)
		p = must(lawbook.Parse(must(p.Marshal()))) // as the operators get it
		done, err := book.Publish(p, approve(p, a, b), operators(), noon, recorded)
		if err != nil {
			t.Fatal(err)
		}
		if done.Number != uint64(i+1) || len(done.Operators) != 2 || done.Entry != 7 || done.Proposal != p.Digest() {
			t.Errorf("got %+v", done)
		}
		book = open(t, dir)
	}
	all := book.Publications()
	if len(all) != 4 || !bytes.Equal(all[0].Text, first()) || !bytes.Equal(all[1].Text, next("2026.4")) || !bytes.Equal(book.Last().Text, first()) {
		t.Fatalf("%d publications", len(all))
	}
	// The configuration's file does not count any more.
	other := next("2027.1")
	again := must(lawbook.Open(dir, must(policy.Load("x", other)), other))
	if got := again.Publications(); !bytes.Equal(got[0].Text, first()) || len(got) != 4 {
		t.Error("the first law is another one after a restart")
	}
}

// TestNotPublished: one operator, another's signature, another text, an approval used again: nothing changes.
func TestNotPublished(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "laws")
	book := open(t, dir)
	p := propose(t, book, next("2026.4"))
	other := propose(t, book, next("2026.5"))
	forClone := must(lawbook.Propose("https://other.example", "KGZ", 0, book.Last().Digest, "x", next("2026.4"), "hotels asked for it"))
	for name, approvals := range map[string][]string{
		"none": nil, "one": approve(p, a), "one-twice": approve(p, a, a), "stranger": approve(p, a, c),
		"another-text": append(approve(p, a), approve(other, b)...), "another-node": append(approve(p, a), approve(forClone, b)...),
		"garbage": append(approve(p, a), "x.y.z"),
	} {
		if _, err := book.Publish(p, approvals, operators(), noon, recorded); !errors.Is(err, lawbook.ErrApproval) {
			t.Errorf("%s: %v", name, err)
		}
	}
	failing := errors.New("disk full")
	if _, err := book.Publish(p, approve(p, a, b), operators(), noon, func(lawbook.Proposal, []byte, []string) (string, uint64, error) {
		return "", 0, failing
	}); !errors.Is(err, failing) {
		t.Errorf("without an entry: %v", err)
	}
	if book.Last().Number != 0 || open(t, dir).Last().Number != 0 {
		t.Fatal("something was published")
	}
	must(book.Publish(p, approve(p, a, b), operators(), noon, recorded))
	back := propose(t, book, first())
	must(book.Publish(back, approve(back, a, b), operators(), noon, recorded))
	if _, err := book.Publish(p, approve(p, a, b), operators(), noon, recorded); !errors.Is(err, lawbook.ErrStale) {
		t.Errorf("an approval used twice: %v", err)
	}
	if _, err := lawbook.Propose(entity, "KGZ", 2, book.Last().Digest, "x", first(), ""); !errors.Is(err, lawbook.ErrStale) {
		t.Errorf("the law in force is proposed: %v", err)
	}
	var faults *lawtext.LawError
	if _, err := lawbook.Propose(entity, "KGZ", 2, book.Last().Digest, "x", []byte("forbid"), ""); !errors.As(err, &faults) {
		t.Errorf("a broken law is proposed: %v", err)
	}
}

// TestFolder: a file that is missing, changed or put in between is an error, never an older law.
func TestFolder(t *testing.T) {
	make2 := func(t *testing.T) string {
		dir := filepath.Join(t.TempDir(), "laws")
		book := open(t, dir)
		for _, text := range [][]byte{next("2026.4"), next("2026.5")} {
			p := propose(t, book, text)
			must(book.Publish(p, approve(p, a, b), operators(), noon, recorded))
		}
		return dir
	}
	for name, change := range map[string]func(dir string) error{
		"missing": func(dir string) error { return os.Remove(filepath.Join(dir, "000001.json")) },
		"swapped": func(dir string) error {
			return os.Rename(filepath.Join(dir, "000002.json"), filepath.Join(dir, "000001.json"))
		},
		"text": func(dir string) error { return edit(dir, "2026.5", "2026.6") },
		"cut":  func(dir string) error { return os.Truncate(filepath.Join(dir, "000002.json"), 100) },
		"more": func(dir string) error { return edit(dir, `"approvals"`, `"more": 1, "approvals"`) },
		"first": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "000000.cedar"), next("2026.9"), 0o600)
		},
	} {
		dir := make2(t)
		if err := change(dir); err != nil {
			t.Fatal(err)
		}
		if _, err := lawbook.Open(dir, must(policy.Load("law.cedar", first())), first()); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
}

func edit(dir, old, new string) error {
	path := filepath.Join(dir, "000002.json")
	src, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(strings.Replace(string(src), old, new, 1)), 0o600)
}

// TestCurrent changes between two decisions, and the zero value refuses.
func TestCurrent(t *testing.T) {
	var law lawbook.Current
	r := policy.Request{Direction: policy.Answer, Requester: "https://a.example", Responder: entity, RequesterCountry: "KAZ", ResponderCountry: "KGZ",
		Purpose: "travel_check_in", LegalBasis: "consent", Operation: "verify", Consent: vocabulary.ConsentHolder}
	if law.Decide(r).Allowed || law.Serves(noon).Purposes != nil {
		t.Error("no law allows")
	}
	law.Set(must(policy.Load("x", first())))
	if law.Decide(r).Allowed || slices.Contains(law.Serves(noon).Purposes, "travel_check_in") {
		t.Error("the first law allows")
	}
	law.Set(must(policy.Load("x", next("2026.4"))))
	if !law.Decide(r).Allowed || !slices.Contains(law.Serves(noon).Purposes, "travel_check_in") {
		t.Error("the second law refuses")
	}
}

// past makes n leaves as a node's ledger has them: decisions both ways under the first law, and others.
func past(t testing.TB, n int) iter.Seq2[uint64, []byte] {
	law := must(policy.Load("x", first()))
	purposes, bases := vocabulary.Purposes(), vocabulary.LegalBases()
	var leaves [][]byte
	for i := range n {
		e := protocol.Envelope{Issuer: "https://a.example", Audience: entity, Purpose: purposes[i%len(purposes)],
			LegalBasis: bases[i/len(purposes)%len(bases)], Operation: "verify", Officer: "o"}
		in := protocol.Inputs{RequesterCountry: "KAZ", ResponderCountry: "KGZ", Consent: vocabulary.ConsentHolder, Modalities: "face"}
		d := law.Decide(policy.Request{Direction: policy.Answer, Requester: e.Issuer, Responder: e.Audience, RequesterCountry: "KAZ",
			ResponderCountry: "KGZ", Purpose: e.Purpose, LegalBasis: e.LegalBasis, Operation: e.Operation, Consent: in.Consent, Modality: "face", Time: noon})
		v := protocol.Verdict{Outcome: protocol.Matched, Code: protocol.CodeMatched, FMROneIn: 10000, Policy: protocol.PolicyRef{ID: d.PolicyID, Version: d.Version}}
		if !d.Allowed {
			v = protocol.Verdict{Outcome: protocol.Refused, Code: protocol.CodeLaw, Policy: v.Policy}
		}
		l := protocol.NewLeaf(protocol.LeafAnswer, e, protocol.Hash{1}, v, noon)
		l.Inputs = in
		leaves = append(leaves, must(l.Marshal()))
	}
	return func(yield func(uint64, []byte) bool) {
		for i, b := range leaves {
			if !yield(uint64(i), b) {
				return
			}
		}
	}
}

func TestSimulate(t *testing.T) {
	same := must(lawbook.Simulate(must(policy.Load("x", first())), past(t, 840), lawbook.Assumed{}))
	if same.Entries != 840 || same.Decisions != 840 || same.Same != 840 || len(same.Groups) != 0 {
		t.Errorf("under its own law: %+v", same)
	}
	s := must(lawbook.Simulate(must(policy.Load("x", next("2026.4"))), past(t, 840), lawbook.Assumed{}))
	if s.Same != 830 || len(s.Groups) != 1 {
		t.Fatalf("got %+v", s)
	}
	g := s.Groups[0]
	if g.Purpose != "travel_check_in" || g.LegalBasis != "consent" || g.WasAllowed || !g.New.Allowed || g.Count != 10 || g.First != 5 || g.OldPolicy != "kgz-no-travel-check-in" || g.Country != "KAZ" {
		t.Errorf("got %+v", g)
	}
	// Verdicts of others, entries of other kinds, and old leaves that say nothing of what was asked.
	e := protocol.Envelope{Issuer: entity, Audience: "https://a.example", Purpose: "border_control", LegalBasis: "public_task", Operation: "verify", Officer: "o"}
	rule := protocol.PolicyRef{ID: "x"}
	var leaves [][]byte
	for _, l := range []protocol.Leaf{
		protocol.NewLeaf(protocol.LeafEnrolment, e, protocol.Hash{1}, protocol.Verdict{}, noon),
		protocol.NewLeaf(protocol.LeafVerdict, e, protocol.Hash{1}, protocol.Verdict{Outcome: protocol.Matched, Code: protocol.CodeMatched, FMROneIn: 1000, Policy: rule}, noon),
		protocol.NewLeaf(protocol.LeafAnswer, e, protocol.Hash{1}, protocol.Verdict{Outcome: protocol.Refused, Code: protocol.CodeReplay}, noon),
		protocol.NewLeaf(protocol.LeafIntent, e, protocol.Hash{1}, protocol.Verdict{Policy: rule}, noon),
	} {
		leaves = append(leaves, must(l.Marshal()))
	}
	s = must(lawbook.Simulate(must(policy.Load("x", first())), func(yield func(uint64, []byte) bool) {
		for i, b := range leaves {
			if !yield(uint64(i), b) {
				return
			}
		}
	}, lawbook.Assumed{}))
	if s.Entries != 4 || s.Decisions != 1 || s.Unknown != 1 || s.Same != 0 || len(s.Groups) != 0 {
		t.Errorf("got %+v", s)
	}
	if _, err := lawbook.Simulate(must(policy.Load("x", first())), func(yield func(uint64, []byte) bool) { yield(0, []byte("x")) }, lawbook.Assumed{}); err == nil {
		t.Error("an entry that cannot be read is passed over")
	}
}

// TestSimulateCounts: what a law asks of counts is counted again from the ledger, and of subjects what is assumed.
func TestSimulateCounts(t *testing.T) {
	e := protocol.Envelope{Issuer: "https://kaz.example", Audience: entity, Purpose: "travel_check_in", LegalBasis: "consent", Operation: "verify", Officer: "o-1"}
	var leaves [][]byte
	add := func(officer string, at time.Time, modalities string) {
		e.Officer = officer
		l := protocol.NewLeaf(protocol.LeafAnswer, e, protocol.Hash{1}, protocol.Verdict{Outcome: protocol.Matched, Code: protocol.CodeMatched, FMROneIn: 10000, Policy: protocol.PolicyRef{ID: "kgz-hotels"}}, at)
		l.Inputs = protocol.Inputs{RequesterCountry: "KAZ", ResponderCountry: "KGZ", Consent: vocabulary.ConsentHolder, Modalities: modalities}
		leaves = append(leaves, must(l.Marshal()))
	}
	for i := range 5 {
		add("o-1", noon.Add(time.Duration(i)*time.Minute), "face")
	}
	add("o-2", noon.Add(5*time.Minute), "face") // another officer
	add("o-1", noon.Add(6*time.Minute), "")     // whose seal was not opened
	add("o-1", noon.Add(2*time.Hour), "face")   // in a later hour
	entries := func(yield func(uint64, []byte) bool) {
		for i, b := range leaves {
			if !yield(uint64(i), b) {
				return
			}
		}
	}
	forbid := func(condition string) *policy.Law {
		return must(policy.Load("x", []byte(string(next("2026.4"))+`@id("extra") @law("Act") @article("Article 10") forbid (principal, action, resource) when { `+condition+" };\n")))
	}
	for name, c := range map[string]struct {
		condition string
		assumed   lawbook.Assumed
		count     int
		first     uint64
		seen      policy.Counts
	}{
		"used":      {"context.queries_by_officer >= 3", lawbook.Assumed{}, 2, 3, policy.Counts{ByOfficer: 4, ByRequester: 4, ForPurpose: 4}},
		"left":      {"context.left_by_officer <= 2", lawbook.Assumed{Limits: budget.Limits{Officer: 5}}, 2, 3, policy.Counts{ByOfficer: 4, ByRequester: 4, ForPurpose: 4, LeftByOfficer: 1}},
		"purpose":   {"context.queries_for_purpose >= 5", lawbook.Assumed{}, 1, 5, policy.Counts{ByRequester: 5, ForPurpose: 5}},
		"minor":     {`resource.subject_class == "minor"`, lawbook.Assumed{Class: "minor"}, 8, 0, policy.Counts{}},
		"not-minor": {`resource.subject_class == "minor"`, lawbook.Assumed{}, 0, 0, policy.Counts{}},
	} {
		s := must(lawbook.Simulate(forbid(c.condition), entries, c.assumed))
		count := 0
		for _, g := range s.Groups {
			count += g.Count
		}
		if count != c.count || s.Same != len(leaves)-c.count {
			t.Errorf("%s: %d change, want %d: %+v", name, count, c.count, s)
			continue
		}
		if count > 0 && (s.Groups[0].First != c.first || s.Groups[0].New.PolicyID != "extra" || s.Groups[0].Counts != c.seen) {
			t.Errorf("%s: %+v", name, s.Groups[0])
		}
	}
}

// TestSimulateSearches: searches were counted apart from Queries about one person, and are again.
func TestSimulateSearches(t *testing.T) {
	var leaves [][]byte
	add := func(operation, purpose, basis, consent string, v protocol.Verdict, minute int) {
		e := protocol.Envelope{Issuer: "https://kaz.example", Audience: entity, Purpose: purpose, LegalBasis: basis, Operation: operation, Officer: "o-1"}
		l := protocol.NewLeaf(protocol.LeafAnswer, e, protocol.Hash{1}, v, noon.Add(time.Duration(minute)*time.Minute))
		l.Inputs = protocol.Inputs{RequesterCountry: "KAZ", ResponderCountry: "KGZ", Consent: consent, Modalities: "face"}
		leaves = append(leaves, must(l.Marshal()))
	}
	for i := range 3 {
		add("verify", "travel_check_in", "consent", vocabulary.ConsentHolder, protocol.Verdict{Outcome: protocol.Matched, Code: protocol.CodeMatched, FMROneIn: 10000,
			Policy: protocol.PolicyRef{ID: "kgz-hotels"}}, i)
	}
	for i := range 4 {
		add("identify", "humanitarian_aid", "vital_interest", vocabulary.ConsentExemption, protocol.Verdict{Outcome: protocol.Inconclusive, Code: protocol.CodeCandidates, FMROneIn: 10000,
			Policy: protocol.PolicyRef{ID: "kgz-search-rescue"}}, 3+i)
	}
	entries := func(yield func(uint64, []byte) bool) {
		for i, b := range leaves {
			if !yield(uint64(i), b) {
				return
			}
		}
	}
	law := must(policy.Load("x", []byte(string(next("2026.4"))+`@id("extra") @law("Act") @article("Article 10") forbid (principal, action, resource) when { context.queries_by_officer >= 3 };
`)))
	s := must(lawbook.Simulate(law, entries, lawbook.Assumed{Limits: budget.Limits{Officer: 2}, Searches: budget.Limits{Officer: 9}}))
	if len(s.Groups) != 1 || s.Groups[0].Count != 1 || s.Groups[0].First != 6 || s.Groups[0].Counts.LeftByOfficer != 6 {
		t.Errorf("want the fourth search alone: %+v", s)
	}
}

// BenchmarkSimulate is 100,000 decisions under the built-in law of KGZ.
func BenchmarkSimulate(b *testing.B) {
	law, entries := must(policy.Load("x", next("2026.4"))), past(b, 100_000)
	for b.Loop() {
		if s := must(lawbook.Simulate(law, entries, lawbook.Assumed{})); s.Decisions != 100_000 {
			b.Fatal(s.Decisions)
		}
	}
}

// FuzzParse: a proposal comes over the wire, and its claim has one encoding.
func FuzzParse(f *testing.F) {
	p := propose(f, open(f, f.TempDir()), next("2026.4"))
	f.Add(must(p.Marshal()))
	f.Add(must(json.Marshal(map[string]string{"claim": "{}", "law": ""})))
	f.Fuzz(func(t *testing.T, src []byte) {
		p, err := lawbook.Parse(src)
		if err != nil {
			return
		}
		again, err := lawbook.Parse(must(p.Marshal()))
		if err != nil || again.Digest() != p.Digest() || !bytes.Equal(again.Text, p.Text) {
			t.Fatalf("%v: another proposal when written and read", err)
		}
	})
}
