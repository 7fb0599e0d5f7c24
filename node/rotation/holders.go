package rotation

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/holder"
	"github.com/tamga-id/tamga/node/internal/durable"
	"github.com/tamga-id/tamga/node/keys"
	"github.com/tamga-id/tamga/node/keystore"
	"github.com/tamga-id/tamga/node/ledgers"
)

// PreparePseudonymHolders does what PrepareKey does, with the key of the committee that the
// configuration names: people move to it at activation, and only to multiples of it from
// then on. Where that is the current key already, its multiple by a new factor is prepared,
// and [keystore.ReplacementFile] written, which every holder must be given before the activation;
// replaced says so. Done again, it writes that file again.
func PreparePseudonymHolders(configFile string, roots keystore.Roots) (number uint32, replaced bool, err error) {
	dir := filepath.Dir(configFile)
	cfg, err := config.Load(configFile)
	if err != nil {
		return 0, false, err
	}
	c, err := keystore.ReadCommittee(cfg)
	if err != nil {
		return 0, false, fmt.Errorf("preparing %s: %w", keys.Pseudonym, err)
	}
	var factor []byte
	defer func() { clear(factor) }()
	err = roots.Update(dir, keys.Pseudonym, func(secrets map[string][]byte) (err error) {
		number, factor, err = prepareShared(secrets, c)
		return err
	})
	if factor == nil || err != nil && !errors.Is(err, keys.ErrPrepared) {
		return number, false, err
	}
	// The file is made of what is in the keystore, so that it may be lost.
	node, made := keystore.HolderClient(dir, roots.Node)
	defer clear(node)
	var r holder.Replacement
	if made == nil {
		r, made = c.Replace(factor, node)
	}
	if made == nil {
		made = durable.Replace(filepath.Join(dir, keystore.ReplacementFile), r.Encode())
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
		if _, old := secrets[keystore.FactorName(g.Current)]; old {
			return 0, nil, fmt.Errorf("preparing %s: generation %d is not retired yet: %w", keys.Pseudonym, g.Current-1, keys.ErrPrepared)
		}
		return 0, nil, fmt.Errorf("preparing %s: %w: they hold another key", keys.Pseudonym, keystore.ErrCommittee)
	}
	if was := secrets[keystore.FactorName(g.Current+1)]; was != nil {
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
		secrets[keystore.FactorName(number)] = bytes.Clone(factor)
	}
	return number, factor, err
}

// checkHolders asks the holders of a prepared generation for a pseudonym of nobody, so that
// it is not activated before as many answer for it as are needed.
func checkHolders(dir string, roots keystore.Roots) error {
	return ofPrepared(dir, roots, func(k keystore.Set, n uint32, nobody pseudonym.Identifier) error {
		_, err := k.Pseudonyms.Key(n).Element(nobody)
		return err
	})
}

// EveryHolderReady asks all of the holders of a prepared generation that replaces another of
// theirs. Who has no share of it when that is retired gets none any more: nobody has the
// factor then.
func EveryHolderReady(dir string, roots keystore.Roots) error {
	return ofPrepared(dir, roots, func(k keystore.Set, _ uint32, nobody pseudonym.Identifier) error {
		if len(k.Holders) < 2 {
			return nil
		}
		return k.Holders[len(k.Holders)-1].Everyone(nobody)
	})
}

// ofPrepared calls f when holders have the prepared generation of the pseudonym key.
func ofPrepared(dir string, roots keystore.Roots, f func(k keystore.Set, n uint32, nobody pseudonym.Identifier) error) error {
	cfg, err := config.Load(filepath.Join(dir, config.File))
	if err != nil {
		return err
	}
	k, err := keystore.Open(dir, roots, cfg.EntityID, ledgers.Number(cfg))
	if err != nil {
		return err
	}
	defer k.Wipe()
	if k.Pseudonyms == nil || len(k.Holders) == 0 {
		return nil
	}
	newest := slices.Max(k.Pseudonyms.Generations())
	if newest == k.Pseudonyms.Current() {
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
