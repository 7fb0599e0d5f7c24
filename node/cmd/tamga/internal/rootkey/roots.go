package rootkey

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/keystore"
)

// ofPseudonymKeystore says of a failure that it is about the keystore apart.
func ofPseudonymKeystore(err error) error {
	if f, ok := errors.AsType[*fault.Failure](err); ok {
		f.Err = fmt.Errorf("opening pseudonym keystore: %w", f.Err)
		return f
	}
	return fmt.Errorf("opening pseudonym keystore: %w", err)
}

// pseudonymKeystoreThere tells a disk that is not mounted from other faults.
func pseudonymKeystoreThere(cfg config.Config) error {
	if _, err := os.Stat(keystore.RootFile(cfg.Pseudonym.Keystore)); err != nil {
		return &fault.Failure{Exit: fault.ExitSealed, Code: protocol.CodePseudonymKey, Err: fmt.Errorf("opening pseudonym keystore: %w", err)}
	}
	return nil
}

// GivenAny reports whether anything opens the root key without asking a person.
func GivenAny(a *cli.App, from Flags) bool {
	return a.Given(from.SecretFlags) || len(from.Shares)+len(from.Identities) > 0 || from.Module != ""
}

// OpenRoots opens the root key of the node in dir, and that of its pseudonym keystore where
// it has one. The caller wipes them.
func OpenRoots(a *cli.App, dir string, from Flags) (keystore.Roots, error) {
	return OpenSome(a, dir, from, true)
}

// OpenSome leaves the pseudonym keystore closed unless it is asked for.
func OpenSome(a *cli.App, dir string, from Flags, both bool) (r keystore.Roots, err error) {
	cfg, err := config.Load(filepath.Join(dir, node.ConfigFile))
	if err != nil && !errors.Is(err, os.ErrNotExist) { // of a pseudonym keystore, or of no node, which shows next
		return keystore.Roots{}, err
	}
	both = both && cfg.Pseudonym.Keystore != ""
	if both {
		if err := pseudonymOpener(a, cfg, from); err != nil {
			return keystore.Roots{}, err
		}
	}
	if r.Node, err = Open(a, dir, from); err != nil || !both {
		return r, err
	}
	r.PseudonymDir = cfg.Pseudonym.Keystore
	if r.Pseudonym, err = Open(a, r.PseudonymDir, *from.Pseudonym); err != nil {
		r.Wipe()
		return keystore.Roots{}, ofPseudonymKeystore(err)
	}
	return r, nil
}

// pseudonymOpener refuses before anybody is asked for anything.
func pseudonymOpener(a *cli.App, cfg config.Config, from Flags) error {
	if err := pseudonymKeystoreThere(cfg); err != nil {
		return err
	}
	switch p := from.Pseudonym; {
	case p.File == "-" && from.File == "-":
		return fault.Usage("standard input holds one passphrase: give the other in a file")
	case !GivenAny(a, *p) && !cli.Terminal(a.In):
		return fault.Usage("the pseudonym key is kept apart, in %s: give what opens that, such as --pseudonym-passphrase-file FILE", cfg.Pseudonym.Keystore)
	}
	return nil
}
