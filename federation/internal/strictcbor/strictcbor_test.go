package strictcbor_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/federation/internal/strictcbor"
)

// TestRefuses has one fault a row, in an encoding that is otherwise sound.
func TestRefuses(t *testing.T) {
	type item struct {
		A any         `cbor:"1,keyasint,omitempty"`
		L []int       `cbor:"2,keyasint,omitempty"`
		M map[int]int `cbor:"3,keyasint,omitempty"`
		S string      `cbor:"4,keyasint,omitempty"`
	}
	dec := strictcbor.NewDecoder(strictcbor.Limits{Nesting: 4, Elements: 16, Pairs: 16})
	for name, text := range map[string]string{"empty": "a0", "members": "a2028101046161", "nested": "a101818101"} {
		if err := dec.Unmarshal(unhex(t, text), new(item)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, text := range map[string]string{
		"duplicate-key":     "a2046161046162",
		"indefinite-map":    "bf046161ff",
		"indefinite-array":  "a1029f01ff",
		"indefinite-string": "a1047f6161ff",
		"tag":               "a101c001",
		"unknown-member":    "a10501",
		"invalid-utf8":      "a10461ff",
		"nesting":           "a10181818181" + "01",
		"elements":          "a10291" + strings.Repeat("01", 17),
		"pairs":             "a103b1" + pairs(17),
		"trailing":          "a000",
		"cut":               "a102",
	} {
		if err := dec.Unmarshal(unhex(t, text), new(item)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestLimitsOfTheLibrary: constants that it does not take are noticed at once.
func TestLimitsOfTheLibrary(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	strictcbor.NewDecoder(strictcbor.Limits{Nesting: 1, Elements: 1, Pairs: 1})
}

func pairs(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(hex.EncodeToString([]byte{byte(i)}) + "01")
	}
	return b.String()
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
