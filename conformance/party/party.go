// Package party has who takes part in an examination of a node: the target, the tester who
// asks, and the people asked about.
package party

import (
	"context"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/crypto/sealing"
	"github.com/tamga-id/tamga/federation/protocol"
)

// Exchanger carries one frame of /tamga/query/1 to the target and returns its reply.
// Exchange returns when ctx ends; an error means that there was no reply.
type Exchanger interface {
	Exchange(ctx context.Context, frame []byte) ([]byte, error)
}

// Ground is a purpose with a legal basis.
type Ground struct{ Purpose, LegalBasis string }

// Target is what the tester knows of the node under test from its Trust Chain.
type Target struct {
	Entity       string            // Entity Identifier
	Jurisdiction string            // ISO 3166-1 alpha-3
	Peer         protocol.Peer     // keys and ledger that its replies must verify under
	SealingKey   sealing.PublicKey // the first of its metadata
	Modalities   []string          // of its metadata
	Purposes     []string          // of its metadata
	Open         Ground            // answered without consent; zero: border_control, public_task
}

// Tester is the member of the federation that asks.
type Tester struct {
	Entity       string
	Jurisdiction string
	Signing      jose.PrivateKey
	Exchanger    Exchanger

	// Stranger is a connection whose peer ID no Trust Chain names; its Exchange must
	// fail. Nil: that case is skipped.
	Stranger Exchanger
	// Raw writes the bytes it is given to a fresh stream as they are, without a
	// length in front. Nil: cases about framing are skipped.
	Raw Exchanger
	// Trust carries one frame of /tamga/trust/1 to the target. Nil: cases about what
	// the target says of itself are skipped.
	Trust Exchanger
	// Consent carries one frame of /tamga/consent/1 to the target. Nil: cases about withdrawals are skipped.
	Consent Exchanger
	// Other is a second member, in whose name the tester sends Queries that the
	// target must refuse. Zero: the target's own name is used.
	Other Member
}

// Member is another Entity of the federation with the key that signs its Queries.
type Member struct {
	Entity  string
	Signing jose.PrivateKey
}

// Ground is Open, or border_control on public_task where that is zero.
func (t Target) Ground() Ground {
	if t.Open == (Ground{}) {
		return Ground{"border_control", "public_task"}
	}
	return t.Open
}
