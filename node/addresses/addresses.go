// Package addresses changes where a running node listens and what it tells peers of that,
// without a restart.
//
// [New] takes what the configuration said when the node was opened, Run takes up what it
// says later, and Advertised is what peers are told now.
package addresses

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/line"
	"github.com/tamga-id/tamga/node/peering"
)

// formerFor bounds how long former addresses are kept for a member that cannot be told of the new ones: by then it has
// had to ask the Trust Anchor again.
const formerFor = 24 * time.Hour

// Config is what Addresses are made of. All fields are required.
type Config struct {
	File    string // of the configuration
	Listen  config.Listen
	Every   time.Duration // how often File is looked at
	Line    *line.Line
	Peers   *peering.Peers
	Publish func() error           // the node's Entity Configuration anew, with the addresses of now
	Token   func() (string, error) // of that Entity Configuration
	Now     func() time.Time
	Log     *slog.Logger
}

// Addresses are where the node listens and what it tells peers. Reconsider and Advertised are safe for concurrent use.
type Addresses struct {
	cfg       Config
	wake      chan struct{} // room for one: there is something to look at
	listening atomic.Pointer[listening]

	// Owned by Run.
	file    [sha256.Size]byte // the configuration file as it was looked at last
	former  []string          // listened on for those who do not know better yet
	unaware []trust.EntityID
	since   time.Time
}

// New returns the addresses that cfg.Listen names, on which the line listens already.
func New(cfg Config) *Addresses {
	a := &Addresses{cfg: cfg, wake: make(chan struct{}, 1)}
	a.listening.Store(&listening{cfg.Listen.LibP2P, cfg.Listen.Advertise})
	return a
}

// Reconsider has a running node look at once whether the addresses in its configuration file are others.
func (a *Addresses) Reconsider() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// Run takes up changed addresses without a restart: it listens on the new ones, too, publishes them, hands them to
// every member, and gives the former ones up when all have them, until ctx ends.
func (a *Addresses) Run(ctx context.Context) error {
	every := time.NewTicker(a.cfg.Every)
	defer every.Stop()
	for {
		if a.readdress(ctx) || len(a.former) > 0 {
			a.tell(ctx)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-a.wake:
		case <-every.C:
		}
	}
}

// readdress looks at the configuration file and reports whether its addresses were taken up.
func (a *Addresses) readdress(ctx context.Context) bool {
	file := a.cfg.File
	b, err := os.ReadFile(file)
	last, digest := a.file, sha256.Sum256(b)
	if err != nil || digest == last {
		return false
	}
	a.file = digest
	next, err := config.Parse(file, b)
	if err != nil {
		a.cfg.Log.WarnContext(ctx, "changed configuration not taken up", slog.String("cause", err.Error()))
		return false
	}
	was := a.listening.Load()
	now := listening{next.Listen.LibP2P, next.Listen.Advertise}
	if slices.Equal(was.libp2p, now.libp2p) && slices.Equal(was.advertise, now.advertise) {
		if last != [sha256.Size]byte{} {
			a.cfg.Log.InfoContext(ctx, "changed configuration: the addresses are the same, and the rest is taken up at the next start")
		}
		return false
	}
	if err := a.listenAlso(was.libp2p, now.libp2p); err != nil {
		a.file = last // the interface may not be there yet: tried again
		a.cfg.Log.WarnContext(ctx, "changed addresses not taken up: those of before stay in use", slog.String("cause", err.Error()))
		return false
	}
	a.listening.Store(&now)
	for _, addr := range was.libp2p {
		if !slices.Contains(now.libp2p, addr) {
			a.cfg.Line.Host().Silence(addr)
			a.former = append(a.former, addr)
		}
	}
	a.publish(ctx)
	// One that was given up and is there again.
	a.former = slices.DeleteFunc(a.former, func(addr string) bool { return slices.Contains(now.libp2p, addr) })
	a.unaware, a.since = a.cfg.Peers.Others(), a.cfg.Now()
	a.cfg.Log.InfoContext(ctx, "changed addresses taken up; hand the new "+config.EntityConfigurationFile+" to the Trust Anchor", slog.Any("addresses", a.Advertised()))
	return true
}

// listenAlso listens on the addresses that are new, on all or on none.
func (a *Addresses) listenAlso(was, now []string) error {
	var made []string
	for _, addr := range now {
		if slices.Contains(was, addr) {
			continue
		}
		if err := a.cfg.Line.Host().Listen(addr); err != nil {
			for _, addr := range made {
				if slices.Contains(a.former, addr) {
					a.cfg.Line.Host().Silence(addr)
				} else {
					err = errors.Join(err, a.cfg.Line.Host().Unlisten(addr))
				}
			}
			return err
		}
		made = append(made, addr)
	}
	return nil
}

// tell hands the node's Entity Configuration to the members that do not have it yet.
func (a *Addresses) tell(ctx context.Context) {
	token, err := a.cfg.Token()
	if err != nil {
		a.cfg.Log.WarnContext(ctx, "changed addresses not announced", slog.String("cause", err.Error()))
		return
	}
	a.unaware = a.cfg.Peers.Announce(ctx, token, a.unaware)
	if len(a.unaware) > 0 && a.cfg.Now().Sub(a.since) < formerFor || ctx.Err() != nil {
		return
	}
	if len(a.former) == 0 {
		return
	}
	for _, addr := range a.former {
		if err := a.cfg.Line.Host().Unlisten(addr); err != nil {
			a.cfg.Log.WarnContext(ctx, "former address not given up", slog.String("address", addr), slog.String("cause", err.Error()))
		}
	}
	a.cfg.Log.InfoContext(ctx, "former addresses given up", slog.Any("addresses", a.former), slog.Int("unaware", len(a.unaware)))
	a.former = nil
	a.publish(ctx) // a host that was replaced meanwhile has told of them
}

// publish publishes the node's Entity Configuration with the addresses of now.
func (a *Addresses) publish(ctx context.Context) {
	if err := a.cfg.Publish(); err != nil {
		a.cfg.Log.WarnContext(ctx, "changed addresses not published", slog.String("cause", err.Error()))
	}
}

// listening is what the configuration says of addresses.
type listening struct{ libp2p, advertise []string }

// Advertised are the addresses that peers are told, without the peer ID: that is told beside them.
func (a *Addresses) Advertised() []string {
	l := a.listening.Load()
	if len(l.advertise) > 0 {
		return l.advertise
	}
	out := a.cfg.Line.Host().Addresses()
	for i, addr := range out {
		out[i], _, _ = strings.Cut(addr, "/p2p/")
	}
	return out
}
