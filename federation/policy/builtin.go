package policy

import "embed"

//go:embed laws/*.cedar laws/*.tests.yaml
var laws embed.FS

// Builtin returns the law file shipped for a jurisdiction (KAZ, KGZ, TJK, UZB), for sandbox and pilot use, and whether
// there is one. The texts are working translations: their headers say what counsel must confirm. The bytes are the
// caller's.
func Builtin(jurisdiction string) ([]byte, bool) { return builtin(jurisdiction, ".cedar") }

// BuiltinTests returns the table of tests of the law that [Builtin] returns; see package lawtest.
func BuiltinTests(jurisdiction string) ([]byte, bool) { return builtin(jurisdiction, ".tests.yaml") }

func builtin(jurisdiction, suffix string) ([]byte, bool) {
	if !isCountry(jurisdiction) {
		return nil, false
	}
	src, err := laws.ReadFile("laws/" + jurisdiction + suffix)
	return src, err == nil
}
