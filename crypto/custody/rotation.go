package custody

import (
	"bytes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
)

const labelLink = "tamga/v1/keystore-root-before"

// Rotation are the files, of one folder, of a root key that is replaced: its root
// file, the one of the root that is to follow, and the keystore.
//
// Prepare makes the next root. Activate seals the keystore under it; the root before
// still opens that, so that a process which holds it goes on: see [CurrentRoot].
// Retire ends this. After each step, crashes included, the root file opens the
// keystore. A step that was interrupted is done or not done, and may be done again.
type Rotation struct{ Root, Next, Keystore string }

// RotationState says how far a rotation is.
type RotationState struct {
	Generation uint32 // Of the root that the keystore is sealed under, from 1.
	Prepared   bool   // Whether there is a next one.
	Old        bool   // Whether the one before opens the keystore, too.
}

// rootLink holds a root sealed under the one before: Sealed is nonce || AES-256-GCM(root).
type rootLink struct {
	Root   []byte `json:"root"` // ID of the one before.
	Salt   []byte `json:"salt"`
	Sealed []byte `json:"sealed"`
}

func linkAEAD(before Root, salt []byte) (cipher.AEAD, error) {
	master := before.Derive(labelLink)
	defer clear(master[:])
	key, err := hkdf.Key(sha256.New, master[:], salt, labelLink, 32)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	return newAEAD(key)
}

func linkAAD(before, root []byte) []byte {
	return appendField(appendField(appendField(nil, []byte(labelLink)), before), root)
}

func newLink(before, root Root) (*rootLink, error) {
	l := &rootLink{Root: rootID(before), Salt: make([]byte, saltSize)}
	if err := randomize(l.Salt); err != nil {
		return nil, err
	}
	aead, err := linkAEAD(before, l.Salt)
	if err != nil {
		return nil, err
	}
	err = root.use(func(secret []byte) (err error) {
		l.Sealed, err = sealWith(aead, linkAAD(l.Root, rootID(root)), secret)
		return err
	})
	return l, err
}

// current is the root that f is sealed under, if r is that or the one before. The
// caller wipes it.
func (f *keystoreFile) current(r Root) (Root, error) {
	id := rootID(r)
	if bytes.Equal(id, f.Root) {
		return r.Clone()
	}
	l := f.Before
	if l == nil || !bytes.Equal(id, l.Root) {
		return Root{}, ErrRoot
	}
	aead, err := linkAEAD(r, l.Salt)
	if err != nil {
		return Root{}, err
	}
	secret, err := aead.Open(nil, l.Sealed[:nonceSize], l.Sealed[nonceSize:], linkAAD(l.Root, f.Root))
	if err != nil {
		return Root{}, ErrRoot
	}
	defer clear(secret)
	root, err := NewRoot(secret)
	if err == nil && !bytes.Equal(rootID(root), f.Root) {
		root.Wipe()
		return Root{}, ErrRoot
	}
	return root, err
}

// CurrentRoot returns the root that the keystore at path is sealed under: r's own key,
// or the one that took its place. It fails as [OpenKeystore] does. The caller wipes it.
func CurrentRoot(path string, r Root) (Root, error) {
	f, err := readKeystore(path)
	if err == nil && !r.Usable() {
		err = ErrRoot
	}
	if err != nil {
		return Root{}, fmt.Errorf("opening keystore: %w", err)
	}
	current, err := f.current(r)
	if err != nil {
		return Root{}, fmt.Errorf("opening keystore: %w", err)
	}
	return current, nil
}

// State reads how far the rotation is, without a key.
func (x Rotation) State() (RotationState, error) {
	f, err := readKeystore(x.Keystore)
	if err != nil {
		return RotationState{}, fmt.Errorf("reading keystore: %w", err)
	}
	s := RotationState{Generation: f.Generation, Old: f.Before != nil}
	next, err := readRoot(x.Next)
	switch {
	case err == nil:
		s.Prepared = !bytes.Equal(next.ID, f.Root)
	case !errors.Is(err, fs.ErrNotExist):
		return RotationState{}, fmt.Errorf("reading root file: %w", err)
	}
	return s, nil
}

// Prepare makes the next root, under the protectors, in the place of one that was
// prepared before and never used.
func (x Rotation) Prepare(protectors ...Protector) error {
	return x.prepare(osDisk{}, protectors)
}

func (x Rotation) prepare(d disk, protectors []Protector) error {
	return x.step(d, "preparing root key", func(bool) error {
		r, data, err := newRootFile(protectors)
		if err != nil {
			return err
		}
		r.Wipe()
		if len(protectors) == 0 {
			return ErrParams
		}
		if err := os.Remove(x.Next); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return writeNew(d, x.Next, data)
	})
}

// Activate seals the keystore under the prepared root, next, and puts its file in the
// place of the root file. r opens the keystore now. It returns [ErrNotPrepared]
// when there is no next root, [ErrOverlap] when the one before r is not retired, and
// [ErrRoot] when next is another than the prepared one.
func (x Rotation) Activate(r, next Root) error { return x.activate(osDisk{}, r, next) }

func (x Rotation) activate(d disk, r, next Root) error {
	return x.step(d, "activating root key", func(settled bool) error {
		if settled && bytes.Equal(x.keystoreRoot(), rootIDOf(next)) {
			return nil // An interrupted one, which is done now.
		}
		file, err := readRoot(x.Next)
		if errors.Is(err, fs.ErrNotExist) {
			return ErrNotPrepared
		}
		if err != nil {
			return err
		}
		if !bytes.Equal(file.ID, rootIDOf(next)) {
			return ErrRoot
		}
		if err := x.reseal(d, r, func(f *keystoreFile, current Root) (Root, error) {
			if f.Before != nil {
				return Root{}, ErrOverlap
			}
			if f.Generation == math.MaxUint32 {
				return Root{}, errors.New("generations are used up")
			}
			f.Generation++
			f.Before, err = newLink(current, next)
			return next, err
		}); err != nil {
			return err
		}
		_, err = x.settle(d)
		return err
	})
}

// Retire makes the keystore open under the current root alone. It returns
// [ErrNothingOld] when that is so already.
func (x Rotation) Retire(r Root) error { return x.retire(osDisk{}, r) }

func (x Rotation) retire(d disk, r Root) error {
	return x.step(d, "retiring root key", func(bool) error {
		return x.reseal(d, r, func(f *keystoreFile, current Root) (Root, error) {
			if f.Before == nil {
				return Root{}, ErrNothingOld
			}
			f.Before = nil
			return current, nil
		})
	})
}

// reseal writes the keystore anew under the root that change returns.
func (x Rotation) reseal(d disk, r Root, change func(f *keystoreFile, current Root) (Root, error)) error {
	f, current, secrets, err := openKeystore(x.Keystore, r)
	if err != nil {
		return err
	}
	defer current.Wipe()
	defer func() {
		for _, s := range secrets {
			clear(s)
		}
	}()
	under, err := change(&f, current)
	if err != nil {
		return err
	}
	data, err := f.seal(under, secrets)
	if err != nil {
		return err
	}
	return replaceFile(d, x.Keystore, data)
}

// step does f alone, after an interrupted activation was brought to its end.
func (x Rotation) step(d disk, doing string, f func(settled bool) error) error {
	unlock, err := lock(x.Keystore)
	if err != nil {
		return err
	}
	defer unlock()
	settled, err := x.settle(d)
	if err == nil {
		err = f(settled)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

// settle puts the next root file in its place if the keystore is sealed under its
// root, and reports whether it did. Until then the file there is of the root before,
// which the keystore is sealed under, too.
func (x Rotation) settle(d disk) (bool, error) {
	f, err := readKeystore(x.Keystore)
	if err != nil {
		return false, err
	}
	next, err := readRoot(x.Next)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !bytes.Equal(next.ID, f.Root) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	old, err := os.OpenFile(x.Root, os.O_WRONLY, 0)
	if err != nil {
		return false, err
	}
	defer old.Close()
	if err := d.Rename(x.Next, x.Root); err != nil {
		return false, err
	}
	if err := d.SyncDir(filepath.Dir(x.Root)); err != nil {
		return false, err
	}
	scrub(old)
	return true, nil
}

// Settle brings an activation to its end that was cut off between the two files. It
// does nothing, and waits for nobody, where there is none.
func (x Rotation) Settle() error {
	if _, err := os.Lstat(x.Next); err != nil {
		return nil
	}
	if s, err := x.State(); err != nil || s.Prepared {
		return err
	}
	return x.step(osDisk{}, "activating root key", func(bool) error { return nil })
}

// keystoreRoot is the ID of the root that the keystore is sealed under, nil when it
// cannot be read.
func (x Rotation) keystoreRoot() []byte {
	f, err := readKeystore(x.Keystore)
	if err != nil {
		return nil
	}
	return f.Root
}

func rootIDOf(r Root) []byte {
	if !r.Usable() {
		return nil
	}
	return rootID(r)
}
