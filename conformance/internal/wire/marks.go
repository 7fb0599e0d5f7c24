package wire

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
)

// Shows searches every layer of the reply for marks, as they are, in hexadecimal and in
// base64 at any alignment.
func (r Reply) Shows(marks [][]byte) bool {
	for _, layer := range [][]byte{r.Frame, r.Header, r.Payload, r.Plain} {
		upper := bytes.ToUpper(layer)
		for _, m := range marks {
			if len(m) < 6 {
				continue // found by chance
			}
			if bytes.Contains(upper, bytes.ToUpper(m)) || bytes.Contains(upper, bytes.ToUpper([]byte(hex.EncodeToString(m)))) {
				return true
			}
			for shift := range 3 {
				if containsBase64(layer, m, shift) {
					return true
				}
			}
		}
	}
	return false
}

// containsBase64 looks for m behind shift unknown bytes. Characters that those bytes
// or the ones behind m take part in are left out.
func containsBase64(layer, m []byte, shift int) bool {
	text := base64.RawStdEncoding.EncodeToString(append(make([]byte, shift), m...))
	from := (shift*8 + 5) / 6
	to := (shift + len(m)) * 8 / 6
	core := text[from:to]
	return bytes.Contains(layer, []byte(core)) || bytes.Contains(layer, urlAlphabet([]byte(core)))
}

func urlAlphabet(b []byte) []byte {
	return bytes.ReplaceAll(bytes.ReplaceAll(b, []byte("+"), []byte("-")), []byte("/"), []byte("_"))
}
