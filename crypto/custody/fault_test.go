package custody_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/tamga-id/tamga/crypto/custody"
)

var errDisk = errors.New("injected disk fault")

// faultyDisk fails one step, before or after it took effect, and records the
// order of the steps.
type faultyDisk struct {
	custody.OSDisk
	fail  string
	after bool
	steps []string
}

var _ custody.Disk = (*faultyDisk)(nil)

func (d *faultyDisk) step(name string, effect func() error) error {
	d.steps = append(d.steps, name)
	if d.fail != name {
		return effect()
	}
	if d.after {
		if err := effect(); err != nil {
			return err
		}
	}
	return errDisk
}

func (d *faultyDisk) Sync(f *os.File) error {
	return d.step("sync", func() error { return d.OSDisk.Sync(f) })
}

func (d *faultyDisk) Link(old, new string) error {
	return d.step("link", func() error { return d.OSDisk.Link(old, new) })
}

func (d *faultyDisk) Rename(old, new string) error {
	return d.step("rename", func() error { return d.OSDisk.Rename(old, new) })
}

func (d *faultyDisk) SyncDir(dir string) error {
	return d.step("sync-dir", func() error { return d.OSDisk.SyncDir(dir) })
}

func TestWriteOrder(t *testing.T) {
	d := &faultyDisk{}
	if _, err := custody.CreateOn(d, filepath.Join(t.TempDir(), "root.key"), custody.Passphrase(passphrase, custody.TestParams())); err != nil {
		t.Fatal(err)
	}
	if len(d.steps) != 3 || d.steps[0] != "sync" || d.steps[1] != "link" || d.steps[2] != "sync-dir" {
		t.Errorf("steps %q, want contents flushed, then named, then the name flushed", d.steps)
	}
}

// TestWriteFaults fails every step. Whatever the step, an error means no key
// came back, nothing usable stands under the path, and a second try succeeds.
func TestWriteFaults(t *testing.T) {
	for _, step := range []string{"sync", "link", "sync-dir"} {
		for _, after := range []bool{false, true} {
			name := step + "-before"
			if after {
				name = step + "-after"
			}
			if name == "link-after" {
				continue // link(2) does not fail after taking effect.
			}
			t.Run(name, func(t *testing.T) {
				dir := t.TempDir()
				path := filepath.Join(dir, "root.key")
				d := &faultyDisk{fail: step, after: after}
				r, err := custody.CreateOn(d, path, custody.Passphrase(passphrase, custody.TestParams()))
				if !errors.Is(err, errDisk) || r.Usable() {
					t.Errorf("creating root: %v, want the disk fault", err)
				}
				err = custody.CreateKeystoreOn(d, path, newRoot(t), map[string][]byte{"a": nil})
				if !errors.Is(err, errDisk) {
					t.Errorf("creating keystore: %v, want the disk fault", err)
				}
				if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
					t.Errorf("%d files left behind (%v)", len(entries), err)
				}
				if _, err := custody.Create(path, custody.Passphrase(passphrase, custody.TestParams())); err != nil {
					t.Errorf("second try: %v", err)
				}
			})
		}
	}
}

// TestLostRace lets another process take the name between the check and the
// link.
func TestLostRace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "root.key")
	d := &racingDisk{path: path}
	if _, err := custody.CreateOn(d, path, custody.Passphrase(passphrase, custody.TestParams())); !errors.Is(err, os.ErrExist) {
		t.Errorf("got %v, want fs.ErrExist", err)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, []byte("theirs")) {
		t.Errorf("the winner's file is now %q, %v", got, err)
	}
}

type racingDisk struct {
	custody.OSDisk
	path string
}

func (d *racingDisk) Link(old, new string) error {
	if err := os.WriteFile(d.path, []byte("theirs"), 0o600); err != nil {
		return err
	}
	return d.OSDisk.Link(old, new)
}

// TestUpdateFaults fails every step of an update: the keystore is the old one
// or, when only the last flush is in doubt, the new one, and never neither; the
// same update then succeeds.
func TestUpdateFaults(t *testing.T) {
	change := func(secrets map[string][]byte) error {
		delete(secrets, "old")
		secrets["new"] = []byte("two")
		return nil
	}
	for _, tt := range []struct {
		step  string
		after bool
		want  string // the only name in the store afterwards
	}{
		{"sync", false, "old"},
		{"sync", true, "old"},
		{"rename", false, "old"},
		{"sync-dir", false, "new"},
		{"sync-dir", true, "new"},
	} {
		t.Run(fmt.Sprintf("%s-after-%v", tt.step, tt.after), func(t *testing.T) {
			path := keystoreFile(t, newRoot(t), map[string][]byte{"old": []byte("one")})
			err := custody.UpdateKeystoreOn(&faultyDisk{fail: tt.step, after: tt.after}, path, newRoot(t), change)
			if !errors.Is(err, errDisk) {
				t.Errorf("updating: %v, want the disk fault", err)
			}
			k, err := custody.OpenKeystore(path, newRoot(t))
			if got := k.Names(); err != nil || len(got) != 1 || got[0] != tt.want {
				t.Errorf("afterwards %q, %v; want %q", got, err, tt.want)
			}
			if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
				t.Errorf("%d files (%v), want the keystore alone", len(entries), err)
			}
			if err := custody.UpdateKeystore(path, newRoot(t), change); err != nil {
				t.Errorf("second try: %v", err)
			}
		})
	}
}

// TestWriteFileFaults fails every step of writing a copy of keys, over one that is there
// and where there is none: it is the old one or the new one, whole, and the same again
// succeeds.
func TestWriteFileFaults(t *testing.T) {
	for _, there := range []bool{true, false} {
		for _, step := range []string{"sync", "rename", "sync-dir"} {
			for _, after := range []bool{false, true} {
				name := fmt.Sprintf("there-%v-%s-after-%v", there, step, after)
				if step == "rename" && after {
					continue // rename(2) does not fail after taking effect.
				}
				dir := t.TempDir()
				path := filepath.Join(dir, "kaz.escrow")
				if there {
					if err := custody.WriteFile(path, []byte("old")); err != nil {
						t.Fatal(err)
					}
				}
				if err := custody.WriteFileOn(&faultyDisk{fail: step, after: after}, path, []byte("new")); !errors.Is(err, errDisk) {
					t.Errorf("%s: %v, want the disk fault", name, err)
				}
				got, err := os.ReadFile(path)
				if string(got) != "new" && (there && string(got) != "old" || !there && !errors.Is(err, os.ErrNotExist)) {
					t.Errorf("%s: %q, %v", name, got, err)
				}
				if err := custody.WriteFile(path, []byte("newer")); err != nil {
					t.Errorf("%s: again: %v", name, err)
				}
				if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
					t.Errorf("%s: %d files (%v), want one", name, len(entries), err)
				}
			}
		}
	}
}

// TestSweep: what a killed process left beside a file, with keys that may be destroyed by
// now, is overwritten and gone with the next change; what only looks like it stays.
func TestSweep(t *testing.T) {
	path := keystoreFile(t, newRoot(t), map[string][]byte{"a": []byte("one")})
	dir := filepath.Dir(path)
	left, other := filepath.Join(dir, "."+filepath.Base(path)+".tmp-123"), filepath.Join(dir, ".other.tmp-123")
	for _, name := range []string{left, other} {
		if err := os.WriteFile(name, []byte("keys of before"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	held, err := os.Open(left) // as a file system that writes in place has it
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if err := custody.UpdateKeystore(path, newRoot(t), func(secrets map[string][]byte) error { secrets["a"] = []byte("two"); return nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what was left is there: %v", err)
	}
	b := make([]byte, 14)
	if _, err := held.ReadAt(b, 0); err != nil || string(b) == "keys of before" {
		t.Errorf("what was left was not overwritten: %q, %v", b, err)
	}
	if b, err := os.ReadFile(other); err != nil || string(b) != "keys of before" {
		t.Errorf("another file: %q, %v", b, err)
	}
	if err := custody.RemoveFile(other); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(other); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("removed: %v", err)
	}
}

func TestListSecrets(t *testing.T) {
	path := keystoreFile(t, newRoot(t), map[string][]byte{"b/2": nil, "a": []byte("one")})
	b, err := custody.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	names, root, err := custody.ListSecrets(b)
	if err != nil || root != 1 || fmt.Sprint(names) != "[a b/2]" {
		t.Errorf("%v, root %d, %v", names, root, err)
	}
	if _, _, err := custody.ListSecrets(b[1:]); !errors.Is(err, custody.ErrFormat) {
		t.Errorf("not a keystore: %v", err)
	}
}
