package gap

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/internal/durable"
	"github.com/tamga-id/tamga/node/ledgers"
	"github.com/tamga-id/tamga/node/recovery"
)

// Heads are the newest checkpoints that other members have shown.
type Heads struct {
	path string

	mu    sync.Mutex
	notes map[trust.EntityID]string // guarded by mu; the file at path holds the same
}

// OpenHeads reads the file. What it does not hold any more, members show again.
func OpenHeads(cfg config.Config) (*Heads, error) {
	h := &Heads{path: filepath.Join(cfg.DataDir, "peer-checkpoints.json"), notes: make(map[trust.EntityID]string)}
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

// Remember keeps note if it is the newest of the member, and returns the newest that
// was known before, empty for none.
func (h *Heads) Remember(m trust.Node, note string) (string, error) {
	shown, err := MemberHead(m, note)
	if err != nil {
		return "", err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	before := h.notes[m.EntityID]
	if before != "" {
		// One that does not verify any more, because the member has new keys, is let go.
		if known, err := MemberHead(m, before); err == nil && !shown.Newer(known) {
			return before, nil
		}
	}
	h.notes[m.EntityID] = note
	b, err := json.Marshal(h.notes)
	if err == nil {
		err = durable.Replace(h.path, b)
	}
	return before, err
}

// MaxNote bounds a checkpoint with its signatures.
const MaxNote = 16 << 10

// MemberHead verifies a checkpoint of any of the member's ledgers.
func MemberHead(m trust.Node, note string) (Head, error) {
	o, _, _ := strings.Cut(note, "\n")
	first, number := ledgers.Split(o)
	if own, _ := ledgers.Split(m.LedgerOrigin); own != first || len(note) > MaxNote {
		return Head{}, ledger.ErrOrigin
	}
	keys, err := ledger.Rename(o, m.LedgerKeys)
	if err != nil {
		return Head{}, err
	}
	v, err := ledger.NewVerifier(o, keys)
	if err != nil {
		return Head{}, err
	}
	c, err := v.Checkpoint([]byte(note))
	if err != nil {
		return Head{}, err
	}
	return Head{recovery.Head{Origin: o, Size: c.Size, Root: c.Root[:]}, number, note}, nil
}
