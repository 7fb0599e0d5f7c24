package policy_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/federation/policy"
)

// TestPeerMarks: a law that asks for a Trust Mark permits those who hold it, and lists
// the purpose as served.
func TestPeerMarks(t *testing.T) {
	const mark = "https://region.example/marks/audited"
	marked := strings.Replace(permit("aaa", "none", "1000", "face"), "context.purpose", `context.peer_marks.contains("`+mark+`") && context.purpose`, 1)
	l := load(t, marked)
	r := request("KAZ", policy.Answer, "border_control", "public_task")
	for _, tc := range []struct {
		name  string
		marks []string
		want  bool
	}{
		{"none", nil, false}, {"another", []string{mark + "/other"}, false}, {"held", []string{mark}, true}, {"among-others", []string{"https://x.example", mark}, true},
		{"empty-name", []string{mark, ""}, false},
	} {
		r.PeerMarks = tc.marks
		if got := l.Decide(r); got.Allowed != tc.want {
			t.Errorf("%s: got %+v", tc.name, got)
		}
	}
	if got := l.Purposes(policy.Answer, noon); !slices.Contains(got, r.Purpose) {
		t.Errorf("got purposes %v", got)
	}
}
