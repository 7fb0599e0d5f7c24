package membership_test

import (
	"slices"
	"testing"

	"github.com/tamga-id/tamga/federation/trust/membership"
)

// FuzzAnswer: what an Intermediate answers is two strings and nothing else.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{
		`{"configuration":"a","listing":"b"}`,
		`{"configuration":"a","listing":"b","statements":["c"]}`,
		`{"configuration":"a","listing":"b","more":1}`,
		`{"configuration":"a","configuration":"b","listing":"c"}`,
		`{"configuration":"","listing":"b"}`, `[]`, `null`, ``,
	} {
		f.Add(s)
	}
	above := []string{"about it", "about its superior"}
	f.Fuzz(func(t *testing.T, body string) {
		n, err := membership.ParseAnswer(body, above)
		if err != nil {
			if n.Configuration != "" || n.Listing != "" || n.Statements != nil {
				t.Fatal("a value with an error")
			}
			return
		}
		if n.Configuration == "" || n.Listing == "" || !slices.Equal(n.Statements, above) {
			t.Fatal("accepted without its parts, or with statements of its own")
		}
	})
}

// TestAnswerStrict: of the seeds one is good.
func TestAnswerStrict(t *testing.T) {
	for body, good := range map[string]bool{
		`{"configuration":"a","listing":"b"}`:                       true,
		`{"configuration":"a","listing":"b","statements":["c"]}`:    false,
		`{"configuration":"a","listing":"b","more":1}`:              false,
		`{"configuration":"a","configuration":"b","listing":"c"}`:   false,
		`{"configuration":"a"}`:                                     false,
		`{"configuration":"a","listing":"b"} {"configuration":"a"}`: false,
	} {
		if _, err := membership.ParseAnswer(body, nil); (err == nil) != good {
			t.Errorf("%s: %v", body, err)
		}
	}
}
