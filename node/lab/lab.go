// Package lab is a member of the federation that only asks: the tester of a conformance
// laboratory, which talks to a target through the real trust and transport packages
// and keeps neither gallery nor ledger.
//
// Call [Join], then [Lab.Country] or [Lab.Entity] for each node to examine: the
// [Target] has what is to be verified and two lines to it, one as the lab and one as
// a stranger whom no Trust Chain names. Close the Lab when done.
//
// It does not build Queries and does not read replies: package conformance does, which
// this package does not import. It applies no law of its own and writes no intent, so
// it is for synthetic people only: a node that asks about real ones is package node.
package lab

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/crypto/sealing"
	"github.com/tamga-id/tamga/federation/ledger/lognote"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/transport"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/directory"
	"github.com/tamga-id/tamga/federation/trust/endpoint"
	"github.com/tamga-id/tamga/federation/trust/peerid"
)

// Jurisdiction is what a Lab says by default: a user-assigned code of ISO 3166-1,
// which no country has.
const Jurisdiction = "XTS"

// Config says who the lab is.
type Config struct {
	EntityID     trust.EntityID // required
	Jurisdiction string         // default: Jurisdiction; each member needs its own
	Name         string
	Anchor       trust.Anchor // required
	Keys         Keys         // zero: new keys
	// Enrol hands the lab's Entity Configuration to the Trust Anchor and returns when
	// the lab is a member. Nil: it is one already.
	Enrol  func(ctx context.Context, configuration string) error
	Now    func() time.Time // required
	Logger *slog.Logger     // nil: no events
}

// Keys are the lab's secrets as 32-byte seeds. A lab that comes back under the same
// Entity Identifier keeps them.
type Keys struct{ Federation, Signing, Sealing, Transport, Ledger, LedgerPQ []byte }

// NewKeys makes keys.
func NewKeys() Keys {
	seed := func() []byte { b := make([]byte, 32); _, _ = rand.Read(b); return b }
	return Keys{seed(), seed(), seed(), seed(), seed(), seed()}
}

// Lab is a member that only asks. Safe for concurrent use.
type Lab struct {
	EntityID     trust.EntityID
	Jurisdiction string
	Signing      jose.PrivateKey

	directory *directory.Directory
	host      *transport.Host
	stranger  *transport.Host
	now       func() time.Time
}

// Join makes the lab a member and shows, through its own Trust Chain, that it is one.
// On error nothing is left open.
func Join(ctx context.Context, cfg Config) (joined *Lab, err error) {
	if cfg.Now == nil || cfg.EntityID == "" || cfg.Anchor.EntityID == "" {
		return nil, errors.New("joining as a laboratory: Now, EntityID or Anchor is missing")
	}
	if _, err := trust.ParseEntityID(string(cfg.EntityID)); err != nil {
		return nil, fmt.Errorf("joining as a laboratory: %w", err)
	}
	if cfg.Jurisdiction == "" {
		cfg.Jurisdiction = Jurisdiction
	}
	if cfg.Keys.Federation == nil {
		cfg.Keys = NewKeys()
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	l := &Lab{EntityID: cfg.EntityID, Jurisdiction: cfg.Jurisdiction, now: cfg.Now}
	defer func() {
		if err != nil {
			joined, err = nil, errors.Join(fmt.Errorf("joining as a laboratory: %w", err), l.Close())
		}
	}()
	if l.Signing, err = jose.NewPrivateKey(cfg.Keys.Signing); err != nil {
		return nil, err
	}
	if cfg.Enrol != nil {
		configuration, err := cfg.configuration(l.Signing)
		if err != nil {
			return nil, err
		}
		if err := cfg.Enrol(ctx, configuration); err != nil {
			return nil, err
		}
	}
	return l, l.open(ctx, cfg)
}

// open opens the lab's connections and finds out who is a member.
func (l *Lab) open(ctx context.Context, cfg Config) error {
	source, err := endpoint.NewHTTP(nil, []trust.Anchor{cfg.Anchor}, nil)
	if err != nil {
		return err
	}
	if l.directory, err = directory.New([]trust.Anchor{cfg.Anchor}, source, ""); err != nil {
		return err
	}
	if l.host, err = newHost(cfg.Keys.Transport, cfg.Logger); err != nil {
		return err
	}
	if l.stranger, err = newHost(NewKeys().Transport, cfg.Logger); err != nil {
		return err
	}
	if err := l.Refresh(ctx); err != nil {
		return err
	}
	return l.isMember()
}

// isMember shows that the Trust Anchor vouches for the keys that the lab uses.
func (l *Lab) isMember() error {
	self, err := l.directory.Entity(l.EntityID, l.now())
	if err != nil {
		return err
	}
	if _, ok := self.SigningKeys.Key(l.Signing.Public().KeyID()); !ok || self.PeerID != string(l.host.PeerID()) {
		return errors.New("the Trust Anchor has enrolled other keys under this Entity Identifier")
	}
	return nil
}

// newHost dials and never listens. Who is dialled was found in a Trust Chain, and
// nobody else ever opens a stream to it.
func newHost(seed []byte, log *slog.Logger) (*transport.Host, error) {
	return transport.New(transport.Config{Seed: seed, Admit: func(transport.PeerID) bool { return true }, Logger: log}, nil)
}

// Refresh asks the Trust Anchor who is a member now.
func (l *Lab) Refresh(ctx context.Context) error {
	_, err := l.directory.Refresh(ctx, l.now())
	return err
}

// configuration is the Entity Configuration of a node without gallery: it names no
// addresses, modalities or purposes.
func (c Config) configuration(signing jose.PrivateKey) (string, error) {
	federation, err := jose.NewPrivateKey(c.Keys.Federation)
	if err != nil {
		return "", err
	}
	seal, err := sealing.NewPrivateKey(c.Keys.Sealing)
	if err != nil {
		return "", err
	}
	origin := strings.TrimSuffix(strings.TrimPrefix(string(c.EntityID), "https://"), "/") + "/ledger"
	signer, err := lognote.NewSigner(origin, c.Keys.Ledger, c.Keys.LedgerPQ)
	if err != nil {
		return "", err
	}
	peer, err := transport.PeerIDFromSeed(c.Keys.Transport)
	if err != nil {
		return "", err
	}
	proofs, err := peerid.Prove(string(c.EntityID), federation.Public(), c.Keys.Transport)
	if err != nil {
		return "", err
	}
	p, err := endpoint.NewPublisher(endpoint.PublisherConfig{Key: federation, Clock: c.Now, Configuration: trust.EntityConfiguration{
		Entity: c.EntityID, AuthorityHints: []trust.EntityID{c.Anchor.EntityID},
		Metadata: trust.Metadata{
			FederationEntity: &trust.FederationEntityMetadata{OrganizationName: c.Name},
			TamgaNode: &trust.NodeMetadata{
				Jurisdiction: c.Jurisdiction, PeerID: string(peer), PeerProofs: proofs, Keys: jose.NewKeySet(signing.Public()),
				SealingKeys: []sealing.PublicKey{seal.Public()}, Revisions: []string{protocol.Revision},
				Ledger: &trust.LedgerMetadata{Origin: origin, Keys: signer.VerifierKeys()},
			},
		},
	}})
	if err != nil {
		return "", err
	}
	return p.Token()
}

// Close releases the lab's connections.
func (l *Lab) Close() error {
	var errs []error
	for _, h := range []*transport.Host{l.host, l.stranger} {
		if h != nil {
			errs = append(errs, h.Close())
		}
	}
	return errors.Join(errs...)
}
