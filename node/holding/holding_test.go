package holding_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/tamga-id/tamga/credentials/consent"
	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/consents"
	"github.com/tamga-id/tamga/node/enrol"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/holding"
	"github.com/tamga-id/tamga/node/rows"
)

const self = "https://uzb.example"

var now = time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC)

type lent struct{ store.Store }

func (l lent) Beside(f func(store.Store) error) error { return f(l.Store) }

func grounds(t *testing.T) *holding.Grounds {
	t.Helper()
	g, _ := stored(t)
	return g
}

// stored gives the store that the book lies in, too.
func stored(t *testing.T) (*holding.Grounds, store.Store) {
	t.Helper()
	s, err := store.OpenBadger(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	r, err := rows.New(lent{s}, [32]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	return &holding.Grounds{Entity: self, Book: consents.New(r, nil), Now: func() time.Time { return now }}, s
}

func key(t *testing.T) jose.PrivateKey {
	t.Helper()
	k, err := jose.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func given() consent.Consent {
	return consent.Consent{ID: "1", Requester: self, Controller: self, Purpose: "service_delivery", Modalities: []string{"face", "finger"},
		IssuedAt: now, ExpiresAt: now.Add(time.Hour), Notice: consent.NoticeOf([]byte("shown"), "uz")}
}

func person(k jose.PrivateKey, artefact string) gallery.Enrolment {
	return gallery.Enrolment{Subject: pseudonym.Identifier{Jurisdiction: "UZB", Type: pseudonym.IDPassport, Value: "SYN1"}, Holder: k.Public().KeyID(),
		Templates: []gallery.Template{{Modality: "face"}}, Absences: []gallery.Absence{{Modality: "finger"}}, Artefact: artefact}
}

func issue(t *testing.T, k jose.PrivateKey, c consent.Consent) string {
	t.Helper()
	token, err := consent.Issue(k, c)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// TestEnrol: what does not verify is left out and named by the rule that it breaks, and the
// others are handed on, in order.
func TestEnrol(t *testing.T) {
	g, k := grounds(t), key(t)
	with := func(change func(*consent.Consent)) gallery.Enrolment {
		c := given()
		change(&c)
		return person(k, issue(t, k, c))
	}
	plain := person(k, "")
	plain.Consent = [32]byte{9} // nobody may bring a key that was not verified
	other := with(func(*consent.Consent) {})
	other.Holder = key(t).Public().KeyID()
	nothing := with(func(*consent.Consent) {})
	nothing.Templates, nothing.Absences = nil, nil
	batch := []gallery.Enrolment{
		with(func(*consent.Consent) {}),
		plain,
		with(func(c *consent.Consent) { c.Requester = "https://kaz.example" }),
		with(func(c *consent.Consent) { c.Controller = "https://kaz.example" }),
		with(func(c *consent.Consent) { c.Purpose = "holiday" }),
		with(func(c *consent.Consent) { c.Modalities = []string{"face"} }),
		with(func(c *consent.Consent) { c.IssuedAt, c.ExpiresAt = now.Add(-2*time.Hour), now }),
		person(k, "a.b.c"),
		other,
		nothing,
	}
	var taken []gallery.Enrolment
	results, err := g.Enrol(batch, func(good []gallery.Enrolment) (out []gallery.Result, err error) {
		taken = slices.Clone(good)
		for range good {
			out = append(out, gallery.Result{Change: gallery.Created})
		}
		return out, nil
	})
	if err != nil || len(results) != len(batch) {
		t.Fatal(results, err)
	}
	c := given()
	c.Holder = k.Public().KeyID()
	if len(taken) != 2 || taken[0].Consent != c.Key() || taken[1].Consent != ([32]byte{}) {
		t.Errorf("handed on: %d", len(taken))
	}
	for i, r := range results {
		rule, _ := errors.AsType[*enrol.RuleError](r.Err)
		if i < 2 && (r.Change != gallery.Created || r.Err != nil) || i >= 2 && (r.Change != gallery.Failed || rule == nil || rule.Member != "consent") {
			t.Errorf("%d: %v, %v", i, r.Change, r.Err)
		}
	}
}

// TestGround: an enrolment by a consent that was withdrawn since it was verified breaks a rule when it is stored,
// also for a clock by which the withdrawal was forgotten.
func TestGround(t *testing.T) {
	g, s := stored(t)
	k := key(t)
	artefact := issue(t, k, given())
	u, err := consent.Parse(artefact)
	if err != nil {
		t.Fatal(err)
	}
	token, err := consent.Withdraw(k, u.Claimed(), "", now)
	if err != nil {
		t.Fatal(err)
	}
	w, err := consent.VerifyWithdrawal(token, nil, now)
	if err != nil {
		t.Fatal(err)
	}
	store := func() (err error) {
		t.Helper()
		_, failed := g.Enrol([]gallery.Enrolment{person(k, artefact)}, func(good []gallery.Enrolment) ([]gallery.Result, error) {
			if len(good) != 1 {
				t.Fatalf("%d handed on", len(good))
			}
			err = s.View(good[0].Ground.Holds)
			return make([]gallery.Result, len(good)), nil
		})
		if failed != nil {
			t.Fatal(failed)
		}
		return err
	}
	if err := store(); err != nil {
		t.Errorf("before it was withdrawn: %v", err)
	}
	if _, err := g.Book.Withdraw(w, token); err != nil {
		t.Fatal(err)
	}
	if rule, _ := errors.AsType[*enrol.RuleError](store()); rule == nil || rule.Rule != "was withdrawn" {
		t.Errorf("withdrawn: %v", rule)
	}
	if n, err := g.Book.Forget(now.Add(100 * 24 * time.Hour)); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if rule, _ := errors.AsType[*enrol.RuleError](store()); rule == nil || rule.Member != "consent" {
		t.Errorf("withdrawn, and forgotten by a clock that was ahead: %v", rule)
	}
}

// holder is a gallery in which people are held by consents.
type holder struct {
	held   map[[32]byte]int
	err    error
	broken [32]byte // the consent of whom nobody can be erased
}

func (h *holder) EraseHeldBy(_ context.Context, consent [32]byte) (int, error) {
	if h.err != nil {
		return 0, h.err
	}
	if consent == h.broken {
		return 0, gallery.ErrDamaged
	}
	n := h.held[consent]
	delete(h.held, consent)
	return n, nil
}

// TestEraseOwed: an erasure that failed is tried again until it was done, and nobody else's is.
func TestEraseOwed(t *testing.T) {
	g := grounds(t)
	w := consent.Withdrawal{ID: "1", Holder: "thumb", Requester: self, Controller: self, IssuedAt: now, ExpiresAt: now.Add(time.Hour)}
	if _, err := g.Book.Withdraw(w, "token"); err != nil {
		t.Fatal(err)
	}
	h := &holder{held: map[[32]byte]int{w.Key(): 1, {7}: 1}, err: errors.New("disk full")}
	erase := func(want int, wantErr error) {
		t.Helper()
		if n, err := g.EraseOwed(t.Context(), h); n != want || !errors.Is(err, wantErr) {
			t.Errorf("%d erased, %v", n, err)
		}
	}
	erase(0, h.err)
	erase(0, h.err)
	h.err = nil
	erase(1, nil)
	if owed, err := g.Book.Owed(); len(owed) != 0 || err != nil {
		t.Errorf("%d owed, %v", len(owed), err)
	}
	if len(h.held) != 1 {
		t.Error("somebody else was erased")
	}
}

// TestEraseOwedEach: that one is damaged keeps no other from being erased, and settled.
func TestEraseOwedEach(t *testing.T) {
	g := grounds(t)
	h := &holder{held: make(map[[32]byte]int)}
	for i, id := range []string{"1", "2", "3", "4"} {
		w := consent.Withdrawal{ID: id, Holder: "thumb", Requester: self, Controller: self, IssuedAt: now, ExpiresAt: now.Add(time.Hour)}
		if _, err := g.Book.Withdraw(w, "token"); err != nil {
			t.Fatal(err)
		}
		if h.held[w.Key()] = 1; i == 0 {
			h.broken = w.Key()
		}
	}
	if n, err := g.EraseOwed(t.Context(), h); n != 3 || !errors.Is(err, gallery.ErrDamaged) {
		t.Errorf("%d erased, %v", n, err)
	}
	if owed, err := g.Book.Owed(); len(owed) != 1 || owed[0].Consent != h.broken || err != nil {
		t.Errorf("%d owed, %v", len(owed), err)
	}
}
