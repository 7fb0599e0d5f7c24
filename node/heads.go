package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/federation/ledger/lognote"
	"github.com/tamga-id/tamga/federation/transport"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/node/backup/folder"
	"github.com/tamga-id/tamga/node/gap"
	"github.com/tamga-id/tamga/node/keystore"
	"github.com/tamga-id/tamga/node/ledgers"
	"github.com/tamga-id/tamga/node/line"
	"github.com/tamga-id/tamga/node/recovery"
)

// Members remember for one another how far their ledgers were (PROTOCOL.md section 7,
// TMG-L-005): a node shows its checkpoint to every other one when it starts and whenever
// membership is refreshed, and is told the newest that is known there, of what it has shown
// and of its receipts. So a node whose data folder and checkpoint file were put back
// together hears of it.
const (
	headsVersion = 1
	// headTimeout is for one member; the others are asked at the same time.
	headTimeout = 5 * time.Second
	// patience is how long a node that starts waits for the others before it asks and
	// answers without: members are reached in milliseconds, or are away. An officer's
	// question waits for 10 s.
	patience = 2 * time.Second
)

// beginning holds back Queries of a node that has just started until other members were
// asked how far its ledger was. Members that are away cannot keep it from its work.
type beginning struct {
	opened time.Time     // immutable, as the others
	asked  chan struct{} // closed when members were asked
	behind chan struct{} // closed when one of them knew more than there is
}

func newBeginning() beginning {
	return beginning{time.Now(), make(chan struct{}), make(chan struct{})}
}

var errBehind = errors.New("a peer has seen more of the ledger than there is")

// over waits for the end of the beginning, and fails when the node must not go on.
func (b beginning) over(ctx context.Context) error {
	select {
	case <-b.behind: // for good
		return errBehind
	default:
	}
	left := time.NewTimer(time.Until(b.opened.Add(patience)))
	defer left.Stop()
	select {
	case <-b.behind:
		return errBehind
	case <-b.asked:
	case <-left.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// begin asks the members that the node knew when it stopped, so that it need not wait for
// the Trust Anchors, and reports whether one was there to ask.
func (n *Node) begin(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	answered, err := n.compareHeads(ctx)
	return answered > 0, err
}

// serveHeads answers a member's checkpoint with the newest that it has shown before.
func (n *Node) serveHeads(ctx context.Context, from transport.PeerID, frame []byte) ([]byte, error) {
	m, ok := n.directory.Member(string(from), n.now())
	if !ok || frame[0] != headsVersion {
		return nil, errors.New("not a member's checkpoint")
	}
	n.directory.Heard(from)
	before, err := n.witness.Show(ctx, m, string(frame[1:]))
	if err != nil {
		if left, due := n.said.Due("checkpoint "+string(m.EntityID), n.now()); due {
			n.log.WarnContext(ctx, "checkpoint of a peer not kept", slog.String("entity", string(m.EntityID)), slog.String("cause", err.Error()), slog.Int("left_out", left))
		}
		return nil, errors.New("not a member's checkpoint")
	}
	return append([]byte{headsVersion}, before...), nil
}

// askHeads shows note to every other member and returns what they have seen of this
// node before, and how many answered. Members that do not have no say.
func (n *Node) askHeads(ctx context.Context, note []byte) (notes []string, answered int) {
	var mu sync.Mutex
	var g errgroup.Group
	g.SetLimit(16)
	frame := append([]byte{headsVersion}, note...)
	for _, m := range n.Members() {
		if string(m.EntityID) == n.cfg.EntityID {
			continue
		}
		g.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, headTimeout)
			defer cancel()
			reply, err := n.line.ExchangeIdempotent(ctx, transport.PeerID(m.PeerID), m.Addresses, transport.ProtocolLedger, frame)
			if err != nil || len(reply) < 1 || len(reply) > 1+lognote.MaxCheckpoint || reply[0] != headsVersion {
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			answered++
			if len(reply) > 1 {
				notes = append(notes, string(reply[1:]))
			}
			return nil
		})
	}
	_ = g.Wait()
	return notes, answered
}

// compareHeads finds out whether a member has seen more of the node's ledger than is
// there. If so the node is put in recovery and answers nothing any more, and the error
// matches ledger.ErrOutdated. It returns how many members answered.
func (n *Node) compareHeads(ctx context.Context) (answered int, err error) {
	own := n.ledger.Checkpoint()
	self := trust.Node{LedgerOrigin: n.keys.Ledger.Origin(), LedgerKeys: n.ledger.VerifierKeys()}
	kept, err := gap.MemberHead(self, string(own))
	if err != nil {
		return 0, fmt.Errorf("comparing checkpoints: %w", err)
	}
	notes, answered := n.askHeads(ctx, own)
	for _, note := range notes {
		seen, err := gap.MemberHead(self, note)
		if err != nil || seen.Number < kept.Number {
			continue // nothing that this node has signed says anything here
		}
		if seen.Number == kept.Number {
			has, err := n.ledger.HasTail([]byte(note))
			if err != nil || has {
				continue
			}
		}
		claim := recovery.Claim{EntityID: n.cfg.EntityID, Why: "rolled_back", Kept: kept.Head, Newest: seen.Head, Checkpoint: note,
			Next: ledgers.Origin(n.cfg.EntityID, seen.Number+1)}
		close(n.beginning.behind)
		err = gap.Mark(n.cfg, claim)
		return answered, errors.Join(fmt.Errorf("comparing checkpoints: %w: a peer has seen %d entries of %s", ledger.ErrOutdated, seen.Size, seen.Origin), err)
	}
	return answered, nil
}

// LearnFromPeers does what Learn does, after asking the members of the federation
// that can be reached which checkpoints the node has shown them.
func LearnFromPeers(ctx context.Context, configFile, checkpoint string, root custody.Root, log *slog.Logger) (_ recovery.Claim, err error) {
	cfg, r, err := folder.Open(configFile)
	if err != nil {
		return recovery.Claim{}, err
	}
	n := &Node{cfg: cfg, dir: filepath.Dir(configFile), log: log, now: time.Now}
	defer func() { err = errors.Join(err, n.Close()) }()
	if err := n.loadPublic(); err != nil {
		return recovery.Claim{}, err
	}
	number := ledgers.Number(cfg)
	if n.keys, err = keystore.Open(n.dir, keystore.Roots{Node: root}, cfg.EntityID, number); err != nil {
		return recovery.Claim{}, err
	}
	v, err := r.Verifier(number)
	if err != nil {
		return recovery.Claim{}, err
	}
	own, err := ledger.ReadOutside(filepath.Join(ledgers.Dir(cfg), "checkpoint"), v)
	if err != nil {
		return recovery.Claim{}, err
	}
	if n.directory, err = n.openDirectory(); err != nil {
		return recovery.Claim{}, err
	}
	n.line, err = line.New(transport.Config{Seed: n.keys.LibP2P, Listen: []string{"/ip4/127.0.0.1/tcp/0"}, Logger: log,
		Also: n.directory.Also, Admit: func(p transport.PeerID) bool { _, ok := n.directory.Member(string(p), n.now()); return ok }}, map[string]transport.Handler{})
	if err != nil {
		return recovery.Claim{}, err
	}
	if _, err := n.directory.Refresh(ctx, n.now()); err != nil {
		log.WarnContext(ctx, "membership not refreshed", slog.String("cause", err.Error()))
	}
	notes, _ := n.askHeads(ctx, own)
	return r.Learn(ctx, checkpoint, notes...)
}
