package membership_test

import (
	"crypto/sha256"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/crypto/sealing"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/authority"
	"github.com/tamga-id/tamga/federation/trust/directory"
	"github.com/tamga-id/tamga/federation/trust/endpoint"
	"github.com/tamga-id/tamga/federation/trust/internal/testpeer"
	"github.com/tamga-id/tamga/federation/trust/membership"
)

const anchorID = "https://anchor.example"

func seed(name string) []byte {
	s := sha256.Sum256([]byte("tamga/v1/test-key " + name))
	return s[:]
}

func key(t testing.TB, name string) jose.PrivateKey {
	t.Helper()
	k, err := jose.NewPrivateKey(seed(name))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// world is an Anchor with what a member knows of it.
type world struct {
	now       time.Time
	dir       string
	authority *authority.Authority
	author    *membership.Author
}

func newWorld(t testing.TB, members ...string) *world {
	t.Helper()
	w := &world{now: time.Now().UTC().Truncate(time.Second), dir: t.TempDir()}
	w.open(t, anchorID)
	for _, m := range members {
		w.enroll(t, m)
	}
	return w
}

func (w *world) open(t testing.TB, keyName string) {
	t.Helper()
	w.openWith(t, keyName, jose.KeySet{})
}

// openWith opens it under a key, with others announced beside it.
func (w *world) openWith(t testing.TB, keyName string, also jose.KeySet) {
	t.Helper()
	var err error
	clock := func() time.Time { return w.now }
	w.authority, err = authority.New(authority.Config{EntityID: anchorID, Key: key(t, keyName), Keys: also, Dir: filepath.Join(w.dir, "members"), Clock: clock})
	if err == nil {
		w.author, err = membership.NewAuthor(membership.AuthorConfig{Authority: w.authority, Key: key(t, keyName), File: filepath.Join(w.dir, "listing.jwt"), Rollover: filepath.Join(w.dir, "rollover.jwts"), Clock: clock})
	}
	if err != nil {
		t.Fatal(err)
	}
}

func id(country string) trust.EntityID {
	return trust.EntityID("https://" + strings.ToLower(country) + ".example")
}

func (w *world) enroll(t testing.TB, country string) {
	t.Helper()
	sealer, err := sealing.NewPrivateKey(seed("sealing " + country))
	if err != nil {
		t.Fatal(err)
	}
	token, err := trust.SignEntityConfiguration(key(t, country), trust.EntityConfiguration{
		Entity: id(country), IssuedAt: w.now, ExpiresAt: w.now.Add(240 * time.Hour), AuthorityHints: []trust.EntityID{anchorID},
		Metadata: trust.Metadata{TamgaNode: &trust.NodeMetadata{
			Jurisdiction: country, PeerID: testpeer.ID(country), PeerProofs: testpeer.Proofs(id(country), key(t, country).Public(), testpeer.ID(country)),
			Addresses:   []string{"/ip4/127.0.0.1/udp/4001/quic-v1"},
			Keys:        jose.NewKeySet(key(t, "protocol "+country).Public()),
			SealingKeys: []sealing.PublicKey{sealer.Public()},
			Ledger:      &trust.LedgerMetadata{Origin: "log", Keys: []string{"log+abc+def"}}, Revisions: []string{"1"},
		}},
	})
	if err == nil {
		_, err = w.authority.Enroll(token, authority.EnrollOptions{Jurisdiction: country})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// publish writes the folder and returns the Anchor as a node reads it from there.
func (w *world) publish(t testing.TB, dir string) []trust.Anchor {
	t.Helper()
	if _, err := w.author.Publish(dir); err != nil {
		t.Fatal(err)
	}
	a := w.authority.Anchor()
	a.Location = "file://" + dir
	return []trust.Anchor{a}
}

// member is what one node knows.
type member struct {
	keeper    *membership.Keeper
	source    *membership.Source
	directory *directory.Directory
}

func newMember(t testing.TB, w *world, anchors []trust.Anchor, file string) member {
	t.Helper()
	var m member
	var err error
	if m.keeper, err = membership.NewKeeper(anchors, file); err != nil {
		t.Fatal(err)
	}
	http, err := endpoint.NewHTTP(nil, membership.WithoutFiles(anchors), nil)
	if err == nil {
		m.source, err = membership.NewSource(http, anchors, m.keeper, nil, func() time.Time { return w.now })
	}
	if err == nil {
		m.directory, err = directory.New(anchors, m.source, "")
	}
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (m member) refresh(t testing.TB, w *world) {
	t.Helper()
	news, err := m.source.Poll(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range news {
		m.directory.Retain(l.Path, l.Members, l.Out())
	}
	if report, err := m.directory.Refresh(t.Context(), w.now); err != nil || len(report.Failures) > 0 {
		t.Fatal(err, report.Failures)
	}
}

// TestFolder: a node learns of members and suspensions from files alone.
func TestFolder(t *testing.T) {
	w, dir := newWorld(t, "KAZ", "KGZ"), t.TempDir()
	m := newMember(t, w, w.publish(t, dir), "")
	m.refresh(t, w)
	if n, err := m.directory.Country("KGZ", w.now); err != nil || n.PeerID != testpeer.ID("KGZ") {
		t.Fatalf("got %q, %v", n.PeerID, err)
	}
	if err := w.authority.Suspend(id("KGZ"), "key lost"); err != nil {
		t.Fatal(err)
	}
	w.publish(t, dir)
	news, err := m.source.Poll(t.Context())
	if err != nil || len(news) != 1 || news[0].Sequence != 2 {
		t.Fatalf("news %+v, %v", news, err)
	}
	if s, ok := m.keeper.Suspended(id("KGZ")); !ok || s.Reason != "key lost" || s.Jurisdiction != "KGZ" {
		t.Errorf("suspension %+v %t", s, ok)
	}
	dropped := m.directory.Retain(anchorID, news[0].Members, news[0].Out())
	if len(dropped) != 1 || dropped[0] != id("KGZ") {
		t.Errorf("dropped %v", dropped)
	}
	// At once and by every look-up, before anything is refreshed.
	if _, ok := m.directory.Member(testpeer.ID("KGZ"), w.now); ok {
		t.Error("the gate admits a suspended member")
	}
	if _, err := m.directory.Entity(id("KGZ"), w.now); !errors.Is(err, trust.ErrNotMember) {
		t.Errorf("by entity: %v", err)
	}
	if _, err := m.directory.Country("KGZ", w.now); !errors.Is(err, trust.ErrNotMember) {
		t.Errorf("by country: %v", err)
	}
	if got := m.directory.Members(w.now); len(got) != 1 {
		t.Errorf("%d members", len(got))
	}
	if news, err := m.source.Poll(t.Context()); err != nil || len(news) != 0 {
		t.Errorf("an unchanged folder gave %d listings, %v", len(news), err)
	}
	if err := w.authority.Reinstate(id("KGZ")); err != nil {
		t.Fatal(err)
	}
	w.publish(t, dir)
	m.refresh(t, w)
	if _, err := m.directory.Country("KGZ", w.now); err != nil {
		t.Errorf("reinstated: %v", err)
	}
}

// TestOlderFolder: what was put back is not believed, after a restart neither.
func TestOlderFolder(t *testing.T) {
	w, older, newer, file := newWorld(t, "KAZ", "KGZ"), t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "listings.json")
	w.publish(t, older)
	if err := w.authority.Suspend(id("KGZ"), ""); err != nil {
		t.Fatal(err)
	}
	m := newMember(t, w, w.publish(t, newer), file)
	m.refresh(t, w)
	anchors := w.authority.Anchor()
	anchors.Location = "file://" + older
	again := newMember(t, w, []trust.Anchor{anchors}, file)
	for _, l := range again.keeper.Listings() {
		again.directory.Retain(l.Path, l.Members, l.Out())
	}
	again.refresh(t, w)
	if _, err := again.directory.Country("KGZ", w.now); !errors.Is(err, trust.ErrNotMember) {
		t.Errorf("an older folder brought a suspended member back: %v", err)
	}
	if got := again.directory.Members(w.now); len(got) != 1 {
		t.Errorf("%d members", len(got))
	}
}

// TestServed: the same over HTTP, with one conditional request when nothing changed; and
// from member to member.
func TestServed(t *testing.T) {
	w := newWorld(t, "KAZ", "KGZ")
	server := httptest.NewServer(w.author.Handler())
	defer server.Close()
	a := w.authority.Anchor()
	a.Location = server.URL
	m := newMember(t, w, []trust.Anchor{a}, "")
	m.refresh(t, w)
	if got := m.directory.Members(w.now); len(got) != 2 {
		t.Fatalf("%d members", len(got))
	}
	other := newMember(t, w, []trust.Anchor{w.authority.Anchor()}, "")
	_, before, _ := m.keeper.Held(anchorID)
	if err := w.authority.Suspend(id("KAZ"), ""); err != nil {
		t.Fatal(err)
	}
	m.refresh(t, w)
	_, after, _ := m.keeper.Held(anchorID)
	if _, _, newer, err := membership.Serve(other.keeper, nil, after.Frame(), w.now); err != nil || !newer {
		t.Fatalf("handed on: %t, %v", newer, err)
	}
	// Who brings an older one is told the newer.
	reply, _, newer, err := membership.Serve(other.keeper, nil, before.Frame(), w.now)
	if err != nil || newer || string(reply) != string(after.Frame()) {
		t.Errorf("an older listing: newer %t, %v", newer, err)
	}
	server.Close()
	if _, err := m.source.Poll(t.Context()); err == nil {
		t.Error("no error for an Anchor that is away")
	}
	if report, err := m.directory.Refresh(t.Context(), w.now); err == nil || len(report.Unreachable) != 1 || len(m.directory.Members(w.now)) != 1 {
		t.Errorf("an Anchor that is away: %+v, %v", report, err)
	}
}

// TestForged: a listing counts only under the Anchor's key.
func TestForged(t *testing.T) {
	w := newWorld(t, "KAZ")
	w.publish(t, t.TempDir())
	anchors := []trust.Anchor{w.authority.Anchor()}
	thief := newWorld(t, "KAZ")
	thief.dir = t.TempDir()
	thief.open(t, "thief")
	thief.enroll(t, "RUS")
	dir := t.TempDir()
	thief.publish(t, dir)
	anchors[0].Location = "file://" + dir
	m := newMember(t, w, anchors, "")
	if news, err := m.source.Poll(t.Context()); err == nil || len(news) != 0 || len(m.keeper.Listings()) != 0 {
		t.Errorf("a bundle under another key: %d listings, %v", len(news), err)
	}
	// A listing of the thief's behind the Anchor's own configuration.
	b, err := os.ReadFile(filepath.Join(dir, membership.WellKnown))
	if err != nil {
		t.Fatal(err)
	}
	stolen, err := membership.ParseBundle(b)
	if err != nil {
		t.Fatal(err)
	}
	own, err := w.authority.Configuration()
	if err != nil {
		t.Fatal(err)
	}
	if _, newer, err := m.keeper.Offer(membership.Notice{Configuration: own, Listing: stolen.Listing}, w.now); err == nil || newer {
		t.Error("a listing under another key was taken over")
	}
	if _, newer, err := m.keeper.Offer(membership.Notice{}, w.now); err == nil || newer {
		t.Error("an empty notice was taken over")
	}
}

// TestRollover: an Anchor changes its key while members run, are away, or come later with
// the old one from out of band; who has the old key afterwards has nothing.
func TestRollover(t *testing.T) {
	w, dir := newWorld(t, "KAZ"), t.TempDir()
	old := w.publish(t, dir)
	file := filepath.Join(t.TempDir(), "listings.json")
	running := newMember(t, w, old, file)
	running.refresh(t, w)
	keysNow := func(m member) int { return m.keeper.Anchors()[0].Keys.Len() }
	step := func(current string, also ...string) {
		t.Helper()
		w.now = w.now.Add(time.Hour)
		var more []jose.PublicKey
		for _, name := range also {
			more = append(more, key(t, name).Public())
		}
		w.openWith(t, current, jose.NewKeySet(more...))
		if err := w.authority.Resign(); err != nil {
			t.Fatal(err)
		}
		w.publish(t, dir)
	}
	follow := func(m member) {
		t.Helper()
		if _, err := m.source.Poll(t.Context()); err != nil {
			t.Fatal(err)
		}
		m.directory.UseAnchors(m.keeper.Anchors())
		m.refresh(t, w)
	}
	step(anchorID, "next") // prepared
	follow(running)
	if keysNow(running) != 2 {
		t.Fatalf("%d keys", keysNow(running))
	}
	step("next", anchorID) // activated
	follow(running)
	activated, err := w.authority.Configuration()
	if err != nil {
		t.Fatal(err)
	}
	step("next") // retired
	follow(running)
	// Who has the old key signs a later listing, behind the configuration that named both.
	thief := newWorld(t, "KAZ")
	thief.now = w.now
	for _, country := range []string{"RUS", "BLR", "CHN", "AFG", "TKM", "MNG"} {
		thief.enroll(t, country)
		thief.publish(t, dir+"-thief")
	}
	b, err := os.ReadFile(filepath.Join(dir+"-thief", membership.WellKnown))
	if err != nil {
		t.Fatal(err)
	}
	stolen, err := membership.ParseBundle(b)
	if err != nil {
		t.Fatal(err)
	}
	if l, newer, err := running.keeper.Offer(membership.Notice{Configuration: activated, Listing: stolen.Listing}, w.now); newer || len(l.Members) != 1 {
		t.Errorf("a listing under a withdrawn key was taken over: %v", err)
	}
	if keysNow(running) != 1 || len(running.directory.Members(w.now)) != 1 {
		t.Errorf("%d keys, %d members", keysNow(running), len(running.directory.Members(w.now)))
	}
	follow(newMember(t, w, old, file)) // restarted
	late := newMember(t, w, old, "")
	follow(late)
	if keysNow(late) != 1 || len(late.directory.Members(w.now)) != 1 {
		t.Error("who has the old key from out of band did not follow")
	}
	w.now = w.now.Add(time.Hour)
	w.dir = t.TempDir()
	w.open(t, anchorID)
	token, err := w.authority.Configuration()
	if err != nil {
		t.Fatal(err)
	}
	if changed, _ := running.keeper.Follow(anchorID, []string{token}, w.now); changed || keysNow(running) != 1 {
		t.Error("a retired key was followed back")
	}
}

// TestSequence: numbers go on over restarts and do not grow without a change.
func TestSequence(t *testing.T) {
	w := newWorld(t, "KAZ")
	for range 2 {
		if l, err := w.author.Update(); err != nil || l.Sequence != 1 {
			t.Fatalf("got %d, %v", l.Sequence, err)
		}
	}
	w.enroll(t, "KGZ")
	w.now = w.now.Add(-time.Hour) // a clock that was put back
	w.open(t, anchorID)
	l, err := w.author.Update()
	if err != nil || l.Sequence != 2 || l.IssuedAt.Before(w.now) {
		t.Fatalf("got %d at %s, %v", l.Sequence, l.IssuedAt, err)
	}
	if err := os.WriteFile(filepath.Join(w.dir, "listing.jwt"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := w.author.Update(); err == nil {
		t.Error("an edited listing was numbered anew")
	}
}

func FuzzParseNotice(f *testing.F) {
	w := newWorld(f, "KAZ")
	dir := f.TempDir()
	anchors := w.publish(f, dir)
	m := newMember(f, w, anchors, "")
	if _, err := m.source.Poll(f.Context()); err != nil {
		f.Fatal(err)
	}
	_, n, _ := m.keeper.Held(anchorID)
	f.Add(n.Frame())
	f.Add([]byte{0xa2, 0x01, 0x61, 'a', 0x02, 0x61, 'b'})
	f.Add([]byte{0xa3, 0x01, 0x61, 'a', 0x02, 0x61, 'b', 0x03, 0x81, 0x61, 'c'})
	f.Add([]byte{0xa3, 0x01, 0x61, 'a', 0x02, 0x61, 'b', 0x03, 0x80})
	f.Fuzz(func(t *testing.T, frame []byte) {
		got, err := membership.ParseNotice(frame)
		if err != nil {
			if got.Configuration != "" || got.Listing != "" || got.Statements != nil {
				t.Fatal("a value with an error")
			}
			return
		}
		if string(got.Frame()) != string(frame) {
			t.Fatal("not the one encoding")
		}
		if _, newer, _ := m.keeper.Offer(got, w.now); newer {
			t.Fatal("a listing was taken over that the Anchor did not sign")
		}
	})
}
