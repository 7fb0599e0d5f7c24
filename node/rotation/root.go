package rotation

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/node/keys"
	"github.com/tamga-id/tamga/node/keystore"
)

// RootKey is the name of the root key among those that rotate.
const RootKey = keys.Root

func rootRotation(dir string) custody.Rotation {
	return custody.Rotation{Root: keystore.RootFile(dir), Next: keystore.NextRootFile(dir), Keystore: keystore.File(dir)}
}

func rootFamily(dir string) (KeyFamily, error) {
	s, err := rootRotation(dir).State()
	if err != nil {
		return KeyFamily{}, err
	}
	f := KeyFamily{Name: RootKey}
	if s.Old {
		f.Generations = append(f.Generations, Generation{Number: s.Generation - 1, State: "old"})
	}
	f.Generations = append(f.Generations, Generation{Number: s.Generation, State: "active"})
	if s.Prepared {
		f.Generations = append(f.Generations, Generation{Number: s.Generation + 1, State: "prepared"})
	}
	return f, nil
}

// ErrProtectors refuses a root key that less would open than the one before it.
var ErrProtectors = errors.New("what is given opens the root key, and so does something else, which would not open the next one")

// PrepareRoot makes the next root key, under the one protector that is given, and
// returns its number. Unless fewer are accepted it returns [ErrProtectors] where the
// root key has more than that.
func PrepareRoot(dir string, given custody.Kind, by custody.Protector, fewer bool) (uint32, error) {
	p, err := custody.Inspect(keystore.RootFile(dir))
	if err != nil {
		return 0, err
	}
	if kinds := p.Kinds(); !fewer && !slices.Equal(kinds, []custody.Kind{given}) {
		return 0, fmt.Errorf("preparing root key: %w", ErrProtectors)
	}
	x := rootRotation(dir)
	if err := x.Prepare(by); err != nil {
		return 0, err
	}
	s, err := x.State()
	return s.Generation + 1, err
}

// ActivateRoot seals the keystore under the prepared root key, which open opens, and
// returns its number. Nothing else is encrypted anew: all other keys are secrets in the
// keystore, and none derives from the root.
func ActivateRoot(dir string, root custody.Root, open func(file string) (custody.Root, error)) (uint32, error) {
	next, err := open(keystore.NextRootFile(dir))
	if errors.Is(err, os.ErrNotExist) {
		err = custody.ErrNotPrepared
	}
	if err != nil {
		return 0, fmt.Errorf("opening the prepared root key: %w", err)
	}
	defer next.Wipe()
	x := rootRotation(dir)
	if err := x.Activate(root, next); err != nil {
		return 0, err
	}
	s, err := x.State()
	return s.Generation, err
}

// RetireRoot ends that the root key before the current one opens the keystore, and
// returns its number.
func RetireRoot(dir string, root custody.Root) (uint32, error) {
	x := rootRotation(dir)
	if err := x.Retire(root); err != nil {
		return 0, err
	}
	s, err := x.State()
	return s.Generation - 1, err
}

// SettleRoot brings to its end an activation that was cut off before the next root
// file was put in its place.
func SettleRoot(dir string) error { return rootRotation(dir).Settle() }
