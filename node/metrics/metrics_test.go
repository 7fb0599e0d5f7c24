package metrics_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/metrics"
)

func scrape(t *testing.T, h http.Handler, edit func(*http.Request)) (int, string) {
	t.Helper()
	r := httptest.NewRequest("GET", "http://127.0.0.1:9464/metrics", nil)
	if edit != nil {
		edit(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func facts() metrics.Facts {
	return metrics.Facts{Started: time.Unix(1000, 0), Members: 3, Connected: 2, Running: 5, Waiting: 7, Refused: map[string]uint64{"rate": 11, "stranger": 0},
		Alarms:   map[string]uint64{"canary": 23, "locked": 0},
		Subjects: 13, StoreReady: true, Ledger: 17, Keys: map[string]time.Time{"kek": time.Unix(500, 0)}, Free: 19, FreeKnown: true,
		Attention: map[string]bool{"kek_overdue": true, "escrow_stale": false}}
}

func TestScrape(t *testing.T) {
	m := metrics.New(facts)
	m.Asked(protocol.CodeMatched, 20*time.Millisecond)
	m.Answered(protocol.CodeNotMember, time.Millisecond)
	status, body := scrape(t, m.Handler(), nil)
	if status != http.StatusOK {
		t.Fatalf("status %d: %s", status, body)
	}
	for _, line := range []string{
		"tamga_sealed 0", "tamga_start_time_seconds 1000", "tamga_members 3", "tamga_members_connected 2", "tamga_frames_running 5",
		"tamga_frames_waiting 7", `tamga_peer_refusals_total{cause="rate"} 11`, `tamga_peer_refusals_total{cause="stranger"} 0`,
		`tamga_alarms_total{kind="canary"} 23`, `tamga_alarms_total{kind="locked"} 0`, "tamga_gallery_subjects 13", "tamga_gallery_ready 1", "tamga_ledger_entries 17", `tamga_key_since_seconds{key="kek"} 500`,
		"tamga_disk_free_bytes 19", `tamga_attention{what="kek_overdue"} 1`, `tamga_attention{what="escrow_stale"} 0`,
		`tamga_verifications_total{code="decided",end="asked"} 1`, `tamga_verifications_total{code="` + string(protocol.CodeNotMember) + `",end="answered"} 1`,
		`tamga_verification_seconds_bucket{end="asked",le="0.1"} 1`, `tamga_verification_seconds_bucket{end="answered",le="0.01"} 1`,
	} {
		if !strings.Contains(body, "\n"+line+"\n") {
			t.Errorf("no line %q", line)
		}
	}
	if t.Failed() {
		t.Log(body)
	}
}

// TestDecided: what was found of a person makes no difference to what is shown.
func TestDecided(t *testing.T) {
	shown := func(c protocol.Code) string {
		m := metrics.New(facts)
		m.Asked(c, time.Millisecond)
		m.Answered(c, time.Millisecond)
		_, body := scrape(t, m.Handler(), nil)
		return body
	}
	want := shown(protocol.CodeMatched)
	for _, c := range []protocol.Code{protocol.CodeNotMatched, protocol.CodeSubjectUnknown, protocol.CodeNoReference, protocol.CodePoorCapture} {
		if shown(c) != want {
			t.Errorf("%s shows", c)
		}
	}
	if shown(protocol.CodeSignature) == want {
		t.Error("a refusal does not show")
	}
}

// TestText: a code from elsewhere is no label.
func TestText(t *testing.T) {
	m := metrics.New(facts)
	m.Answered("QZNAME magpie", time.Second)
	if _, body := scrape(t, m.Handler(), nil); strings.Contains(body, "magpie") {
		t.Error("a text is shown")
	}
}

func TestRefuses(t *testing.T) {
	h := metrics.New(facts).Handler()
	if status, _ := scrape(t, h, func(r *http.Request) { r.Header.Set("Origin", "https://page.example") }); status != http.StatusForbidden {
		t.Errorf("with an origin: %d", status)
	}
	if status, _ := scrape(t, h, func(r *http.Request) { r.Host = "rebound.example:9464" }); status != http.StatusForbidden {
		t.Errorf("by another name: %d", status)
	}
	if status, _ := scrape(t, h, func(r *http.Request) { r.Method = "POST" }); status != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", status)
	}
	if status, _ := scrape(t, h, func(r *http.Request) { r.URL.Path = "/" }); status != http.StatusNotFound {
		t.Errorf("another path: %d", status)
	}
}

func TestSealed(t *testing.T) {
	_, body := scrape(t, metrics.Sealed(), nil)
	if !strings.Contains(body, "\ntamga_sealed 1\n") || strings.Count(body, "\n") != 3 {
		t.Errorf("sealed shows %q", body)
	}
}
