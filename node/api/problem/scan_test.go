package problem_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/node/api/problem"
)

const asking = `{"subject":{"jurisdiction":"KGZ","type":"passport"},"probes":[{"modality":"finger","position":2,"quality":80}],"officer":"a"}`

// scan is problem.Scan: the place and the rule, or two empty strings.
func scan(body []byte, known func(string) bool) (pointer, rule string) {
	if v := problem.Scan(body, known); v != nil {
		return v.Pointer, v.Rule
	}
	return "", ""
}

// FuzzScan: what is accepted decodes, names nothing unknown, and says the same when
// written again; a fault's place is made of known names and numbers only.
func FuzzScan(f *testing.F) {
	for _, s := range []string{asking, `{}`, `{"a":{"a":1},"a":2}`, `{"b":[null]}`, `{"a":[{"b":1e999}]}`, "\xff", `{"a":1}x`, `{"\u0061":1,"a":1}`} {
		f.Add([]byte(s))
	}
	known := func(s string) bool { return s == "a" || s == "b" || strings.Contains(asking, `"`+s+`":`) }
	f.Fuzz(func(t *testing.T, body []byte) {
		pointer, rule := scan(body, known)
		for _, name := range strings.Split(pointer, "/") {
			if name != "" && !known(name) && strings.Trim(name, "0123456789") != "" {
				t.Fatalf("place %q has an unknown name", pointer)
			}
		}
		if rule != "" {
			return
		}
		var v map[string]any
		if err := json.Unmarshal(body, &v); err != nil {
			t.Fatalf("accepted, but: %v", err)
		}
		again, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if p, r := scan(again, known); r != "" {
			t.Fatalf("accepted once, refused when written again: %q %q", p, r)
		}
	})
}
