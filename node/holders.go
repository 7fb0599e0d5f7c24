package node

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/holder"
	"github.com/tamga-id/tamga/node/internal/durable"
	"github.com/tamga-id/tamga/node/keys"
	"github.com/tamga-id/tamga/node/ledgers"
)

// The pseudonym key may be with a committee of holders (node/holder), none of whom has it
// whole. The node's keystore then has its public key in the place of the secret, and the
// configuration names the file of the committee, which counts only if it is of that key.

const (
	committeeFile     = "pseudonym-holders.json"
	labelHolderClient = "tamga/v1/holder-client"
)

// ErrCommittee: the pseudonym key is with holders, and the file that says who they are is
// missing or of others.
var ErrCommittee = errors.New("the pseudonym key is with holders that the configuration does not name")

// configuredCommittee reads the committee that the configuration in dir names.
func configuredCommittee(dir string) (holder.Committee, error) {
	cfg, err := config.Load(filepath.Join(dir, ConfigFile))
	if err != nil {
		return holder.Committee{}, err
	}
	return readCommittee(cfg)
}

func readCommittee(cfg config.Config) (holder.Committee, error) {
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
func (k *keySet) askHolders(shared map[uint32][]byte, secrets map[string][]byte, committee func() (holder.Committee, error)) (map[uint32]pseudonym.Key, error) {
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
		client, err := holder.NewClient(c, clientKey(k.gallery))
		if err != nil {
			return nil, fmt.Errorf("generation %d: %w", n, err)
		}
		k.holders, out[n] = append(k.holders, client), client.Key()
		before, ok := out[n-1]
		if factor := secrets[factorName(n)]; ok && factor != nil {
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

func factorName(n uint32) string { return factorPrefix + strconv.FormatUint(uint64(n), 10) }

// ReplacementFile carries a factor to the holders; it lies in the node's folder.
const ReplacementFile = "pseudonym-replacement.json"

// clientKey is what holders know the node by.
func clientKey(gallery custody.Root) ed25519.PrivateKey {
	return holder.ClientKey(gallery.Derive(labelHolderClient))
}

// HolderClient returns the public key that holders of the pseudonym key must answer, of
// the node in dir.
func HolderClient(dir string, root custody.Root) (ed25519.PublicKey, error) {
	secrets, err := openSecrets(dir, root)
	if err != nil {
		return nil, err
	}
	defer wipeSecrets(secrets)
	g, err := custody.NewRoot(secrets[secretGallery])
	if err != nil {
		return nil, fmt.Errorf("loading gallery key: %w", err)
	}
	defer g.Wipe()
	return clientKey(g).Public().(ed25519.PublicKey), nil
}

// PreparePseudonymHolders does what PrepareKey does, with the key of the committee that the
// configuration names: people move to it at activation, and only to multiples of it from
// then on. Where that is the current key already, its multiple by a new factor is prepared,
// and [ReplacementFile] written, which every holder must be given before the activation;
// replaced says so. Done again, it writes that file again.
func PreparePseudonymHolders(configFile string, roots Roots) (number uint32, replaced bool, err error) {
	dir := filepath.Dir(configFile)
	cfg, err := config.Load(configFile)
	if err != nil {
		return 0, false, err
	}
	c, err := readCommittee(cfg)
	if err != nil {
		return 0, false, fmt.Errorf("preparing %s: %w", keys.Pseudonym, err)
	}
	var factor []byte
	defer func() { clear(factor) }()
	err = roots.update(dir, keys.Pseudonym, func(secrets map[string][]byte) (err error) {
		number, factor, err = prepareShared(secrets, c)
		return err
	})
	if factor == nil || err != nil && !errors.Is(err, keys.ErrPrepared) {
		return number, false, err
	}
	// The file is made of what is in the keystore, so that it may be lost.
	r, made := c.Replace(factor)
	if made == nil {
		made = durable.Replace(filepath.Join(dir, ReplacementFile), r.Encode())
	}
	return number, true, errors.Join(err, made)
}

// prepareShared prepares the committee's key, or its multiple by factor.
func prepareShared(secrets map[string][]byte, c holder.Committee) (number uint32, factor []byte, err error) {
	g, err := keys.Of(secrets, keys.Pseudonym)
	if err != nil {
		return 0, nil, err
	}
	public, err := c.Public()
	if err != nil {
		return 0, nil, err
	}
	current, shared := keys.Shared(g.Secrets[g.Current])
	if !shared {
		number, err = keys.PrepareShared(secrets, public.Bytes())
		return number, nil, err
	}
	if !bytes.Equal(current, public.Bytes()) {
		if _, old := secrets[factorName(g.Current)]; old {
			return 0, nil, fmt.Errorf("preparing %s: generation %d is not retired yet: %w", keys.Pseudonym, g.Current-1, keys.ErrPrepared)
		}
		return 0, nil, fmt.Errorf("preparing %s: %w: they hold another key", keys.Pseudonym, ErrCommittee)
	}
	if was := secrets[factorName(g.Current+1)]; was != nil {
		number, err = keys.Prepare(secrets, keys.Pseudonym) // says that it is prepared
		return number, bytes.Clone(was), err
	}
	if factor, err = pseudonym.NewFactor(); err != nil {
		return 0, nil, err
	}
	next, err := public.Times(factor)
	if err != nil {
		return 0, nil, err
	}
	if number, err = keys.PrepareShared(secrets, next.Bytes()); err == nil {
		secrets[factorName(number)] = bytes.Clone(factor)
	}
	return number, factor, err
}

// settleFactors ends the overlap of two keys of one committee, once the one before is
// retired: the committee's file becomes that of the current key, and then the factor goes.
func settleFactors(dir string, secrets map[string][]byte) error {
	g, err := keys.Of(secrets, keys.Pseudonym)
	if err != nil {
		return err
	}
	name := factorName(g.Current)
	if _, ok := secrets[name]; !ok || g.Oldest() < g.Current {
		return nil
	}
	cfg, err := config.Load(filepath.Join(dir, ConfigFile))
	if err != nil {
		return err
	}
	base, err := readCommittee(cfg)
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

// checkHolders asks the holders of a prepared generation for a pseudonym of nobody, so that
// it is not activated before as many answer for it as are needed.
func checkHolders(dir string, roots Roots) error {
	return ofPrepared(dir, roots, func(k keySet, n uint32, nobody pseudonym.Identifier) error {
		_, err := k.pseudonyms.Key(n).Element(nobody)
		return err
	})
}

// EveryHolderReady asks all of the holders of a prepared generation that replaces another of
// theirs. Who has no share of it when that is retired gets none any more: nobody has the
// factor then.
func EveryHolderReady(dir string, roots Roots) error {
	return ofPrepared(dir, roots, func(k keySet, _ uint32, nobody pseudonym.Identifier) error {
		if len(k.holders) < 2 {
			return nil
		}
		return k.holders[len(k.holders)-1].Everyone(nobody)
	})
}

// ofPrepared calls f when holders have the prepared generation of the pseudonym key.
func ofPrepared(dir string, roots Roots, f func(k keySet, n uint32, nobody pseudonym.Identifier) error) error {
	cfg, err := config.Load(filepath.Join(dir, ConfigFile))
	if err != nil {
		return err
	}
	k, err := openKeys(dir, roots, cfg.EntityID, ledgers.Number(cfg))
	if err != nil {
		return err
	}
	defer k.wipe()
	if k.pseudonyms == nil || len(k.holders) == 0 {
		return nil
	}
	newest := slices.Max(k.pseudonyms.Generations())
	if newest == k.pseudonyms.Current() {
		return nil
	}
	return f(k, newest, pseudonym.Identifier{Jurisdiction: cfg.Jurisdiction, Type: pseudonym.IDPassport, Value: "0"})
}

// mayReplace refuses to prepare a key that people cannot be moved to.
func mayReplace(secrets map[string][]byte) error {
	g, err := keys.Of(secrets, keys.Pseudonym)
	if err != nil {
		return err
	}
	if _, shared := keys.Shared(g.Secrets[g.Current]); shared {
		return fmt.Errorf("preparing %s: %w", keys.Pseudonym, pseudonym.ErrShared)
	}
	return nil
}

// watchHolders logs who of the holders fails or lies, for as long as they are asked.
func (n *Node) watchHolders(ctx context.Context, k keySet) {
	ctx = context.WithoutCancel(ctx)
	for _, c := range k.holders {
		c.Watch(func(f holder.Failure) {
			if f.Lies {
				n.log.ErrorContext(ctx, "pseudonym holder lies", slog.String("holder", f.Holder))
			} else {
				n.log.WarnContext(ctx, "pseudonym holder failed", slog.String("holder", f.Holder), slog.String("cause", f.Err.Error()))
			}
		})
	}
}
