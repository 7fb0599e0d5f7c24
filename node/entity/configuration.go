package entity

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/crypto/sealing"
	"github.com/tamga-id/tamga/federation/policy/vocabulary"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/transport"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/authority"
	"github.com/tamga-id/tamga/federation/trust/endpoint"
	"github.com/tamga-id/tamga/federation/trust/trustmark"
	"github.com/tamga-id/tamga/node/comparison"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/keystore"
	"github.com/tamga-id/tamga/node/lawbook"
)

// configurationLifetime is how long an Entity Configuration holds. Who is a member is
// decided by the anchor's statements, which hold for a day; this only says how often
// an anchor that was told no location must be handed a new one.
const configurationLifetime = 366 * 24 * time.Hour

// configuration is what the node says about itself.
func configuration(cfg config.Config, k keystore.Set, serves lawbook.Served, anchors []trust.Anchor, addresses []string) (trust.EntityConfiguration, error) {
	hints := make([]trust.EntityID, len(anchors))
	for i, a := range anchors {
		hints[i] = a.EntityID
	}
	marks, err := readMarks(cfg.Trust.Marks)
	if err != nil {
		return trust.EntityConfiguration{}, err
	}
	federation := &trust.FederationEntityMetadata{OrganizationName: cfg.Name}
	if cfg.Trust.Subordinates > 0 {
		federation = authority.Endpoints(trust.EntityID(cfg.EntityID), cfg.Name)
	}
	return trust.EntityConfiguration{
		Entity:           trust.EntityID(cfg.EntityID),
		Keys:             jose.NewKeySet(k.Announced...),
		AuthorityHints:   Superiors(cfg, anchors),
		TrustAnchorHints: hints,
		TrustMarks:       marks,
		Metadata: trust.Metadata{
			FederationEntity: federation,
			TamgaNode: &trust.NodeMetadata{
				Jurisdiction: cfg.Jurisdiction,
				PeerID:       string(k.PeerIDs[0]),
				PeerIDs:      further(k.PeerIDs),
				PeerProofs:   k.PeerProofs,
				Addresses:    addresses,
				Keys:         jose.NewKeySet(k.Verifiers...),
				SealingKeys:  sealingKeys(k.Sealing),
				Modalities:   comparison.Modalities(),
				Formats:      comparison.Formats(),
				Purposes:     serves.Purposes,
				LegalBases:   serves.LegalBases,
				Vocabulary:   vocabulary.Version,
				Ledger:       &trust.LedgerMetadata{Origin: k.Ledger.Origin(), Keys: k.Ledger.VerifierKeys()},
				Revisions:    []string{protocol.Revision},
				KeyExchange:  []string{transport.HybridKeyExchange},
				Holds:        cfg.BiometricData,
			},
		},
	}, nil
}

// Superiors are those that vouch for the node: the Anchors, unless it is configured otherwise.
func Superiors(cfg config.Config, anchors []trust.Anchor) []trust.EntityID {
	var out []trust.EntityID
	for _, s := range cfg.Trust.Superiors {
		out = append(out, trust.EntityID(s))
	}
	if out == nil {
		for _, a := range anchors {
			out = append(out, a.EntityID)
		}
	}
	return out
}

// further are the peer IDs beside the one in use.
func further(ids []transport.PeerID) (out []string) {
	for _, id := range ids[1:] {
		out = append(out, string(id))
	}
	return out
}

// readMarks reads the node's own Trust Marks, one a file.
func readMarks(files []string) ([]trust.TrustMark, error) {
	var marks []trust.TrustMark
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("reading trust mark: %w", err)
		}
		token := strings.TrimSpace(string(b))
		m, err := trustmark.Read(token)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Base(file), err)
		}
		marks = append(marks, trust.TrustMark{Type: m.Type, Token: token})
	}
	return marks, nil
}

// sealingKeys are what peers may seal to, the current one first.
func sealingKeys(private []sealing.PrivateKey) []sealing.PublicKey {
	out := make([]sealing.PublicKey, len(private))
	for i, k := range private {
		out[i] = k.Public()
	}
	return out
}

func publisherOf(k keystore.Set, c trust.EntityConfiguration, now func() time.Time) (*endpoint.Publisher, error) {
	return endpoint.NewPublisher(endpoint.PublisherConfig{Key: k.Federation, Configuration: c, Lifetime: configurationLifetime, Clock: now})
}

// First is the Entity Configuration, signed, of a node that is being made.
func First(cfg config.Config, k keystore.Set, serves lawbook.Served, anchors []trust.Anchor, addresses []string, now func() time.Time) (string, error) {
	c, err := configuration(cfg, k, serves, anchors, addresses)
	if err != nil {
		return "", err
	}
	p, err := publisherOf(k, c, now)
	if err != nil {
		return "", err
	}
	return p.Token()
}
