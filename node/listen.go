package node

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"slices"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/transport"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/node/addresses"
	"github.com/tamga-id/tamga/node/attention"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/gap"
	"github.com/tamga-id/tamga/node/internal/throng"
	"github.com/tamga-id/tamga/node/keystore"
	"github.com/tamga-id/tamga/node/line"
	"github.com/tamga-id/tamga/node/metrics"
	"github.com/tamga-id/tamga/node/requester"
	"github.com/tamga-id/tamga/node/responder"
	"github.com/tamga-id/tamga/node/witness"
)

// AddressFile holds the host:port of a running node's API.
func AddressFile(cfg config.Config) string { return filepath.Join(cfg.DataDir, "api-address") }

// listen starts the libp2p host and binds the HTTP listeners.
func (n *Node) listen(o Overrides) (err error) {
	handlers := map[string]transport.Handler{
		transport.ProtocolTrust: func(ctx context.Context, from transport.PeerID, frame []byte) ([]byte, error) {
			if reply, is := n.directory.TakeAnnouncement(ctx, from, frame); is {
				return reply, nil
			}
			return n.entity.ServeFrame(frame), nil
		},
	}
	if n.heads, err = gap.OpenHeads(n.cfg); err != nil {
		return err
	}
	n.beginning = newBeginning()
	n.witness = witness.New(witness.Config{Heads: n.heads, Dir: witness.Dir(n.cfg), Now: n.now, Log: n.log,
		Alarm: func(ctx context.Context, err error) { n.attention.Set(ctx, attention.LedgerContradicted, true, err) }})
	handlers[transport.ProtocolLedger] = n.serveHeads
	handlers[transport.ProtocolConsent] = n.serveConsent
	for p, h := range o.Protocols {
		handlers[p] = h
	}
	handlers[transport.ProtocolListing] = func(ctx context.Context, from transport.PeerID, frame []byte) ([]byte, error) {
		return n.directory.Serve(ctx, from, frame)
	}
	handlers[transport.ProtocolQuery] = func(ctx context.Context, from transport.PeerID, frame []byte) ([]byte, error) {
		n.directory.Heard(from)
		if err := n.beginning.over(ctx); err != nil {
			return nil, err
		}
		reply, err := n.responder.Load().Handle(ctx, from, frame)
		if o.Reply != nil && err == nil {
			reply = o.Reply(reply)
		}
		return reply, err
	}
	if n.directory, err = n.openDirectory(); err != nil {
		return err
	}
	n.metrics = metrics.New(n.facts)
	cfg := responder.Config{
		Self: trust.EntityID(n.cfg.EntityID), Country: n.cfg.Jurisdiction, Signing: n.keys.Signing,
		Sealing: n.keys.Sealing, Members: n.directory, Law: n.law.Current(), Gallery: n.gallery,
		Ledger: n.ledger, Replay: new(responder.ReplayMemory), Calibrations: n.calibrations, Faces: n.keys.Faces, Now: n.now, Logger: n.log,
		Presented: n.directory.Presented, Consents: n.consents, Offices: n.offices, Decoys: n.decoys, Alarms: n.alarms,
		Budgets: n.budgets(), Desk: n.desk(), Pace: n.pace(), Answered: n.metrics.Answered,
	}
	if o.Responder != nil {
		o.Responder(&cfg)
	}
	n.responder.Store(responder.New(cfg))
	n.line, err = line.New(transport.Config{
		Seed: n.keys.LibP2P, Listen: n.cfg.Listen.LibP2P, Logger: n.log, Overloaded: protocol.Overloaded,
		MaxHandlers: n.cfg.Limits.Handlers, MaxRate: n.cfg.Limits.Rate, MaxBytes: n.cfg.Limits.Bytes, MaxMemory: n.cfg.Limits.Memory,
		Admit: n.directory.Admits, Also: n.directory.Also, Share: n.directory.Share, Unknown: n.directory.Unknown,
		Hybrid: func(p transport.PeerID) bool {
			m, ok := n.directory.Known(string(p))
			return ok && slices.Contains(m.KeyExchange, transport.HybridKeyExchange)
		},
	}, handlers)
	if err != nil {
		return err
	}
	n.addresses = addresses.New(addresses.Config{File: filepath.Join(n.dir, ConfigFile), Listen: n.cfg.Listen, Every: n.cfg.Trust.Refresh,
		Line: n.line, Peers: n.directory, Publish: n.publishAgain, Token: n.EntityConfiguration, Now: n.now, Log: n.log})
	var out requester.Exchanger = noting{n.line, n.directory}
	if o.Exchanger != nil {
		out = o.Exchanger(out)
	}
	n.makeRequester = func(k keystore.Set) *requester.Requester {
		return requester.New(requester.Config{
			Self: trust.EntityID(n.cfg.EntityID), Country: n.cfg.Jurisdiction, Signing: k.Signing,
			Directory: n.directory, Law: n.law.Current(), Ledger: n.ledger, Exchanger: out, Now: n.now, Logger: n.log, Chain: n.entity.QueryChain, Proof: n.entity.ProvingChain, Witness: n.witness,
			Withdrawn: n.withdrawn, Counts: n.ownCounts,
		})
	}
	n.requester.Store(n.makeRequester(n.keys))
	if n.api, err = net.Listen("tcp", n.cfg.Listen.API); err != nil {
		return fmt.Errorf("opening API listener: %w", err)
	}
	if n.cfg.Listen.Federation != "" {
		if n.public, err = net.Listen("tcp", n.cfg.Listen.Federation); err != nil {
			return fmt.Errorf("opening federation listener: %w", err)
		}
		n.public = throng.Bound(n.public, throng.Total, throng.Each)
	}
	if n.cfg.Listen.Metrics != "" {
		if n.scrape, err = net.Listen("tcp", n.cfg.Listen.Metrics); err != nil {
			return fmt.Errorf("opening metrics listener: %w", err)
		}
	}
	return nil
}
