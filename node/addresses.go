package node

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/node/config"
)

// formerFor bounds how long former addresses are kept for a member that cannot be told of the new ones: by then it has
// had to ask the Trust Anchor again.
const formerFor = 24 * time.Hour

// addresses are where the node listens and what it tells peers. Only the goroutine of addressing changes them.
type addresses struct {
	wake chan struct{}

	file    [sha256.Size]byte // the configuration file as it was looked at last
	former  []string          // listened on for those who do not know better yet
	unaware []trust.EntityID
	since   time.Time
}

// Reconsider has a running node look at once whether the addresses in its configuration file are others.
func (n *Node) Reconsider() {
	select {
	case n.addresses.wake <- struct{}{}:
	default:
	}
}

// addressing takes up changed addresses without a restart: it listens on the new ones, too, publishes them, hands them to
// every member, and gives the former ones up when all have them.
func (n *Node) addressing(ctx context.Context) error {
	every := time.NewTicker(n.cfg.Trust.Refresh)
	defer every.Stop()
	for {
		if n.readdress(ctx) || len(n.addresses.former) > 0 {
			n.tellAddresses(ctx)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-n.addresses.wake:
		case <-every.C:
		}
	}
}

// readdress looks at the configuration file and reports whether its addresses were taken up.
func (n *Node) readdress(ctx context.Context) bool {
	file := filepath.Join(n.dir, ConfigFile)
	b, err := os.ReadFile(file)
	last, digest := n.addresses.file, sha256.Sum256(b)
	if err != nil || digest == last {
		return false
	}
	n.addresses.file = digest
	next, err := config.Parse(file, b)
	if err != nil {
		n.log.WarnContext(ctx, "changed configuration not taken up", slog.String("cause", err.Error()))
		return false
	}
	was := n.listening.Load()
	now := listening{next.Listen.LibP2P, next.Listen.Advertise}
	if slices.Equal(was.libp2p, now.libp2p) && slices.Equal(was.advertise, now.advertise) {
		if last != [sha256.Size]byte{} {
			n.log.InfoContext(ctx, "changed configuration: the addresses are the same, and the rest is taken up at the next start")
		}
		return false
	}
	if err := n.listenAlso(was.libp2p, now.libp2p); err != nil {
		n.addresses.file = last // the interface may not be there yet: tried again
		n.log.WarnContext(ctx, "changed addresses not taken up: those of before stay in use", slog.String("cause", err.Error()))
		return false
	}
	n.listening.Store(&now)
	for _, a := range was.libp2p {
		if !slices.Contains(now.libp2p, a) {
			n.line.Host().Silence(a)
			n.addresses.former = append(n.addresses.former, a)
		}
	}
	n.publishAgain(ctx)
	// One that was given up and is there again.
	n.addresses.former = slices.DeleteFunc(n.addresses.former, func(a string) bool { return slices.Contains(now.libp2p, a) })
	n.addresses.unaware, n.addresses.since = n.directory.Others(), n.now()
	n.log.InfoContext(ctx, "changed addresses taken up; hand the new "+EntityConfigurationFile+" to the Trust Anchor", slog.Any("addresses", n.advertised()))
	return true
}

// listenAlso listens on the addresses that are new, on all or on none.
func (n *Node) listenAlso(was, now []string) error {
	var made []string
	for _, a := range now {
		if slices.Contains(was, a) {
			continue
		}
		if err := n.line.Host().Listen(a); err != nil {
			for _, a := range made {
				if slices.Contains(n.addresses.former, a) {
					n.line.Host().Silence(a)
				} else {
					err = errors.Join(err, n.line.Host().Unlisten(a))
				}
			}
			return err
		}
		made = append(made, a)
	}
	return nil
}

// tellAddresses hands the node's Entity Configuration to the members that do not have it yet.
func (n *Node) tellAddresses(ctx context.Context) {
	token, err := n.EntityConfiguration()
	if err != nil {
		n.log.WarnContext(ctx, "changed addresses not announced", slog.String("cause", err.Error()))
		return
	}
	n.addresses.unaware = n.directory.Announce(ctx, token, n.addresses.unaware)
	if len(n.addresses.unaware) > 0 && n.now().Sub(n.addresses.since) < formerFor || ctx.Err() != nil {
		return
	}
	if len(n.addresses.former) == 0 {
		return
	}
	for _, a := range n.addresses.former {
		if err := n.line.Host().Unlisten(a); err != nil {
			n.log.WarnContext(ctx, "former address not given up", slog.String("address", a), slog.String("cause", err.Error()))
		}
	}
	n.log.InfoContext(ctx, "former addresses given up", slog.Any("addresses", n.addresses.former), slog.Int("unaware", len(n.addresses.unaware)))
	n.addresses.former = nil
	n.publishAgain(ctx) // a host that was replaced meanwhile has told of them
}

// publishAgain publishes the node's Entity Configuration with the addresses of now.
func (n *Node) publishAgain(ctx context.Context) {
	n.takingUp.Lock()
	defer n.takingUp.Unlock()
	if err := n.publish(n.keys); err != nil {
		n.log.WarnContext(ctx, "changed addresses not published", slog.String("cause", err.Error()))
	}
}

// listening is what the configuration says of addresses.
type listening struct{ libp2p, advertise []string }

// advertised are the addresses that peers are told, without the peer ID: that is told beside them.
func (n *Node) advertised() []string {
	l := n.listening.Load()
	if len(l.advertise) > 0 {
		return l.advertise
	}
	out := n.line.Host().Addresses()
	for i, a := range out {
		out[i], _, _ = strings.Cut(a, "/p2p/")
	}
	return out
}
