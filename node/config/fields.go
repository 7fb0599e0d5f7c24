package config

import (
	"net"
	"path/filepath"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"
)

// Limits of lists.
const (
	maxAddresses = 16
	maxAnchors   = 16
	maxLocations = 256
	// maxSubordinates is how many nodes below one other countries take (package directory).
	maxSubordinates = 32
)

// config reads the root mapping and fills in defaults. What it returns is of use only if there is no problem.
func (w *walker) config(root *yaml.Node) Config {
	c := Config{
		DataDir: w.path(defaultDataDir),
		Listen:  Listen{LibP2P: defaultListen(), API: DefaultAPI},
		Trust:   Trust{Refresh: defaultRefresh, MarkStaleness: defaultMarkStaleness},
		Store:   Store{Engine: EngineBadger},
		Log:     Log{Level: defaultLevel},
	}
	w.mapping(root, "",
		entry{"entity_id", true, w.into(&c.EntityID, ruleEntityID)},
		entry{"jurisdiction", true, w.into(&c.Jurisdiction, ruleJurisdiction)},
		entry{"name", true, w.into(&c.Name, ruleName)},
		entry{"data_dir", false, w.intoPath(&c.DataDir)},
		entry{"listen", false, func(n *yaml.Node, path string) { w.listen(n, path, &c.Listen) }},
		entry{"trust", false, func(n *yaml.Node, path string) { w.trust(n, path, &c.Trust) }},
		entry{"store", false, func(n *yaml.Node, path string) { w.store(n, path, &c.Store) }},
		entry{"kek", false, func(n *yaml.Node, path string) {
			w.mapping(n, path, entry{"retention", false, func(n *yaml.Node, path string) {
				if s := w.text(n, path, ruleRetention); s != "" {
					c.KEK.Retention, _ = parseDays(s)
				}
			}})
		}},
		entry{"backup", false, func(n *yaml.Node, path string) { w.backup(n, path, &c.Backup) }},
		entry{"pseudonym", false, func(n *yaml.Node, path string) { w.pseudonym(n, path, &c.Pseudonym) }},
		entry{"policy", true, func(n *yaml.Node, path string) {
			w.mapping(n, path,
				entry{"law", true, w.intoPath(&c.Policy.Law)},
				entry{"calibrations", false, w.paths(&c.Policy.Calibrations)},
				entry{"offices", false, w.paths(&c.Policy.Offices)},
			)
		}},
		entry{"biometric_data", false, func(n *yaml.Node, path string) { w.inventory(n, path, &c.BiometricData) }},
		entry{"recovery", false, func(n *yaml.Node, path string) {
			w.mapping(n, path,
				entry{"checkpoint_file", false, w.intoPath(&c.Recovery.CheckpointFile)},
				entry{"operators", false, w.paths(&c.Recovery.Operators)},
			)
		}},
		entry{"budgets", false, func(n *yaml.Node, path string) { w.budgets(n, path, &c.Budgets) }},
		entry{"gallery", false, func(n *yaml.Node, path string) {
			w.mapping(n, path, entry{"keep_identifiers", false, w.truth(&c.Gallery.KeepIdentifiers)})
		}},
		entry{"identify", false, func(n *yaml.Node, path string) { w.identify(n, path, &c.Identify) }},
		entry{"limits", false, func(n *yaml.Node, path string) {
			w.mapping(n, path,
				entry{"handlers", false, w.number(&c.Limits.Handlers, 1, 4096)},
				entry{"rate", false, w.number(&c.Limits.Rate, 1, 1_000_000)},
				entry{"bytes", false, w.number(&c.Limits.Bytes, 1<<10, 1<<32)},
				entry{"quantum_ms", false, w.number(&c.Limits.Quantum, 1, 1000)},
				entry{"memory", false, w.number(&c.Limits.Memory, 16<<20, 1<<40)},
			)
		}},
		entry{"log", false, func(n *yaml.Node, path string) {
			w.mapping(n, path, entry{"level", false, w.into(&c.Log.Level, ruleLevel)})
		}},
	)
	w.named(root, c)
	if c.Recovery.CheckpointFile == "" {
		c.Recovery.CheckpointFile = DefaultCheckpointFile(w.base, c.EntityID)
	}
	return c
}

func (w *walker) listen(n *yaml.Node, path string, l *Listen) {
	federation, metrics := n, n
	w.mapping(n, path,
		entry{"libp2p", false, w.addresses(&l.LibP2P, ruleMultiaddr)},
		entry{"advertise", false, w.addresses(&l.Advertise, ruleAdvertise)},
		entry{"api", false, w.into(&l.API, ruleLoopback)},
		entry{"federation", false, func(n *yaml.Node, path string) {
			federation = n
			w.into(&l.Federation, ruleHostPort)(n, path)
		}},
		entry{"metrics", false, func(n *yaml.Node, path string) {
			metrics = n
			w.into(&l.Metrics, ruleLoopback)(n, path)
		}},
	)
	if _, port, _ := net.SplitHostPort(l.API); l.Federation == l.API && port != "0" {
		w.add(federation, join(path, "federation"), "", "listen.federation is the address of listen.api: they are two servers")
	}
	if _, port, _ := net.SplitHostPort(l.Metrics); l.Metrics != "" && port != "0" && (l.Metrics == l.API || l.Metrics == l.Federation) {
		w.add(metrics, join(path, "metrics"), "", "listen.metrics is the address of another server of the node")
	}
}

func (w *walker) store(n *yaml.Node, path string, s *Store) {
	w.mapping(n, path,
		entry{"engine", false, w.into(&s.Engine, ruleEngine)},
		entry{"dsn_file", false, w.intoPath(&s.DSNFile)},
	)
	switch {
	case s.Engine == EnginePostgres && s.DSNFile == "":
		w.add(n, join(path, "dsn_file"), "write the connection string to a file that only the node's user can read",
			"store.dsn_file is missing: postgres needs to know its database")
	case s.Engine == EngineBadger && s.DSNFile != "":
		w.add(n, join(path, "dsn_file"), "set store.engine to postgres, or leave this out", "store.dsn_file is of no use to badger")
	}
}

func (w *walker) backup(n *yaml.Node, path string, b *Backup) {
	w.mapping(n, path,
		entry{"escrow_file", false, w.intoPath(&b.EscrowFile)},
		entry{"escrow_recipients", false, w.intoPath(&b.EscrowRecipients)},
	)
	if (b.EscrowFile == "") != (b.EscrowRecipients == "") {
		w.add(n, path, "name both, or neither", "backup.escrow_file and backup.escrow_recipients belong together")
	}
}

func (w *walker) pseudonym(n *yaml.Node, path string, p *Pseudonym) {
	w.mapping(n, path, entry{"holders", false, w.intoPath(&p.Holders)}, entry{"keystore", false, func(n *yaml.Node, path string) {
		w.intoPath(&p.Keystore)(n, path)
		if r, err := filepath.Rel(w.base, p.Keystore); p.Keystore != "" && !w.nowhere && err == nil && filepath.IsLocal(r) {
			w.add(n, path, "name a folder on another disk, with an absolute path",
				"pseudonym.keystore lies in the node's folder: whoever takes that has both")
		}
	}})
}

func (w *walker) trust(n *yaml.Node, path string, t *Trust) {
	w.mapping(n, path,
		entry{"anchors", false, func(n *yaml.Node, path string) {
			known := map[string]bool{}
			w.list(n, path, maxAnchors, func(element *yaml.Node) {
				a := w.anchor(element, path)
				if a.EntityID != "" && known[a.EntityID] {
					w.add(element, path, "", "%s names one entity_id twice", path)
				}
				known[a.EntityID] = true
				t.Anchors = append(t.Anchors, a)
			})
		}},
		entry{"refresh", false, func(n *yaml.Node, path string) {
			if s := w.text(n, path, ruleRefresh); s != "" {
				t.Refresh, _ = time.ParseDuration(s)
			}
		}},
		entry{"superiors", false, func(n *yaml.Node, path string) {
			w.list(n, path, maxAnchors, func(element *yaml.Node) {
				if s := w.text(element, path, ruleEntityID); s != "" {
					t.Superiors = append(t.Superiors, s)
				}
			})
		}},
		entry{"subordinates", false, w.number(&t.Subordinates, 0, maxSubordinates)},
		entry{"staleness", false, w.intoStaleness(&t.Staleness)},
		entry{"marks", false, w.paths(&t.Marks)},
		entry{"mark_staleness", false, w.intoStaleness(&t.MarkStaleness)},
		entry{"proxy", false, w.into(&t.Proxy, ruleProxy)},
		entry{"allow_private_addresses", false, w.truth(&t.AllowPrivate)},
		entry{"locations", false, func(n *yaml.Node, path string) { t.Locations = w.locations(n, path) }},
	)
}

func (w *walker) intoStaleness(d *time.Duration) func(*yaml.Node, string) {
	return func(n *yaml.Node, path string) {
		if s := w.text(n, path, ruleStaleness); s != "" {
			*d, _ = time.ParseDuration(s)
		}
	}
}

func (w *walker) anchor(n *yaml.Node, path string) Anchor {
	var a Anchor
	w.mapping(n, path,
		entry{"entity_id", true, w.into(&a.EntityID, ruleEntityID)},
		entry{"keys_file", true, w.intoPath(&a.KeysFile)},
		entry{"location", false, w.into(&a.Location, ruleAnchorLocation)},
	)
	return a
}

// locations reads a mapping whose keys are Entity Identifiers.
func (w *walker) locations(n *yaml.Node, path string) map[string]string {
	out := map[string]string{}
	w.pairs(n, path, func(key, value *yaml.Node) {
		if len(out) == maxLocations {
			w.add(key, path, "", "%s has more than %d elements", path, maxLocations)
		}
		if message, hint := ruleEntityID(key.Value); message != "" {
			w.add(key, path, hint, "key of %s %s", path, message)
			return
		}
		out[key.Value] = w.text(value, path, ruleLocation)
	})
	if len(out) == 0 {
		return nil
	}
	return out
}

// addresses reads a list of strings, each once.
func (w *walker) addresses(to *[]string, rule func(string) (string, string)) func(*yaml.Node, string) {
	return func(n *yaml.Node, path string) {
		var out []string
		known := map[string]bool{}
		w.list(n, path, maxAddresses, func(element *yaml.Node) {
			s := w.text(element, path, rule)
			if s != "" && known[s] {
				w.add(element, path, "", "%s has the same entry twice", path)
			}
			known[s] = true
			out = append(out, s)
		})
		*to = out
	}
}

// number reads a whole number from least to most into a field; a refused value leaves the field as it is.
func (w *walker) number(to *int, least, most int) func(*yaml.Node, string) {
	return func(n *yaml.Node, path string) {
		if !w.kind(n, yaml.ScalarNode, path, "a whole number") {
			return
		}
		v, err := strconv.Atoi(n.Value)
		if n.ShortTag() != "!!int" || err != nil || v < least || v > most {
			w.add(n, path, "", "%s must be a whole number from %d to %d", path, least, most)
			return
		}
		*to = v
	}
}

// truth reads true or false into a field; a refused value leaves the field as it is.
func (w *walker) truth(to *bool) func(*yaml.Node, string) {
	return func(n *yaml.Node, path string) {
		if !w.kind(n, yaml.ScalarNode, path, "true or false") {
			return
		}
		v, err := strconv.ParseBool(n.Value)
		if n.ShortTag() != "!!bool" || err != nil {
			w.add(n, path, "", "%s must be true or false", path)
			return
		}
		*to = v
	}
}

// into reads a string into a field; a refused value leaves the field as it is.
func (w *walker) into(to *string, rule func(string) (string, string)) func(*yaml.Node, string) {
	return func(n *yaml.Node, path string) {
		if s := w.text(n, path, rule); s != "" {
			*to = s
		}
	}
}

// intoPath reads a path into a field, relative to the folder of the file.
func (w *walker) intoPath(to *string) func(*yaml.Node, string) {
	return func(n *yaml.Node, path string) {
		if s := w.text(n, path, rulePath); s != "" {
			*to = w.path(s)
		}
	}
}

// paths reads a list of files, relative to the folder of the file.
func (w *walker) paths(to *[]string) func(*yaml.Node, string) {
	read := w.addresses(to, rulePath)
	return func(n *yaml.Node, path string) {
		read(n, path)
		for i, p := range *to {
			(*to)[i] = w.path(p)
		}
	}
}

func (w *walker) path(p string) string {
	if filepath.IsAbs(p) {
		return filepath.Clean(p)
	}
	return filepath.Join(w.base, p)
}
