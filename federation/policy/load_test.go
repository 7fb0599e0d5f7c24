package policy_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tamga-id/tamga/federation/policy"
	"github.com/tamga-id/tamga/federation/policy/lawtext"
)

// faultsOf loads src and gives the faults, one a line, without the file name.
func faultsOf(t *testing.T, src string) []string {
	t.Helper()
	law, err := policy.Load("x", []byte(src))
	if err == nil {
		return nil
	}
	var wrong *lawtext.LawError
	if law != nil || !errors.As(err, &wrong) {
		t.Fatalf("law %v, error %T", law, err)
	}
	var out []string
	for _, f := range wrong.Faults {
		if f.File != "x" || f.Line < 1 || f.Column < 1 {
			t.Errorf("fault without a place: %+v", f)
		}
		out = append(out, strings.TrimPrefix(f.String(), "x:"))
	}
	return out
}

// TestFaults: one fault each, with its place. Policies start at line 7.
func TestFaults(t *testing.T) {
	good := permit("aaa", "none", "1000", "face")
	for _, c := range []struct{ name, policies, want string }{
		{"unknown-annotation", "@note(\"x\") " + good, "7:1: unknown annotation @note"},
		{"no-id", strings.Replace(good, `@id("aaa") `, "", 1), "7:1: policy has no @id"},
		{"no-law", strings.Replace(good, `@law("Test Act") `, "", 1), "7:1: policy has no @law"},
		{"no-article", strings.Replace(good, `@article("Article 1") `, "", 1), "7:1: policy has no @article"},
		{"no-consent", strings.Replace(good, `@consent("none") `, "", 1), "7:1: policy has no @consent"},
		{"no-fmr", strings.Replace(good, `@fmr("1000") `, "", 1), "7:1: policy has no @fmr"},
		{"no-modalities", strings.Replace(good, `@modalities("face")`, "", 1), "7:1: policy has no @modalities"},
		{"empty-article", strings.Replace(good, "Article 1", " ", 1), "7:29: @article must not be empty"},
		{"reversed-article", strings.Replace(good, "Article 1", `Article \u{202e}1`, 1), "7:29: @article must hold no character that is not seen"},
		{"escape-in-law", strings.Replace(good, "Test Act", `Test Act\u{1b}[2K`, 1), "7:12: @law must hold no character that is not seen"},
		{"blank-article", strings.Replace(good, "Article 1", "\u3164", 1), "7:29: @article must hold no character that is not seen"},
		{"other-alphabet", strings.Replace(forbid("aaa", `context.purpose == "sandbox_test"`), "principal,", "principal == Tamga::Node::\"https://k\u0430z.example\",", 1), "must be an Entity Identifier"},
		{"space-in-entity", strings.Replace(forbid("aaa", `context.purpose == "sandbox_test"`), "principal,", `principal == Tamga::Node::"https://kaz.example ",`, 1), "must be an Entity Identifier"},
		{"every-purpose", strings.Replace(good, `context.purpose == "border_control"`, `context.purpose == context.purpose`, 1), "7:1: permit tests context.purpose and excludes none"},
		{"every-basis", strings.Replace(good, `context.legal_basis == "public_task"`, `(context.legal_basis != "consent" || context.legal_basis == "consent")`, 1), "7:1: permit tests context.legal_basis and excludes none"},
		{"bad-id", permit("A b", "none", "1000", "face"), "7:1: @id must be"},
		{"reserved-id", permit("default-deny", "none", "1000", "face"), "7:1: @id must be"},
		{"duplicate-id", good + good, `10:1: policy id "aaa" is already used at line 7`},
		{"bad-consent", permit("aaa", "maybe", "1000", "face"), "7:51: @consent must be none, or name"},
		{"fmr-zero", permit("aaa", "none", "0", "face"), "7:68: @fmr must be"},
		{"fmr-padded", permit("aaa", "none", "01000", "face"), "7:68: @fmr must be"},
		{"fmr-fraction", permit("aaa", "none", "0.0001", "face"), "7:68: @fmr must be"},
		{"fmr-huge", permit("aaa", "none", "1000001", "face"), "7:68: @fmr must be"},
		{"bad-modality", permit("aaa", "none", "1000", "face voice"), "7:81: @modalities must"},
		{"repeated-modality", permit("aaa", "none", "1000", "face face"), "7:81: @modalities must"},
		{"no-modality", permit("aaa", "none", "1000", ""), "7:81: @modalities must"},
		{"obligation-on-forbid", "@fmr(\"1000\")\n" + forbid("aaa", `context.purpose == "sandbox_test"`), "7:1: @fmr on a forbid"},
		{"unknown-purpose", strings.Replace(good, "border_control", "border_contrl", 1), `9:27: "border_contrl" is not a purpose`},
		{"unknown-basis", strings.Replace(good, "public_task", "PUBLIC_TASK", 1), `9:70: "PUBLIC_TASK" is not a legal basis`},
		{"unknown-in-set", forbid("aaa", `["ask", "reply"].contains(context.direction)`), `8:53: "reply" is not a direction`},
		{"unknown-country", forbid("aaa", `context.requester_country == "Kaz"`), `8:74: "Kaz" is not a country`},
		{"reversed", forbid("aaa", `"kgz" != resource.country`), `8:45: "kgz" is not a country`},
		{"tell", "@tell(\"reasons\") " + good, "7:1: @tell must begin with verdict"},
		{"tell-unknown", "@tell(\"verdict score\") " + good, "7:1: @tell must begin with verdict"},
		{"tell-on-forbid", "@tell(\"verdict\")\n" + forbid("aaa", `context.purpose == "sandbox_test"`), "7:1: @tell on a forbid"},
		{"consent-repeated", permit("aaa", "holder holder", "1000", "face"), "7:51: @consent must be none, or name"},
		{"consent-in-permit", strings.Replace(good, "context.purpose", `context.consent == "holder" && context.purpose`, 1), "7:1: permit tests context.consent"},
		{"consent-forbidden", forbid("aaa", `context.consent == "holder"`), "7:1: context.consent is tested so that the law would allow more without"},
		{"consent-not-absent", forbid("aaa", `context.consent != "none"`), "7:1: context.consent is tested so"},
		{"consent-in-set", forbid("aaa", `["holder", "attested"].contains(context.consent)`), "7:1: context.consent is tested so"},
		{"consent-none-in-set", forbid("aaa", `["none", "attested"].contains(context.consent)`), "7:1: none is no consent"},
		{"consent-double-not", forbid("aaa", `!(!(context.consent == "holder"))`), "7:1: context.consent is tested so"},
		{"consent-unless", strings.Replace(forbid("aaa", `context.consent == "none"`), "when", "unless", 1), "7:1: context.consent is tested so"},
		{"time-word", forbid("aaa", `context.time < "2027-01-01"`), "7:1: context.time is compared with datetime"},
		{"time-form", forbid("aaa", `context.time < datetime("next year")`), "7:1: context.time is compared with datetime"},
		{"time-equal", forbid("aaa", `context.time == datetime("2027-01-01")`), "7:1: times and numbers are compared"},
		{"count-negative", forbid("aaa", `context.near_misses < -1`), "7:1: counts are compared"},
		{"count-word", forbid("aaa", `context.near_misses < "3"`), "7:1: counts are compared"},
		{"word-ordered", forbid("aaa", `context.purpose < "visa_issuance"`), "7:1: only times and numbers"},
		{"unknown-role", forbid("aaa", `principal.officer_role == "king"`), `8:71: "king" is not an officer's role`},
		{"unknown-attribute", forbid("aaa", `context.officer == "x"`), "7:1: unknown attribute context.officer"},
		{"marks-compared", forbid("aaa", `context.peer_marks == "x"`), "7:1: context.peer_marks is a set"},
		{"marks-not-url", forbid("aaa", `context.peer_marks.contains("audited")`), "7:1: contains: context.peer_marks contains the identifier"},
		{"marks-of-attribute", forbid("aaa", `context.peer_marks.contains(context.purpose)`), "7:1: contains: context.peer_marks contains the identifier"},
		{"mixed-vocabularies", forbid("aaa", `context.purpose == context.legal_basis`), "7:1: comparison of two attributes"},
		{"unknown-action", strings.Replace(good, `"verify"`, `"verifY"`, 1), `8:45: action Tamga::Action::"verifY"`},
		{"every-action", strings.Replace(good, ` == Tamga::Action::"verify"`, "", 1), "7:1: permit for every action"},
		{"other-principal", strings.Replace(good, "principal,", "principal is Tamga::Gallery,", 1), "7:1: principal is"},
		{"http-principal", strings.Replace(good, "principal,", `principal == Tamga::Node::"http://a",`, 1), "8:35: principal =="},
		{"in-principal", strings.Replace(good, "principal,", `principal in Tamga::Node::"https://a.example",`, 1), "7:1: principal: only"},
		{"no-purpose-test", strings.Replace(good, `context.purpose == "border_control" && `, "", 1), "7:1: permit does not test context.purpose"},
		{"no-basis-test", strings.Replace(good, ` && context.legal_basis == "public_task"`, "", 1), "7:1: permit does not test context.legal_basis"},
		{"like", forbid("aaa", `context.purpose like "b*"`), "7:1: condition is outside the profile"},
		{"if", forbid("aaa", `if true then true else false`), "7:1: condition is outside the profile"},
		{"true", forbid("aaa", `true`), "7:1: condition is outside the profile"},
		{"number", forbid("aaa", `1 == 1`), "7:1: comparison is outside the profile"},
		{"empty-set", forbid("aaa", `[].contains(context.purpose)`), "7:1: contains"},
		{"syntax", strings.Replace(good, "permit", "allow", 1), "not Cedar"},
		{"unfinished", strings.Replace(good, "};", "}", 1), "not Cedar"},
		{"open-string", good + `@id("`, "not Cedar"},
		{"only-semicolon", good + ";", "10:2: not Cedar"},
		{"deep", forbid("aaa", strings.Repeat("(", 40)+`context.purpose == "x"`+strings.Repeat(")", 40)), "7:1: policy nests brackets"},
		{"bidi", "// \u202e reversed\n" + good, "7:4: character U+202E"},
		{"nul", "// \x00\n" + good, "7:4: character U+0000"},
		{"not-utf8", "// \xff\n" + good, "7:4: byte is not UTF-8"},
		{"late-header", good + "//! version: 8\n", "10:1: header line after the first policy"},
		{"no-policy", "// nothing\n", "1:1: law has no policy"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := faultsOf(t, testHeader+c.policies)
			if len(got) != 1 || !strings.Contains(got[0], c.want) {
				t.Errorf("got %q, want exactly one fault with %q", got, c.want)
			}
		})
	}
}

func TestHeaderFaults(t *testing.T) {
	body := permit("aaa", "none", "1000", "face")
	for _, c := range []struct{ name, old, new, want string }{
		{"revision", "tamga_law: 1", "tamga_law: 2", "1:1: header key tamga_law must be 1"},
		{"jurisdiction", "KAZ", "KZ", "2:1: header key jurisdiction must be"},
		{"version", "version: 7", "version: a b", "3:1: header key version must be"},
		{"status", "confirmed", "final", "4:1: header key status must be one of"},
		{"law", "Test Act", "", "5:1: header key law must not be empty"},
		{"article", "Article 99", strings.Repeat("a", 201), "6:1: header key default_article must be at most"},
		{"missing", "//! version: 7\n", "", "1:1: header key version is missing"},
		{"unknown", "//! version", "//! author: x\n//! version", `3:1: unknown header key "author"`},
		{"twice", "//! version", "//! law: x\n//! version", "6:1: header key law appears twice"},
		{"form", "//! version", "//! hello\n//! version", "3:1: header line is not of the form"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := faultsOf(t, strings.Replace(testHeader, c.old, c.new, 1)+body)
			if len(got) != 1 || !strings.Contains(got[0], c.want) {
				t.Errorf("got %q, want exactly one fault with %q", got, c.want)
			}
		})
	}
}

// TestEveryFaultAtOnce pins the whole report of a thoroughly broken file.
func TestEveryFaultAtOnce(t *testing.T) {
	src, err := os.ReadFile(filepath.Join("testdata", "broken.cedar"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join("testdata", "broken.golden"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = policy.Load("broken.cedar", src)
	if err == nil {
		t.Fatal("the broken law loads")
	}
	if diff := cmp.Diff(string(want), err.Error()+"\n"); diff != "" {
		t.Errorf("faults differ (-want +got):\n%s", diff)
	}
}

func TestLimits(t *testing.T) {
	comment := "//" + strings.Repeat("a", 64<<10) + "\n"
	if got := faultsOf(t, testHeader+comment); len(got) != 1 || !strings.Contains(got[0], "the limit is") {
		t.Errorf("too long a law: %q", got)
	}
	many := strings.Repeat("forbid(principal,action,resource);", 300)
	got := faultsOf(t, testHeader+many)
	if !strings.Contains(strings.Join(got, "\n"), "more than 256 policies") {
		t.Errorf("too many policies: %d faults", len(got))
	}
}

// TestLineEndings: a file saved on another system means the same.
func TestLineEndings(t *testing.T) {
	src := strings.ReplaceAll(testHeader+permit("aaa", "none", "1000", "face"), "\n", "\r\n")
	law, err := policy.Load("x", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	if d := law.Decide(request("KAZ", policy.Ask, "border_control", "public_task")); !d.Allowed || d.Version != "7" {
		t.Errorf("got %+v", d)
	}
}
