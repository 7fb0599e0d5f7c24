package ledger_test

import (
	"errors"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/federation/ledger/internal/ledgertest"
	"github.com/tamga-id/tamga/federation/ledger/lognote"
)

func leaves(n int, edit func(i int, b []byte) []byte) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for i := range n {
			b := ledgertest.Leaf(i)
			if edit != nil {
				b = edit(i, b)
			}
			if !yield(b, nil) {
				return
			}
		}
	}
}

// TestRestore: the log made from leaves and checkpoint is the log they came from,
// it grows from there, and one other leaf makes none.
func TestRestore(t *testing.T) {
	for _, n := range []int{0, 1, 7, 1500} {
		dir := t.TempDir()
		l := ledgertest.Open(t, filepath.Join(dir, "a"))
		ledgertest.Fill(t, l, n)
		checkpoint := l.Checkpoint()
		ledgertest.Close(t, l)
		made := filepath.Join(dir, "b")
		if err := ledger.Restore(t.Context(), made, ledgertest.Verifier(t), checkpoint, leaves(n, nil)); err != nil {
			t.Fatalf("%d leaves: %v", n, err)
		}
		r, err := ledger.Verify(t.Context(), made, ledgertest.Verifier(t), nil)
		if err != nil || r.Size != uint64(n) {
			t.Fatalf("%d leaves: verified %d, %v", n, r.Size, err)
		}
		l = ledgertest.Open(t, made)
		ledgertest.Fill(t, l, 3)
		if has, err := l.HasTail(checkpoint); !has || err != nil {
			t.Errorf("%d leaves: the restored log does not contain its own past: %v", n, err)
		}
		ledgertest.Close(t, l)
		if err := ledger.Restore(t.Context(), made, ledgertest.Verifier(t), checkpoint, leaves(n, nil)); !errors.Is(err, os.ErrExist) {
			t.Errorf("restoring over a log: %v", err)
		}
	}
	dir := t.TempDir()
	l := ledgertest.Open(t, filepath.Join(dir, "a"))
	ledgertest.Fill(t, l, 20)
	checkpoint := l.Checkpoint()
	ledgertest.Close(t, l)
	for name, other := range map[string]iter.Seq2[[]byte, error]{
		"fewer": leaves(19, nil), "more": leaves(21, nil), "none": leaves(0, nil),
		"changed": leaves(20, func(i int, b []byte) []byte {
			if i == 11 {
				b[0] ^= 1
			}
			return b
		}),
	} {
		made := filepath.Join(dir, name)
		if err := ledger.Restore(t.Context(), made, ledgertest.Verifier(t), checkpoint, other); !errors.Is(err, ledger.ErrTampered) {
			t.Errorf("%s: %v, want tampered", name, err)
		}
		if _, err := ledger.Open(t.Context(), ledger.Config{Dir: made, Signer: ledgertest.Signer(t), Now: ledgertest.Tick}); err == nil {
			t.Errorf("%s: what was refused opens", name)
		}
	}
}

// TestRename: the keys of one log, as those of another, verify its checkpoints only.
func TestRename(t *testing.T) {
	other, err := lognote.NewSigner(ledgertest.Origin+"/2", ledgertest.Seed(1), ledgertest.Seed(2))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := lognote.Rename(ledgertest.Origin+"/2", ledgertest.Signer(t).VerifierKeys())
	if err != nil || !slices.Equal(keys, other.VerifierKeys()) {
		t.Errorf("%v, %v", keys, err)
	}
	if _, err := lognote.Rename(ledgertest.Origin, []string{"x", "y+z"}); err == nil {
		t.Error("what is no key is renamed")
	}
}

// TestOutside: snapshot, run on, restore, open. The folder is sound in itself and is
// refused all the same, whether it was closed or killed when it was copied.
func TestOutside(t *testing.T) {
	dir := t.TempDir()
	in, out := filepath.Join(dir, "ledger"), filepath.Join(dir, "elsewhere", "checkpoint")
	config := ledger.Config{Dir: in, Outside: out, Signer: ledgertest.Signer(t), Now: ledgertest.Tick}
	open := func() (*ledger.Log, error) { return ledger.Open(t.Context(), config) }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	l, err := open()
	must(err)
	ledgertest.Fill(t, l, 5)
	ledgertest.Close(t, l)
	copyDir(t, in, filepath.Join(dir, "old"))
	l, err = open()
	must(err)
	ledgertest.Fill(t, l, 1)
	// As after kill -9: nothing is settled, what was written is there.
	b, err := os.ReadFile(out)
	must(err)
	must(os.WriteFile(filepath.Join(dir, "killed"), b, 0o600))
	ledgertest.Close(t, l)

	copyDir(t, in, filepath.Join(dir, "new"))
	must(os.RemoveAll(in))
	copyDir(t, filepath.Join(dir, "old"), in)
	if _, err := open(); !errors.Is(err, ledger.ErrOutdated) {
		t.Errorf("older folder: %v", err)
	}
	must(os.WriteFile(out, b, 0o600))
	if _, err := open(); !errors.Is(err, ledger.ErrOutdated) {
		t.Errorf("older folder beside the file of a killed process: %v", err)
	}
	// A fork of the same size, and longer.
	l = ledgertest.Open(t, in)
	_, err = l.Append(t.Context(), []byte("something else"))
	must(err)
	ledgertest.Fill(t, l, 2)
	ledgertest.Close(t, l)
	if _, err := open(); !errors.Is(err, ledger.ErrOutdated) {
		t.Errorf("fork: %v", err)
	}
	must(os.RemoveAll(in))
	copyDir(t, filepath.Join(dir, "new"), in)
	l, err = open()
	must(err)
	ledgertest.Close(t, l)
	must(os.WriteFile(out, b[:len(b)/2], 0o600))
	if _, err := open(); !errors.Is(err, ledger.ErrForgotten) {
		t.Errorf("cut file: %v", err)
	}
	must(os.Remove(out))
	if _, err := open(); !errors.Is(err, ledger.ErrForgotten) {
		t.Errorf("no file: %v", err)
	}
}

// TestOutsideShared: a copy of the folder is refused while the log that it is of uses the
// same file outside, new or not, and may go on when that is closed.
func TestOutsideShared(t *testing.T) {
	dir := t.TempDir()
	in, out := filepath.Join(dir, "ledger"), filepath.Join(dir, "checkpoint")
	open := func(in string) (*ledger.Log, error) {
		return ledger.Open(t.Context(), ledger.Config{Dir: in, Outside: out, Signer: ledgertest.Signer(t), Now: ledgertest.Tick})
	}
	l, err := open(in) // makes the file
	if err != nil {
		t.Fatal(err)
	}
	if _, err := open(filepath.Join(dir, "another")); !errors.Is(err, ledger.ErrLocked) || !strings.Contains(err.Error(), "checkpoint") {
		t.Errorf("a new log with the file of another: %v, want ErrLocked", err)
	}
	ledgertest.Fill(t, l, 3)
	ledgertest.Close(t, l)
	twin := filepath.Join(dir, "twin")
	copyDir(t, in, twin)
	if l, err = open(in); err != nil {
		t.Fatal(err)
	}
	if _, err := open(twin); !errors.Is(err, ledger.ErrLocked) {
		t.Errorf("a copy beside the log: %v, want ErrLocked", err)
	}
	ledgertest.Close(t, l)
	if l, err = open(twin); err != nil {
		t.Fatal(err)
	}
	ledgertest.Fill(t, l, 1)
	ledgertest.Close(t, l)
	if _, err := open(in); !errors.Is(err, ledger.ErrOutdated) {
		t.Errorf("the log that its copy left behind: %v, want ErrOutdated", err)
	}
}
