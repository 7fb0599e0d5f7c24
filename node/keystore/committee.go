package keystore

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/holder"
	"github.com/tamga-id/tamga/node/internal/durable"
	"github.com/tamga-id/tamga/node/keys"
)

// The pseudonym key may be with a committee of holders (node/holder), none of whom has it
// whole. The node's keystore then has its public key in the place of the secret, and the
// configuration names the file of the committee, which counts only if it is of that key.

const (
	CommitteeFile     = "pseudonym-holders.json"
	labelHolderClient = "tamga/v1/holder-client"
)

// ErrCommittee: the pseudonym key is with holders, and the file that says who they are is
// missing or of others.
var ErrCommittee = errors.New("the pseudonym key is with holders that the configuration does not name")

// configuredCommittee reads the committee that the configuration in dir names.
func configuredCommittee(dir string) (holder.Committee, error) {
	cfg, err := config.Load(filepath.Join(dir, config.File))
	if err != nil {
		return holder.Committee{}, err
	}
	return ReadCommittee(cfg)
}

// ReadCommittee reads the committee that the configuration names: [ErrCommittee] when it
// names none.
func ReadCommittee(cfg config.Config) (holder.Committee, error) {
	if cfg.Pseudonym.Holders == "" {
		return holder.Committee{}, ErrCommittee
	}
	b, err := custody.ReadFile(cfg.Pseudonym.Holders)
	if err != nil {
		return holder.Committee{}, fmt.Errorf("%w: %w", ErrCommittee, err)
	}
	return holder.ParseCommittee(b)
}

// askHolders makes the keys of the generations that holders have, of which those are the
// public keys. The committee's file is of one of them; of the others, factors tell.
func (k *Set) askHolders(shared map[uint32][]byte, secrets map[string][]byte, committee func() (holder.Committee, error)) (map[uint32]pseudonym.Key, error) {
	base, err := committee()
	if err != nil {
		return nil, err
	}
	out := make(map[uint32]pseudonym.Key, len(shared))
	for _, n := range slices.Sorted(maps.Keys(shared)) {
		c, err := committeeOf(base, shared[n], secrets)
		if err != nil {
			return nil, fmt.Errorf("generation %d: %w", n, err)
		}
		client, err := holder.NewClient(c, clientKey(k.Gallery))
		if err != nil {
			return nil, fmt.Errorf("generation %d: %w", n, err)
		}
		k.Holders, out[n] = append(k.Holders, client), client.Key()
		before, ok := out[n-1]
		if factor := secrets[FactorName(n)]; ok && factor != nil {
			if out[n], err = out[n].After(before.Public(), factor); err != nil {
				return nil, fmt.Errorf("generation %d: %w", n, err)
			}
		}
	}
	return out, nil
}

// committeeOf is the committee that holds the key: base, or one of which base's key is the
// multiple or the other way round.
func committeeOf(base holder.Committee, public []byte, secrets map[string][]byte) (holder.Committee, error) {
	holds := func(c holder.Committee) bool {
		p, err := c.Public()
		return err == nil && bytes.Equal(p.Bytes(), public)
	}
	if holds(base) {
		return base, nil
	}
	for name, factor := range secrets {
		if !strings.HasPrefix(name, factorPrefix) {
			continue
		}
		inverse, err := pseudonym.InvertFactor(factor)
		if err != nil {
			return holder.Committee{}, fmt.Errorf("%w: %w", custody.ErrNoSecret, err)
		}
		for _, f := range [][]byte{factor, inverse} {
			if c, err := base.Times(f); err == nil && holds(c) {
				return c, nil
			}
		}
	}
	return holder.Committee{}, fmt.Errorf("%w: they hold another key", ErrCommittee)
}

// Of a generation that is the multiple of the one before, the factor is the secret
// "pseudonym-factor/" and the generation's number. It goes when the one before is retired.
const factorPrefix = "pseudonym-factor/"

// FactorName is the name of the secret with the factor of generation n.
func FactorName(n uint32) string { return factorPrefix + strconv.FormatUint(uint64(n), 10) }

// ReplacementFile carries a factor to the holders; it lies in the node's folder.
const ReplacementFile = "pseudonym-replacement.json"

// clientKey is what holders know the node by.
func clientKey(gallery custody.Root) ed25519.PrivateKey {
	return holder.ClientKey(gallery.Derive(labelHolderClient))
}

// HolderClient returns the key of the node in dir that holders of the pseudonym key know it
// by: they must answer it, and take replacements that it signed.
func HolderClient(dir string, root custody.Root) (ed25519.PrivateKey, error) {
	secrets, err := OpenSecrets(dir, root)
	if err != nil {
		return nil, err
	}
	defer WipeSecrets(secrets)
	g, err := custody.NewRoot(secrets[secretGallery])
	if err != nil {
		return nil, fmt.Errorf("loading gallery key: %w", err)
	}
	defer g.Wipe()
	return clientKey(g), nil
}

// settleFactors ends the overlap of two keys of one committee, once the one before is
// retired: the committee's file becomes that of the current key, and then the factor goes.
func settleFactors(dir string, secrets map[string][]byte) error {
	g, err := keys.Of(secrets, keys.Pseudonym)
	if err != nil {
		return err
	}
	name := FactorName(g.Current)
	if _, ok := secrets[name]; !ok || g.Oldest() < g.Current {
		return nil
	}
	cfg, err := config.Load(filepath.Join(dir, config.File))
	if err != nil {
		return err
	}
	base, err := ReadCommittee(cfg)
	if err != nil {
		return err
	}
	public, _ := keys.Shared(g.Secrets[g.Current])
	c, err := committeeOf(base, public, secrets)
	if err != nil {
		return err
	}
	if err := durable.Replace(cfg.Pseudonym.Holders, c.Encode()); err != nil {
		return err
	}
	if err := durable.Folders(filepath.Dir(cfg.Pseudonym.Holders)); err != nil {
		return err
	}
	delete(secrets, name)
	if err := os.Remove(filepath.Join(dir, ReplacementFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// ShareSecrets takes the committee's key in the place of the pseudonym key that was made.
func ShareSecrets(secrets map[string][]byte, c holder.Committee, now time.Time) error {
	public, err := c.Public()
	if err != nil {
		return err
	}
	maps.DeleteFunc(secrets, func(name string, _ []byte) bool { return isPseudonymSecret(name) })
	return keys.AddShared(secrets, public.Bytes(), now)
}
