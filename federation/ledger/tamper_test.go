package ledger_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/federation/ledger/internal/ledgertest"
	"github.com/tamga-id/tamga/federation/ledger/lognote"
)

// copyDir copies a ledger folder as it stands, which for an open log is what a
// killed process leaves behind.
func copyDir(t testing.TB, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

// stopped returns the folder of a log with n entries that was closed, or one
// that was never closed; the first third went through an orderly restart.
func stopped(t testing.TB, n int, clean bool) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "a")
	l := ledgertest.Open(t, dir)
	ledgertest.Fill(t, l, n/3)
	ledgertest.Close(t, l)
	l = ledgertest.Open(t, dir)
	ledgertest.Fill(t, l, n-n/3-4)
	for i := n - 4; i < n; i++ {
		if _, err := l.Append(t.Context(), ledgertest.Leaf(i)); err != nil {
			t.Fatal(err)
		}
	}
	if clean {
		ledgertest.Close(t, l)
		return dir
	}
	crashed := filepath.Join(t.TempDir(), "b")
	copyDir(t, dir, crashed)
	ledgertest.Close(t, l)
	return crashed
}

func find(t testing.TB, dir, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no %s below %s: %v", pattern, dir, err)
	}
	return paths
}

// flip inverts one bit of a file and returns a function that restores it.
func flip(t testing.TB, path string, offset int64) (restore func()) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b [1]byte
	if _, err := f.ReadAt(b[:], offset); err != nil {
		t.Fatal(err)
	}
	old := b[0]
	b[0] ^= 1 << (offset % 8)
	if _, err := f.WriteAt(b[:], offset); err != nil {
		t.Fatal(err)
	}
	return func() {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteAt([]byte{old}, offset); err != nil {
			t.Fatal(err)
		}
	}
}

// offsets returns about count offsets spread over the used part of a file.
func offsets(t testing.TB, path string, count int) []int64 {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	used := len(strings.TrimRight(string(b), "\x00"))
	if used == 0 {
		used = min(count, len(b))
	}
	step := max(1, used/count)
	var at []int64
	for i := 0; i < used; i += step {
		at = append(at, int64(i))
	}
	return at
}

// TestFlippedBits flips one bit at a time in every kind of file. A flip that is
// not noticed must leave everything that is read as it was: same size, same root.
func TestFlippedBits(t *testing.T) {
	const entries = 240
	cases := []struct {
		name, pattern string
		clean         bool
		count         int
		deadAllowed   bool // parts of the file are never read
	}{
		{"table", "store/*.sst", true, 350, false},
		{"manifest", "store/MANIFEST", true, 200, true},
		{"checkpoint", "checkpoint", true, 150, true},
		{"table-unclean", "store/*.sst", false, 60, false},
		{"memtable", "store/*.mem", false, 350, true},
		{"value-log", "store/*.vlog", false, 20, true},
		{"discard", "store/DISCARD", false, 20, true},
		{"key-registry", "store/KEYREGISTRY", true, 30, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := stopped(t, entries, c.clean)
			v := ledgertest.Verifier(t)
			sound, err := ledger.Verify(t.Context(), dir, v, nil)
			if err != nil {
				t.Fatalf("before any flip: %v", err)
			}
			if sound.Size != entries || sound.Clean != c.clean {
				t.Fatalf("before any flip: %+v", sound)
			}
			var noticed, dead int
			for _, path := range find(t, dir, c.pattern) {
				for _, at := range offsets(t, path, c.count) {
					restore := flip(t, path, at)
					got, err := ledger.Verify(t.Context(), dir, v, nil)
					switch {
					case errors.Is(err, ledger.ErrTampered):
						noticed++
					case err != nil && c.pattern == "checkpoint" &&
						(errors.Is(err, lognote.ErrOrigin) || errors.Is(err, lognote.ErrKey)):
						noticed++
					case err != nil:
						t.Errorf("%s+%d: %v, want ErrTampered", filepath.Base(path), at, err)
					case got.Size != sound.Size || got.Root != sound.Root:
						t.Errorf("%s+%d: silently read %d entries", filepath.Base(path), at, got.Size)
					default:
						dead++
						if !c.deadAllowed {
							t.Errorf("%s+%d: not noticed", filepath.Base(path), at)
						}
					}
					restore()
				}
			}
			t.Logf("%d flips noticed, %d in bytes that are not read", noticed, dead)
		})
	}
}

// TestOpenAfterFlip opens damaged folders: either refused, or nothing is lost.
func TestOpenAfterFlip(t *testing.T) {
	const entries = 120
	dir := stopped(t, entries, false)
	v := ledgertest.Verifier(t)
	var refused, healed int
	for _, pattern := range []string{"store/*.mem", "store/*.sst", "store/MANIFEST", "store/*.vlog", "store/DISCARD", "store/KEYREGISTRY", "checkpoint"} {
		for _, path := range find(t, dir, pattern) {
			for _, at := range offsets(t, path, 14) {
				damaged := filepath.Join(t.TempDir(), "d")
				copyDir(t, dir, damaged)
				flip(t, filepath.Join(damaged, strings.TrimPrefix(path, dir)), at)
				l, err := ledger.Open(t.Context(), ledger.Config{Dir: damaged, Signer: ledgertest.Signer(t), Now: ledgertest.Tick})
				if err != nil {
					if !errors.Is(err, ledger.ErrTampered) {
						t.Errorf("%s+%d: %v, want ErrTampered", filepath.Base(path), at, err)
					}
					refused++
					continue
				}
				size := l.Size()
				ledgertest.Close(t, l)
				_, err = ledger.Verify(t.Context(), damaged, v, nil)
				if size != entries || err != nil && !errors.Is(err, ledger.ErrTampered) {
					t.Errorf("%s+%d: opened with %d entries; then %v", filepath.Base(path), at, size, err)
				}
				if err == nil {
					healed++
				}
			}
		}
	}
	t.Logf("%d refused at once, %d without effect", refused, healed)
}

// TestRollback puts older parts of a ledger back.
func TestRollback(t *testing.T) {
	base := t.TempDir()
	dir := filepath.Join(base, "now")
	l := ledgertest.Open(t, dir)
	ledgertest.Fill(t, l, 50)
	early := l.Checkpoint()
	ledgertest.Close(t, l)
	copyDir(t, dir, filepath.Join(base, "old"))
	l = ledgertest.Open(t, dir)
	ledgertest.Fill(t, l, 50)
	late := l.Checkpoint()
	if ok, err := l.HasTail(early); !ok || err != nil {
		t.Errorf("own earlier checkpoint: %t, %v", ok, err)
	}
	ledgertest.Close(t, l)

	t.Run("store", func(t *testing.T) {
		mixed := filepath.Join(t.TempDir(), "m")
		copyDir(t, filepath.Join(base, "old", "store"), filepath.Join(mixed, "store"))
		copyFile(t, filepath.Join(dir, "checkpoint"), filepath.Join(mixed, "checkpoint"))
		wantDamage(t, mixed, ledger.ErrRolledBack, 50)
	})
	t.Run("no-store", func(t *testing.T) {
		mixed := t.TempDir()
		copyFile(t, filepath.Join(dir, "checkpoint"), filepath.Join(mixed, "checkpoint"))
		wantDamage(t, mixed, ledger.ErrRolledBack, 0)
	})
	t.Run("no-checkpoint", func(t *testing.T) {
		mixed := filepath.Join(t.TempDir(), "m")
		copyDir(t, filepath.Join(dir, "store"), filepath.Join(mixed, "store"))
		wantDamage(t, mixed, ledger.ErrTampered, -1)
	})
	t.Run("other-log", func(t *testing.T) {
		mixed := filepath.Join(t.TempDir(), "m")
		other := ledgertest.Open(t, mixed)
		for range 60 {
			if _, err := other.Append(t.Context(), []byte("another history")); err != nil {
				t.Fatal(err)
			}
		}
		ledgertest.Close(t, other)
		copyFile(t, filepath.Join(base, "old", "checkpoint"), filepath.Join(mixed, "checkpoint"))
		wantDamage(t, mixed, ledger.ErrTampered, -1)
	})
	t.Run("whole-folder", func(t *testing.T) {
		l := ledgertest.Open(t, filepath.Join(base, "old"))
		defer ledgertest.Close(t, l)
		if ok, err := l.HasTail(late); ok || err != nil {
			t.Errorf("checkpoint from the future: %t, %v; want false", ok, err)
		}
	})
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// anyEntry accepts blame for any entry.
const anyEntry = -2

// wantDamage checks that both Open and Verify refuse a folder, and change nothing.
func wantDamage(t *testing.T, dir string, want error, entry int64) {
	t.Helper()
	before := listing(t, dir)
	_, err := ledger.Verify(t.Context(), dir, ledgertest.Verifier(t), nil)
	if !errors.Is(err, want) || !errors.Is(err, ledger.ErrTampered) {
		t.Errorf("verify: %v, want %v", err, want)
	}
	if bad, ok := errors.AsType[*ledger.TamperError](err); ok && entry != anyEntry && bad.Entry != entry {
		t.Errorf("verify blames entry %d, want %d: %v", bad.Entry, entry, err)
	}
	if after := listing(t, dir); after != before {
		t.Errorf("verify changed the folder:\n%s\nwas:\n%s", after, before)
	}
	_, err = ledger.Open(t.Context(), ledger.Config{Dir: dir, Signer: ledgertest.Signer(t), Now: ledgertest.Tick})
	if !errors.Is(err, want) {
		t.Errorf("open: %v, want %v", err, want)
	}
	if after := listing(t, dir); after != before {
		t.Errorf("open changed the folder:\n%s\nwas:\n%s", after, before)
	}
}

// listing names every file with its length and time of last change.
func listing(t testing.TB, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() {
			b.WriteString(path + " " + info.ModTime().String() + " " + info.Mode().String() + " ")
			b.WriteString(strings.Repeat("#", int(info.Size()>>12)) + "\n")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestTruncatedFiles cuts files short.
func TestTruncatedFiles(t *testing.T) {
	for _, c := range []struct {
		name, pattern string
		clean         bool
	}{
		{"memtable", "store/*.mem", false},
		{"table", "store/*.sst", true},
		{"checkpoint", "checkpoint", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := stopped(t, 120, c.clean)
			paths := find(t, dir, c.pattern)
			at := offsets(t, paths[len(paths)-1], 20)
			for _, end := range at[1:] {
				cut := filepath.Join(t.TempDir(), "c")
				copyDir(t, dir, cut)
				if err := os.Truncate(filepath.Join(cut, strings.TrimPrefix(paths[len(paths)-1], dir)), end); err != nil {
					t.Fatal(err)
				}
				if _, err := ledger.Verify(t.Context(), cut, ledgertest.Verifier(t), nil); !errors.Is(err, ledger.ErrTampered) {
					t.Errorf("verify, cut at %d: %v, want ErrTampered", end, err)
				}
				if _, err := ledger.Open(t.Context(), ledger.Config{Dir: cut, Signer: ledgertest.Signer(t), Now: ledgertest.Tick}); !errors.Is(err, ledger.ErrTampered) {
					t.Errorf("open, cut at %d: %v, want ErrTampered", end, err)
				}
			}
		})
	}
}

// TestHoleBehindHead damages a write-ahead log that is not the newest. Badger would
// drop the rest of that one alone, and the head, in the newest, would look sound.
func TestHoleBehindHead(t *testing.T) {
	base := t.TempDir()
	dir, both := filepath.Join(base, "live"), filepath.Join(base, "both")
	l := ledgertest.Open(t, dir)
	ledgertest.Fill(t, l, 100)
	copyDir(t, dir, both) // entries 0 to 99 in the first log
	ledgertest.Close(t, l)
	dir = filepath.Join(base, "crashed [a-z]*")
	copyDir(t, both, dir)
	l = ledgertest.Open(t, dir)
	ledgertest.Fill(t, l, 20)
	second := filepath.Join("store", "00002.mem") // entries 100 to 119
	copyFile(t, filepath.Join(dir, second), filepath.Join(both, second))
	copyFile(t, filepath.Join(dir, "checkpoint"), filepath.Join(both, "checkpoint"))
	ledgertest.Close(t, l)

	r, err := ledger.Verify(t.Context(), both, ledgertest.Verifier(t), nil)
	if err != nil || r.Size != 120 {
		t.Fatalf("before damage: %+v, %v", r, err)
	}
	logs := find(t, both, "store/*.mem")
	if len(logs) != 2 {
		t.Fatalf("%d write-ahead logs, want 2", len(logs))
	}
	at := offsets(t, logs[0], 16)
	for _, offset := range at[1:] {
		damaged := filepath.Join(t.TempDir(), "d")
		copyDir(t, both, damaged)
		flip(t, filepath.Join(damaged, "store", filepath.Base(logs[0])), offset)
		wantDamage(t, damaged, ledger.ErrTampered, anyEntry)
	}
	sound := ledgertest.Open(t, both)
	if sound.Size() != 120 {
		t.Errorf("size %d, want 120", sound.Size())
	}
	ledgertest.Close(t, sound)
}
