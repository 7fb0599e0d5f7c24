package api_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/api"
	"github.com/tamga-id/tamga/node/attention"
	"github.com/tamga-id/tamga/node/gallery"
)

// TestEnrolments: every line that is not blank has a result in its place, and only
// good ones reach the gallery.
func TestEnrolments(t *testing.T) {
	var got []gallery.Enrolment
	n := &fake{enrol: func(_ context.Context, b []gallery.Enrolment) ([]gallery.Result, error) {
		got = b
		for _, e := range b {
			if e.Subject.Jurisdiction != "KAZ" || len(e.Templates) != 1 || len(e.Templates[0].Data) != 54 {
				t.Error("the enrolment is not what was sent")
			}
		}
		return []gallery.Result{{Change: gallery.Created}, {Change: gallery.Unchanged}, {Change: gallery.Failed, Err: gallery.ErrHolderConflict},
			{Change: gallery.Failed, Err: errors.New("inner")}, {}, {Change: gallery.Updated},
			{Change: gallery.Failed, Err: fmt.Errorf("making subject key: %w", gallery.ErrOutdated)}}, nil
	}}
	lines := []string{
		enrolling, "", "nonsense", enrolling, `{"subject":{"type":"visa","value":"1"},"biometrics":[]}`, " \t\r",
		strings.Replace(enrolling, `"data"`, `"file":"x","data"`, 1), strings.Replace(enrolling, record, "AAAA", 1),
		enrolling, enrolling, enrolling, enrolling, enrolling,
	}
	res, body := send(t, api.Handler(n), newRequest("POST", "/v1/enrolments", strings.Join(lines, "\n")+"\n"))
	failed := func(line float64, code, member, rule string) map[string]any {
		m := map[string]any{"line": line, "result": "failed", "code": code, "rule": rule}
		if member != "" {
			m["member"] = member
		}
		return m
	}
	want := map[string]any{
		"created": 1.0, "updated": 1.0, "kept": 0.0, "unchanged": 1.0, "failed": 8.0,
		"results": []any{
			map[string]any{"line": 1.0, "result": "created"},
			failed(3, "TMG-ENR-0002", "line", "not a JSON object (noticed at byte 1)"),
			map[string]any{"line": 4.0, "result": "unchanged"},
			failed(5, "TMG-ENR-0002", "subject.type", "must be passport or national_number"),
			failed(7, "TMG-ENR-0002", "biometrics[0]", "has data and file: give one of them"),
			body["results"].([]any)[5], // the words are the decoder's
			failed(9, "TMG-ENR-0002", "", "the subject has another holder key"),
			failed(10, "TMG-INT-0001", "", "The node failed to answer."),
			failed(11, "TMG-INT-0001", "", "The node failed to answer."),
			map[string]any{"line": 12.0, "result": "updated"},
			failed(13, "TMG-CUS-0005", "", gallery.ErrOutdated.Error()),
		},
	}
	if d := cmp.Diff(want, body); d != "" || res.StatusCode != http.StatusOK {
		t.Errorf("status %d, (-want +got)\n%s", res.StatusCode, d)
	}
	if template := body["results"].([]any)[5].(map[string]any); template["code"] != "TMG-ENR-0003" || template["line"] != 8.0 {
		t.Errorf("a template that does not decode: %v", template)
	}
	for _, e := range got {
		if strings.Trim(string(e.Templates[0].Data), "\x00") != "" {
			t.Error("template bytes are still there after the response")
		}
	}
}

func TestEnrolmentLimits(t *testing.T) {
	for name, c := range map[string]struct {
		body   string
		status int
		rule   string
	}{
		"blank": {"\n \n", 422, "must have at least one line that is not blank"},
		"many":  {strings.Repeat("x\n", 257), 422, "must have at most 256 lines"},
		"most":  {strings.Repeat("x\n", 256), 200, "none"},
		"large": {strings.Repeat("x", 16<<20+1), 413, "none"},
		"full":  {strings.Repeat("x", 16<<20), 200, "none"},
	} {
		n := &fake{}
		res, body := send(t, api.Handler(n), newRequest("POST", "/v1/enrolments", c.body))
		if _, rule := violation(body); res.StatusCode != c.status || rule != c.rule || n.enroled != 0 {
			t.Errorf("%s: %d %q, %d enrolled", name, res.StatusCode, rule, n.enroled)
		}
	}
}

// TestEnrolmentFails: when the disk fails the caller is told to send again, not that
// all is well.
func TestEnrolmentFails(t *testing.T) {
	for name, f := range map[string]func(context.Context, []gallery.Enrolment) ([]gallery.Result, error){
		"error": func(context.Context, []gallery.Enrolment) ([]gallery.Result, error) {
			return []gallery.Result{{Change: gallery.Created}}, errors.New("disk")
		},
		"short": func(context.Context, []gallery.Enrolment) ([]gallery.Result, error) { return nil, nil },
	} {
		res, body := send(t, api.Handler(&fake{enrol: f}), newRequest("POST", "/v1/enrolments", enrolling))
		if res.StatusCode != 500 || body["code"] != "TMG-INT-0001" {
			t.Errorf("%s: %d %v", name, res.StatusCode, body)
		}
	}
	for cause, want := range map[error]struct {
		status int
		code   string
	}{
		gallery.ErrUnavailable: {503, "TMG-STO-0003"},
		gallery.ErrInDoubt:     {503, "TMG-STO-0004"},
		gallery.ErrFull:        {507, "TMG-STO-0005"},
		ledger.ErrNoSpace:      {507, "TMG-STO-0005"},
	} {
		f := func(context.Context, []gallery.Enrolment) ([]gallery.Result, error) {
			return []gallery.Result{{Change: gallery.Created}}, errors.Join(errors.New("inner"), cause)
		}
		res, body := send(t, api.Handler(&fake{enrol: f}), newRequest("POST", "/v1/enrolments", enrolling))
		if res.StatusCode != want.status || body["code"] != want.code {
			t.Errorf("%v: %d %v", cause, res.StatusCode, body)
		}
	}
}

func TestLedgerVerification(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		status int
		want   map[string]any
	}{
		"good":     {nil, 200, map[string]any{"ok": true, "size": 3.0, "root": "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}},
		"edited":   {&ledger.TamperError{Entry: 0, Part: "leaf", Rule: "r"}, 200, map[string]any{"ok": false, "size": 0.0, "code": "TMG-LED-0002", "first_bad": 0.0}},
		"unpinned": {&ledger.TamperError{Entry: -1}, 200, map[string]any{"ok": false, "size": 0.0, "code": "TMG-LED-0002"}},
		"cut":      {&ledger.TamperError{Entry: 2, RolledBack: true}, 200, map[string]any{"ok": false, "size": 0.0, "code": "TMG-LED-0002", "first_bad": 2.0, "rolled_back": true}},
		"bare":     {ledger.ErrTampered, 200, map[string]any{"ok": false, "size": 0.0, "code": "TMG-LED-0002"}},
		"io":       {errors.New("disk"), 500, nil},
	} {
		n := &fake{audit: func(context.Context) (ledger.Report, error) { return ledger.Report{Size: 3, Root: [32]byte{1}}, c.err }}
		res, body := send(t, api.Handler(n), newRequest("POST", "/v1/ledger/verifications", ""))
		if c.err != nil && c.status == 200 {
			if body["title"] == nil || body["next"] == nil {
				t.Errorf("%s: no title or next", name)
			}
			delete(body, "title")
			delete(body, "next")
		}
		if res.StatusCode != c.status || c.want != nil && !cmp.Equal(c.want, body) {
			t.Errorf("%s: %d %v, want %d %v", name, res.StatusCode, body, c.status, c.want)
		}
	}
}

// TestOneLedgerVerification: a second caller is told to wait, not queued.
func TestOneLedgerVerification(t *testing.T) {
	started, release := make(chan struct{}), make(chan struct{})
	n := &fake{audit: func(context.Context) (ledger.Report, error) {
		close(started)
		<-release
		return ledger.Report{}, nil
	}}
	h := api.Handler(n)
	done := make(chan int)
	go func() {
		res, _ := send(t, h, newRequest("POST", "/v1/ledger/verifications", ""))
		done <- res.StatusCode
	}()
	<-started
	if res, body := send(t, h, newRequest("POST", "/v1/ledger/verifications", "")); res.StatusCode != 503 || body["code"] != "TMG-LIM-0001" {
		t.Errorf("second: %d %v", res.StatusCode, body)
	}
	close(release)
	if got := <-done; got != 200 {
		t.Errorf("first: %d", got)
	}
}

func TestHealth(t *testing.T) {
	n := &fake{}
	h := api.Handler(n)
	if res, _ := send(t, h, newRequest("GET", "/livez", "")); res.StatusCode != 200 {
		t.Errorf("livez: %d", res.StatusCode)
	}
	if res, _ := send(t, h, newRequest("GET", "/readyz", "")); res.StatusCode != 503 {
		t.Errorf("readyz without members: %d", res.StatusCode)
	}
	n.status.Members = []node.MemberStatus{{Jurisdiction: "KGZ"}}
	if res, _ := send(t, h, newRequest("GET", "/readyz", "")); res.StatusCode != 200 {
		t.Errorf("readyz: %d", res.StatusCode)
	}
	n.status.Attention = []attention.Matter{attention.KEKOverdue}
	if res, body := send(t, h, newRequest("GET", "/readyz", "")); res.StatusCode != 200 || fmt.Sprint(body["attention"]) != "[kek_overdue]" {
		t.Errorf("readyz with something to look after: %d, %v", res.StatusCode, body)
	}
}

// TestStatus: lists are never null.
func TestStatus(t *testing.T) {
	n := &fake{status: node.Status{EntityID: "https://node.kaz.example", Members: []node.MemberStatus{{Jurisdiction: "KGZ"}}}}
	_, body := send(t, api.Handler(n), newRequest("GET", "/v1/status", ""))
	want := map[string]any{
		"entity_id": "https://node.kaz.example", "jurisdiction": "", "peer_id": "", "addresses": []any{}, "started": "0001-01-01T00:00:00Z",
		"law": map[string]any{"version": "", "confirmed": false, "serves": []any{}}, "subjects": 0.0, "full": false, "refused": map[string]any{}, "alarms": map[string]any{}, "attention": []any{},
		"ledger": map[string]any{"origin": "", "size": 0.0},
		"members": []any{map[string]any{"entity_id": "", "jurisdiction": "KGZ", "expires": "0001-01-01T00:00:00Z",
			"connected": false, "addresses": []any{}}},
	}
	if d := cmp.Diff(want, body); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}
