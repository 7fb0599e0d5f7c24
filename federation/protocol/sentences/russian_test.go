package sentences_test

import (
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/protocol/sentences"
)

// TestRussian: every code has sentences in Russian, that are whole ones and not the English ones, and that keep every
// command to type.
func TestRussian(t *testing.T) {
	command := regexp.MustCompile("`[^`]+`")
	seen := map[string]protocol.Code{}
	for _, e := range protocol.Registry() {
		ru := sentences.In(sentences.Russian, e)
		if ru.Code != e.Code || ru.Outcome != e.Outcome || ru.Wire != e.Wire {
			t.Errorf("%s becomes %+v", e.Code, ru)
		}
		for _, c := range [][2]string{{e.Title, ru.Title}, {e.Next, ru.Next}} {
			english, s := c[0], c[1]
			if s == english || s == "" {
				t.Errorf("%s has no sentence in Russian for %q", e.Code, english)
				continue
			}
			if !strings.HasSuffix(s, ".") || !strings.ContainsFunc(s, func(r rune) bool { return unicode.Is(unicode.Cyrillic, r) }) {
				t.Errorf("%s: %q", e.Code, s)
			}
			for _, typed := range command.FindAllString(english, -1) {
				if strings.HasPrefix(typed, "`tamga ") && !strings.Contains(s, typed) {
					t.Errorf("%s: %s is not in %q", e.Code, typed, s)
				}
			}
		}
		if other, ok := seen[ru.Title]; ok {
			t.Errorf("%s and %s have the same sentence", e.Code, other)
		}
		seen[ru.Title] = e.Code
		if strings.HasPrefix(e.Next, "This is not a \"no\".") && !strings.HasPrefix(ru.Next, "Это не отрицательный ответ.") {
			t.Errorf("%s does not say that it is no refusal of the person: %q", e.Code, ru.Next)
		}
		if sentences.In(sentences.English, e) != e || sentences.In("kk", e) != e {
			t.Errorf("%s is changed where no Russian is asked for", e.Code)
		}
	}
	if len(seen) < 100 {
		t.Errorf("only %d", len(seen))
	}
	if sentences.In(sentences.Russian, protocol.CodeEntry{Code: "TMG-XXX-0001"}).Title != "" {
		t.Error("a code that is none is translated")
	}
}
