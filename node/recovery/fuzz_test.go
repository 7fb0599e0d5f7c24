package recovery_test

import (
	"bytes"
	"testing"

	"github.com/tamga-id/tamga/node/recovery"
)

// FuzzParse: a claim has one encoding, because its bytes are what operators sign.
func FuzzParse(f *testing.F) {
	b, err := recovery.Claim{EntityID: "https://kaz.example", Why: "restored", Kept: recovery.Head{Origin: "kaz.example/ledger", Size: 3}}.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(bytes.TrimSpace(b))
	f.Add([]byte("{}"))
	f.Add(bytes.Replace(b, []byte("why"), []byte("Why"), 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := recovery.Parse(b)
		if err != nil {
			return
		}
		if again, err := c.Marshal(); err != nil || !bytes.Equal(again, b) {
			t.Error("read back, it is another claim")
		}
	})
}
