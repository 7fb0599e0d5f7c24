package peering

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tamga-id/tamga/federation/transport"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/directory"
	"github.com/tamga-id/tamga/federation/trust/membership"
)

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
				p.unsaid.Add(at)
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
		p.unsaid.Add(l.Path)
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
