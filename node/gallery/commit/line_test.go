package commit_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/gallery/commit"
	"github.com/tamga-id/tamga/node/gallery/erasure"
	"github.com/tamga-id/tamga/node/gallery/keyring"
	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/gallery/tally"
)

// rules are those of a caller whose subjects have a stamp and nothing else.
type rules struct{ again *[]erasure.Entry }

func (rules) Row() []byte { return []byte("mrules") }

func (rules) Said() []byte { return []byte("said") }

func (r rules) See(txn store.Reader) (bool, error) {
	v, err := txn.Get(r.Row())
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err == nil && string(v) != "said" {
		err = store.ErrDamaged
	}
	return true, err
}

// Opens: these subjects have no keyring that would tell.
func (rules) Opens(store.Reader, pseudonym.Pseudonym) error { return store.ErrDamaged }

func (r rules) EraseAgain(b *commit.Bundle, x erasure.Entry) error {
	*r.again = append(*r.again, x)
	s, err := keyring.FindStamp(b.Txn, x.Subject)
	if errors.Is(err, keyring.ErrUnknown) || err == nil && s.Born > x.Commit {
		return nil
	}
	b.Forget(x.Subject, s)
	return errors.Join(err, b.Drop(keyring.StampRow(x.Subject)))
}

func config(t *testing.T, dir string) commit.Config {
	t.Helper()
	root, err := custody.NewRoot(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return commit.Config{Dir: dir, Root: root, Tallies: tally.NewKey([32]byte{1}, "https://node.example"), Rules: rules{new([]erasure.Entry)}}
}

func open(t *testing.T, dir string) *commit.Line {
	t.Helper()
	l, err := commit.Open(config(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.MeetLists(); err != nil {
		t.Fatal(err)
	}
	return l
}

func shut(t *testing.T, l *commit.Line) {
	t.Helper()
	if err := l.Close(func() {}); err != nil {
		t.Fatal(err)
	}
}

// enrol stages a new subject.
func enrol(b *commit.Bundle, n byte) error {
	now := keyring.Stamp{}.By(b.Commit())
	b.Restamp(pseudonym.Pseudonym{n}, keyring.Stamp{}, pseudonym.Pseudonym{n}, now)
	return b.Set(commit.Write{Key: keyring.StampRow(pseudonym.Pseudonym{n}), Value: now.Bytes()})
}

func update(t *testing.T, l *commit.Line, f func(*commit.Bundle) error) error {
	t.Helper()
	return l.InTurn(t.Context(), func() error { return l.Update(nil, f) })
}

func TestUpdate(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	ran := 0
	for n := range byte(3) {
		err := update(t, l, func(b *commit.Bundle) error { b.Then(func() { ran++ }); return enrol(b, n) })
		if err != nil {
			t.Fatal(err)
		}
	}
	no := errors.New("no")
	if err := update(t, l, func(b *commit.Bundle) error {
		b.Then(func() { ran++ })
		return errors.Join(enrol(b, 9), no)
	}); !errors.Is(err, no) {
		t.Errorf("got %v, want what f returned", err)
	}
	if err := update(t, l, func(*commit.Bundle) error { return nil }); err != nil {
		t.Error(err)
	}
	if ran != 3 || l.Subjects() != 3 || l.Commits() != 3 {
		t.Errorf("%d followed, %d subjects, %d commits, want 3 each: an update that stages nothing is no commit", ran, l.Subjects(), l.Commits())
	}
	shut(t, l)
	if err := l.View(func(store.Reader) error { return nil }); !errors.Is(err, store.ErrClosed) {
		t.Errorf("a view of a closed line: %v", err)
	}
	if err := update(t, l, func(*commit.Bundle) error { return nil }); !errors.Is(err, store.ErrClosed) {
		t.Errorf("an update of a closed line: %v", err)
	}
	l = open(t, dir)
	defer shut(t, l)
	if l.Subjects() != 3 || l.Commits() != 3 {
		t.Errorf("opened again: %d subjects, %d commits, want 3 each", l.Subjects(), l.Commits())
	}
}

// TestLostRow: a stamp that is gone from the store is missed, by whatever it went.
func TestLostRow(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	for n := range byte(3) {
		if err := update(t, l, func(b *commit.Bundle) error { return enrol(b, n) }); err != nil {
			t.Fatal(err)
		}
	}
	err := l.Store().Update(func(txn store.Txn) error { return txn.Delete(keyring.StampRow(pseudonym.Pseudonym{1})) })
	if err != nil {
		t.Fatal(err)
	}
	shut(t, l)
	if _, err := commit.Open(config(t, dir)); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("got %v, want damage", err)
	}
}

// TestListedErasure: what is on the list is carried out before anything else, whether the
// line went on or was opened again.
func TestListedErasure(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	for n := range byte(3) {
		if err := update(t, l, func(b *commit.Bundle) error { return enrol(b, n) }); err != nil {
			t.Fatal(err)
		}
	}
	crash := errors.New("crash")
	list := func(n byte) {
		t.Helper()
		err := update(t, l, func(b *commit.Bundle) error {
			return errors.Join(b.List(erasure.Entry{Commit: b.Commit(), Subject: pseudonym.Pseudonym{n}}), crash)
		})
		if !errors.Is(err, crash) {
			t.Fatal(err)
		}
	}
	list(0)
	if err := update(t, l, func(b *commit.Bundle) error { return enrol(b, 5) }); err != nil {
		t.Fatal(err)
	}
	if l.Subjects() != 3 || !l.ListedSince(pseudonym.Pseudonym{0}, 4) || l.ListedSince(pseudonym.Pseudonym{0}, 5) {
		t.Errorf("%d subjects after one was erased and one enrolled, want 3", l.Subjects())
	}
	list(1)
	shut(t, l)
	l = open(t, dir)
	defer shut(t, l)
	if l.Subjects() != 2 {
		t.Errorf("opened again: %d subjects, want 2", l.Subjects())
	}
}

// TestListedAfter: what is listed with a bundle is on the list when the bundle stands, also
// past a crash before the list was written, and never when it does not.
func TestListedAfter(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	for n := range byte(3) {
		if err := update(t, l, func(b *commit.Bundle) error { return enrol(b, n) }); err != nil {
			t.Fatal(err)
		}
	}
	remove := func(b *commit.Bundle, n byte) error {
		p := pseudonym.Pseudonym{n}
		s, err := keyring.FindStamp(b.Txn, p)
		if err != nil {
			return err
		}
		b.Forget(p, s)
		return errors.Join(b.Drop(keyring.StampRow(p)), b.Drop(keyring.Row(p)),
			b.ListAfter(erasure.Entry{Commit: b.Commit(), Subject: p}, erasure.Entry{Commit: b.Commit(), Subject: pseudonym.Pseudonym{n, 1}}))
	}
	crash := errors.New("crash")
	if err := update(t, l, func(b *commit.Bundle) error { return errors.Join(remove(b, 0), crash) }); !errors.Is(err, crash) {
		t.Fatal(err)
	}
	if err := update(t, l, func(b *commit.Bundle) error { return enrol(b, 5) }); err != nil {
		t.Fatal(err)
	}
	if l.Subjects() != 4 || l.ListedSince(pseudonym.Pseudonym{0}, 0) {
		t.Errorf("%d subjects after nothing came about, want 4", l.Subjects())
	}
	if err := update(t, l, func(b *commit.Bundle) error { return remove(b, 1) }); err != nil {
		t.Fatal(err)
	}
	if l.Subjects() != 3 || !l.ListedSince(pseudonym.Pseudonym{1}, 0) || !l.ListedSince(pseudonym.Pseudonym{1, 1}, 0) {
		t.Errorf("%d subjects, want 3, and two entries", l.Subjects())
	}
	shut(t, l)
	if err := os.Truncate(erasure.File(dir), int64(erasure.Size)); err != nil {
		t.Fatal(err)
	}
	l = open(t, dir)
	defer shut(t, l)
	if l.Subjects() != 3 || !l.ListedSince(pseudonym.Pseudonym{1, 1}, 0) {
		t.Errorf("opened again behind the store: %d subjects, want 3, and both entries", l.Subjects())
	}
}

// TestFailedFile makes the file beside the store unwritable for a while: what is in the
// store is acknowledged, nothing after it, and everything goes on when it is writable.
func TestFailedFile(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	if err := update(t, l, func(b *commit.Bundle) error { return enrol(b, 0) }); err != nil {
		t.Fatal(err)
	}
	giveBack := l.LoseFile()
	if err := update(t, l, func(b *commit.Bundle) error { return enrol(b, 1) }); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		err := update(t, l, func(b *commit.Bundle) error { t.Error("it is asked what to commit"); return enrol(b, 2) })
		if err == nil || !strings.Contains(err.Error(), tally.Name) {
			t.Errorf("got %v, want the file's error", err)
		}
	}
	giveBack()
	if err := update(t, l, func(b *commit.Bundle) error { return enrol(b, 2) }); err != nil {
		t.Fatal(err)
	}
	shut(t, l)
	l = open(t, dir)
	defer shut(t, l)
	if l.Subjects() != 3 {
		t.Errorf("%d subjects, want 3", l.Subjects())
	}
}

// TestCommitNumbers uses up the numbers.
func TestCommitNumbers(t *testing.T) {
	l := open(t, t.TempDir())
	defer shut(t, l)
	if err := l.SetCommits(1<<32 - 3); err != nil {
		t.Fatal(err)
	}
	if err := update(t, l, func(b *commit.Bundle) error { return enrol(b, 0) }); err != nil {
		t.Fatal(err)
	}
	if err := update(t, l, func(b *commit.Bundle) error { return enrol(b, 1) }); err == nil || l.Subjects() != 1 {
		t.Errorf("got %v with %d subjects, want an error", err, l.Subjects())
	}
}

// wait returns when so many calls wait.
func wait(q *commit.Queue[int], n int) {
	for q.Waiting() != n {
		runtime.Gosched()
	}
}

// TestQueue: calls that gather while somebody has the turn share a commit, as far as they
// fit; one whose context ends is not committed, and none joins a closed queue.
func TestQueue(t *testing.T) {
	dir := t.TempDir()
	line := open(t, dir)
	defer shut(t, line)
	var shared [][]int
	no := errors.New("no")
	q := commit.NewQueue(line, 10, func(calls []int) error {
		shared = append(shared, calls)
		if calls[0] == 20 {
			return no
		}
		return nil
	})
	gone, leave := context.WithCancel(t.Context())
	sizes := []int{4, 5, 3, 7, 20, 1}
	errs := make([]error, len(sizes))
	var all sync.WaitGroup
	err := line.InTurn(t.Context(), func() error {
		for i, size := range sizes { // in this order
			ctx := t.Context()
			if size == 7 {
				ctx = gone
			}
			all.Go(func() { errs[i] = q.Await(ctx, size, size) })
			wait(q, i+1)
		}
		leave()
		wait(q, len(sizes)-1)
		if !q.Close() || q.Close() || !q.Closed() {
			t.Error("closing the queue twice")
		}
		return nil
	})
	all.Wait()
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []error{nil, nil, nil, context.Canceled, no, nil} {
		if !errors.Is(errs[i], want) {
			t.Errorf("call of size %d: got %v, want %v", sizes[i], errs[i], want)
		}
	}
	if len(shared) != 4 || len(shared[0]) != 2 || len(shared[1]) != 1 {
		t.Errorf("committed together: %v, want the first two, and then each alone", shared)
	}
	if err := q.Await(t.Context(), 1, 1); !errors.Is(err, store.ErrClosed) {
		t.Errorf("a call after Close: %v", err)
	}
}

func TestInTurn(t *testing.T) {
	l := open(t, t.TempDir())
	defer shut(t, l)
	err := l.InTurn(t.Context(), func() error {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		return l.InTurn(ctx, func() error { t.Error("two have the turn"); return nil })
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that the context ended", err)
	}
}
