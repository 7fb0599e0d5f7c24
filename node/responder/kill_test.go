package responder_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/responder"
)

// childEnv tells a copy of the test binary to answer Queries: "<ledger folder>
// <number of the call at which it kills itself, or -1>". It reads frames, in base64,
// a line each, and writes the replies likewise.
const childEnv = "TAMGA_RESPONDER_TEST_CHILD"

func child() int {
	dir, at, _ := strings.Cut(os.Getenv(childEnv), " ")
	last, err := strconv.Atoi(at)
	if err != nil {
		return 3
	}
	log, err := ledger.Open(context.Background(), ledger.Config{Dir: dir, Signer: ledgerSigner(), Now: func() time.Time { return start }})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 4
	}
	d := &doom{at: last}
	w := newWorld()
	w.ledger.under = log
	w.trace.hook = d.step
	w.Responder = responder.New(responder.Config{
		Self: self, Country: "KAZ", Signing: selfSigning(), Sealing: w.keys(), Members: &w.members, Law: &w.law, Gallery: &w.gallery,
		Ledger: &w.ledger, Replay: &w.replay, Logger: slog.New(slog.NewTextHandler(d, nil)),
		// Every look at the clock is a place to die at, too.
		Now: func() time.Time { d.step("now"); return w.clock.Now() },
	})
	d.armed = true
	var out sync.Mutex
	var group sync.WaitGroup
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		frame, err := base64.StdEncoding.DecodeString(in.Text())
		if err != nil {
			return 5
		}
		group.Go(func() {
			reply, err := w.Handle(context.Background(), askerKey, frame)
			if err != nil {
				panic(err)
			}
			d.step("replied")
			out.Lock()
			defer out.Unlock()
			fmt.Println(base64.StdEncoding.EncodeToString(reply))
		})
	}
	group.Wait()
	return 0
}

// doom kills its process at a step.
type doom struct {
	mu    sync.Mutex
	armed bool
	count int
	at    int
}

func (d *doom) step(string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.armed {
		return
	}
	if d.count == d.at {
		if p, err := os.FindProcess(os.Getpid()); err == nil {
			_ = p.Kill()
		}
		select {} // the signal may take a moment
	}
	d.count++
}

// Write makes every log line a step.
func (d *doom) Write(b []byte) (int, error) { d.step("log"); return len(b), nil }

// process is a child and its pipes.
type process struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// reply is the next line that the child wrote whole.
func (p process) reply() (string, bool) {
	line, err := p.out.ReadString('\n')
	return strings.TrimSuffix(line, "\n"), err == nil
}

func startChild(t *testing.T, dir string, at int) process {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+dir+" "+strconv.Itoa(at))
	cmd.Stderr = t.Output()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return process{cmd, in, bufio.NewReader(out)}
}

func (p process) send(q *protocol.Pending) {
	_, _ = fmt.Fprintln(p.in, base64.StdEncoding.EncodeToString(q.Frame)) // it may be dead
}

// killed waits for the end and reports whether it was a signal.
func (p process) killed(t *testing.T) bool {
	t.Helper()
	err := p.cmd.Wait()
	if err != nil && p.cmd.ProcessState.ExitCode() != -1 {
		t.Fatalf("the child ended with %v", err)
	}
	return err != nil
}

// leaves are the entries of a ledger that is opened for it, by Query.
func leaves(t *testing.T, dir string) map[protocol.Hash][]byte {
	t.Helper()
	if _, err := ledger.Verify(t.Context(), dir, ledgerVerifier(), nil); err != nil {
		t.Fatalf("the ledger does not verify: %v", err)
	}
	log, err := ledger.Open(t.Context(), ledger.Config{Dir: dir, Signer: ledgerSigner(), Now: func() time.Time { return start }})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	}()
	out := map[protocol.Hash][]byte{}
	for i := range log.Size() {
		b, err := log.Entry(i)
		if err != nil {
			t.Fatal(err)
		}
		l, err := protocol.ParseLeaf(b)
		if err != nil {
			t.Fatal(err)
		}
		out[l.Query] = b
	}
	return out
}

// TestKillBetweenSteps kills the process at every call that handling a Query makes,
// one after the other. Whenever an Answer came out, the ledger on disk holds it.
func TestKillBetweenSteps(t *testing.T) {
	dir := newLedger(t)
	answered := 0
	for at := 0; ; at++ {
		_, q := traveller()
		p := q.pending(t)
		c := startChild(t, dir, at)
		c.send(p)
		_ = c.in.Close()
		reply, _ := c.reply()
		killed := c.killed(t)
		held := leaves(t, dir)[p.Hash]
		if reply != "" {
			answered++
			checkHeld(t, p, reply, held)
		}
		if !killed {
			if reply == "" || at < 15 {
				t.Fatalf("ended after %d steps with reply %t", at, reply != "")
			}
			break
		}
		if reply != "" {
			t.Fatalf("step %d comes after the reply", at)
		}
		if at > 60 {
			t.Fatal("no end")
		}
	}
	if answered != 1 {
		t.Errorf("%d answers", answered)
	}
}

func newLedger(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "ledger")
	log, err := ledger.Open(t.Context(), ledger.Config{Dir: dir, Signer: ledgerSigner(), Now: func() time.Time { return start }})
	if err != nil {
		t.Fatal(err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// checkHeld verifies a reply that came out before a kill against what is on disk.
func checkHeld(t *testing.T, p *protocol.Pending, reply string, held []byte) {
	t.Helper()
	frame, err := base64.StdEncoding.DecodeString(reply)
	if err != nil {
		t.Fatal(err)
	}
	a, err := p.Reply(frame, peer(), start)
	if err != nil {
		t.Fatalf("the reply does not verify: %v", err)
	}
	if a.Code != protocol.CodeSubjectUnknown || !a.Signed {
		t.Fatalf("got %+v", a.Verdict)
	}
	if held == nil || !bytes.Equal(held, a.Receipt.Leaf) {
		t.Fatal("an Answer went out that the ledger does not hold")
	}
}

// TestKillUnderLoad kills a process that answers many Queries at once at moments of
// its own choosing, on one ledger, and looks for every Answer that came out.
func TestKillUnderLoad(t *testing.T) {
	dir := newLedger(t)
	random := rand.New(rand.NewPCG(1, 2))
	total := 0
	for range 4 {
		sent := map[protocol.Hash]*protocol.Pending{}
		c := startChild(t, dir, -1)
		var queries []*protocol.Pending
		for range 120 {
			_, q := traveller()
			p := q.pending(t)
			sent[p.Hash], queries = p, append(queries, p)
		}
		var feeding sync.WaitGroup
		feeding.Go(func() {
			for _, p := range queries {
				c.send(p)
			}
		})
		want := 1 + random.IntN(60)
		var replies []string
		for len(replies) < want {
			r, ok := c.reply()
			if !ok {
				t.Fatal("the child ended by itself")
			}
			replies = append(replies, r)
		}
		if err := c.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for r, ok := c.reply(); ok; r, ok = c.reply() { // what it had written before it died
			replies = append(replies, r)
		}
		feeding.Wait()
		c.killed(t)
		held := leaves(t, dir)
		for _, r := range replies {
			p := whose(t, sent, r)
			checkHeld(t, p, r, held[p.Hash])
		}
		total += len(replies)
	}
	if total < 40 {
		t.Errorf("only %d answers", total)
	}
}

// whose finds the Query that a reply is about.
func whose(t *testing.T, sent map[protocol.Hash]*protocol.Pending, reply string) *protocol.Pending {
	t.Helper()
	frame, err := base64.StdEncoding.DecodeString(reply)
	if err != nil {
		t.Fatal(err)
	}
	claims := payload(t, frame)
	for h, p := range sent {
		if strings.Contains(claims, h.String()) {
			return p
		}
	}
	t.Fatal("a reply to nothing that was sent")
	return nil
}
