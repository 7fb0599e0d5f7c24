package peering_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/authority"
	"github.com/tamga-id/tamga/federation/trust/membership"
)

// fickle signs notices of as many Intermediates as it likes below one that the Anchor enrolled.
type fickle struct {
	t   *testing.T
	top string // the Anchor's statement about it
	seq uint64
}

const fickleID trust.EntityID = "https://fickle.example"

func newFickle(t *testing.T, r *region) *fickle {
	t.Helper()
	f := &fickle{t: t}
	if _, err := r.authority.Enroll(f.configuration(fickleID, anchorID), authority.EnrollOptions{Jurisdictions: []string{"UZB"}, Depth: 1}); err != nil {
		t.Fatal(err)
	}
	f.top = f.about(key(t, "anchor"), anchorID, fickleID)
	return f
}

func (f *fickle) configuration(id, above trust.EntityID) string {
	f.t.Helper()
	token, err := trust.SignEntityConfiguration(key(f.t, string(id)), trust.EntityConfiguration{Entity: id, IssuedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour),
		AuthorityHints: []trust.EntityID{above}, Metadata: trust.Metadata{FederationEntity: authority.Endpoints(id, "")}})
	if err != nil {
		f.t.Fatal(err)
	}
	return token
}

func (f *fickle) about(by jose.PrivateKey, issuer, subject trust.EntityID) string {
	f.t.Helper()
	token, err := trust.SignSubordinateStatement(by, trust.SubordinateStatement{Issuer: issuer, Subject: subject, IssuedAt: time.Now(),
		ExpiresAt: time.Now().Add(time.Hour), Keys: jose.NewKeySet(key(f.t, string(subject)).Public())})
	if err != nil {
		f.t.Fatal(err)
	}
	return token
}

// says is a newer notice of the i-th Intermediate, which names a member that is none.
func (f *fickle) says(i int) membership.Notice {
	f.t.Helper()
	f.seq++
	id := trust.EntityID(fmt.Sprintf("https://s%d.example", i))
	payload, err := json.Marshal(map[string]any{"iss": id, "iat": time.Now().Unix(), "seq": f.seq,
		"members": []string{"https://nobody.example"}, "suspended": []string{}})
	if err != nil {
		f.t.Fatal(err)
	}
	token, err := jose.Sign(key(f.t, string(id)), "tamga-listing+jwt", payload)
	if err != nil {
		f.t.Fatal(err)
	}
	return membership.Notice{Configuration: f.configuration(id, fickleID), Listing: token,
		Statements: []string{f.about(key(f.t, string(fickleID)), fickleID, id), f.top}}
}

// TestFickleIntermediate: one that signs without end, in the names of others below it too, has no member write and log
// without end, nor refresh all that it knows.
func TestFickleIntermediate(t *testing.T) {
	r := newRegion(t, "KAZ", "KGZ")
	kaz, from := r.members["KAZ"], r.members["KGZ"].host.PeerID()
	f := newFickle(t, r)
	taken := 0
	for range 50 {
		if _, err := kaz.Serve(t.Context(), from, f.says(0).Frame()); err == nil {
			taken++
		}
	}
	if taken > 10 {
		t.Errorf("%d of 50 listings in a row were taken over", taken)
	}
	for i := range 20 {
		if _, err := kaz.Serve(t.Context(), from, f.says(i+1).Frame()); err != nil {
			t.Fatalf("another Intermediate: %v", err)
		}
	}
	taken = 0
	for i := range 40 {
		if _, err := kaz.Serve(t.Context(), from, f.says(i+21).Frame()); err == nil {
			taken++
		}
	}
	if taken > 20 {
		t.Errorf("%d of 40 further Intermediates were heard", taken)
	}
	for drained := false; !drained; {
		select {
		case <-kaz.Wake():
		default:
			drained = true
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		_ = kaz.Run(ctx)
	}()
	woken := 0
	for after := time.After(3 * time.Second); after != nil; {
		select {
		case <-kaz.Wake():
			woken++
			for i := range 20 {
				_, _ = kaz.Serve(t.Context(), from, f.says(i+1).Frame())
			}
		case <-after:
			after = nil
		}
	}
	cancel()
	<-stopped
	if woken == 0 || woken > 4 {
		t.Errorf("woken %d times", woken)
	}
}
