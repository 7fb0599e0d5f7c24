package peering

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tamga-id/tamga/federation/transport"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/membership"
	"github.com/tamga-id/tamga/node/peering/unsaid"
)

const (
	// tellEvery is how often a node that is a superior looks whether its operator changed
	// something: one stat.
	tellEvery = time.Second
	// wakeEvery is how often what those below one member of an Anchor list, and nobody knows, has
	// everything verified anew before its time.
	wakeEvery = 30 * time.Second
	// askTimeout is for one superior to say what it lists, and topTimeout for all below one member
	// of an Anchor: those who stall delay nobody else. askTops members at a time have askWorkers
	// asked at a time.
	askTimeout = 5 * time.Second
	topTimeout = 10 * time.Second
	askTops    = 64
	askWorkers = 8
	// farewell is how long those who are suspended are waited for to hear of it: afterwards
	// they are not let in any more to ask.
	farewell = time.Second
)

// spreading hands on the Intermediates' news until ctx ends.
func (p *Peers) spreading(ctx context.Context) error {
	wakes := unsaid.NewTurns(wakeEvery)
	every := time.NewTicker(time.Second)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.unsaid.Wake():
		case <-every.C: // for those that had to wait
		}
		var g errgroup.Group
		for _, at := range p.unsaid.Due(p.cfg.Now()) {
			l, notice, ok := p.below.Held(at)
			if !ok {
				continue
			}
			if slices.ContainsFunc(l.Members, func(m trust.EntityID) bool { _, err := p.Directory.Entity(m, p.cfg.Now()); return err != nil }) {
				if wakes.Take(trust.Path(at.Top()), p.cfg.Now()) {
					p.nudge() // somebody was enrolled, or reinstated
				}
				p.again.Store(p.again.Load() || at.Entity() == p.cfg.Self)
			}
			g.Go(func() error {
				p.handOn(ctx, notice)
				return nil
			})
		}
		_ = g.Wait()
	}
}

// telling has the members know what this node says as a superior, until ctx ends.
func (p *Peers) telling(ctx context.Context) error {
	every := time.NewTicker(tellEvery)
	defer every.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-every.C:
		}
		err := p.Tell(ctx)
		if err != nil && !failing && ctx.Err() == nil {
			p.cfg.Log.WarnContext(ctx, "listing of those below not told", slog.String("cause", err.Error()))
		}
		failing = err != nil
	}
}

// Tell puts what this node says of those below it into force here, when it is news; that it
// is handed on follows from that. Before its first refresh a node does not know who vouches
// for it, and nobody would believe it. Call it before anybody is answered what the node lists:
// who is suspended can be told only before that is in force, and whoever was answered hands it
// on, to this node as well.
func (p *Peers) Tell(ctx context.Context) error {
	if p.cfg.Own == nil {
		return nil
	}
	p.bidding.Lock()
	defer p.bidding.Unlock()
	var faults []error
	told := false
	for at, chain := range p.Directory.Superiors() {
		if at.Entity() == p.cfg.Self {
			err := p.tellBy(ctx, at, chain)
			told, faults = told || err == nil, append(faults, err)
		}
	}
	if told { // else by a path that is another's, who has this node's identifier vouched for with a key that it has not
		return nil
	}
	return errors.Join(faults...)
}

// tellBy does so for those below this node by one of its Trust Chains.
func (p *Peers) tellBy(ctx context.Context, at trust.Path, chain []string) error {
	held, before, _ := p.below.Held(at)
	notice, l, ok, err := p.cfg.Own(held, before.Listing)
	if err != nil || !ok {
		return err
	}
	notice.Statements = chain[1:]
	if notice.Listing != before.Listing {
		p.bid(ctx, notice, l)
	}
	l, newer, err := p.below.Offer(notice, p.cfg.Now())
	if newer {
		p.take(l)
	}
	return err
}

// bid tells those who are suspended by the listing that they are, as long as they may come in.
func (p *Peers) bid(ctx context.Context, notice membership.Notice, l membership.Listing) {
	ctx, cancel := context.WithTimeout(ctx, farewell)
	defer cancel()
	var g errgroup.Group
	g.SetLimit(handWorkers)
	frame := notice.Frame()
	for _, s := range l.Suspended {
		m, err := p.Directory.Entity(s.Entity, p.cfg.Now())
		if err != nil {
			continue
		}
		g.Go(func() error {
			_, _ = p.cfg.Exchange(ctx, transport.PeerID(m.PeerID), m.Addresses, transport.ProtocolListing, frame)
			return nil
		})
	}
	_ = g.Wait()
}

// hearing asks the Intermediates that are no nodes, and so tell nobody by themselves, what
// they list, until ctx ends.
func (p *Peers) hearing(ctx context.Context) error {
	next := time.NewTimer(p.pause())
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-next.C:
		}
		if err := p.hearSuperiors(ctx, false); err != nil && ctx.Err() == nil {
			p.cfg.Log.WarnContext(ctx, "listings of Intermediates not kept", slog.String("cause", err.Error()))
		}
		next.Reset(p.pause())
	}
}

// hearSuperiors asks the Intermediates what they list, nodes too when all is true: they tell
// by themselves, and this finds what got lost on the way. What an Intermediate answers that
// does not verify is said, and changes nothing; one that has no listing is held to the list
// that a refresh asks it for. The error is of keeping what was heard.
func (p *Peers) hearSuperiors(ctx context.Context, all bool) error {
	tops := make(map[trust.EntityID]map[trust.Path][]string)
	for at, chain := range p.Directory.Superiors() {
		if tops[at.Top()] == nil {
			tops[at.Top()] = make(map[trust.Path][]string)
		}
		tops[at.Top()][at] = chain
	}
	var mu sync.Mutex
	var faults []error
	var g errgroup.Group
	g.SetLimit(askTops)
	for _, below := range tops {
		g.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, topTimeout)
			defer cancel()
			var g errgroup.Group
			g.SetLimit(askWorkers)
			for at, chain := range below {
				g.Go(func() error {
					if err := p.hearSuperior(ctx, at, chain, all); err != nil {
						mu.Lock()
						defer mu.Unlock()
						faults = append(faults, err)
					}
					return nil
				})
			}
			return g.Wait()
		})
	}
	_ = g.Wait()
	if all {
		faults = append(faults, p.below.Forget(p.Directory.Leads))
		p.Directory.Release(func(at trust.Path) bool {
			_, anchor := p.news[trust.EntityID(at)]
			return anchor || p.Directory.Leads(at)
		})
	}
	return errors.Join(faults...)
}

// hearSuperior asks one of them.
func (p *Peers) hearSuperior(ctx context.Context, at trust.Path, chain []string, all bool) error {
	id := at.Entity()
	_, anchor := p.news[id]
	_, _, near := p.statements.Locate(id)
	if anchor || id == p.cfg.Self || near && !all || ctx.Err() != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	ask := p.http.Listing
	if near {
		ask = p.statements.Listing
	}
	body, err := ask(ctx, id)
	if err != nil {
		return nil // the refresh says what cannot be reached
	}
	notice, err := membership.ParseAnswer(body, chain[1:])
	var l membership.Listing
	newer := false
	if err == nil {
		l, newer, err = p.below.Offer(notice, p.cfg.Now())
	}
	if newer {
		p.take(l)
	}
	if err != nil && !newer {
		p.say(ctx, slog.LevelWarn, "listing refused", "of", string(id), slog.String("cause", err.Error()))
		return nil
	}
	return err
}

// suspending are the listings whose suspensions count here.
func (p *Peers) suspending() []membership.Listing {
	out := p.keeper.Listings()
	for _, l := range p.below.Listings() {
		l.Suspended = slices.DeleteFunc(slices.Clone(l.Suspended), func(s membership.Suspension) bool { return !p.mayJudge(l.Path, s) })
		out = append(out, l)
	}
	return out
}

// suspendedBelow is the suspension of an Entity by an Intermediate above it.
func (p *Peers) suspendedBelow(id trust.EntityID) (membership.Suspension, bool) {
	for _, l := range p.below.Listings() {
		if s, is := l.Suspension(id); is && p.mayJudge(l.Path, s) {
			return s, true
		}
	}
	return membership.Suspension{}, false
}

// mayJudge reports whether the Intermediate is above whom it says that it has suspended, as far
// as that is known of one who is no member any more: an Intermediate can name anybody.
func (p *Peers) mayJudge(superior trust.Path, s membership.Suspension) bool {
	if s.Entity == p.cfg.Self {
		return slices.Contains(p.cfg.Superiors, superior.Entity())
	}
	return p.Directory.WasBelow(s.Entity, superior)
}
