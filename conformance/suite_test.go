package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tamga-id/tamga/conformance/party"
	"github.com/tamga-id/tamga/federation/protocol"
)

// TestCasesCiteTheText: every case cites requirements that PROTOCOL.md has, and there
// are enough cases of each kind.
func TestCasesCiteTheText(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "federation", "protocol", "PROTOCOL.md"))
	if err != nil {
		t.Fatal(err)
	}
	known := make(map[string]bool)
	for _, m := range regexp.MustCompile(`(?m)^- \*\*(TMG-[A-Z]-\d{3})\*\*`).FindAllStringSubmatch(string(text), -1) {
		known[m[1]] = true
	}
	if len(known) < 40 {
		t.Fatalf("only %d requirements found in the text", len(known))
	}
	id := regexp.MustCompile(`^TMG-CONF-[A-Z]-\d{3}$`)
	seen, titles, negative := make(map[string]bool), make(map[string]bool), 0
	for _, c := range append(Cases(), preflight()...) {
		if !id.MatchString(c.ID) || seen[c.ID] || c.Title == "" || titles[c.Title] || c.steps == nil {
			t.Errorf("%q: identifier or title is not well-formed, or not unique, or there are no steps", c.ID)
		}
		seen[c.ID], titles[c.Title] = true, true
		if len(c.Requirements) == 0 {
			t.Errorf("%s cites no requirement", c.ID)
		}
		for _, r := range c.Requirements {
			if !known[r] {
				t.Errorf("%s cites %s, which PROTOCOL.md does not have", c.ID, r)
			}
		}
		if c.Negative {
			negative++
		}
	}
	if n := len(Cases()); n < 20 || negative < 12 || negative*2 < n {
		t.Errorf("%d cases, %d negative: too few", n, negative)
	}
}

// TestUnderstood: a draft without faults is a Query to package protocol, and the Answer
// of package protocol is one to the suite.
func TestUnderstood(t *testing.T) {
	f := newFake(t)
	r := run(t, f.options(), "TMG-CONF-V-001", "TMG-CONF-V-002", "TMG-CONF-A-001", "TMG-CONF-A-002", "TMG-CONF-A-003",
		"TMG-CONF-L-001", "TMG-CONF-L-002", "TMG-CONF-X-001", "TMG-CONF-Q-017", "TMG-CONF-Q-032", "TMG-CONF-R-003", "TMG-CONF-R-005")
	for _, c := range r.Cases {
		if c.Result != Pass && c.ID != "TMG-CONF-X-001" {
			t.Errorf("%s: %s, expected %s, got %s", c.ID, c.Result, c.Expected, c.Got)
		}
	}
}

func run(t *testing.T, o Options, only ...string) Report {
	t.Helper()
	o.Only = only
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestRefusedByProtocol: every fault of form, header, signature, time, seal and
// content is one that package protocol refuses with the code the case demands.
func TestRefusedByProtocol(t *testing.T) {
	f := newFake(t)
	r := run(t, f.options())
	n := 0
	for _, c := range r.Cases {
		mine := strings.HasPrefix(c.ID, "TMG-CONF-Q-") || (strings.HasPrefix(c.ID, "TMG-CONF-S-0") && c.ID < "TMG-CONF-S-040")
		if !mine || c.ID == "TMG-CONF-S-002" { // naming another key is refused by whoever looks the key up
			continue
		}
		n++
		if c.Result != Pass {
			t.Errorf("%s %s: %s, expected %s, got %s", c.ID, c.Title, c.Result, c.Expected, c.Got)
		}
	}
	if n < 40 {
		t.Errorf("only %d cases were looked at", n)
	}
}

// TestPreflight: what does not fit together is never the target's failure.
func TestPreflight(t *testing.T) {
	code := func(c protocol.Code) func(*fake, *Options) {
		return func(f *fake, _ *Options) {
			f.code = func(protocol.Query, protocol.Question) protocol.Code { return c }
		}
	}
	for name, break_ := range map[string]func(*fake, *Options){
		"unreachable":     func(_ *fake, o *Options) { o.Tester.Exchanger = dead{} },
		"no-key":          func(_ *fake, o *Options) { o.Target.Peer.Keys = newFake(t).peer.Keys },
		"no-subjects":     func(_ *fake, o *Options) { o.Subjects = party.Synthetic(1, "UZB", 1) },
		"no-modality":     func(_ *fake, o *Options) { o.Target.Modalities = []string{"iris"} },
		"not-enrolled":    code(protocol.CodeSubjectUnknown),
		"other-people":    code(protocol.CodeNotMatched),
		"unlawful":        code(protocol.CodeLaw),
		"not-a-member":    func(_ *fake, o *Options) { o.Tester.Entity = "https://nobody.example" },
		"not-its-key":     func(_ *fake, o *Options) { o.Tester.Signing = newFake(t).tester },
		"says-nothing":    func(f *fake, _ *Options) { f.edit = func([]byte) []byte { return []byte("hello") } },
		"clocks":          func(f *fake, o *Options) { o.Now = func() time.Time { return f.now().Add(-20 * time.Second) } },
		"other-ledger":    func(f *fake, o *Options) { o.Target.Peer.Entity = "https://elsewhere.example" },
		"other-seal":      func(_ *fake, o *Options) { o.Target.SealingKey = newFake(t).sealing.Public() },
		"busy":            func(f *fake, _ *Options) { f.edit = func([]byte) []byte { return []byte{0x15} } },
		"purpose-refused": func(_ *fake, o *Options) { o.Target.Open = party.Ground{Purpose: "border control", LegalBasis: "x"} },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			o := f.options()
			break_(f, &o)
			r := run(t, o)
			if r.OK() || r.Totals.Fail != 0 || r.Totals.ConfigError+r.Totals.HarnessError == 0 {
				t.Errorf("ok %t, totals %+v", r.OK(), r.Totals)
			}
			if r.Totals.Skip != len(r.Cases) || len(r.Cases) != len(Cases()) {
				t.Errorf("%d of %d cases skipped", r.Totals.Skip, len(r.Cases))
			}
		})
	}
}

// TestStopped: a run that is stopped blames nobody.
func TestStopped(t *testing.T) {
	o := newFake(t).options()
	ctx, cancel := context.WithCancel(t.Context())
	o.Progress = func(c CaseResult) {
		if c.ID == "TMG-CONF-V-002" {
			cancel()
		}
	}
	r, err := Run(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	if r.OK() || r.Totals.Fail != 0 || r.Totals.HarnessError != len(Cases())-2 {
		t.Errorf("ok %t, totals %+v", r.OK(), r.Totals)
	}
}

func TestSelection(t *testing.T) {
	r := run(t, newFake(t).options(), "TMG-CONF-V-001", "TMG-Q-008")
	var ids []string
	for _, c := range r.Cases {
		ids = append(ids, c.ID)
	}
	if !slices.Equal(ids, []string{"TMG-CONF-V-001", "TMG-CONF-Q-043"}) {
		t.Errorf("selected %v", ids)
	}
	o := newFake(t).options()
	o.Only = []string{"TMG-CONF-V-001", "TMG-Z-999"}
	if _, err := Run(t.Context(), o); err == nil {
		t.Error("a name that selects nothing is accepted")
	}
}

// TestFindings: a target that is wrong after the preflight fails, and the report says
// what was expected and what came.
func TestFindings(t *testing.T) {
	f := newFake(t)
	n := 0
	f.code = func(protocol.Query, protocol.Question) protocol.Code {
		if n++; n == 1 {
			return protocol.CodeMatched
		}
		return protocol.CodeNotMatched
	}
	r := run(t, f.options(), "TMG-CONF-V-001", "TMG-CONF-V-003")
	c := r.Cases[0]
	if r.OK() || c.Result != Fail || r.Cases[1].Result != Pass {
		t.Fatalf("%+v", r.Cases)
	}
	if c.Expected != "an Answer with receipt: matched TMG-VER-0001" || c.Got != "an Answer: not_matched TMG-VER-0002" || c.Hint == "" {
		t.Errorf("expected %q, got %q, hint %q", c.Expected, c.Got, c.Hint)
	}
	for name, write := range map[string]func(*bytes.Buffer) error{
		"json":  func(b *bytes.Buffer) error { return r.WriteJSON(b) },
		"junit": func(b *bytes.Buffer) error { return r.WriteJUnit(b) },
		"text":  func(b *bytes.Buffer) error { return r.WriteText(b) },
	} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"TMG-CONF-V-001", "not_matched TMG-VER-0002", "71"} {
			if !strings.Contains(b.String(), want) {
				t.Errorf("%s report does not say %q", name, want)
			}
		}
	}
}

// TestNoMarksInReports: a report may be published; the test subjects stand for people.
func TestNoMarksInReports(t *testing.T) {
	f := newFake(t)
	r := run(t, f.options())
	var b bytes.Buffer
	if err := r.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	if err := r.WriteJUnit(&b); err != nil {
		t.Fatal(err)
	}
	for i := range 8 {
		p, err := party.Synthetic(1, "UZB", 8).Enrolled(i)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range p.Marks {
			if bytes.Contains(b.Bytes(), []byte(m)) {
				t.Fatal("a report names a test subject")
			}
		}
	}
}

// TestJSONSchema pins the members of the JSON report.
func TestJSONSchema(t *testing.T) {
	r := run(t, newFake(t).options(), "TMG-CONF-V-001")
	var b bytes.Buffer
	if err := r.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	var got map[string]json.RawMessage
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"schema", "suite_version", "protocol_revision", "target", "tester", "started", "duration_ms", "seed", "totals", "preflight", "cases"} {
		if _, ok := got[name]; !ok {
			t.Errorf("member %s is missing", name)
		}
		delete(got, name)
	}
	if len(got) != 0 {
		t.Errorf("further members: %v", got)
	}
	const want = `[{"id":"TMG-CONF-V-001","title":"a mated face is matched","requirements":["TMG-R-011","TMG-A-006","TMG-A-008"],"negative":false,"result":"PASS","duration_ms":0}]`
	cases, err := json.Marshal(r.Cases)
	if err != nil || string(cases) != want {
		t.Errorf("cases are %s", cases)
	}
}

// TestReproducible: the same seed chooses the same people in the same case, whatever
// else is selected.
func TestReproducible(t *testing.T) {
	asked := func(only ...string) []string {
		f := newFake(t)
		var out []string
		f.code = func(_ protocol.Query, q protocol.Question) protocol.Code {
			out = append(out, q.Subject.Value)
			return protocol.CodeMatched
		}
		run(t, f.options(), only...)
		return out
	}
	both, alone := asked("TMG-CONF-V-001", "TMG-CONF-V-002"), asked("TMG-CONF-V-002")
	if len(both) != 3 || len(alone) != 2 || both[2] != alone[1] {
		t.Error("what a case asks depends on the selection")
	}
}
