package node

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/node/backup"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/keys"
)

func (b backer) escrow(ctx context.Context, recipients []string) ([]byte, backup.Manifest, error) {
	if _, err := backup.ParseRecipients(recipients); err != nil {
		return nil, backup.Manifest{}, fmt.Errorf("creating key escrow: %w", err)
	}
	if err := b.witness(ctx, string(backup.KindEscrow), recipients); err != nil {
		return nil, backup.Manifest{}, err
	}
	held, err := readHeld(b.dir)
	if err != nil {
		return nil, backup.Manifest{}, fmt.Errorf("creating key escrow: %w", err)
	}
	return held.seal(b.cfg, b.dir, b.keys.federation, recipients, b.now())
}

// held are the files that a key escrow is made of, as they lay in the folder at one moment.
type held []backup.File

// readHeld reads them until nothing changes meanwhile: a root file of before does not
// open a keystore of after.
func readHeld(dir string) (held, error) {
	var last held
	for {
		var now held
		for _, path := range []string{RootFile(dir), keystorePath(dir)} {
			b, err := custody.ReadFile(path)
			if err != nil {
				return nil, err
			}
			now = append(now, backup.File{Name: filepath.Base(path), Data: b})
		}
		if now.equal(last) {
			return now, nil
		}
		last = now
	}
}

func (h held) equal(other held) bool {
	if len(h) != len(other) {
		return false
	}
	for i := range h {
		if h[i].Name != other[i].Name || !bytes.Equal(h[i].Data, other[i].Data) {
			return false
		}
	}
	return true
}

// keys are the generations in the keystore.
func (h held) keys(dir string) (backup.Keys, error) {
	for _, f := range h {
		if f.Name != filepath.Base(keystorePath(dir)) {
			continue
		}
		names, root, err := custody.ListSecrets(f.Data)
		k := keys.Listed(names)
		k[RootKey] = []uint32{root}
		return k, err
	}
	return nil, os.ErrNotExist
}

func (h held) seal(cfg config.Config, dir string, key jose.PrivateKey, recipients []string, now time.Time) ([]byte, backup.Manifest, error) {
	to, err := backup.ParseRecipients(recipients)
	if err != nil {
		return nil, backup.Manifest{}, fmt.Errorf("creating key escrow: %w", err)
	}
	configuration, err := os.ReadFile(filepath.Join(dir, EntityConfigurationFile))
	if err != nil {
		return nil, backup.Manifest{}, fmt.Errorf("creating key escrow: %w", err)
	}
	k, err := h.keys(dir)
	if err != nil {
		return nil, backup.Manifest{}, fmt.Errorf("creating key escrow: %w", err)
	}
	return backup.CreateEscrow(to, backup.EscrowSource{EntityID: cfg.EntityID, Jurisdiction: cfg.Jurisdiction,
		Configuration: configuration, Keys: k, Files: h, Key: key, Now: now})
}
