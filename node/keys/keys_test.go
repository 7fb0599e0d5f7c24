package keys_test

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/tamga-id/tamga/node/keys"
)

func day(n int) time.Time { return time.Date(2025, 3, n, 0, 0, 0, 0, time.UTC) }

func added(t *testing.T) map[string][]byte {
	t.Helper()
	secrets := map[string][]byte{"other": []byte("secret")}
	for _, f := range keys.Families() {
		if err := keys.Add(secrets, f, day(1)); err != nil {
			t.Fatal(err)
		}
	}
	return secrets
}

func numbers(t *testing.T, secrets map[string][]byte, f keys.Family) ([]uint32, uint32) {
	t.Helper()
	g, err := keys.Of(secrets, f)
	if err != nil {
		t.Fatal(err)
	}
	return g.Numbers(), g.Current
}

func TestRotation(t *testing.T) {
	secrets := added(t)
	if _, err := keys.Activate(secrets, keys.Sealing, day(1)); !errors.Is(err, keys.ErrNotPrepared) {
		t.Errorf("activating what was not prepared: %v", err)
	}
	if _, err := keys.Retire(secrets, keys.Sealing, 1); !errors.Is(err, keys.ErrNothingOld) {
		t.Errorf("retiring the only generation: %v", err)
	}
	first := bytes.Clone(secrets["sealing-key/1"])
	if n, err := keys.Prepare(secrets, keys.Sealing); n != 2 || err != nil {
		t.Fatalf("prepared %d, %v; want 2", n, err)
	}
	if n, err := keys.Prepare(secrets, keys.Sealing); n != 2 || !errors.Is(err, keys.ErrPrepared) {
		t.Errorf("prepared again %d, %v; want ErrPrepared naming 2", n, err)
	}
	if all, current := numbers(t, secrets, keys.Sealing); !slices.Equal(all, []uint32{1, 2}) || current != 1 {
		t.Errorf("after preparing: %d, current %d", all, current)
	}
	if n, err := keys.Activate(secrets, keys.Sealing, day(1)); n != 2 || err != nil {
		t.Fatalf("activated %d, %v; want 2", n, err)
	}
	g, err := keys.Of(secrets, keys.Sealing)
	if err != nil || g.Current != 2 {
		t.Fatalf("current %d, %v; want 2", g.Current, err)
	}
	if o := g.Ordered(); len(o) != 2 || bytes.Equal(o[0], first) || !bytes.Equal(o[1], first) {
		t.Error("the old generation is not told of after the current one")
	}
	if gone, err := keys.Retire(secrets, keys.Sealing, 2); !slices.Equal(gone, []uint32{1}) || err != nil {
		t.Errorf("retired %d, %v; want 1", gone, err)
	}
	for name, s := range secrets {
		if bytes.Equal(s, first) {
			t.Errorf("%s is the retired secret", name)
		}
	}
	// Numbers are never used twice, and other families and secrets stay.
	if n, err := keys.Prepare(secrets, keys.Sealing); n != 3 || err != nil {
		t.Errorf("prepared %d, %v; want 3", n, err)
	}
	if all, current := numbers(t, secrets, keys.KEK); !slices.Equal(all, []uint32{1}) || current != 1 || string(secrets["other"]) != "secret" {
		t.Errorf("another family is now %d, current %d", all, current)
	}
}

func TestAddRefusesTwice(t *testing.T) {
	secrets := added(t)
	before := maps.Clone(secrets)
	if err := keys.Add(secrets, keys.KEK, day(1)); err == nil || !maps.EqualFunc(before, secrets, bytes.Equal) {
		t.Errorf("a second first generation: %v", err)
	}
}

func TestOfRefuses(t *testing.T) {
	key := bytes.Repeat([]byte{1}, 32)
	current := []byte{0, 0, 0, 1}
	for name, secrets := range map[string]map[string][]byte{
		"none":          {},
		"no-current":    {"kek/1": key},
		"current-gone":  {"kek/2": key, "kek/current": current},
		"current-short": {"kek/1": key, "kek/current": {1}},
		"zero":          {"kek/0": key, "kek/current": {0, 0, 0, 0}},
		"leading-zero":  {"kek/1": key, "kek/01": key, "kek/current": current},
		"word":          {"kek/1": key, "kek/x": key, "kek/current": current},
		"too-large":     {"kek/1": key, "kek/4294967296": key, "kek/current": current},
		"since-cut":     {"kek/1": key, "kek/current": current, "kek/since": make([]byte, 13)},
		"since-order":   {"kek/1": key, "kek/current": current, "kek/since": make([]byte, 12)},
		"short":         {"kek/1": key[:31], "kek/current": current},
	} {
		t.Run(name, func(t *testing.T) {
			if g, err := keys.Of(secrets, keys.KEK); !errors.Is(err, keys.ErrMalformed) || g.Secrets != nil {
				t.Errorf("read %d, %v; want ErrMalformed", g.Numbers(), err)
			}
		})
	}
}

// TestRetireNamesWhatStays: what became current after the caller looked does not cost the generation he needs.
func TestRetireNamesWhatStays(t *testing.T) {
	secrets := map[string][]byte{}
	if err := keys.Add(secrets, keys.KEK, day(1)); err != nil {
		t.Fatal(err)
	}
	step := func() {
		t.Helper()
		if _, err := keys.Prepare(secrets, keys.KEK); err != nil {
			t.Fatal(err)
		}
		if _, err := keys.Activate(secrets, keys.KEK, day(1)); err != nil {
			t.Fatal(err)
		}
	}
	step()
	step()
	gone, err := keys.Retire(secrets, keys.KEK, 2)
	if err != nil || !slices.Equal(gone, []uint32{1}) {
		t.Fatalf("retired %v, %v", gone, err)
	}
	g, err := keys.Of(secrets, keys.KEK)
	if err != nil || !slices.Equal(g.Numbers(), []uint32{2, 3}) {
		t.Fatalf("left %v, %v", g.Numbers(), err)
	}
	for _, keep := range []uint32{0, 1, 4} {
		if gone, err := keys.Retire(secrets, keys.KEK, keep); !errors.Is(err, keys.ErrNotPrepared) || gone != nil {
			t.Errorf("keeping from %d on: retired %v, %v", keep, gone, err)
		}
	}
}

// TestSince: it is known since when each generation has been current, and nothing is kept of those that are gone.
func TestSince(t *testing.T) {
	secrets := map[string][]byte{}
	if err := keys.Add(secrets, keys.KEK, day(1)); err != nil {
		t.Fatal(err)
	}
	since := func() map[uint32]time.Time {
		t.Helper()
		g, err := keys.Of(secrets, keys.KEK)
		if err != nil {
			t.Fatal(err)
		}
		return g.Since
	}
	for n := 2; n < 4; n++ {
		if _, err := keys.Prepare(secrets, keys.KEK); err != nil {
			t.Fatal(err)
		}
		if got := since(); len(got) != n-1 {
			t.Errorf("a prepared generation has a time: %v", got)
		}
		if _, err := keys.Activate(secrets, keys.KEK, day(n).Add(time.Millisecond)); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := since(), (map[uint32]time.Time{1: day(1), 2: day(2), 3: day(3)}); !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if _, err := keys.Retire(secrets, keys.KEK, 3); err != nil {
		t.Fatal(err)
	}
	if got, want := since(), (map[uint32]time.Time{3: day(3)}); !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestMark keeps what is to be retired in the secrets until it is, whatever becomes
// current meanwhile.
func TestMark(t *testing.T) {
	secrets := added(t)
	if _, err := keys.Mark(secrets, keys.KEK, 0); !errors.Is(err, keys.ErrNothingOld) {
		t.Errorf("marking the only generation: %v", err)
	}
	step := func() {
		t.Helper()
		_, err := keys.Prepare(secrets, keys.KEK)
		if err == nil {
			_, err = keys.Activate(secrets, keys.KEK, day(1))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	keep := func(want uint32) {
		t.Helper()
		if g, err := keys.Of(secrets, keys.KEK); err != nil || g.Keep != want {
			t.Errorf("to be kept: %d, %v; want %d", g.Keep, err, want)
		}
	}
	step()
	if n, err := keys.Mark(secrets, keys.KEK, 0); n != 2 || err != nil {
		t.Fatalf("marked %d, %v", n, err)
	}
	keep(2)
	step()
	keep(2)
	if n, err := keys.Mark(secrets, keys.KEK, 0); n != 3 || err != nil {
		t.Fatalf("marked %d, %v", n, err)
	}
	if gone, err := keys.Retire(secrets, keys.KEK, 2); !slices.Equal(gone, []uint32{1}) || err != nil {
		t.Fatalf("retired %d, %v", gone, err)
	}
	keep(3) // there is more to do
	if gone, err := keys.Retire(secrets, keys.KEK, 3); !slices.Equal(gone, []uint32{2}) || err != nil {
		t.Fatalf("retired %d, %v", gone, err)
	}
	keep(0)
	step()
	if n, err := keys.Mark(secrets, keys.KEK, 5); !errors.Is(err, keys.ErrNotPrepared) {
		t.Errorf("marked %d, %v", n, err)
	}
	if n, err := keys.Mark(secrets, keys.KEK, 3); !errors.Is(err, keys.ErrNothingOld) {
		t.Errorf("marked %d, %v", n, err)
	}
	keep(0)
	for _, bad := range [][]byte{{1}, {0, 0, 0, 9}} {
		secrets["kek/keep"] = bad
		if _, err := keys.Of(secrets, keys.KEK); !errors.Is(err, keys.ErrMalformed) {
			t.Errorf("keep %v: %v", bad, err)
		}
	}
}
