package nodecmd

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/freeport"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/rootkey"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/trustanchor"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/founding"
	"github.com/tamga-id/tamga/node/keystore"
)

// Init is `tamga init`.
func Init(a *cli.App) *cobra.Command {
	var o founding.Options
	var anchorFile, lawFile, planFile string
	var superiors []string
	var from cli.SecretFlags
	k := rootkey.KeystoreFlags{Pass: cli.SecretFlags{Prefix: rootkey.PseudonymPrefix}}
	c := &cobra.Command{
		Use:   "init",
		Short: "Make a node: keys, configuration, Entity Configuration",
		Long: `Makes a node's folder: root key under a passphrase or custodians, every other key under it,
tamga.yaml, the country's law, and the first Entity Configuration, which you hand to
the Trust Anchor. Nothing is sent anywhere.`,
		Example: `  tamga init --dir kaz --entity-id https://node.gov.example --jurisdiction KAZ \
    --name "Identity Agency" --anchor trust-anchor.json --passphrase-file pass.txt
  tamga init --dir kaz --entity-id https://node.gov.example --jurisdiction KAZ \
    --name "Identity Agency" --anchor trust-anchor.json --plan plan.json --shares shares
  tamga init --dir kgz --entity-id https://kgz.example --jurisdiction KGZ --name KGZ \
    --anchor trust-anchor.json --listen 127.0.0.1:7450 --api 127.0.0.1:7453 --passphrase-file -
  tamga init --dir uzb --entity-id https://uzb.example --jurisdiction UZB --anchor trust-anchor.json \
    --store postgres --dsn-file store.dsn --passphrase-file pass.txt
  tamga init --dir kaz --entity-id https://node.gov.example --jurisdiction KAZ --anchor trust-anchor.json --passphrase-file pass.txt \
    --pseudonym-keystore /media/kaz/pseudonym --pseudonym-passphrase-file other.txt`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			for _, s := range superiors {
				o.Superiors = append(o.Superiors, trust.EntityID(s)) // the configuration's rules judge them
			}
			return makeNode(a, o, anchorFile, lawFile, planFile, from, k)
		},
	}
	f := c.Flags()
	f.StringVar(&o.Dir, "dir", "", "folder to make the node in (required)")
	f.StringVar(&o.EntityID, "entity-id", "", "the node's Entity Identifier, an https URL (required)")
	f.StringVar(&o.Jurisdiction, "jurisdiction", "", "ISO 3166-1 alpha-3 code of the country (required)")
	f.StringVar(&o.Name, "name", "", "organisation, shown to peers and auditors (default: the entity identifier)")
	f.StringVar(&anchorFile, "anchor", "", "trust-anchor.json that tamga anchor init wrote (required)")
	f.StringVar(&lawFile, "law", "", "law file in Cedar (default: the built-in working text of the jurisdiction)")
	f.StringVar(&o.Listen, "listen", "", "host:port for peers, QUIC and TCP (default 127.0.0.1 and a port of the node's own)")
	f.StringVar(&o.Advertise, "advertise", "", "host:port that peers dial, when it is not the one listened on")
	f.StringVar(&o.API, "api", "", "host:port of the HTTP API (default 127.0.0.1 and a port of the node's own)")
	f.StringVar(&o.Federation, "federation", "", "host:port serving /.well-known/openid-federation (default: none)")
	f.StringVar(&o.Store.Engine, "store", "", "what keeps the gallery's rows: badger, in the node's folder, or postgres (default badger)")
	f.StringVar(&o.Store.DSNFile, "dsn-file", "", "file with the connection string of the database (required with --store postgres)")
	f.StringArrayVar(&superiors, "superior", nil, "Entity Identifier of who vouches for the node, where that is not the anchor: a national authority, or the country's node above a ministry's; may be repeated")
	f.IntVar(&o.Subordinates, "subordinates", 0, "how many nodes of its ministries this one vouches for, at most 32")
	f.DurationVar(&o.Refresh, "refresh", 0, "how often membership is refreshed (default 45s)")
	from.Add(f, " of the root key")
	f.StringVar(&planFile, "plan", "", "plan of \"tamga ceremony plan\": custodians to hold the root key, instead of a passphrase")
	f.StringVar(&o.Shares, "shares", "", "new folder for the custodians' sealed shares (required with --plan)")
	f.StringVar(&k.To, "pseudonym-keystore", "", "new folder, best on another disk, for a keystore of its own for the pseudonym key (default: with the other keys)")
	k.Pass.Add(f, " of the pseudonym keystore")
	k.AddPlan(c)
	f.StringVar(&k.Holders, "pseudonym-holders", "", "committee.json of the holders who are to have the pseudonym key, instead of this node (see tamga holder)")
	return c
}

func makeNode(a *cli.App, o founding.Options, anchorFile, lawFile, planFile string, from cli.SecretFlags, k rootkey.KeystoreFlags) error {
	var missing []string
	for _, f := range [][2]string{{o.Dir, "--dir"}, {o.EntityID, "--entity-id"}, {o.Jurisdiction, "--jurisdiction"}, {anchorFile, "--anchor"}} {
		if f[0] == "" {
			missing = append(missing, f[1])
		}
	}
	if len(missing) > 0 {
		return fault.Usage("missing %s", strings.Join(missing, ", "))
	}
	if err := initFaults(o); err != nil {
		return err
	}
	var err error
	if o.Anchor, err = trustanchor.Read(anchorFile); err != nil {
		return err
	}
	if lawFile != "" {
		if o.Law, err = os.ReadFile(lawFile); err != nil {
			return fmt.Errorf("reading law: %w", err)
		}
		o.LawName = lawFile
	}
	if o.Name == "" {
		o.Name = o.EntityID
	}
	if o.Listen == "" {
		o.Listen = freeport.From("127.0.0.1", usualPort(o.EntityID))
	}
	if o.API == "" {
		o.API = freeport.From("127.0.0.1", after(o.Listen))
	}
	if from.File == "-" && k.Pass.File == "-" {
		return fault.Usage("standard input holds one passphrase: give the other in a file")
	}
	if err := initCustody(a, &o, planFile, from); err != nil {
		return err
	}
	if o.Pseudonym, err = rootkey.ReadKeystore(a, k); err != nil {
		return err
	}
	if o.Holders, err = k.Committee(); err != nil {
		return err
	}
	o.Custody, o.Now = custody.DefaultParams(), time.Now
	made, err := founding.Init(o)
	if errors.Is(err, founding.ErrLeft) {
		return &fault.Failure{Exit: fault.ExitFailure, Code: protocol.CodeExists, Err: err,
			Hint: "restore that node from its backup, or, where it is given up, move the file away: peers may still hold its receipts. Nothing was made"}
	}
	if errors.Is(err, os.ErrExist) {
		return &fault.Failure{Exit: fault.ExitFailure, Code: protocol.CodeExists, Err: err, Hint: "use another --dir; nothing was changed"}
	}
	if _, ok := errors.AsType[*config.Errors](err); ok {
		return &fault.Failure{Exit: fault.ExitConfig, Code: protocol.CodeConfig, Err: err, Hint: "the values are those of the command line; mend them there. Nothing was made"}
	}
	if err != nil {
		return err
	}
	if o.Plan != nil {
		a.Say("Any %d of the %d custodians open everything this node will ever hold. Losing more than %d shares loses it.",
			o.Plan.Threshold, len(o.Plan.Custodians), len(o.Plan.Custodians)-o.Plan.Threshold)
		a.Say("hint: hand each custodian his share and %s of %s; each answers with `tamga ceremony join`", keystore.TranscriptFile, o.Shares)
	} else {
		a.Say("The passphrase opens everything this node will ever hold. There is no way around losing it.")
	}
	if o.Pseudonym.Dir != "" {
		a.Say("The pseudonym key lies in %s alone: backups do not hold it. Without it nobody enrolled is ever found again.", o.Pseudonym.Dir)
		a.Say("hint: copy that folder to a safe place now, and again after each rotation of pseudonym-key")
		if p := o.Pseudonym.Plan; p != nil {
			a.Say("hint: hand each of its custodians his share and %s of %s; any %d of the %d open it, at the node's start by `tamga unseal`",
				keystore.TranscriptFile, o.Pseudonym.Shares, p.Threshold, len(p.Custodians))
		}
	}
	to, flags := "the Trust Anchor", "--jurisdiction "+o.Jurisdiction
	if len(o.Superiors) > 0 {
		to = string(o.Superiors[0])
	}
	if o.Subordinates > 0 {
		flags += " --jurisdictions " + o.Jurisdiction
	}
	a.Say("hint: hand %s to %s: tamga anchor enroll --dir ANCHOR %s %s", made.EntityConfiguration, to, flags, made.EntityConfiguration)
	return a.Emit(made, [][2]string{{"entity", made.EntityID}, {"peer id", made.PeerID}, {"config", made.Config},
		{"peers dial", o.Listen}, {"API", "http://" + o.API}, {"entity configuration", made.EntityConfiguration}})
}

// initCustody settles what is to open the root key.
func initCustody(a *cli.App, o *founding.Options, planFile string, from cli.SecretFlags) (err error) {
	if planFile == "" && o.Shares == "" {
		o.Passphrase, err = a.Secret(from, "Passphrase for the new root key")
		a.WarnShort(o.Passphrase)
		return err
	}
	if planFile == "" || o.Shares == "" || a.Given(from) {
		return fault.Usage("--plan and --shares go together, and a passphrase with neither")
	}
	p, err := rootkey.ReadPlan(planFile)
	o.Plan = &p
	return err
}

var alpha3 = regexp.MustCompile(`^[A-Z]{3}$`)

// initFaults are all faults of what was typed that can be told without a file.
func initFaults(o founding.Options) error {
	var faults []string
	if _, err := trust.ParseEntityID(o.EntityID); err != nil {
		faults = append(faults, "--entity-id takes an https URL in lower case without query or fragment, such as https://node.gov.example")
	}
	if !alpha3.MatchString(o.Jurisdiction) {
		faults = append(faults, "--jurisdiction takes three capital letters (ISO 3166-1 alpha-3), such as KAZ")
	}
	for _, f := range [][2]string{{"--listen", o.Listen}, {"--advertise", o.Advertise}, {"--api", o.API}, {"--federation", o.Federation}} {
		if _, _, err := net.SplitHostPort(f[1]); f[1] != "" && err != nil {
			faults = append(faults, f[0]+" takes host:port")
		}
	}
	switch host, _, err := net.SplitHostPort(o.Listen); {
	case err != nil:
	case host == "":
		faults = append(faults, "--listen names no address: 0.0.0.0 is every one of this machine")
	case net.ParseIP(host).IsUnspecified() && o.Advertise == "":
		faults = append(faults, "--listen names every address of this machine: say with --advertise host:port which one peers dial")
	}
	if o.Refresh < 0 {
		faults = append(faults, "--refresh takes a positive time, such as 1m")
	}
	if len(faults) > 0 {
		return fault.Usage("%s", strings.Join(faults, "\n"))
	}
	return nil
}

// usualPort differs from node to node, so that several can be made on one machine
// before any of them runs.
func usualPort(entityID string) int {
	sum := sha256.Sum256([]byte(entityID))
	return 20000 + 2*(int(binary.BigEndian.Uint16(sum[:]))%5000)
}

// after is the port that follows hostport's, which init does not hold open.
func after(hostport string) int {
	_, port, _ := net.SplitHostPort(hostport)
	n, err := strconv.Atoi(port)
	if err != nil {
		return 7443
	}
	return n + 1
}
