package node

import (
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/authority"
	"github.com/tamga-id/tamga/federation/trust/endpoint"
	"github.com/tamga-id/tamga/federation/trust/membership"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/keys"
	"github.com/tamga-id/tamga/node/keystore"
)

// A node may be the superior of its ministries' nodes: it enrols them as an anchor does,
// under its federation key, and answers for them at the same endpoints as for itself, over
// HTTP and /tamga/trust/1. What it enrolled lies in its data folder. Members are told of a change
// within seconds (PROTOCOL.md, TMG-E-014).

// ErrNoSubordinates: the node's configuration lets it vouch for nobody.
var ErrNoSubordinates = errors.New("the node vouches for nobody: trust.subordinates is 0")

func subordinatesDir(cfg config.Config) string { return filepath.Join(cfg.DataDir, "subordinates") }

func newSuperior(cfg config.Config, key jose.PrivateKey, others jose.KeySet, p *endpoint.Publisher, now func() time.Time) (*authority.Authority, error) {
	return authority.New(authority.Config{EntityID: trust.EntityID(cfg.EntityID), Key: key, Keys: others, Country: cfg.Jurisdiction,
		Publisher: p, Most: cfg.Trust.Subordinates, Dir: subordinatesDir(cfg), OrganizationName: cfg.Name, Clock: now})
}

// OpenSuperior opens what the node in the folder, which may run, says of those below it,
// to change that; a running node notices. It returns the federation key with it.
func OpenSuperior(dir string, root custody.Root, now func() time.Time) (*authority.Authority, jose.PrivateKey, error) {
	fail := func(err error) (*authority.Authority, jose.PrivateKey, error) {
		return nil, jose.PrivateKey{}, fmt.Errorf("opening superior: %w", err)
	}
	cfg, err := config.Load(filepath.Join(dir, ConfigFile))
	if err != nil {
		return nil, jose.PrivateKey{}, err
	}
	if cfg.Trust.Subordinates == 0 {
		return fail(ErrNoSubordinates)
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
	// It publishes nothing: what the node says of itself is the running node's to say.
	id, rest := trust.EntityID(cfg.EntityID), jose.NewKeySet(others...)
	p, err := endpoint.NewPublisher(endpoint.PublisherConfig{Key: current, Clock: now, Configuration: trust.EntityConfiguration{
		Entity: id, Keys: jose.NewKeySet(append([]jose.PublicKey{current.Public()}, others...)...),
		Metadata: trust.Metadata{FederationEntity: authority.Endpoints(id, cfg.Name)},
	}})
	if err != nil {
		return fail(err)
	}
	a, err := newSuperior(cfg, current, rest, p, now)
	if err != nil {
		return fail(err)
	}
	return a, current, nil
}

// answer answers what others ask of the node as an Entity: about itself, and, where it is a
// superior, about those below it.
func (n *Node) answer(r endpoint.Request) endpoint.Response {
	if s := n.superior.Load(); s != nil {
		return s.Answer(r)
	}
	p := n.publisher.Load()
	if p == nil {
		return endpoint.Response{Code: endpoint.ServerError} // not ready
	}
	return p.Answer(r)
}

// listing is what the node says of those below it, for the members; see peering.Config.Own.
func (n *Node) listing(held membership.Listing, token string) (membership.Notice, membership.Listing, bool, error) {
	s := n.superior.Load()
	if s == nil {
		return membership.Notice{}, membership.Listing{}, false, nil
	}
	notice, l, err := s.Notice(held, token)
	return notice, l, err == nil, err
}

// entity serves answer over HTTP.
func (n *Node) entity() http.Handler {
	return endpoint.Handler(trust.EntityID(n.cfg.EntityID), n.answer)
}
