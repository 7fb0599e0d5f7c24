package trust_test

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/authority"
	"github.com/tamga-id/tamga/federation/trust/directory"
	"github.com/tamga-id/tamga/federation/trust/membership"
)

// told is a member that hears what Intermediates say of those below them.
type told struct {
	*tree
	d       *directory.Directory
	below   *membership.Below
	authors map[trust.EntityID]*membership.Author
	file    string
}

func newTold(t *testing.T) *told {
	t.Helper()
	w := &told{tree: fourLevels(t), authors: map[trust.EntityID]*membership.Author{}, file: filepath.Join(t.TempDir(), "below.json")}
	w.d = w.directory()
	if _, err := w.d.Refresh(t.Context(), epoch); err != nil {
		t.Fatal(err)
	}
	w.open()
	for _, id := range []trust.EntityID{nationalID, countryID} {
		w.author(id, string(id))
	}
	return w
}

func (w *told) open() {
	w.t.Helper()
	var err error
	if w.below, err = membership.NewBelow(func() []trust.Anchor { return []trust.Anchor{anchor(w.t)} }, w.file); err != nil {
		w.t.Fatal(err)
	}
}

func (w *told) author(id trust.EntityID, key string) {
	w.t.Helper()
	a, err := membership.NewAuthor(membership.AuthorConfig{Authority: w.authorities[id], Key: keyOf(w.t, key), Clock: w.clock.Now})
	if err != nil {
		w.t.Fatal(err)
	}
	w.authors[id] = a
}

// path is that of KAZ's authority, or of its node.
func (w *told) path(id trust.EntityID) trust.Path {
	if id == nationalID {
		return trust.PathTo(id, anchorID)
	}
	return trust.PathTo(id, nationalID, anchorID)
}

// says is the notice of an Intermediate, one second after what it said before.
func (w *told) says(id trust.EntityID) membership.Notice {
	w.t.Helper()
	w.clock.now = w.clock.now.Add(time.Second)
	n, _, err := w.authors[id].Notice(membership.Listing{}, "")
	if err != nil {
		w.t.Fatal(err)
	}
	n.Statements = w.d.Superiors()[w.path(id)][1:]
	return n
}

// hear takes a notice over as a node does, and returns who is dropped by it.
func (w *told) hear(n membership.Notice) (dropped []trust.EntityID, newer bool, err error) {
	l, newer, err := w.below.Offer(n, w.clock.now)
	if newer {
		dropped = w.d.Retain(l.Path, l.Members, l.Out())
	}
	return dropped, newer, err
}

func (w *told) member(id trust.EntityID) error {
	_, err := w.d.Entity(id, w.clock.now)
	return err
}

// TestToldBelow: what an Intermediate says takes away those below it, at once, and nobody else.
func TestToldBelow(t *testing.T) {
	w := newTold(t)
	if dropped, newer, err := w.hear(w.says(countryID)); err != nil || !newer || len(dropped) != 0 {
		t.Fatalf("the first: %v, newer %v, %v", dropped, newer, err)
	}
	before := w.says(countryID)
	if _, newer, err := w.hear(before); err != nil || newer {
		t.Errorf("again: newer %v, %v", newer, err)
	}
	if err := w.authorities[countryID].Suspend(ministryID, "audit"); err != nil {
		t.Fatal(err)
	}
	suspended := w.says(countryID)
	if dropped, _, err := w.hear(suspended); err != nil || len(dropped) != 1 || dropped[0] != ministryID {
		t.Errorf("suspended: dropped %v, %v", dropped, err)
	}
	if err := w.member(ministryID); !errors.Is(err, trust.ErrNotMember) {
		t.Errorf("the suspended: %v", err)
	}
	for _, id := range []trust.EntityID{countryID, idOf("KGZ")} {
		if err := w.member(id); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
	// What was said before is over, from the file, too, and for chains that are brought.
	w.open()
	if _, newer, err := w.hear(before); err != nil || newer {
		t.Errorf("replayed: newer %v, %v", newer, err)
	}
	chain, ok := w.d.Statements(ministryID)
	if !ok {
		t.Fatal("no chain")
	}
	if _, err := w.d.Presented(chain, w.clock.now); !errors.Is(err, trust.ErrNotMember) {
		t.Errorf("presented: %v", err)
	}
	if err := w.authorities[countryID].Reinstate(ministryID); err != nil {
		t.Fatal(err)
	}
	if _, newer, err := w.hear(w.says(countryID)); err != nil || !newer {
		t.Errorf("reinstated: newer %v, %v", newer, err)
	}
	if err := w.member(ministryID); err != nil {
		t.Errorf("the reinstated: %v", err)
	}
	// With the Intermediate goes all that is below it.
	if err := w.authorities[nationalID].Suspend(countryID, ""); err != nil {
		t.Fatal(err)
	}
	if dropped, _, err := w.hear(w.says(nationalID)); err != nil || len(dropped) != 2 {
		t.Errorf("dropped %v, %v", dropped, err)
	}
}

// TestToldOfOthers: an Intermediate that names those who are not below it takes nobody away.
func TestToldOfOthers(t *testing.T) {
	w := newTold(t)
	// KGZ's node enrols at the country, too, by a configuration that names both; the Anchor's
	// word for it stands.
	w.leaf(idOf("KGZ"), nodeMetadata(t, "KGZ"), anchorID, nationalID)
	if err := w.enroll(nationalID, idOf("KGZ"), authority.EnrollOptions{Jurisdiction: "KGZ"}); err != nil {
		t.Fatal(err)
	}
	if err := w.authorities[nationalID].Suspend(idOf("KGZ"), "not mine"); err != nil {
		t.Fatal(err)
	}
	dropped, newer, err := w.hear(w.says(nationalID))
	if err != nil || !newer || len(dropped) != 0 {
		t.Errorf("dropped %v, newer %v, %v", dropped, newer, err)
	}
	if err := w.member(idOf("KGZ")); err != nil {
		t.Errorf("KGZ: %v", err)
	}
	if w.d.WasBelow(idOf("KGZ"), w.path(nationalID)) || !w.d.WasBelow(ministryID, w.path(nationalID)) || !w.d.Leads(w.path(countryID)) || w.d.Leads(trust.PathTo(ministryID, countryID, nationalID, anchorID)) {
		t.Error("who is below whom")
	}
}

// TestToldForged: nothing but the Intermediate's own word under keys that its superior vouches
// for.
func TestToldForged(t *testing.T) {
	w := newTold(t)
	good := w.says(countryID)
	other := w.says(nationalID)
	for name, forge := range map[string]func(*membership.Notice){
		"another's listing":    func(n *membership.Notice) { n.Listing = other.Listing },
		"another's statements": func(n *membership.Notice) { n.Statements = other.Statements },
		"without statements":   func(n *membership.Notice) { n.Statements = nil },
		"under no anchor":      func(n *membership.Notice) { n.Statements = n.Statements[:1] },
		"too large":            func(n *membership.Notice) { n.Statements = append(n.Statements, string(make([]byte, 300<<10))) },
		"of the anchor": func(n *membership.Notice) {
			r, err := w.authorities[anchorID].Configuration()
			if err != nil {
				t.Fatal(err)
			}
			n.Configuration = r
		},
	} {
		n := good
		n.Statements = append([]string{}, good.Statements...)
		forge(&n)
		if _, newer, err := w.hear(n); err == nil || newer {
			t.Errorf("%s: newer %v, %v", name, newer, err)
		}
	}
	// A ministry is no Intermediate, whatever it signs.
	a, err := authority.New(authority.Config{EntityID: ministryID, Key: keyOf(t, string(ministryID)), Dir: t.TempDir(), Superiors: []trust.EntityID{countryID}, Clock: w.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	w.authorities[ministryID] = a
	w.author(ministryID, string(ministryID))
	n, _, err := w.authors[ministryID].Notice(membership.Listing{}, "")
	if err != nil {
		t.Fatal(err)
	}
	chain, _ := w.d.Statements(ministryID)
	n.Statements = chain[1:]
	if _, _, err := w.hear(n); !errors.Is(err, membership.ErrNotSuperior) {
		t.Errorf("a ministry: %v", err)
	}
	// From a clock that is ahead, and under statements that have run out.
	w.clock.now = epoch.Add(time.Hour)
	if err := w.authorities[countryID].Suspend(ministryID, ""); err != nil {
		t.Fatal(err)
	}
	late := w.says(countryID)
	for name, now := range map[string]time.Time{"issued in the future": epoch, "run out": epoch.Add(72 * time.Hour)} {
		if _, _, err := w.below.Offer(late, now); err == nil {
			t.Error(name)
		}
	}
}

// TestToldAfterStart: an Intermediate that starts anew goes on from what it said, and from what
// others hold of it when it was put back to an earlier state.
func TestToldAfterStart(t *testing.T) {
	w := newTold(t)
	if _, _, err := w.hear(w.says(countryID)); err != nil {
		t.Fatal(err)
	}
	held, n, _ := w.below.Held(w.path(countryID))
	w.author(countryID, string(countryID))
	again, l, err := w.authors[countryID].Notice(held, n.Listing)
	if err != nil || again.Listing != n.Listing || l.Sequence != held.Sequence {
		t.Errorf("signed anew: %v, %d for %d", err, l.Sequence, held.Sequence)
	}
	// The clock was ahead when it said that.
	w.author(countryID, string(countryID))
	w.clock.now = epoch.Add(-time.Hour)
	if _, l, err = w.authors[countryID].Notice(held, n.Listing); err != nil || l.Sequence != held.Sequence+1 {
		t.Errorf("behind: %d for %d, %v", l.Sequence, held.Sequence, err)
	}
}

// TestToldByWithdrawnKey: who has an Intermediate's key for a time is outdone once its superior
// vouches for another, whatever number he gave his listing.
func TestToldByWithdrawnKey(t *testing.T) {
	w := newTold(t)
	stolen := w.authors[countryID]
	forged, _, err := stolen.Notice(membership.Listing{Sequence: 1<<63 - 1}, "")
	if err != nil {
		t.Fatal(err)
	}
	old := w.d.Superiors()[w.path(countryID)][1:]
	forged.Statements = old
	if _, newer, err := w.hear(forged); err != nil || !newer {
		t.Fatalf("forged: newer %v, %v", newer, err)
	}
	// The country has another key, which its superior enrols.
	w.clock.now = w.clock.now.Add(time.Minute)
	w.superiorBy("country 2", countryID, nodeMetadata(t, "KAZ"), nationalID)
	if err := w.enroll(nationalID, countryID, authority.EnrollOptions{Jurisdiction: "KAZ", Jurisdictions: []string{"KAZ"}}); err != nil {
		t.Fatal(err)
	}
	w.author(countryID, "country 2")
	if _, err := w.d.Refresh(t.Context(), w.clock.now); err != nil {
		t.Fatal(err)
	}
	if _, newer, err := w.hear(w.says(countryID)); err != nil || !newer {
		t.Errorf("the new key: newer %v, %v", newer, err)
	}
	again, _, err := stolen.Notice(membership.Listing{Sequence: 1<<63 - 1}, "")
	if err != nil {
		t.Fatal(err)
	}
	again.Statements = old
	if _, newer, err := w.hear(again); err == nil && newer {
		t.Error("the old key is believed again")
	}
}
