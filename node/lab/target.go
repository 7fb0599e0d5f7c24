package lab

import (
	"context"
	"fmt"

	"github.com/tamga-id/tamga/federation/ledger/lognote"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/transport"
	"github.com/tamga-id/tamga/federation/trust"
)

// Target is a node to examine, as its Trust Chain describes it.
type Target struct {
	trust.Node
	Peer     protocol.Peer // what its replies verify under
	Line     Line          // as the lab
	Trust    Line          // as the lab, for /tamga/trust/1
	Consent  Line          // as the lab, for /tamga/consent/1
	Stranger Line          // under a peer ID that no Trust Chain names
}

// Country is the node of a jurisdiction. The errors are those of directory.Directory.
func (l *Lab) Country(alpha3 string) (Target, error) {
	n, err := l.directory.Country(alpha3, l.now())
	if err != nil {
		return Target{}, fmt.Errorf("finding target %.3q: %w", alpha3, err)
	}
	return l.target(n)
}

// Entity is the node with an Entity Identifier. The errors are those of directory.Directory.
func (l *Lab) Entity(id trust.EntityID) (Target, error) {
	n, err := l.directory.Entity(id, l.now())
	if err != nil {
		return Target{}, fmt.Errorf("finding target: %w", err)
	}
	return l.target(n)
}

func (l *Lab) target(n trust.Node) (Target, error) {
	v, err := lognote.NewVerifier(n.LedgerOrigin, n.LedgerKeys)
	if err != nil {
		return Target{}, fmt.Errorf("reading ledger keys of target: %w", err)
	}
	return Target{
		Node: n, Peer: protocol.Peer{Entity: string(n.EntityID), Keys: n.SigningKeys, Ledger: v},
		Line:     Line{l.host, transport.PeerID(n.PeerID), n.Addresses, transport.ProtocolQuery},
		Trust:    Line{l.host, transport.PeerID(n.PeerID), n.Addresses, transport.ProtocolTrust},
		Consent:  Line{l.host, transport.PeerID(n.PeerID), n.Addresses, transport.ProtocolConsent},
		Stranger: Line{l.stranger, transport.PeerID(n.PeerID), n.Addresses, transport.ProtocolQuery},
	}, nil
}

// Line carries the frames of one protocol to one target.
type Line struct {
	host     *transport.Host
	to       transport.PeerID
	addrs    []string
	protocol string
}

// Exchange sends one frame and returns the reply. The errors are
// those of transport.Host.Exchange.
func (l Line) Exchange(ctx context.Context, frame []byte) ([]byte, error) {
	return l.host.Exchange(ctx, l.to, l.addrs, l.protocol, frame)
}
