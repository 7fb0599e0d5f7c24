package peering_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/crypto/sealing"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/transport"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/authority"
	"github.com/tamga-id/tamga/federation/trust/membership"
	"github.com/tamga-id/tamga/federation/trust/peerid"
	"github.com/tamga-id/tamga/node/peering"
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

// region is an Anchor and members on real transports. Each reads the Anchor from a folder
// of its own, so that a test says who hears it when.
type region struct {
	authority *authority.Authority
	author    *membership.Author
	members   map[string]*member
	also      []trust.Anchor // further ones that members are configured with
	purposes  []string       // for which those that join from now on answer
}

type member struct {
	*peering.Peers
	host    *transport.Host
	folder  string
	entered chan struct{} // one for each exchange of the slow protocol that is being handled
	deaf    atomic.Bool   // whether what it sends gets lost
	lost    atomic.Int32  // how often it has
	token   string        // its Entity Configuration
}

const slow = "/tamga/slow/1"

func newRegion(t *testing.T, countries ...string) *region {
	t.Helper()
	return newRegionBeside(t, nil, countries...)
}

func newRegionBeside(t *testing.T, also []trust.Anchor, countries ...string) *region {
	t.Helper()
	dir := t.TempDir()
	r := &region{members: make(map[string]*member), also: also}
	var err error
	r.authority, err = authority.New(authority.Config{EntityID: anchorID, Key: key(t, "anchor"), Dir: filepath.Join(dir, "members"), Clock: time.Now})
	if err == nil {
		r.author, err = membership.NewAuthor(membership.AuthorConfig{Authority: r.authority, Key: key(t, "anchor"),
			File: filepath.Join(dir, "listing.jwt"), Rollover: filepath.Join(dir, "rollover.jwts"), Clock: time.Now})
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range countries {
		r.members[c] = r.join(t, c)
	}
	for _, m := range r.members {
		r.tell(t, m)
	}
	return r
}

func entity(country string) trust.EntityID {
	return trust.EntityID("https://" + strings.ToLower(country) + ".example")
}

// join starts a member and enrols it.
func (r *region) join(t *testing.T, country string) *member {
	t.Helper()
	m := &member{folder: t.TempDir(), entered: make(chan struct{}, 1)}
	a := r.authority.Anchor()
	a.Location = "file://" + m.folder
	var err error
	m.Peers, err = peering.Open(peering.Config{
		Self: entity(country), Anchors: append([]trust.Anchor{a}, r.also...), DataDir: t.TempDir(), Every: 50 * time.Millisecond, Now: time.Now,
		Introductions: filepath.Join(m.folder, "none"), Log: slog.New(slog.DiscardHandler),
		Exchange: func(ctx context.Context, to transport.PeerID, addrs []string, protocol string, frame []byte) ([]byte, error) {
			if m.deaf.Load() {
				m.lost.Add(1)
				return nil, errors.New("lost")
			}
			return m.host.ExchangeIdempotent(ctx, to, addrs, protocol, frame)
		},
		Connected: func() []transport.PeerID { return m.host.Connected() },
		Changed:   func() { m.host.Recheck() },
	})
	if err != nil {
		t.Fatal(err)
	}
	m.host, err = transport.New(transport.Config{Seed: seed("libp2p " + country), Listen: []string{"/ip4/127.0.0.1/tcp/0"}, Admit: m.Admits},
		map[string]transport.Handler{
			transport.ProtocolListing: m.Serve,
			slow: func(ctx context.Context, _ transport.PeerID, _ []byte) ([]byte, error) {
				m.entered <- struct{}{}
				<-ctx.Done()
				return nil, ctx.Err()
			},
		})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.host.Close() })
	var addresses []string
	for _, a := range m.host.Addresses() {
		base, _, _ := strings.Cut(a, "/p2p/")
		addresses = append(addresses, base)
	}
	m.token = configuration(t, country, addresses, r.purposes)
	if _, err = r.authority.Enroll(m.token, authority.EnrollOptions{Jurisdiction: country}); err != nil {
		t.Fatal(err)
	}
	return m
}

// configuration is a member's own.
func configuration(t *testing.T, country string, addresses, purposes []string) string {
	t.Helper()
	sealer, err := sealing.NewPrivateKey(seed("sealing " + country))
	if err != nil {
		t.Fatal(err)
	}
	peerID, err := transport.PeerIDFromSeed(seed("libp2p " + country))
	if err != nil {
		t.Fatal(err)
	}
	proofs, err := peerid.Prove(string(entity(country)), key(t, country).Public(), seed("libp2p "+country))
	if err != nil {
		t.Fatal(err)
	}
	token, err := trust.SignEntityConfiguration(key(t, country), trust.EntityConfiguration{
		Entity: entity(country), IssuedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour), AuthorityHints: []trust.EntityID{anchorID},
		Metadata: trust.Metadata{TamgaNode: &trust.NodeMetadata{Jurisdiction: country, PeerID: string(peerID), PeerProofs: proofs, Addresses: addresses,
			Keys: jose.NewKeySet(key(t, "protocol "+country).Public()), SealingKeys: []sealing.PublicKey{sealer.Public()},
			Ledger: &trust.LedgerMetadata{Origin: "log", Keys: []string{"log+abc+def"}}, Revisions: []string{"1"}, Purposes: purposes}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// tell publishes to one member's folder and has it look there.
func (r *region) tell(t *testing.T, m *member) {
	t.Helper()
	if _, err := r.author.Publish(m.folder); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Refresh(t.Context(), time.Now()); err != nil && len(r.also) == 0 {
		t.Fatal(err)
	}
}

// ask sends a frame of the slow protocol, which is never answered.
func ask(ctx context.Context, from, to *member, country string) error {
	n, err := from.Country(country, time.Now())
	if err != nil {
		return err
	}
	_, err = from.host.Exchange(ctx, transport.PeerID(n.PeerID), n.Addresses, slow, []byte("x"))
	return err
}

// TestSuspendedConnections: connections that are open end at once, what is under way on them
// fails, and new ones are refused both ways.
func TestSuspendedConnections(t *testing.T) {
	r := newRegion(t, "KAZ", "KGZ")
	kaz, kgz := r.members["KAZ"], r.members["KGZ"]
	under := make(chan error, 1)
	go func() { under <- ask(t.Context(), kgz, kaz, "KAZ") }()
	<-kaz.entered
	if err := r.authority.Suspend(entity("KGZ"), "key lost"); err != nil {
		t.Fatal(err)
	}
	r.tell(t, kaz)
	if err := <-under; err == nil {
		t.Error("an exchange under way was answered")
	}
	if got := kaz.host.Connected(); len(got) != 0 {
		t.Errorf("still connected: %v", got)
	}
	// KGZ has not heard of it yet, and is refused.
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := ask(ctx, kgz, kaz, "KAZ"); !errors.Is(err, transport.ErrNotAdmitted) {
		t.Errorf("the suspended member asks: %v", err)
	}
	var fault *protocol.Fault
	if err := ask(ctx, kaz, kgz, "KGZ"); !errors.As(err, &fault) || fault.Code != protocol.CodeSuspended {
		t.Errorf("the suspended member is asked: %v", err)
	}
	// When it hears, it keeps to it: it admits nobody and asks nobody.
	r.tell(t, kgz)
	if !kgz.SelfSuspended() || kgz.Admits(kaz.host.PeerID()) {
		t.Error("the suspended member goes on")
	}
	if err := ask(ctx, kgz, kaz, "KAZ"); !errors.As(err, &fault) || fault.Code != protocol.CodeSuspended {
		t.Errorf("the suspended member asks: %v", err)
	}
	if err := r.authority.Reinstate(entity("KGZ")); err != nil {
		t.Fatal(err)
	}
	r.tell(t, kaz)
	r.tell(t, kgz)
	if kgz.SelfSuspended() || !kgz.Admits(kaz.host.PeerID()) || !kaz.Admits(kgz.host.PeerID()) {
		t.Error("not reinstated")
	}
}

// TestHandedOn: a member whose folder is never told hears of a suspension from another.
func TestHandedOn(t *testing.T) {
	r := newRegion(t, "KAZ", "KGZ", "UZB")
	kaz, kgz, uzb := r.members["KAZ"], r.members["KGZ"], r.members["UZB"]
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- kaz.Run(ctx) }()
	if err := r.authority.Suspend(entity("KGZ"), ""); err != nil {
		t.Fatal(err)
	}
	if _, err := r.author.Publish(kaz.folder); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); uzb.Admits(kgz.host.PeerID()); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("never heard")
		}
	}
	stop()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestLostOnTheWay: a member to whom news could not be given when it was handed on, and who
// hears no Anchor, asks for it.
func TestLostOnTheWay(t *testing.T) {
	r := newRegion(t, "KAZ", "KGZ", "UZB")
	kaz, kgz, uzb := r.members["KAZ"], r.members["KGZ"], r.members["UZB"]
	kaz.deaf.Store(true) // what KAZ tells does not arrive
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 2)
	go func() { done <- kaz.Run(ctx) }()
	if err := r.authority.Suspend(entity("KGZ"), ""); err != nil {
		t.Fatal(err)
	}
	if _, err := r.author.Publish(kaz.folder); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); kaz.Admits(kgz.host.PeerID()); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the first never heard")
		}
	}
	if !uzb.Admits(kgz.host.PeerID()) {
		t.Fatal("it has heard all the same")
	}
	// Nor does the reply to what UZB tells when it starts.
	uzb.deaf.Store(true)
	go func() { done <- uzb.Run(ctx) }()
	for deadline := time.Now().Add(30 * time.Second); uzb.lost.Load() < 2; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("UZB tells nobody")
		}
	}
	uzb.deaf.Store(false)
	for deadline := time.Now().Add(10 * time.Second); uzb.Admits(kgz.host.PeerID()); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("never heard")
		}
	}
	stop()
	for range 2 {
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
}

// TestHangingAnchor: a Trust Anchor that takes requests and answers none delays no suspension
// that another has published.
func TestHangingAnchor(t *testing.T) {
	hanging, asked := atomic.Bool{}, make(chan struct{}, 64)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !hanging.Load() {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		select {
		case asked <- struct{}{}:
		default:
		}
		<-r.Context().Done()
	}))
	defer server.Close()
	r := newRegionBeside(t, []trust.Anchor{{EntityID: "https://hanging.example", Keys: jose.NewKeySet(key(t, "hanging").Public()), Location: server.URL}}, "KAZ", "KGZ")
	kaz, kgz := r.members["KAZ"], r.members["KGZ"]
	if !kaz.Admits(kgz.host.PeerID()) {
		t.Fatal("not a member")
	}
	hanging.Store(true)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- kaz.Run(ctx) }()
	<-asked
	if err := r.authority.Suspend(entity("KGZ"), ""); err != nil {
		t.Fatal(err)
	}
	if _, err := r.author.Publish(kaz.folder); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); kaz.Admits(kgz.host.PeerID()); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Error("not heard within 10 s")
			break
		}
	}
	stop()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestPause: what the operator decided outlasts a restart, and the peer is told nothing.
func TestPause(t *testing.T) {
	r := newRegion(t, "KAZ", "KGZ")
	kaz, kgz := r.members["KAZ"], r.members["KGZ"]
	if _, err := kaz.Pause("KGZ", "two\nlines", false); err == nil {
		t.Error("a reason of two lines")
	}
	if _, err := kaz.Pause("UZB", "", false); !errors.Is(err, trust.ErrNotMember) {
		t.Errorf("nobody: %v", err)
	}
	if id, err := kaz.Pause("KGZ", "looking", false); err != nil || id != entity("KGZ") {
		t.Fatalf("got %s, %v", id, err)
	}
	if _, err := kaz.Pause("KGZ", "", false); !errors.Is(err, peering.ErrPaused) {
		t.Errorf("again: %v", err)
	}
	if kaz.Admits(kgz.host.PeerID()) || !kgz.Admits(kaz.host.PeerID()) {
		t.Error("the pause is not the pausing side's alone")
	}
	if _, err := kaz.Entity(entity("KGZ"), time.Now()); !errors.Is(err, trust.ErrNotMember) {
		t.Errorf("as an issuer: %v", err)
	}
	if list := kaz.List(); len(list) != 1 || list[0].Paused == nil || list[0].Paused.Reason != "looking" {
		t.Errorf("listed %+v", list)
	}
	if _, err := kaz.Resume(string(entity("KGZ"))); err != nil || !kaz.Admits(kgz.host.PeerID()) {
		t.Errorf("resumed: %v", err)
	}
	if _, err := kaz.Resume("KGZ"); !errors.Is(err, peering.ErrNotPaused) {
		t.Errorf("again: %v", err)
	}
}
