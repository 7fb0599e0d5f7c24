package trust_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/tamga-id/tamga/federation/trust/authority"
)

// TestEnrolledByAnotherProcess: `tamga anchor enroll` beside a running anchor.
func TestEnrolledByAnotherProcess(t *testing.T) {
	c := &clock{time.Now()}
	dir := t.TempDir()
	running, other := openAuthority(t, dir, c), openAuthority(t, dir, c)
	fetch := func(country string) int {
		w := httptest.NewRecorder()
		running.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/fetch?sub="+url.QueryEscape(string(idOf(country))), nil))
		return w.Code
	}
	if got := fetch("KAZ"); got != http.StatusNotFound {
		t.Fatalf("before enrolment: status %d", got)
	}
	enroll(t, other, c, "KAZ")
	if got := fetch("KAZ"); got != http.StatusOK {
		t.Fatalf("after enrolment elsewhere: status %d", got)
	}
	if err := other.Remove(idOf("KAZ")); err != nil {
		t.Fatal(err)
	}
	if got := fetch("KAZ"); got != http.StatusNotFound {
		t.Fatalf("after removal elsewhere: status %d", got)
	}
}

// TestAnotherAnchorAtTheLocation: whoever answers in the Anchor's place, with an empty
// list, expels nobody.
func TestAnotherAnchorAtTheLocation(t *testing.T) {
	w := newWorld(t, "KAZ", "KGZ")
	d := w.directory(t)
	if _, err := d.Refresh(t.Context(), w.clock.Now()); err != nil {
		t.Fatal(err)
	}
	thief, err := authority.New(authority.Config{EntityID: anchorID, Key: keyOf(t, "thief"), Dir: t.TempDir(), Clock: w.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	w.replaced.Store(thief)
	report, err := d.Refresh(t.Context(), w.clock.Now())
	if err == nil || len(report.Dropped) > 0 || len(d.Members(w.clock.Now())) != 2 {
		t.Fatalf("%d members left, dropped %v, error %v", len(d.Members(w.clock.Now())), report.Dropped, err)
	}
}
