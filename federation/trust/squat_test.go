package trust_test

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/authority"
	"github.com/tamga-id/tamga/federation/trust/directory"
	"github.com/tamga-id/tamga/federation/trust/endpoint"
	"github.com/tamga-id/tamga/federation/trust/explain"
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

// collude has the country vouch for the ministry with the peer IDs, whatever was enrolled.
func (s *squat) collude(ids ...string) {
	below := 0
	token, err := trust.SignSubordinateStatement(keyOf(s.t, string(countryID)), trust.SubordinateStatement{
		Issuer: countryID, Subject: ministryID, IssuedAt: s.clock.now, ExpiresAt: s.clock.now.Add(time.Hour),
		Keys: keySet(s.t, string(ministryID)), Constraints: trust.Constraints{MaxPathLength: &below},
		Metadata: trust.Metadata{TamgaNode: &trust.NodeMetadata{Jurisdiction: "KAZ", PeerID: ids[0], PeerIDs: ids[1:]}},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.answers[countryID] = func(r endpoint.Request) endpoint.Response {
		switch sub, ok := r.Subject(); {
		case !ok || sub != ministryID:
			return s.authorities[countryID].Answer(r)
		case r.Operation == endpoint.Fetch:
			return endpoint.Response{Body: token}
		}
		return endpoint.Response{Code: endpoint.NotFound} // resolve would bring what was enrolled
	}
}

// TestNextPeerIDSquatted: who claims the next peer ID of another without its key, before its Anchor pins it, never has it,
// although who vouches for the claim helps; nor the one in use.
func TestNextPeerIDSquatted(t *testing.T) {
	s := newSquat(t)
	kgz := nodeMetadata(t, "KGZ")
	present := kgz.PeerID
	key := keyOf(t, string(ministryID)).Public()
	for i, claimed := range [][]string{{ministry(t).PeerID, nextID, present}, {nextID, ministry(t).PeerID}, {nextID}} {
		m := ministry(t)
		m.PeerID, m.PeerIDs, m.PeerProofs = claimed[0], claimed[1:], testpeer.Proofs(ministryID, key, ministry(t).PeerID)
		s.leaf(ministryID, m, countryID)
		wantRule(t, s.enroll(countryID, ministryID, authority.EnrollOptions{Jurisdiction: "KAZ"}), trust.RuleUnproved, 0)
		s.collude(claimed...)
		if i == 0 {
			s.at(0)
			s.owns(nextID, "")
			kgz.PeerIDs = []string{nextID}
			s.clock.now = epoch.Add(time.Minute)
			s.claim(idOf("KGZ"), kgz, anchorID)
		}
		report := s.at(i + 1)
		if (report.Failures[ministryID] != nil) != (len(claimed) == 1) || report.Failures[idOf("KGZ")] != nil || len(report.Dropped) > 0 {
			t.Errorf("%d: got failures %v, dropped %v", i, report.Failures, report.Dropped)
		}
		for range 2 {
			s.owns(nextID, idOf("KGZ"))
			s.owns(present, idOf("KGZ"))
			s.owns(ministry(t).PeerID, ministryID) // by the chain of before, the last time
			if n, err := s.d.Country("KGZ", s.clock.now); err != nil || !slices.Equal(n.IDs(), []string{present, nextID}) {
				t.Errorf("%d: KGZ has %v, %v", i, n.IDs(), err)
			}
			if n, err := s.d.Entity(ministryID, s.clock.now); err != nil || !slices.Equal(n.IDs(), []string{ministry(t).PeerID}) {
				t.Errorf("%d: the ministry has %v, %v", i, n.IDs(), err)
			}
			s.restart()
		}
	}
	e := explain.Resolve(t.Context(), []trust.Anchor{anchor(t)}, s.source(), ministryID, s.clock.now)
	if e.Outcome != explain.Refused || e.Chain.Leaf != "" || len(e.Statements) == 0 || e.Statements[0].Rule != trust.RuleUnproved {
		t.Errorf("explained as %q: %+v", e.Outcome, e.Statements)
	}
}

// TestStolenKey: who has the key of another's peer ID gets one that nobody has, and none from a member, which is known by
// what it has besides.
func TestStolenKey(t *testing.T) {
	kgz := nodeMetadata(t, "KGZ")
	present := kgz.PeerID
	s := newSquat(t, nextID, present)
	s.at(0)
	kgz.PeerIDs = []string{nextID}
	s.clock.now = epoch.Add(time.Minute)
	s.claim(idOf("KGZ"), kgz, anchorID)
	report := s.at(1)
	if report.Failures[ministryID] == nil || report.Failures[idOf("KGZ")] == nil || len(report.Dropped) > 0 {
		t.Errorf("got failures %v, dropped %v", report.Failures, report.Dropped)
	}
	for range 2 {
		s.owns(nextID, ministryID)
		s.owns(present, idOf("KGZ"))
		s.owns(ministry(t).PeerID, ministryID)
		s.restart()
	}
}

// TestPeerIDOfRemovedIsFree: the peer ID of a member that its Anchor has removed goes to whom that Anchor enrols with it and
// its key, and to nobody below an Intermediate as long as the chain of before holds.
func TestPeerIDOfRemovedIsFree(t *testing.T) {
	present := nodeMetadata(t, "KGZ").PeerID
	s := newSquat(t, present)
	s.at(0)
	remove(t, s.authorities[anchorID], idOf("KGZ"))
	s.at(1)
	s.owns(present, "")
	s.claim("https://anew.kgz.example", nodeMetadata(t, "KGZ"), anchorID)
	s.at(2)
	s.owns(present, "https://anew.kgz.example")
}

// TestPeerIDOfSuspendedIsKept: nobody gets the peer ID of a member while that is suspended, with its key, a restart
// between, and it has it again when it is reinstated.
func TestPeerIDOfSuspendedIsKept(t *testing.T) {
	present := nodeMetadata(t, "KGZ").PeerID
	for name, ids := range map[string][]string{"only": {"", present}, "besides": {present}} {
		t.Run(name, func(t *testing.T) {
			s := newSquat(t, ids...)
			s.at(0)
			s.owns(present, idOf("KGZ"))
			if err := s.authorities[anchorID].Suspend(idOf("KGZ"), ""); err != nil {
				t.Fatal(err)
			}
			s.d.Retain(anchorID, []trust.EntityID{nationalID}, []trust.EntityID{idOf("KGZ")})
			for minute := 1; minute < 4; minute++ {
				s.at(minute)
				s.owns(present, "")
				if chain, ok := s.d.Statements(ministryID); ok != (name == "besides") {
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
		})
	}
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
