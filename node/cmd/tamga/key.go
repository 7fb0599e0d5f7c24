package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/keys"
)

func (a *app) keyCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "key",
		Short: "List and rotate the node's keys",
		Long: `Keys that rotate have numbered generations. A rotation has three steps, and between any
two the node runs as long as you like: prepare makes the next generation and announces
it; activate uses it, while the old one still opens and verifies; retire destroys the
old one. A step that was interrupted is done or not done: look with key list.

A running node takes a step up within its refresh time and writes a new Entity
Configuration. Members learn of its keys from the Trust Anchor: hand it there after each
step of signing-key and sealing-key, and let the members refresh before the next one.

Where the pseudonym key has a keystore of its own, that is opened by the flags that begin
with --pseudonym-; key list shows its generations then. That keystore's own root key rotates
with --dir naming its folder.

template-key, which stored faces are turned by, is listed here and replaced by
` + "`tamga templates renew`" + `, which moves the faces.`,
		Example: `  tamga key list --dir kaz --passphrase-file pass.txt
  tamga key rotate prepare --dir kaz --passphrase-file pass.txt sealing-key`,
	}
	rotate := &cobra.Command{
		Use:   "rotate",
		Short: "Replace a key: prepare, activate, retire",
		Long: `The keys are kek (wraps the gallery's data keys), pseudonym-key (people
lie under pseudonyms computed with it), signing-key (signs Queries and
Verdicts), sealing-key (what peers send is sealed to it) and root (the keystore is sealed
under it, and nothing else: a new root changes no other key and no record).

A new root key is put under what opens the root key at prepare, and opened by the same at
activate. Until it is retired the one before opens the keystore, too.

The federation, libp2p and ledger keys do not rotate: the Trust Anchor, peers and auditors
know the node by them.`,
		Example: `  tamga key rotate prepare --dir kaz --passphrase-file pass.txt kek
  tamga key rotate activate --dir kaz --passphrase-file pass.txt kek
  tamga key rotate retire --dir kaz --passphrase-file pass.txt kek`,
	}
	rotate.AddCommand(
		a.rotateCommand("prepare", "Make the next generation of a key", "Peers are told of a prepared signing or sealing key, and nothing uses it yet.",
			func(_ context.Context, dir string, roots node.Roots, f keys.Family) ([]uint32, string, error) {
				n, err := node.PrepareKey(dir, roots, f)
				return []uint32{n}, announce(f) + "tamga key rotate activate", err
			}),
		a.rotateCommand("activate", "Use the prepared generation of a key", `What peers sealed to the old key still opens, and what it signed still verifies. A
running node begins to wrap the gallery's keys under a new kek at once, and to move people
to their pseudonyms under a new pseudonym-key: nobody's identifier is asked for, and until
all are moved people are looked for under both.`,
			func(_ context.Context, dir string, roots node.Roots, f keys.Family) ([]uint32, string, error) {
				n, err := node.ActivateKey(dir, roots, f, time.Now())
				return []uint32{n}, announce(f) + "tamga key rotate retire", err
			}),
		a.rotateCommand("retire", "Destroy the generations before the current one", `For signing-key and sealing-key the node may run. For kek and pseudonym-key it must be
stopped: what is still wrapped by an old kek is wrapped anew, and whoever still lies under
an old pseudonym gets his new one, and then the old keys are destroyed. Copies
of keystore.json from before still hold them: destroy those, too.`,
			func(ctx context.Context, dir string, roots node.Roots, f keys.Family) ([]uint32, string, error) {
				progress := func(n uint64) {
					if terminal(a.err) {
						fmt.Fprintf(a.err, "\rdone: %d", n)
					}
				}
				gone, err := node.RetireKey(ctx, filepath.Join(dir, node.ConfigFile), roots, f, progress)
				if errors.Is(err, gallery.ErrLocked) {
					err = &failure{exit: exitFailure, code: protocol.CodeStoreLocked, err: err, hint: "stop the node first: an old kek or pseudonym-key is destroyed only while nobody uses the gallery. Nothing was changed"}
				}
				return gone, "destroy copies of keystore.json from before; they hold what was destroyed", err
			}))
	c.AddCommand(a.keyListCommand(), rotate)
	return c
}

func (a *app) keyListCommand() *cobra.Command {
	var dir string
	var from rootFlags
	c := &cobra.Command{
		Use:     "list",
		Short:   "List the keys that rotate and their generations",
		Long:    `Lists every generation with its state: prepared, active or old. The node may run.`,
		Example: `  tamga key list --dir kaz --passphrase-file pass.txt -o json`,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			roots, err := a.openSomeRoots(dir, from, a.givenAny(*from.pseudonym))
			if err != nil {
				return err
			}
			defer roots.Wipe()
			return a.emitKeys(dir, roots)
		},
	}
	c.Flags().StringVar(&dir, "dir", "", "the node's folder (required)")
	from.addBoth(c.Flags(), "")
	return c
}

func (a *app) emitKeys(dir string, roots node.Roots) error {
	families, err := node.Keys(dir, roots)
	if err != nil {
		return err
	}
	var rows [][2]string
	for _, f := range families {
		var states []string
		for _, g := range f.Generations {
			states = append(states, fmt.Sprintf("%d %s", g.Number, g.State))
		}
		rows = append(rows, [2]string{string(f.Name), strings.Join(states, ", ")})
	}
	if cfg, err := config.Load(filepath.Join(dir, node.ConfigFile)); err == nil && cfg.Pseudonym.Keystore != "" && !roots.Pseudonym.Usable() {
		rows = append(rows, [2]string{string(keys.Pseudonym), "in the keystore " + cfg.Pseudonym.Keystore + ", not opened"})
	}
	return a.emit(struct {
		Keys []node.KeyFamily `json:"keys"`
	}{families}, rows)
}

// announce is what has to happen between two steps: members learn of keys from the
// copy that the Trust Anchor holds.
func announce(f keys.Family) string {
	if f == keys.KEK || f == keys.Pseudonym {
		return "next: "
	}
	return "hand the new " + node.EntityConfigurationFile + ", which the running node writes, to the Trust Anchor (tamga anchor enroll), " +
		"and let every member refresh; next: "
}

type rotation func(ctx context.Context, dir string, roots node.Roots, f keys.Family) (numbers []uint32, next string, err error)

func (a *app) rotateCommand(verb, short, long string, step rotation) *cobra.Command {
	var dir, risk string
	var from rootFlags
	c := &cobra.Command{
		Use:     verb + " KEY",
		Short:   short,
		Long:    long,
		Example: "  tamga key rotate " + verb + " --dir kaz --passphrase-file pass.txt sealing-key",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if args[0] == string(node.RootKey) {
				return a.rotateRoot(verb, dir, from, risk == riskProtectors)
			}
			f, err := family(args[0])
			if err != nil {
				return err
			}
			both := f == keys.Pseudonym || f == keys.KEK && verb == "retire" // which opens the gallery
			roots, err := a.openSomeRoots(dir, from, both || a.givenAny(*from.pseudonym))
			if err != nil {
				return err
			}
			defer roots.Wipe()
			numbers, next, err := step(c.Context(), dir, roots, f)
			if err != nil {
				return err
			}
			a.say("%s: %s %s", verb, f, strings.Trim(fmt.Sprint(numbers), "[]"))
			a.say("hint: %s", next)
			return a.emitKeys(dir, roots)
		},
	}
	c.Flags().StringVar(&dir, "dir", "", "the node's folder (required)")
	from.addBoth(c.Flags(), "")
	if verb == "prepare" {
		c.Flags().StringVar(&risk, "accept-risk", "", riskProtectors+": prepare a root key that fewer things open than the one before")
	}
	return c
}

const riskProtectors = "fewer-protectors"

func (a *app) rotateRoot(verb, dir string, from rootFlags, fewer bool) (err error) {
	o, err := a.openWith(dir, from)
	if err != nil {
		return err
	}
	defer o.root.Wipe()
	defer func() { err = errors.Join(err, o.done()) }()
	var number uint32
	var next string
	root := o.root
	switch verb {
	case "prepare":
		number, err = node.PrepareRoot(dir, o.kind, o.by, fewer)
		next = "next, with what opened the root key now: tamga key rotate activate"
	case "activate":
		if number, err = node.ActivateRoot(dir, o.root, o.open); errors.Is(err, custody.ErrPassphrase) {
			return &failure{exit: exitSealed, code: protocol.CodeCustody, err: err, hint: "what opens the root key was changed since tamga key rotate prepare: prepare again. Nothing was changed"}
		}
		next = "let the node take it up, which it does within its refresh time, or start it again; next: tamga key rotate retire"
	default:
		number, err = node.RetireRoot(dir, o.root)
		next = "destroy copies of root.json and keystore.json from before: together with what opened them they give every key of then"
	}
	if err != nil {
		return err
	}
	if verb == "activate" { // the keystore is under another one now
		if root, err = o.open(node.RootFile(dir)); err != nil {
			return err
		}
		defer root.Wipe()
	}
	a.say("%s: %s %d", verb, node.RootKey, number)
	a.say("hint: %s", next)
	return a.emitKeys(dir, node.Roots{Node: root})
}

// pinned says what stands in the way of rotating a key; "" for others.
func pinned(name string) string {
	switch name {
	case "federation-key":
		return "the Trust Anchor knows the node by its federation key: enrol a new node instead"
	case "libp2p-key":
		return "the node's peer ID is its libp2p key, which members are told by the Trust Anchor: enrol a new node instead"
	case "ledger-key":
		return "peers and auditors check the ledger by its key: it ends with the ledger, see `tamga recovery`"
	}
	return ""
}

func family(name string) (keys.Family, error) {
	var names []string
	for _, f := range keys.Families() {
		if f == keys.Template {
			continue // templates are renewed with it, whole
		}
		if string(f) == name {
			return f, nil
		}
		names = append(names, string(f))
	}
	if why := pinned(name); why != "" {
		return "", usage("this key does not rotate: %s", why)
	}
	return "", usage("KEY is one of %s, %s; template-key is replaced by `tamga templates renew`", strings.Join(names, ", "), node.RootKey)
}
