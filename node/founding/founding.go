// Package founding makes the folder of a new node: its keys, configuration, law, first Entity
// Configuration, gallery and ledger, as [Options] describe it. [Init] is all there is to call;
// node.Open opens what it made.
package founding

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tamga-id/tamga/crypto/ceremony"
	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/federation/policy"
	"github.com/tamga-id/tamga/federation/policy/inventory"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/consents"
	"github.com/tamga-id/tamga/node/decoy"
	"github.com/tamga-id/tamga/node/entity"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/holder"
	"github.com/tamga-id/tamga/node/internal/durable"
	"github.com/tamga-id/tamga/node/keystore"
	"github.com/tamga-id/tamga/node/lawbook"
	"github.com/tamga-id/tamga/node/lawbook/inforce"
	"github.com/tamga-id/tamga/node/rows/outside"
	"github.com/tamga-id/tamga/node/stores"
)

// Options describe the node to make. Law may be nil for the built-in law of
// the jurisdiction; Advertise is needed when Listen is an unspecified address.
type Options struct {
	Dir          string
	EntityID     string
	Jurisdiction string
	Name         string
	Listen       string // host:port for QUIC and TCP
	Advertise    string // host:port that peers dial; empty: Listen
	API          string // host:port
	Federation   string // host:port of the Entity Configuration's HTTP endpoint; empty: none
	Anchor       trust.Anchor
	Law          []byte
	LawName      string           // what faults of Law call its file; empty: law.cedar
	Refresh      time.Duration    // of the membership; 0: the default of node/config
	Superiors    []trust.EntityID // who vouch for the node; empty: the anchor
	Subordinates int              // how many nodes of its ministries it vouches for
	Store        config.Store     // the zero value: the default of node/config
	Passphrase   []byte
	Custody      custody.Params
	Plan         *ceremony.Plan // custodians to put the root key under instead of Passphrase; nil: none
	Shares       string         // new folder for their shares and the transcript; needed with Plan
	Pseudonym    keystore.PseudonymKeystore
	Holders      *holder.Committee // who hold the pseudonym key, instead of the node; nil: the node
	Now          func() time.Time
}

// Made is what Init made.
type Made struct {
	EntityID            string `json:"entity_id"`
	PeerID              string `json:"peer_id"`
	Config              string `json:"config"`
	EntityConfiguration string `json:"entity_configuration"`
}

// ErrNoLaw: a node cannot be made without a law.
var ErrNoLaw = errors.New("no law file was given, and there is no built-in law for")

// ErrLeft: a file outside of a node's folder is there, of a node whose folder is not. Under
// new keys nothing goes on from it.
var ErrLeft = errors.New("it is left of an earlier node of this name")

// nothingLeft refuses files outside of the folder of a node that is to be made.
func nothingLeft(cfg config.Config) error {
	checkpoint := cfg.Recovery.CheckpointFile
	erasures, tally := gallery.OutsideFiles(checkpoint)
	for _, path := range []string{checkpoint, erasures, tally, keystore.NotedFile(cfg), outside.File(checkpoint, consents.Withdrawals), outside.File(checkpoint, decoy.Canaries)} {
		if _, err := os.Lstat(path); path != "" && err == nil {
			return fmt.Errorf("%s: %w", path, ErrLeft)
		}
	}
	return nil
}

// Init makes a node's folder. It refuses a folder that holds a node already and
// leaves nothing behind that node.Open would accept when it fails half-way.
func Init(o Options) (Made, error) {
	if _, err := os.Stat(filepath.Join(o.Dir, config.File)); err == nil {
		return Made{}, fmt.Errorf("making node: %w: %s holds a node already", os.ErrExist, o.Dir)
	}
	if _, err := trust.ParseEntityID(o.EntityID); err != nil {
		return Made{}, fmt.Errorf("making node: %w", err)
	}
	cfg, law, err := o.config()
	if err != nil {
		return Made{}, fmt.Errorf("making node: %w", err)
	}
	if err := nothingLeft(cfg); err != nil {
		return Made{}, fmt.Errorf("making node: %w", err)
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return Made{}, fmt.Errorf("making node: %w", err)
	}
	k, err := o.makeKeys()
	defer k.Wipe()
	if err != nil {
		return Made{}, fmt.Errorf("making node: %w", err)
	}
	addresses := cfg.Listen.Advertise
	if len(addresses) == 0 {
		addresses = fixedPorts(cfg.Listen.LibP2P)
	}
	token, err := entity.First(cfg, k, lawbook.ServedBy(law, time.Now()), []trust.Anchor{o.Anchor}, addresses, o.Now)
	if err != nil {
		return Made{}, fmt.Errorf("making node: %w", err)
	}
	anchor, err := json.MarshalIndent(o.Anchor, "", "  ")
	if err != nil {
		return Made{}, fmt.Errorf("making node: %w", err)
	}
	if o.Holders != nil {
		if err := durable.WriteNew(filepath.Join(o.Dir, keystore.CommitteeFile), o.Holders.Encode(), 0o644); err != nil {
			return Made{}, fmt.Errorf("making node: %w", err)
		}
	}
	// The configuration comes last: without it the folder is no node.
	for _, f := range []struct {
		name string
		data []byte
		mode os.FileMode
	}{
		{config.TokenFile, []byte(k.Token + "\n"), 0o600},
		{config.EnrolTokenFile, []byte(k.EnrolToken + "\n"), 0o600},
		{config.LawFile, o.Law, 0o644},
		{config.AnchorFile, append(anchor, '\n'), 0o644},
		{config.EntityConfigurationFile, []byte(token + "\n"), 0o644},
	} {
		if err := durable.WriteNew(filepath.Join(o.Dir, f.name), f.data, f.mode); err != nil {
			return Made{}, fmt.Errorf("making node: %w", err)
		}
	}
	g, l, err := stores.Make(context.Background(), cfg, k, o.Now)
	if err == nil {
		err = stores.Close(g, l)
	}
	if err != nil {
		return Made{}, fmt.Errorf("making node: %w", err)
	}
	err = cfg.Write(filepath.Join(o.Dir, config.File))
	if err == nil {
		err = durable.Folders(o.Dir, filepath.Dir(filepath.Clean(o.Dir)))
	}
	if err != nil {
		return Made{}, fmt.Errorf("making node: %w", err)
	}
	return Made{EntityID: cfg.EntityID, PeerID: string(k.PeerIDs[0]),
		Config: filepath.Join(o.Dir, config.File), EntityConfiguration: filepath.Join(o.Dir, config.EntityConfigurationFile)}, nil
}

// makeKeys makes the node's keys.
func (o Options) makeKeys() (keystore.Set, error) {
	protector := custody.Passphrase(o.Passphrase, o.Custody)
	var dealt ceremony.Dealt
	if o.Plan != nil {
		if o.Plan.Entity != o.EntityID {
			return keystore.Set{}, keystore.ErrForeignPlan
		}
		var err error
		if dealt, err = ceremony.Deal(*o.Plan); err != nil {
			return keystore.Set{}, err
		}
		defer clear(dealt.Key)
		protector = custody.Shared(dealt.Terms, dealt.Key)
	}
	root, err := custody.Create(keystore.RootFile(o.Dir), protector)
	if err != nil {
		return keystore.Set{}, err
	}
	defer root.Wipe()
	secrets, err := keystore.NewSecrets(o.Now())
	defer keystore.WipeSecrets(secrets)
	if err != nil {
		return keystore.Set{}, err
	}
	if o.Holders != nil {
		if err := keystore.ShareSecrets(secrets, *o.Holders, o.Now()); err != nil {
			return keystore.Set{}, err
		}
	}
	k, err := keystore.Load(secrets, o.EntityID, 1, func() (holder.Committee, error) { return *o.Holders, nil })
	if err == nil && o.Pseudonym.Dir != "" {
		err = o.Pseudonym.Make(o.EntityID, k.Federation, secrets)
	}
	if err == nil {
		err = custody.CreateKeystore(keystore.File(o.Dir), root, secrets)
	}
	if err == nil && o.Plan != nil {
		err = keystore.WriteCeremony(o.Shares, *o.Plan, dealt, k.Federation)
	}
	return k, err
}

// config is the configuration that o describes, checked by the rules that hold for
// a file an operator wrote.
func (o *Options) config() (config.Config, *policy.Law, error) {
	var example []inventory.Entry // goes with the law that is an example, too
	if o.Law == nil {
		builtin, ok := policy.Builtin(o.Jurisdiction)
		if !ok {
			return config.Config{}, nil, fmt.Errorf("%w %q", ErrNoLaw, o.Jurisdiction)
		}
		o.Law, example = builtin, inventory.Builtin(o.Jurisdiction)
	}
	name := o.LawName
	if name == "" {
		name = config.LawFile
	}
	law, err := policy.Load(name, o.Law)
	if err != nil {
		return config.Config{}, nil, err
	}
	if err := inforce.Own(law, o.Jurisdiction); err != nil {
		return config.Config{}, nil, err
	}
	var c config.Config
	c.EntityID, c.Jurisdiction, c.Name = o.EntityID, o.Jurisdiction, o.Name
	c.Listen.API, c.Listen.Federation = o.API, o.Federation
	if c.Listen.LibP2P, err = multiaddrs(o.Listen); err != nil {
		return config.Config{}, nil, err
	}
	if o.Advertise != "" {
		if c.Listen.Advertise, err = multiaddrs(o.Advertise); err != nil {
			return config.Config{}, nil, err
		}
	} else if host, _, _ := net.SplitHostPort(o.Listen); unspecified(host) {
		return config.Config{}, nil, errors.New("listening on every address: say with --advertise host:port which one peers dial")
	}
	c.Trust.Anchors = []config.Anchor{{EntityID: string(o.Anchor.EntityID), KeysFile: config.AnchorFile, Location: o.Anchor.Location}}
	c.Trust.Refresh, c.Trust.Subordinates = o.Refresh, o.Subordinates
	for _, id := range o.Superiors {
		c.Trust.Superiors = append(c.Trust.Superiors, string(id))
	}
	if c.Store = o.Store; c.Store.DSNFile != "" {
		if c.Store.DSNFile, err = filepath.Abs(c.Store.DSNFile); err != nil {
			return config.Config{}, nil, err
		}
	}
	if c.Pseudonym.Keystore = o.Pseudonym.Dir; o.Pseudonym.Dir != "" {
		if c.Pseudonym.Keystore, err = filepath.Abs(o.Pseudonym.Dir); err != nil {
			return config.Config{}, nil, err
		}
		o.Pseudonym.Dir = c.Pseudonym.Keystore
	}
	if o.Holders != nil {
		c.Pseudonym.Holders = keystore.CommitteeFile
	}
	c.Policy.Law, c.BiometricData = config.LawFile, example
	yaml, err := c.Marshal()
	if err != nil {
		return config.Config{}, nil, err
	}
	if c, err = config.Parse(filepath.Join(o.Dir, config.File), yaml); err != nil {
		return config.Config{}, nil, err
	}
	return c, law, nil
}

func unspecified(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsUnspecified()
}

// multiaddrs are the QUIC and TCP multiaddrs of host:port.
func multiaddrs(hostport string) ([]string, error) {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return nil, fmt.Errorf("reading address: want host:port")
	}
	base := "/dns/" + host
	if a, err := netip.ParseAddr(host); err == nil {
		base = "/ip4/" + host
		if a.Is6() {
			base = "/ip6/" + host
		}
	}
	return []string{base + "/udp/" + port + "/quic-v1", base + "/tcp/" + port}, nil
}

// fixedPorts are the addresses that are known before the node listens.
func fixedPorts(addrs []string) []string {
	var out []string
	for _, a := range addrs {
		if !strings.Contains(a, "/udp/0/") && !strings.HasSuffix(a, "/tcp/0") {
			out = append(out, a)
		}
	}
	return out
}
