package keystore

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"

	"github.com/tamga-id/tamga/crypto/ceremony"
	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/internal/durable"
	"github.com/tamga-id/tamga/node/ledgers"
)

// PseudonymKeystore describes the keystore to make for the pseudonym key.
type PseudonymKeystore struct {
	Dir        string // a new folder, best on another disk; empty: the key lies with the others
	Passphrase []byte
	Custody    custody.Params
	Plan       *ceremony.Plan // custodians to put it under instead of Passphrase; nil: none
	Shares     string         // new folder for their shares and the transcript; needed with Plan
}

// protector is what is to open the keystore of entity, good until done is called. What
// custodians are to get is written: shares that open nothing yet do no harm, and a
// keystore without shares would be lost.
func (o PseudonymKeystore) protector(entity string, sign jose.PrivateKey) (p custody.Protector, done func(), err error) {
	if o.Plan == nil {
		return custody.Passphrase(o.Passphrase, o.Custody), func() {}, nil
	}
	if o.Plan.Entity != entity {
		return custody.Protector{}, nil, ErrForeignPlan
	}
	dealt, err := ceremony.Deal(*o.Plan)
	if err == nil {
		err = WriteCeremony(o.Shares, *o.Plan, dealt, sign)
	}
	if err != nil {
		clear(dealt.Key)
		return custody.Protector{}, nil, err
	}
	return custody.Shared(dealt.Terms, dealt.Key), func() { clear(dealt.Key) }, nil
}

// Make makes the keystore of those of a node's secrets that belong in it, and takes them
// out of these.
func (o PseudonymKeystore) Make(entity string, sign jose.PrivateKey, secrets map[string][]byte) error {
	apart, err := part(secrets)
	if err != nil {
		return err
	}
	defer WipeSecrets(apart)
	return o.create(entity, sign, apart)
}

// create makes the keystore of the secrets.
func (o PseudonymKeystore) create(entity string, sign jose.PrivateKey, secrets map[string][]byte) error {
	p, done, err := o.protector(entity, sign)
	if err != nil {
		return err
	}
	defer done()
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return fmt.Errorf("making pseudonym keystore: %w", err)
	}
	root, err := custody.Create(RootFile(o.Dir), p)
	if err != nil {
		return fmt.Errorf("making pseudonym keystore: %w", err)
	}
	defer root.Wipe()
	return o.fill(root, secrets)
}

// fill makes the keystore beside its root file.
func (o PseudonymKeystore) fill(root custody.Root, secrets map[string][]byte) error {
	err := custody.CreateKeystore(File(o.Dir), root, secrets)
	if err == nil {
		err = durable.Folders(o.Dir, filepath.Dir(filepath.Clean(o.Dir)))
	}
	if err != nil {
		return fmt.Errorf("making pseudonym keystore: %w", err)
	}
	return nil
}

// part takes the secrets that belong in a pseudonym keystore out of those of a node, and
// marks both.
func part(secrets map[string][]byte) (apart map[string][]byte, err error) {
	mark := make([]byte, keystoreSecretBytes)
	if _, err := rand.Read(mark); err != nil {
		return nil, fmt.Errorf("making pseudonym keystore: %w", err)
	}
	apart = map[string][]byte{secretMark: mark}
	for name, secret := range secrets {
		if isPseudonymSecret(name) {
			apart[name] = secret
		}
	}
	leave(secrets, mark)
	return apart, nil
}

// leave makes of a node's secrets those of one whose pseudonym key lies apart.
func leave(secrets map[string][]byte, mark []byte) {
	maps.DeleteFunc(secrets, func(name string, _ []byte) bool { return isPseudonymSecret(name) })
	secrets[secretMark] = bytes.Clone(mark)
}

// Hold keeps the gallery as long as keys are moved, so that no node runs with them.
type Hold func(ctx context.Context, cfg config.Config, k Set) (release func(), err error)

// MovePseudonymKey moves the pseudonym key of a node that is not running into a keystore
// of its own, in three durable steps: the keystore is made, the key is taken out of the
// node's, the configuration names it. What was cut off is done to its end by doing it
// again, for which open is called to open the root file that is there then.
//
// Copies of the node's keystore from before still hold the key.
func MovePseudonymKey(ctx context.Context, configFile string, root custody.Root, to PseudonymKeystore, open func(dir string) (custody.Root, error), hold Hold) error {
	cfg, err := config.Load(configFile)
	if err == nil && cfg.Pseudonym.Keystore != "" && cfg.Pseudonym.Keystore != to.Dir {
		err = fmt.Errorf("%w: %s", ErrMoved, cfg.Pseudonym.Keystore)
	}
	if err == nil {
		err = checkInside(cfg, configFile, to.Dir)
	}
	if err == nil {
		err = movePseudonymKey(ctx, configFile, cfg, root, to, open, hold)
	}
	if err != nil {
		return fmt.Errorf("moving pseudonym key: %w", err)
	}
	return nil
}

// ErrMoved: the pseudonym key has a keystore of its own already, in another place.
var ErrMoved = errors.New("the pseudonym key has a keystore of its own already")

// checkInside has the configuration's own rules say whether it may name the folder.
func checkInside(cfg config.Config, configFile, dir string) error {
	cfg.Pseudonym.Keystore = dir
	text, err := cfg.Marshal()
	if err == nil {
		_, err = config.Parse(configFile, text)
	}
	return err
}

func movePseudonymKey(ctx context.Context, configFile string, cfg config.Config, root custody.Root, to PseudonymKeystore, open func(dir string) (custody.Root, error), hold Hold) error {
	dir := filepath.Dir(configFile)
	k, err := Open(dir, Roots{Node: root}, cfg.EntityID, ledgers.Number(cfg))
	if err != nil {
		return err
	}
	defer k.Wipe()
	release, err := hold(ctx, cfg, k)
	if err != nil {
		return err
	}
	defer release()
	apartRoot, begun, err := reopen(to.Dir, open)
	if err != nil {
		return err
	}
	defer apartRoot.Wipe()
	here, err := OpenSecrets(dir, root)
	if err != nil {
		return err
	}
	defer WipeSecrets(here)
	if _, done := here[secretMark]; !done {
		if err := to.moveInto(apartRoot, begun, cfg.EntityID, k.Federation, here, dir, root); err != nil {
			return err
		}
	} else if !begun {
		return ErrForeignPseudonymKey
	} else if err := to.fits(apartRoot, here); err != nil {
		return err
	}
	if cfg.Pseudonym.Keystore == to.Dir {
		return nil
	}
	return namePseudonymKeystore(configFile, to.Dir)
}

// reopen opens the root file of a pseudonym keystore, if it was made before.
func reopen(dir string, open func(dir string) (custody.Root, error)) (root custody.Root, begun bool, err error) {
	if _, err := os.Lstat(RootFile(dir)); errors.Is(err, fs.ErrNotExist) {
		return custody.Root{}, false, nil
	}
	root, err = open(dir)
	return root, err == nil, err
}

func (o PseudonymKeystore) fits(root custody.Root, here map[string][]byte) error {
	apart, err := OpenSecrets(o.Dir, root)
	if err != nil {
		return err
	}
	defer WipeSecrets(apart)
	return belongs(here, apart)
}

// moveInto makes the keystore, or takes up the one that was made before, and then takes
// the key out of the node's.
func (o PseudonymKeystore) moveInto(root custody.Root, begun bool, entity string, sign jose.PrivateKey, here map[string][]byte, dir string, nodeRoot custody.Root) error {
	apart, err := part(maps.Clone(here))
	if err != nil {
		return err
	}
	_, err = os.Lstat(File(o.Dir))
	switch {
	case !begun:
		err = o.create(entity, sign, apart)
	case errors.Is(err, fs.ErrNotExist):
		err = o.fill(root, apart)
	default:
		apart, err = o.same(root, here)
	}
	if err != nil {
		return err
	}
	return custody.UpdateKeystore(File(dir), nodeRoot, func(secrets map[string][]byte) error {
		for name, secret := range secrets {
			if isPseudonymSecret(name) && !bytes.Equal(secret, apart[name]) {
				return fmt.Errorf("the pseudonym key was rotated meanwhile: %w", custody.ErrBusy)
			}
		}
		leave(secrets, apart[secretMark])
		return nil
	})
}

// same are the secrets of a keystore that was made before, if they are those of here.
func (o PseudonymKeystore) same(root custody.Root, here map[string][]byte) (map[string][]byte, error) {
	apart, err := OpenSecrets(o.Dir, root)
	if err != nil {
		return nil, err
	}
	for name, secret := range here {
		if isPseudonymSecret(name) && !bytes.Equal(secret, apart[name]) {
			return nil, ErrForeignPseudonymKey
		}
	}
	if len(apart[secretMark]) != keystoreSecretBytes {
		return nil, ErrForeignPseudonymKey
	}
	return apart, nil
}

// ErrConfigByHand: the configuration could not be changed without taking it apart.
var ErrConfigByHand = errors.New("add it to the configuration by hand")

// namePseudonymKeystore appends the section to the configuration, of which everything
// else stays as it was written.
func namePseudonymKeystore(configFile, dir string) error {
	text, err := os.ReadFile(configFile)
	if err != nil {
		return fmt.Errorf("reading configuration: %w", err)
	}
	named, err := config.WithPseudonymKeystore(configFile, text, dir)
	if err != nil {
		return fmt.Errorf("%w: pseudonym: {keystore: %q}", ErrConfigByHand, dir)
	}
	_ = os.Remove(configFile + ".new")
	if err := durable.WriteNew(configFile+".new", named, 0o644); err != nil {
		return fmt.Errorf("writing configuration: %w", err)
	}
	if err := os.Rename(configFile+".new", configFile); err != nil {
		return fmt.Errorf("writing configuration: %w", err)
	}
	return durable.Folders(filepath.Dir(configFile))
}
