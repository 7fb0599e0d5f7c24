package inventory_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/federation/policy/inventory"
	"github.com/tamga-id/tamga/federation/policy/vocabulary"
)

// TestBuiltin: the examples use the words of the vocabulary, and KGZ has what its statute on biometric registration names.
func TestBuiltin(t *testing.T) {
	for _, country := range []string{"KAZ", "KGZ", "TJK", "UZB"} {
		list := inventory.Builtin(country)
		if len(list) == 0 || inventory.Check(list) != nil {
			t.Errorf("%s: %d entries, %v", country, len(list), inventory.Check(list))
		}
		var types []string
		for _, e := range list {
			types = append(types, e.Type)
			if !slices.Contains(vocabulary.BiometricTypes(), e.Type) || !slices.Contains(vocabulary.BiometricForms(), e.Form) {
				t.Errorf("%s: %s (%s) is not in the vocabulary", country, e.Type, e.Form)
			}
		}
		if country == "KGZ" && !slices.Equal(types, []string{"face", "finger", "signature"}) {
			t.Errorf("KGZ holds %v", types)
		}
	}
	if inventory.Builtin("XXZ") != nil {
		t.Error("a list of nobody's")
	}
	for _, m := range vocabulary.Modalities() {
		if !slices.Contains(vocabulary.BiometricTypes(), m) {
			t.Errorf("modality %s cannot be held", m)
		}
	}
}

func TestCheck(t *testing.T) {
	good := inventory.Entry{Type: "face", Form: "sample", Source: "паспорта", Law: "Act", Article: "Article 1", Retention: "P1Y6M"}
	for name, tc := range map[string]struct {
		edit func(*inventory.Entry)
		want string
	}{
		"good":            {func(*inventory.Entry) {}, ""},
		"unlimited":       {func(e *inventory.Entry) { e.Retention = inventory.Unlimited }, ""},
		"later-word":      {func(e *inventory.Entry) { e.Type = "odour" }, ""},
		"no-type":         {func(e *inventory.Entry) { e.Type = "" }, "entry 0: type is missing or malformed"},
		"long-type":       {func(e *inventory.Entry) { e.Type = strings.Repeat("a", 65) }, "entry 0: type is missing or malformed"},
		"form-in-capital": {func(e *inventory.Entry) { e.Form = "Sample" }, "entry 0: form is missing or malformed"},
		"escape":          {func(e *inventory.Entry) { e.Source = "a\x1b[2Jb" }, "entry 0: source is missing or malformed"},
		"right-to-left":   {func(e *inventory.Entry) { e.Law = "a\u202eb" }, "entry 0: law is missing or malformed"},
		"two-lines":       {func(e *inventory.Entry) { e.Article = "a\nb" }, "entry 0: article is missing or malformed"},
		"not-utf8":        {func(e *inventory.Entry) { e.Article = "a\xff" }, "entry 0: article is missing or malformed"},
		"hours":           {func(e *inventory.Entry) { e.Retention = "PT5H" }, "entry 0: retention is missing or malformed"},
		"nothing":         {func(e *inventory.Entry) { e.Retention = "P" }, "entry 0: retention is missing or malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			e := good
			tc.edit(&e)
			err := inventory.Check([]inventory.Entry{e})
			if got := fmt.Sprint(err); got != tc.want && (err != nil || tc.want != "") {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
	if err := inventory.Check([]inventory.Entry{good, good}); err == nil {
		t.Error("the same entry twice passes")
	}
	if err := inventory.Check(make([]inventory.Entry, inventory.MaxEntries+1)); err == nil {
		t.Error("a list without end passes")
	}
}
