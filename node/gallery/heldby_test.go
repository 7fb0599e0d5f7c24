package gallery_test

import (
	"context"
	"errors"
	"testing"

	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/gallery/store"
)

func unsaid(context.Context) error { return nil }

func heldBy(i int, consent byte) gallery.Enrolment {
	e := person(i)
	e.Consent = [32]byte{consent}
	return e
}

// TestEraseHeldBy: who is held by a consent is erased with it, also under another
// pseudonym key and in an older copy, and nobody else is.
func TestEraseHeldBy(t *testing.T) {
	dir := newDir(t)
	g := openGallery(t, dir)
	enrol(t, g, heldBy(0, 1), heldBy(1, 1), heldBy(2, 2), person(3))
	for _, e := range []gallery.Enrolment{person(0), heldBy(3, 1), heldBy(0, 2)} {
		if r, err := g.Enrol(t.Context(), []gallery.Enrolment{e}); err != nil || !errors.Is(r[0].Err, gallery.ErrGround) {
			t.Errorf("another ground: %v, %v", r, err)
		}
	}
	if r, err := g.Enrol(t.Context(), []gallery.Enrolment{heldBy(0, 1)}); err != nil || r[0].Change != gallery.Unchanged {
		t.Errorf("again: %v, %v", r, err)
	}
	gone := func(consent byte, want int) {
		t.Helper()
		if n, err := g.EraseHeldBy(t.Context(), [32]byte{consent}, unsaid); err != nil || n != want {
			t.Errorf("consent %d: %d erased, %v; want %d", consent, n, err, want)
		}
	}
	gone(0, 0)
	gone(9, 0)
	gone(1, 2)
	gone(1, 0)
	known(t, g, 2, 3)
	enrol(t, g, heldBy(0, 2), person(1)) // anew, on other grounds
	gone(1, 0)
	known(t, g, 0, 1, 2, 3)
	closeGallery(t, g)
	g = openGallery(t, dir)
	gone(2, 2)
	known(t, g, 1, 3)
}

// TestEraseHeldByRenamed: the row that says who is held moves with the pseudonym.
func TestEraseHeldByRenamed(t *testing.T) {
	g := openGallery(t, newDir(t))
	enrol(t, g, heldBy(0, 1), heldBy(1, 2))
	if err := g.UsePseudonyms(t.Context(), nameKeys(t, 2, 1, 2)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := g.RenameAll(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if n, err := g.EraseHeldBy(t.Context(), [32]byte{1}, unsaid); err != nil || n != 1 {
		t.Errorf("%d erased, %v", n, err)
	}
	known(t, g, 1)
}

// TestEraseHeldByRenamedMeanwhile: who gets another pseudonym between being found and being
// erased is erased all the same.
func TestEraseHeldByRenamedMeanwhile(t *testing.T) {
	g := openGallery(t, newDir(t))
	enrol(t, g, heldBy(0, 1), heldBy(1, 1), heldBy(2, 2))
	said := 0
	n, err := g.EraseHeldBy(t.Context(), [32]byte{1}, func(ctx context.Context) error {
		if said++; said > 1 {
			return nil
		}
		if err := g.UsePseudonyms(ctx, nameKeys(t, 2, 1, 2)); err != nil {
			return err
		}
		_, _, err := g.RenameAll(ctx, nil)
		return err
	})
	if n != 2 || err != nil {
		t.Errorf("%d erased, %v", n, err)
	}
	known(t, g, 2)
}

// TestEraseHeldBySays: nobody is erased without saying so, and nothing is said of nobody.
func TestEraseHeldBySays(t *testing.T) {
	g := openGallery(t, newDir(t))
	enrol(t, g, heldBy(0, 1), heldBy(1, 1), heldBy(2, 1), person(3))
	full, said := errors.New("ledger full"), 0
	first := func(context.Context) error {
		if said++; said == 2 {
			return full
		}
		return nil
	}
	if n, err := g.EraseHeldBy(t.Context(), [32]byte{1}, first); n != 1 || !errors.Is(err, full) {
		t.Errorf("%d erased, %v", n, err)
	}
	if n, err := g.EraseHeldBy(t.Context(), [32]byte{1}, first); n != 2 || err != nil || said != 4 {
		t.Errorf("%d erased, %v; %d times said", n, err, said)
	}
	if n, err := g.EraseHeldBy(t.Context(), [32]byte{1}, first); n != 0 || err != nil || said != 4 {
		t.Errorf("%d erased, %v; %d times said", n, err, said)
	}
	known(t, g, 3)
}

// TestEraseHeldByDamaged: who is damaged keeps nobody else from being erased.
func TestEraseHeldByDamaged(t *testing.T) {
	g := openGallery(t, newDir(t))
	enrol(t, g, heldBy(0, 1), heldBy(1, 1), heldBy(2, 1), person(3))
	_, ring, _ := g.Keys(passport(1))
	if err := g.DB().Update(func(txn store.Txn) error { return txn.Set(ring, []byte("damaged")) }); err != nil {
		t.Fatal(err)
	}
	if n, err := g.EraseHeldBy(t.Context(), [32]byte{1}, unsaid); n != 2 || !errors.Is(err, gallery.ErrDamaged) {
		t.Errorf("%d erased, %v", n, err)
	}
	if err := g.EraseDamaged(t.Context(), g.Handle(passport(1))); err != nil {
		t.Fatal(err)
	}
	if n, err := g.EraseHeldBy(t.Context(), [32]byte{1}, unsaid); n != 0 || err != nil {
		t.Errorf("%d erased, %v", n, err)
	}
	known(t, g, 3)
}

// TestEraseHeldByAny looks at everybody.
func TestEraseHeldByAny(t *testing.T) {
	g := openGallery(t, newDir(t))
	enrol(t, g, heldBy(0, 1), heldBy(1, 2), heldBy(2, 3), person(3))
	broken := errors.New("cannot be told")
	if _, err := g.EraseHeldByAny(t.Context(), func([32]byte) (bool, error) { return false, broken }, unsaid); !errors.Is(err, broken) {
		t.Errorf("not to be told: %v", err)
	}
	n, err := g.EraseHeldByAny(t.Context(), func(c [32]byte) (bool, error) { return c[0] != 2, nil }, unsaid)
	if err != nil || n != 2 {
		t.Errorf("%d erased, %v", n, err)
	}
	known(t, g, 1, 3)
}

// TestGround: a ground that falls after an enrolment was prepared, and before it is stored, has it
// break the rule; nobody else who shares the commit does.
func TestGround(t *testing.T) {
	g := openGallery(t, newDir(t))
	fallen, row := errors.New("withdrawn"), []byte("cfallen")
	e := heldBy(0, 1)
	e.Ground = gallery.Ground{Reads: [][]byte{row}, Holds: func(txn store.Reader) error {
		_, err := txn.Get(row)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		return errors.Join(fallen, err)
	}}
	release := g.HoldTurn()
	var results []gallery.Result
	done := make(chan error)
	go func() {
		var err error
		results, err = g.Enrol(t.Context(), []gallery.Enrolment{e, person(1)})
		done <- err
	}()
	waitFor(t, "the caller", func() bool { return g.Waiting() == 1 })
	if err := g.DB().Update(func(txn store.Txn) error { return txn.Set(row, []byte{1}) }); err != nil {
		t.Fatal(err)
	}
	release()
	if err := <-done; err != nil || results[0].Change != gallery.Failed || !errors.Is(results[0].Err, fallen) || results[1].Change != gallery.Created {
		t.Errorf("%v, %v", results, err)
	}
	planned, err := g.Plan(t.Context(), []gallery.Enrolment{e})
	if err != nil || !errors.Is(planned[0].Err, fallen) {
		t.Errorf("planned: %v, %v", planned, err)
	}
	known(t, g, 1)
}

// TestHeldByLost: a check finds that the row is gone by which a withdrawn consent finds whom it
// holds; the same enrolment puts it back, and so does every change of the subject.
func TestHeldByLost(t *testing.T) {
	g := openGallery(t, newDir(t))
	enrol(t, g, heldBy(0, 1), heldBy(1, 2), person(3))
	lose := func() {
		t.Helper()
		err := g.DB().Update(func(txn store.Txn) error {
			for row, err := range txn.Scan([]byte("h"), nil) {
				if err := errors.Join(err, txn.Delete(row.Key)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if r, err := g.Fsck(t.Context(), nil); err != nil || r.Sound() || len(r.Damaged) != 2 || r.Damaged[0].Part != "consent" {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	back := func() {
		t.Helper()
		if r, err := g.Fsck(t.Context(), nil); err != nil || !r.Sound() {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	lose()
	enrol(t, g, heldBy(0, 1), heldBy(1, 2))
	back()
	lose()
	g.UseRing(ringOf(t, 1, 2))
	if n, err := g.RewrapAll(t.Context(), nil); err != nil || n.Subjects != 3 {
		t.Fatal(n, err)
	}
	back()
	if n, err := g.EraseHeldBy(t.Context(), [32]byte{2}, unsaid); n != 1 || err != nil {
		t.Errorf("%d erased, %v", n, err)
	}
	known(t, g, 0, 3)
}
