package ledger_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/federation/ledger/lognote"
	"go.uber.org/goleak"
)

const testOrigin = "id.example.kz/tamga/ledger"

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// tick is a clock that only tests move.
func tick() time.Time { return time.Unix(1_790_000_000, 0) }

func seed(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }

func newSigner(t testing.TB) lognote.Signer {
	t.Helper()
	s, err := lognote.NewSigner(testOrigin, seed(1), seed(2))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newVerifier(t testing.TB) lognote.Verifier {
	t.Helper()
	v, err := lognote.NewVerifier(testOrigin, newSigner(t).VerifierKeys())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func openLog(t testing.TB, dir string) *ledger.Log {
	t.Helper()
	l, err := ledger.Open(t.Context(), ledger.Config{Dir: dir, Signer: newSigner(t), Now: tick})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func closeLog(t testing.TB, l *ledger.Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func leaf(i int) []byte { return fmt.Appendf(nil, "entry %d of a synthetic ledger", i) }

func fill(t testing.TB, l *ledger.Log, n int) {
	t.Helper()
	start := int(l.Size())
	for at := 0; at < n; at += 100 {
		var leaves [][]byte
		for i := at; i < min(n, at+100); i++ {
			leaves = append(leaves, leaf(start+i))
		}
		if _, err := l.AppendAll(t.Context(), leaves); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAppendAndReopen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ledger")
	v := newVerifier(t)
	l := openLog(t, dir)
	for i := range 40 {
		r, err := l.Append(t.Context(), leaf(i))
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
	closeLog(t, l)

	l = openLog(t, dir)
	if !bytes.Equal(l.Checkpoint(), before) {
		t.Error("checkpoint changed over a restart")
	}
	fill(t, l, 60)
	for i := range 100 {
		got, err := l.Entry(uint64(i))
		if err != nil || !bytes.Equal(got, leaf(i)) {
			t.Fatalf("entry %d: %q, %v", i, got, err)
		}
	}
	closeLog(t, l)
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
	v := newVerifier(t)
	l := openLog(t, dir)
	const workers, each = 16, 8
	var wg sync.WaitGroup
	var mu sync.Mutex
	seen := make(map[uint64][]byte)
	checkpoints := make(map[string]bool)
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				want := leaf(w*1000 + i)
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
	closeLog(t, l)
	if _, err := ledger.Verify(t.Context(), dir, v, nil); err != nil {
		t.Fatal(err)
	}
}

// TestWrongIdentity opens a log under another name and with other keys.
func TestWrongIdentity(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, dir)
	fill(t, l, 3)
	r, err := l.Append(t.Context(), leaf(3))
	if err != nil {
		t.Fatal(err)
	}
	closeLog(t, l)
	for name, c := range map[string]struct {
		origin string
		a, b   byte
		want   error
	}{
		"origin": {"id.example.kg/tamga/ledger", 1, 2, lognote.ErrOrigin},
		"keys":   {testOrigin, 3, 4, lognote.ErrKey},
		"pq-key": {testOrigin, 1, 4, lognote.ErrKey},
		"ed-key": {testOrigin, 3, 2, lognote.ErrKey},
	} {
		s, err := lognote.NewSigner(c.origin, seed(c.a), seed(c.b))
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
		if _, err := ledger.Open(t.Context(), ledger.Config{Dir: dir, Signer: s, Now: tick}); !errors.Is(err, c.want) {
			t.Errorf("%s: open: %v, want %v", name, err, c.want)
		}
	}
	closeLog(t, openLog(t, dir))
}

func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, dir)
	ctx := t.Context()
	if _, err := ledger.Open(ctx, ledger.Config{}); err == nil {
		t.Error("empty configuration accepted")
	}
	if _, err := ledger.Open(ctx, ledger.Config{Dir: dir, Signer: newSigner(t), Now: tick}); !errors.Is(err, ledger.ErrLocked) {
		t.Errorf("second open: %v, want ErrLocked", err)
	}
	if _, err := ledger.Verify(ctx, dir, newVerifier(t), nil); !errors.Is(err, ledger.ErrLocked) {
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
	if _, err := l.Append(gone, leaf(1)); !errors.Is(err, context.Canceled) || errors.Is(err, ledger.ErrOutcomeUnknown) {
		t.Errorf("cancelled: %v, want only context.Canceled", err)
	}
	if _, err := l.Entry(1); !errors.Is(err, ledger.ErrRange) {
		t.Errorf("entry beyond end: %v, want ErrRange", err)
	}
	if _, err := l.ConsistencyProof(1, 2); !errors.Is(err, ledger.ErrRange) {
		t.Errorf("consistency beyond end: %v, want ErrRange", err)
	}
	closeLog(t, l)
	if _, err := l.Append(ctx, leaf(1)); !errors.Is(err, ledger.ErrClosed) {
		t.Errorf("append after close: %v, want ErrClosed", err)
	}
	if _, err := l.Entry(0); !errors.Is(err, ledger.ErrClosed) {
		t.Errorf("entry after close: %v, want ErrClosed", err)
	}
	if err := l.Close(); !errors.Is(err, ledger.ErrClosed) {
		t.Errorf("second close: %v, want ErrClosed", err)
	}
}
