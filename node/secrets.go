package node

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/crypto/sealing"
	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/federation/transport"
)

// Names of the secrets in the keystore; each is a 32-byte seed of its own, so that
// no key can be computed from another.
const (
	secretFederation    = "federation-key"
	secretSigning       = "signing-key"
	secretSealing       = "sealing-key"
	secretLibP2P        = "libp2p-key"
	secretPseudonym     = "pseudonym-key"
	secretLedger        = "ledger-ed25519"
	secretLedgerPQ      = "ledger-mldsa44"
	secretToken         = "api-token"
	secretEnrolToken    = "enrol-token"
	secretOfficers      = "officer-key"
	keystoreSecretBytes = 32
)

func newSecrets() map[string][]byte {
	out := make(map[string][]byte)
	for _, name := range []string{secretFederation, secretSigning, secretSealing, secretLibP2P, secretPseudonym,
		secretLedger, secretLedgerPQ, secretToken, secretEnrolToken, secretOfficers} {
		b := make([]byte, keystoreSecretBytes)
		_, _ = rand.Read(b)
		out[name] = b
	}
	return out
}

// keys are a node's secrets, ready for use.
type keys struct {
	federation jose.PrivateKey
	signing    jose.PrivateKey
	sealing    sealing.PrivateKey
	pseudonyms pseudonym.Key
	ledger     ledger.Signer
	libp2p     []byte
	officers   []byte
	peerID     transport.PeerID
	token      string
	enrolToken string
}

func loadKeys(secret func(string) ([]byte, error), origin string) (keys, error) {
	var k keys
	seeds := make(map[string][]byte)
	for name := range newSecrets() {
		b, err := secret(name)
		if err != nil {
			return keys{}, fmt.Errorf("loading keys: %w", err)
		}
		seeds[name] = b
	}
	var err error
	if k.federation, err = jose.NewPrivateKey(seeds[secretFederation]); err != nil {
		return keys{}, fmt.Errorf("loading federation key: %w", err)
	}
	if k.signing, err = jose.NewPrivateKey(seeds[secretSigning]); err != nil {
		return keys{}, fmt.Errorf("loading signing key: %w", err)
	}
	if k.sealing, err = sealing.NewPrivateKey(seeds[secretSealing]); err != nil {
		return keys{}, fmt.Errorf("loading sealing key: %w", err)
	}
	if k.pseudonyms, err = pseudonym.NewKey(seeds[secretPseudonym]); err != nil {
		return keys{}, fmt.Errorf("loading pseudonym key: %w", err)
	}
	if k.ledger, err = ledger.NewSigner(origin, seeds[secretLedger], seeds[secretLedgerPQ]); err != nil {
		return keys{}, fmt.Errorf("loading ledger keys: %w", err)
	}
	if k.peerID, err = transport.PeerIDFromSeed(seeds[secretLibP2P]); err != nil {
		return keys{}, fmt.Errorf("loading libp2p key: %w", err)
	}
	k.libp2p, k.officers = seeds[secretLibP2P], seeds[secretOfficers]
	k.token = base64.RawURLEncoding.EncodeToString(seeds[secretToken])
	k.enrolToken = base64.RawURLEncoding.EncodeToString(seeds[secretEnrolToken])
	return k, nil
}

// openKeys opens root key and keystore of the folder. The caller wipes the root.
func openKeys(dir string, passphrase []byte, origin string) (custody.Root, keys, error) {
	root, err := custody.Open(rootPath(dir), passphrase)
	if err != nil {
		return custody.Root{}, keys{}, fmt.Errorf("opening root key: %w", err)
	}
	store, err := custody.OpenKeystore(keystorePath(dir), root)
	if err != nil {
		root.Wipe()
		return custody.Root{}, keys{}, fmt.Errorf("opening keystore: %w", err)
	}
	k, err := loadKeys(store.Secret, origin)
	if err != nil {
		root.Wipe()
		return custody.Root{}, keys{}, err
	}
	return root, k, nil
}

// Seeds are the secrets with which a member asks: what a conformance laboratory
// needs of the node folder that it was enrolled with.
type Seeds struct{ Federation, Signing, Sealing, Transport, Ledger, LedgerPQ []byte }

// OpenSeeds reads them from the folder of a node that is not running.
func OpenSeeds(dir string, passphrase []byte) (Seeds, error) {
	root, err := custody.Open(rootPath(dir), passphrase)
	if err != nil {
		return Seeds{}, fmt.Errorf("opening root key: %w", err)
	}
	defer root.Wipe()
	store, err := custody.OpenKeystore(keystorePath(dir), root)
	if err != nil {
		return Seeds{}, fmt.Errorf("opening keystore: %w", err)
	}
	var s Seeds
	for name, to := range map[string]*[]byte{secretFederation: &s.Federation, secretSigning: &s.Signing, secretSealing: &s.Sealing,
		secretLibP2P: &s.Transport, secretLedger: &s.Ledger, secretLedgerPQ: &s.LedgerPQ} {
		if *to, err = store.Secret(name); err != nil {
			return Seeds{}, fmt.Errorf("opening keystore: %w", err)
		}
	}
	return s, nil
}
