package gallery_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tamga-id/tamga/crypto/envelope"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/gallery/erasure"
	"github.com/tamga-id/tamga/node/gallery/renewal"
	"github.com/tamga-id/tamga/node/gallery/snapshot"
	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/gallery/tally"
	"github.com/tamga-id/tamga/node/gallery/undo"
	"github.com/tamga-id/tamga/node/internal/pgtest"
)

// postgres is the cluster of the tests that need one.
var postgres pgtest.One

func TestMain(m *testing.M) {
	code := m.Run()
	postgres.Stop()
	os.Exit(code)
}

// home is where a gallery lies.
type home struct {
	cfg   gallery.Config
	crash func(t *testing.T, g *gallery.Gallery) // with g still open
}

func (h home) open(t testing.TB) *gallery.Gallery {
	t.Helper()
	g, err := gallery.Open(h.cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Close() })
	return g
}

// inPostgres is a configuration with a folder of its own and the rows in a database.
func inPostgres(t testing.TB, dsn string) gallery.Config {
	t.Helper()
	cfg := testConfig(t, newDir(t))
	cfg.Store = func(string) (store.Store, error) { return store.OpenPostgres(t.Context(), dsn) }
	return cfg
}

// TestContract asks the same of a gallery over every store.
func TestContract(t *testing.T) {
	homes := map[string]func(t *testing.T) *home{
		"badger": func(t *testing.T) *home {
			h := &home{cfg: testConfig(t, newDir(t))}
			h.crash = func(t *testing.T, _ *gallery.Gallery) {
				left := imageOf(t, h.cfg.Dir)
				list, err := os.ReadFile(erasure.File(h.cfg.Dir))
				if err != nil {
					t.Fatal(err)
				}
				h.cfg.Dir = newDir(t)
				left.restore(t, h.cfg.Dir, "", nil)
				if err := os.WriteFile(erasure.File(h.cfg.Dir), list, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			return h
		},
		"postgres": func(t *testing.T) *home {
			cluster := postgres.Start(t)
			dsn := cluster.Database(t)
			return &home{cfg: inPostgres(t, dsn), crash: func(t *testing.T, g *gallery.Gallery) {
				cluster.Crash()
				_ = g.Close()
				cluster.Start(t)
			}}
		},
	}
	checks := map[string]func(*testing.T, *home){
		"enrol": checkEnrol, "lookup": checkLookUp, "iterate": checkIterate, "erase": checkErase, "batch": checkBatch,
		"everybody": checkEverybody, "crash": checkCrash, "keys": checkKeys, "writers": checkWriters,
	}
	for name, at := range homes {
		t.Run(name, func(t *testing.T) {
			for name, check := range checks {
				t.Run(name, func(t *testing.T) { check(t, at(t)) })
			}
		})
	}
}

// checkEverybody: all are visited once, in however many parts, and named.
func checkEverybody(t *testing.T, h *home) {
	h.cfg.Identifiers = true
	g := h.open(t)
	var batch []gallery.Enrolment
	want := map[string]bool{}
	for i := range 300 {
		e := small(fmt.Sprintf("SYN%06d", i))
		batch, want[e.Subject.Value] = append(batch, e), true
	}
	enrol(t, g, batch...)
	found, seen, least := everybody(t, g, "finger", 3)
	if len(found) != 300 || seen != 300 || least != 300 {
		t.Errorf("%d found, %d of at least %d seen", len(found), seen, least)
	}
	for at := range found {
		who, err := g.WhoIs(at)
		if err != nil {
			t.Fatal(err)
		}
		delete(want, who.Subject.Value)
	}
	if len(want) > 0 {
		t.Errorf("%d are not named", len(want))
	}
}

func checkEnrol(t *testing.T, h *home) {
	g := h.open(t)
	first := person(0)
	first.Templates = first.Templates[:1]
	if got := changes(enrol(t, g, first, person(1), person(0), person(0))); got != "created created updated unchanged" {
		t.Errorf("got %q", got)
	}
	// What somebody is in law is replaced by what is said last, and kept where nothing is said.
	for _, c := range []struct{ class, change, want string }{{"minor", "updated", "minor"}, {"minor", "unchanged", "minor"}, {"", "unchanged", "minor"}, {"adult", "updated", "adult"}} {
		said := person(1)
		said.Class = c.class
		if got := changes(enrol(t, g, said)); got != c.change {
			t.Errorf("class %q: %q, want %q", c.class, got, c.change)
		}
		refs, err := g.References(passport(1), "face")
		if err != nil || refs.Class != c.want {
			t.Errorf("class %q, want %q, %v", refs.Class, c.want, err)
		}
		refs.Close()
	}
	other := person(1)
	other.Holder = "another"
	results, err := g.Enrol(t.Context(), []gallery.Enrolment{other, person(2), {Subject: passport(3)}})
	if err != nil || changes(results) != "failed created failed" || !errors.Is(results[0].Err, gallery.ErrHolderConflict) {
		t.Errorf("%v, %v", results, err)
	}
	plan, err := g.Plan(t.Context(), persons(2, 4))
	if err != nil || changes(plan) != "unchanged created" {
		t.Errorf("planned %v, %v", plan, err)
	}
	for range 2 {
		if g.Subjects() != 3 {
			t.Errorf("%d subjects, want 3", g.Subjects())
		}
		for i := range 3 {
			check(t, g, person(i))
		}
		closeGallery(t, g)
		g = h.open(t)
	}
}

func checkLookUp(t *testing.T, h *home) {
	g := h.open(t)
	full := small("full")
	full.Templates = nil
	for i := range gallery.MaxRecords {
		full.Templates = append(full.Templates, gallery.Template{Modality: "finger", Format: "test", Position: uint8(i), Data: bytes.Repeat([]byte{byte(i)}, 4096)})
	}
	full.Absences = []gallery.Absence{{Modality: "finger", Position: 3, Reason: "amputated"}}
	enrol(t, g, full)
	check(t, g, full)
	refs, err := g.References(full.Subject, "finger")
	if err != nil || len(refs.Absent) != 1 || refs.Absent[0] != full.Absences[0] {
		t.Errorf("absences %d, %v", len(refs.Absent), err)
	}
	refs.Close()
	if got, err := look(g, small("nobody").Subject, "finger"); err != nil || got.known {
		t.Errorf("nobody: known %v, %v", got.known, err)
	}
	closeGallery(t, g)
	if _, err := g.References(full.Subject, "finger"); !errors.Is(err, gallery.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

// checkIterate goes through everything, while others enrol, and makes another gallery
// of it.
func checkIterate(t *testing.T, h *home) {
	g := h.open(t)
	var es []gallery.Enrolment
	for i := range 700 {
		es = append(es, small(fmt.Sprint("I", i)))
	}
	enrol(t, g, es...)
	var rows []store.Row
	c, err := g.Snapshot(t.Context(), func(r store.Row) error {
		if len(rows) == 2 {
			enrol(t, g, person(7)) // does not show
		}
		rows = append(rows, store.Row{Key: bytes.Clone(r.Key), Value: bytes.Clone(r.Value)})
		return nil
	})
	if err != nil || c.Subjects != 700 || len(rows) != 3*700+2 {
		t.Fatalf("%d subjects, %d rows, %v", c.Subjects, len(rows), err)
	}
	dir := newDir(t)
	if err := snapshot.Restore(t.Context(), dir, rowsOf(rows)); err != nil {
		t.Fatal(err)
	}
	made := openGallery(t, dir)
	if made.Subjects() != 700 {
		t.Errorf("%d subjects", made.Subjects())
	}
	check(t, made, es[699])
	check(t, g, person(7))
}

func checkErase(t *testing.T, h *home) {
	g := h.open(t)
	enrol(t, g, persons(0, 4)...)
	for i, want := range []int{3, 3} {
		if n, err := g.Erase(t.Context(), passport(i)); err != nil || n != want {
			t.Errorf("person %d: %d records, %v", i, n, err)
		}
	}
	if _, err := g.Erase(t.Context(), passport(1)); !errors.Is(err, gallery.ErrUnknownSubject) {
		t.Errorf("erased already: %v", err)
	}
	enrol(t, g, person(1))
	// A crash between the list of erasures and the commit.
	if err := g.ListErasure(passport(2)); err != nil {
		t.Fatal(err)
	}
	h.crash(t, g)
	g = h.open(t)
	for i, known := range []bool{false, true, false, true} {
		if got, err := look(g, passport(i), "face"); err != nil || got.known != known {
			t.Errorf("person %d: known %v, %v; want %v", i, got.known, err, known)
		}
	}
	if g.Subjects() != 2 {
		t.Errorf("%d subjects, want 2", g.Subjects())
	}
	enrol(t, g, person(2))
	closeGallery(t, g)
	check(t, h.open(t), person(2))
}

func checkBatch(t *testing.T, h *home) {
	g := h.open(t)
	var es []gallery.Enrolment
	for i := range 1100 {
		es = append(es, of("b", small(fmt.Sprint("U", i))))
	}
	shared := small("U0")
	shared.Templates[0].Position = 9
	enrol(t, g, shared)
	enrol(t, g, es...)
	done, err := g.Undo(t.Context(), "b")
	if want := (undo.Done{Subjects: 1099, Reduced: 1, Records: 1100}); err != nil || done != want {
		t.Errorf("%+v, %v; want %+v", done, err, want)
	}
	if g.Subjects() != 1 {
		t.Errorf("%d subjects", g.Subjects())
	}
	check(t, g, shared)
}

func checkCrash(t *testing.T, h *home) {
	for round := range 2 {
		g := h.open(t)
		for i := range 8 {
			enrol(t, g, person(round*8+i))
		}
		h.crash(t, g)
		g = h.open(t)
		if g.Subjects() != int64(round+1)*8 {
			t.Errorf("%d subjects, want %d", g.Subjects(), (round+1)*8)
		}
		for i := range (round + 1) * 8 {
			check(t, g, person(i))
		}
		closeGallery(t, g)
	}
}

func checkKeys(t *testing.T, h *home) {
	g := h.open(t)
	var es []gallery.Enrolment
	for i := range 150 {
		es = append(es, small(fmt.Sprint("K", i)))
	}
	enrol(t, g, es...)
	secrets := map[uint32][]byte{1: bytes.Repeat([]byte{3}, 32), 2: bytes.Repeat([]byte{4}, 32)}
	both, err := envelope.NewRing(secrets, 2)
	if err != nil {
		t.Fatal(err)
	}
	g.UseRing(both)
	if n, err := g.RewrapAll(t.Context(), nil); err != nil || n.Subjects != 150 {
		t.Errorf("%+v rewrapped, %v", n, err)
	}
	delete(secrets, 1)
	if h.cfg.Ring, err = envelope.NewRing(secrets, 2); err != nil {
		t.Fatal(err)
	}
	closeGallery(t, g)
	g = h.open(t)
	for _, e := range es {
		check(t, g, e)
	}
	// Other keys than the store was made with.
	closeGallery(t, g)
	cfg := h.cfg
	cfg.Dir, cfg.Pseudonyms = newDir(t), testPseudonyms(t, 9)
	if cfg.Store == nil {
		return // a folder of its own has nothing in it
	}
	if _, err := gallery.Open(cfg); !errors.Is(err, gallery.ErrDamaged) {
		t.Errorf("other keys: %v, want ErrDamaged", err)
	}
}

func checkWriters(t *testing.T, h *home) {
	g := h.open(t)
	const writers, each = 8, 6
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				e := small(fmt.Sprintf("W%dI%d", w/2, i)) // two writers a subject
				e.Templates[0].Position = uint8(w)
				if results, err := g.Enrol(t.Context(), []gallery.Enrolment{e}); err != nil || results[0].Err != nil {
					t.Errorf("%v, %v", results, err)
				}
			}
		})
	}
	wg.Wait()
	if g.Subjects() != writers/2*each {
		t.Errorf("%d subjects, want %d", g.Subjects(), writers/2*each)
	}
	closeGallery(t, g)
	h.open(t)
}

// TestShare has several galleries use one database: what one enrols or erases is so for
// all, and none loses anything of another's.
func TestShare(t *testing.T) {
	cluster := postgres.Start(t)
	dsn := cluster.Database(t)
	configs := []gallery.Config{inPostgres(t, dsn), inPostgres(t, dsn), inPostgres(t, dsn)}
	var gs []*gallery.Gallery
	for _, cfg := range configs {
		gs = append(gs, home{cfg: cfg}.open(t))
	}
	const each = 12
	var wg sync.WaitGroup
	for n, g := range gs {
		wg.Go(func() {
			for i := range each {
				e := small(fmt.Sprint("S", i)) // everyone's
				e.Templates[0].Position = uint8(n)
				results, err := g.Enrol(t.Context(), []gallery.Enrolment{e, small(fmt.Sprintf("N%dI%d", n, i))})
				if err != nil || results[0].Err != nil || results[1].Change != gallery.Created {
					t.Errorf("%v, %v", results, err)
				}
			}
		})
	}
	wg.Wait()
	for i := range each {
		if h, err := look(gs[i%3], small(fmt.Sprint("S", i)).Subject, "finger"); err != nil || len(h.templates) != 3 {
			t.Errorf("subject %d: %d templates, %v; want everyone's", i, len(h.templates), err)
		}
	}
	// Each erases, the others know; and who was not there learns of it when it is opened.
	closeGallery(t, gs[2])
	for i, g := range gs[:2] {
		if _, err := g.Erase(t.Context(), small(fmt.Sprintf("N2I%d", i)).Subject); err != nil {
			t.Error(err)
		}
	}
	gs[2] = home{cfg: configs[2]}.open(t)
	if _, err := gs[2].Erase(t.Context(), small("N2I2").Subject); err != nil {
		t.Error(err)
	}
	for _, g := range gs {
		for i := range each {
			if h, err := look(g, small(fmt.Sprintf("N2I%d", i)).Subject, "finger"); err != nil || h.known != (i > 2) {
				t.Errorf("subject %d: known %v, %v", i, h.known, err)
			}
		}
	}
	enrol(t, gs[0], person(0))
	enrol(t, gs[1], person(1))
	lists := make(map[string]bool)
	for _, cfg := range configs[:2] {
		b, err := os.ReadFile(erasure.File(cfg.Dir))
		if err != nil {
			t.Fatal(err)
		}
		lists[string(b)] = true
	}
	if len(lists) != 1 {
		t.Error("the galleries' lists of erasures differ")
	}
	for n, g := range gs {
		closeGallery(t, g)
		g = home{cfg: configs[n]}.open(t)
		if want := int64(4*each - 3 + 2); g.Subjects() != want {
			t.Errorf("%d subjects, want %d", g.Subjects(), want)
		}
		closeGallery(t, g)
	}
}

// TestSettle loses the connection at COMMIT. Once the database answers again the caller
// learns what became of it, and the gallery goes on; while it does not, the caller
// learns that, and sending again is safe.
func TestSettle(t *testing.T) {
	cluster := postgres.Start(t)
	proxy := cluster.Proxy(t)
	direct := cluster.Database(t)
	g := home{cfg: inPostgres(t, proxy.DSN(cluster, direct))}.open(t)
	other := home{cfg: inPostgres(t, direct)}.open(t)
	enrol(t, g, person(0))

	proxy.Fail(pgtest.CutAfter) // it stands
	enrol(t, g, person(1))
	check(t, other, person(1))

	proxy.Fail(pgtest.CutBefore) // it does not
	if _, err := g.Enrol(t.Context(), persons(2, 3)); !errors.Is(err, gallery.ErrUnavailable) {
		t.Errorf("a commit that was lost: %v, want ErrUnavailable", err)
	}
	if h, err := look(other, passport(2), "face"); err != nil || h.known {
		t.Errorf("not stored: known %v, %v", h.known, err)
	}
	enrol(t, g, person(2))

	// An erasure of either kind; the second is made up for by whatever comes next.
	proxy.Fail(pgtest.CutAfter)
	if _, err := g.Erase(t.Context(), passport(0)); err != nil {
		t.Errorf("an erasure that stands: %v", err)
	}
	proxy.Fail(pgtest.CutBefore)
	if _, err := g.Erase(t.Context(), passport(1)); !errors.Is(err, gallery.ErrUnavailable) {
		t.Errorf("an erasure that was lost: %v, want ErrUnavailable", err)
	}
	if _, err := other.Erase(t.Context(), passport(2)); err != nil { // takes its number in the list
		t.Error(err)
	}
	enrol(t, g, person(3))
	for i, known := range []bool{false, false, false, true} {
		for _, g := range []*gallery.Gallery{g, other} {
			if h, err := look(g, passport(i), "face"); err != nil || h.known != known {
				t.Errorf("person %d: known %v, %v; want %v", i, h.known, err, known)
			}
		}
	}

	// Nobody answers.
	g.SetPatience(time.Millisecond)
	proxy.Fail(pgtest.CutAfter)
	proxy.DownAfterCut()
	if _, err := g.Enrol(t.Context(), persons(4, 5)); !errors.Is(err, gallery.ErrInDoubt) {
		t.Errorf("nobody answers: %v, want ErrInDoubt", err)
	}
	if _, err := g.References(passport(4), "face"); !errors.Is(err, gallery.ErrUnavailable) {
		t.Errorf("nobody answers: %v, want ErrUnavailable", err)
	}
	enrol(t, other, person(5))
	proxy.Down(false)
	if got := changes(enrol(t, g, person(4), person(6))); got != "unchanged created" {
		t.Errorf("sent again: %s", got)
	}
	if g.Subjects() != 4 {
		t.Errorf("%d subjects, want 4", g.Subjects())
	}
	closeGallery(t, g)
	closeGallery(t, other)
}

// TestCutAnywhere loses the connection at each piece that is sent, of an enrolment and of
// an erasure: what was acknowledged stands, what was refused does not, and what is sent
// again ends as it should.
func TestCutAnywhere(t *testing.T) {
	cluster := postgres.Start(t)
	proxy := cluster.Proxy(t)
	direct := cluster.Database(t)
	g := home{cfg: inPostgres(t, proxy.DSN(cluster, direct))}.open(t)
	other := home{cfg: inPostgres(t, direct)}.open(t)
	failed := 0
	for n := 1; n <= 14; n++ {
		e := small(fmt.Sprint("CUT", n))
		known := func() bool {
			t.Helper()
			h, err := look(other, e.Subject, "finger")
			if err != nil {
				t.Fatal(err)
			}
			return h.known
		}
		proxy.CutAt(n)
		results, err := g.Enrol(t.Context(), []gallery.Enrolment{e})
		proxy.CutAt(0)
		if err != nil {
			failed++
		}
		if stored := known(); stored != (err == nil) || err != nil && !errors.Is(err, gallery.ErrUnavailable) {
			t.Errorf("cut at %d: %v, %v; stored %v", n, results, err, stored)
		}
		if again := enrol(t, g, e)[0].Change; (again == gallery.Unchanged) != (err == nil) {
			t.Errorf("cut at %d: sent again: %s after %v", n, again, err)
		}
		proxy.CutAt(n)
		_, err = g.Erase(t.Context(), e.Subject)
		proxy.CutAt(0)
		if err != nil {
			failed++
			if !errors.Is(err, gallery.ErrUnavailable) {
				t.Errorf("cut at %d: erasing: %v", n, err)
			}
			if _, err := g.Erase(t.Context(), e.Subject); err != nil && !errors.Is(err, gallery.ErrUnknownSubject) {
				t.Errorf("cut at %d: erasing again: %v", n, err)
			}
		}
		if known() {
			t.Errorf("cut at %d: not erased", n)
		}
	}
	if failed < 4 {
		t.Errorf("only %d cuts were felt", failed)
	}
	t.Logf("%d of 28 failed", failed)
	closeGallery(t, g)
	if n := (home{cfg: inPostgres(t, direct)}).open(t).Subjects(); n != 0 {
		t.Errorf("%d subjects are left", n)
	}
}

// TestOlderDatabase puts an older copy of the database back under galleries that are
// open: what is missing is not taken for unknown, and who was erased stays so.
func TestOlderDatabase(t *testing.T) {
	cluster := postgres.Start(t)
	dsn := cluster.Database(t)
	h := home{cfg: inPostgres(t, dsn)}
	g := h.open(t)
	enrol(t, g, persons(0, 3)...)
	cluster.Run(t, dsn, "CREATE TABLE older AS SELECT * FROM tamga_gallery")
	if _, err := g.Erase(t.Context(), passport(0)); err != nil {
		t.Fatal(err)
	}
	enrol(t, g, person(5), heldBy(4, 1))
	cluster.Run(t, dsn, "BEGIN; DELETE FROM tamga_gallery; INSERT INTO tamga_gallery SELECT * FROM older; COMMIT")
	if _, err := g.References(passport(5), "face"); !errors.Is(err, gallery.ErrUnavailable) {
		t.Errorf("looking up: %v, want ErrUnavailable", err)
	}
	if n, err := g.EraseHeldBy(t.Context(), [32]byte{1}, unsaid); !errors.Is(err, gallery.ErrUnavailable) {
		t.Errorf("erasing who is held by a consent: %d, %v, want ErrUnavailable", n, err)
	}
	if _, err := g.Enrol(t.Context(), persons(6, 7)); !errors.Is(err, gallery.ErrUnavailable) || !strings.Contains(err.Error(), "behind") {
		t.Errorf("enrolling: %v, want ErrUnavailable", err)
	}
	closeGallery(t, g)
	if _, err := gallery.Open(h.cfg); !errors.Is(err, gallery.ErrDamaged) || !strings.Contains(err.Error(), "acknowledged") {
		t.Errorf("opening: %v, want ErrDamaged", err)
	}
	// The operator accepts the loss: the folder's tally goes, its list of erasures stays.
	if err := os.Remove(filepath.Join(h.cfg.Dir, tally.Name)); err != nil {
		t.Fatal(err)
	}
	g = h.open(t)
	if known, err := look(g, passport(0), "face"); err != nil || known.known {
		t.Errorf("erased: known %v, %v", known.known, err)
	}
	check(t, g, person(1))
}

// TestDatabaseOperator looks in a dump of the database, and in its files, for what was
// enrolled.
func TestDatabaseOperator(t *testing.T) {
	cluster := pgtest.Start(t)
	made := time.Now()
	dsn := cluster.Database(t)
	g := home{cfg: inPostgres(t, dsn)}.open(t)
	const enrolled = 10
	enrol(t, g, persons(0, enrolled)...)
	if _, err := g.Erase(t.Context(), passport(3)); err != nil {
		t.Fatal(err)
	}
	cluster.Run(t, dsn, "CHECKPOINT")
	seen := map[string][]byte{"dump": cluster.Dump(t, dsn)}
	err := filepath.WalkDir(cluster.Dir(), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !d.Type().IsRegular() {
			return err
		}
		if info, err := d.Info(); err != nil || info.ModTime().Before(made) {
			return err // as initdb made it
		}
		seen[path], err = os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a temporary one
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	record, _, _ := g.Keys(passport(0))
	if !bytes.Contains(seen["dump"], []byte(hex.EncodeToString(record))) {
		t.Fatal("the dump has no row of person 0: it was not looked at")
	}
	searchFiles(t, "database", seen, secretsOf(enrolled))
}

// TestRewrapShared: who shares the store and does not know the new KEK can enrol nobody
// under the old one, which is about to be destroyed.
func TestRewrapShared(t *testing.T) {
	dsn := postgres.Start(t).Database(t)
	gs := []*gallery.Gallery{home{cfg: inPostgres(t, dsn)}.open(t), home{cfg: inPostgres(t, dsn)}.open(t)}
	enrol(t, gs[0], persons(0, 2)...)
	enrol(t, gs[1], persons(2, 4)...)
	ring, err := envelope.NewRing(map[uint32][]byte{1: bytes.Repeat([]byte{3}, 32), 2: bytes.Repeat([]byte{4}, 32)}, 2)
	if err != nil {
		t.Fatal(err)
	}
	gs[0].UseRing(ring)
	if n, err := gs[0].RewrapAll(t.Context(), nil); err != nil || n != (renewal.Rewrapped{Generation: 2, Looked: 4, Subjects: 4}) {
		t.Errorf("%+v rewrapped, %v", n, err)
	}
	if r, err := gs[1].Enrol(t.Context(), persons(4, 5)); err != nil || !errors.Is(r[0].Err, gallery.ErrOutdated) {
		t.Errorf("enrolled by the other: %v, %v; want ErrOutdated", r, err)
	}
	if _, err := gs[1].RewrapAll(t.Context(), nil); !errors.Is(err, gallery.ErrOutdated) {
		t.Errorf("rewrapped back: %v, want ErrOutdated", err)
	}
	gs[1].UseRing(ring)
	enrol(t, gs[1], person(4))
	check(t, gs[0], person(4))
}
