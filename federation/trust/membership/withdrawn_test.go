package membership_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/crypto/sealing"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/authority"
	"github.com/tamga-id/tamga/federation/trust/internal/testpeer"
	"github.com/tamga-id/tamga/federation/trust/membership"
)

// step opens the Anchor an hour later under other keys, and publishes.
func (w *world) step(t *testing.T, dir, current string, also ...string) string {
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
	token, err := w.authority.Configuration()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func bundle(t *testing.T, dir string) membership.Bundle {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, membership.WellKnown))
	if err != nil {
		t.Fatal(err)
	}
	out, err := membership.ParseBundle(b)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func poll(t *testing.T, m member) {
	t.Helper()
	if _, err := m.source.Poll(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func heldNumber(m member) uint64 {
	l, _, _ := m.keeper.Held(anchorID)
	return l.Sequence
}

// TestGreatestNumber: whoever had a key for a time, and gave a listing of his the greatest
// number, has it replaced when the key is withdrawn.
func TestGreatestNumber(t *testing.T) {
	w, dir := newWorld(t, "KAZ"), t.TempDir()
	anchors := w.publish(t, dir)
	m := newMember(t, w, anchors, "")
	poll(t, m)
	w.step(t, dir, anchorID, "next")
	poll(t, m)
	both := w.step(t, dir, "next", anchorID)
	poll(t, m)
	thief := newWorld(t, "RUS")
	thief.now = w.now
	for _, c := range []string{"BLR", "CHN", "AFG", "TKM", "MNG"} {
		thief.enroll(t, c)
		thief.publish(t, dir+"-thief")
	}
	stolen := membership.Notice{Configuration: both, Listing: bundle(t, dir+"-thief").Listing}
	if _, newer, err := m.keeper.Offer(stolen, w.now); err != nil || !newer {
		t.Fatalf("while the key is the Anchor's: newer %t, %v", newer, err)
	}
	w.step(t, dir, "next")
	poll(t, m)
	if l, _, ok := m.keeper.Held(anchorID); !ok || !slices.Equal(l.Members, []trust.EntityID{id("KAZ")}) {
		t.Errorf("after the key was withdrawn: %+v", l)
	}
	if _, newer, _ := m.keeper.Offer(stolen, w.now); newer {
		t.Error("it comes back")
	}
}

// TestAnnouncementTakenBack: a key that was announced and taken back is followed by nobody
// who has heard the Anchor since, whether he had heard the announcement or not.
func TestAnnouncementTakenBack(t *testing.T) {
	w, dir, file := newWorld(t, "KAZ"), t.TempDir(), filepath.Join(t.TempDir(), "listings.json")
	anchors := w.publish(t, dir)
	announced := w.step(t, dir+"-x", anchorID, "lost")
	w.step(t, dir, anchorID)
	m := newMember(t, w, anchors, file)
	// As the Anchor publishes it, and as one without bundles is followed.
	poll(t, m)
	own, err := w.authority.Configuration()
	if err != nil {
		t.Fatal(err)
	}
	alone := newMember(t, w, anchors, file+"-2")
	if _, err := alone.keeper.Follow(anchorID, []string{own}, w.now); err != nil {
		t.Fatal(err)
	}
	for name, m := range map[string]member{"running": m, "restarted": newMember(t, w, anchors, file), "no-bundle": newMember(t, w, anchors, file+"-2")} {
		if changed, _ := m.keeper.Follow(anchorID, []string{announced}, w.now); changed {
			t.Errorf("%s: followed", name)
		}
		if n := m.keeper.Anchors()[0].Keys.Len(); n != 1 {
			t.Errorf("%s: %d keys", name, n)
		}
	}
}

// TestExpiredAnnouncement: it is followed only on the way to what holds now.
func TestExpiredAnnouncement(t *testing.T) {
	w, dir := newWorld(t, "KAZ"), t.TempDir()
	anchors := w.publish(t, dir)
	announced := w.step(t, dir, anchorID, "next")
	w.now = w.now.Add(30 * 24 * time.Hour)
	m := newMember(t, w, anchors, "")
	if changed, err := m.keeper.Follow(anchorID, []string{announced}, w.now); changed || !errors.Is(err, trust.ErrExpired) {
		t.Errorf("alone: %t, %v", changed, err)
	}
	w.step(t, dir, "next", anchorID)
	poll(t, m)
	if m.keeper.Anchors()[0].Keys.Len() != 2 {
		t.Error("not followed to the keys of now")
	}
}

// TestClockAhead: an Anchor whose clock was ahead once is heard as soon as it is right.
func TestClockAhead(t *testing.T) {
	w, dir := newWorld(t, "KAZ"), t.TempDir()
	m := newMember(t, w, w.publish(t, dir), "")
	poll(t, m)
	right := w.now
	w.now = right.Add(48 * time.Hour)
	w.enroll(t, "KGZ")
	w.publish(t, dir)
	w.now = right.Add(time.Minute)
	if _, err := m.source.Poll(t.Context()); err == nil {
		t.Error("a listing of the future was taken over")
	}
	w.publish(t, dir) // the same process, with the clock put right and no change
	poll(t, m)
	if l, _, _ := m.keeper.Held(anchorID); len(l.Members) != 2 || l.IssuedAt.After(w.now) {
		t.Errorf("got %d members as of %s", len(l.Members), l.IssuedAt)
	}
	// A change of keys made in the future is followed by nobody before that.
	w.now = right.Add(48 * time.Hour)
	announced := w.step(t, dir+"-x", anchorID, "next")
	w.now = right.Add(2 * time.Minute)
	if changed, _ := m.keeper.Follow(anchorID, []string{announced}, w.now); changed {
		t.Error("a key of the future was followed")
	}
	// Nor is the next one signed meanwhile, which would be passed over.
	w.open(t, anchorID)
	if err := w.author.Announce(); err == nil || !strings.Contains(err.Error(), "clock") {
		t.Errorf("a change before the last one: %v", err)
	}
}

// TestAnchorAway: one that is taken out of the configuration for a time has its number when
// it is put back; and so has one whose keys are configured wrongly for a time.
func TestAnchorAway(t *testing.T) {
	w, older, newer, file := newWorld(t, "KAZ", "KGZ"), t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "listings.json")
	w.publish(t, older)
	if err := w.authority.Suspend(id("KGZ"), ""); err != nil {
		t.Fatal(err)
	}
	anchors := w.publish(t, newer)
	poll(t, newMember(t, w, anchors, file))
	old := bundle(t, older).Notice
	// Another Anchor, which has the file written.
	other := newWorld(t, "UZB")
	second := other.authority.Anchor()
	second.EntityID = "https://second.example"
	away, err := authority.New(authority.Config{EntityID: second.EntityID, Key: key(t, anchorID), Dir: t.TempDir(), Clock: func() time.Time { return w.now }})
	if err != nil {
		t.Fatal(err)
	}
	own, err := away.Configuration()
	if err != nil {
		t.Fatal(err)
	}
	wrong := anchors[0]
	wrong.Keys = jose.NewKeySet(key(t, "wrong").Public())
	for _, meanwhile := range [][]trust.Anchor{{second}, {second, wrong}} {
		k, err := membership.NewKeeper(meanwhile, file)
		if err != nil {
			t.Fatal(err)
		}
		if len(k.Listings()) != 0 {
			t.Error("a listing is believed that no key configured has signed")
		}
		if _, err := k.Follow(second.EntityID, []string{own}, w.now); err != nil {
			t.Fatal(err)
		}
	}
	again := newMember(t, w, anchors, file)
	if heldNumber(again) != 2 {
		t.Fatalf("got number %d", heldNumber(again))
	}
	if _, newer, _ := again.keeper.Offer(old, w.now); newer || heldNumber(again) != 2 {
		t.Error("an older listing was taken over")
	}
}

// TestOlderBundle: what an older bundle says of members is not believed while a newer one
// is known.
func TestOlderBundle(t *testing.T) {
	w, dir := newWorld(t, "KAZ"), t.TempDir()
	m := newMember(t, w, w.publish(t, dir), "")
	poll(t, m)
	path := filepath.Join(dir, membership.WellKnown)
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(time.Hour)
	w.enroll(t, "KGZ")
	w.publish(t, dir)
	poll(t, m)
	want, err := m.source.Resolve(t.Context(), anchorID, id("KAZ"), anchorID)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, old, 0o600); err != nil {
		t.Fatal(err)
	}
	poll(t, m)
	if got, err := m.source.Resolve(t.Context(), anchorID, id("KAZ"), anchorID); err != nil || got != want {
		t.Errorf("it is given for what is known, %v", err)
	}
}

// TestNoRoom: whom a listing has no room for is not enrolled, and not suspended with a
// reason for which there is none.
func TestNoRoom(t *testing.T) {
	w := newWorld(t)
	long := strings.Repeat("a", 2000)
	var err error
	n := 0
	for ; err == nil && n < 200; n++ {
		err = w.enrollAs(t, trust.EntityID(fmt.Sprintf("https://%03d.example/%s", n, long)), string([]byte{'A' + byte(n/26%26), 'A' + byte(n%26), 'A' + byte(n/676)}))
	}
	if !errors.Is(err, membership.ErrTooMany) || !strings.Contains(err.Error(), fmt.Sprint(jose.MaxTokenSize, " bytes")) {
		t.Fatalf("after %d members: %v", n, err)
	}
	if l, err := w.author.Update(); err != nil || len(l.Members) != n-1 {
		t.Errorf("%d members are listed, want %d: %v", len(l.Members), n-1, err)
	}
	// There is room for one more that is shorter, but not for any number of reasons.
	suspended := 0
	for _, e := range w.authority.List() {
		if err = w.authority.Suspend(e.Entity, strings.Repeat("r", 200)); err != nil {
			break
		}
		suspended++
	}
	if !errors.Is(err, membership.ErrTooMany) {
		t.Errorf("after %d suspensions: %v", suspended, err)
	}
	if _, err := w.author.Update(); err != nil {
		t.Error(err)
	}
}

// TestTooMany: the 1,025th is refused by name of the limit.
func TestTooMany(t *testing.T) {
	w := newWorld(t)
	var all []authority.Enrolment
	for n := range 1025 {
		all = append(all, authority.Enrolment{Entity: trust.EntityID(fmt.Sprintf("https://%04d.example", n))})
	}
	if err := membership.Check(w.author, all[:1024]); err != nil {
		t.Error(err)
	}
	all[7].Suspended = w.now
	if err := membership.Check(w.author, all); !errors.Is(err, membership.ErrTooMany) || !strings.Contains(err.Error(), "1025 members and suspended, and a listing holds 1024") {
		t.Errorf("got %v", err)
	}
}

// enrollAs enrols a node under an identifier.
func (w *world) enrollAs(t *testing.T, entity trust.EntityID, country string) error {
	t.Helper()
	sealer, err := sealing.NewPrivateKey(seed("sealing"))
	if err != nil {
		t.Fatal(err)
	}
	token, err := trust.SignEntityConfiguration(key(t, "federation"), trust.EntityConfiguration{
		Entity: entity, IssuedAt: w.now, ExpiresAt: w.now.Add(240 * time.Hour), AuthorityHints: []trust.EntityID{anchorID},
		Metadata: trust.Metadata{TamgaNode: &trust.NodeMetadata{
			Jurisdiction: country, PeerID: testpeer.ID(country), PeerProofs: testpeer.Proofs(entity, key(t, "federation").Public(), testpeer.ID(country)),
			Keys: jose.NewKeySet(key(t, "protocol").Public()), SealingKeys: []sealing.PublicKey{sealer.Public()},
			Ledger: &trust.LedgerMetadata{Origin: "log", Keys: []string{"log+abc+def"}}, Revisions: []string{"1"},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.authority.Enroll(token, authority.EnrollOptions{Jurisdiction: country})
	return err
}

// TestHangingFolder: a folder on another machine that is away costs a poll its time and one
// read, and is read when it is back.
func TestHangingFolder(t *testing.T) {
	w, dir := newWorld(t, "KAZ"), t.TempDir()
	m := newMember(t, w, w.publish(t, dir), "")
	path := filepath.Join(dir, membership.WellKnown)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skipf("no named pipes here: %v", err)
	}
	for range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		if _, err := m.source.Poll(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		cancel()
	}
	if err := os.WriteFile(path, content, 0o600); err != nil { // one reader is there, and ends it
		t.Fatal(err)
	}
	if news, err := m.source.Poll(t.Context()); err != nil || len(news) != 1 {
		t.Errorf("got %d listings, error %v", len(news), err)
	}
}
