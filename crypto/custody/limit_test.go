package custody_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/tamga-id/tamga/crypto/custody"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func wrong() (custody.Root, error) { return custody.Root{}, custody.ErrPassphrase }

// TestLimit plays an attempt every second: three are free, then the waits are
// 1, 2, 4 ... seconds and at most five minutes.
func TestLimit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "root.key")
	now := start
	var waits []time.Duration
	for range 16 {
		from := now
		for {
			tried := false
			_, err := custody.Limit(path, now, func() (custody.Root, error) { tried = true; return wrong() })
			w, waiting := errors.AsType[*custody.WaitError](err)
			if tried == waiting || !waiting && !errors.Is(err, custody.ErrPassphrase) {
				t.Fatalf("tried %v: %v", tried, err)
			}
			if tried {
				break
			}
			now = now.Add(w.Wait)
		}
		waits = append(waits, now.Sub(from))
	}
	for i, want := range []time.Duration{0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300, 300} {
		if waits[i] != want*time.Second {
			t.Errorf("attempt %d waited %v, want %v", i, waits[i], want*time.Second)
		}
	}
	// A clock set back does not lock out for longer than the delay itself.
	_, err := custody.Limit(path, now.Add(-1000*time.Hour), wrong)
	if w, ok := errors.AsType[*custody.WaitError](err); !ok || w.Wait != 5*time.Minute {
		t.Errorf("with the clock set back: %v, want a wait of 5 minutes", err)
	}
	// A success, once it may be tried, clears the count.
	now = now.Add(time.Hour)
	r, err := custody.Limit(path, now, func() (custody.Root, error) { return newRoot(t), nil })
	if err != nil || !r.Usable() {
		t.Fatal(err)
	}
	if _, err := os.Stat(path + ".attempts"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the count stayed: %v", err)
	}
}

// TestLimitCountsFirst: an attempt whose process is killed counts.
func TestLimitCountsFirst(t *testing.T) {
	path := filepath.Join(t.TempDir(), "root.key")
	for range 4 {
		func() {
			defer func() { _ = recover() }()
			_, _ = custody.Limit(path, start, func() (custody.Root, error) { panic("killed") })
		}()
	}
	if _, err := custody.Limit(path, start, wrong); err == nil || errors.Is(err, custody.ErrPassphrase) {
		t.Errorf("got %v, want a wait", err)
	}
}

func TestLimitOtherErrors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "root.key")
	other := func() (custody.Root, error) { return custody.Root{}, custody.ErrFormat }
	for range 10 {
		if _, err := custody.Limit(path, start, other); !errors.Is(err, custody.ErrFormat) {
			t.Fatalf("got %v: what is no wrong passphrase was counted", err)
		}
	}
	if err := os.WriteFile(path+".attempts", []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := custody.Limit(path, start, wrong); !errors.Is(err, custody.ErrFormat) {
		t.Errorf("with a malformed count: %v, want ErrFormat", err)
	}
}

// readOnlyDisk takes no writes.
type readOnlyDisk struct{ custody.OSDisk }

func (readOnlyDisk) Sync(*os.File) error { return &os.PathError{Op: "sync", Err: syscall.EROFS} }

// TestLimitReadOnly: a disk that takes no writes can be looked at, by who has the passphrase.
func TestLimitReadOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "root.key")
	if _, err := custody.LimitOn(readOnlyDisk{}, path, start, func() (custody.Root, error) { return custody.Root{}, nil }); err != nil {
		t.Errorf("the right passphrase: %v", err)
	}
	if _, err := custody.LimitOn(readOnlyDisk{}, path, start, wrong); !errors.Is(err, custody.ErrPassphrase) {
		t.Errorf("a wrong one: %v, want ErrPassphrase", err)
	}
}

// TestLimitFaults: an attempt that could not be counted is not made.
func TestLimitFaults(t *testing.T) {
	for _, step := range []string{"sync", "rename", "sync-dir"} {
		t.Run(step, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "root.key")
			never := func() (custody.Root, error) { t.Error("tried"); return wrong() }
			if _, err := custody.LimitOn(&faultyDisk{fail: step}, path, start, never); !errors.Is(err, errDisk) {
				t.Errorf("got %v, want the disk fault", err)
			}
		})
	}
}
