package folder

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/node/backup"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/internal/durable"
	"github.com/tamga-id/tamga/node/keys"
	"github.com/tamga-id/tamga/node/keystore"
	"github.com/tamga-id/tamga/node/rotation"
)

// announcedKey is the first of the federation keys that the Entity Configuration in the
// folder names, with which what is signed can be verified: a node that has not run since a
// step of a rotation has not announced the next one.
func announcedKey(dir string, all []jose.PrivateKey) (jose.PrivateKey, error) {
	b, err := os.ReadFile(filepath.Join(dir, config.EntityConfigurationFile))
	if err != nil {
		return jose.PrivateKey{}, fmt.Errorf("reading entity configuration: %w", err)
	}
	s, err := trust.ParseStatement(strings.TrimSpace(string(b)))
	if err != nil {
		return jose.PrivateKey{}, fmt.Errorf("reading entity configuration: %w", err)
	}
	for _, k := range all {
		if _, ok := s.Keys().Key(k.Public().KeyID()); ok {
			return k, nil
		}
	}
	return jose.PrivateKey{}, errors.New("reading entity configuration: it names no federation key of the node; start the node, which writes it anew")
}

// Escrow makes a key escrow, encrypted to the age recipients, after saying so in the ledger.
func (b Source) Escrow(ctx context.Context, recipients []string) ([]byte, backup.Manifest, error) {
	if _, err := backup.ParseRecipients(recipients); err != nil {
		return nil, backup.Manifest{}, fmt.Errorf("creating key escrow: %w", err)
	}
	if err := b.witness(ctx, string(backup.KindEscrow), recipients); err != nil {
		return nil, backup.Manifest{}, err
	}
	held, err := readHeld(b.Dir)
	if err != nil {
		return nil, backup.Manifest{}, fmt.Errorf("creating key escrow: %w", err)
	}
	key, err := announcedKey(b.Dir, b.Keys.Federations)
	if err != nil {
		return nil, backup.Manifest{}, fmt.Errorf("creating key escrow: %w", err)
	}
	return held.seal(b.Config, b.Dir, key, recipients, b.Now())
}

// held are the files that a key escrow is made of, as they lay in the folder at one moment.
type held []backup.File

// readHeld reads them until nothing changes meanwhile: a root file of before does not
// open a keystore of after.
func readHeld(dir string) (held, error) {
	var last held
	for {
		var now held
		for _, path := range []string{keystore.RootFile(dir), keystore.File(dir)} {
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
		if f.Name != filepath.Base(keystore.File(dir)) {
			continue
		}
		names, root, err := custody.ListSecrets(f.Data)
		k := keys.Listed(names)
		k[rotation.RootKey] = []uint32{root}
		return k, err
	}
	return nil, os.ErrNotExist
}

// escrowStateFile says of what the key escrow was made that the configuration has the node
// keep, so that it is made anew when that changes, past a crash in between.
const escrowStateFile = "escrow.json"

type escrowState struct {
	Of   []byte `json:"of"`   // digest of the keys, where they are, and to whom they are encrypted
	File []byte `json:"file"` // digest of the file that was written
}

// RefreshEscrow writes the key escrow of the configuration anew, if there is to be one and
// what is in it, or what opens it, has changed since it was written. It reports its file
// when it did.
func RefreshEscrow(dir string, root custody.Root, now time.Time) (written string, err error) {
	cfg, err := config.Load(filepath.Join(dir, config.File))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil // a pseudonym keystore
	}
	if err != nil || cfg.Backup.EscrowFile == "" {
		return "", err
	}
	secrets, err := keystore.OpenSecrets(dir, root)
	if err != nil {
		return "", err
	}
	defer keystore.WipeSecrets(secrets)
	federation, err := keystore.FederationKeys(secrets)
	if err != nil {
		return "", err
	}
	return KeepEscrow(cfg, dir, federation, now)
}

// KeepEscrow does what RefreshEscrow does, for who has the configuration and the federation
// keys, current first.
func KeepEscrow(cfg config.Config, dir string, federation []jose.PrivateKey, now time.Time) (written string, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("keeping key escrow: %w", err)
		}
	}()
	recipients, err := backup.ReadRecipients(cfg.Backup.EscrowRecipients)
	if err != nil {
		return "", err
	}
	file, state := cfg.Backup.EscrowFile, filepath.Join(cfg.DataDir, escrowStateFile)
	// Another process may change keys, or write older ones, meanwhile: done is when what
	// was written is of the keys that are there afterwards.
	for {
		h, err := readHeld(dir)
		if err != nil {
			return written, err
		}
		of := h.digest(file, recipients)
		if isEscrowOf(state, file, of) {
			return written, nil
		}
		err = backup.Replaceable(file, cfg.EntityID)
		var key jose.PrivateKey
		if err == nil {
			key, err = announcedKey(dir, federation)
		}
		if err != nil {
			return written, err
		}
		b, _, err := h.seal(cfg, dir, key, recipients, now)
		if err == nil {
			err = custody.WriteFile(file, b)
		}
		if errors.Is(err, custody.ErrBusy) {
			return written, nil // who is at it, or the node when it looks again, does the same
		}
		if err != nil {
			return written, err
		}
		sum := sha256.Sum256(b)
		text, err := json.Marshal(escrowState{of, sum[:]})
		if err == nil {
			err = durable.Replace(state, text)
		}
		if err != nil {
			return written, err
		}
		written = file
	}
}

// isEscrowOf reports whether the file is the one that was made of this.
func isEscrowOf(state, file string, of []byte) bool {
	var was escrowState
	text, err := os.ReadFile(state)
	if err != nil || json.Unmarshal(text, &was) != nil || !bytes.Equal(was.Of, of) {
		return false
	}
	b, err := custody.ReadFile(file)
	sum := sha256.Sum256(b)
	return err == nil && bytes.Equal(sum[:], was.File)
}

func (h held) digest(file string, recipients []string) []byte {
	sum := sha256.New()
	fmt.Fprintf(sum, "%q %q", file, recipients)
	for _, f := range h {
		one := sha256.Sum256(f.Data)
		fmt.Fprintf(sum, " %q %x", f.Name, one)
	}
	return sum.Sum(nil)
}

func (h held) seal(cfg config.Config, dir string, key jose.PrivateKey, recipients []string, now time.Time) ([]byte, backup.Manifest, error) {
	to, err := backup.ParseRecipients(recipients)
	if err != nil {
		return nil, backup.Manifest{}, fmt.Errorf("creating key escrow: %w", err)
	}
	configuration, err := os.ReadFile(filepath.Join(dir, config.EntityConfigurationFile))
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
