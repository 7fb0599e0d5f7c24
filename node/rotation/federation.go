package rotation

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/historicalkeys"
	"github.com/tamga-id/tamga/node/backup"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/internal/durable"
	"github.com/tamga-id/tamga/node/keys"
)

// ErrHistory: the list of retired federation keys is not what the node wrote.
var ErrHistory = errors.New(backup.HistoricalKeys + " is not signed by the node: put it back as it was, or remove it, and backups under the keys that only it names count as damaged")

// ErrUnannounced refuses to destroy federation keys while the Entity Configuration does not
// name the one that took their place, so that nobody could verify anything of the node.
var ErrUnannounced = errors.New("the node has not run since the present federation key was made, and nobody knows that key")

// keepHistory adds the federation keys before the current one, which are about to be
// destroyed, to the node's list of those ([backup.HistoricalKeys]), and signs that with the
// current one. It comes first: a key that is listed and still there does no harm, and one
// that is gone and listed nowhere leaves backups that nobody can tell from forged ones.
func keepHistory(configFile string, g keys.Generations, now time.Time) error {
	cfg, err := config.Load(configFile)
	if err != nil {
		return err
	}
	dir := filepath.Dir(configFile)
	current, _, err := federationKeys(g)
	if err != nil {
		return err
	}
	if ok, err := announces(dir, current.Public()); err != nil || !ok {
		return errors.Join(fmt.Errorf("retiring %s: %w", keys.Federation, ErrUnannounced), err)
	}
	return AddHistory(filepath.Join(dir, backup.HistoricalKeys), trust.EntityID(cfg.EntityID), g, false, now)
}

// AddHistory adds the federation keys before the current one to the file of those that the
// Entity has retired, and signs that with the current one; durable on return. stolen says
// that somebody else may have them, so that nothing they have signed is to be believed.
func AddHistory(file string, entity trust.EntityID, g keys.Generations, stolen bool, now time.Time) error {
	current, all, err := federationKeys(g)
	if err != nil {
		return err
	}
	former, err := ReadHistory(file, entity, all, now)
	if err != nil {
		return err
	}
	for _, n := range g.Numbers() {
		if n >= g.Current {
			continue
		}
		k, err := jose.NewPrivateKey(g.Secrets[n])
		if err != nil {
			return err
		}
		public := k.Public()
		former = slices.DeleteFunc(former, func(f historicalkeys.Key) bool { return f.Key.KeyID() == public.KeyID() })
		// What was signed in this very second was signed under it.
		key := historicalkeys.Key{Key: public, IssuedAt: g.Since[n], ExpiresAt: now.Add(time.Second)}
		if stolen {
			key.RevokedAt, key.Reason = now, historicalkeys.Compromised
		}
		former = append(former, key)
	}
	token, err := historicalkeys.Sign(current, entity, former, now)
	if err != nil {
		return err
	}
	return durable.Replace(file, []byte(token+"\n"))
}

// federationKeys are the current one, and the public keys of all generations.
func federationKeys(g keys.Generations) (current jose.PrivateKey, all jose.KeySet, err error) {
	var public []jose.PublicKey
	for i, seed := range g.Ordered() {
		k, err := jose.NewPrivateKey(seed)
		if err != nil {
			return current, all, err
		}
		if i == 0 {
			current = k
		}
		public = append(public, k.Public())
	}
	return current, jose.NewKeySet(public...), nil
}

// announces reports whether the Entity Configuration in the folder names the key.
func announces(dir string, k jose.PublicKey) (bool, error) {
	b, err := os.ReadFile(filepath.Join(dir, backup.EntityConfiguration))
	if err != nil {
		return false, fmt.Errorf("reading entity configuration: %w", err)
	}
	s, err := trust.ParseStatement(strings.TrimSpace(string(b)))
	if err != nil {
		return false, fmt.Errorf("reading entity configuration: %w", err)
	}
	_, ok := s.Keys().Key(k.KeyID())
	return ok, nil
}

// ReadHistory reads the federation keys that the Entity has retired, signed with one of its present
// ones; none when there is no file.
func ReadHistory(file string, entity trust.EntityID, by jose.KeySet, now time.Time) ([]historicalkeys.Key, error) {
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading historical keys: %w", err)
	}
	former, err := historicalkeys.Verify(strings.TrimSpace(string(b)), entity, by, now)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrHistory, err)
	}
	return former, nil
}
