package introduction_test

import (
	"crypto/sha256"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/node/introduction"
)

var now = time.Date(2026, time.November, 26, 8, 0, 0, 0, time.UTC)

func self(t testing.TB, name string) introduction.Self {
	t.Helper()
	sum := sha256.Sum256([]byte("tamga/v1/test-key " + name))
	k, err := jose.NewPrivateKey(sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return introduction.Self{Key: k, Party: introduction.Party{EntityID: trust.EntityID("https://" + strings.ToLower(name) + ".example"), Name: name,
		Jurisdiction: name[:3], PeerID: "12D3", Addresses: []string{}, Keys: jose.NewKeySet(k.Public()), Anchors: []trust.Anchor{}}}
}

func book(t testing.TB) *introduction.Book {
	t.Helper()
	b, err := introduction.OpenBook(filepath.Join(t.TempDir(), "introductions.json"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// TestIntroduction: both sides come to the same words, by way of files on disk.
func TestIntroduction(t *testing.T) {
	file := filepath.Join(t.TempDir(), "introductions.json")
	a, b, kgz := self(t, "KAZ"), self(t, "KGZ"), book(t)
	kaz := must[*introduction.Book](t)(introduction.OpenBook(file))
	invitation := must[string](t)(kaz.Invite(a, 0, now))
	first := must[introduction.Step](t)(kgz.Accept(b, invitation, now))
	if first.Other.EntityID != a.EntityID || len(first.Words) != 0 || !first.Until.Equal(now.Add(introduction.DefaultLifetime)) {
		t.Errorf("invitation: %+v", first)
	}
	if again := must[introduction.Step](t)(kgz.Accept(b, invitation, now)); again.Reply != first.Reply {
		t.Error("one invitation was accepted in two ways")
	}
	kaz = must[*introduction.Book](t)(introduction.OpenBook(file))
	second := must[introduction.Step](t)(kaz.Accept(a, first.Reply, now))
	third := must[introduction.Step](t)(kgz.Accept(b, second.Reply, now))
	if len(second.Words) != introduction.Words || !slices.Equal(second.Words, third.Words) || third.Reply != "" {
		t.Fatalf("words %v and %v", second.Words, third.Words)
	}
	done := must[introduction.Confirmed](t)(kgz.Confirm(a.EntityID, second.Words, now))
	if !slices.Equal(done.Party.Fingerprints(), a.Fingerprints()) || len(kgz.Confirmed()) != 1 {
		t.Errorf("confirmed %+v", done)
	}
	if _, err := kaz.Confirm(b.EntityID, append(slices.Clone(third.Words[:4]), "zoo"), now); !errors.Is(err, introduction.ErrWords) {
		t.Errorf("other words: %v", err)
	}
	if _, err := kaz.Confirm(b.EntityID, third.Words, now); err == nil || len(kaz.Confirmed()) != 0 {
		t.Error("there was a second guess")
	}
	if ok, err := kgz.Remove(a.EntityID); !ok || err != nil || len(kgz.Confirmed()) != 0 {
		t.Errorf("removed %t, %v", ok, err)
	}
}

// TestBetween: who is in the middle gets two introductions with different words, and no
// second try.
func TestBetween(t *testing.T) {
	a, b, m := self(t, "KAZ"), self(t, "KGZ"), self(t, "MMM")
	kaz, kgz, toKAZ, toKGZ := book(t), book(t), book(t), book(t)
	posing := func(as introduction.Self) introduction.Self {
		as.Key, as.Keys = m.Key, m.Keys
		return as
	}
	fromKAZ := must[string](t)(kaz.Invite(a, 0, now))
	forged := must[string](t)(toKGZ.Invite(posing(a), 0, now))
	one := must[introduction.Step](t)(toKAZ.Accept(posing(b), fromKAZ, now))
	two := must[introduction.Step](t)(kgz.Accept(b, forged, now))
	atKAZ := must[introduction.Step](t)(kaz.Accept(a, one.Reply, now))
	reveal := must[introduction.Step](t)(toKGZ.Accept(posing(a), two.Reply, now))
	atKGZ := must[introduction.Step](t)(kgz.Accept(b, reveal.Reply, now))
	if slices.Equal(atKAZ.Words, atKGZ.Words) {
		t.Error("both sides have the same words with somebody between them")
	}
	other := must[introduction.Step](t)(book(t).Accept(posing(b), fromKAZ, now.Add(time.Second)))
	if _, err := kaz.Accept(a, other.Reply, now.Add(time.Second)); !errors.Is(err, introduction.ErrForeign) {
		t.Errorf("a second acceptance of one invitation: %v", err)
	}
	// What KAZ reveals opens no commitment but its own.
	if _, err := kgz.Accept(b, atKAZ.Reply, now); !errors.Is(err, introduction.ErrForeign) {
		t.Errorf("a confirmation of another introduction: %v", err)
	}
}

// TestForgedFirst: an introduction that somebody forged, and that came first, does not take
// the place of the one whose words are read.
func TestForgedFirst(t *testing.T) {
	a, b, m := self(t, "KAZ"), self(t, "KGZ"), self(t, "MMM")
	posing := a
	posing.Key, posing.Keys = m.Key, m.Keys
	kgz := book(t)
	introduce := func(as introduction.Self) []string {
		t.Helper()
		theirs := book(t)
		step := must[introduction.Step](t)(kgz.Accept(b, must[string](t)(theirs.Invite(as, 0, now)), now))
		step = must[introduction.Step](t)(theirs.Accept(as, step.Reply, now))
		return must[introduction.Step](t)(kgz.Accept(b, step.Reply, now)).Words
	}
	introduce(posing)
	heard := introduce(a)
	introduce(posing)
	done, err := kgz.Confirm(a.EntityID, heard, now)
	if err != nil || !slices.Equal(done.Party.Fingerprints(), a.Fingerprints()) {
		t.Fatalf("got %v, error %v", done.Party.Fingerprints(), err)
	}
	// The forged ones are done with.
	if _, err := kgz.Confirm(a.EntityID, heard, now); !errors.Is(err, introduction.ErrForeign) {
		t.Errorf("something is still under way: %v", err)
	}
}

func TestRefused(t *testing.T) {
	a, b := self(t, "KAZ"), self(t, "KGZ")
	token := must[string](t)(book(t).Invite(a, time.Hour, now))
	for name, tc := range map[string]struct {
		file string
		at   time.Time
		want error
	}{
		"expired":   {token, now.Add(time.Hour), introduction.ErrExpired},
		"future":    {token, now.Add(-time.Hour), introduction.ErrFile},
		"edited":    {strings.Replace(token, ".ey", ".eY", 1), now, introduction.ErrFile},
		"cut":       {token[:len(token)-3], now, introduction.ErrFile},
		"empty":     {"", now, introduction.ErrFile},
		"not-a-jws": {"hello", now, introduction.ErrFile},
		"too-large": {strings.Repeat("a", 1<<17), now, introduction.ErrFile},
	} {
		t.Run(name, func(t *testing.T) {
			if s, err := book(t).Accept(b, tc.file, tc.at); !errors.Is(err, tc.want) || s.Reply != "" {
				t.Errorf("got %v, want %v", err, tc.want)
			}
		})
	}
	if _, err := book(t).Accept(a, token, now); !errors.Is(err, introduction.ErrForeign) {
		t.Errorf("the own invitation: %v", err)
	}
	if _, err := book(t).Invite(a, introduction.MaxLifetime+1, now); err == nil {
		t.Error("an invitation for ever")
	}
	if _, err := book(t).Confirm(a.EntityID, nil, now); !errors.Is(err, introduction.ErrForeign) {
		t.Errorf("nothing under way: %v", err)
	}
}

func FuzzAccept(f *testing.F) {
	a, b := self(f, "KAZ"), self(f, "KGZ")
	token := must[string](f)(book(f).Invite(a, 0, now))
	f.Add(token)
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, file string) {
		s, err := book(t).Accept(b, file, now)
		if (err == nil) != (strings.TrimSpace(file) == token) {
			t.Fatalf("accepted %t", err == nil)
		}
		if err != nil && (s.Reply != "" || s.Words != nil) {
			t.Fatal("a step with an error")
		}
	})
}
