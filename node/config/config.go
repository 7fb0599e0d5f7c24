// Package config reads a node's configuration file: one YAML document, strictly. Unknown and duplicate keys, wrong
// types, anchors, aliases, merge keys, custom tags and further documents are refused, keys are case-sensitive, and
// every problem of a file is reported at once with its place, so that an operator corrects a file in one round.
//
// Start with [Load]; [Config.Write] writes the commented file `tamga init` leaves behind, and [Parse] reads text that is
// already in memory. The zero value of every optional field means the default given beside it, which is the safe one.
//
// The file holds no secrets and the package accepts none: keys live under the data directory, passphrases come from
// files or descriptors. Relative paths are relative to the folder of the configuration file, whatever the working
// directory; [Load] and [Parse] return them absolute. Environment variables are not read.
//
// A line of the file is shown beside each problem; whatever follows a word such as passphrase or token on it is masked.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tamga-id/tamga/federation/policy/inventory"
)

// File is the name of the file in a node's folder.
const File = "tamga.yaml"

// Names that files have in a node's folder when it is made, or restored.
const (
	EntityConfigurationFile = "entity-configuration.jwt"
	LawFile                 = "law.cedar"
	TokenFile               = "api-token"
	EnrolTokenFile          = "enrol-token" // of the operator, who may enrol; an officer's system has TokenFile, and may only ask
	AnchorFile              = "trust-anchor.json"
)

// Defaults of optional fields.
const (
	DefaultAPI     = "127.0.0.1:7443"
	defaultDataDir = "data"
	// defaultRefresh has what got lost on the way of a suspension heard within a minute, too.
	defaultRefresh       = 45 * time.Second
	defaultMarkStaleness = 6 * time.Hour
	defaultLevel         = "info"
)

// defaultListen reaches every interface: the membership gate refuses whoever no trust chain names, at the handshake.
func defaultListen() []string {
	return []string{"/ip4/0.0.0.0/udp/7440/quic-v1", "/ip4/0.0.0.0/tcp/7440"}
}

// Config is a node's configuration. It holds no secret.
type Config struct {
	EntityID     string    // entity_id, required: the node's Entity Identifier, an https URL; changing it makes another node
	Jurisdiction string    // jurisdiction, required: ISO 3166-1 alpha-3, upper case; must be that of the law
	Name         string    // name, required: the organisation, shown to peers and auditors
	DataDir      string    // data_dir, default "data": gallery, ledger and sealed keys; two nodes must never share one
	Listen       Listen    // listen, optional
	Trust        Trust     // trust, optional: without anchors the node admits nobody
	Store        Store     // store, optional: where the gallery's rows are kept
	Pseudonym    Pseudonym // pseudonym, optional: where the pseudonym key is kept
	KEK          KEK       // kek, optional: how long a key is kept that old backups need
	Backup       Backup    // backup, optional: where the node itself keeps its key escrow
	Policy       Policy    // policy, required
	// biometric_data, default none: what biometric data the country holds, published to peers and officers; the node
	// checks its form and not its truth
	BiometricData []inventory.Entry
	Budgets       Budgets  // budgets, optional: how many Queries there may be
	Gallery       Gallery  // gallery, optional: what is kept of people
	Identify      Identify // identify, optional: whether the register is searched
	Limits        Limits   // limits, optional: what other members may cost the node
	Log           Log      // log, optional
	Recovery      Recovery // recovery, optional
}

// Listen says where the node is reached.
type Listen struct {
	LibP2P     []string // listen.libp2p, default all interfaces, port 7440, QUIC and TCP: multiaddrs peers connect to
	Advertise  []string // listen.advertise, default what libp2p listens on: multiaddrs published to peers, behind NAT
	API        string   // listen.api, default 127.0.0.1:7443: host:port of the HTTP API; loopback only, it has no TLS
	Federation string   // listen.federation, default off: host:port serving /.well-known/openid-federation
	Metrics    string   // listen.metrics, default off: host:port serving /metrics to Prometheus; loopback only, it has no TLS and asks for no token
}

// Trust says whom the node believes.
type Trust struct {
	Anchors       []Anchor          // trust.anchors, default none: the Trust Anchors; every chain must end at one
	Refresh       time.Duration     // trust.refresh, default 45s, 1s to 24h: how often chains are resolved anew; where no news of it comes through, an expelled member is heard up to this long
	Superiors     []string          // trust.superiors, default the anchors: Entity Identifiers of those that vouch for the node, such as a national authority; a wrong one makes it no member
	Subordinates  int               // trust.subordinates, default 0, at most 32: how many nodes of its country's ministries this one vouches for; its superior has to enroll it with --jurisdictions, or nobody believes it
	Staleness     time.Duration     // trust.staleness, default none, 1m to 720h: how long a chain is used that cannot be resolved anew, if it does not run out before; too short makes an anchor's outage everybody's
	Marks         []string          // trust.marks, default none: files with one Trust Mark each that the node publishes
	MarkStaleness time.Duration     // trust.mark_staleness, default 6h, 1m to 720h: how long an issuer's last word on a Trust Mark is good for; a revoked mark counts up to this long
	Proxy         string            // trust.proxy, default none: proxy of the requests to Trust Anchors over HTTP, an http, https, socks5 or socks5h URL
	AllowPrivate  bool              // trust.allow_private_addresses, default false: whether entities that are not configured are asked over HTTP at private addresses, too; true lets whoever lists entities have this node send requests into its own network
	Locations     map[string]string // trust.locations, default none: Entity Identifier to the base URL where it is really reached
}

// Anchor is one Trust Anchor.
type Anchor struct {
	EntityID string // entity_id, required: its Entity Identifier, an https URL
	KeysFile string // keys_file, required: its JWKS, obtained out of band; whoever writes this file decides who is a member
	Location string // location, default the entity_id: base URL where its endpoints are reached, or file:///folder that `tamga anchor publish` wrote
}

// Engines of [Store].
const (
	EngineBadger   = "badger"
	EnginePostgres = "postgres"
)

// Store says what keeps the gallery's rows. They are ciphertext whichever it is.
type Store struct {
	Engine string // store.engine, default "badger": badger, in the data folder, or postgres; changing it alone loses sight of everybody, see `tamga gallery copy`
	// store.dsn_file, required for postgres: file with the connection string of the database, which may hold a
	// password: nobody but the node's user may read it; a systemd credential will do
	DSNFile string
}

// KEK says how long the keys are kept that wrap people's data keys.
type KEK struct {
	// kek.retention, default off, 1h to 3650d: the longest time for which a backup may open somebody who was erased
	// after it. The node then replaces its KEK whenever half of it is over and destroys the one before half of it
	// later, so that a backup opens for at least half of it: too short a time leaves no backup that opens
	Retention time.Duration
}

// Backup says where the key escrow is kept that the node writes by itself.
type Backup struct {
	EscrowFile string // backup.escrow_file, default none: written anew whenever keys or what opens them change; best on another disk
	// backup.escrow_recipients, required with escrow_file: file with at least two age recipients, one a line; who holds
	// one of their identities, and what opens the root key, has the node's keys
	EscrowRecipients string
}

// Pseudonym says where the key is that people's pseudonyms are computed with.
type Pseudonym struct {
	// pseudonym.keystore, default none, the key lies with the others: folder of a keystore of its own, under what opens
	// it alone, best on another disk; not within the node's folder. `tamga custody pseudonym` moves the key there;
	// without the folder the node does not start, and without a copy of it nobody enrolled is ever found again
	Keystore string
	// pseudonym.holders, default none: file of `tamga holder join` that says who holds the key together, where the node
	// has none; without enough of them nobody is found or enrolled. `tamga key rotate prepare --holders` moves people
	Holders string
}

// Policy names the law the node executes, and what its matchers' scores mean.
type Policy struct {
	Law string // policy.law, required: path of the Cedar file, see package federation/policy
	// policy.calibrations, default none: files of `tamga calibrate` that say, instead of those shipped, at which score
	// a comparison is a match; one made on other people's data, or forged, decides who is let through
	Calibrations []string
	// policy.offices, default none: files of offices whose officers may attest a person's consent, or exempt from it,
	// see credentials/consent; whoever can add one can have people compared who never agreed
	Offices []string
}

// Recovery says how a data folder that is not the latest is noticed, and who may go on with one.
type Recovery struct {
	// recovery.checkpoint_file, default beside the folder of the configuration, named after entity_id: remembers how
	// far the ledger was; whoever puts back the data folder and this file together is not noticed
	CheckpointFile string
	// recovery.operators, default none: public keys of `tamga recovery operator`; two of these must sign before entries
	// of the ledger are given up, so one person alone cannot make them vanish
	Operators []string
}

// DefaultCheckpointFile is where the last checkpoint is kept of an entity whose configuration lies in dir.
func DefaultCheckpointFile(dir, entityID string) string {
	return filepath.Join(filepath.Dir(dir), FileStem(entityID)+".checkpoint")
}

// FileStem begins the names of files about an entity that lie beside those of others.
func FileStem(entityID string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9', r == '.', r == '-':
			return r
		}
		return '-'
	}, strings.TrimPrefix(entityID, "https://"))
	return name[:min(len(name), 200)]
}

// Limits bound what other members may cost the node; what is beyond is answered `overloaded` with a time to come again.
// Zero is the default of package federation/transport.
type Limits struct {
	Handlers int // limits.handlers, default 8 for each processor, 1 to 4096: frames worked on at once, shared fairly among members
	Rate     int // limits.rate, default 2000, 1 to 1000000: frames of one member a second; fewer while the processors are busy and several members ask, but 50; too low refuses its officers
	Bytes    int // limits.bytes, default 16 MiB, 1 KiB to 4 GiB: bytes of one member's frames a second; the largest frame has 256 KiB
	Quantum  int // limits.quantum_ms, default 2, 1 to 1000: answers about a person take a multiple of it, whoever it is, see package node/pace; on a machine so slow that comparisons take longer, their time shows who is enrolled
	Memory   int // limits.memory, default 128 MiB, 16 MiB to 1 TiB: what connections keep; too low refuses connections and streams
}

// Log says how much is logged.
type Log struct {
	Level string // log.level, default "info": debug, info, warn or error; no level logs subject data
}

// LogValue lists what is useful in a log, by name.
func (c Config) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("entity_id", c.EntityID),
		slog.String("jurisdiction", c.Jurisdiction),
		slog.String("data_dir", c.DataDir),
		slog.String("store", c.Store.Engine),
		slog.String("law", c.Policy.Law),
		slog.Int("anchors", len(c.Trust.Anchors)),
		slog.String("api", c.Listen.API),
		slog.String("federation", c.Listen.Federation),
		slog.String("metrics", c.Listen.Metrics),
		slog.String("level", c.Log.Level),
	)
}

// maxSize bounds a configuration file; a federation of 200 locations needs a quarter of it.
const maxSize = 64 << 10

// Load reads the file at path. On error the Config is zero; the error is an [*Errors] when the text is at fault, and
// wraps the cause (fs.ErrNotExist and the like) when the file cannot be read.
func Load(path string) (Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return Config{}, fmt.Errorf("reading configuration: %w", err)
	}
	defer f.Close()
	src, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return Config{}, fmt.Errorf("reading configuration: %w", err)
	}
	return Parse(path, src)
}

// Parse reads src as the file of the name, which problems cite and relative paths start from; it opens no file. On
// error the Config is zero and the error is an [*Errors].
func Parse(file string, src []byte) (Config, error) { return newWalker(file, src).parse(src) }

func (w *walker) parse(src []byte) (Config, error) {
	if root := w.document(src); root != nil {
		w.inspect(root, 1)
		c := w.config(root)
		if len(w.problems) == 0 {
			return c, nil
		}
	}
	return Config{}, w.err()
}

// Write writes c as a commented file that [Load] reads back equal. Paths below the file's folder are written relative
// to it, so that the folder can be moved. It refuses to overwrite (fs.ErrExist) and to write what Load would refuse
// ([*Errors]); the file is synced. It holds no secret and is readable by everybody.
func (c Config) Write(path string) error {
	base, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("writing configuration: %w", err)
	}
	text := c.relative(base).render()
	if _, err := Parse(path, text); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fmt.Errorf("writing configuration: %w", err)
	}
	_, err = io.Copy(f, bytes.NewReader(text))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(fmt.Errorf("writing configuration: %w", err), os.Remove(path))
	}
	return nil
}

// Marshal gives the text of [Config.Write] with paths as they are. It fails with an [*Errors] when Parse would refuse
// the text. Equal configurations give equal bytes.
func (c Config) Marshal() ([]byte, error) {
	text := c.render()
	w := newWalker("tamga.yaml", text)
	w.nowhere = true
	if _, err := w.parse(text); err != nil {
		return nil, err
	}
	return text, nil
}

// WithPseudonymKeystore appends the section pseudonym to src, the text of the file, and
// leaves everything else of it as it is. It fails with an [*Errors] where the section is
// there already, or the text is not one that can be appended to.
func WithPseudonymKeystore(file string, src []byte, keystore string) ([]byte, error) {
	text := bytes.TrimRight(bytes.Clone(src), "\n")
	text = append(text, "\npseudonym:\n  keystore: "+scalar(keystore)+"\n"...)
	c, err := Parse(file, text)
	if err == nil && c.Pseudonym.Keystore != filepath.Clean(keystore) {
		err = &Errors{Problems: []Problem{{File: file, Line: 1, Col: 1, Key: "pseudonym", Message: "the section pseudonym cannot be appended"}}}
	}
	if err != nil {
		return nil, err
	}
	return text, nil
}
