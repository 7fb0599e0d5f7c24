package policy

import "embed"

//go:embed laws/*.cedar
var laws embed.FS

// Builtin returns the law file shipped for a jurisdiction (KAZ, KGZ, TJK, UZB), for sandbox and pilot use, and whether
// there is one. The texts are working translations: their headers say what counsel must confirm. The bytes are the
// caller's.
func Builtin(jurisdiction string) ([]byte, bool) {
	if !isCountry(jurisdiction) {
		return nil, false
	}
	src, err := laws.ReadFile("laws/" + jurisdiction + ".cedar")
	return src, err == nil
}
