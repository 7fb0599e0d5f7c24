package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/crypto/ceremony"
	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/holder"
	"github.com/tamga-id/tamga/node/keystore"
	"github.com/tamga-id/tamga/node/stores"
)

// ofPseudonyms classifies what is about a pseudonym key that is kept apart.
func ofPseudonyms(err error) *failure {
	f := &failure{exit: exitSealed, code: protocol.CodePseudonymKey, err: err}
	switch {
	case errors.Is(err, keystore.ErrPseudonymKeyHere):
		f.hint = "move the key there with `tamga custody pseudonym`, or take pseudonym.keystore out of " + node.ConfigFile
	case errors.Is(err, keystore.ErrForeignPseudonymKey):
		f.exit = exitIntegrity
		f.hint = "pseudonym.keystore in " + node.ConfigFile + " must name the folder, or a copy of it, that was made for this node. If `tamga custody pseudonym` was cut off, and the key rotated since, name another folder"
	case errors.Is(err, keystore.ErrMoved):
		f.exit, f.hint = exitFailure, "it can be copied like any folder while the node is stopped: change pseudonym.keystore in "+node.ConfigFile+" then. Nothing was changed"
	case errors.Is(err, keystore.ErrConfigByHand):
		f.exit, f.hint = exitConfig, "the key was moved; write the lines above to "+node.ConfigFile+" and run the command again"
	case errors.Is(err, pseudonym.ErrHolders):
		f.exit, f.code = exitUnreachable, protocol.CodePseudonymHolder
	case errors.Is(err, pseudonym.ErrShared):
		f.exit, f.code = exitRefused, protocol.CodeRotation
		f.hint = "holders have the key, and nobody can take it off people's pseudonyms again: a new one of theirs takes its place with --holders. Nothing was changed"
	case errors.Is(err, keystore.ErrCommittee):
		f.exit = exitConfig
		f.hint = "pseudonym.holders in " + node.ConfigFile + " names the file that `tamga holder join` wrote, the same for all holders. Nothing was changed"
	case errors.Is(err, holder.ErrForeign), errors.Is(err, holder.ErrSignature), errors.Is(err, holder.ErrFormat), errors.Is(err, pseudonym.ErrTerms),
		errors.Is(err, pseudonym.ErrProof):
		f.exit, f.hint = exitIntegrity, "compare the fingerprints with the other holders, by another way than the file came; one dealing of each is needed. Nothing was changed"
	case errors.Is(err, holder.ErrNode):
		f.exit, f.code = exitIntegrity, protocol.CodeHolderReplacement
		f.hint = "have the node's operator run `tamga key rotate prepare --holders` again, which writes the file anew, and compare --client with what `tamga holder client` shows at the node. Nothing was changed"
	case errors.Is(err, holder.ErrOverlap), errors.Is(err, holder.ErrNothingOld):
		f.exit, f.code = exitFailure, protocol.CodeRotation
		f.hint = "the node prepares, holders replace, the node activates and retires, holders retire; back goes until then. Nothing was changed"
	case errors.Is(err, holder.ErrJoined), errors.Is(err, holder.ErrNotJoined):
		f.exit, f.hint = exitFailure, "see `tamga holder show`: make, deal, join, serve. Nothing was changed"
	case errors.Is(err, gallery.ErrPseudonymKeys) && !errors.Is(err, gallery.ErrUnavailable) && !errors.Is(err, gallery.ErrOutdated):
		f.exit = exitIntegrity
		f.hint = "the keystore is an older copy, from before the pseudonym key was replaced: put back the newest one, " +
			"keystore.json or the folder that pseudonym.keystore names. Nothing was changed"
	case errors.Is(err, keystore.ErrPseudonymKey):
	default:
		return nil
	}
	return f
}

// ofPseudonymKeystore says of a failure that it is about the keystore apart.
func ofPseudonymKeystore(err error) error {
	if f, ok := errors.AsType[*failure](err); ok {
		f.err = fmt.Errorf("opening pseudonym keystore: %w", f.err)
		return f
	}
	return fmt.Errorf("opening pseudonym keystore: %w", err)
}

// pseudonymKeystoreThere tells a disk that is not mounted from other faults.
func pseudonymKeystoreThere(cfg config.Config) error {
	if _, err := os.Stat(keystore.RootFile(cfg.Pseudonym.Keystore)); err != nil {
		return &failure{exit: exitSealed, code: protocol.CodePseudonymKey, err: fmt.Errorf("opening pseudonym keystore: %w", err)}
	}
	return nil
}

// givenAny reports whether anything opens the root key without asking a person.
func (a *app) givenAny(from rootFlags) bool {
	return a.given(from.secretFlags) || len(from.shares)+len(from.identities) > 0 || from.module != ""
}

// openRoots opens the root key of the node in dir, and that of its pseudonym keystore where
// it has one. The caller wipes them.
func (a *app) openRoots(dir string, from rootFlags) (keystore.Roots, error) {
	return a.openSomeRoots(dir, from, true)
}

// openSomeRoots leaves the pseudonym keystore closed unless it is asked for.
func (a *app) openSomeRoots(dir string, from rootFlags, both bool) (r keystore.Roots, err error) {
	cfg, err := config.Load(filepath.Join(dir, node.ConfigFile))
	if err != nil && !errors.Is(err, os.ErrNotExist) { // of a pseudonym keystore, or of no node, which shows next
		return keystore.Roots{}, err
	}
	both = both && cfg.Pseudonym.Keystore != ""
	if both {
		if err := a.pseudonymOpener(cfg, from); err != nil {
			return keystore.Roots{}, err
		}
	}
	if r.Node, err = a.openRoot(dir, from); err != nil || !both {
		return r, err
	}
	r.PseudonymDir = cfg.Pseudonym.Keystore
	if r.Pseudonym, err = a.openRoot(r.PseudonymDir, *from.pseudonym); err != nil {
		r.Wipe()
		return keystore.Roots{}, ofPseudonymKeystore(err)
	}
	return r, nil
}

// pseudonymOpener refuses before anybody is asked for anything.
func (a *app) pseudonymOpener(cfg config.Config, from rootFlags) error {
	if err := pseudonymKeystoreThere(cfg); err != nil {
		return err
	}
	switch p := from.pseudonym; {
	case p.file == "-" && from.file == "-":
		return usage("standard input holds one passphrase: give the other in a file")
	case !a.givenAny(*p) && !terminal(a.in):
		return usage("the pseudonym key is kept apart, in %s: give what opens that, such as --pseudonym-passphrase-file FILE", cfg.Pseudonym.Keystore)
	}
	return nil
}

// keystoreFlags say what is to open a new pseudonym keystore.
type keystoreFlags struct {
	to           string
	pass         secretFlags
	plan, shares string
	holders      string
}

// committee reads who holds the pseudonym key instead of the node; nil for the node.
func (k keystoreFlags) committee() (*holder.Committee, error) {
	if k.holders == "" {
		return nil, nil
	}
	if k.to != "" {
		return nil, usage("--pseudonym-keystore is of no use with --pseudonym-holders: they have the key")
	}
	b, err := readSmall(k.holders, "committee")
	if err != nil {
		return nil, err
	}
	c, err := holder.ParseCommittee(b)
	return &c, err
}

// readKeystore settles it. Without a folder there is nothing to read.
func (a *app) readKeystore(k keystoreFlags) (o keystore.PseudonymKeystore, err error) {
	if k.to == "" {
		if k.pass.fd >= 0 || k.pass.file+k.plan+k.shares != "" {
			return o, usage("what opens the pseudonym keystore was given, and no folder for it")
		}
		return o, nil
	}
	o.Custody, o.Shares = custody.DefaultParams(), k.shares
	if o.Dir, err = filepath.Abs(k.to); err != nil {
		return o, fmt.Errorf("making pseudonym keystore: %w", err)
	}
	if k.plan == "" && k.shares == "" {
		o.Passphrase, err = a.secret(k.pass, "Passphrase for the pseudonym keystore")
		a.warnShort(o.Passphrase)
		return o, err
	}
	if k.plan == "" || k.shares == "" || a.given(k.pass) {
		return o, usage("--pseudonym-plan and --pseudonym-shares go together, and a passphrase with neither")
	}
	p, err := readPlan(k.plan)
	o.Plan = &p
	return o, err
}

func (a *app) custodyPseudonymCommand() *cobra.Command {
	var dir string
	var from rootFlags
	k := keystoreFlags{pass: secretFlags{prefix: pseudonymPrefix}}
	c := &cobra.Command{
		Use:   "pseudonym",
		Short: "Give the pseudonym key a keystore of its own",
		Long: `Moves the pseudonym key, every generation of it, out of the node's keystore into one of its
own: a new folder, best on another disk, under its own passphrase or custodians, and names
it in tamga.yaml. Who has the node's folder and what opens its root key then still cannot
test whether a guessed number is enrolled. The node must be stopped. A move that was cut
off is finished by the same command.

From then on everything that computes pseudonyms needs both: tamga run, enrol, subject
erase, gallery fsck. The disk may be taken away while the node runs. Backups do not hold
the folder: copy it yourself, to a place of its own, and again after each rotation of
the pseudonym key, or nobody who is enrolled will ever be found again.

Copies of keystore.json from before, and backups, still hold the key: rotate it
(tamga key rotate prepare pseudonym-key, activate, retire) and destroy them.`,
		Example: `  tamga custody pseudonym --dir kaz --passphrase-file pass.txt --to /media/kaz/pseudonym --pseudonym-passphrase-file other.txt
  tamga custody pseudonym --dir kaz --passphrase-file pass.txt --to /media/kaz/pseudonym --pseudonym-plan plan.json --pseudonym-shares shares`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.movePseudonymKey(c.Context(), dir, from, k) },
	}
	f := c.Flags()
	f.StringVar(&dir, "dir", "", "the node's folder (required)")
	from.add(f, " of the root key")
	f.StringVar(&k.to, "to", "", "new folder for the keystore (required)")
	k.pass.add(f, " of the pseudonym keystore")
	k.addPlan(c)
	return c
}

func (k *keystoreFlags) addPlan(c *cobra.Command) {
	c.Flags().StringVar(&k.plan, "pseudonym-plan", "", "plan of \"tamga ceremony plan\": custodians to hold the pseudonym keystore, instead of a passphrase")
	c.Flags().StringVar(&k.shares, "pseudonym-shares", "", "new folder for their sealed shares (required with --pseudonym-plan)")
}

func (a *app) movePseudonymKey(ctx context.Context, dir string, from rootFlags, k keystoreFlags) error {
	if err := needDir(dir); err != nil {
		return err
	}
	if k.to == "" {
		return usage("--to is needed: a new folder for the keystore, best on another disk")
	}
	if from.file == "-" && k.pass.file == "-" {
		return usage("standard input holds one passphrase: give the other in a file")
	}
	cl, err := a.running(ctx, nodeFlags{dir: dir})
	if err != nil {
		return err
	}
	if cl != nil {
		return &failure{exit: exitFailure, code: protocol.CodeStoreLocked, err: errors.New("moving pseudonym key: the node runs"), hint: "stop the node first. Nothing was changed"}
	}
	root, err := a.openRoot(dir, from)
	if err != nil {
		return err
	}
	defer root.Wipe()
	o, err := a.readKeystore(k)
	if err != nil {
		return err
	}
	defer clear(o.Passphrase)
	// What was cut off opens by the passphrase; with custodians it is begun anew.
	open := func(at string) (custody.Root, error) {
		if o.Plan != nil {
			return custody.Root{}, &failure{exit: exitFailure, code: protocol.CodeExists, err: fmt.Errorf("%s holds a keystore already", at), hint: "name another folder, or, if a move into this one was cut off before the key was moved, remove it"}
		}
		return custody.Open(keystore.RootFile(at), o.Passphrase)
	}
	if err := keystore.MovePseudonymKey(ctx, filepath.Join(dir, node.ConfigFile), root, o, open, stores.Hold); err != nil {
		return err
	}
	a.say("hint: copy %s to a safe place: backups do not hold it, and without it nobody enrolled is found", o.Dir)
	a.say("hint: copies of keystore.json and backups from before still hold the key; replace it: tamga key rotate prepare --dir %s pseudonym-key", dir)
	if o.Plan != nil {
		a.say("hint: hand each custodian his share and %s of %s; each answers with `tamga ceremony join`", keystore.TranscriptFile, o.Shares)
	}
	r := struct {
		Keystore string `json:"keystore"`
		Ceremony string `json:"ceremony,omitempty"`
	}{Keystore: o.Dir}
	rows := [][2]string{{"pseudonym keystore", o.Dir}}
	if o.Plan != nil {
		r.Ceremony = ceremony.ID([custody.CeremonySize]byte(o.Plan.Ceremony))
		rows = append(rows, [2]string{"ceremony", r.Ceremony})
	}
	return a.emit(r, rows)
}
