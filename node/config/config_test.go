package config_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tamga-id/tamga/federation/policy/inventory"
	"github.com/tamga-id/tamga/node/config"
)

var update = flag.Bool("update", false, "rewrite golden files")

const minimal = `entity_id: https://node.kaz.example
jurisdiction: KAZ
name: Agency
policy: {law: law.cedar}
`

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", name, diff)
	}
}

func TestLoad(t *testing.T) {
	got, err := config.Load(filepath.Join("testdata", "good.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	here, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	want := config.Config{
		EntityID: "https://node.kaz.example", Jurisdiction: "KAZ", Name: "Ministry of Digital Development: Құжат",
		DataDir: filepath.Join(here, "..", "state"),
		Listen: config.Listen{
			LibP2P:    []string{"/ip4/127.0.0.1/udp/7440/quic-v1", "/ip6/::1/tcp/7440"},
			Advertise: []string{"/dns4/node.kaz.example/udp/7440/quic-v1"},
			API:       "[::1]:0", Federation: ":8080",
		},
		Trust: config.Trust{
			Anchors: []config.Anchor{
				{EntityID: "https://anchor.example", KeysFile: filepath.Join(here, "anchor.jwks.json")},
				{EntityID: "https://second.example/federation", KeysFile: "/etc/tamga/second.jwks.json", Location: "http://127.0.0.1:9000"},
			},
			Refresh:   90 * time.Second,
			Superiors: []string{"https://authority.kaz.example"}, Subordinates: 4, Staleness: 48 * time.Hour,
			Marks: []string{filepath.Join(here, "audited.jwt")}, MarkStaleness: 30 * time.Minute, AllowPrivate: true,
			Locations: map[string]string{"https://node.kgz.example": "https://10.0.0.5:8443/kgz"},
		},
		Store:         config.Store{Engine: config.EnginePostgres, DSNFile: filepath.Join(here, "store.dsn")},
		Pseudonym:     config.Pseudonym{Keystore: "/media/kaz/pseudonym", Holders: filepath.Join(here, "holders.json")},
		KEK:           config.KEK{Retention: 90 * 24 * time.Hour},
		Backup:        config.Backup{EscrowFile: filepath.Join(here, "..", "safe", "kaz.tamga-escrow"), EscrowRecipients: "/etc/tamga/who.txt"},
		Policy:        config.Policy{Law: filepath.Join(here, "law.cedar"), Calibrations: []string{filepath.Join(here, "finger.calibration.json"), "/etc/tamga/face.json"}, Offices: []string{filepath.Join(here, "registry.json")}},
		BiometricData: []inventory.Entry{{Type: "face", Form: "sample", Source: "паспорта", Law: "Act 1", Article: "Article 2", Retention: "P10Y"}, {Type: "finger", Form: "template", Source: "паспорта", Law: "Act 1", Article: "Article 2", Retention: "unlimited"}},
		Log:           config.Log{Level: "debug"},
		Recovery: config.Recovery{CheckpointFile: "/var/lib/tamga/kaz.checkpoint",
			Operators: []string{filepath.Join(here, "a.jwk.json"), "/etc/tamga/b.jwk.json"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("configuration differs (-want +got):\n%s", diff)
	}
}

func TestDefaults(t *testing.T) {
	got, err := config.Parse("/etc/tamga/tamga.yaml", []byte(minimal))
	if err != nil {
		t.Fatal(err)
	}
	want := config.Config{
		EntityID: "https://node.kaz.example", Jurisdiction: "KAZ", Name: "Agency", DataDir: "/etc/tamga/data",
		Listen:   config.Listen{LibP2P: []string{"/ip4/0.0.0.0/udp/7440/quic-v1", "/ip4/0.0.0.0/tcp/7440"}, API: "127.0.0.1:7443"},
		Trust:    config.Trust{Refresh: 45 * time.Second, MarkStaleness: 6 * time.Hour},
		Store:    config.Store{Engine: config.EngineBadger},
		Policy:   config.Policy{Law: "/etc/tamga/law.cedar"},
		Log:      config.Log{Level: "info"},
		Recovery: config.Recovery{CheckpointFile: "/etc/node.kaz.example.checkpoint"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("configuration differs (-want +got):\n%s", diff)
	}
}

// TestEveryProblemAtOnce pins the whole report of a thoroughly broken file, and that it shows no secret.
func TestEveryProblemAtOnce(t *testing.T) {
	src, err := os.ReadFile(filepath.Join("testdata", "bad.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := config.Parse("tamga.yaml", src)
	var wrong *config.Errors
	if !errors.As(err, &wrong) {
		t.Fatalf("error is %T", err)
	}
	if diff := cmp.Diff(config.Config{}, got); diff != "" {
		t.Errorf("configuration is not zero:\n%s", diff)
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Error("the report shows a secret")
	}
	golden(t, "bad.golden", err.Error()+"\n")
}

func TestProblemFormat(t *testing.T) {
	src := strings.Repeat("# a comment\n", 11) + "  jurisdction: KAZ\n"
	_, err := config.Parse("tamga.yaml", []byte(src))
	var wrong *config.Errors
	if !errors.As(err, &wrong) {
		t.Fatalf("error is %T", err)
	}
	for _, p := range wrong.Problems {
		if p.String() == `tamga.yaml:12:3: unknown key "jurisdction": did you mean "jurisdiction"?` && p.Key == "jurisdction" && p.Source == "  jurisdction: KAZ" {
			return
		}
	}
	t.Errorf("problems are %v", wrong.Problems)
}

// TestProblems: one fault each. Lines 1 to 4 are sound unless the case replaces them.
func TestProblems(t *testing.T) {
	for _, c := range []struct{ name, src, want string }{
		{"empty", "", "t:1:1: file holds no configuration"},
		{"comment", "# nothing\n", "t:1:1: file holds no configuration"},
		{"null", "~\n", "t:1:1: the configuration must be a mapping of keys to values, found nothing"},
		{"list", "- a\n", "t:1:1: the configuration must be a mapping of keys to values, found a list"},
		{"documents", minimal + "---\n" + minimal, "t:5:1: file holds more than one YAML document"},
		{"syntax", minimal + "log: {level: info\n", "not YAML: "},
		{"tab", minimal + "log:\n\tlevel: info\n", "not YAML: "},
		{"unknown-anchor", minimal + "log: *gone\n", "t:5:6: not YAML: aliases are not accepted"},
		{"anchor", minimal + "log: &a {level: info}\n", "t:5:6: anchors are not accepted"},
		{"merge", minimal + "log: {<<: {level: info}}\n", "t:5:7: merge keys are not accepted"},
		{"tag", minimal + "log: !mine {level: info}\n", "t:5:6: tags are not accepted"},
		{"known-tag", minimal + "log: {level: !!str info}\n", "t:5:14: tags are not accepted"},
		{"duplicate", minimal + "name: Again\n", `t:5:1: duplicate key "name", first at line 3`},
		{"retention-unit", minimal + "kek: {retention: 90}\n", `t:5:18: kek.retention must be a duration with a unit`},
		{"retention-days", minimal + "kek: {retention: 99999d}\n", `t:5:18: kek.retention must be a duration with a unit`},
		{"retention-short", minimal + "kek: {retention: 10m}\n", `t:5:18: kek.retention must be from 1h to 3650d`},
		{"retention-long", minimal + "kek: {retention: 3651d}\n", `t:5:18: kek.retention must be from 1h to 3650d`},
		{"backup-half", minimal + "backup: {escrow_file: x}\n", `t:5:9: backup.escrow_file and backup.escrow_recipients belong together`},
		{"pseudonym-inside", minimal + "pseudonym: {keystore: usb}\n", "t:5:23: pseudonym.keystore lies in the node's folder: whoever takes that has both"},
		{"case", strings.Replace(minimal, "name", "Name", 1), `t:3:1: unknown key "Name": did you mean "name"?`},
		{"number-key", minimal + "7: x\n", "t:5:1: key is not a word"},
		{"list-key", minimal + "[a]: x\n", "t:5:1: key is not a word"},
		{"null-value", minimal + "data_dir:\n", "t:5:10: data_dir has no value: leave the key out for the default"},
		{"empty-value", minimal + "data_dir: ''\n", "t:5:11: data_dir is empty"},
		{"mapping-value", minimal + "data_dir: {a: b}\n", "t:5:11: data_dir must be a string, found a mapping"},
		{"bool", minimal + "data_dir: true\n", "t:5:11: data_dir must be a string, YAML reads bool: put it in quotes"},
		{"misplaced", minimal + "level: info\n", `t:5:1: unknown key "level": it belongs under "log"`},
		{"misplaced-top", minimal + "log: {name: x}\n", `t:5:7: unknown key "name": it belongs at the top level`},
		{"far", minimal + "zzz: 1\n", `unknown key "zzz": known here: entity_id, jurisdiction, name`},
		{"secret", minimal + "node_secret: x\n", `unknown key "node_secret": secrets are never read from this file`},
		{"depth", minimal + "log: " + strings.Repeat("[", 20) + strings.Repeat("]", 20) + "\n", "nesting is deeper than 12"},
		{"bom", "\ufeff" + minimal, "t:1:1: character U+FEFF is not allowed"},
		{"utf8", minimal + "# \xff\n", "t:5:3: byte is not UTF-8"},
		{"bidi", minimal + "# \u202e\n", "t:5:3: character U+202E is not allowed"},
		{"line-break", minimal + "# \u2028 name: x\n", "t:5:3: character U+2028 is not allowed"},
		{"id-userinfo", strings.Replace(minimal, "https://", "https://a:b@", 1), "t:1:12: entity_id must not hold a user name"},
		{"id-query", strings.Replace(minimal, ".example", ".example?a", 1), "t:1:12: entity_id must not have a query"},
		{"id-slash", strings.Replace(minimal, ".example", ".example/", 1), "t:1:12: entity_id must not end in a slash"},
		{"id-case", strings.Replace(minimal, "node", "Node", 1), "t:1:12: entity_id must have a lower case host"},
		{"alpha-2", strings.Replace(minimal, "KAZ", "KZ", 1), "t:2:15: jurisdiction must be an ISO 3166-1 alpha-3 code"},
		{"home", minimal + "data_dir: ~/tamga\n", "t:5:11: data_dir must not start with ~"},
		{"api-all", minimal + "listen: {api: ':7443'}\n", "t:5:15: listen.api must be a loopback address: it has no TLS of its own: bind it to 127.0.0.1 and put a TLS proxy in front"},
		{"api-name", minimal + "listen: {api: 'localhost.example:7443'}\n", "listen.api must be a loopback address"},
		{"api-port", minimal + "listen: {api: '127.0.0.1:http'}\n", "listen.api must end in a port"},
		{"same-server", minimal + "listen: {federation: '127.0.0.1:7443'}\n", "t:5:22: listen.federation is the address of listen.api"},
		{"no-addresses", minimal + "listen: {libp2p: []}\n", "t:5:18: listen.libp2p is an empty list"},
		{"same-address", minimal + "listen: {libp2p: [/ip4/1.2.3.4/tcp/1, /ip4/1.2.3.4/tcp/1]}\n", "t:5:39: listen.libp2p has the same entry twice"},
		{"multiaddr-ip", minimal + "listen: {libp2p: [/ip4/1.2.3/tcp/1]}\n", "must have an IPv4 address"},
		{"multiaddr-kind", minimal + "listen: {libp2p: [/unix/a/b/c]}\n", "must start with /ip4"},
		{"multiaddr-transport", minimal + "listen: {libp2p: [/ip4/1.2.3.4/sctp/1]}\n", "must name /tcp or /udp"},
		{"advertise-any", minimal + "listen: {advertise: [/ip4/0.0.0.0/tcp/1]}\n", "must be an address peers can connect to"},
		{"advertise-zero", minimal + "listen: {advertise: [/ip4/1.2.3.4/tcp/0]}\n", "must have a port peers can connect to"},
		{"refresh-unit", minimal + "trust: {refresh: '60'}\n", "t:5:18: trust.refresh must be a duration with a unit"},
		{"subordinates-many", minimal + "trust: {subordinates: 33}\n", "trust.subordinates"},
		{"staleness-short", minimal + "trust: {staleness: 59s}\n", "trust.staleness must be from 1m to 720h"},
		{"staleness-unit", minimal + "trust: {mark_staleness: 6}\n", "trust.mark_staleness must be a duration with a unit"},
		{"private-word", minimal + "trust: {allow_private_addresses: 'yes'}\n", "trust.allow_private_addresses must be true or false"},
		{"superior-no-url", minimal + "trust: {superiors: [kaz]}\n", "trust.superiors is not a URL with a host"},
		{"refresh-short", minimal + "trust: {refresh: 999ms}\n", "trust.refresh must be from 1s to 24h"},
		{"anchor-keys", minimal + "trust: {anchors: [{entity_id: https://a.example}]}\n", `t:5:19: key "trust.anchors.keys_file" is missing`},
		{"anchor-twice", minimal + "trust: {anchors: [{entity_id: https://a.example, keys_file: a}, {entity_id: https://a.example, keys_file: b}]}\n", "trust.anchors names one entity_id twice"},
		{"location-http", minimal + "trust: {locations: {https://a.example: http://10.0.0.1}}\n", "trust.locations must be an https URL, or http on a loopback address"},
		{"level", minimal + "log: {level: INFO}\n", "t:5:14: log.level must be debug, info, warn or error"},
		{"long", minimal + "#" + strings.Repeat("a", 64<<10), "t:1:1: file is longer than 65536 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := config.Parse("t", []byte(c.src))
			var wrong *config.Errors
			if !errors.As(err, &wrong) {
				t.Fatalf("error is %v", err)
			}
			for _, p := range wrong.Problems {
				if strings.Contains(p.String(), c.want) {
					return
				}
			}
			t.Errorf("got %v, want %q", wrong.Problems, c.want)
		})
	}
}

func TestLoadMissing(t *testing.T) {
	if _, err := config.Load(filepath.Join(t.TempDir(), "none.yaml")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error is %v, want fs.ErrNotExist", err)
	}
	if _, err := config.Load(t.TempDir()); err == nil {
		t.Error("a folder loads")
	}
}

func TestSecretsAreMasked(t *testing.T) {
	for _, line := range []string{"passphrase: hunter2", "  Password : hunter2", `{api_key: "hunter2"}`, "x: {token: hunter2, y: z}", "private-seed: hunter2 # note", "passphrase: [hunter2"} {
		_, err := config.Parse("t", []byte(line+"\n"))
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q is shown as\n%v", line, err)
		}
	}
}

func sample() config.Config {
	return config.Config{
		EntityID: "https://node.kgz.example", Jurisdiction: "KGZ", Name: `Agency "Infocom" #1: true`,
		DataDir: "data", Policy: config.Policy{Law: "law.cedar"},
		Trust: config.Trust{
			Anchors:   []config.Anchor{{EntityID: "https://anchor.example", KeysFile: "anchor.jwks.json", Location: "http://127.0.0.1:9000"}},
			Locations: map[string]string{"https://node.kaz.example": "http://127.0.0.1:9001", "https://node.uzb.example": "http://127.0.0.1:9002"},
		},
	}
}

func TestMarshal(t *testing.T) {
	text, err := sample().Marshal()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "init.golden.yaml", string(text))
	parsed, err := config.Parse("/srv/tamga.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	again, err := parsed.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	back, err := config.Parse("/elsewhere/tamga.yaml", again)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(parsed, back); diff != "" {
		t.Errorf("round trip differs:\n%s", diff)
	}
	if _, err := (config.Config{}).Marshal(); err == nil {
		t.Error("the zero configuration is written")
	}
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "tamga.yaml")
	c := sample()
	c.DataDir = filepath.Join(dir, "state")
	if err := c.Write(path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(text, []byte(dir)) {
		t.Error("the file names its own folder and cannot be moved")
	}
	got, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if got.DataDir != c.DataDir || got.Policy.Law != filepath.Join(dir, "law.cedar") || got.Name != c.Name {
		t.Errorf("got %+v", got)
	}
	if err := c.Write(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("second write: %v, want fs.ErrExist", err)
	}
	other := filepath.Join(dir, "other.yaml")
	c.Listen.API = "0.0.0.0:1"
	var wrong *config.Errors
	if err := c.Write(other); !errors.As(err, &wrong) {
		t.Errorf("an invalid configuration: %v", err)
	}
	if _, err := os.Stat(other); !errors.Is(err, fs.ErrNotExist) {
		t.Error("an invalid configuration was written")
	}
}

func TestLogValue(t *testing.T) {
	var b bytes.Buffer
	slog.New(slog.NewTextHandler(&b, nil)).Info("start", slog.Any("config", sample()))
	if !strings.Contains(b.String(), "config.entity_id=https://node.kgz.example") || strings.Contains(b.String(), "Infocom") {
		t.Errorf("log line is %s", b.String())
	}
}

func ExampleParse() {
	_, err := config.Parse("tamga.yaml", []byte("entity_id: https://node.kaz.example\njurisdction: KAZ\nname: Agency\npolicy: {law: law.cedar}\n"))
	fmt.Println(err)
	// Output:
	// reading configuration: 1 problem
	// tamga.yaml:2:1: unknown key "jurisdction": did you mean "jurisdiction"?
	//     2 | jurisdction: KAZ
	//       | ^
}

// TestMisplacedKeys: the hints know every key the reader knows.
func TestMisplacedKeys(t *testing.T) {
	const nonsense = "qqqqqqqqqqqq"
	checked := 0
	for _, section := range []string{"", "listen", "trust", "store", "pseudonym", "policy", "recovery", "budgets", "gallery", "identify", "limits", "log"} {
		src := nonsense + ": x\n"
		if section != "" {
			src = section + ": {" + nonsense + ": x}\n"
		}
		for _, key := range strings.Split(hintOf(t, src, nonsense), ", ") {
			key = strings.TrimPrefix(key, "known here: ")
			elsewhere, want := "trust", fmt.Sprintf("it belongs under %q", section)
			if section == "trust" {
				elsewhere = "log"
			}
			if section == "" {
				want = "it belongs at the top level"
			}
			if got := hintOf(t, elsewhere+": {"+key+": x}\n", key); got != want {
				t.Errorf("%s under %s: hint %q, want %q", key, elsewhere, got, want)
			}
			checked++
		}
	}
	if checked != 61 {
		t.Errorf("checked %d keys, want 61", checked)
	}
}

// hintOf gives the hint beside the unknown key.
func hintOf(t *testing.T, src, key string) string {
	t.Helper()
	_, err := config.Parse("t", []byte(src))
	var wrong *config.Errors
	if errors.As(err, &wrong) {
		for _, p := range wrong.Problems {
			if p.Message == fmt.Sprintf("unknown key %q", key) {
				return p.Hint
			}
		}
	}
	t.Fatalf("no unknown key %s in %v", key, err)
	return ""
}
