package keystore

import (
	"bytes"
	"fmt"
	"time"

	"github.com/tamga-id/tamga/node/keys"
)

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
	secrets, err := OpenSecrets(dir, root)
	if err != nil {
		return Seeds{}, err
	}
	defer WipeSecrets(secrets)
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
	libp2p, err := keys.Of(secrets, keys.LibP2P)
	if err != nil {
		return Seeds{}, fmt.Errorf("opening keystore: %w", err)
	}
	s := Seeds{Signing: bytes.Clone(signing.Ordered()[0]), Sealing: bytes.Clone(seals.Ordered()[0]),
		Federation: bytes.Clone(federation.Ordered()[0]), Transport: bytes.Clone(libp2p.Ordered()[0])}
	if s.Ledger, s.LedgerPQ, err = ledgerSeeds(ledgers.Ordered()[0]); err != nil {
		return Seeds{}, fmt.Errorf("opening keystore: %w", err)
	}
	return s, nil
}
