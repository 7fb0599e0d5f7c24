package gallery_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/tamga-id/tamga/node/gallery"
)

// waitFor polls for a state that no channel tells of.
func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 5000 {
		if ok() {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("waited in vain for %s", what)
}

// TestShareCommit lets many callers gather behind one commit.
func TestShareCommit(t *testing.T) {
	g := openGallery(t, newDir(t))
	release := g.HoldTurn()
	const callers = 40
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			// Every subject twice, by two callers: one creates and the other finds.
			results, err := g.Enrol(t.Context(), []gallery.Enrolment{small(fmt.Sprint("G", i/2))})
			if err != nil || results[0].Err != nil {
				t.Errorf("%v, %v", results, err)
			}
		})
	}
	waitFor(t, "the callers", func() bool { return g.Waiting() == callers })
	release()
	wg.Wait()
	if g.Commits() != 1 {
		t.Errorf("%d commits, want 1", g.Commits())
	}
	if g.Subjects() != callers/2 {
		t.Errorf("%d subjects, want %d", g.Subjects(), callers/2)
	}
	for i := range callers / 2 {
		e := small(fmt.Sprint("G", i))
		if h, err := look(g, e.Subject, "finger"); err != nil || !sameTemplates(h.templates, "finger", e.Templates) {
			t.Errorf("subject %d: %v", i, err)
		}
	}
}

// TestShareDamage lets a call with a damaged subject share a commit: the error is
// that caller's alone.
func TestShareDamage(t *testing.T) {
	g := openGallery(t, newDir(t))
	enrol(t, g, small("D0"))
	_, keyring, _ := g.Keys(small("D0").Subject)
	entries{t, g.DB()}.set(keyring, []byte{1})
	release := g.HoldTurn()
	errs := make([]error, 8)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { _, errs[i] = g.Enrol(t.Context(), []gallery.Enrolment{small(fmt.Sprint("D", i))}) })
	}
	waitFor(t, "the callers", func() bool { return g.Waiting() == len(errs) })
	release()
	wg.Wait()
	for i, err := range errs {
		if errors.Is(err, gallery.ErrDamaged) != (i == 0) {
			t.Errorf("caller %d: %v", i, err)
		}
	}
	if g.Subjects() != int64(len(errs)) {
		t.Errorf("%d subjects", g.Subjects())
	}
}

func TestWithdraw(t *testing.T) {
	g := openGallery(t, newDir(t))
	release := g.HoldTurn()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			callCtx := t.Context()
			if i%2 == 0 {
				callCtx = ctx
			}
			results, err := g.Enrol(callCtx, []gallery.Enrolment{small(fmt.Sprint("W", i))})
			if i%2 == 0 && (!errors.Is(err, context.Canceled) || results[0].Change != gallery.Failed) {
				t.Errorf("withdrawn caller: %v, %v", results, err)
			}
			if i%2 == 1 && (err != nil || results[0].Change != gallery.Created) {
				t.Errorf("patient caller: %v, %v", results, err)
			}
		})
	}
	waitFor(t, "the callers", func() bool { return g.Waiting() == 6 })
	cancel()
	waitFor(t, "the withdrawals", func() bool { return g.Waiting() == 3 })
	release()
	wg.Wait()
	for i := range 6 {
		h, err := look(g, small(fmt.Sprint("W", i)).Subject, "finger")
		if err != nil || h.known != (i%2 == 1) {
			t.Errorf("subject %d: known %v, %v", i, h.known, err)
		}
	}
}

// TestCloseWaiting closes while callers wait: each of them either stands or is
// refused.
func TestCloseWaiting(t *testing.T) {
	dir := newDir(t)
	g := openGallery(t, dir)
	release := g.HoldTurn()
	const callers = 12
	errs := make([]error, callers)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() { _, errs[i] = g.Enrol(t.Context(), []gallery.Enrolment{small(fmt.Sprint("Z", i))}) })
	}
	waitFor(t, "the callers", func() bool { return g.Waiting() == callers })
	wg.Go(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	waitFor(t, "Close", g.Closing)
	release()
	wg.Wait()
	g = openGallery(t, dir)
	for i, err := range errs {
		h, lookErr := look(g, small(fmt.Sprint("Z", i)).Subject, "finger")
		if lookErr != nil || h.known != (err == nil) || err != nil && !errors.Is(err, gallery.ErrClosed) {
			t.Errorf("caller %d: %v; known %v, %v", i, err, h.known, lookErr)
		}
	}
}

// TestConcurrent enrols, looks up and counts at once.
func TestConcurrent(t *testing.T) {
	dir := newDir(t)
	g := openGallery(t, dir)
	const writers, each = 8, 25
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				e := small(fmt.Sprintf("X%dX%d", w%4, i)) // two writers a subject
				e.Templates[0].Position = uint8(w)
				if results, err := g.Enrol(t.Context(), []gallery.Enrolment{e}); err != nil || results[0].Err != nil {
					t.Errorf("%v, %v", results, err)
				}
				h, err := look(g, e.Subject, "finger")
				if err != nil || !h.known || len(h.templates) == 0 {
					t.Errorf("acknowledged and then known %v, %d templates, %v", h.known, len(h.templates), err)
				}
			}
		})
	}
	wg.Wait()
	if g.Subjects() != writers/2*each {
		t.Errorf("%d subjects, want %d", g.Subjects(), writers/2*each)
	}
	closeGallery(t, g)
	g = openGallery(t, dir)
	for w := range writers / 2 {
		for i := range each {
			h, err := look(g, small(fmt.Sprintf("X%dX%d", w, i)).Subject, "finger")
			if err != nil || len(h.templates) != 2 {
				t.Errorf("%d templates, %v; want both writers'", len(h.templates), err)
			}
		}
	}
}

// TestFailedCommit breaks the store under the gallery: the caller learns it, later
// callers do too, and after reopening everything acknowledged is there.
func TestFailedCommit(t *testing.T) {
	dir := newDir(t)
	g := openGallery(t, dir)
	enrol(t, g, person(0))
	if err := g.DB().Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		results, err := g.Enrol(t.Context(), persons(1, 3))
		if err == nil || changes(results) != "failed failed" || results[0].Err == nil {
			t.Fatalf("%q, %v", changes(results), err)
		}
	}
	if g.Subjects() != 1 {
		t.Errorf("%d subjects, want 1", g.Subjects())
	}
	_ = g.Close() // the store is closed already
	g = openGallery(t, dir)
	check(t, g, person(0))
	enrol(t, g, persons(0, 3)...)
}
