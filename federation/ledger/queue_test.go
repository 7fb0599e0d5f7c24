package ledger_test

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"testing"

	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/federation/ledger/internal/ledgertest"
	"github.com/tamga-id/tamga/federation/ledger/lognote"
)

type outcome struct {
	receipt lognote.Receipt
	err     error
}

// start appends in the background and returns when the call waits in the queue
// as item number nth of the last batch.
func start(t *testing.T, ctx context.Context, l *ledger.Log, b []byte, nth int) <-chan outcome {
	t.Helper()
	ch := make(chan outcome, 1)
	go func() {
		r, err := l.Append(ctx, b)
		ch <- outcome{r, err}
	}()
	for {
		if _, items := l.Waiting(); items == nth {
			return ch
		}
		if t.Context().Err() != nil {
			t.Fatal("append never joined the queue")
		}
		runtime.Gosched()
	}
}

// TestCancelWhileWaiting takes the middle one of three waiting appends back.
func TestCancelWhileWaiting(t *testing.T) {
	dir := t.TempDir()
	l := ledgertest.Open(t, dir)
	release := l.HoldTurn()
	gone, cancel := context.WithCancel(t.Context())
	first := start(t, t.Context(), l, ledgertest.Leaf(0), 1)
	second := start(t, gone, l, ledgertest.Leaf(1), 2)
	third := start(t, t.Context(), l, ledgertest.Leaf(2), 3)
	cancel()
	if o := <-second; !errors.Is(o.err, context.Canceled) || errors.Is(o.err, ledger.ErrOutcomeUnknown) {
		t.Errorf("cancelled: %v, want only context.Canceled", o.err)
	}
	release()
	a, c := <-first, <-third
	if err := errors.Join(a.err, c.err); err != nil {
		t.Fatal(err)
	}
	if l.Size() != 2 || a.receipt.Index != 0 || c.receipt.Index != 1 {
		t.Errorf("size %d, indexes %d and %d; want 2, 0 and 1", l.Size(), a.receipt.Index, c.receipt.Index)
	}
	if !bytes.Equal(a.receipt.Checkpoint, c.receipt.Checkpoint) {
		t.Error("the two did not share a commit")
	}
	ledgertest.Close(t, l)
	if _, err := ledger.Verify(t.Context(), dir, ledgertest.Verifier(t), nil); err != nil {
		t.Error(err)
	}
}

// TestCancelAllWaiting leaves an empty batch behind, which must not stop the log.
func TestCancelAllWaiting(t *testing.T) {
	l := ledgertest.Open(t, t.TempDir())
	defer ledgertest.Close(t, l)
	release := l.HoldTurn()
	gone, cancel := context.WithCancel(t.Context())
	only := start(t, gone, l, ledgertest.Leaf(0), 1)
	cancel()
	if o := <-only; !errors.Is(o.err, context.Canceled) {
		t.Errorf("cancelled: %v", o.err)
	}
	release()
	if _, err := l.Append(t.Context(), ledgertest.Leaf(1)); err != nil || l.Size() != 1 {
		t.Errorf("next append: %v, size %d", err, l.Size())
	}
}

// TestCancelWhileCommitting cannot take the leaf back, and says so.
func TestCancelWhileCommitting(t *testing.T) {
	l := ledgertest.Open(t, t.TempDir())
	defer ledgertest.Close(t, l)
	release := l.HoldTurn()
	gone, cancel := context.WithCancel(t.Context())
	only := start(t, gone, l, ledgertest.Leaf(0), 1)
	done := l.TakeBatch()
	cancel()
	if o := <-only; !errors.Is(o.err, context.Canceled) || !errors.Is(o.err, ledger.ErrOutcomeUnknown) {
		t.Errorf("cancelled: %v, want context.Canceled and ErrOutcomeUnknown", o.err)
	}
	done()
	release()
}

// TestBatchLimits spreads what does not fit one transaction over several.
func TestBatchLimits(t *testing.T) {
	l := ledgertest.Open(t, t.TempDir())
	defer ledgertest.Close(t, l)
	release := l.HoldTurn()
	big := bytes.Repeat([]byte{7}, lognote.MaxLeaf)
	var waiting []<-chan outcome
	for i := range 20 {
		waiting = append(waiting, start(t, t.Context(), l, big, i%8+1))
	}
	if batches, _ := l.Waiting(); batches != 3 {
		t.Errorf("%d batches, want 3", batches)
	}
	release()
	checkpoints := make(map[string]bool)
	for _, ch := range waiting {
		o := <-ch
		if o.err != nil {
			t.Fatal(o.err)
		}
		checkpoints[string(o.receipt.Checkpoint)] = true
	}
	if len(checkpoints) != 3 {
		t.Errorf("%d commits, want 3", len(checkpoints))
	}
}

// TestCloseWhileWaiting refuses those that wait and hangs nobody.
func TestCloseWhileWaiting(t *testing.T) {
	l := ledgertest.Open(t, t.TempDir())
	release := l.HoldTurn()
	only := start(t, t.Context(), l, ledgertest.Leaf(0), 1)
	closed := make(chan error, 1)
	go func() { closed <- l.Close() }()
	for !l.Closing() {
		runtime.Gosched()
	}
	if _, err := l.Append(t.Context(), ledgertest.Leaf(1)); !errors.Is(err, ledger.ErrClosed) {
		t.Errorf("append while closing: %v, want ErrClosed", err)
	}
	release()
	if o := <-only; o.err != nil && !errors.Is(o.err, ledger.ErrClosed) {
		t.Errorf("waiting append: %v, want nil or ErrClosed", o.err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
}

// TestFailedCommit breaks the store under the log: nothing is acknowledged, and
// nothing more is signed until the log is opened again.
func TestFailedCommit(t *testing.T) {
	dir := t.TempDir()
	l := ledgertest.Open(t, dir)
	ledgertest.Fill(t, l, 4)
	before := l.Checkpoint()
	if err := l.DB().Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(t.Context(), ledgertest.Leaf(4)); !errors.Is(err, ledger.ErrFailed) || !errors.Is(err, ledger.ErrOutcomeUnknown) {
		t.Errorf("append: %v, want ErrFailed and ErrOutcomeUnknown", err)
	}
	if _, err := l.Append(t.Context(), ledgertest.Leaf(5)); !errors.Is(err, ledger.ErrFailed) || errors.Is(err, ledger.ErrOutcomeUnknown) {
		t.Errorf("next append: %v, want only ErrFailed", err)
	}
	if !bytes.Equal(l.Checkpoint(), before) || l.Size() != 4 {
		t.Error("a failed commit became visible")
	}
	_ = l.Close() // the store is closed already
	l = ledgertest.Open(t, dir)
	defer ledgertest.Close(t, l)
	if l.Size() != 4 {
		t.Errorf("size %d after reopening, want 4", l.Size())
	}
	ledgertest.Fill(t, l, 1)
}
