package peering

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/transport"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/directory"
	"github.com/tamga-id/tamga/federation/trust/endpoint"
	"github.com/tamga-id/tamga/federation/trust/membership"
	"github.com/tamga-id/tamga/node/internal/sparse"
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
	unsaid unsaid

	mu       sync.Mutex // guards what follows; the file paused.json holds the pauses
	paused   map[trust.EntityID]Pause
	contacts map[trust.EntityID]Contact
}

// itself is in the place of this node's own peer ID where it is asked as an Entity.
const itself = "itself"

// Open opens what is known of the members. Nothing is fetched.
func Open(cfg Config) (*Peers, error) {
	p := &Peers{cfg: cfg, news: make(map[trust.EntityID]chan struct{}), wake: make(chan struct{}, 1), unsaid: newUnsaid(cfg.Self), contacts: make(map[trust.EntityID]Contact)}
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

// Admits is the transport's gate: whether the peer may hold a connection.
func (p *Peers) Admits(peer transport.PeerID) bool {
	n, ok := p.Directory.Member(string(peer), p.cfg.Now())
	// The superior of a node that is suspended is to tell it when it is no longer.
	return ok && !p.pausedNow(n) && (!p.suspended.Load() || slices.Contains(p.cfg.Superiors, n.EntityID))
}

// Also are the peer IDs of the same member beside the given one, while it replaces its libp2p key.
func (p *Peers) Also(peer transport.PeerID) (others []transport.PeerID) {
	n, ok := p.Directory.Member(string(peer), p.cfg.Now())
	if !ok || len(n.PeerIDs) == 0 {
		return nil
	}
	for _, id := range n.IDs() {
		if id != string(peer) {
			others = append(others, transport.PeerID(id))
		}
	}
	return others
}

// Unknown is the transport's question whether a peer that is not admitted may be a member
// all the same, and bring its Trust Chain.
func (p *Peers) Unknown(peer transport.PeerID) bool {
	return !p.suspended.Load() && p.Directory.Unsettled(string(peer), p.cfg.Now())
}

// Share is the transport's name of whose share a peer has part in: its country. A ministry's
// node has no share beside its country's.
func (p *Peers) Share(peer transport.PeerID) string {
	m, _ := p.Member(string(peer), p.cfg.Now())
	return m.Jurisdiction
}

// Member returns the member that the peer ID belongs to, and whether there is one that
// may ask and be asked now.
func (p *Peers) Member(peerID string, now time.Time) (trust.Node, bool) {
	n, ok := p.Directory.Member(peerID, now)
	if !ok || p.suspended.Load() || p.pausedNow(n) {
		return trust.Node{}, false
	}
	return n, true
}

// Entity returns the member with the identifier, for the responder. A member that is
// paused is none to it.
func (p *Peers) Entity(id trust.EntityID, now time.Time) (trust.Node, error) {
	n, err := p.Directory.Entity(id, now)
	if err == nil && (p.suspended.Load() || p.pausedNow(n)) {
		return trust.Node{}, trust.ErrNotMember
	}
	return n, err
}

// Presented is the member by the Trust Chain that it brings, for the responder. One that
// is suspended or paused is none to it.
func (p *Peers) Presented(chain []string, now time.Time) (trust.Node, error) {
	n, err := p.Directory.Presented(chain, now)
	if err == nil && (p.suspended.Load() || p.pausedNow(n)) {
		return trust.Node{}, trust.ErrNotMember
	}
	return n, err
}

// Country returns the member of the country, for the requester. An error that is a
// *protocol.Fault says that the member, or this node, is suspended or paused.
func (p *Peers) Country(alpha3 string, now time.Time) (trust.Node, error) {
	if p.suspended.Load() {
		return trust.Node{}, &protocol.Fault{Code: protocol.CodeSuspended, Err: errors.New("this node is suspended")}
	}
	n, err := p.Directory.Country(alpha3, now)
	switch {
	case err == nil && p.pausedNow(n):
		return trust.Node{}, &protocol.Fault{Code: protocol.CodePaused}
	case errors.Is(err, trust.ErrNotMember), errors.Is(err, trust.ErrUndetermined):
		for _, l := range p.keeper.Listings() {
			for _, s := range l.Suspended {
				// What could not be found out of others changes nothing of what all Anchors say.
				if s.Jurisdiction == alpha3 && (errors.Is(err, trust.ErrNotMember) || p.keeper.Excludes(s.Entity)) {
					return trust.Node{}, &protocol.Fault{Code: protocol.CodeSuspended}
				}
			}
		}
	}
	return n, err
}

// Below returns the node of the country that has the identifier, for the requester. The
// errors are those of Country.
func (p *Peers) Below(alpha3 string, id trust.EntityID, now time.Time) (trust.Node, error) {
	if p.suspended.Load() {
		return trust.Node{}, &protocol.Fault{Code: protocol.CodeSuspended, Err: errors.New("this node is suspended")}
	}
	n, err := p.Directory.Entity(id, now)
	if err == nil && n.Jurisdiction != alpha3 {
		return trust.Node{}, trust.ErrNotMember
	}
	if err == nil && p.pausedNow(n) {
		return trust.Node{}, &protocol.Fault{Code: protocol.CodePaused}
	}
	if errors.Is(err, trust.ErrNotMember) && p.out(id) {
		return trust.Node{}, &protocol.Fault{Code: protocol.CodeSuspended}
	}
	return n, err
}

// out reports whether an Anchor or superior has suspended the Entity and no other vouches for
// it, be it through an Intermediate: an Anchor of another region stops nobody but its own.
func (p *Peers) out(id trust.EntityID) bool {
	_, is := p.keeper.Suspended(id)
	if !is {
		_, is = p.suspendedBelow(id)
	}
	return is && !p.Directory.Vouched(id)
}

// Refresh polls the Anchors and verifies every member's chain anew. The error says what
// could not be reached; what is known stays.
func (p *Peers) Refresh(ctx context.Context, now time.Time) (directory.Report, error) {
	err := p.poll(ctx)
	_ = p.Tell(ctx) // while the directory still knows whom to tell; what is wrong is said by telling
	report, err2 := p.Directory.Refresh(ctx, now)
	err3 := p.hearSuperiors(ctx, true)
	if p.again.Swap(false) {
		for at := range p.Directory.Superiors() {
			if at.Entity() == p.cfg.Self {
				p.unsaid.add(at)
			}
		}
	}
	p.settle() // this node's own chains may be others now
	return report, errors.Join(err, err2, err3)
}

// poll looks at the bundles, all at a time, and takes over what is new: an Anchor that
// hangs delays nothing that another says.
func (p *Peers) poll(ctx context.Context) error {
	faults := make([]error, len(p.cfg.Anchors))
	var g errgroup.Group
	for i, a := range p.cfg.Anchors {
		g.Go(func() error {
			faults[i] = p.pollAnchor(ctx, a.EntityID)
			return nil
		})
	}
	_ = g.Wait()
	return errors.Join(faults...)
}

func (p *Peers) pollAnchor(ctx context.Context, id trust.EntityID) error {
	l, newer, err := p.source.PollAnchor(ctx, id)
	p.follow()
	if newer {
		p.take(l)
	}
	return err
}

// follow has the directory believe in the keys that the Anchors have now.
func (p *Peers) follow() {
	p.taking.Lock() // so that what was read first is not stored last
	defer p.taking.Unlock()
	p.UseAnchors(p.keeper.Anchors())
}

// take puts a newer listing into force, or the one that is newer still by now: whoever
// brings two at once must not have the earlier one be the last.
func (p *Peers) take(l membership.Listing) {
	news, anchor := p.news[l.Anchor]
	p.taking.Lock()
	if newest, _, ok := p.held(l.Path); ok {
		l = newest
	}
	known := len(p.Directory.Members(p.cfg.Now()))
	dropped := p.Retain(l.Path, l.Members, l.Out())
	p.taking.Unlock()
	self, was := p.settle()
	for _, id := range dropped {
		cause := "removed"
		if s, ok := l.Suspension(id); ok {
			cause = "suspended"
			if s.Reason != "" {
				cause += ": " + s.Reason
			}
		}
		p.cfg.Log.Warn("member dropped", slog.String("entity", string(id)), slog.String("by", string(l.Anchor)), slog.String("cause", cause))
	}
	p.cfg.Log.Info("listing taken over", slog.String("of", string(l.Anchor)), slog.Uint64("sequence", l.Sequence),
		slog.Int("members", len(l.Members)), slog.Int("suspended", len(l.Suspended)))
	if len(dropped) > 0 {
		p.cfg.Changed()
	}
	if was != self || anchor && len(l.Members) != known-len(dropped) {
		p.nudge()
	}
	if !anchor {
		p.unsaid.add(l.Path)
		return
	}
	select {
	case news <- struct{}{}:
	default: // it will be looked at anyway
	}
}

// held is the newest listing of an Anchor or Intermediate.
func (p *Peers) held(at trust.Path) (membership.Listing, membership.Notice, bool) {
	if _, anchor := p.news[trust.EntityID(at)]; anchor {
		return p.keeper.Held(at)
	}
	return p.below.Held(at)
}

// settle decides whether this node itself is suspended, and returns that and what was so before.
func (p *Peers) settle() (is, was bool) {
	p.taking.Lock()
	is = p.out(p.cfg.Self)
	was = p.suspended.Swap(is)
	p.taking.Unlock()
	if is && !was {
		p.cfg.Log.Error("this node is suspended by its Trust Anchor: it neither asks nor answers")
	} else if was && !is {
		p.cfg.Log.Info("this node is reinstated")
	}
	if is {
		p.cfg.Changed()
	}
	return is, was
}

// nudge has the members' chains verified anew before their time.
func (p *Peers) nudge() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Wake tells when a Refresh is due before its time: somebody was enrolled or reinstated.
func (p *Peers) Wake() <-chan struct{} { return p.wake }

// Serve answers a notice of another member (PROTOCOL.md, TMG-E-009).
func (p *Peers) Serve(ctx context.Context, from transport.PeerID, frame []byte) ([]byte, error) {
	p.Heard(from)
	reply, _, _, err := p.hear(frame)
	if err != nil {
		p.say(ctx, slog.LevelWarn, "listing refused", "peer", string(from), slog.String("cause", err.Error()))
		return nil, errors.New("not a listing of a known Trust Anchor or Intermediate")
	}
	return reply, nil
}

// hear takes over what is news in a notice.
func (p *Peers) hear(frame []byte) (reply []byte, l membership.Listing, newer bool, err error) {
	reply, l, newer, err = membership.Serve(p.keeper, p.below, frame, p.cfg.Now())
	p.follow()
	if newer {
		p.take(l)
	}
	return reply, l, newer, err
}

// Run polls the bundles and hands news on until ctx ends, for each Anchor by itself.
func (p *Peers) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, a := range p.cfg.Anchors {
		g.Go(func() error { return p.watch(ctx, a.EntityID) })
		g.Go(func() error {
			for {
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-p.news[a.EntityID]:
					if _, notice, ok := p.keeper.Held(trust.Path(a.EntityID)); ok {
						p.handOn(ctx, notice)
					}
				}
			}
		})
	}
	g.Go(func() error { return p.hearing(ctx) })
	g.Go(func() error { return p.telling(ctx) })
	g.Go(func() error { return p.spreading(ctx) })
	g.Go(func() error { return p.comparing(ctx) })
	return g.Wait()
}

// watch polls one Anchor until ctx ends.
func (p *Peers) watch(ctx context.Context, anchor trust.EntityID) error {
	next := time.NewTimer(p.pause())
	defer next.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-next.C:
			err := p.pollAnchor(ctx, anchor)
			if err != nil && !failing && ctx.Err() == nil {
				p.cfg.Log.WarnContext(ctx, "listing not polled", slog.String("cause", err.Error()))
			}
			failing = err != nil
			next.Reset(p.pause())
		}
	}
}

// pause is the time to the next poll.
func (p *Peers) pause() time.Duration {
	every := pollEvery
	if p.cfg.Every > 0 {
		every = min(every, p.cfg.Every)
	}
	return every*3/4 + rand.N(every/2)
}

// Find returns the member that an operator names by country or Entity Identifier, paused
// ones too.
func (p *Peers) Find(name string) (trust.Node, error) {
	for _, m := range p.Directory.Members(p.cfg.Now()) {
		if m.EntityID != p.cfg.Self && (m.Jurisdiction == name || string(m.EntityID) == name) {
			return m, nil
		}
	}
	return trust.Node{}, fmt.Errorf("looking for the peer: %w", trust.ErrNotMember)
}
