package custody_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/tamga-id/tamga/crypto/custody"
)

// rotated is a folder with a root under the test's passphrase and a keystore.
func rotated(t *testing.T) (custody.Rotation, custody.Root) {
	t.Helper()
	dir := t.TempDir()
	x := custody.Rotation{Root: filepath.Join(dir, "root"), Next: filepath.Join(dir, "root-next"), Keystore: filepath.Join(dir, "keystore")}
	r, err := custody.Create(x.Root, custody.Passphrase(passphrase, custody.TestParams()))
	if err != nil {
		t.Fatal(err)
	}
	if err := custody.CreateKeystore(x.Keystore, r, map[string][]byte{"a": []byte("secret")}); err != nil {
		t.Fatal(err)
	}
	return x, r
}

func prepared(t *testing.T, x custody.Rotation) custody.Root {
	t.Helper()
	if err := x.Prepare(custody.Passphrase(passphrase, custody.TestParams())); err != nil {
		t.Fatal(err)
	}
	return openPath(t, x.Next)
}

func openPath(t *testing.T, path string) custody.Root {
	t.Helper()
	r, err := custody.Open(path, passphrase)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// holds fails unless the root opens the keystore with its one secret.
func holds(t *testing.T, x custody.Rotation, r custody.Root) {
	t.Helper()
	k, err := custody.OpenKeystore(x.Keystore, r)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := k.Secret("a"); err != nil || string(got) != "secret" {
		t.Errorf("secret %q, %v", got, err)
	}
}

func TestRotation(t *testing.T) {
	x, old := rotated(t)
	state := func(want custody.RotationState) {
		t.Helper()
		if got, err := x.State(); err != nil || got != want {
			t.Errorf("state %+v, %v; want %+v", got, err, want)
		}
	}
	state(custody.RotationState{Generation: 1})
	if err := x.Activate(old, old); !errors.Is(err, custody.ErrNotPrepared) {
		t.Errorf("activating nothing: %v", err)
	}
	unused := prepared(t, x)
	next := prepared(t, x)
	state(custody.RotationState{Generation: 1, Prepared: true})
	for name, r := range map[string]custody.Root{"unused": unused, "old": old, "zero": {}} {
		if err := x.Activate(old, r); !errors.Is(err, custody.ErrRoot) {
			t.Errorf("activating the %s root: %v", name, err)
		}
	}
	if err := x.Activate(next, next); !errors.Is(err, custody.ErrRoot) {
		t.Errorf("activating by a root that opens nothing: %v", err)
	}
	holds(t, x, old)
	if err := x.Activate(old, next); err != nil {
		t.Fatal(err)
	}
	state(custody.RotationState{Generation: 2, Old: true})
	holds(t, x, next)
	holds(t, x, old) // of a process that still has it
	holds(t, x, openPath(t, x.Root))

	// Changes keep the overlap, whoever makes them.
	for _, r := range []custody.Root{old, next} {
		if err := custody.UpdateKeystore(x.Keystore, r, func(s map[string][]byte) error { s["b"] = []byte("new"); return nil }); err != nil {
			t.Fatal(err)
		}
		holds(t, x, old)
		holds(t, x, next)
	}
	current, err := custody.CurrentRoot(x.Keystore, old)
	if err != nil {
		t.Fatal(err)
	}
	third := prepared(t, x)
	if err := x.Activate(next, third); !errors.Is(err, custody.ErrOverlap) {
		t.Errorf("activating beside an old root: %v", err)
	}
	if err := x.Retire(current); err != nil {
		t.Fatal(err)
	}
	state(custody.RotationState{Generation: 2, Prepared: true})
	if _, err := custody.OpenKeystore(x.Keystore, old); !errors.Is(err, custody.ErrRoot) {
		t.Errorf("the retired root opens the keystore: %v", err)
	}
	if _, err := custody.CurrentRoot(x.Keystore, old); !errors.Is(err, custody.ErrRoot) {
		t.Errorf("the retired root gives the current one: %v", err)
	}
	if err := x.Retire(next); !errors.Is(err, custody.ErrNothingOld) {
		t.Errorf("retiring again: %v", err)
	}
	if err := x.Activate(next, third); err != nil {
		t.Fatal(err)
	}
	holds(t, x, openPath(t, x.Root))
	state(custody.RotationState{Generation: 3, Old: true})
}

// countingDisk fails the n-th step, before or after it took effect.
type countingDisk struct {
	custody.OSDisk
	n     int
	after bool
	hit   bool
}

func (d *countingDisk) step(effect func() error) error {
	if d.n--; d.n != 0 {
		return effect()
	}
	d.hit = true
	if d.after {
		if err := effect(); err != nil {
			return err
		}
	}
	return errDisk
}

func (d *countingDisk) Sync(f *os.File) error {
	return d.step(func() error { return d.OSDisk.Sync(f) })
}

func (d *countingDisk) Link(old, new string) error {
	return d.step(func() error { return d.OSDisk.Link(old, new) })
}

func (d *countingDisk) Rename(old, new string) error {
	return d.step(func() error { return d.OSDisk.Rename(old, new) })
}

func (d *countingDisk) SyncDir(dir string) error {
	return d.step(func() error { return d.OSDisk.SyncDir(dir) })
}

// TestRotationFaults fails every write of every step of a rotation. Afterwards the root
// file opens the keystore, and so does what a running node holds; the step, done again,
// leads on to a finished rotation.
func TestRotationFaults(t *testing.T) {
	for n := 1; ; n++ {
		hit := false
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("write-%d-after-%v", n, after), func(t *testing.T) {
				d := &countingDisk{n: n, after: after}
				rotateOn(t, d)
				hit = hit || d.hit
			})
		}
		if !hit {
			if n < 8 {
				t.Fatalf("a rotation has %d writes", n-1)
			}
			return
		}
	}
}

func rotateOn(t *testing.T, d *countingDisk) {
	x, old := rotated(t)
	again := func(step func() error, done error) {
		t.Helper()
		err := step()
		if err == nil {
			return
		}
		if !errors.Is(err, errDisk) {
			t.Fatal(err)
		}
		holds(t, x, openPath(t, x.Root))
		holds(t, x, old)
		if err := step(); err != nil && !errors.Is(err, done) {
			t.Fatalf("doing it again: %v", err)
		}
	}
	again(func() error {
		return custody.PrepareOn(d, x, custody.Passphrase(passphrase, custody.TestParams()))
	}, nil)
	next := openPath(t, x.Next)
	again(func() error { return custody.ActivateOn(d, x, old, next) }, custody.ErrNotPrepared)
	holds(t, x, next)
	holds(t, x, openPath(t, x.Root))
	// The fault may lie after the file is in its place, and then there is nothing left to do again.
	if _, err := os.Stat(x.Next); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the next root file is still there: %v", err)
	}
	old = next // the one before may or may not open it once retiring has begun
	again(func() error { return custody.RetireOn(d, x, next) }, custody.ErrNothingOld)
	if s, err := x.State(); err != nil || s != (custody.RotationState{Generation: 2}) {
		t.Errorf("afterwards %+v, %v", s, err)
	}
}
