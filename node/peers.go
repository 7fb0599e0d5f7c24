package node

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/transport"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/explain"
	"github.com/tamga-id/tamga/matcher/synth"
	"github.com/tamga-id/tamga/node/keystore"
	"github.com/tamga-id/tamga/node/peering"
	"github.com/tamga-id/tamga/node/requester"
)

// Peers lists the other members. See peering.Peers.List.
func (n *Node) Peers() []peering.Peer { return n.directory.List() }

// PeerChain is the Trust Chain by which the Entity is a member.
func (n *Node) PeerChain(id trust.EntityID) []explain.Statement { return n.directory.Chain(id) }

// TrustAnchors are the configured Trust Anchors and what is held of them.
func (n *Node) TrustAnchors() []peering.AnchorState { return n.directory.Anchors() }

// Suspended reports whether this node itself is suspended.
func (n *Node) Suspended() bool { return n.directory.SelfSuspended() }

// PausePeer has nothing to do with a member, and those below it unless only, until ResumePeer.
func (n *Node) PausePeer(name, reason string, only bool) (trust.EntityID, error) {
	return n.directory.Pause(name, reason, only)
}

// ResumePeer ends a pause.
func (n *Node) ResumePeer(name string) (trust.EntityID, error) { return n.directory.Resume(name) }

// ExplainTrust says why an Entity is a member to this node, or not.
func (n *Node) ExplainTrust(ctx context.Context, name string) (peering.Explanation, error) {
	return n.directory.Explain(ctx, name)
}

// TestPeer tests the member that the operator names. See peering.Peers.Test.
func (n *Node) TestPeer(ctx context.Context, name string) (peering.Report, error) {
	return n.directory.Test(ctx, name, n.probing())
}

// PingPeer tries each address of the member that the operator names.
func (n *Node) PingPeer(ctx context.Context, name string) (peering.Report, error) {
	return n.directory.Ping(ctx, name, n.probing())
}

func (n *Node) probing() peering.Probing {
	return peering.Probing{Exchange: n.exchangeAt, Stale: func(to trust.Node, now time.Time) ([]byte, error) {
		return n.requester.Load().Stale(to, nobody(to.Jurisdiction), now)
	}, Verify: n.verifyNobody}
}

// exchangeAt exchanges one frame over a connection of its own to one address: the node's
// host would use the connection that is open already, whichever address that was made to.
func (n *Node) exchangeAt(ctx context.Context, to transport.PeerID, addr, protocol string, frame []byte) (_ []byte, err error) {
	var seed []byte
	n.rotation.With(func(k keystore.Set) { seed = bytes.Clone(k.LibP2P) })
	defer clear(seed)
	host, err := transport.New(transport.Config{Seed: seed, Logger: slog.New(slog.DiscardHandler), Also: n.directory.Also,
		Admit: func(p transport.PeerID) bool { return p == to || slices.Contains(n.directory.Also(to), p) }}, map[string]transport.Handler{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, host.Close()) }()
	return host.Exchange(ctx, to, []string{addr}, protocol, frame)
}

// verifyNobody asks about somebody who does not exist, as an officer would.
func (n *Node) verifyNobody(ctx context.Context, to trust.Node) (protocol.Code, error) {
	r, err := n.Verify(ctx, requester.Request{Question: nobody(to.Jurisdiction), Purpose: "sandbox_test", LegalBasis: "public_task", Officer: "peer-test"})
	return r.Code, err
}

// nobody is a question about a person whom no register has.
func nobody(jurisdiction string) protocol.Question {
	face := synth.New(0, synth.Jurisdictions()[0]).Person(0).FaceProbe(0)
	return protocol.Question{Subject: pseudonym.Identifier{Jurisdiction: jurisdiction, Type: "passport", Value: "TAMGAPEERTEST"},
		Probes: []protocol.Probe{{Modality: "face", Format: "tamga-embedding-1", Data: face}}}
}

// Reconsider has a running node look at once whether the addresses in its configuration file are others.
func (n *Node) Reconsider() { n.addresses.Reconsider() }
