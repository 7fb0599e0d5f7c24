package trust_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/authority"
	"github.com/tamga-id/tamga/federation/trust/directory"
	"github.com/tamga-id/tamga/federation/trust/endpoint"
	"github.com/tamga-id/tamga/federation/trust/internal/testpeer"
)

// world is an authority behind HTTP that can be switched off, and what a node has
// to know about it.
type world struct {
	replaced atomic.Pointer[authority.Authority] // answers in the authority's place
	*authority.Authority
	clock   *clock
	anchors []trust.Anchor
	source  trust.Source
	cache   string
	down    atomic.Bool
	blocked sync.Map // path and query fragments that answer 503
}

func newWorld(t *testing.T, countries ...string) *world {
	t.Helper()
	w := &world{clock: &clock{epoch}, cache: filepath.Join(t.TempDir(), "members.json")}
	w.Authority = openAuthority(t, t.TempDir(), w.clock)
	handler := w.Handler()
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if _, blocked := w.blocked.Load(r.URL.Path + " " + r.URL.Query().Get("sub")); blocked || w.down.Load() {
			http.Error(rw, "down", http.StatusServiceUnavailable)
			return
		}
		if other := w.replaced.Load(); other != nil {
			other.Handler().ServeHTTP(rw, r)
			return
		}
		handler.ServeHTTP(rw, r)
	}))
	t.Cleanup(server.Close)
	a := w.Anchor()
	a.Location = server.URL
	w.anchors = []trust.Anchor{a}
	source, err := endpoint.NewHTTP(server.Client(), w.anchors, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.source = source
	enroll(t, w.Authority, w.clock, countries...)
	return w
}

func (w *world) directory(t testing.TB) *directory.Directory {
	t.Helper()
	d, err := directory.New(w.anchors, w.source, w.cache)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// state says in one word what the directory says about a country at now, and fails
// when its look-ups disagree.
func state(t testing.TB, d *directory.Directory, country string, now time.Time) string {
	t.Helper()
	n, err := d.Country(country, now)
	e, err2 := d.Entity(idOf(country), now)
	m, ok := d.Member(testpeer.ID(country), now)
	listed := slices.ContainsFunc(d.Members(now), func(n trust.Node) bool { return n.Jurisdiction == country })
	if (err == nil) != ok || (err == nil) != listed || (err == nil) != (err2 == nil) ||
		n.EntityID != e.EntityID || n.EntityID != m.EntityID {
		t.Fatalf("%s: look-ups disagree: country %v, entity %v, member %v, listed %v", country, err, err2, ok, listed)
	}
	for word, sentinel := range map[string]error{"stranger": trust.ErrNotMember, "expired": trust.ErrExpired, "undetermined": trust.ErrUndetermined} {
		if errors.Is(err2, sentinel) {
			return word
		}
	}
	if err != nil || n.Jurisdiction != country {
		t.Fatalf("%s: got %q, error %v", country, n.Jurisdiction, err)
	}
	return "member"
}

func wantStates(t testing.TB, d *directory.Directory, now time.Time, want map[string]string) {
	t.Helper()
	for country, word := range want {
		if got := state(t, d, country, now); got != word {
			t.Errorf("%s: got %s, want %s", country, got, word)
		}
	}
}

func TestDirectory(t *testing.T) {
	w := newWorld(t, "KAZ", "KGZ")
	d := w.directory(t)
	wantStates(t, d, epoch, map[string]string{"KAZ": "undetermined", "UZB": "undetermined"})
	report, err := d.Refresh(t.Context(), epoch)
	if err != nil || report.Members != 2 || len(report.Refreshed) != 2 || len(report.Failures) != 0 {
		t.Fatalf("got %+v, error %v", report, err)
	}
	wantStates(t, d, epoch, map[string]string{"KAZ": "member", "KGZ": "member", "UZB": "stranger"})
	if n, err := d.Country("KAZ", epoch); err != nil || n.SigningKeys.Len() != 1 || len(n.SealingKeys) != 1 || n.LedgerOrigin == "" {
		t.Errorf("got %+v, error %v", n, err)
	}

	// A new member and a removed one: the first refresh after shows both.
	enroll(t, w.Authority, w.clock, "UZB")
	if err := w.Remove(idOf("KGZ")); err != nil {
		t.Fatal(err)
	}
	report, err = d.Refresh(t.Context(), epoch)
	if err != nil || !slices.Equal(report.Dropped, []trust.EntityID{idOf("KGZ")}) {
		t.Fatalf("got %+v, error %v", report, err)
	}
	wantStates(t, d, epoch, map[string]string{"KAZ": "member", "KGZ": "stranger", "UZB": "member"})
}

func TestDirectoryWhileAnchorIsDown(t *testing.T) {
	w := newWorld(t, "KAZ")
	d := w.directory(t)
	if _, err := d.Refresh(t.Context(), epoch); err != nil {
		t.Fatal(err)
	}
	w.down.Store(true)
	report, err := d.Refresh(t.Context(), epoch)
	if err == nil || len(report.Unreachable) != 1 || len(report.Kept) != 1 || len(report.Dropped) != 0 {
		t.Errorf("got %+v, error %v", report, err)
	}
	end := epoch.Add(24 * time.Hour)
	wantStates(t, d, end.Add(-time.Second), map[string]string{"KAZ": "member", "UZB": "undetermined"})
	wantStates(t, d, end, map[string]string{"KAZ": "expired"})

	restarted := w.directory(t)
	wantStates(t, restarted, epoch, map[string]string{"KAZ": "member", "UZB": "undetermined"})
	wantStates(t, restarted, end, map[string]string{"KAZ": "expired"})

	w.down.Store(false)
	w.clock.now = end
	if _, err := restarted.Refresh(t.Context(), end); err != nil {
		t.Fatal(err)
	}
	wantStates(t, restarted, end, map[string]string{"KAZ": "member", "UZB": "stranger"})
}

func TestDirectoryWhenOneMemberFails(t *testing.T) {
	w := newWorld(t, "KAZ", "KGZ")
	resolve := "/resolve " + string(idOf("KGZ"))
	d := w.directory(t)
	w.blocked.Store(resolve, true)
	report, err := d.Refresh(t.Context(), epoch)
	if err != nil || report.Members != 1 || len(report.Failures) != 1 || report.Failures[idOf("KGZ")] == nil {
		t.Fatalf("got %+v, error %v", report, err)
	}
	// KGZ is listed but nothing is known: that is no "no", nor is another country,
	// because it might be the one that was not resolved.
	wantStates(t, d, epoch, map[string]string{"KAZ": "member", "KGZ": "undetermined"})
	if _, err := d.Country("UZB", epoch); !errors.Is(err, trust.ErrUndetermined) {
		t.Errorf("got %v", err)
	}
	// Nor is another Entity: what was not resolved may be an Intermediate above it.
	if _, err := d.Entity(idOf("UZB"), epoch); !errors.Is(err, trust.ErrUndetermined) {
		t.Errorf("an entity that is not listed: got %v", err)
	}
	w.blocked.Clear()
	if _, err := d.Refresh(t.Context(), epoch); err != nil {
		t.Fatal(err)
	}
	w.blocked.Store(resolve, true)
	report, err = d.Refresh(t.Context(), epoch)
	if err != nil || !slices.Equal(report.Kept, []trust.EntityID{idOf("KGZ")}) {
		t.Errorf("got %+v, error %v", report, err)
	}
	wantStates(t, d, epoch, map[string]string{"KAZ": "member", "KGZ": "member"})
}

// TestDirectoryAsksTheNode: the authority's copy ran out, the node has a newer one.
func TestDirectoryAsksTheNode(t *testing.T) {
	w := newWorld(t, "KAZ")
	late := epoch.Add(15 * 24 * time.Hour)
	w.clock.now = late
	fresh := configuration(t, idOf("KAZ"), nodeMetadata(t, "KAZ"), late)
	w.source = endpoint.Peer{
		Source:   w.source,
		Locate:   func(id trust.EntityID) (string, []string, bool) { return "", nil, id == idOf("KAZ") },
		Exchange: func(context.Context, string, []string, []byte) ([]byte, error) { return answer(t, fresh), nil },
	}
	d := w.directory(t)
	if _, err := d.Refresh(t.Context(), late); err != nil {
		t.Fatal(err)
	}
	wantStates(t, d, late, map[string]string{"KAZ": "member"})
}

// answer is the frame that carries a statement, written from the CDDL.
func answer(t testing.TB, token string) []byte {
	t.Helper()
	return appendText(t, append(appendText(t, []byte{0xa2, 0x01}, "ok"), 0x02), token)
}

// TestDirectoryKeepsCountriesApart: a second anchor cannot take a country or peer ID
// from a member of the first, whoever is asked first.
func TestDirectoryKeepsCountriesApart(t *testing.T) {
	w := newWorld(t, "KAZ", "KGZ")
	d := w.directory(t)
	if _, err := d.Refresh(t.Context(), epoch); err != nil {
		t.Fatal(err)
	}
	rival, err := authority.New(authority.Config{EntityID: "https://rival.example", Key: keyOf(t, "rival"), Dir: t.TempDir(), Clock: w.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	impostor := nodeMetadata(t, "KAZ")
	impostor.PeerID = testpeer.ID("impostor")
	thief := nodeMetadata(t, "UZB")
	thief.PeerID = testpeer.ID("KGZ")
	for id, m := range map[trust.EntityID]*trust.NodeMetadata{"https://impostor.example": impostor, "https://thief.example": thief} {
		if _, err := rival.Enroll(configuration(t, id, m, epoch, "https://rival.example"), authority.EnrollOptions{Jurisdiction: m.Jurisdiction}); err != nil {
			t.Fatal(err)
		}
	}
	server := httptest.NewServer(rival.Handler())
	defer server.Close()
	second := rival.Anchor()
	second.Location = server.URL
	// The rival comes first, and still does not get what is held in the snapshot.
	w.anchors = []trust.Anchor{second, w.anchors[0]}
	if w.source, err = endpoint.NewHTTP(nil, w.anchors, nil); err != nil {
		t.Fatal(err)
	}
	d = w.directory(t)
	report, err := d.Refresh(t.Context(), epoch)
	if err != nil || report.Members != 2 || len(report.Failures) != 2 {
		t.Errorf("got %+v, error %v", report, err)
	}
	wantStates(t, d, epoch, map[string]string{"KAZ": "member", "KGZ": "member"})
	if _, ok := d.Member(testpeer.ID("impostor"), epoch); ok {
		t.Error("the impostor is admitted")
	}
}

func TestDirectoryCache(t *testing.T) {
	w := newWorld(t, "KAZ")
	if _, err := w.directory(t).Refresh(t.Context(), epoch); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(w.cache)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name    string
		content []byte
		opens   bool
		members int
	}{
		{"good", good, true, 1},
		{"edited-token", bytes.Replace(good, []byte(`.`), []byte(`.A`), 1), true, 0},
		{"cut", good[:len(good)-2], false, 0},
		{"empty", nil, false, 0},
		{"other-version", []byte(`{"version":2,"members":[]}`), false, 0},
		{"no-chains", []byte(`{"version":3}`), true, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if err := os.WriteFile(w.cache, tc.content, 0o600); err != nil {
				t.Fatal(err)
			}
			d, err := directory.New(w.anchors, w.source, w.cache)
			if (err == nil) != tc.opens {
				t.Fatalf("got error %v", err)
			}
			if d != nil && len(d.Members(epoch)) != tc.members {
				t.Errorf("got %d members, want %d", len(d.Members(epoch)), tc.members)
			}
		})
	}
	// The same tokens mean nothing under another anchor's key.
	if err := os.WriteFile(w.cache, good, 0o600); err != nil {
		t.Fatal(err)
	}
	w.anchors[0].Keys = keySet(t, "another anchor")
	if got := w.directory(t).Members(epoch); len(got) != 0 {
		t.Errorf("got %d members under another key", len(got))
	}
}

func TestNewDirectoryRefuses(t *testing.T) {
	for name, anchors := range map[string][]trust.Anchor{
		"none": nil, "no-keys": {{EntityID: anchorID}}, "no-identifier": {{Keys: keySet(t, anchorID)}},
	} {
		if _, err := directory.New(anchors, failing{}, ""); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
	if _, err := directory.New([]trust.Anchor{anchor(t)}, nil, ""); err == nil {
		t.Error("opened without a source")
	}
}

func TestDirectoryReportsUnwritableCache(t *testing.T) {
	w := newWorld(t, "KAZ")
	w.cache = filepath.Join(t.TempDir(), "absent", "members.json")
	d := w.directory(t)
	if _, err := d.Refresh(t.Context(), epoch); err == nil {
		t.Error("no error")
	}
	wantStates(t, d, epoch, map[string]string{"KAZ": "member"})
}

func TestDirectoryRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, err := directory.New([]trust.Anchor{anchor(t)}, failing{}, "")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		var at []time.Time
		err = d.Run(ctx, 10*time.Minute, time.Now, func(r directory.Report, err error) {
			if err == nil || len(r.Unreachable) != 1 {
				t.Errorf("got %+v, error %v", r, err)
			}
			at = append(at, time.Now())
		})
		if !errors.Is(err, context.DeadlineExceeded) || len(at) < 6 || len(at) > 8 {
			t.Errorf("got %d refreshes in an hour, error %v", len(at), err)
		}
		for i := 1; i < len(at); i++ {
			if gap := at[i].Sub(at[i-1]); gap < 9*time.Minute || gap > 11*time.Minute {
				t.Errorf("gap %d is %v", i, gap)
			}
		}
	})
	d, err := directory.New([]trust.Anchor{anchor(t)}, failing{}, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Run(t.Context(), 0, time.Now, nil); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("an interval of zero: got %v", err)
	}
}

// TestDirectoryConcurrently is for the race detector, and for look-ups that see one
// snapshot or the next and nothing between.
func TestDirectoryConcurrently(t *testing.T) {
	w := newWorld(t, "KAZ", "KGZ")
	d := w.directory(t)
	if _, err := d.Refresh(t.Context(), epoch); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 200 {
				if _, ok := d.Member(testpeer.ID("KAZ"), epoch); !ok {
					t.Error("a member vanished")
					return
				}
			}
		})
	}
	for range 3 {
		wg.Go(func() {
			if _, err := d.Refresh(t.Context(), epoch); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestMemberAllocatesNothing(t *testing.T) {
	w := newWorld(t, "KAZ")
	d := w.directory(t)
	if _, err := d.Refresh(t.Context(), epoch); err != nil {
		t.Fatal(err)
	}
	peer := testpeer.ID("KAZ")
	if n := testing.AllocsPerRun(100, func() { d.Member(peer, epoch) }); n != 0 {
		t.Errorf("%v allocations per look-up", n)
	}
}

func (failing) MarkStatus(context.Context, trust.EntityID, string) (string, error) {
	return "", errDown
}
