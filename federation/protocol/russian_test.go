package protocol_test

import (
	"strings"
	"testing"
	"unicode"

	"github.com/tamga-id/tamga/federation/protocol"
)

// TestRussian: every code that goes over the wire, and all of law and consent, has sentences in Russian, that are whole
// ones; no sentence is of a code that is not registered.
func TestRussian(t *testing.T) {
	found := 0
	for _, e := range protocol.Registry() {
		title, next, ok := protocol.Russian(e.Code)
		needed := e.Wire || strings.HasPrefix(string(e.Code), "TMG-LAW-") || strings.HasPrefix(string(e.Code), "TMG-CNS-")
		if !ok {
			if needed {
				t.Errorf("%s has no sentence in Russian", e.Code)
			}
			continue
		}
		found++
		for _, s := range []string{title, next} {
			if !strings.HasSuffix(s, ".") || !unicode.Is(unicode.Cyrillic, []rune(s)[0]) {
				t.Errorf("%s: %q", e.Code, s)
			}
		}
	}
	if found < 40 {
		t.Errorf("only %d", found)
	}
	if _, _, ok := protocol.Russian("TMG-XXX-0001"); ok {
		t.Error("a code that is none is translated")
	}
}
