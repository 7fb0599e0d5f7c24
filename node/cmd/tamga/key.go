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
	"github.com/tamga-id/tamga/node/keys"
	"github.com/tamga-id/tamga/node/keystore"
	"github.com/tamga-id/tamga/node/rotation"
)

func (a *app) keyCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "key",
		Short: "List and rotate the node's keys",
		Long: `Keys that rotate have numbered generations. A rotation has three steps, and between any
two the node runs as long as you like: prepare makes the next generation and announces
it; activate uses it, while the old one still opens and verifies; retire destroys the
old one. A step that was interrupted is done or not done: look with key list.

A running node takes a step up at once and writes a new Entity
Configuration. Members learn of its keys from the Trust Anchor: hand it there after each
step of signing-key and sealing-key, and let the members refresh before the next one.

Where the pseudonym key has a keystore of its own, that is opened by the flags that begin
with --pseudonym-; key list shows its generations then. That keystore's own root key rotates
with --dir naming its folder.

Several nodes on one database have a keystore each. A KEK or pseudonym key is prepared at
one of them, and its keystore.json given to the others, before it is activated there, which
is refused otherwise; key list shows what the others have. They then activate it by
themselves, and retire the old one when that one has.

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
Verdicts), sealing-key (what peers send is sealed to it), federation-key (signs what the
node says of itself; the Trust Anchor vouches for it), ledger-key (signs the ledger),
libp2p-key (proves to members at the handshake who the node is) and
root (the keystore is sealed under it, and nothing else: a new root changes no other key
and no record).

While there are several ledger keys, four at most, the ledger is signed with all of them, so
that members verify receipts whichever they have heard of. Auditors need the keys of the time, which are in the
Entity Configurations of the time: keep those, or the backups that hold them.

The node's peer ID is that of its libp2p-key. Members are told of the next one by prepare and
admit both until retire; a running node goes over within a second or so of activate, without a restart:
what is under way is answered, what is asked meanwhile waits. Introductions name the peer ID of their time.

A new root key is put under what opens the root key at prepare, and opened by the same at
activate. Until it is retired the one before opens the keystore, too.`,
		Example: `  tamga key rotate prepare --dir kaz --passphrase-file pass.txt kek
  tamga key rotate activate --dir kaz --passphrase-file pass.txt kek
  tamga key rotate retire --dir kaz --passphrase-file pass.txt kek`,
	}
	rotate.AddCommand(
		a.rotateCommand("prepare", "Make the next generation of a key", "Peers are told of a prepared signing or sealing key, and nothing uses it yet.",
			func(_ context.Context, r rotationStep) ([]uint32, string, error) {
				n, err := rotation.PrepareKey(r.dir, r.roots, r.key)
				return []uint32{n}, announce(r.key) + "tamga key rotate activate", err
			}),
		a.rotateCommand("activate", "Use the prepared generation of a key", `What peers sealed to the old key still opens, and what it signed still verifies. A
running node begins to wrap the gallery's keys under a new kek at once, and to move people
to their pseudonyms under a new pseudonym-key: nobody's identifier is asked for, and until
all are moved people are looked for under both.`,
			func(ctx context.Context, r rotationStep) ([]uint32, string, error) {
				if err := allHave(ctx, r); err != nil {
					return nil, "", err
				}
				if err := everyHolder(r); err != nil {
					return nil, "", err
				}
				n, err := rotation.ActivateKey(r.dir, r.roots, r.key, time.Now())
				return []uint32{n}, announce(r.key) + "tamga key rotate retire", err
			}),
		a.rotateCommand("retire", "Destroy the generations before the current one", `The node may run. For kek and pseudonym-key what is still wrapped by an old kek is wrapped
anew, and whoever still lies under an old pseudonym gets his new one; when nothing in the
gallery needs the old keys, and no other node on its database, they are destroyed.
A running node does that, and goes on with it by itself when this command is interrupted
or the node is started again; people are verified and enrolled meanwhile. For a node that
is stopped this does it, and goes on where it was cut off when it is run again. Until the
end both keys open; `+"`tamga key list`"+` says how far it is.

A node on the same database that does not answer for a minute and a half is not waited
for: it does not start again before it has the new keystore. Copies of keystore.json from
before still hold the old keys: destroy those, too.`, a.retireKey))
	c.AddCommand(a.keyListCommand(), rotate)
	return c
}

func (a *app) keyListCommand() *cobra.Command {
	var dir string
	var from rootFlags
	c := &cobra.Command{
		Use:   "list",
		Short: "List the keys that rotate and their generations",
		Long: `Lists every generation with its state: prepared, active, old or retiring, and since when it
has been the active one. The node may run, and then says how far a retirement is. With
kek.retention in tamga.yaml it says until when a kek is to be destroyed, and warns when that
is over.`,
		Example: `  tamga key list --dir kaz --passphrase-file pass.txt -o json`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			roots, err := a.openSomeRoots(dir, from, a.givenAny(*from.pseudonym))
			if err != nil {
				return err
			}
			defer roots.Wipe()
			return a.emitKeys(c.Context(), dir, roots)
		},
	}
	c.Flags().StringVar(&dir, "dir", "", "the node's folder (required)")
	from.addBoth(c.Flags(), "")
	return c
}

// listedKey is a key as `tamga key list` shows it.
type listedKey struct {
	rotation.KeyFamily
	Retirement *retirement `json:"retirement,omitempty"` // of a running node, while it is under way
}

func (k listedKey) states() string {
	var states []string
	for _, g := range k.Generations {
		state := fmt.Sprintf("%d %s", g.Number, g.State)
		if g.Due != nil {
			state += ", to be destroyed by " + g.Due.Format(time.RFC3339)
		}
		if r := k.Retirement; r != nil && g.Number < r.Keep {
			state += r.progress()
		}
		states = append(states, state)
	}
	return strings.Join(states, ", ")
}

func (a *app) emitKeys(ctx context.Context, dir string, roots keystore.Roots) error {
	families, err := rotation.Keys(dir, roots, time.Now())
	if err != nil {
		return err
	}
	for _, f := range families {
		if f.Overdue {
			a.say("warning: a %s is older than kek.retention allows: backups open who was erased longer ago. Retire it: tamga key rotate", f.Name)
		}
	}
	there := a.keysThere(ctx, dir)
	var rows [][2]string
	listed := []listedKey{}
	for _, f := range families {
		k := listedKey{f, there.of(f.Name)}
		listed = append(listed, k)
		rows = append(rows, [2]string{string(f.Name), k.states()})
	}
	if cfg, err := config.Load(filepath.Join(dir, node.ConfigFile)); err == nil && cfg.Pseudonym.Keystore != "" && !roots.Pseudonym.Usable() {
		rows = append(rows, [2]string{string(keys.Pseudonym), "in the keystore " + cfg.Pseudonym.Keystore + ", not opened"})
	}
	for _, r := range there.Replicas {
		rows = append(rows, [2]string{"another node", r.String()})
	}
	return a.emit(struct {
		Keys     []listedKey `json:"keys"`
		Replicas []replica   `json:"replicas,omitempty"` // other nodes of the gallery's database
	}{listed, there.Replicas}, rows)
}

// announce is what has to happen between two steps: members learn of keys from the
// copy that the Trust Anchor holds.
func announce(f keys.Family) string {
	if f == keys.KEK || f == keys.Pseudonym {
		return "next: "
	}
	return "hand the new " + node.EntityConfigurationFile + ", which a running node writes, to the Trust Anchor (tamga anchor enroll), " +
		"and let every member refresh; next: "
}

// rotationStep is what a step is taken with.
type rotationStep struct {
	dir     string
	roots   keystore.Roots
	key     keys.Family
	running *client // nil when the node does not run
	risk    string  // that is accepted
}

func (a *app) rotateCommand(verb, short, long string, step func(context.Context, rotationStep) (numbers []uint32, next string, err error)) *cobra.Command {
	var dir, risk string
	var holders bool
	var from rootFlags
	c := &cobra.Command{
		Use:     verb + " KEY",
		Short:   short,
		Long:    long,
		Example: "  tamga key rotate " + verb + " --dir kaz --passphrase-file pass.txt sealing-key",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := needDir(dir); err != nil {
				return err
			}
			release, err := lockRotation(dir)
			if err != nil {
				return err
			}
			defer release()
			running := a.answering(c.Context(), dir)
			if args[0] == string(rotation.RootKey) {
				return a.rotateRoot(c.Context(), verb, dir, from, risk == riskProtectors, running)
			}
			f, err := family(args[0])
			if err != nil {
				return err
			}
			both := f == keys.Pseudonym || f == keys.KEK && verb == "retire" && running == nil // which opens the gallery
			roots, err := a.openSomeRoots(dir, from, both || a.givenAny(*from.pseudonym))
			if err != nil {
				return err
			}
			defer roots.Wipe()
			step := step
			if holders {
				if f != keys.Pseudonym {
					return usage("--holders is for pseudonym-key")
				}
				step = prepareHolders
			}
			numbers, next, err := step(c.Context(), rotationStep{dir, roots, f, running, risk})
			if err != nil {
				return err
			}
			a.say("%s: %s %s", verb, f, strings.Trim(fmt.Sprint(numbers), "[]"))
			a.takeUp(c.Context(), running)
			a.keepEscrow(dir, roots.Node)
			a.say("hint: %s", next)
			return a.emitKeys(c.Context(), dir, roots)
		},
	}
	c.Flags().StringVar(&dir, "dir", "", "the node's folder (required)")
	from.addBoth(c.Flags(), "")
	if verb == "activate" {
		c.Flags().StringVar(&risk, "accept-risk", "", riskReplicas+": activate a kek or pseudonym-key that another node of the database lacks, which refuses people until it has it; "+
			riskHolders+": activate a pseudonym-key of which a holder has no share, and get none later")
	}
	if verb == "prepare" {
		c.Flags().StringVar(&risk, "accept-risk", "", riskProtectors+": prepare a root key that fewer things open than the one before")
		c.Flags().BoolVar(&holders, "holders", false, "of pseudonym-key: the holders that pseudonym.holders in "+node.ConfigFile+" names are to have it, or, if they have it, a new one; there is no way back to a key of the node's own")
	}
	return c
}

// prepareHolders prepares the key of the holders of the pseudonym key, or its multiple.
func prepareHolders(_ context.Context, r rotationStep) ([]uint32, string, error) {
	n, replaced, err := rotation.PreparePseudonymHolders(filepath.Join(r.dir, node.ConfigFile), r.roots)
	do := "start the holders, with the key of `tamga holder client`; "
	if replaced {
		do = "hand " + filepath.Join(r.dir, keystore.ReplacementFile) + " to every holder, who runs `tamga holder replace --client` with the key of `tamga holder client`; "
	}
	return []uint32{n}, do + announce(r.key) + "tamga key rotate activate", err
}

const riskProtectors = "fewer-protectors"

func (a *app) rotateRoot(ctx context.Context, verb, dir string, from rootFlags, fewer bool, running *client) (err error) {
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
		a.warnShort(o.pass) // which is to open the next one, too
		number, err = rotation.PrepareRoot(dir, o.kind, o.by, fewer)
		next = "next, with what opened the root key now: tamga key rotate activate"
	case "activate":
		if number, err = rotation.ActivateRoot(dir, o.root, o.open); errors.Is(err, custody.ErrPassphrase) {
			return &failure{exit: exitSealed, code: protocol.CodeCustody, err: err, hint: "what opens the root key was changed since tamga key rotate prepare: prepare again. Nothing was changed"}
		}
		next = "next: tamga key rotate retire"
		if running == nil {
			next = "let the node take it up, which it does within its refresh time, or start it again; " + next
		}
	default:
		if err := mustTakeUp(ctx, running); err != nil {
			return err
		}
		number, err = rotation.RetireRoot(dir, o.root)
		next = "destroy key escrows and copies of root.json and keystore.json from before: together with what opened them they give every key of then"
	}
	if err != nil {
		return err
	}
	if verb == "activate" { // the keystore is under another one now
		if root, err = o.open(keystore.RootFile(dir)); err != nil {
			return err
		}
		defer root.Wipe()
	}
	a.say("%s: %s %d", verb, rotation.RootKey, number)
	a.takeUp(ctx, running)
	a.keepEscrow(dir, root)
	a.say("hint: %s", next)
	return a.emitKeys(ctx, dir, keystore.Roots{Node: root})
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
	return "", usage("KEY is one of %s, %s; template-key is replaced by `tamga templates renew`", strings.Join(names, ", "), rotation.RootKey)
}
