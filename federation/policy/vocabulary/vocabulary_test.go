package vocabulary_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/federation/policy/vocabulary"
)

// TestTerms: every name fits the wire's form, is used once in its list, has a sentence, and names a DPV concept
// together with how close that is, or neither.
func TestTerms(t *testing.T) {
	form := regexp.MustCompile(`^[a-z][a-z0-9_]{2,63}$`)
	r := vocabulary.Current()
	for list, terms := range map[string][]vocabulary.Term{
		"purposes": r.Purposes, "legal bases": r.LegalBases, "consent states": r.ConsentStates, "officer roles": r.OfficerRoles,
		"subject classes": r.SubjectClasses, "assurances": r.Assurances, "operations": r.Operations, "modalities": r.Modalities,
	} {
		seen := map[string]bool{}
		for _, term := range terms {
			if !form.MatchString(term.Name) || seen[term.Name] || !strings.HasSuffix(term.Title, ".") {
				t.Errorf("%s: %+v", list, term)
			}
			seen[term.Name] = true
			if (term.DPV == "") != (term.Match == "") || term.DPV != "" && !strings.HasPrefix(term.DPV, vocabulary.DPV) {
				t.Errorf("%s: %s is mapped to %q as %q", list, term.Name, term.DPV, term.Match)
			}
		}
		if len(terms) < 4 {
			t.Errorf("%s: only %d terms", list, len(terms))
		}
	}
	for _, term := range r.SubjectClasses { // of whom it is about, never of who decides for them
		if strings.Contains(term.DPV, "Guardian") {
			t.Errorf("%s is mapped to %q", term.Name, term.DPV)
		}
	}
	for _, term := range append(r.LegalBases, r.Purposes...) {
		if term.DPV == "" && term.Name != "sandbox_test" {
			t.Errorf("%s has no DPV concept", term.Name)
		}
	}
}

// TestListsAreTheCallers: what one caller changes another does not see.
func TestListsAreTheCallers(t *testing.T) {
	vocabulary.Current().Purposes[0].Name = "x"
	vocabulary.Purposes()[0] = "x"
	if vocabulary.Current().Purposes[0].Name != "border_control" || vocabulary.Purposes()[0] != "border_control" {
		t.Error("a caller changed the registry")
	}
}

// TestProtocolNamesThem: the normative text lists every purpose, basis and state of consent, and this version.
func TestProtocolNamesThem(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "protocol", "PROTOCOL.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "**Purposes**")
	section, _, _ = strings.Cut(section, "**`tamga-embedding-1`**")
	for _, word := range slices.Concat(vocabulary.Purposes(), vocabulary.LegalBases(), vocabulary.ConsentStates(), []string{vocabulary.Version}) {
		if !strings.Contains(section, "`"+word+"`") {
			t.Errorf("section 9 does not name %s", word)
		}
	}
}
