package keystore

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/keys"
)

// The pseudonym key may lie in a keystore of its own, on another disk and under a root
// key of its own, so that who has the node's folder and what opens its root key still
// tests no identifier. Such a keystore is a folder that is made as a node's: [RootFile]
// and keystore.json. It holds every generation of the key, and nothing of it is in the
// node's keystore; a random mark that is a secret in both says that they belong together.

// secretMark is the name of that mark. In the node's keystore it says that the pseudonym
// key is not there.
const secretMark = "pseudonym-keystore"

var (
	// ErrPseudonymKey: the pseudonym key is needed, lies apart, and was not opened.
	ErrPseudonymKey = errors.New("the pseudonym key is kept in a keystore of its own, which was not opened")
	// ErrForeignPseudonymKey: the keystore that the configuration names for the
	// pseudonym key is not this node's.
	ErrForeignPseudonymKey = errors.New("the pseudonym keystore is of another node")
	// ErrPseudonymKeyHere: the configuration names a keystore for the pseudonym key,
	// which lies with the node's other keys.
	ErrPseudonymKeyHere = errors.New("the configuration names a pseudonym keystore, and the pseudonym key lies in the node's own")
)

// Roots are a node's root keys, open.
type Roots struct {
	Node custody.Root // of the node's folder
	// Pseudonym is that of the pseudonym keystore, in the folder PseudonymDir. It is zero
	// where there is none, and where what is to be done needs no pseudonym.
	Pseudonym    custody.Root
	PseudonymDir string
}

// Wipe overwrites them.
func (r Roots) Wipe() {
	r.Node.Wipe()
	r.Pseudonym.Wipe()
}

// Clone returns roots of their own, which outlive r's Wipe.
func (r Roots) Clone() (c Roots, err error) {
	c.PseudonymDir = r.PseudonymDir
	if c.Node, err = r.Node.Clone(); err == nil && r.Pseudonym.Usable() {
		c.Pseudonym, err = r.Pseudonym.Clone()
	}
	if err != nil {
		c.Wipe()
		return Roots{}, err
	}
	return c, nil
}

// Current are the root keys that the keystores are sealed under by now, r's own or the
// ones that took their place, without that of a pseudonym keystore that is away.
func (r Roots) Current(dir string, away bool) (c Roots, err error) {
	c.PseudonymDir = r.PseudonymDir
	if c.Node, err = custody.CurrentRoot(File(dir), r.Node); err == nil && r.Pseudonym.Usable() && !away {
		c.Pseudonym, err = custody.CurrentRoot(File(r.PseudonymDir), r.Pseudonym)
	}
	if err != nil {
		c.Wipe()
		return Roots{}, err
	}
	return c, nil
}

// Secrets opens the keystore of the node's folder, and that of the pseudonym key where
// it has its own, is open, and the mark fits. The caller wipes the secrets.
func (r Roots) Secrets(dir string) (map[string][]byte, error) {
	out, err := OpenSecrets(dir, r.Node)
	if err != nil || !r.Pseudonym.Usable() {
		return out, err
	}
	apart, err := OpenSecrets(r.PseudonymDir, r.Pseudonym)
	if err == nil {
		err = belongs(out, apart)
	}
	if err != nil {
		WipeSecrets(out)
		WipeSecrets(apart)
		return nil, fmt.Errorf("opening pseudonym keystore: %w", err)
	}
	for name, secret := range apart { // and nothing else: who keeps it apart is not to choose the node's other keys
		if isPseudonymSecret(name) {
			out[name] = secret
		} else {
			clear(secret)
		}
	}
	return out, nil
}

// belongs compares the marks of a node's keystore and of a pseudonym keystore.
func belongs(here, apart map[string][]byte) error {
	switch mark, ok := here[secretMark]; {
	case !ok:
		return ErrPseudonymKeyHere
	case len(apart[secretMark]) == 0 || subtle.ConstantTimeCompare(mark, apart[secretMark]) != 1:
		return ErrForeignPseudonymKey
	}
	return nil
}

// Update changes the secrets of a family where they lie.
func (r Roots) Update(dir string, f keys.Family, change func(secrets map[string][]byte) error) error {
	if f != keys.Pseudonym {
		return custody.UpdateKeystore(File(dir), r.Node, change)
	}
	here, err := OpenSecrets(dir, r.Node)
	if err != nil {
		return err
	}
	defer WipeSecrets(here)
	settled := func(secrets map[string][]byte) error {
		if err := change(secrets); err != nil {
			return err
		}
		return settleFactors(dir, secrets)
	}
	if _, apart := here[secretMark]; !apart {
		return custody.UpdateKeystore(File(dir), r.Node, settled)
	}
	if !r.Pseudonym.Usable() {
		return ErrPseudonymKey
	}
	return custody.UpdateKeystore(File(r.PseudonymDir), r.Pseudonym, func(secrets map[string][]byte) error {
		if err := belongs(here, secrets); err != nil {
			return fmt.Errorf("opening pseudonym keystore: %w", err)
		}
		return settled(secrets)
	})
}

// hasFamily reports whether there is any secret of a family.
func hasFamily(secrets map[string][]byte, f keys.Family) bool {
	for name := range secrets {
		if strings.HasPrefix(name, string(f)+"/") {
			return true
		}
	}
	return false
}

// Elsewhere reports whether the secrets lack a family because it lies in the other keystore.
func Elsewhere(secrets map[string][]byte, f keys.Family) bool {
	_, apart := secrets[secretMark]
	return apart && !hasFamily(secrets, f)
}

// isPseudonymSecret reports whether a secret belongs in the pseudonym keystore.
func isPseudonymSecret(name string) bool {
	return strings.HasPrefix(name, string(keys.Pseudonym)+"/") || strings.HasPrefix(name, factorPrefix)
}

// NeedPseudonyms refuses keys without that of the pseudonyms.
func NeedPseudonyms(cfg config.Config, k Set) error {
	if k.Pseudonyms != nil {
		return nil
	}
	if cfg.Pseudonym.Keystore == "" {
		return fmt.Errorf("%w: the configuration names none", ErrPseudonymKey)
	}
	return ErrPseudonymKey
}
