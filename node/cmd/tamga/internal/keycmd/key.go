// Package keycmd is `tamga key`: a node's keys are listed, replaced and destroyed.
package keycmd

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
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/nodeclient"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/rootkey"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/keys"
	"github.com/tamga-id/tamga/node/keystore"
	"github.com/tamga-id/tamga/node/rotation"
)

// Command is `tamga key`.
func Command(a *cli.App) *cobra.Command {
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
		rotateCommand(a, "prepare", "Make the next generation of a key", "Peers are told of a prepared signing or sealing key, and nothing uses it yet.",
			func(_ context.Context, r rotationStep) ([]uint32, string, error) {
				n, err := rotation.PrepareKey(r.dir, r.roots, r.key)
				return []uint32{n}, announce(r.key) + "tamga key rotate activate", err
			}),
		rotateCommand(a, "activate", "Use the prepared generation of a key", `What peers sealed to the old key still opens, and what it signed still verifies. A
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
		rotateCommand(a, "retire", "Destroy the generations before the current one", `The node may run. For kek and pseudonym-key what is still wrapped by an old kek is wrapped
anew, and whoever still lies under an old pseudonym gets his new one; when nothing in the
gallery needs the old keys, and no other node on its database, they are destroyed.
A running node does that, and goes on with it by itself when this command is interrupted
or the node is started again; people are verified and enrolled meanwhile. For a node that
is stopped this does it, and goes on where it was cut off when it is run again. Until the
end both keys open; `+"`tamga key list`"+` says how far it is.

A node on the same database that does not answer for a minute and a half is not waited
for: it does not start again before it has the new keystore. Copies of keystore.json from
before still hold the old keys: destroy those, too.`,
			func(ctx context.Context, r rotationStep) ([]uint32, string, error) { return retireKey(ctx, a, r) }))
	c.AddCommand(keyListCommand(a), rotate)
	return c
}

func keyListCommand(a *cli.App) *cobra.Command {
	var dir string
	var from rootkey.Flags
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
			roots, err := rootkey.OpenSome(a, dir, from, rootkey.GivenAny(a, *from.Pseudonym))
			if err != nil {
				return err
			}
			defer roots.Wipe()
			return emitKeys(c.Context(), a, dir, roots)
		},
	}
	c.Flags().StringVar(&dir, "dir", "", "the node's folder (required)")
	from.AddBoth(c.Flags(), "")
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

func emitKeys(ctx context.Context, a *cli.App, dir string, roots keystore.Roots) error {
	families, err := rotation.Keys(dir, roots, time.Now())
	if err != nil {
		return err
	}
	for _, f := range families {
		if f.Overdue {
			a.Say("warning: a %s is older than kek.retention allows: backups open who was erased longer ago. Retire it: tamga key rotate", f.Name)
		}
	}
	there := keysThere(ctx, a, dir)
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
	return a.Emit(struct {
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
	running *nodeclient.Client // nil when the node does not run
	risk    string             // that is accepted
}

func rotateCommand(a *cli.App, verb, short, long string, step func(context.Context, rotationStep) (numbers []uint32, next string, err error)) *cobra.Command {
	var dir, risk string
	var holders bool
	var from rootkey.Flags
	c := &cobra.Command{
		Use:     verb + " KEY",
		Short:   short,
		Long:    long,
		Example: "  tamga key rotate " + verb + " --dir kaz --passphrase-file pass.txt sealing-key",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := cli.NeedDir(dir); err != nil {
				return err
			}
			release, err := lockRotation(dir)
			if err != nil {
				return err
			}
			defer release()
			running := answering(c.Context(), a, dir)
			if args[0] == string(rotation.RootKey) {
				return rotateRoot(c.Context(), a, verb, dir, from, risk == riskProtectors, running)
			}
			f, err := family(args[0])
			if err != nil {
				return err
			}
			both := f == keys.Pseudonym || f == keys.KEK && verb == "retire" && running == nil // which opens the gallery
			roots, err := rootkey.OpenSome(a, dir, from, both || rootkey.GivenAny(a, *from.Pseudonym))
			if err != nil {
				return err
			}
			defer roots.Wipe()
			step := step
			if holders {
				if f != keys.Pseudonym {
					return fault.Usage("--holders is for pseudonym-key")
				}
				step = prepareHolders
			}
			numbers, next, err := step(c.Context(), rotationStep{dir, roots, f, running, risk})
			if err != nil {
				return err
			}
			a.Say("%s: %s %s", verb, f, strings.Trim(fmt.Sprint(numbers), "[]"))
			takeUp(c.Context(), a, running)
			rootkey.KeepEscrow(a, dir, roots.Node)
			a.Say("hint: %s", next)
			return emitKeys(c.Context(), a, dir, roots)
		},
	}
	c.Flags().StringVar(&dir, "dir", "", "the node's folder (required)")
	from.AddBoth(c.Flags(), "")
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

func rotateRoot(ctx context.Context, a *cli.App, verb, dir string, from rootkey.Flags, fewer bool, running *nodeclient.Client) (err error) {
	o, err := rootkey.OpenWith(a, dir, from)
	if err != nil {
		return err
	}
	defer o.Root.Wipe()
	defer func() { err = errors.Join(err, o.Done()) }()
	var number uint32
	var next string
	root := o.Root
	switch verb {
	case "prepare":
		a.WarnShort(o.Pass) // which is to open the next one, too
		number, err = rotation.PrepareRoot(dir, o.Kind, o.By, fewer)
		next = "next, with what opened the root key now: tamga key rotate activate"
	case "activate":
		if number, err = rotation.ActivateRoot(dir, o.Root, o.Open); errors.Is(err, custody.ErrPassphrase) {
			return &fault.Failure{Exit: fault.ExitSealed, Code: protocol.CodeCustody, Err: err, Hint: "what opens the root key was changed since tamga key rotate prepare: prepare again. Nothing was changed"}
		}
		next = "next: tamga key rotate retire"
		if running == nil {
			next = "let the node take it up, which it does within its refresh time, or start it again; " + next
		}
	default:
		if err := mustTakeUp(ctx, running); err != nil {
			return err
		}
		number, err = rotation.RetireRoot(dir, o.Root)
		next = "destroy key escrows and copies of root.json and keystore.json from before: together with what opened them they give every key of then"
	}
	if err != nil {
		return err
	}
	if verb == "activate" { // the keystore is under another one now
		if root, err = o.Open(keystore.RootFile(dir)); err != nil {
			return err
		}
		defer root.Wipe()
	}
	a.Say("%s: %s %d", verb, rotation.RootKey, number)
	takeUp(ctx, a, running)
	rootkey.KeepEscrow(a, dir, root)
	a.Say("hint: %s", next)
	return emitKeys(ctx, a, dir, keystore.Roots{Node: root})
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
	return "", fault.Usage("KEY is one of %s, %s; template-key is replaced by `tamga templates renew`", strings.Join(names, ", "), rotation.RootKey)
}
