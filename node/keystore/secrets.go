// Package keystore keeps a node's secrets: it opens its root key and keystore
// (crypto/custody) and makes of the generations in them (node/keys) the keys that a node
// works with, a [Set].
//
// The pseudonym key may lie in a keystore of its own ([PseudonymKeystore]) or with holders
// (node/holder); [Roots] are the root keys of both keystores. [Open] opens what is there.
//
// Not here: what is done with several generations (node/rotation), and who may ask for what.
package keystore

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"time"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/ledger/lognote"
	"github.com/tamga-id/tamga/node/holder"
	"github.com/tamga-id/tamga/node/keys"
)

// Names of the secrets in the keystore that have no generations; each is a 32-byte
// seed of its own, so that no key can be computed from another. Those of node/keys
// are beside them.
const (
	secretGallery       = "gallery-key"
	secretToken         = "api-token"
	secretEnrolToken    = "enrol-token"
	secretOfficers      = "officer-key"
	keystoreSecretBytes = 32
)

func singleSecrets() []string {
	return []string{secretGallery, secretToken, secretEnrolToken, secretOfficers}
}

// NewSecrets makes the secrets of a new node. The caller wipes them, on error too.
func NewSecrets(now time.Time) (map[string][]byte, error) {
	out := make(map[string][]byte)
	for _, name := range singleSecrets() {
		b := make([]byte, keystoreSecretBytes)
		_, _ = rand.Read(b)
		out[name] = b
	}
	for _, f := range keys.Families() {
		if err := keys.Add(out, f, now); err != nil {
			return out, err
		}
	}
	return out, nil
}

// FederationKeys are those of every generation of the federation key, the one in use first.
func FederationKeys(secrets map[string][]byte) (all []jose.PrivateKey, err error) {
	g, err := keys.Of(secrets, keys.Federation)
	if err != nil {
		return nil, fmt.Errorf("loading federation key: %w", err)
	}
	for _, seed := range g.Ordered() {
		k, err := jose.NewPrivateKey(seed)
		if err != nil {
			return nil, fmt.Errorf("loading federation key: %w", err)
		}
		all = append(all, k)
	}
	return all, nil
}

// ledgerSeeds are the seeds of the two keys of a ledger, of one generation.
func ledgerSeeds(secret []byte) (ed25519, mldsa []byte, err error) {
	if ed25519, err = hkdf.Key(sha256.New, secret, nil, "tamga/v1/ledger-ed25519", keystoreSecretBytes); err != nil {
		return nil, nil, err
	}
	mldsa, err = hkdf.Key(sha256.New, secret, nil, "tamga/v1/ledger-mldsa44", keystoreSecretBytes)
	return ed25519, mldsa, err
}

// LedgerSigner signs with every generation, so that peers that know the node by any of
// them verify, and publishes the current one.
func LedgerSigner(secrets map[string][]byte, origin string) (lognote.Signer, error) {
	g, err := keys.Of(secrets, keys.Ledger)
	if err != nil {
		return lognote.Signer{}, err
	}
	var all []lognote.Signer
	for _, secret := range g.Ordered() {
		ed, pq, err := ledgerSeeds(secret)
		if err != nil {
			return lognote.Signer{}, err
		}
		s, err := lognote.NewSigner(origin, ed, pq)
		clear(ed)
		clear(pq)
		if err != nil {
			return lognote.Signer{}, err
		}
		all = append(all, s)
	}
	return all[0].With(all[1:]...)
}

// OpenRoot opens the root key of a node's folder, unless too many passphrases were
// wrong before: see [custody.Limit]. The caller wipes it.
func OpenRoot(dir string, passphrase []byte, now time.Time) (custody.Root, error) {
	return custody.Limit(RootFile(dir), now, func() (custody.Root, error) { return custody.Open(RootFile(dir), passphrase) })
}

// OpenSecrets opens the keystore of the folder. The caller wipes the secrets.
func OpenSecrets(dir string, root custody.Root) (map[string][]byte, error) {
	store, err := custody.OpenKeystore(File(dir), root)
	if err != nil {
		return nil, fmt.Errorf("opening keystore: %w", err)
	}
	secrets := make(map[string][]byte)
	for _, name := range store.Names() {
		if secrets[name], err = store.Secret(name); err != nil {
			return nil, fmt.Errorf("opening keystore: %w", err)
		}
	}
	return secrets, nil
}

// Open opens the keys of the folder of entity, whose ledger has that number.
func Open(dir string, roots Roots, entity string, number int) (Set, error) {
	secrets, err := roots.Secrets(dir)
	if err != nil {
		return Set{}, err
	}
	defer WipeSecrets(secrets)
	return Load(secrets, entity, number, func() (holder.Committee, error) { return configuredCommittee(dir) })
}

// WipeSecrets overwrites them.
func WipeSecrets(secrets map[string][]byte) {
	for _, s := range secrets {
		clear(s)
	}
}

// RootFile is where the root key of the node in dir lies, under its protectors.
func RootFile(dir string) string { return filepath.Join(dir, "root.json") }

// NextRootFile is where a prepared root key lies, which is to follow that of [RootFile].
func NextRootFile(dir string) string { return filepath.Join(dir, "root-next.json") }

// File is where the keystore of the node in dir lies.
func File(dir string) string { return filepath.Join(dir, "keystore.json") }
