package gap

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tamga-id/tamga/federation/ledger/lognote"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/internal/durable"
	"github.com/tamga-id/tamga/node/ledgers"
	"github.com/tamga-id/tamga/node/recovery"
)

// Heads are the newest checkpoints known of other members' ledgers: those that they have
// shown, and those of the receipts that they gave. Safe for concurrent use.
type Heads struct {
	path string

	writing sync.Mutex // held while the file is written

	mu    sync.Mutex // guards what follows
	known map[trust.EntityID]seen
	turn  uint64 // of the last Keep
	dirty bool   // there is more than in the file, or less
}

// seen is a checkpoint of a member with the keys that it was verified under, which the
// member may have replaced since: what it has signed stays said.
type seen struct {
	Head     // its Note and Keys alone until it was verified
	verified bool
	turn     uint64 // when it was kept; zero for what the file says
}

// settle verifies what the file says, once.
func (s *seen) settle() error {
	if s.verified || s.Note == "" {
		return nil
	}
	o, _, _ := strings.Cut(s.Note, "\n")
	h, err := MemberHead(trust.Node{LedgerOrigin: o, LedgerKeys: s.Keys}, s.Note)
	if err != nil {
		return err
	}
	s.Head, s.verified = h, true
	return nil
}

// kept is a checkpoint in the file.
type kept struct {
	Note string   `json:"note"`
	Keys []string `json:"keys"`
}

// OpenHeads reads the file. What it does not hold any more, members show again.
func OpenHeads(cfg config.Config) (*Heads, error) {
	h := &Heads{path: filepath.Join(cfg.DataDir, "peer-checkpoints.json"), known: make(map[trust.EntityID]seen)}
	b, err := os.ReadFile(h.path)
	if errors.Is(err, os.ErrNotExist) {
		return h, nil
	}
	notes := make(map[trust.EntityID]kept)
	if err == nil {
		err = json.Unmarshal(b, &notes)
	}
	if err != nil {
		return nil, fmt.Errorf("reading checkpoints of peers: %w", err)
	}
	for id, k := range notes {
		h.known[id] = seen{Head: Head{Note: k.Note, Keys: k.Keys}}
	}
	return h, nil
}

// Remember keeps note if it is the newest of the member, and returns the newest that
// was known before, empty for none.
func (h *Heads) Remember(m trust.Node, note string) (string, error) {
	shown, err := MemberHead(m, note)
	if err != nil {
		return "", err
	}
	return h.Keep(m, shown), nil
}

// Keep does what Remember does with a checkpoint that was verified as the member's. It
// costs no more than memory: the file follows, see [Heads.Run].
func (h *Heads) Keep(m trust.Node, shown Head) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	k := h.known[m.EntityID]
	err := k.settle()
	// Other keys begin no other ledger: it goes on from there, or one of a later number begins.
	if again := slices.Equal(k.Root, shown.Root) && k.Size == shown.Size && k.Origin == shown.Origin && !slices.Equal(k.Keys, shown.Keys); k.Note != "" && err == nil && !shown.Newer(k.Head) && !again {
		h.known[m.EntityID] = k
		return k.Note
	}
	h.turn++
	h.known[m.EntityID], h.dirty = seen{shown, true, h.turn}, true
	return k.Note
}

// Newest is the newest known of the member's, the zero Head for none. It is of the keys that
// the member had then.
func (h *Heads) Newest(m trust.Node) Head {
	h.mu.Lock()
	defer h.mu.Unlock()
	k, ok := h.known[m.EntityID]
	if !ok || k.settle() != nil {
		return Head{}
	}
	h.known[m.EntityID] = k
	return k.Head
}

// Flush writes the file if there is more than in it.
func (h *Heads) Flush() error {
	h.writing.Lock()
	defer h.writing.Unlock()
	h.mu.Lock()
	if !h.dirty {
		h.mu.Unlock()
		return nil
	}
	notes := make(map[trust.EntityID]kept, len(h.known))
	for id, k := range h.known {
		notes[id] = kept{k.Note, k.Keys}
	}
	h.dirty = false
	h.mu.Unlock()
	b, err := json.Marshal(notes)
	if err == nil {
		err = durable.Replace(h.path, b)
	}
	if err != nil {
		h.mu.Lock()
		h.dirty = true
		h.mu.Unlock()
		return fmt.Errorf("keeping checkpoints of peers: %w", err)
	}
	return nil
}

// flushEvery is how much a crash may lose: the members themselves show as much again
// within a refresh of membership, unless they were put back meanwhile.
const flushEvery = 5 * time.Second

// Run writes the file every few seconds if there is more to it, until the end of ctx.
// What cannot be written is told to failed, and tried again.
func (h *Heads) Run(ctx context.Context, failed func(error)) error {
	every := time.NewTicker(flushEvery)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-every.C:
			if err := h.Flush(); err != nil {
				failed(err)
			}
		}
	}
}

// MemberHead verifies a checkpoint of any of the member's ledgers.
func MemberHead(m trust.Node, note string) (Head, error) {
	o, _, _ := strings.Cut(note, "\n")
	first, number := ledgers.Split(o)
	if own, _ := ledgers.Split(m.LedgerOrigin); own != first {
		return Head{}, lognote.ErrOrigin
	}
	keys, err := lognote.Rename(o, m.LedgerKeys)
	if err != nil {
		return Head{}, err
	}
	v, err := lognote.NewVerifier(o, keys)
	if err != nil {
		return Head{}, err
	}
	c, err := v.Checkpoint([]byte(note))
	if err != nil {
		return Head{}, err
	}
	return Head{recovery.Head{Origin: o, Size: c.Size, Root: c.Root[:]}, number, note, m.LedgerKeys}, nil
}
