package entity

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/introduction"
	"github.com/tamga-id/tamga/node/keystore"
)

// IntroductionsFile holds the introductions of a node that are under way and done.
func IntroductionsFile(cfg config.Config) string {
	return filepath.Join(cfg.DataDir, "introductions.json")
}

// Introduce is the node's own side of an introduction: what its Entity Configuration says,
// its Trust Anchors, and its federation key.
func Introduce(configFile string, root custody.Root) (introduction.Self, error) {
	cfg, err := config.Load(configFile)
	if err != nil {
		return introduction.Self{}, err
	}
	anchors, err := ReadAnchors(cfg.Trust.Anchors)
	if err != nil {
		return introduction.Self{}, err
	}
	dir := filepath.Dir(configFile)
	b, err := os.ReadFile(filepath.Join(dir, config.EntityConfigurationFile))
	if err != nil {
		return introduction.Self{}, fmt.Errorf("reading own Entity Configuration: %w", err)
	}
	s, err := trust.ParseStatement(strings.TrimSpace(string(b)))
	if err != nil {
		return introduction.Self{}, fmt.Errorf("reading own Entity Configuration: %w", err)
	}
	m, err := s.Node()
	if err != nil {
		return introduction.Self{}, fmt.Errorf("reading own Entity Configuration: %w", err)
	}
	secrets, err := keystore.OpenSecrets(dir, root)
	if err != nil {
		return introduction.Self{}, err
	}
	defer keystore.WipeSecrets(secrets)
	all, err := keystore.FederationKeys(secrets)
	if err != nil {
		return introduction.Self{}, err
	}
	return introduction.Self{Key: all[0], Party: introduction.Party{EntityID: s.Subject(), Name: cfg.Name, Jurisdiction: m.Jurisdiction,
		PeerID: m.PeerID, Addresses: m.Addresses, Keys: s.Keys(), Anchors: anchors}}, nil
}
