package gap_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/federation/ledger/lognote"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/gap"
	"github.com/tamga-id/tamga/node/ledgers"
	"github.com/tamga-id/tamga/node/recovery"
)

const entity = "https://node.example"

// member has two ledgers, and notes are checkpoints of both, the first one twice.
func member(t *testing.T) (m trust.Node, notes []string) {
	t.Helper()
	now := func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }
	for number := 1; number <= 2; number++ {
		s, err := lognote.NewSigner(ledgers.Origin(entity, number), bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32))
		if err != nil {
			t.Fatal(err)
		}
		if number == 1 {
			m = trust.Node{EntityID: entity, LedgerOrigin: s.Origin(), LedgerKeys: s.VerifierKeys()}
		}
		l, err := ledger.Open(t.Context(), ledger.Config{Dir: filepath.Join(t.TempDir(), "ledger"), Signer: s, Now: now})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		for range 3 - number {
			if _, err := l.Append(t.Context(), []byte("entry")); err != nil {
				t.Fatal(err)
			}
			notes = append(notes, string(l.Checkpoint()))
		}
	}
	return m, notes
}

// TestHeads: the newest that a member has shown is kept, past a restart, and told to who
// shows an older one.
func TestHeads(t *testing.T) {
	m, notes := member(t)
	cfg := config.Config{DataDir: t.TempDir()}
	h, err := gap.OpenHeads(cfg)
	if err != nil {
		t.Fatal(err)
	}
	show := func(note, want string) {
		t.Helper()
		if before, err := h.Remember(m, note); err != nil || before != want {
			t.Errorf("got %q, %v, want %q", before, err, want)
		}
	}
	show(notes[0], "")
	show(notes[1], notes[0])
	show(notes[0], notes[1])
	if err := h.Flush(); err != nil {
		t.Fatal(err)
	}
	if h, err = gap.OpenHeads(cfg); err != nil {
		t.Fatal(err)
	}
	show(notes[0], notes[1])
	show(notes[2], notes[1]) // of the second ledger, which is newer however short
	show(notes[1], notes[2])
	for name, note := range map[string]string{"empty": "", "flipped": notes[1][:len(notes[1])-3] + "AA\n", "long": notes[1] + string(make([]byte, lognote.MaxCheckpoint))} {
		if _, err := h.Remember(m, note); err == nil {
			t.Errorf("%s: a note that does not verify is kept", name)
		}
	}
	if newest := h.Newest(m); newest.Number != 2 || newest.Note != notes[2] {
		t.Errorf("newest is of ledger %d", newest.Number)
	}
	other := m
	other.LedgerOrigin = ledgers.Origin("https://other.example", 1)
	if _, err := gap.MemberHead(other, notes[0]); !errors.Is(err, lognote.ErrOrigin) {
		t.Errorf("a checkpoint of another member: got %v, want ErrOrigin", err)
	}
}

// TestHeadsRun: what was learnt is in the file some seconds later, and stays known when the
// member has other ledger keys: those begin no other ledger.
func TestHeadsRun(t *testing.T) { synctest.Test(t, headsRun) }

func headsRun(t *testing.T) {
	m, notes := member(t)
	cfg := config.Config{DataDir: t.TempDir()}
	h, err := gap.OpenHeads(cfg)
	if err != nil {
		t.Fatal(err)
	}
	head, err := gap.MemberHead(m, notes[1])
	if err != nil {
		t.Fatal(err)
	}
	if before := h.Keep(m, head); before != "" {
		t.Errorf("known before: %q", before)
	}
	ctx, stop := context.WithTimeout(t.Context(), 6*time.Second)
	defer stop()
	if err := h.Run(ctx, func(err error) { t.Error(err) }); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if h, err = gap.OpenHeads(cfg); err != nil {
		t.Fatal(err)
	}
	if newest := h.Newest(m); newest.Note != head.Note || newest.Size != head.Size {
		t.Errorf("newest has %d entries, want %d", newest.Size, head.Size)
	}
	s, err := lognote.NewSigner(m.LedgerOrigin, bytes.Repeat([]byte{3}, 32), bytes.Repeat([]byte{4}, 32))
	if err != nil {
		t.Fatal(err)
	}
	l, err := ledger.Open(t.Context(), ledger.Config{Dir: filepath.Join(t.TempDir(), "ledger"), Signer: s, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	m.LedgerKeys = s.VerifierKeys()
	for i, want := range []uint64{head.Size, head.Size, head.Size + 1} {
		if newest := h.Newest(m); i == 0 && newest.Note != head.Note {
			t.Errorf("under other keys %d entries are known", newest.Size)
		}
		if _, err := l.Append(t.Context(), []byte("entry")); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Remember(m, string(l.Checkpoint())); err != nil {
			t.Fatal(err)
		}
		if newest := h.Newest(m); newest.Size != want || (i == 1) != slices.Equal(newest.Keys, m.LedgerKeys) && i < 2 {
			t.Errorf("after %d entries anew: %d are known", i+1, newest.Size)
		}
	}
}

func TestRefuse(t *testing.T) {
	cfg := config.Config{DataDir: t.TempDir()}
	if err := gap.Refuse(cfg); err != nil {
		t.Error(err)
	}
	if err := gap.Mark(cfg, recovery.Claim{EntityID: entity, Why: "restored"}); err != nil {
		t.Fatal(err)
	}
	if err := gap.Refuse(cfg); !errors.Is(err, gap.ErrRecovery) {
		t.Errorf("marked: got %v, want ErrRecovery", err)
	}
	if _, err := os.Stat(gap.File(cfg) + ".new"); !errors.Is(err, fs.ErrNotExist) {
		t.Error("something is left beside the mark")
	}
}
