package peering

import (
	"context"
	"log/slog"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/tamga-id/tamga/federation/transport"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/endpoint"
)

// TakeAnnouncement answers a frame of /tamga/trust/1 by which a member hands over its new Entity Configuration, and
// reports whether it is such a frame.
func (p *Peers) TakeAnnouncement(ctx context.Context, from transport.PeerID, frame []byte) (reply []byte, is bool) {
	configuration, is := endpoint.Announced(p.cfg.Self, frame)
	if !is {
		return nil, false
	}
	m, ok := p.Member(string(from), p.cfg.Now())
	if !ok {
		return endpoint.AnnounceReply(false), true
	}
	news, err := p.Renew(m.EntityID, configuration, p.cfg.Now())
	switch {
	case news && err != nil:
		p.say(ctx, slog.LevelWarn, "announcement not kept", "entity", string(m.EntityID), slog.String("cause", err.Error()))
	case news:
		p.say(ctx, slog.LevelInfo, "announcement taken over", "entity", string(m.EntityID))
	case err != nil:
		p.say(ctx, slog.LevelWarn, "announcement refused", "entity", string(m.EntityID), slog.String("cause", err.Error()))
	}
	if news {
		p.cfg.Changed()
	}
	// Taken is what is still known after the next start.
	return endpoint.AnnounceReply(err == nil), true
}

// say logs what a peer can bring about at will, once in a minute for each.
func (p *Peers) say(ctx context.Context, level slog.Level, message, kind, who string, more ...slog.Attr) {
	left, due := p.said.Due(message+" "+who, p.cfg.Now())
	if !due {
		return
	}
	p.cfg.Log.LogAttrs(ctx, level, message, append(more, slog.String(kind, who), slog.Int("left_out", left))...)
}

// Others are the members beside this node.
func (p *Peers) Others() []trust.EntityID {
	var out []trust.EntityID
	for _, m := range p.Members(p.cfg.Now()) {
		if m.EntityID != p.cfg.Self {
			out = append(out, m.EntityID)
		}
	}
	return out
}

// Announce hands the node's Entity Configuration to members, and returns those that did not take it. Who is a member no
// longer is not among them.
func (p *Peers) Announce(ctx context.Context, configuration string, to []trust.EntityID) []trust.EntityID {
	var mu sync.Mutex
	var left []trust.EntityID
	var g errgroup.Group
	g.SetLimit(handWorkers)
	for _, id := range to {
		m, err := p.Directory.Entity(id, p.cfg.Now())
		if err != nil {
			continue
		}
		g.Go(func() error {
			if err := p.announce(ctx, m, configuration); err != nil {
				p.cfg.Log.DebugContext(ctx, "announcement not taken", slog.String("entity", string(id)), slog.String("cause", err.Error()))
				mu.Lock()
				defer mu.Unlock()
				left = append(left, id)
			}
			return nil
		})
	}
	_ = g.Wait()
	return left
}

func (p *Peers) announce(ctx context.Context, m trust.Node, configuration string) error {
	ctx, cancel := context.WithTimeout(ctx, handTimeout)
	defer cancel()
	frame, err := endpoint.AnnounceFrame(m.EntityID, configuration)
	if err != nil {
		return err
	}
	reply, err := p.cfg.Exchange(ctx, transport.PeerID(m.PeerID), m.Addresses, transport.ProtocolTrust, frame)
	if err != nil {
		return err
	}
	return endpoint.Taken(reply)
}
