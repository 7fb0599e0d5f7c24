package witness

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/internal/durable"
)

// Dir is where a node keeps the evidence. Each file is one contradiction; an operator who
// has settled it with the peer's moves it away, which ends the alarm.
func Dir(cfg config.Config) string { return filepath.Join(cfg.DataDir, "contradictions") }

const (
	// maxEach is how many contradictions of one member are kept: each question brings one
	// until somebody acts, and the first show as much as the last.
	maxEach = 8
	// maxAll bounds the folder.
	maxAll = 256
	// tellEvery bounds what a member that contradicts itself with every frame writes into
	// the log: one line in so long.
	tellEvery = time.Minute
)

// contradiction is a file of the folder. Who has the member's keys, as its Trust Chain names
// them or named them then, verifies both exhibits; "order" rests on this node's ledger, too, which has the
// intent of the Query after the entry of one that Known was known from.
type contradiction struct {
	EntityID string    `json:"entity_id"`
	Origin   string    `json:"origin"`
	Rule     string    `json:"rule"`
	At       time.Time `json:"at"`
	Known    exhibit   `json:"known"`
	Shown    exhibit   `json:"shown"`
}

// exhibit is a receipt, or a checkpoint alone. No leaf names a person (PROTOCOL.md, TMG-L-003).
type exhibit struct {
	Checkpoint []byte   `json:"checkpoint"`
	Keys       []string `json:"keys,omitempty"` // the member's then, where it may have others now
	Index      *uint64  `json:"index,omitempty"`
	Proof      [][]byte `json:"proof,omitempty"`
	Leaf       []byte   `json:"leaf,omitempty"`
}

// name is that of the member, which no other member's is, and of what is shown.
func (c contradiction) name() (member, file string) {
	member = strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9', r == '.', r == '-':
			return r
		}
		return '-'
	}, strings.TrimPrefix(c.EntityID, "https://"))
	id := sha256.Sum256([]byte(c.EntityID))
	member = member[:min(len(member), 80)] + "_" + hex.EncodeToString(id[:8]) + "_"
	h := sha256.New()
	h.Write(c.Known.Checkpoint)
	h.Write(c.Shown.Checkpoint)
	if c.Shown.Index != nil {
		fmt.Fprint(h, *c.Shown.Index)
	}
	return member, member + hex.EncodeToString(h.Sum(nil)[:12]) + ".json"
}

// contradicted keeps c, and has somebody look.
func (w *Witness) contradicted(ctx context.Context, c contradiction) {
	kept, err := w.save(c)
	w.mu.Lock()
	if err != nil && len(w.unsaved) < maxEach {
		w.unsaved = append(w.unsaved, c)
	}
	t := w.told[c.EntityID]
	if w.cfg.Now().Before(t.at.Add(tellEvery)) && !t.at.After(w.cfg.Now()) {
		t.silent++
		w.told[c.EntityID] = t
		w.mu.Unlock()
		return
	}
	w.told[c.EntityID] = told{at: w.cfg.Now()}
	w.mu.Unlock()
	attributes := []any{slog.String("code", string(protocol.CodeLedgerContradicted)), slog.String("peer", c.EntityID),
		slog.String("ledger", c.Origin), slog.String("rule", c.Rule), slog.String("evidence", kept)}
	if t.silent > 0 {
		attributes = append(attributes, slog.Uint64("not_logged", t.silent))
	}
	if err != nil {
		attributes = append(attributes, slog.String("cause", err.Error()))
	}
	w.cfg.Log.ErrorContext(ctx, "ledger of a peer contradicts itself", attributes...)
	w.cfg.Alarm(ctx, fmt.Errorf("%w: %s", ErrContradicted, c.EntityID))
}

// told is when a line about a member was logged, and how many were not since.
type told struct {
	at     time.Time
	silent uint64
}

// save returns the name of the file, empty when there are enough.
func (w *Witness) save(c contradiction) (string, error) {
	member, name := c.name()
	files, err := os.ReadDir(w.cfg.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("keeping evidence: %w", err)
	}
	each := 0
	for _, f := range files {
		if strings.HasPrefix(f.Name(), member) {
			each++
		}
	}
	if each >= maxEach || len(files) >= maxAll {
		return "", nil
	}
	b, err := json.MarshalIndent(c, "", "  ")
	if err == nil {
		err = os.MkdirAll(w.cfg.Dir, 0o700)
	}
	if err == nil {
		err = durable.Replace(filepath.Join(w.cfg.Dir, name), append(b, '\n'))
	}
	if err != nil {
		return "", fmt.Errorf("keeping evidence: %w", err)
	}
	return name, nil
}

// Standing reports whether there is a contradiction that nobody has settled. It tries again to
// keep what could not be kept.
func (w *Witness) Standing() bool {
	w.mu.Lock()
	for len(w.unsaved) > 0 {
		if _, err := w.save(w.unsaved[0]); err != nil {
			break
		}
		w.unsaved = w.unsaved[1:]
	}
	unsaved := len(w.unsaved)
	w.mu.Unlock()
	files, err := os.ReadDir(w.cfg.Dir)
	return unsaved > 0 || len(files) > 0 || err != nil && !errors.Is(err, fs.ErrNotExist)
}
