// Package subordinates is what a node says of its country's ministries' nodes, where its
// configuration lets it vouch for some: trust.subordinates.
//
// [New] is for the node that runs, [Open] for a command beside it. [Pack], [Unpack] and [Adopt]
// carry what is enrolled through a backup. What is signed, and how, is package authority's.
package subordinates

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/authority"
	"github.com/tamga-id/tamga/federation/trust/endpoint"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/keys"
	"github.com/tamga-id/tamga/node/keystore"
)

// ErrNone: the node's configuration lets it vouch for nobody.
var ErrNone = errors.New("the node vouches for nobody: trust.subordinates is 0")

// Dir is the folder of what the node has enrolled.
func Dir(cfg config.Config) string { return filepath.Join(cfg.DataDir, "subordinates") }

// New is the superior that a node is, with its federation key, others of its that it announces, and
// the publisher of its Entity Configuration.
func New(cfg config.Config, key jose.PrivateKey, others jose.KeySet, p *endpoint.Publisher, now func() time.Time) (*authority.Authority, error) {
	return authority.New(authority.Config{EntityID: trust.EntityID(cfg.EntityID), Key: key, Keys: others, Country: cfg.Jurisdiction,
		Publisher: p, Most: cfg.Trust.Subordinates, Dir: Dir(cfg), OrganizationName: cfg.Name, Clock: now})
}

// Open opens what the node in the folder, which may run, says of those below it,
// to change that; a running node notices. It returns the federation key with it.
func Open(dir string, root custody.Root, now func() time.Time) (*authority.Authority, jose.PrivateKey, error) {
	fail := func(err error) (*authority.Authority, jose.PrivateKey, error) {
		return nil, jose.PrivateKey{}, fmt.Errorf("opening superior: %w", err)
	}
	cfg, err := config.Load(filepath.Join(dir, config.File))
	if err != nil {
		return nil, jose.PrivateKey{}, err
	}
	if cfg.Trust.Subordinates == 0 {
		return fail(ErrNone)
	}
	secrets, err := keystore.OpenSecrets(dir, root)
	if err != nil {
		return fail(err)
	}
	defer keystore.WipeSecrets(secrets)
	g, err := keys.Of(secrets, keys.Federation)
	if err != nil {
		return fail(err)
	}
	var current jose.PrivateKey
	var others []jose.PublicKey
	for i, seed := range g.Ordered() {
		k, err := jose.NewPrivateKey(seed)
		if err != nil {
			return fail(err)
		}
		if i == 0 {
			current = k
			continue
		}
		others = append(others, k.Public())
	}
	a, err := silent(cfg, current, others, now)
	if err != nil {
		return fail(err)
	}
	return a, current, nil
}

// silent publishes nothing: what the node says of itself is the running node's to say.
func silent(cfg config.Config, current jose.PrivateKey, others []jose.PublicKey, now func() time.Time) (*authority.Authority, error) {
	id := trust.EntityID(cfg.EntityID)
	p, err := endpoint.NewPublisher(endpoint.PublisherConfig{Key: current, Clock: now, Configuration: trust.EntityConfiguration{
		Entity: id, Keys: jose.NewKeySet(append([]jose.PublicKey{current.Public()}, others...)...),
		Metadata: trust.Metadata{FederationEntity: authority.Endpoints(id, cfg.Name)},
	}})
	if err != nil {
		return nil, err
	}
	return New(cfg, current, jose.NewKeySet(others...), p, now)
}
