// Package anchorcmd is `tamga anchor`: a Trust Anchor or an Intermediate is made, enrols members, allows Trust
// Marks, replaces its key and serves.
package anchorcmd

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/authority"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/anchordir"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/anchorfile"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/files"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/freeport"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/markcmd"
	"github.com/tamga-id/tamga/node/keys"
)

// Command is `tamga anchor`.
func Command(a *cli.App) *cobra.Command {
	c := &cobra.Command{
		Use:   "anchor",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
		Short: "Be the Trust Anchor of a region, or vouch for others below one",
		Long: `The Trust Anchor says who is a member: it signs a Subordinate Statement about each
node and serves it. It sees no query and holds no biometrics.

An Intermediate, such as a national authority, does the same below a superior, which says
for which countries: init --superior makes one. A node with trust.subordinates vouches for
the nodes of its country's ministries: enroll, renew, list, suspend, reinstate, remove and
mark take its folder as --dir, and the node itself serves what they say.

It need not be on a network: ` + "`tamga anchor publish`" + ` writes all that it has to say as a
folder, which any web server serves and any disk carries.`,
		Example: `  tamga anchor init --dir anchor --entity-id https://anchor.example --passphrase-file pass.txt
  tamga anchor enroll --dir anchor --jurisdiction KAZ --passphrase-file pass.txt kaz/entity-configuration.jwt
  tamga anchor serve --dir anchor --passphrase-file pass.txt
  tamga anchor suspend --dir anchor --passphrase-file pass.txt https://kaz.example
  tamga anchor remove --dir anchor --passphrase-file pass.txt https://kaz.example`,
	}
	c.AddCommand(anchorInit(a), anchorEnroll(a), anchorRenew(a), markcmd.Command(a), anchorList(a), anchorSuspend(a), anchorReinstate(a), anchorRemove(a),
		anchorServe(a), anchorPublish(a), anchorRotate(a))
	return c
}

func anchorInit(a *cli.App) *cobra.Command {
	var dir, passphraseFile, location string
	var superiors []string
	var s anchordir.Settings
	c := &cobra.Command{
		Use:   "init",
		Short: "Make a Trust Anchor or an Intermediate: key, settings, and its public file",
		Long: `Makes the folder of a Trust Anchor and writes trust-anchor.json: its Entity Identifier, its
public keys and where its statements are served. Hand that file to every node over a
way you trust; it decides whom the node believes.

With --superior it is an Intermediate below that Entity, and writes entity-configuration.jwt
for the superior to enroll with --jurisdictions. Nodes are made with the region's
trust-anchor.json, and below the Intermediate with --superior and its Entity Identifier.
They reach it there, unless trust.locations says otherwise.`,
		Example: `  tamga anchor init --dir anchor --entity-id https://anchor.example --listen 127.0.0.1:7400 --passphrase-file pass.txt
  tamga anchor init --dir national --entity-id https://authority.kaz.example --superior https://anchor.example --passphrase-file pass.txt`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if dir == "" || s.EntityID == "" {
				return fault.Usage("--dir and --entity-id are needed")
			}
			for _, id := range superiors {
				superior, err := trust.ParseEntityID(id)
				if err != nil || id == s.EntityID {
					return fault.Usage("--superior takes the Entity Identifier of another, an https URL")
				}
				s.Superiors = append(s.Superiors, superior)
			}
			return makeAnchor(a, dir, s, location, passphraseFile)
		},
	}
	f := c.Flags()
	f.StringVar(&dir, "dir", "", "folder to make (required)")
	f.StringVar(&s.EntityID, "entity-id", "", "Entity Identifier, an https URL (required)")
	f.StringVar(&s.Name, "name", "Trust Anchor", "organisation")
	f.StringArrayVar(&superiors, "superior", nil, "Entity Identifier of who is to vouch for it, which makes it an Intermediate; may be repeated")
	f.StringVar(&s.Listen, "listen", "", "host:port to serve statements on (default 127.0.0.1:7400, or the next free port)")
	f.StringVar(&location, "location", "", "base URL where nodes reach it (default: http://LISTEN when that is loopback, else the entity identifier)")
	f.StringVar(&passphraseFile, "passphrase-file", "", "file with the passphrase of the anchor's key, - for standard input")
	return c
}

func makeAnchor(a *cli.App, dir string, s anchordir.Settings, location, passphraseFile string) error {
	id, err := trust.ParseEntityID(s.EntityID)
	if err != nil {
		return fault.Usage("--entity-id takes an https URL in lower case without query or fragment, such as https://anchor.example")
	}
	if s.Listen == "" {
		s.Listen = freeport.From("127.0.0.1", 7400)
	}
	host, _, err := net.SplitHostPort(s.Listen)
	if err != nil {
		return fault.Usage("--listen takes host:port")
	}
	if ip := net.ParseIP(host); location == "" && (host == "localhost" || ip.IsLoopback()) {
		location = "http://" + s.Listen
	}
	pass, err := a.Passphrase(passphraseFile, "Passphrase for the anchor's key")
	if err != nil {
		return err
	}
	a.WarnShort(pass)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making trust anchor: %w", err)
	}
	root, err := custody.Create(filepath.Join(dir, anchorfile.Root), custody.Passphrase(pass, custody.DefaultParams()))
	if errors.Is(err, os.ErrExist) {
		return &fault.Failure{Exit: fault.ExitFailure, Code: protocol.CodeExists, Err: fmt.Errorf("making trust anchor: %s holds one already", dir), Hint: "use another --dir; nothing was changed"}
	}
	if err != nil {
		return fmt.Errorf("making trust anchor: %w", err)
	}
	defer root.Wipe()
	secrets := make(map[string][]byte)
	defer anchordir.WipeAll(secrets)
	if err := keys.Add(secrets, anchordir.Key, time.Now()); err != nil {
		return fmt.Errorf("making trust anchor: %w", err)
	}
	key, _, err := anchordir.Keys(secrets)
	if err != nil {
		return fmt.Errorf("making trust anchor: %w", err)
	}
	if err := custody.CreateKeystore(filepath.Join(dir, anchorfile.Keystore), root, secrets); err != nil {
		return fmt.Errorf("making trust anchor: %w", err)
	}
	if len(s.Superiors) == 0 {
		public := trust.Anchor{EntityID: id, Keys: jose.NewKeySet(key.Public()), Location: location}
		if err := files.WriteJSON(filepath.Join(dir, anchorfile.Public), public); err != nil {
			return err
		}
	}
	if err := files.WriteJSON(filepath.Join(dir, anchorfile.Settings), s); err != nil {
		return err
	}
	if len(s.Superiors) > 0 {
		return madeIntermediate(a, dir, root, s)
	}
	a.Say("hint: tamga anchor serve --dir %s, and hand %s to every node", dir, filepath.Join(dir, anchorfile.Public))
	return a.Emit(map[string]string{"entity_id": s.EntityID, "trust_anchor": filepath.Join(dir, anchorfile.Public), "listen": s.Listen, "key_id": key.Public().KeyID()},
		[][2]string{{"entity", s.EntityID}, {"key", key.Public().KeyID()}, {"serves on", s.Listen}, {"for nodes", filepath.Join(dir, anchorfile.Public)}})
}

// madeIntermediate writes what the superior enrols.
func madeIntermediate(a *cli.App, dir string, root custody.Root, s anchordir.Settings) error {
	anchor, err := anchordir.At(dir, root)
	if err != nil {
		return err
	}
	file, err := writeConfiguration(anchor, dir)
	if err != nil {
		return err
	}
	key := anchor.Anchor().Keys.Keys()[0].KeyID()
	a.Say("hint: hand %s to %s: tamga anchor enroll --dir ANCHOR --jurisdictions COUNTRY %s; then tamga anchor serve --dir %s", file, s.Superiors[0], file, dir)
	return a.Emit(map[string]string{"entity_id": s.EntityID, "entity_configuration": file, "listen": s.Listen, "key_id": key},
		[][2]string{{"entity", s.EntityID}, {"key", key}, {"serves on", s.Listen}, {"for the superior", file}})
}

// writeConfiguration writes an Intermediate's Entity Configuration for its superior.
func writeConfiguration(o anchordir.Opened, dir string) (string, error) {
	token, err := o.Configuration()
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, node.EntityConfigurationFile)
	if err := os.WriteFile(file, []byte(token+"\n"), 0o644); err != nil {
		return "", fmt.Errorf("writing entity configuration: %w", err)
	}
	return file, nil
}

func anchorRemove(a *cli.App) *cobra.Command {
	var at anchordir.Flags
	c := &cobra.Command{
		Use:   "remove ENTITY-IDENTIFIER",
		Short: "End a node's membership",
		Long: `The anchor stops vouching for the node, and its jurisdiction and peer ID are free for
another. Peers refuse it within a minute where the anchor serves, else from the next
publish on, and at the latest when the statement they hold runs out.`,
		Example: `  tamga anchor remove --dir anchor --passphrase-file pass.txt https://kaz.example`,
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			anchor, err := anchordir.Open(a, at)
			if err != nil {
				return err
			}
			if err := anchor.Remove(trust.EntityID(args[0])); err != nil {
				return &fault.Failure{Exit: fault.ExitFailure, Code: protocol.CodeMembership, Err: err, Hint: "nothing was changed; " + listed(anchor.Authority)}
			}
			if _, err := anchor.Update(); err != nil {
				return err
			}
			return a.Emit(map[string]string{"removed": args[0]}, [][2]string{{"removed", args[0]}})
		},
	}
	at.Add(c.Flags())
	return c
}

// listed names the members, which are public.
func listed(authority *authority.Authority) string {
	all := authority.List()
	if len(all) == 0 {
		return "there is no member"
	}
	names := make([]string, 0, len(all))
	for _, e := range all {
		names = append(names, string(e.Entity))
	}
	return "the members are " + strings.Join(names, ", ")
}

func anchorServe(a *cli.App) *cobra.Command {
	var at anchordir.Flags
	c := &cobra.Command{
		Use:     "serve",
		Aliases: []string{"run"},
		Short:   "Serve statements until Ctrl-C",
		Long: `Serves the anchor's Entity Configuration, its fetch, list and resolve endpoints (OpenID
Federation 1.0), and its bundle, by which members learn of a suspension within a minute.
Members enrolled, suspended or removed meanwhile by other commands are noticed.`,
		Example: `  tamga anchor serve --dir anchor --passphrase-file pass.txt`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			anchor, err := anchordir.Open(a, at)
			if err != nil {
				return err
			}
			defer anchor.Root.Wipe()
			if anchor.Node {
				return fault.Usage("%s is a node: it serves what it says of others itself, by tamga run", at.Dir)
			}
			return anchordir.Serve(c.Context(), a, at.Dir, anchor)
		},
	}
	at.Add(c.Flags())
	return c
}
