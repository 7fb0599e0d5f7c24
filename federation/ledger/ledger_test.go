package ledger_test

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/federation/ledger/internal/ledgertest"
	"github.com/tamga-id/tamga/federation/ledger/lognote"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

func TestAppendAndReopen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ledger")
	v := ledgertest.Verifier(t)
	l := ledgertest.Open(t, dir)
	for i := range 40 {
		r, err := l.Append(t.Context(), ledgertest.Leaf(i))
		if err != nil {
			t.Fatal(err)
		}
		if r.Index != uint64(i) {
			t.Fatalf("index %d, want %d", r.Index, i)
		}
		if err := v.Receipt(r); err != nil {
			t.Fatalf("receipt %d: %v", i, err)
		}
	}
	before := l.Checkpoint()
	ledgertest.Close(t, l)

	l = ledgertest.Open(t, dir)
	if !bytes.Equal(l.Checkpoint(), before) {
		t.Error("checkpoint changed over a restart")
	}
	ledgertest.Fill(t, l, 60)
	for i := range 100 {
		got, err := l.Entry(uint64(i))
		if err != nil || !bytes.Equal(got, ledgertest.Leaf(i)) {
			t.Fatalf("entry %d: %q, %v", i, got, err)
		}
	}
	ledgertest.Close(t, l)
	report, err := ledger.Verify(t.Context(), dir, v, nil)
	if err != nil {
		t.Fatal(err)
	}
	if report.Size != 100 || !report.Clean {
		t.Errorf("report %+v, want 100 entries, clean", report)
	}
}

func TestConcurrentAppend(t *testing.T) {
	dir := t.TempDir()
	v := ledgertest.Verifier(t)
	l := ledgertest.Open(t, dir)
	const workers, each = 16, 8
	var wg sync.WaitGroup
	var mu sync.Mutex
	seen := make(map[uint64][]byte)
	checkpoints := make(map[string]bool)
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				want := ledgertest.Leaf(w*1000 + i)
				r, err := l.Append(t.Context(), want)
				if err == nil {
					err = v.Receipt(r)
				}
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				if seen[r.Index] != nil {
					t.Errorf("index %d given twice", r.Index)
				}
				seen[r.Index] = want
				checkpoints[string(r.Checkpoint)] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if l.Size() != workers*each || len(seen) != workers*each {
		t.Fatalf("size %d and %d receipts, want %d", l.Size(), len(seen), workers*each)
	}
	for i, want := range seen {
		if got, err := l.Entry(i); err != nil || !bytes.Equal(got, want) {
			t.Errorf("entry %d: %q, %v; want %q", i, got, err, want)
		}
	}
	t.Logf("%d entries in %d commits", len(seen), len(checkpoints))
	if len(checkpoints) == workers*each {
		t.Error("concurrent appends never shared a commit")
	}
	ledgertest.Close(t, l)
	if _, err := ledger.Verify(t.Context(), dir, v, nil); err != nil {
		t.Fatal(err)
	}
}

// TestWrongIdentity opens a log under another name and with other keys.
func TestWrongIdentity(t *testing.T) {
	dir := t.TempDir()
	l := ledgertest.Open(t, dir)
	ledgertest.Fill(t, l, 3)
	r, err := l.Append(t.Context(), ledgertest.Leaf(3))
	if err != nil {
		t.Fatal(err)
	}
	ledgertest.Close(t, l)
	for name, c := range map[string]struct {
		origin string
		a, b   byte
		want   error
	}{
		"origin": {"id.example.kg/tamga/ledger", 1, 2, lognote.ErrOrigin},
		"keys":   {ledgertest.Origin, 3, 4, lognote.ErrKey},
		"pq-key": {ledgertest.Origin, 1, 4, lognote.ErrKey},
		"ed-key": {ledgertest.Origin, 3, 2, lognote.ErrKey},
	} {
		s, err := lognote.NewSigner(c.origin, ledgertest.Seed(c.a), ledgertest.Seed(c.b))
		if err != nil {
			t.Fatal(err)
		}
		v, err := lognote.NewVerifier(c.origin, s.VerifierKeys())
		if err != nil {
			t.Fatal(err)
		}
		if err := v.Receipt(r); !errors.Is(err, c.want) {
			t.Errorf("%s: receipt: %v, want %v", name, err, c.want)
		}
		if _, err := ledger.Verify(t.Context(), dir, v, nil); !errors.Is(err, c.want) {
			t.Errorf("%s: verify: %v, want %v", name, err, c.want)
		}
		if _, err := ledger.Open(t.Context(), ledger.Config{Dir: dir, Signer: s, Now: ledgertest.Tick}); !errors.Is(err, c.want) {
			t.Errorf("%s: open: %v, want %v", name, err, c.want)
		}
	}
	ledgertest.Close(t, ledgertest.Open(t, dir))
}

func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	l := ledgertest.Open(t, dir)
	ctx := t.Context()
	if _, err := ledger.Open(ctx, ledger.Config{}); err == nil {
		t.Error("empty configuration accepted")
	}
	if _, err := ledger.Open(ctx, ledger.Config{Dir: dir, Signer: ledgertest.Signer(t), Now: ledgertest.Tick}); !errors.Is(err, ledger.ErrLocked) {
		t.Errorf("second open: %v, want ErrLocked", err)
	}
	if _, err := ledger.Verify(ctx, dir, ledgertest.Verifier(t), nil); !errors.Is(err, ledger.ErrLocked) {
		t.Errorf("verify while open: %v, want ErrLocked", err)
	}
	for name, b := range map[string][]byte{"empty": nil, "long": make([]byte, lognote.MaxLeaf+1)} {
		if _, err := l.Append(ctx, b); !errors.Is(err, lognote.ErrLeafSize) {
			t.Errorf("%s leaf: %v, want ErrLeafSize", name, err)
		}
	}
	if _, err := l.AppendAll(ctx, make([][]byte, 2000)); !errors.Is(err, lognote.ErrLeafSize) {
		t.Errorf("many leaves: %v, want ErrLeafSize", err)
	}
	if _, err := l.Append(ctx, make([]byte, lognote.MaxLeaf)); err != nil {
		t.Errorf("longest leaf: %v", err)
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := l.Append(gone, ledgertest.Leaf(1)); !errors.Is(err, context.Canceled) || errors.Is(err, ledger.ErrOutcomeUnknown) {
		t.Errorf("cancelled: %v, want only context.Canceled", err)
	}
	if _, err := l.Entry(1); !errors.Is(err, ledger.ErrRange) {
		t.Errorf("entry beyond end: %v, want ErrRange", err)
	}
	if _, err := l.ConsistencyProof(1, 2); !errors.Is(err, ledger.ErrRange) {
		t.Errorf("consistency beyond end: %v, want ErrRange", err)
	}
	ledgertest.Close(t, l)
	if _, err := l.Append(ctx, ledgertest.Leaf(1)); !errors.Is(err, ledger.ErrClosed) {
		t.Errorf("append after close: %v, want ErrClosed", err)
	}
	if _, err := l.Entry(0); !errors.Is(err, ledger.ErrClosed) {
		t.Errorf("entry after close: %v, want ErrClosed", err)
	}
	if err := l.Close(); !errors.Is(err, ledger.ErrClosed) {
		t.Errorf("second close: %v, want ErrClosed", err)
	}
}
