package peering

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tamga-id/tamga/federation/transport"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/membership"
)

const (
	// compareEvery is how often a node compares listings with some members at least, give or
	// take a quarter. News is handed on once; a member that was too busy to take it, and reaches
	// no superior itself, would not hear before the next.
	compareEvery = 40 * time.Second
	// compareWith is with how many: of some hundred of whom nearly all have heard, one has.
	compareWith = 2
	// compareBelow is how many listings of Intermediates, taken at random, are compared with
	// each beside those of the Anchors.
	compareBelow = 16
)

// comparing compares listings until ctx ends.
func (p *Peers) comparing(ctx context.Context) error {
	for {
		every := compareEvery
		if p.cfg.Every > 0 {
			every = min(every, p.cfg.Every)
		}
		next := time.NewTimer(every*3/4 + rand.N(every/2))
		select {
		case <-ctx.Done():
			next.Stop()
			return ctx.Err()
		case <-next.C:
			p.compare(ctx)
		}
	}
}

// compare shows some members the newest listings held, and takes over what they have that is
// newer (PROTOCOL.md, TMG-E-009); they do the same.
func (p *Peers) compare(ctx context.Context) {
	var notices []membership.Notice
	for _, a := range p.cfg.Anchors {
		if _, notice, ok := p.keeper.Held(trust.Path(a.EntityID)); ok {
			notices = append(notices, notice)
		}
	}
	below := p.below.Listings()
	rand.Shuffle(len(below), func(i, j int) { below[i], below[j] = below[j], below[i] })
	for _, l := range below[:min(len(below), compareBelow)] {
		if _, notice, ok := p.below.Held(l.Path); ok {
			notices = append(notices, notice)
		}
	}
	with := p.audience()
	rand.Shuffle(len(with), func(i, j int) { with[i], with[j] = with[j], with[i] })
	var g errgroup.Group
	for _, m := range with[:min(len(with), compareWith)] {
		g.Go(func() error {
			for _, notice := range notices {
				if p.hand(ctx, m, notice.Frame()) != nil {
					return nil // another time, or another member
				}
			}
			return nil
		})
	}
	_ = g.Wait()
}

// handOn gives a notice to the members that are connected and some others, and takes what
// they have over when it is newer still.
func (p *Peers) handOn(ctx context.Context, notice membership.Notice) {
	frame := notice.Frame()
	var g errgroup.Group
	g.SetLimit(handWorkers)
	for _, m := range p.audience() {
		g.Go(func() error {
			_ = p.hand(ctx, m, frame) // one that is away asks for itself, and compares
			return nil
		})
	}
	_ = g.Wait()
}

// audience are the members to tell of news.
func (p *Peers) audience() []trust.Node {
	connected := make(map[string]bool)
	for _, id := range p.cfg.Connected() {
		connected[string(id)] = true
	}
	var out, others []trust.Node
	for _, m := range p.Directory.Members(p.cfg.Now()) {
		switch {
		case m.EntityID == p.cfg.Self:
		case slices.ContainsFunc(m.IDs(), func(id string) bool { return connected[id] }):
			out = append(out, m)
		default:
			others = append(others, m)
		}
	}
	rand.Shuffle(len(others), func(i, j int) { others[i], others[j] = others[j], others[i] })
	return append(out, others[:min(len(others), handStrangers)]...)
}

// hand gives a member a notice, and takes over what it has itself when that is newer.
func (p *Peers) hand(ctx context.Context, m trust.Node, frame []byte) error {
	ctx, cancel := context.WithTimeout(ctx, handTimeout)
	defer cancel()
	reply, err := p.cfg.Exchange(ctx, transport.PeerID(m.PeerID), m.Addresses, transport.ProtocolListing, frame)
	if err == nil {
		_, _, _, err = p.hear(reply)
	}
	return err
}
