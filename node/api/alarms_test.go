package api_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tamga-id/tamga/node/alarms"
	"github.com/tamga-id/tamga/node/api"
	"github.com/tamga-id/tamga/node/gallery"
)

func TestAlarms(t *testing.T) {
	n := &fake{}
	list := func() (int, string) {
		rec := httptest.NewRecorder()
		api.Handler(n).ServeHTTP(rec, newRequest("GET", "/v1/alarms", ""))
		return rec.Code, rec.Body.String()
	}
	if status, body := list(); status != 200 || !strings.Contains(body, `"alarms":[]`) {
		t.Errorf("none: %d %s", status, body)
	}
	n.raised = []alarms.Alarm{{Kind: alarms.Locked, At: time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC), Requester: "https://kaz.test", Officer: "o-7", Purpose: "border_control", Query: "h"}}
	const want = `{"kind":"locked","at":"2026-11-26T09:00:00Z","requester":"https://kaz.test","officer":"o-7","purpose":"border_control","query":"h"}`
	if status, body := list(); status != 200 || !strings.Contains(body, want) {
		t.Errorf("one: %d %s", status, body)
	}
	n.alarmsErr = gallery.ErrUnavailable
	if status, body := list(); status != 503 || !strings.Contains(body, "TMG-STO-0003") {
		t.Errorf("the store is away: %d %s", status, body)
	}
}
