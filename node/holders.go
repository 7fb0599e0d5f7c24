package node

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/holder"
	"github.com/tamga-id/tamga/node/keys"
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

// askHolders makes the key of which that is the public one and which the committee holds.
func (k *keySet) askHolders(public []byte, committee func() (holder.Committee, error)) (pseudonym.Key, error) {
	c, err := committee()
	if err != nil {
		return pseudonym.Key{}, err
	}
	p, err := c.Public()
	if err != nil {
		return pseudonym.Key{}, err
	}
	if !bytes.Equal(p.Bytes(), public) {
		return pseudonym.Key{}, fmt.Errorf("%w: they hold another key", ErrCommittee)
	}
	if k.holders, err = holder.NewClient(c, clientKey(k.gallery)); err != nil {
		return pseudonym.Key{}, err
	}
	return k.holders.Key(), nil
}

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
// configuration names: people move to it at activation, and no other key can take its
// place afterwards.
func PreparePseudonymHolders(configFile string, roots Roots) (number uint32, err error) {
	cfg, err := config.Load(configFile)
	if err != nil {
		return 0, err
	}
	c, err := readCommittee(cfg)
	if err != nil {
		return 0, fmt.Errorf("preparing %s: %w", keys.Pseudonym, err)
	}
	public, err := c.Public()
	if err != nil {
		return 0, err
	}
	err = roots.update(filepath.Dir(configFile), keys.Pseudonym, func(secrets map[string][]byte) (err error) {
		if err := mayReplace(secrets); err != nil {
			return err
		}
		number, err = keys.PrepareShared(secrets, public.Bytes())
		return err
	})
	return number, err
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
	if k.holders == nil {
		return
	}
	ctx = context.WithoutCancel(ctx)
	k.holders.Watch(func(f holder.Failure) {
		if f.Lies {
			n.log.ErrorContext(ctx, "pseudonym holder lies", slog.String("holder", f.Holder))
		} else {
			n.log.WarnContext(ctx, "pseudonym holder failed", slog.String("holder", f.Holder), slog.String("cause", f.Err.Error()))
		}
	})
}
