package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/federation/transport"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/recovery"
)

// Members remember for one another how far their ledgers were (PROTOCOL.md section 7,
// TMG-L-005): a node shows its checkpoint to every other one whenever membership is
// refreshed, and is told the newest that it has shown before. So a node whose data
// folder and checkpoint file were put back together hears of it.
const (
	headsVersion = 1
	maxNote      = 16 << 10
	// headTimeout is for one member; the others are asked at the same time.
	headTimeout = 5 * time.Second
)

// heads are the newest checkpoints that other members have shown.
type heads struct {
	path string

	mu    sync.Mutex
	notes map[trust.EntityID]string // guarded by mu; the file at path holds the same
}

// openHeads reads the file. What it does not hold any more, members show again.
func openHeads(cfg config.Config) (*heads, error) {
	h := &heads{path: filepath.Join(cfg.DataDir, "peer-checkpoints.json"), notes: make(map[trust.EntityID]string)}
	b, err := os.ReadFile(h.path)
	if errors.Is(err, os.ErrNotExist) {
		return h, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &h.notes)
	}
	if err != nil {
		return nil, fmt.Errorf("reading checkpoints of peers: %w", err)
	}
	return h, nil
}

// remember keeps note if it is the newest of the member, and returns the newest that
// was known before, empty for none.
func (h *heads) remember(m trust.Node, note string) (string, error) {
	shown, err := memberHead(m, note)
	if err != nil {
		return "", err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	before := h.notes[m.EntityID]
	if before != "" {
		// One that does not verify any more, because the member has new keys, is let go.
		if known, err := memberHead(m, before); err == nil && !shown.newer(known) {
			return before, nil
		}
	}
	h.notes[m.EntityID] = note
	b, err := json.Marshal(h.notes)
	if err == nil {
		err = replace(h.path, b)
	}
	return before, err
}

var laterOrigin = regexp.MustCompile(`^(.*)/([1-9][0-9]{0,3})$`)

// splitOrigin gives the origin of a node's first ledger and the number of this one.
func splitOrigin(o string) (first string, number int) {
	if m := laterOrigin.FindStringSubmatch(o); m != nil {
		number, _ = strconv.Atoi(m[2])
		return m[1], number
	}
	return o, 1
}

// memberHead verifies a checkpoint of any of the member's ledgers.
func memberHead(m trust.Node, note string) (head, error) {
	o, _, _ := strings.Cut(note, "\n")
	first, number := splitOrigin(o)
	if own, _ := splitOrigin(m.LedgerOrigin); own != first || len(note) > maxNote {
		return head{}, ledger.ErrOrigin
	}
	keys, err := ledger.Rename(o, m.LedgerKeys)
	if err != nil {
		return head{}, err
	}
	v, err := ledger.NewVerifier(o, keys)
	if err != nil {
		return head{}, err
	}
	c, err := v.Checkpoint([]byte(note))
	if err != nil {
		return head{}, err
	}
	return head{recovery.Head{Origin: o, Size: c.Size, Root: c.Root[:]}, number, note}, nil
}

// serveHeads answers a member's checkpoint with the newest that it has shown before.
func (n *Node) serveHeads(_ context.Context, from transport.PeerID, frame []byte) ([]byte, error) {
	m, ok := n.directory.Member(string(from), n.now())
	if !ok || frame[0] != headsVersion {
		return nil, errors.New("not a member's checkpoint")
	}
	n.directory.Heard(from)
	before, err := n.heads.remember(m, string(frame[1:]))
	if err != nil {
		n.log.Warn("checkpoint of a peer not kept", slog.String("entity", string(m.EntityID)), slog.String("cause", err.Error()))
		return nil, errors.New("not a member's checkpoint")
	}
	return append([]byte{headsVersion}, before...), nil
}

// askHeads shows note to every other member and returns what they have seen of this
// node before. Members that do not answer have no say.
func (n *Node) askHeads(ctx context.Context, note []byte) []string {
	var mu sync.Mutex
	var notes []string
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
			reply, err := n.host.ExchangeIdempotent(ctx, transport.PeerID(m.PeerID), m.Addresses, transport.ProtocolLedger, frame)
			if err != nil || len(reply) < 2 || len(reply) > maxNote || reply[0] != headsVersion {
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			notes = append(notes, string(reply[1:]))
			return nil
		})
	}
	_ = g.Wait()
	return notes
}

// compareHeads finds out whether a member has seen more of the node's ledger than is
// there. If so the node is put in recovery, and the error matches ledger.ErrOutdated.
func (n *Node) compareHeads(ctx context.Context) error {
	own := n.ledger.Checkpoint()
	self := trust.Node{LedgerOrigin: n.keys.ledger.Origin(), LedgerKeys: n.keys.ledger.VerifierKeys()}
	kept, err := memberHead(self, string(own))
	if err != nil {
		return fmt.Errorf("comparing checkpoints: %w", err)
	}
	for _, note := range n.askHeads(ctx, own) {
		seen, err := memberHead(self, note)
		if err != nil || seen.number < kept.number {
			continue // nothing that this node has signed says anything here
		}
		if seen.number == kept.number {
			has, err := n.ledger.HasTail([]byte(note))
			if err != nil || has {
				continue
			}
		}
		claim := recovery.Claim{EntityID: n.cfg.EntityID, Why: "rolled_back", Kept: kept.Head, Newest: seen.Head, Checkpoint: note,
			Next: origin(n.cfg.EntityID, seen.number+1)}
		err = recoverer{cfg: n.cfg}.mark(claim)
		return errors.Join(fmt.Errorf("comparing checkpoints: %w: a peer has seen %d entries of %s", ledger.ErrOutdated, seen.Size, seen.Origin), err)
	}
	return nil
}

// LearnFromPeers does what Learn does, after asking the members of the federation
// that can be reached which checkpoints the node has shown them.
func LearnFromPeers(ctx context.Context, configFile, checkpoint string, root custody.Root, log *slog.Logger) (_ recovery.Claim, err error) {
	r, err := newRecoverer(configFile)
	if err != nil {
		return recovery.Claim{}, err
	}
	n := &Node{cfg: r.cfg, dir: filepath.Dir(configFile), log: log, now: time.Now}
	defer func() { err = errors.Join(err, n.Close()) }()
	if err := n.loadPublic(); err != nil {
		return recovery.Claim{}, err
	}
	number := ledgerNumber(r.cfg)
	if n.keys, err = openKeys(n.dir, Roots{Node: root}, r.cfg.EntityID, number); err != nil {
		return recovery.Claim{}, err
	}
	v, err := r.verifier(number)
	if err != nil {
		return recovery.Claim{}, err
	}
	own, err := ledger.ReadOutside(filepath.Join(LedgerDir(r.cfg), "checkpoint"), v)
	if err != nil {
		return recovery.Claim{}, err
	}
	if n.directory, err = n.openDirectory(); err != nil {
		return recovery.Claim{}, err
	}
	n.host, err = transport.New(transport.Config{Seed: n.keys.libp2p, Listen: []string{"/ip4/127.0.0.1/tcp/0"}, Logger: log,
		Admit: func(p transport.PeerID) bool { _, ok := n.directory.Member(string(p), n.now()); return ok }}, map[string]transport.Handler{})
	if err != nil {
		return recovery.Claim{}, err
	}
	if _, err := n.directory.Refresh(ctx, n.now()); err != nil {
		log.WarnContext(ctx, "membership not refreshed", slog.String("cause", err.Error()))
	}
	notes := slices.Clip(n.askHeads(ctx, own))
	claim, err := r.learn(ctx, checkpoint, notes...)
	if err != nil {
		return recovery.Claim{}, fmt.Errorf("learning what is missing: %w", err)
	}
	return claim, nil
}
