package trust_test

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/authority"
	"github.com/tamga-id/tamga/federation/trust/directory"
	"github.com/tamga-id/tamga/federation/trust/internal/testpeer"
)

// squat is the federation of fourLevels, in which the ministry claims another's peer IDs.
type squat struct {
	*tree
	t     *testing.T
	d     *directory.Directory
	cache string
}

var nextID = testpeer.ID("next of KGZ")

func (s *squat) claim(id trust.EntityID, m *trust.NodeMetadata, above trust.EntityID) {
	s.t.Helper()
	s.leaf(id, m, above)
	if err := s.enroll(above, id, authority.EnrollOptions{Jurisdiction: m.Jurisdiction}); err != nil {
		s.t.Fatal(err)
	}
}

// restart opens the directory from its file.
func (s *squat) restart() {
	s.t.Helper()
	var err error
	if s.d, err = directory.New([]trust.Anchor{anchor(s.t)}, s.source(), s.cache); err != nil {
		s.t.Fatal(err)
	}
}

// at refreshes some minutes after the epoch.
func (s *squat) at(minutes int) directory.Report {
	s.t.Helper()
	s.clock.now = epoch.Add(time.Duration(minutes) * time.Minute)
	r, err := s.d.Refresh(s.t.Context(), s.clock.now)
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

// owns fails unless the peer ID is the Entity's; empty for nobody's.
func (s *squat) owns(peer string, want trust.EntityID) {
	s.t.Helper()
	if n, _ := s.d.Member(peer, s.clock.now); n.EntityID != want {
		s.t.Errorf("%s is of %q, want %q", peer, n.EntityID, want)
	}
}

func newSquat(t *testing.T, ids ...string) *squat {
	s := &squat{tree: fourLevels(t), t: t, cache: filepath.Join(t.TempDir(), "trust.json")}
	m := ministry(t)
	all := slices.DeleteFunc(append([]string{m.PeerID}, ids...), func(id string) bool { return id == "" })
	m.PeerID, m.PeerIDs = all[0], all[1:]
	if len(ids) > 1 && ids[0] == "" { // instead of its own
		m.PeerID, m.PeerIDs = ids[1], nil
	}
	s.claim(ministryID, m, countryID)
	s.restart()
	return s
}

// TestNextPeerIDSquatted: who claims the next peer ID of another before its Anchor pins it has to give it up then, and
// both are known by what is their own; the one in use is not to be had either.
func TestNextPeerIDSquatted(t *testing.T) {
	s := newSquat(t, nextID)
	s.at(0)
	kgz := nodeMetadata(t, "KGZ")
	present := kgz.PeerID
	kgz.PeerIDs = []string{nextID}
	s.clock.now = epoch.Add(time.Minute)
	s.claim(idOf("KGZ"), kgz, anchorID)
	report := s.at(1)
	if report.Failures[ministryID] == nil || report.Failures[idOf("KGZ")] != nil || len(report.Dropped) > 0 {
		t.Errorf("got failures %v, dropped %v", report.Failures, report.Dropped)
	}
	check := func() {
		t.Helper()
		s.owns(nextID, idOf("KGZ"))
		s.owns(present, idOf("KGZ"))
		s.owns(ministry(t).PeerID, ministryID)
		if n, err := s.d.Country("KGZ", s.clock.now); err != nil || !slices.Equal(n.IDs(), []string{present, nextID}) {
			t.Errorf("KGZ has %v, %v", n.IDs(), err)
		}
		if n, err := s.d.Entity(ministryID, s.clock.now); err != nil || !slices.Equal(n.IDs(), []string{ministry(t).PeerID}) {
			t.Errorf("the ministry has %v, %v", n.IDs(), err)
		}
	}
	check()
	m := ministry(t)
	m.PeerIDs = []string{nextID, present}
	s.clock.now = epoch.Add(2 * time.Minute)
	s.claim(ministryID, m, countryID)
	s.at(2)
	check()
	s.restart()
	check()
}

// TestPeerIDOfSuspendedIsKept: nobody gets the peer ID of a member while that is suspended,
// a restart between, and it has it again when it is reinstated.
func TestPeerIDOfSuspendedIsKept(t *testing.T) {
	present := nodeMetadata(t, "KGZ").PeerID
	s := newSquat(t, "", present) // the ministry has no ID but that
	s.at(0)
	s.owns(present, idOf("KGZ"))
	if err := s.authorities[anchorID].Suspend(idOf("KGZ"), ""); err != nil {
		t.Fatal(err)
	}
	s.d.Retain(anchorID, []trust.EntityID{nationalID}, []trust.EntityID{idOf("KGZ")})
	for minute := 1; minute < 4; minute++ {
		s.at(minute)
		s.owns(present, "")
		if chain, ok := s.d.Statements(ministryID); ok {
			t.Errorf("the ministry is a member by %d statements", len(chain))
		}
		if minute == 2 {
			s.restart()
			s.owns(present, "")
		}
	}
	// Its chain would have run out by then.
	s.d.Retain(anchorID, []trust.EntityID{nationalID}, []trust.EntityID{idOf("KGZ")})
	s.at(40 * 60)
	s.owns(present, "")
	s.d.Retain(anchorID, []trust.EntityID{nationalID, idOf("KGZ")}, nil)
	s.clock.now = s.clock.now.Add(time.Minute)
	if err := s.authorities[anchorID].Reinstate(idOf("KGZ")); err != nil {
		t.Fatal(err)
	}
	s.claim(idOf("KGZ"), nodeMetadata(t, "KGZ"), anchorID)
	s.at(40*60 + 1)
	s.owns(present, idOf("KGZ"))
}

// TestVouchedThroughIntermediate: an Anchor that lists an Intermediate alone vouches for the nodes below, and for none
// that it has suspended itself; what a second Anchor says of them is that one's affair.
func TestVouchedThroughIntermediate(t *testing.T) {
	w := fourLevels(t)
	d := w.directory()
	if d.Vouched(countryID) {
		t.Error("vouched for before anything is known")
	}
	if _, err := d.Refresh(t.Context(), epoch); err != nil {
		t.Fatal(err)
	}
	d.Retain(anchorID, []trust.EntityID{nationalID}, nil)
	d.Retain("https://b.example", nil, []trust.EntityID{countryID})
	if !d.Vouched(countryID) || !d.Vouched(ministryID) || d.Vouched(idOf("KGZ")) {
		t.Errorf("country %t, ministry %t, KGZ %t", d.Vouched(countryID), d.Vouched(ministryID), d.Vouched(idOf("KGZ")))
	}
	d.Retain(anchorID, []trust.EntityID{nationalID}, []trust.EntityID{countryID})
	if d.Vouched(countryID) || d.Vouched(ministryID) {
		t.Error("its own Anchor has suspended it")
	}
}
