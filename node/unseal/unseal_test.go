package unseal_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/tamga-id/tamga/crypto/ceremony"
	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/node/unseal"
)

// folder is a node's folder with a root under 3 of 4 custodians, and their shares.
type folder struct {
	dir, root string
	key       custody.Root
	shares    []ceremony.Share
}

func newFolder(t *testing.T) folder {
	t.Helper()
	var custodians []ceremony.Custodian
	var identities []age.Identity
	for _, name := range []string{"a", "b", "c", "d"} {
		id, err := age.GenerateX25519Identity()
		if err != nil {
			t.Fatal(err)
		}
		custodians, identities = append(custodians, ceremony.Custodian{Name: name, Recipient: id.Recipient().String()}), append(identities, id)
	}
	plan, err := ceremony.NewPlan("https://kaz.example", 3, custodians, time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	d, err := ceremony.Deal(plan)
	if err != nil {
		t.Fatal(err)
	}
	f := folder{dir: t.TempDir()}
	f.root = filepath.Join(f.dir, "root.json")
	if f.key, err = custody.Create(f.root, custody.Shared(d.Terms, d.Key)); err != nil {
		t.Fatal(err)
	}
	for i, sealed := range d.Sealed {
		s, err := ceremony.OpenShare(sealed, identities[i])
		if err != nil {
			t.Fatal(err)
		}
		f.shares = append(f.shares, s)
	}
	return f
}

func (f folder) open(t *testing.T, wantDropped int) *unseal.Sealed {
	t.Helper()
	s, dropped, err := unseal.Open(f.dir, f.root)
	if err != nil || len(dropped) != wantDropped {
		t.Fatalf("opened, dropping %q: %v", dropped, err)
	}
	return s
}

func (f folder) bring(t *testing.T, s *unseal.Sealed, i int) error {
	t.Helper()
	m, err := f.shares[i].SealTo(s.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Add(m)
	return err
}

func (f folder) files(t *testing.T) string {
	t.Helper()
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

func TestRestarts(t *testing.T) {
	f := newFolder(t)
	for i := range 3 {
		s := f.open(t, 0) // as after a restart
		if got := s.Progress(); got.Missing != 3-i || len(got.Given) != i {
			t.Fatalf("before share %d: %+v", i, got)
		}
		if i > 0 {
			if err := f.bring(t, s, 0); !errors.Is(err, ceremony.ErrRepeated) {
				t.Errorf("bringing a share again: %v", err)
			}
		}
		if err := f.bring(t, s, i); err != nil {
			t.Fatal(err)
		}
		if i < 2 {
			continue
		}
		root, err := s.Wait(t.Context())
		if err != nil || root.Derive("tamga/v1/test") != f.key.Derive("tamga/v1/test") {
			t.Fatalf("the root that came out is another: %v", err)
		}
		if err := f.bring(t, s, 3); !errors.Is(err, unseal.ErrOpened) {
			t.Errorf("a share after the root is open: %v", err)
		}
	}
	if got := f.files(t); got != "root.json" {
		t.Errorf("left behind: %s", got)
	}
}

// TestNeverAllOnDisk: what is written is never enough, and what somebody adds to
// it by hand is not taken for the last share.
func TestNeverAllOnDisk(t *testing.T) {
	f := newFolder(t)
	s := f.open(t, 0)
	for i := range 2 {
		if err := f.bring(t, s, i); err != nil {
			t.Fatal(err)
		}
	}
	m, err := f.shares[2].SealTo(s.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(f.dir, "unseal-share-3.age"), m, 0o600); err != nil {
		t.Fatal(err)
	}
	again := f.open(t, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := again.Wait(ctx); !errors.Is(err, context.Canceled) || again.Progress().Missing != 1 {
		t.Errorf("opened from the disk alone: %v", err)
	}
}

// TestDamagedState: a damaged share is dropped and asked for again; a damaged
// identity is said.
func TestDamagedState(t *testing.T) {
	f := newFolder(t)
	if err := f.bring(t, f.open(t, 0), 0); err != nil {
		t.Fatal(err)
	}
	kept := filepath.Join(f.dir, "unseal-share-1.age")
	whole, err := os.ReadFile(kept)
	if err != nil {
		t.Fatal(err)
	}
	for _, damage := range [][]byte{nil, whole[:len(whole)/2], []byte("junk")} {
		if err := os.WriteFile(kept, damage, 0o600); err != nil {
			t.Fatal(err)
		}
		s := f.open(t, 1)
		if s.Progress().Missing != 3 {
			t.Errorf("a damaged share counts: %+v", s.Progress())
		}
	}
	if err := os.WriteFile(filepath.Join(f.dir, "unseal-key"), []byte("AGE-SECRET-KEY-PQ-1TORN"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := unseal.Open(f.dir, f.root); err == nil || strings.Contains(err.Error(), "TORN") {
		t.Errorf("with a torn identity: %v", err)
	}
}

// TestUnwritable: a share that cannot be kept does not count.
func TestUnwritable(t *testing.T) {
	f := newFolder(t)
	s := f.open(t, 0)
	if err := os.Mkdir(filepath.Join(f.dir, "unseal-share-1.age.new"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(f.dir, "unseal-share-1.age.new", "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.bring(t, s, 0); err == nil || s.Progress().Missing != 3 {
		t.Errorf("a share that was not kept: %v, %d missing", err, s.Progress().Missing)
	}
}

// TestAlteredRoot: good shares of a root file whose lock was altered.
func TestAlteredRoot(t *testing.T) {
	f := newFolder(t)
	data, err := os.ReadFile(f.root)
	if err != nil {
		t.Fatal(err)
	}
	at := strings.Index(string(data), `"sealed": "`) + len(`"sealed": "`) + 20
	data[at] = map[bool]byte{true: 'B', false: 'A'}[data[at] == 'A']
	if err := os.WriteFile(f.root, data, 0o600); err != nil {
		t.Fatal(err)
	}
	s := f.open(t, 0)
	for i := range 2 {
		if err := f.bring(t, s, i); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.bring(t, s, 2); !errors.Is(err, custody.ErrPassphrase) || s.Progress().Missing != 1 {
		t.Errorf("got %v, %d missing", err, s.Progress().Missing)
	}
}

func TestHandler(t *testing.T) {
	f := newFolder(t)
	s := f.open(t, 0)
	h := s.Handler()
	ask := func(method, path, body string, edit func(*http.Request)) (int, string) {
		r := httptest.NewRequest(method, "http://127.0.0.1:1"+path, strings.NewReader(body))
		if edit != nil {
			edit(r)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		b, _ := io.ReadAll(w.Body)
		return w.Code, string(b)
	}
	good, err := f.shares[0].SealTo(s.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		method, path, body string
		edit               func(*http.Request)
		status             int
		want               string
	}{
		"live":     {"GET", "/livez", "", nil, 200, `"sealed":true`},
		"health":   {"GET", "/healthz", "", nil, 200, `"sealed":true`},
		"ready":    {"GET", "/readyz", "", nil, 503, "TMG-CUS-0002"},
		"other":    {"POST", "/v1/verifications", "{}", nil, 503, "TMG-CUS-0002"},
		"progress": {"GET", "/v1/unseal", "", nil, 200, `"missing":3`},
		"junk":     {"POST", "/v1/unseal", "junk", nil, 422, "TMG-CUS-0004"},
		"long":     {"POST", "/v1/unseal", strings.Repeat("x", 20000), nil, 413, "TMG-API-0007"},
		"origin":   {"POST", "/v1/unseal", string(good), func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") }, 403, "TMG-API-0004"},
		"host":     {"GET", "/v1/unseal", "", func(r *http.Request) { r.Host = "evil.example" }, 403, "TMG-API-0004"},
	} {
		if status, body := ask(tt.method, tt.path, tt.body, tt.edit); status != tt.status || !strings.Contains(body, tt.want) {
			t.Errorf("%s: %d %s, want %d with %s", name, status, body, tt.status, tt.want)
		}
	}
	if status, body := ask("POST", "/v1/unseal", string(good), nil); status != 200 || !strings.Contains(body, `"missing":2`) {
		t.Errorf("a good share: %d %s", status, body)
	}
}

func TestOpenWithoutCustodians(t *testing.T) {
	dir := t.TempDir()
	root := filepath.Join(dir, "root.json")
	if _, err := custody.Create(root, custody.Passphrase([]byte("p"), custody.TestParams())); err != nil {
		t.Fatal(err)
	}
	if _, _, err := unseal.Open(dir, root); !errors.Is(err, custody.ErrNoProtector) {
		t.Errorf("got %v, want ErrNoProtector", err)
	}
}
