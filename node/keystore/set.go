package keystore

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/envelope"
	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/crypto/sealing"
	"github.com/tamga-id/tamga/federation/ledger/lognote"
	"github.com/tamga-id/tamga/federation/transport"
	"github.com/tamga-id/tamga/federation/trust/peerid"
	"github.com/tamga-id/tamga/node/holder"
	"github.com/tamga-id/tamga/node/keys"
	"github.com/tamga-id/tamga/node/ledgers"
	"github.com/tamga-id/tamga/node/protection"
)

// Set are a node's secrets, ready for use.
type Set struct {
	Federation  jose.PrivateKey
	Federations []jose.PrivateKey // every generation, the current one first
	Announced   []jose.PublicKey  // of every generation of the federation key, the current one first
	Signing     jose.PrivateKey
	Verifiers   []jose.PublicKey     // of every generation of the signing key, the current one first
	Sealing     []sealing.PrivateKey // every generation, the current one first
	Pseudonyms  *pseudonym.Ring      // nil when they lie apart and were not opened
	Holders     []*holder.Client     // of generations of the pseudonym key that the node has not itself
	Ledger      lognote.Signer
	Closed      []lognote.Signer // of the ledgers before, in order
	Gallery     custody.Root     // what the gallery derives the names of its records from
	Ring        *envelope.Ring
	Faces       *protection.Faces
	LibP2P      []byte             // the current one
	PeerIDs     []transport.PeerID // of every generation of the libp2p key, the current one first
	PeerProofs  peerid.Proofs      // by each of them for the Entity and the current federation key
	Officers    []byte
	Token       string
	EnrolToken  string
	Families    map[keys.Family]State // of those that were opened
}

// State is what is known of a key that rotates, without its secrets.
type State struct {
	Oldest, Current, Newest, Keep uint32
	Since                         time.Time // when the current one became so; zero when that is not known
}

// Several reports whether there is a generation before the current one.
func (f State) Several() bool { return f.Oldest < f.Current }

// Drops reports whether next lacks a KEK that k has.
func (k Set) Drops(next Set) bool {
	return next.Families[keys.KEK].Oldest > k.Families[keys.KEK].Oldest
}

// Take notes what is known of keys that were taken up, beside those that were not opened again.
func (k *Set) Take(next Set) {
	k.Federation, k.Federations, k.Announced, k.Ledger = next.Federation, next.Federations, next.Announced, next.Ledger
	clear(k.LibP2P)
	k.LibP2P, k.PeerIDs, k.PeerProofs = next.LibP2P, next.PeerIDs, next.PeerProofs
	families := maps.Clone(k.Families)
	maps.Copy(families, next.Families)
	k.Families = families
	if next.Pseudonyms != nil {
		for _, c := range k.Holders {
			c.Close()
		}
		k.Holders = next.Holders
	}
}

// Wipe overwrites those that can be. Keys of libraries cannot.
func (k Set) Wipe() {
	k.Gallery.Wipe()
	for _, c := range k.Holders {
		c.Close()
	}
	if k.Ring != nil {
		k.Ring.Wipe()
	}
	k.Faces.Wipe()
	clear(k.LibP2P)
	clear(k.Officers)
}

// ReplaceRing takes another ring over and wipes the one before.
func (k *Set) ReplaceRing(r *envelope.Ring) {
	if k.Ring != nil && k.Ring != r {
		k.Ring.Wipe()
	}
	k.Ring = r
}

// WipeUnused overwrites what a running node does not take from a changed keystore.
func (k Set) WipeUnused() {
	k.Gallery.Wipe()
	clear(k.Officers)
}

// Load makes keys of a keystore's secrets, of which it keeps copies. It asks for the
// committee when it holds a generation of the pseudonym key.
func Load(secrets map[string][]byte, entity string, number int, committee func() (holder.Committee, error)) (k Set, err error) {
	for _, name := range singleSecrets() {
		if len(secrets[name]) != keystoreSecretBytes {
			return Set{}, fmt.Errorf("loading keys: secret %q is missing or of the wrong length: %w", name, custody.ErrNoSecret)
		}
	}
	if k.Federations, err = FederationKeys(secrets); err != nil {
		return Set{}, err
	}
	k.Federation = k.Federations[0]
	for _, key := range k.Federations {
		k.Announced = append(k.Announced, key.Public())
	}
	if k.Gallery, err = custody.NewRoot(secrets[secretGallery]); err != nil {
		return Set{}, fmt.Errorf("loading gallery key: %w", err)
	}
	if err := k.loadGenerations(secrets); err != nil {
		return Set{}, err
	}
	if !Elsewhere(secrets, keys.Pseudonym) {
		if err := k.loadPseudonyms(secrets, committee); err != nil {
			return Set{}, fmt.Errorf("loading pseudonym keys: %w", err)
		}
	}
	if err := k.loadLedgers(secrets, entity, number); err != nil {
		return Set{}, fmt.Errorf("loading ledger keys: %w", err)
	}
	if err := k.loadLibP2P(secrets, entity); err != nil {
		return Set{}, fmt.Errorf("loading libp2p key: %w", err)
	}
	k.Officers = bytes.Clone(secrets[secretOfficers])
	k.Token = base64.RawURLEncoding.EncodeToString(secrets[secretToken])
	k.EnrolToken = base64.RawURLEncoding.EncodeToString(secrets[secretEnrolToken])
	return k, nil
}

// loadLedgers loads the signers of the ledger of that number and of those before.
func (k *Set) loadLedgers(secrets map[string][]byte, entity string, number int) (err error) {
	for n := 1; n < number; n++ {
		signer, err := LedgerSigner(secrets, ledgers.Origin(entity, n))
		if err != nil {
			return err
		}
		k.Closed = append(k.Closed, signer)
	}
	k.Ledger, err = LedgerSigner(secrets, ledgers.Origin(entity, number))
	return err
}

// loadLibP2P comes after the federation keys, for which the libp2p keys sign.
func (k *Set) loadLibP2P(secrets map[string][]byte, entity string) error {
	g, err := keys.Of(secrets, keys.LibP2P)
	if err != nil {
		return err
	}
	for _, seed := range g.Ordered() {
		id, err := transport.PeerIDFromSeed(seed)
		if err != nil {
			return err
		}
		k.PeerIDs = append(k.PeerIDs, id)
	}
	k.LibP2P = bytes.Clone(g.Ordered()[0])
	k.PeerProofs, err = peerid.Prove(entity, k.Federation.Public(), g.Ordered()...)
	return err
}

// loadGenerations loads the keys that node/keys rotates.
func (k *Set) loadGenerations(secrets map[string][]byte) error {
	k.Families = make(map[keys.Family]State)
	for _, f := range keys.Families() {
		if g, err := keys.Of(secrets, f); err == nil { // what is missing and needed shows below
			k.Families[f] = State{g.Oldest(), g.Current, slices.Max(g.Numbers()), g.Keep, g.Since[g.Current]}
		}
	}
	kek, err := keys.Of(secrets, keys.KEK)
	if err != nil {
		return fmt.Errorf("loading keys: %w", err)
	}
	if k.Ring, err = envelope.NewRing(kek.Secrets, kek.Current); err != nil {
		return fmt.Errorf("loading keys: %w", err)
	}
	templates, err := keys.Of(secrets, keys.Template)
	if err != nil {
		return fmt.Errorf("loading keys: %w", err)
	}
	if k.Faces, err = protection.New(templates); err != nil {
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
			k.Signing = key
		}
		k.Verifiers = append(k.Verifiers, key.Public())
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
		k.Sealing = append(k.Sealing, key)
	}
	return nil
}

func (k *Set) loadPseudonyms(secrets map[string][]byte, committee func() (holder.Committee, error)) error {
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
	k.Pseudonyms, err = pseudonym.NewRing(all, g.Current)
	return err
}

// UnfinishedRenewal reports that generations are there which a renewal was to destroy.
func (k Set) UnfinishedRenewal() bool {
	return slices.Min(k.Faces.Generations()) < k.Faces.Current()
}
