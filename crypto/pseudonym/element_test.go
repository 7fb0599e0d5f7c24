package pseudonym_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/tamga-id/tamga/crypto/pseudonym"
)

func seeded(t testing.TB, n byte) pseudonym.Key {
	t.Helper()
	k, err := pseudonym.NewKey(bytes.Repeat([]byte{n}, pseudonym.SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestUpdate: an element that goes from key to key is the one that the last key gives of
// the identifier, whatever the way.
func TestUpdate(t *testing.T) {
	keys := []pseudonym.Key{seeded(t, 1), seeded(t, 2), seeded(t, 3)}
	rapid.Check(t, func(t *rapid.T) {
		id := passport(rapid.StringMatching(`[A-Z0-9]{1,32}`).Draw(t, "value"))
		at := rapid.IntRange(0, 2).Draw(t, "first")
		e, err := keys[at].Element(id)
		if err != nil {
			t.Fatal(err)
		}
		for _, next := range rapid.SliceOfN(rapid.IntRange(0, 2), 1, 4).Draw(t, "way") {
			if e, err = keys[next].Update(keys[at], e); err != nil {
				t.Fatal(err)
			}
			at = next
		}
		want, err := keys[at].Pseudonym(id)
		if err != nil || e.Pseudonym() != want {
			t.Errorf("another pseudonym than that of the identifier (%v)", err)
		}
	})
}

func TestUpdateRefuses(t *testing.T) {
	k, old := seeded(t, 1), seeded(t, 2)
	e, err := old.Element(passport("N1"))
	if err != nil {
		t.Fatal(err)
	}
	broken := e
	broken[31] |= 0x80 // no canonical encoding
	for name, tt := range map[string]struct {
		k, old pseudonym.Key
		e      pseudonym.Element
		want   error
	}{
		"no-key":   {pseudonym.Key{}, old, e, pseudonym.ErrKey},
		"no-old":   {k, pseudonym.Key{}, e, pseudonym.ErrKey},
		"identity": {k, old, pseudonym.Element{}, pseudonym.ErrElement},
		"broken":   {k, old, broken, pseudonym.ErrElement},
	} {
		if got, err := tt.k.Update(tt.old, tt.e); !errors.Is(err, tt.want) || got != (pseudonym.Element{}) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
	if got, err := k.Update(k, e); err != nil || got != e {
		t.Errorf("to the same key: another element, %v", err)
	}
}

func TestElementRedacts(t *testing.T) {
	e, err := seeded(t, 1).Element(passport("N1"))
	if err != nil {
		t.Fatal(err)
	}
	j, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprint(e), fmt.Sprintf("%x %v", e, &e), string(j), e.LogValue().String()} {
		if bytes.Contains([]byte(text), fmt.Appendf(nil, "%x", e[:4])) || !bytes.Contains([]byte(text), []byte("redacted")) {
			t.Errorf("printed as %q", text)
		}
	}
}

func BenchmarkUpdate(b *testing.B) {
	k, old := seeded(b, 1), seeded(b, 2)
	e, err := old.Element(passport("N1"))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := k.Update(old, e); err != nil {
			b.Fatal(err)
		}
	}
}
