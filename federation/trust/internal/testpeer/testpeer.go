// Package testpeer gives tests peer IDs of keys that they have: see package peerid for what is proved with them. Start with
// [ID] where a test would make up a peer ID, and [Prove] where it signs an Entity Configuration.
//
// It is for tests alone: its keys are those of names.
package testpeer

import (
	"crypto/sha256"
	"sync"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/peerid"
)

// seeds are those of the keys that were asked for, by peer ID, so that a test has to name none twice.
var seeds sync.Map

// ID is the peer ID of the key of that name.
func ID(name string) string {
	seed := sha256.Sum256([]byte("tamga/v1/test-key libp2p " + name))
	key, err := jose.NewPrivateKey(seed[:])
	if err != nil {
		panic("testpeer: " + err.Error())
	}
	id := peerid.Of(key.Public())
	seeds.Store(id, seed[:])
	return id
}

// IDs are those of several names.
func IDs(names ...string) []string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = ID(name)
	}
	return out
}

// Proofs are by all those of the peer IDs that [ID] made.
func Proofs(entity trust.EntityID, federation jose.PublicKey, ids ...string) peerid.Proofs {
	var have [][]byte
	for _, id := range ids {
		if seed, ok := seeds.Load(id); ok {
			have = append(have, seed.([]byte))
		}
	}
	proofs, err := peerid.Prove(string(entity), federation, have...)
	if err != nil {
		panic("testpeer: " + err.Error())
	}
	return proofs
}

// Prove is the metadata with proofs for the Entity that signs with that federation key. Nil stays nil, and metadata
// that has proofs as it is.
func Prove(m *trust.NodeMetadata, entity trust.EntityID, federation jose.PublicKey) *trust.NodeMetadata {
	if m == nil || m.PeerProofs != nil {
		return m
	}
	c := *m
	c.PeerProofs = Proofs(entity, federation, append([]string{m.PeerID}, m.PeerIDs...)...)
	return &c
}
