package gallery_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/gallery/renewal"
	"github.com/tamga-id/tamga/node/gallery/store"
)

// nameKeys are the keys of these generations; generation 1 is what the other tests use.
func nameKeys(tb testing.TB, current uint32, generations ...uint32) *pseudonym.Ring {
	tb.Helper()
	all := make(map[uint32]pseudonym.Key)
	for _, n := range generations {
		k, err := pseudonym.NewKey(bytes.Repeat([]byte{byte(n + 1)}, 32))
		if err != nil {
			tb.Fatal(err)
		}
		all[n] = k
	}
	r, err := pseudonym.NewRing(all, current)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func openNamed(tb testing.TB, dir string, ring *pseudonym.Ring) *gallery.Gallery {
	tb.Helper()
	cfg := testConfig(tb, dir)
	cfg.Pseudonyms = ring
	g, err := gallery.Open(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := g.Close(); err != nil && !errors.Is(err, gallery.ErrClosed) {
			tb.Error(err)
		}
	})
	return g
}

func rename(tb testing.TB, g *gallery.Gallery, want uint64) {
	tb.Helper()
	if _, n, err := g.RenameAll(tb.Context(), nil); err != nil || n.Subjects != want {
		tb.Fatalf("renamed %+v, %v; want %d", n, err, want)
	}
}

// TestRename replaces the pseudonym key twice. People are found before, in between and
// afterwards, once each, and everything works on them in each state.
func TestRename(t *testing.T) {
	dir := newDir(t)
	g := openNamed(t, dir, nameKeys(t, 1, 1))
	es := persons(0, 6)
	enrol(t, g, es[:4]...)
	all := func(from, to int) {
		t.Helper()
		for _, e := range es[from:to] {
			check(t, g, e)
		}
	}
	if err := g.UsePseudonyms(t.Context(), nameKeys(t, 2, 1, 2)); err != nil {
		t.Fatal(err)
	}
	all(0, 4)
	// Known people stay one person, and new ones come under the new key.
	if r := enrol(t, g, es[0]); r[0].Change != gallery.Unchanged {
		t.Errorf("enrolled again under a new key: %s", r[0].Change)
	}
	more := small("extra").Templates[0]
	es[1].Templates = append(es[1].Templates, more)
	if r := enrol(t, g, es[1]); r[0].Change != gallery.Updated {
		t.Errorf("one record more: %s", r[0].Change)
	}
	enrol(t, g, es[4])
	all(0, 5)
	if g.Subjects() != 5 || !slices.Equal(g.PseudonymGenerations(), []uint32{2, 1}) {
		t.Errorf("%d subjects under %v", g.Subjects(), g.PseudonymGenerations())
	}
	// A restart in between, and an old key that is missing then.
	closeGallery(t, g)
	cfg := testConfig(t, dir)
	for _, ring := range []*pseudonym.Ring{nameKeys(t, 2, 2), nameKeys(t, 1, 1)} {
		cfg.Pseudonyms = ring
		if _, err := gallery.Open(cfg); !errors.Is(err, gallery.ErrDamaged) {
			t.Fatalf("opened under %v: %v", ring.Generations(), err)
		}
	}
	g = openNamed(t, dir, nameKeys(t, 2, 1, 2))
	all(0, 5)
	if n, err := g.Erase(t.Context(), es[3].Subject); err != nil || n != 3 {
		t.Errorf("erased %d, %v", n, err)
	}
	rename(t, g, 3)
	rename(t, g, 0)
	if !slices.Equal(g.PseudonymGenerations(), []uint32{2}) {
		t.Errorf("lie under %v", g.PseudonymGenerations())
	}
	all(0, 3)
	all(4, 5)
	if r, err := g.Fsck(t.Context(), nil); err != nil || !r.Sound() || r.Records != 13 {
		t.Errorf("checked: %+v, %v", r, err)
	}
	closeGallery(t, g)

	// The old key is gone, and the next rotation follows.
	g = openNamed(t, dir, nameKeys(t, 2, 2))
	all(0, 3)
	if h, err := look(g, es[3].Subject, "face"); err != nil || h.known {
		t.Errorf("the erased person is known: %v, %v", h.known, err)
	}
	closeGallery(t, g)
	g = openNamed(t, dir, nameKeys(t, 3, 2, 3))
	es[2].Templates = append(es[2].Templates, more)
	enrol(t, g, es[2], es[5])
	rename(t, g, 4)
	all(0, 3)
	all(4, 6)
	if n, err := g.Erase(t.Context(), es[0].Subject); err != nil || n != 3 {
		t.Errorf("erased %d, %v", n, err)
	}
	closeGallery(t, g)
	g = openNamed(t, dir, nameKeys(t, 3, 3))
	all(1, 3)
	all(4, 6)
	if g.Subjects() != 4 {
		t.Errorf("%d subjects", g.Subjects())
	}
}

// TestRenameBusy moves people while they are enrolled, looked up, erased and undone.
func TestRenameBusy(t *testing.T) {
	g := openNamed(t, newDir(t), nameKeys(t, 1, 1))
	const people = 400
	var es []gallery.Enrolment
	for i := range people {
		e := small(strconv.Itoa(i))
		if i%4 == 1 {
			e.Batch = "undone"
		}
		es = append(es, e)
	}
	enrol(t, g, es...)
	if err := g.UsePseudonyms(t.Context(), nameKeys(t, 2, 1, 2)); err != nil {
		t.Fatal(err)
	}
	var busy sync.WaitGroup
	stop := make(chan struct{})
	busy.Go(func() { // whoever stays is found at every moment
		for i := 0; ; i = (i + 4) % people {
			select {
			case <-stop:
				return
			default:
			}
			if h, err := look(g, es[i].Subject, "finger"); err != nil || !h.known {
				t.Errorf("known %v, %v", h.known, err)
				return
			}
		}
	})
	busy.Go(func() {
		for i := 2; i < people; i += 4 {
			if _, err := g.Erase(t.Context(), es[i].Subject); err != nil {
				t.Error(err)
			}
		}
	})
	busy.Go(func() {
		if u, err := g.Undo(t.Context(), "undone"); err != nil || u.Subjects != people/4 {
			t.Errorf("undone %+v, %v", u, err)
		}
	})
	busy.Go(func() {
		for i := 3; i < people; i += 40 {
			if _, err := g.Enrol(t.Context(), es[i:i+1]); err != nil {
				t.Error(err)
			}
		}
	})
	for {
		_, _, err := g.RenameAll(t.Context(), nil)
		if err == nil && len(g.PseudonymGenerations()) == 1 {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	busy.Wait()
	if g.Subjects() != people/2 {
		t.Errorf("%d subjects, want %d", g.Subjects(), people/2)
	}
	for i, e := range es {
		h, err := look(g, e.Subject, "finger")
		if gone := i%4 == 1 || i%4 == 2; err != nil || h.known == gone {
			t.Errorf("person %d: known %v, %v", i, h.known, err)
		}
	}
}

// TestRenameResumed stops in the middle, again and again.
func TestRenameResumed(t *testing.T) {
	dir := newDir(t)
	g := openNamed(t, dir, nameKeys(t, 1, 1))
	var es []gallery.Enrolment
	for i := range 200 {
		es = append(es, small(strconv.Itoa(i)))
	}
	enrol(t, g, es...)
	closeGallery(t, g)
	var total uint64
	for rounds := 0; ; rounds++ {
		g = openNamed(t, dir, nameKeys(t, 2, 1, 2))
		ctx, cancel := context.WithCancel(t.Context())
		_, n, err := g.RenameAll(ctx, func(r renewal.Renamed) {
			if r.Subjects > 0 {
				cancel()
			}
		})
		cancel()
		total += n.Subjects
		for _, e := range es {
			check(t, g, e)
		}
		if len(g.PseudonymGenerations()) == 1 {
			break
		}
		if rounds > 10 || err != nil && !errors.Is(err, context.Canceled) {
			t.Fatalf("round %d: %v", rounds, err)
		}
		closeGallery(t, g)
	}
	if total < 100 || g.Subjects() != 200 {
		t.Errorf("%d moved, %d subjects", total, g.Subjects())
	}
}

// TestEraseFormer: an older copy of the folder, under the key of then, is erased from by
// what was put on the list after the key was replaced.
func TestEraseFormer(t *testing.T) {
	dir := newDir(t)
	g := openNamed(t, dir, nameKeys(t, 1, 1))
	enrol(t, g, small("1"), small("2"))
	closeGallery(t, g)
	older := filepath.Join(t.TempDir(), "older")
	copyFolder(t, dir, older)
	g = openNamed(t, dir, nameKeys(t, 2, 1, 2))
	rename(t, g, 2)
	closeGallery(t, g)
	g = openNamed(t, dir, nameKeys(t, 3, 2, 3))
	rename(t, g, 2)
	if n, err := g.Erase(t.Context(), small("1").Subject); err != nil || n != 1 {
		t.Fatalf("erased %d, %v", n, err)
	}
	closeGallery(t, g)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	copyFolder(t, older, dir)
	g = openNamed(t, dir, nameKeys(t, 1, 1))
	if h, err := look(g, small("1").Subject, "finger"); err != nil || h.known {
		t.Errorf("the erased person is known: %v, %v", h.known, err)
	}
	check(t, g, small("2"))
}

// TestRenameDamaged: a subject that cannot be moved is told, keeps nobody else from it,
// and keeps the old key in use until it is erased.
func TestRenameDamaged(t *testing.T) {
	dir := newDir(t)
	g := openNamed(t, dir, nameKeys(t, 1, 1))
	es := persons(0, 5)
	enrol(t, g, es...)
	_, keyring, _ := g.Keys(es[2].Subject)
	err := g.DB().Update(func(txn store.Txn) error {
		b, err := txn.Get(keyring)
		if err != nil {
			return err
		}
		b[len(b)-1] ^= 1
		return txn.Set(keyring, b)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.UsePseudonyms(t.Context(), nameKeys(t, 2, 1, 2)); err != nil {
		t.Fatal(err)
	}
	if _, n, err := g.RenameAll(t.Context(), nil); !errors.Is(err, gallery.ErrDamaged) || n.Subjects != 4 {
		t.Errorf("renamed %+v, %v", n, err)
	}
	if !slices.Equal(g.PseudonymGenerations(), []uint32{2, 1}) {
		t.Errorf("lie under %v", g.PseudonymGenerations())
	}
	for _, i := range []int{0, 1, 3, 4} {
		check(t, g, es[i])
	}
	if _, err := g.Erase(t.Context(), es[2].Subject); err != nil {
		t.Fatal(err)
	}
	rename(t, g, 0)
	if !slices.Equal(g.PseudonymGenerations(), []uint32{2}) {
		t.Errorf("lie under %v", g.PseudonymGenerations())
	}
}

// TestUsePseudonymsRefuses a ring without a key that is in use, and changes nothing.
func TestUsePseudonymsRefuses(t *testing.T) {
	g := openNamed(t, newDir(t), nameKeys(t, 1, 1))
	enrol(t, g, small("1"))
	if err := g.UsePseudonyms(t.Context(), nameKeys(t, 2, 2)); err == nil {
		t.Error("took a ring without the key in use")
	}
	check(t, g, small("1"))
	if err := g.UsePseudonyms(t.Context(), nameKeys(t, 1, 1, 2)); err != nil { // prepared
		t.Error(err)
	}
	if !slices.Equal(g.PseudonymGenerations(), []uint32{1}) {
		t.Errorf("lie under %v", g.PseudonymGenerations())
	}
}
