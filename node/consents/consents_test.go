package consents_test

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tamga-id/tamga/credentials/consent"
	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/node/consents"
	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/rows"
)

var now = time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC)

type lent struct {
	store.Store
	err error // instead of lending
}

func (l *lent) Beside(f func(store.Store) error) error {
	if l.err != nil {
		return l.err
	}
	return f(l.Store)
}

func open(t *testing.T, dir string) *lent {
	t.Helper()
	s, err := store.OpenBadger(dir)
	if err != nil {
		t.Fatal(err)
	}
	return &lent{Store: s}
}

func book(t *testing.T, l *lent) *consents.Book {
	t.Helper()
	r, err := rows.New(l, [32]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	return consents.New(r, nil)
}

func given(id string, uses int) consent.Consent {
	return consent.Consent{ID: id, Holder: "thumb", Requester: "https://uzb.example", Controller: "https://kaz.example",
		Purpose: "visa_issuance", Modalities: []string{"face"}, IssuedAt: now, ExpiresAt: now.Add(time.Hour), Uses: uses}
}

func withdrawn(id string) consent.Withdrawal {
	return consent.Withdrawal{ID: id, Holder: "thumb", Requester: "https://uzb.example", Controller: "https://kaz.example", IssuedAt: now, ExpiresAt: now.Add(time.Hour)}
}

func TestUseAcrossRestart(t *testing.T) {
	dir := t.TempDir()
	for run, want := range []error{nil, nil, consents.ErrUsed, consents.ErrUsed} {
		l := open(t, dir)
		if err := book(t, l).Use(given("a", 2)); !errors.Is(err, want) {
			t.Errorf("run %d: %v, want %v", run, err, want)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestUseAcrossReplicas has two nodes of one store use a consent at once, as often as they can.
func TestUseAcrossReplicas(t *testing.T) {
	l := open(t, t.TempDir())
	defer l.Close()
	nodes := []*consents.Book{book(t, l), book(t, l)}
	var allowed atomic.Int32
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			err := nodes[i%2].Use(given("a", 3))
			if err == nil {
				allowed.Add(1)
			} else if !errors.Is(err, consents.ErrUsed) {
				t.Errorf("using: %v", err)
			}
		}()
	}
	wg.Wait()
	if allowed.Load() != 3 {
		t.Errorf("a consent to 3 uses was used %d times", allowed.Load())
	}
}

func TestWithdraw(t *testing.T) {
	l := open(t, t.TempDir())
	defer l.Close()
	b, other := book(t, l), book(t, l)
	if err := b.Use(given("a", 5)); err != nil {
		t.Fatal(err)
	}
	if fresh, err := b.Withdraw(withdrawn("a"), "token", "https://uzb.example"); !fresh || err != nil {
		t.Fatalf("withdrawn: fresh %v, %v", fresh, err)
	}
	if err := other.Use(given("a", 5)); !errors.Is(err, consents.ErrWithdrawn) {
		t.Errorf("used on another node after it was withdrawn: %v", err)
	}
	if err := other.Use(given("b", 5)); err != nil {
		t.Errorf("another consent: %v", err)
	}
	if is, err := other.Withdrawn(withdrawn("a").Key()); !is || err != nil {
		t.Errorf("withdrawn: %v, %v", is, err)
	}
	out, err := other.Outstanding()
	if err != nil || len(out) != 1 || out[0].Entity != "https://uzb.example" || out[0].Token != "token" {
		t.Fatalf("outstanding: %v, %v", out, err)
	}
	if fresh, err := b.Withdraw(withdrawn("a"), "token", "https://uzb.example"); fresh || err != nil {
		t.Errorf("again: fresh %v, %v", fresh, err)
	}
	if err := b.Told(out[0]); err != nil {
		t.Fatal(err)
	}
	if out, err := b.Outstanding(); len(out) != 0 || err != nil {
		t.Errorf("after it was told: %v, %v", out, err)
	}
	// One that comes before the consent does.
	if _, err := b.Withdraw(withdrawn("c"), "token"); err != nil {
		t.Fatal(err)
	}
	if err := b.Use(given("c", 1)); !errors.Is(err, consents.ErrWithdrawn) {
		t.Errorf("used after a withdrawal that came first: %v", err)
	}
}

// TestUnavailable: what cannot be told is neither used nor withdrawn, and never allowed.
func TestUnavailable(t *testing.T) {
	l := open(t, t.TempDir())
	defer l.Close()
	b := book(t, l)
	l.err = store.ErrUnavailable
	if err := b.Use(given("a", 1)); !errors.Is(err, store.ErrUnavailable) || errors.Is(err, consents.ErrUsed) {
		t.Errorf("with the store away: %v", err)
	}
	if _, err := b.Withdrawn(withdrawn("a").Key()); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("with the store away: %v", err)
	}
	l.err = nil
	if err := b.Use(given("a", 1)); err != nil {
		t.Errorf("the failure was counted: %v", err)
	}
	if err := b.Use(consent.Consent{}); !errors.Is(err, consents.ErrUsed) {
		t.Errorf("the zero consent: %v", err)
	}
}

func TestForget(t *testing.T) {
	l := open(t, t.TempDir())
	defer l.Close()
	b := book(t, l)
	if err := b.Use(given("a", 1)); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Withdraw(withdrawn("w"), "token"); err != nil {
		t.Fatal(err)
	}
	for at, want := range map[time.Duration]int{time.Hour: 0, 24 * time.Hour: 0} {
		if n, err := b.Forget(now.Add(at)); n != want || err != nil {
			t.Errorf("after %v: forgot %d, %v", at, n, err)
		}
	}
	if n, err := b.Forget(now.Add(26 * time.Hour)); n != 1 || err != nil {
		t.Errorf("once it has expired: forgot %d, %v", n, err)
	}
	if is, err := b.Withdrawn(withdrawn("w").Key()); !is || err != nil {
		t.Errorf("a withdrawal is remembered for as long as any consent lives: %v, %v", is, err)
	}
}

// TestClock: whatever the clock says, a consent that was used, or withdrawn, permits nothing again;
// one that was given since does.
func TestClock(t *testing.T) {
	l := open(t, t.TempDir())
	defer l.Close()
	b := book(t, l)
	if err := b.Use(given("used", 1)); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Withdraw(withdrawn("withdrawn"), "token"); err != nil {
		t.Fatal(err)
	}
	for _, at := range []time.Duration{-48 * time.Hour, 26 * time.Hour, 40 * 24 * time.Hour, 20 * 365 * 24 * time.Hour, 0} {
		if _, err := b.Forget(now.Add(at)); err != nil {
			t.Fatal(err)
		}
		for range 2 { // of a clock that is right again
			if err := b.Use(given("used", 1)); err == nil {
				t.Errorf("forgotten at %v: used again", at)
			}
			if err := b.Use(given("withdrawn", 1)); err == nil {
				t.Errorf("forgotten at %v: used though it was withdrawn", at)
			}
		}
	}
	if err := b.Use(given("used", 1)); errors.Is(err, consents.ErrUsed) || errors.Is(err, consents.ErrWithdrawn) {
		t.Errorf("what is forgotten is said to be known: %v", err)
	}
	later := given("later", 1)
	later.ExpiresAt = now.Add(consent.MaxLifetime + time.Hour)
	if err := b.Use(later); err != nil {
		t.Errorf("given since: %v", err)
	}
}

// TestWithdrawFlood: a list of withdrawals to be handed on that somebody filled keeps nobody from
// withdrawing, and empties when what it is about has expired.
func TestWithdrawFlood(t *testing.T) {
	l := open(t, t.TempDir())
	defer l.Close()
	b := book(t, l)
	token := withdrawalToken(t, "junk")
	const each = 500
	for i := range consents.MaxOutstanding / each {
		var many []string
		for n := range each {
			many = append(many, fmt.Sprintf("https://n%d.example", n))
		}
		if _, err := b.Withdraw(withdrawn(fmt.Sprint("junk", i)), token, many...); err != nil {
			t.Fatal(err)
		}
	}
	if fresh, err := b.Withdraw(withdrawn("a"), "token", "https://uzb.example"); !fresh || !errors.Is(err, consents.ErrFull) {
		t.Errorf("with a full list: fresh %v, %v", fresh, err)
	}
	if err := b.Use(given("a", 1)); !errors.Is(err, consents.ErrWithdrawn) {
		t.Errorf("used although it was withdrawn: %v", err)
	}
	later := now.Add(26 * time.Hour) // the artefact lived for an hour
	for range 3 {
		if _, err := b.Forget(later); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := b.Outstanding(); len(out) != 0 || err != nil {
		t.Errorf("%d are still to be handed on, %v", len(out), err)
	}
	// Brought again it is handed on.
	if fresh, err := b.Withdraw(withdrawn("a"), "token", "https://uzb.example"); fresh || err != nil {
		t.Errorf("brought again: fresh %v, %v", fresh, err)
	}
	if out, _ := b.Outstanding(); len(out) != 1 {
		t.Errorf("%d to be handed on, want 1", len(out))
	}
}

func withdrawalToken(t *testing.T, id string) string {
	t.Helper()
	k, err := jose.NewPrivateKey(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		t.Fatal(err)
	}
	c := given(id, 1)
	c.Holder = k.Public().KeyID()
	token, err := consent.Withdraw(k, c, "", now)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// TestHear: what a controller says without proof keeps this node from asking that controller, and no more: neither is the
// artefact withdrawn here, where somebody else may be asked on it or was enrolled by it, nor is anybody owed an erasure.
func TestHear(t *testing.T) {
	l := open(t, t.TempDir())
	defer l.Close()
	b := book(t, l)
	w := consent.Withdrawal{ID: "a", Office: "https://office.example", Officer: "nobody", Requester: "https://kaz.example", Controller: "https://liar.example", IssuedAt: now, ExpiresAt: now.Add(time.Hour)}
	if err := b.Hear(w, "token"); err != nil {
		t.Fatal(err)
	}
	c := given("a", 1)
	c.Holder, c.Office = "", w.Office
	if is, err := b.Withdrawn(c.Key()); is || err != nil {
		t.Errorf("withdrawn: %v, %v", is, err)
	}
	if is, err := b.Heard(c); is || err != nil {
		t.Errorf("heard of another controller's: %v, %v", is, err)
	}
	if err := b.Use(c); err != nil {
		t.Errorf("use: %v", err)
	}
	c.Controller = w.Controller
	if is, err := b.Heard(c); !is || err != nil {
		t.Errorf("heard: %v, %v", is, err)
	}
	if owed, err := b.Owed(); len(owed) != 0 || err != nil {
		t.Errorf("owed: %v, %v", owed, err)
	}
}
