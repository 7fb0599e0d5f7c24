package config

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// relative gives c with every absolute path below base written relative to it.
func (c Config) relative(base string) Config {
	shorten := func(p string) string {
		if !filepath.IsAbs(p) {
			return p
		}
		if r, err := filepath.Rel(base, p); err == nil && filepath.IsLocal(r) {
			return r
		}
		return p
	}
	if c.Store.DSNFile != "" {
		c.Store.DSNFile = shorten(c.Store.DSNFile)
	}
	// pseudonym.keystore is never below it.
	if c.Pseudonym.Holders != "" {
		c.Pseudonym.Holders = shorten(c.Pseudonym.Holders)
	}
	if c.Backup.EscrowFile != "" {
		c.Backup.EscrowFile, c.Backup.EscrowRecipients = shorten(c.Backup.EscrowFile), shorten(c.Backup.EscrowRecipients)
	}
	c.DataDir, c.Policy.Law = shorten(c.DataDir), shorten(c.Policy.Law)
	c.Policy.Calibrations = slices.Clone(c.Policy.Calibrations)
	for i, p := range c.Policy.Calibrations {
		c.Policy.Calibrations[i] = shorten(p)
	}
	if c.Recovery.CheckpointFile == DefaultCheckpointFile(base, c.EntityID) {
		c.Recovery.CheckpointFile = ""
	}
	c.Recovery.CheckpointFile = shorten(c.Recovery.CheckpointFile)
	c.Recovery.Operators = slices.Clone(c.Recovery.Operators)
	for i, p := range c.Recovery.Operators {
		c.Recovery.Operators[i] = shorten(p)
	}
	c.Trust.Anchors = slices.Clone(c.Trust.Anchors)
	for i := range c.Trust.Anchors {
		c.Trust.Anchors[i].KeysFile = shorten(c.Trust.Anchors[i].KeysFile)
	}
	return c
}

// page writes the file line by line.
type page struct{ bytes.Buffer }

func (p *page) line(format string, args ...any) { fmt.Fprintf(p, format+"\n", args...) }

// field writes "key: value", or, when there is no value, the key commented out with an example.
func (p *page) field(indent, key, value, example string) {
	if value == "" {
		p.line("%s# %s: %s", indent, key, example)
		return
	}
	p.line("%s%s: %s", indent, key, scalar(value))
}

// sequence writes a list, or the key commented out with an example.
func (p *page) sequence(indent, key string, values []string, example string) {
	if len(values) == 0 {
		p.line("%s# %s: [%s]", indent, key, example)
		return
	}
	p.line("%s%s:", indent, key)
	for _, v := range values {
		p.line("%s  - %s", indent, scalar(v))
	}
}

// render writes c with its comments. Zero optional fields are written as their defaults, so that the file shows what
// the node does.
func (c Config) render() []byte {
	var p page
	p.line("# Configuration of a Tamga node. Secrets never belong here. Relative paths start at this file's folder.")
	p.line("")
	p.line("# The node's Entity Identifier: an https URL, the node's name in the federation. Changing it makes another node.")
	p.line("entity_id: %s", scalar(c.EntityID))
	p.line("# ISO 3166-1 alpha-3, the same as in the law.")
	p.line("jurisdiction: %s", scalar(c.Jurisdiction))
	p.line("# The organisation, shown to peers and auditors.")
	p.line("name: %s", scalar(c.Name))
	p.line("# Gallery, ledger and sealed keys. Two nodes must never share one folder.")
	p.line("data_dir: %s", scalar(cmp.Or(c.DataDir, defaultDataDir)))
	p.line("")
	c.renderListen(&p)
	c.renderTrust(&p)
	c.renderStore(&p)
	c.renderPseudonym(&p)
	c.renderBackup(&p)
	p.line("policy:")
	p.line("  # The national law as Cedar policies.")
	p.line("  law: %s", scalar(c.Policy.Law))
	p.line("  # What comparison scores mean, from `tamga calibrate` on your own data, instead of what is shipped.")
	p.sequence("  ", "calibrations", c.Policy.Calibrations, "finger.calibration.json")
	p.line("  # Offices that may attest a person's consent, or exempt from it, from `tamga consent office`.")
	p.sequence("  ", "offices", c.Policy.Offices, "office.json")
	p.line("")
	c.renderInventory(&p)
	c.renderRecovery(&p)
	c.renderBudgets(&p)
	c.renderIdentify(&p)
	c.renderLimits(&p)
	p.line("log:")
	p.line("  # debug, info, warn or error. No level logs subject data.")
	p.line("  level: %s", scalar(cmp.Or(c.Log.Level, defaultLevel)))
	return p.Bytes()
}

func (c Config) renderListen(p *page) {
	addresses := c.Listen.LibP2P
	if len(addresses) == 0 {
		addresses = defaultListen()
	}
	p.line("listen:")
	p.line("  # Where peers connect. Nodes that no trust chain names are refused at the handshake.")
	p.sequence("  ", "libp2p", addresses, "")
	p.line("  # What peers are told instead, for example behind NAT.")
	p.sequence("  ", "advertise", c.Listen.Advertise, "/dns4/node.example.gov/udp/7440/quic-v1")
	p.line("  # The HTTP API. It has no TLS of its own: loopback only, put a TLS proxy in front.")
	p.line("  api: %s", scalar(cmp.Or(c.Listen.API, DefaultAPI)))
	p.line("  # Serves the Entity Configuration (/.well-known/openid-federation); left out, this node serves none.")
	p.field("  ", "federation", c.Listen.Federation, `"127.0.0.1:7444"`)
	p.line("  # Serves /metrics to Prometheus: counts and times, of nobody. Without TLS and token: loopback only. Left out: off.")
	p.field("  ", "metrics", c.Listen.Metrics, `"127.0.0.1:7445"`)
	p.line("")
}

// number is a member that is left out at zero, with what it might be.
func (p *page) number(key string, v, example int) {
	if v == 0 {
		p.line("  # %s: %d", key, example)
		return
	}
	p.line("  %s: %d", key, v)
}

func (c Config) renderLimits(p *page) {
	l, comment := c.Limits, ""
	if l == (Limits{}) {
		comment = "# "
	}
	p.line("%slimits:", comment)
	p.line("  # What other members may cost: frames worked on at once (8 for each processor), and of one member frames and")
	p.line("  # bytes a second. What is beyond is told when to come again. And the bytes that connections keep.")
	p.line("  # Answers about a person take a multiple of quantum_ms, so that their time does not tell who is enrolled.")
	p.number("handlers", l.Handlers, 16)
	p.number("rate", l.Rate, 2000)
	p.number("bytes", l.Bytes, 16<<20)
	p.number("memory", l.Memory, 128<<20)
	p.number("quantum_ms", l.Quantum, 2)
	p.line("")
}

func (c Config) renderStore(p *page) {
	p.line("store:")
	p.line("  # What keeps the gallery's rows, ciphertext either way: badger in data_dir, or postgres. Copy the gallery with")
	p.line("  # `tamga gallery copy` before you change this.")
	p.line("  engine: %s", scalar(cmp.Or(c.Store.Engine, EngineBadger)))
	p.line("  # For postgres: file with the connection string. It may hold a password, so only the node's user may read it.")
	p.field("  ", "dsn_file", c.Store.DSNFile, "/etc/tamga/store.dsn")
	p.line("")
}

func (c Config) renderBackup(p *page) {
	comment := func(set bool) string {
		if set {
			return ""
		}
		return "# " // a section without content would be null
	}
	p.line("%skek:", comment(c.KEK.Retention != 0))
	p.line("  # The longest time for which a backup may open somebody who was erased after it, 1h to 3650d. The node replaces")
	p.line("  # and destroys its KEKs by itself then; a backup opens for at least half of this. Left out, it does neither.")
	retention := ""
	if c.KEK.Retention != 0 {
		retention = days(c.KEK.Retention)
	}
	p.field("  ", "retention", retention, "90d")
	p.line("%sbackup:", comment(c.Backup.EscrowFile != ""))
	p.line("  # The node keeps its key escrow here, written anew whenever keys change: best on another disk. See")
	p.line("  # `tamga backup --help`. The file of recipients has at least two age recipients, one a line.")
	p.field("  ", "escrow_file", c.Backup.EscrowFile, "/media/safe/node.tamga-escrow")
	p.field("  ", "escrow_recipients", c.Backup.EscrowRecipients, "/etc/tamga/escrow-recipients.txt")
	p.line("")
}

func (c Config) renderPseudonym(p *page) {
	comment := ""
	if c.Pseudonym == (Pseudonym{}) {
		comment = "# " // a section without content would be null
	}
	p.line("%spseudonym:", comment)
	p.line("  # Folder of a keystore of its own for the key that people's pseudonyms are computed with, best on another disk.")
	p.line("  # `tamga custody pseudonym` moves the key there and writes this.")
	p.field("  ", "keystore", c.Pseudonym.Keystore, "/media/kaz/pseudonym")
	p.line("  # File of `tamga holder join`, where several machines hold the key together and this one has none.")
	p.field("  ", "holders", c.Pseudonym.Holders, "pseudonym-holders.json")
	p.line("")
}

func (c Config) renderRecovery(p *page) {
	comment := ""
	if c.Recovery.CheckpointFile == "" && len(c.Recovery.Operators) == 0 {
		comment = "# " // a section without content would be null
	}
	p.line("%srecovery:", comment)
	p.line("  # Remembers how far the ledger was, outside the data folder: best on another disk.")
	p.field("  ", "checkpoint_file", c.Recovery.CheckpointFile, "/var/lib/tamga/node.checkpoint")
	p.line("  # Public keys of `tamga recovery operator`. Two must sign before entries of the ledger are given up.")
	p.sequence("  ", "operators", c.Recovery.Operators, "operator-a.jwk.json, operator-b.jwk.json")
	p.line("")
}

func (c Config) renderTrust(p *page) {
	p.line("trust:")
	p.line("  # Every chain must end at one of these. keys_file is the anchor's JWKS, obtained out of band: whoever can write")
	p.line("  # it decides who is a member. Without anchors the node admits nobody.")
	if len(c.Trust.Anchors) == 0 {
		p.line("  # anchors: [{entity_id: https://anchor.example.org, keys_file: anchor.jwks.json}]")
	} else {
		p.line("  anchors:")
	}
	for _, a := range c.Trust.Anchors {
		p.line("    - entity_id: %s", scalar(a.EntityID))
		p.line("      keys_file: %s", scalar(a.KeysFile))
		if a.Location != "" {
			p.line("      location: %s", scalar(a.Location))
		}
	}
	p.line("  # How often chains are resolved anew, 1s to 24h. An expelled member is heard up to this long.")
	p.line("  refresh: %s", duration(cmp.Or(c.Trust.Refresh, defaultRefresh)))
	p.line("  # Who vouches for this node, where that is not an anchor: its Entity Identifier.")
	p.sequence("  ", "superiors", c.Trust.Superiors, "https://authority.example.gov")
	p.line("  # How many nodes of this country's ministries this one vouches for, 0 to 32: enroll them with tamga anchor enroll.")
	if c.Trust.Subordinates == 0 {
		p.line("  # subordinates: 8")
	} else {
		p.line("  subordinates: %d", c.Trust.Subordinates)
	}
	p.line("  # How long a chain is used that cannot be resolved anew, 1m to 720h. Left out: until it runs out.")
	if c.Trust.Staleness == 0 {
		p.line("  # staleness: 48h")
	} else {
		p.line("  staleness: %s", duration(c.Trust.Staleness))
	}
	p.line("  # Files with the Trust Marks that were issued to this node.")
	p.sequence("  ", "marks", c.Trust.Marks, "audited.jwt")
	p.line("  # How long an issuer's last word on another's Trust Mark is good for, 1m to 720h.")
	p.line("  mark_staleness: %s", duration(cmp.Or(c.Trust.MarkStaleness, defaultMarkStaleness)))
	p.line("  # Proxy of the requests to Trust Anchors over HTTP: an http, https, socks5 or socks5h URL.")
	p.field("  ", "proxy", c.Trust.Proxy, "socks5h://127.0.0.1:1080")
	p.line("  # Whether entities that are named nowhere in this file are asked over HTTP at private addresses, too: only for a")
	p.line("  # federation on a closed network. Anchors and locations may lie anywhere.")
	if c.Trust.AllowPrivate {
		p.line("  allow_private_addresses: true")
	} else {
		p.line("  # allow_private_addresses: true")
	}
	p.line("  # Where entities are reached whose Entity Identifier is not their address.")
	if len(c.Trust.Locations) == 0 {
		p.line("  # locations: {https://node.example.gov: https://10.0.0.5:8443}")
	} else {
		p.line("  locations:")
	}
	for _, id := range slices.Sorted(maps.Keys(c.Trust.Locations)) {
		p.line("    %s: %s", scalar(id), scalar(c.Trust.Locations[id]))
	}
	p.line("")
}

var plainForm = regexp.MustCompile(`^[A-Za-z/.][A-Za-z0-9/._:-]*$`)

// scalar writes s plainly where YAML reads the same string back, else in double quotes (a JSON string is one of
// YAML's, https://yaml.org/spec/1.2.2/#13-prior-art).
func scalar(s string) string {
	var n yaml.Node
	if plainForm.MatchString(s) && yaml.Unmarshal([]byte(s), &n) == nil && len(n.Content) == 1 {
		if v := n.Content[0]; v.Kind == yaml.ScalarNode && v.ShortTag() == "!!str" && v.Value == s {
			return s
		}
	}
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(s); err != nil {
		panic("config: encoding a string: " + err.Error())
	}
	return strings.TrimSpace(b.String())
}

// days writes whole days as such.
func days(d time.Duration) string {
	if d%(24*time.Hour) == 0 {
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	}
	return duration(d)
}

// duration writes d without the zero units Go adds: 1m, not 1m0s.
func duration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
