package node

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/tamga-id/tamga/federation/transport"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/node/attention"
	"github.com/tamga-id/tamga/node/entity"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/peering"
	"github.com/tamga-id/tamga/node/requester"
)

// openDirectory opens what is known of the other members.
func (n *Node) openDirectory() (*peering.Peers, error) {
	locations := make(map[trust.EntityID]string, len(n.cfg.Trust.Locations))
	for id, base := range n.cfg.Trust.Locations {
		locations[trust.EntityID(id)] = base
	}
	return peering.Open(peering.Config{
		Superiors: entity.Superiors(n.cfg, n.anchors), Own: n.entity.Listing,
		Answer: n.entity.ServeFrame,
		Self:   trust.EntityID(n.cfg.EntityID), Anchors: n.anchors, Locations: locations, AllowPrivate: n.cfg.Trust.AllowPrivate, DataDir: n.cfg.DataDir,
		Introductions: entity.IntroductionsFile(n.cfg), Client: trustClient(n.cfg.Trust.Proxy),
		Staleness: n.cfg.Trust.Staleness, MarkStaleness: n.cfg.Trust.MarkStaleness,
		Every: n.cfg.Trust.Refresh, Now: n.now, Log: n.log,
		Exchange: func(ctx context.Context, to transport.PeerID, addrs []string, protocol string, frame []byte) ([]byte, error) {
			return n.line.ExchangeIdempotent(ctx, to, addrs, protocol, frame)
		},
		Connected: func() []transport.PeerID { return n.line.Host().Connected() },
		Links:     func(p transport.PeerID) []transport.Link { return n.line.Host().Links(p) },
		Changed: func() {
			n.line.Host().Recheck()
			n.favour()
		},
	})
}

// noting keeps when members were last heard, and why not.
type noting struct {
	requester.Exchanger
	peers *peering.Peers
}

// Exchange implements requester.Exchanger.
func (n noting) Exchange(ctx context.Context, to transport.PeerID, addrs []string, protocol string, frame []byte) ([]byte, error) {
	reply, err := n.Exchanger.Exchange(ctx, to, addrs, protocol, frame)
	if err != nil {
		n.peers.Failed(to, err)
	} else {
		n.peers.Heard(to)
	}
	return reply, err
}

// Peer is the node of a country.
func (n *Node) Peer(alpha3 string) (trust.Node, error) { return n.directory.Country(alpha3, n.now()) }

// Members are the nodes of the federation as last refreshed, this one among them.
func (n *Node) Members() []trust.Node { return n.directory.Members(n.now()) }

// Status is what an operator sees of a node at a glance. It counts no one per person.
type Status struct {
	EntityID     string             `json:"entity_id"`
	Jurisdiction string             `json:"jurisdiction"`
	Name         string             `json:"name,omitempty"`
	Environment  string             `json:"environment,omitempty"`
	PeerID       string             `json:"peer_id"`
	Addresses    []string           `json:"addresses"`
	Started      time.Time          `json:"started"`
	Law          LawStatus          `json:"law"`
	Subjects     int64              `json:"subjects"`
	Full         bool               `json:"full"`      // whether the gallery's disk is too full for changes
	Attention    []attention.Matter `json:"attention"` // what somebody has to look after
	Ledger       LedgerStatus       `json:"ledger"`
	Refused      map[string]uint64  `json:"refused"` // peers' connections, streams and frames since the start, by cause
	Alarms       map[string]uint64  `json:"alarms"`  // that Queries raised since the start, by kind
	Members      []MemberStatus     `json:"members"`
}

// LawStatus names the law in force at the node.
type LawStatus struct {
	Version   string   `json:"version"`
	Confirmed bool     `json:"confirmed"`
	Serves    []string `json:"serves"`
}

// LedgerStatus is the head of the node's ledger.
type LedgerStatus struct {
	Origin string `json:"origin"`
	Size   uint64 `json:"size"`
}

// MemberStatus is what the node knows of another.
type MemberStatus struct {
	EntityID     string    `json:"entity_id"`
	Jurisdiction string    `json:"jurisdiction"`
	Expires      time.Time `json:"expires"`
	Connected    bool      `json:"connected"`
	Addresses    []string  `json:"addresses"`
}

// Status reports the node's state from memory.
func (n *Node) Status() Status {
	law := n.law.Current()
	s := Status{
		EntityID: n.cfg.EntityID, Jurisdiction: n.cfg.Jurisdiction, Name: n.cfg.Name, PeerID: string(n.line.Host().PeerID()),
		Addresses: n.line.Host().Addresses(), Started: n.started.UTC().Truncate(time.Second), Subjects: n.gallery.Subjects(),
		Attention: n.attention.List(),
		Full:      errors.Is(n.gallery.Ready(), gallery.ErrFull),
		Law:       LawStatus{Version: law.Law().Version(), Confirmed: law.Law().Confirmed(), Serves: law.Serves(n.now()).Purposes},
		Ledger:    LedgerStatus{Origin: n.keys.Ledger.Origin(), Size: n.ledger.Size()},
		Refused:   n.line.Refusals(),
		Alarms:    n.alarms.Counts(),
	}
	connected := make(map[string]bool)
	for _, p := range n.line.Host().Connected() {
		connected[string(p)] = true
	}
	for _, m := range n.Members() {
		if string(m.EntityID) == n.cfg.EntityID {
			continue
		}
		s.Members = append(s.Members, MemberStatus{EntityID: string(m.EntityID), Jurisdiction: m.Jurisdiction,
			Expires: m.ExpiresAt, Connected: slices.ContainsFunc(m.IDs(), func(id string) bool { return connected[id] }), Addresses: m.Addresses})
	}
	return s
}

// trustClient asks over HTTP, through the proxy where there is one: nil, for the usual client, where there is none.
func trustClient(proxy string) *http.Client {
	u, err := url.Parse(proxy)
	if proxy == "" || err != nil { // the configuration has been checked
		return nil
	}
	t := &http.Transport{Proxy: http.ProxyURL(u), ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 2,
		IdleConnTimeout: time.Minute, TLSHandshakeTimeout: 10 * time.Second}
	return &http.Client{Transport: t}
}
