package node

import (
	"bytes"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/envelope"
	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/crypto/sealing"
	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/federation/transport"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/node/holder"
	"github.com/tamga-id/tamga/node/keys"
	"github.com/tamga-id/tamga/node/ledgers"
	"github.com/tamga-id/tamga/node/protection"
)

// Names of the secrets in the keystore that have no generations; each is a 32-byte
// seed of its own, so that no key can be computed from another. Those of node/keys
// are beside them.
const (
	secretLibP2P        = "libp2p-key"
	secretGallery       = "gallery-key"
	secretToken         = "api-token"
	secretEnrolToken    = "enrol-token"
	secretOfficers      = "officer-key"
	keystoreSecretBytes = 32
)

func singleSecrets() []string {
	return []string{secretLibP2P, secretGallery, secretToken, secretEnrolToken, secretOfficers}
}

func newSecrets(now time.Time) (map[string][]byte, error) {
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

// keySet are a node's secrets, ready for use.
type keySet struct {
	federation  jose.PrivateKey
	federations []jose.PrivateKey // every generation, the current one first
	announced   []jose.PublicKey  // of every generation of the federation key, the current one first
	signing     jose.PrivateKey
	verifiers   []jose.PublicKey     // of every generation of the signing key, the current one first
	sealing     []sealing.PrivateKey // every generation, the current one first
	pseudonyms  *pseudonym.Ring      // nil when they lie apart and were not opened
	holders     []*holder.Client     // of generations of the pseudonym key that the node has not itself
	ledger      ledger.Signer
	closed      []ledger.Signer // of the ledgers before, in order
	gallery     custody.Root    // what the gallery derives the names of its records from
	ring        *envelope.Ring
	faces       *protection.Faces
	libp2p      []byte
	officers    []byte
	peerID      transport.PeerID
	token       string
	enrolToken  string
	families    map[keys.Family]familyState // of those that were opened
}

// familyState is what is known of a key that rotates, without its secrets.
type familyState struct{ oldest, current, newest, keep uint32 }

// several reports whether there is a generation before the current one.
func (f familyState) several() bool { return f.oldest < f.current }

// drops reports whether next lacks a KEK that k has.
func (k keySet) drops(next keySet) bool {
	return next.families[keys.KEK].oldest > k.families[keys.KEK].oldest
}

// take notes what is known of keys that were taken up, beside those that were not opened again.
func (k *keySet) take(next keySet) {
	k.federation, k.federations, k.announced, k.ledger = next.federation, next.federations, next.announced, next.ledger
	families := maps.Clone(k.families)
	maps.Copy(families, next.families)
	k.families = families
	if next.pseudonyms != nil {
		for _, c := range k.holders {
			c.Close()
		}
		k.holders = next.holders
	}
}

// wipe overwrites those that can be. Keys of libraries cannot.
func (k keySet) wipe() {
	k.gallery.Wipe()
	for _, c := range k.holders {
		c.Close()
	}
	if k.ring != nil {
		k.ring.Wipe()
	}
	k.faces.Wipe()
	clear(k.libp2p)
	clear(k.officers)
}

// replaceRing takes another ring over and wipes the one before.
func (k *keySet) replaceRing(r *envelope.Ring) {
	if k.ring != nil && k.ring != r {
		k.ring.Wipe()
	}
	k.ring = r
}

// wipeUnused overwrites what a running node does not take from a changed keystore.
func (k keySet) wipeUnused() {
	k.gallery.Wipe()
	clear(k.libp2p)
	clear(k.officers)
}

// loadKeys makes keys of a keystore's secrets, of which it keeps copies. It asks for the
// committee when it holds a generation of the pseudonym key.
func loadKeys(secrets map[string][]byte, entity string, number int, committee func() (holder.Committee, error)) (k keySet, err error) {
	for _, name := range singleSecrets() {
		if len(secrets[name]) != keystoreSecretBytes {
			return keySet{}, fmt.Errorf("loading keys: secret %q is missing or of the wrong length: %w", name, custody.ErrNoSecret)
		}
	}
	if k.federations, err = federationKeys(secrets); err != nil {
		return keySet{}, err
	}
	k.federation = k.federations[0]
	for _, key := range k.federations {
		k.announced = append(k.announced, key.Public())
	}
	if k.gallery, err = custody.NewRoot(secrets[secretGallery]); err != nil {
		return keySet{}, fmt.Errorf("loading gallery key: %w", err)
	}
	if err := k.loadGenerations(secrets); err != nil {
		return keySet{}, err
	}
	if _, apart := secrets[secretMark]; !apart || hasFamily(secrets, keys.Pseudonym) {
		if err := k.loadPseudonyms(secrets, committee); err != nil {
			return keySet{}, fmt.Errorf("loading pseudonym keys: %w", err)
		}
	}
	if err := k.loadLedgers(secrets, entity, number); err != nil {
		return keySet{}, fmt.Errorf("loading ledger keys: %w", err)
	}
	if k.peerID, err = transport.PeerIDFromSeed(secrets[secretLibP2P]); err != nil {
		return keySet{}, fmt.Errorf("loading libp2p key: %w", err)
	}
	k.libp2p, k.officers = bytes.Clone(secrets[secretLibP2P]), bytes.Clone(secrets[secretOfficers])
	k.token = base64.RawURLEncoding.EncodeToString(secrets[secretToken])
	k.enrolToken = base64.RawURLEncoding.EncodeToString(secrets[secretEnrolToken])
	return k, nil
}

// federationKeys are those of every generation of the federation key, the one in use first.
func federationKeys(secrets map[string][]byte) (all []jose.PrivateKey, err error) {
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

// announcedKey is the first of the federation keys that the Entity Configuration in the
// folder names, with which what is signed can be verified: a node that has not run since a
// step of a rotation has not announced the next one.
func announcedKey(dir string, all []jose.PrivateKey) (jose.PrivateKey, error) {
	b, err := os.ReadFile(filepath.Join(dir, EntityConfigurationFile))
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

// ledgerSeeds are the seeds of the two keys of a ledger, of one generation.
func ledgerSeeds(secret []byte) (ed25519, mldsa []byte, err error) {
	if ed25519, err = hkdf.Key(sha256.New, secret, nil, "tamga/v1/ledger-ed25519", keystoreSecretBytes); err != nil {
		return nil, nil, err
	}
	mldsa, err = hkdf.Key(sha256.New, secret, nil, "tamga/v1/ledger-mldsa44", keystoreSecretBytes)
	return ed25519, mldsa, err
}

// ledgerSigner signs with every generation, so that peers that know the node by any of
// them verify, and publishes the current one.
func ledgerSigner(secrets map[string][]byte, origin string) (ledger.Signer, error) {
	g, err := keys.Of(secrets, keys.Ledger)
	if err != nil {
		return ledger.Signer{}, err
	}
	var all []ledger.Signer
	for _, secret := range g.Ordered() {
		ed, pq, err := ledgerSeeds(secret)
		if err != nil {
			return ledger.Signer{}, err
		}
		s, err := ledger.NewSigner(origin, ed, pq)
		clear(ed)
		clear(pq)
		if err != nil {
			return ledger.Signer{}, err
		}
		all = append(all, s)
	}
	return all[0].With(all[1:]...)
}

// loadLedgers loads the signers of the ledger of that number and of those before.
func (k *keySet) loadLedgers(secrets map[string][]byte, entity string, number int) (err error) {
	for n := 1; n < number; n++ {
		signer, err := ledgerSigner(secrets, ledgers.Origin(entity, n))
		if err != nil {
			return err
		}
		k.closed = append(k.closed, signer)
	}
	k.ledger, err = ledgerSigner(secrets, ledgers.Origin(entity, number))
	return err
}

// loadGenerations loads the keys that node/keys rotates.
func (k *keySet) loadGenerations(secrets map[string][]byte) error {
	k.families = make(map[keys.Family]familyState)
	for _, f := range keys.Families() {
		if g, err := keys.Of(secrets, f); err == nil { // what is missing and needed shows below
			k.families[f] = familyState{g.Oldest(), g.Current, slices.Max(g.Numbers()), g.Keep}
		}
	}
	kek, err := keys.Of(secrets, keys.KEK)
	if err != nil {
		return fmt.Errorf("loading keys: %w", err)
	}
	if k.ring, err = envelope.NewRing(kek.Secrets, kek.Current); err != nil {
		return fmt.Errorf("loading keys: %w", err)
	}
	templates, err := keys.Of(secrets, keys.Template)
	if err != nil {
		return fmt.Errorf("loading keys: %w", err)
	}
	if k.faces, err = protection.New(templates); err != nil {
		return err
	}
	signing, err := keys.Of(secrets, keys.Signing)
	if err != nil {
		return fmt.Errorf("loading keys: %w", err)
	}
	for i, seed := range signing.Ordered() {
		key, err := jose.NewPrivateKey(seed)
		if err != nil {
			return fmt.Errorf("loading signing key: %w", err)
		}
		if i == 0 {
			k.signing = key
		}
		k.verifiers = append(k.verifiers, key.Public())
	}
	seals, err := keys.Of(secrets, keys.Sealing)
	if err != nil {
		return fmt.Errorf("loading keys: %w", err)
	}
	for _, seed := range seals.Ordered() {
		key, err := sealing.NewPrivateKey(seed)
		if err != nil {
			return fmt.Errorf("loading sealing key: %w", err)
		}
		k.sealing = append(k.sealing, key)
	}
	return nil
}

func (k *keySet) loadPseudonyms(secrets map[string][]byte, committee func() (holder.Committee, error)) error {
	g, err := keys.Of(secrets, keys.Pseudonym)
	if err != nil {
		return err
	}
	all := make(map[uint32]pseudonym.Key, len(g.Secrets))
	shared := make(map[uint32][]byte)
	for number, secret := range g.Secrets {
		if public, ok := keys.Shared(secret); ok {
			shared[number] = public
		} else if all[number], err = pseudonym.NewKey(secret); err != nil {
			return fmt.Errorf("generation %d: %w", number, err)
		}
	}
	if len(shared) > 0 {
		with, err := k.askHolders(shared, secrets, committee)
		if err != nil {
			return err
		}
		maps.Copy(all, with)
	}
	k.pseudonyms, err = pseudonym.NewRing(all, g.Current)
	return err
}

// OpenRoot opens the root key of a node's folder, unless too many passphrases were
// wrong before: see [custody.Limit]. The caller wipes it.
func OpenRoot(dir string, passphrase []byte, now time.Time) (custody.Root, error) {
	return custody.Limit(RootFile(dir), now, func() (custody.Root, error) { return custody.Open(RootFile(dir), passphrase) })
}

// openSecrets opens the keystore of the folder. The caller wipes the secrets.
func openSecrets(dir string, root custody.Root) (map[string][]byte, error) {
	store, err := custody.OpenKeystore(keystorePath(dir), root)
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

// openKeys opens the keys of the folder of entity, whose ledger has that number.
func openKeys(dir string, roots Roots, entity string, number int) (keySet, error) {
	secrets, err := roots.secrets(dir)
	if err != nil {
		return keySet{}, err
	}
	defer wipeSecrets(secrets)
	return loadKeys(secrets, entity, number, func() (holder.Committee, error) { return configuredCommittee(dir) })
}

func wipeSecrets(secrets map[string][]byte) {
	for _, s := range secrets {
		clear(s)
	}
}

// Seeds are the secrets with which a member asks: what a conformance laboratory
// needs of the node folder that it was enrolled with.
type Seeds struct{ Federation, Signing, Sealing, Transport, Ledger, LedgerPQ []byte }

// OpenSeeds reads them from the folder of a node that is not running.
func OpenSeeds(dir string, passphrase []byte) (Seeds, error) {
	root, err := OpenRoot(dir, passphrase, time.Now())
	if err != nil {
		return Seeds{}, err
	}
	defer root.Wipe()
	secrets, err := openSecrets(dir, root)
	if err != nil {
		return Seeds{}, err
	}
	defer wipeSecrets(secrets)
	signing, err := keys.Of(secrets, keys.Signing)
	if err != nil {
		return Seeds{}, fmt.Errorf("opening keystore: %w", err)
	}
	seals, err := keys.Of(secrets, keys.Sealing)
	if err != nil {
		return Seeds{}, fmt.Errorf("opening keystore: %w", err)
	}
	federation, err := keys.Of(secrets, keys.Federation)
	if err != nil {
		return Seeds{}, fmt.Errorf("opening keystore: %w", err)
	}
	ledgers, err := keys.Of(secrets, keys.Ledger)
	if err != nil {
		return Seeds{}, fmt.Errorf("opening keystore: %w", err)
	}
	if len(secrets[secretLibP2P]) != keystoreSecretBytes {
		return Seeds{}, fmt.Errorf("opening keystore: %w", custody.ErrNoSecret)
	}
	s := Seeds{Signing: bytes.Clone(signing.Ordered()[0]), Sealing: bytes.Clone(seals.Ordered()[0]),
		Federation: bytes.Clone(federation.Ordered()[0]), Transport: bytes.Clone(secrets[secretLibP2P])}
	if s.Ledger, s.LedgerPQ, err = ledgerSeeds(ledgers.Ordered()[0]); err != nil {
		return Seeds{}, fmt.Errorf("opening keystore: %w", err)
	}
	return s, nil
}
