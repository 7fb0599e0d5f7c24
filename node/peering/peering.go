package peering

import (
	"context"
	"log/slog"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tamga-id/tamga/federation/transport"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/directory"
	"github.com/tamga-id/tamga/federation/trust/endpoint"
	"github.com/tamga-id/tamga/federation/trust/membership"
	"github.com/tamga-id/tamga/node/internal/sparse"
	"github.com/tamga-id/tamga/node/peering/unsaid"
)

const (
	// pollEvery is how often the Anchors' bundles are looked at at least, give or take a
	// quarter: twice this and the time to hand on is under the minute in which a suspension
	// has to reach everybody.
	pollEvery = 15 * time.Second
	// handTimeout is for one member to take a notice; the others are told meanwhile, so that
	// some hundreds who let this node wait cost the rest less than the minute.
	handTimeout = 5 * time.Second
	handWorkers = 64
	// handStrangers is how many members without an open connection are told of news:
	// enough for news to get about, and not every member dialling every other.
	handStrangers = 16
)

// Config says how the Anchors and the other members are reached. All fields but Client,
// AllowPrivate, Every, Staleness and MarkStaleness are required.
type Config struct {
	Self    trust.EntityID
	Anchors []trust.Anchor
	// Locations say where Entities are really reached over HTTP.
	Locations map[trust.EntityID]string
	// AllowPrivate has Entities asked over HTTP that are at private addresses without being
	// Anchors or having a location.
	AllowPrivate bool
	// Every is how often the Anchors are polled when that is more often than every 15 s.
	Every time.Duration
	// Staleness bounds how long a chain is used that cannot be resolved anew, zero for
	// until it runs out; MarkStaleness how long a Trust Mark's last status.
	Staleness, MarkStaleness time.Duration
	// DataDir holds what is known, so that a node starts while the Anchors are away.
	DataDir string
	// Superiors are those that vouch for this node: its authority_hints.
	Superiors []trust.EntityID
	// Own is what this node says as a superior of those below it, given the newest listing of
	// its own that is held, with its token; false where it vouches for nobody.
	Own func(held membership.Listing, token string) (membership.Notice, membership.Listing, bool, error)
	// Answer answers a frame of /tamga/trust/1 as this node does; required where Own is. Whom it
	// is above it then knows, too, without a connection to itself.
	Answer func(frame []byte) []byte
	// Introductions is the file of whose keys were confirmed; see package introduction.
	Introductions string
	Client        *http.Client
	// Exchange sends one frame to a member.
	Exchange func(ctx context.Context, to transport.PeerID, addrs []string, protocol string, frame []byte) ([]byte, error)
	// Connected are the members with an open connection.
	Connected func() []transport.PeerID
	// Links are the live connections with a member.
	Links func(transport.PeerID) []transport.Link
	// Changed is called after members were dropped, and must end their connections.
	Changed func()
	Now     func() time.Time
	Log     *slog.Logger
}

// Peers are the other members. Safe for concurrent use.
type Peers struct {
	*directory.Directory // immutable after Open

	cfg        Config
	keeper     *membership.Keeper
	below      *membership.Below
	source     *membership.Source
	http       *endpoint.HTTP
	statements endpoint.Peer // source, and members over libp2p
	said       sparse.Lines  // see say

	suspended atomic.Bool // this node itself
	again     atomic.Bool // what this node says as a superior is to be told again after a refresh, to whom it finds
	taking    sync.Mutex  // held while a listing is put into force
	bidding   sync.Mutex  // held while those below are told; see Tell
	// news holds a channel with room for one for each Anchor: there is something to hand on.
	// Whoever hands on looks at what is newest then. Immutable after Open.
	news map[trust.EntityID]chan struct{}
	wake chan struct{}
	// unsaid are the Intermediates of whose listings there is news.
	unsaid unsaid.Intermediates

	mu       sync.Mutex // guards what follows; the file paused.json holds the pauses
	paused   map[trust.EntityID]Pause
	contacts map[trust.EntityID]Contact
}

// itself is in the place of this node's own peer ID where it is asked as an Entity.
const itself = "itself"

// Open opens what is known of the members. Nothing is fetched.
func Open(cfg Config) (*Peers, error) {
	p := &Peers{cfg: cfg, news: make(map[trust.EntityID]chan struct{}), wake: make(chan struct{}, 1), unsaid: unsaid.New(cfg.Self), contacts: make(map[trust.EntityID]Contact)}
	for _, a := range cfg.Anchors {
		p.news[a.EntityID] = make(chan struct{}, 1)
	}
	var err error
	if p.paused, err = readPauses(p.pauseFile()); err != nil {
		return nil, err
	}
	if p.keeper, err = membership.NewKeeper(cfg.Anchors, filepath.Join(cfg.DataDir, "listings.json")); err != nil {
		return nil, err
	}
	if p.below, err = membership.NewBelow(p.keeper.Anchors, filepath.Join(cfg.DataDir, "listings_below.json")); err != nil {
		return nil, err
	}
	p.http, err = endpoint.NewHTTP(cfg.Client, membership.WithoutFiles(cfg.Anchors), cfg.Locations)
	if err != nil {
		return nil, err
	}
	if cfg.AllowPrivate {
		p.http.AllowPrivate()
	}
	if p.source, err = membership.NewSource(p.http, cfg.Anchors, p.keeper, cfg.Client, cfg.Now); err != nil {
		return nil, err
	}
	exchange := cfg.Exchange
	p.cfg.Exchange = func(ctx context.Context, to transport.PeerID, addrs []string, protocol string, frame []byte) ([]byte, error) {
		reply, err := exchange(ctx, to, addrs, protocol, frame)
		if err != nil {
			p.Failed(to, err)
		} else {
			p.Heard(to)
		}
		return reply, err
	}
	p.statements = endpoint.Peer{
		Source: p.source,
		Exchange: func(ctx context.Context, peerID string, addrs []string, frame []byte) ([]byte, error) {
			if peerID == itself {
				return cfg.Answer(frame), nil
			}
			return p.cfg.Exchange(ctx, transport.PeerID(peerID), addrs, transport.ProtocolTrust, frame)
		},
		Locate: func(id trust.EntityID) (string, []string, bool) {
			if id == cfg.Self && cfg.Answer != nil {
				return itself, nil, true
			}
			n, err := p.Directory.Entity(id, cfg.Now())
			return n.PeerID, n.Addresses, err == nil && len(n.Addresses) > 0
		},
	}
	if p.Directory, err = directory.New(p.keeper.Anchors(), p.statements, filepath.Join(cfg.DataDir, "trust.json")); err != nil {
		return nil, err
	}
	p.Directory.Published(p.source.PublishedStatus)
	p.Directory.Bound(cfg.Staleness, cfg.MarkStaleness)
	for _, l := range append(p.keeper.Listings(), p.below.Listings()...) {
		p.Retain(l.Path, l.Members, l.Out())
	}
	p.suspended.Store(p.out(cfg.Self))
	return p, nil
}
