package anchorcmd

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/node/backup"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/anchordir"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/anchorfile"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/files"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/trustanchor"
	"github.com/tamga-id/tamga/node/keys"
	"github.com/tamga-id/tamga/node/rotation"
)

// riskCutOff is what --accept-risk must name to retire a key whose statements still hold.
const riskCutOff = "cut-off"

func anchorRotate(a *cli.App) *cobra.Command {
	c := &cobra.Command{
		Use:   "rotate",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
		Short: "Replace the anchor's federation key: prepare, activate, retire",
		Long: `prepare makes the next key and announces it, signed with the present one; activate signs
everything with it, while what the old one signed still holds; retire destroys the old one.
Nodes follow by themselves, from the key in the trust-anchor.json that they were given: the
bundle has every change of keys in it, so that who was away, or has an old file, follows,
too. Hand the new trust-anchor.json to nodes that are made from now on.

An anchor that serves takes each step up at once; another has to publish after each.`,
		Example: `  tamga anchor rotate prepare --dir anchor --passphrase-file pass.txt
  tamga anchor rotate activate --dir anchor --passphrase-file pass.txt
  tamga anchor rotate retire --dir anchor --passphrase-file pass.txt`,
	}
	c.AddCommand(
		anchorRotateStep(a, "prepare", "Make and announce the next key", "Nothing is signed with it yet."),
		anchorRotateStep(a, "activate", "Sign with the prepared key", "Enrolments, listing and all statements are signed anew."),
		anchorRotateStep(a, "retire", "Destroy the key before the present one", `Refused while statements that it signed may still hold; --accept-risk=`+riskCutOff+` retires it all the
same: a node that cannot reach the anchor meanwhile, and is started anew, then knows nobody.
Do that when the key was stolen, with --compromised.

The key is added to the anchor's historical keys, which it publishes, so that what the key
has signed can be judged later: tamga trust keys. With --compromised nothing that it signed,
at whatever time, is to be believed.`))
	return c
}

func anchorRotateStep(a *cli.App, verb, short, long string) *cobra.Command {
	var at anchordir.Flags
	var risk string
	var stolen bool
	c := &cobra.Command{
		Use:     verb,
		Short:   short,
		Long:    long,
		Example: "  tamga anchor rotate " + verb + " --dir anchor --passphrase-file pass.txt",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			anchor, err := anchordir.Open(a, at)
			if err != nil {
				return err
			}
			defer anchor.Root.Wipe()
			if anchor.Node {
				return fault.Usage("%s is a node: rotate its key with tamga key rotate %s federation-key", at.Dir, verb)
			}
			return rotateAnchor(a, verb, at.Dir, anchor, retiring{risk == riskCutOff, stolen})
		},
	}
	at.Add(c.Flags())
	if verb == "retire" {
		c.Flags().StringVar(&risk, "accept-risk", "", riskCutOff+": retire a key whose statements still hold")
		c.Flags().BoolVar(&stolen, "compromised", false, "somebody else may have the key")
	}
	return c
}

// rotateAnchor does one step. What is announced and signed anew before the keystore changes
// is what a crash right after needs.
func rotateAnchor(a *cli.App, verb, dir string, anchor anchordir.Opened, how retiring) error {
	if err := announce(anchor); err != nil {
		return err
	}
	if err := anchor.Resign(); err != nil {
		return err
	}
	if _, err := anchor.Update(); err != nil {
		return err
	}
	err := custody.UpdateKeystore(filepath.Join(dir, anchorfile.Keystore), anchor.Root, func(secrets map[string][]byte) error {
		switch verb {
		case "prepare":
			_, err := keys.Prepare(secrets, anchordir.Key)
			return err
		case "activate":
			_, err := keys.Activate(secrets, anchordir.Key, time.Now())
			return err
		}
		return retireAnchorKey(secrets, dir, anchor, how)
	})
	if err != nil {
		return err
	}
	root := anchor.Root
	if anchor, err = anchordir.At(dir, root); err != nil {
		return err
	}
	if err := anchor.Resign(); err != nil {
		return err
	}
	if err := announce(anchor); err != nil {
		return err
	}
	if _, err := anchor.Update(); err != nil {
		return err
	}
	return emitAnchorKeys(a, verb, dir, anchor)
}

// retiring is how a key is to be retired: though what it signed may hold, and as one that
// was stolen.
type retiring struct{ early, stolen bool }

// retireAnchorKey destroys the key before the present one, unless what it signed may hold. It
// is listed among the anchor's historical keys first: one that is listed and still there
// does no harm.
func retireAnchorKey(secrets map[string][]byte, dir string, anchor anchordir.Opened, how retiring) error {
	g, err := keys.Of(secrets, anchordir.Key)
	if err != nil {
		return err
	}
	var longest time.Duration
	for _, e := range anchor.List() {
		longest = max(longest, e.Lifetime)
	}
	if until := g.Since[g.Current].Add(longest); g.Oldest() < g.Current && !how.early && time.Now().Before(until) {
		return &fault.Failure{Exit: fault.ExitRefused, Code: protocol.CodeRotation, Err: fmt.Errorf("statements that the old key signed may hold until %s", until.UTC().Format(time.RFC3339)),
			Hint: "wait until then, or accept it with --accept-risk=" + riskCutOff + "; nothing was changed"}
	}
	if g.Oldest() < g.Current {
		if err := rotation.AddHistory(filepath.Join(dir, backup.HistoricalKeys), anchor.Anchor().EntityID, g, how.stolen, time.Now()); err != nil {
			return err
		}
	}
	_, err = keys.Retire(secrets, anchordir.Key, g.Current)
	return err
}

// announce records a Trust Anchor's keys for its members; an Intermediate's are its
// superior's to say.
func announce(o anchordir.Opened) error {
	if o.Author == nil {
		return nil
	}
	return o.Author.Announce()
}

// emitAnchorKeys writes the public file anew and shows the keys.
func emitAnchorKeys(a *cli.App, verb, dir string, anchor anchordir.Opened) error {
	if anchor.Author == nil {
		file, err := writeConfiguration(anchor, dir)
		if err != nil {
			return err
		}
		a.Say("hint: hand %s to the superior before the next step: tamga anchor renew", file)
		ids := keyIDsOf(anchor.Anchor())
		return a.Emit(map[string]any{"step": verb, "key_ids": ids, "entity_configuration": file},
			[][2]string{{verb, "done"}, {"signs with", ids[0]}, {"announces also", strings.Join(ids[1:], " ")}, {"for the superior", file}})
	}
	path := filepath.Join(dir, anchorfile.Public)
	old, err := trustanchor.ReadAll([]string{path})
	if err != nil {
		return err
	}
	public := anchor.Anchor()
	public.Location = old[0].Location
	if err := files.WriteJSON(path, public); err != nil {
		return err
	}
	next := map[string]string{"prepare": "tamga anchor rotate activate", "activate": "when what the old key signed has run out: tamga anchor rotate retire",
		"retire": "destroy copies of keystore.json from before"}[verb]
	a.Say("hint: an anchor that does not serve has to publish now; next: %s", next)
	ids := keyIDsOf(public)
	return a.Emit(map[string]any{"step": verb, "key_ids": ids, "trust_anchor": path}, [][2]string{{verb, "done"}, {"signs with", ids[0]}, {"announces also", strings.Join(ids[1:], " ")}, {"for nodes", path}})
}

func keyIDsOf(a trust.Anchor) []string {
	var out []string
	for _, k := range a.Keys.Keys() {
		out = append(out, k.KeyID())
	}
	return out
}
