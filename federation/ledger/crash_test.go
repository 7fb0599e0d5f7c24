package ledger_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/federation/ledger/internal/ledgertest"
)

// childDir tells a copy of the test binary to append until it is killed.
const childDir = "TAMGA_LEDGER_TEST_CHILD"

func TestChildAppends(t *testing.T) {
	dir := os.Getenv(childDir)
	if dir == "" {
		t.Skip("runs only as the child of TestKill")
	}
	l, err := ledger.Open(t.Context(), ledger.Config{Dir: dir, Signer: ledgertest.Signer(t), Now: ledgertest.Tick})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex // one line at a time
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				what := fmt.Sprintf("%d-%d-%d", os.Getpid(), w, i)
				r, err := l.Append(t.Context(), []byte(what))
				if err != nil {
					panic(err)
				}
				mu.Lock()
				fmt.Printf("ack %d %s\n", r.Index, what)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}

// TestKill kills a process with SIGKILL in the middle of concurrent appends, many
// times over on one ledger, and looks for everything it had acknowledged.
func TestKill(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ledger")
	acked := make(map[uint64]string)
	const rounds = 12
	for round := range rounds {
		appendUntilKilled(t, dir, 20+31*round, acked)
		if round%3 == 0 { // sometimes audited before the next start, as it lies
			r, err := ledger.Verify(t.Context(), dir, ledgertest.Verifier(t), nil)
			if err != nil {
				t.Fatalf("round %d: %v", round, err)
			}
			if r.Clean {
				t.Fatalf("round %d: a killed log looks clean", round)
			}
		}
	}
	l := ledgertest.Open(t, dir)
	for index, want := range acked {
		if got, err := l.Entry(index); err != nil || string(got) != want {
			t.Fatalf("acknowledged entry %d: %q, %v; want %q", index, got, err, want)
		}
	}
	size := l.Size()
	ledgertest.Close(t, l)
	if _, err := ledger.Verify(t.Context(), dir, ledgertest.Verifier(t), nil); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d kills, %d acknowledged, %d in the log", rounds, len(acked), size)
}

// appendUntilKilled starts a child, kills it after n acknowledgements and notes
// every acknowledgement that got out.
func appendUntilKilled(t *testing.T, dir string, n int, acked map[uint64]string) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChildAppends$")
	child.Env = append(os.Environ(), childDir+"="+dir)
	var stderr bytes.Buffer
	child.Stderr = &stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	count := 0
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		f := strings.Fields(line)
		if err == nil && len(f) == 3 && f[0] == "ack" {
			index, err := strconv.ParseUint(f[1], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			if was, ok := acked[index]; ok {
				t.Fatalf("index %d acknowledged for %q and %q", index, was, f[2])
			}
			acked[index] = f[2]
			if count++; count == n {
				if err := child.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
	}
	_ = child.Wait() // killed
	if count < n {
		t.Fatalf("child stopped after %d of %d: %s", count, n, stderr.Bytes())
	}
}

// TestEmptyLog: killed between making a write-ahead log and giving it its length.
func TestEmptyLog(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ledger")
	cfg := ledger.Config{Dir: dir, Signer: ledgertest.Signer(t), Now: ledgertest.Tick}
	for i := range 3 {
		l, err := ledger.Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if r, err := l.Append(t.Context(), []byte{byte(i)}); err != nil || r.Index != uint64(i) {
			t.Fatalf("entry %d: %v", r.Index, err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "store", fmt.Sprintf("%05d.mem", 7+i)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
