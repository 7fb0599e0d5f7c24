package trust_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"
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
