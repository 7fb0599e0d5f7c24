package gallery_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tamga-id/tamga/node/gallery"
)

// childDir tells a copy of the test binary to enrol until it is killed, childDSN that the
// rows are in a database.
const (
	childDir = "TAMGA_GALLERY_TEST_CHILD"
	childDSN = "TAMGA_GALLERY_TEST_DSN"
)

// crashed is the enrolment of a subject whose records follow from its name: one in
// Badger's tables and one in its value log.
func crashed(name string) gallery.Enrolment {
	e := small(name)
	large := e.Templates[0]
	large.Data = bytes.Repeat(large.Data, 64)
	e.Templates = append(e.Templates, large)
	return e
}

func TestChildEnrols(t *testing.T) {
	dir := os.Getenv(childDir)
	if dir == "" {
		t.Skip("runs only as the child of TestKill")
	}
	cfg := testConfig(t, dir)
	if dsn := os.Getenv(childDSN); dsn != "" {
		cfg = inPostgres(t, dsn)
		cfg.Dir = dir
	}
	g, err := gallery.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex // one acknowledgement at a time
	var wg sync.WaitGroup
	for w, size := range []int{1, 1, 1, 40} {
		wg.Go(func() {
			for i := 0; ; i++ {
				var names []string
				var batch []gallery.Enrolment
				for n := range size {
					names = append(names, fmt.Sprintf("P%dW%dI%dN%d", os.Getpid(), w, i, n))
					batch = append(batch, crashed(names[n]))
				}
				results, err := g.Enrol(t.Context(), batch)
				if err != nil {
					panic(err)
				}
				mu.Lock()
				for n, r := range results {
					if r.Change != gallery.Created {
						panic(r.Err)
					}
					fmt.Printf("ack %s\n", names[n])
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}

// TestKill kills a process with SIGKILL in the middle of enrolments, many times
// over on one gallery, and looks for everything that it had acknowledged.
func TestKill(t *testing.T) {
	t.Run("badger", func(t *testing.T) { kill(t, home{cfg: testConfig(t, newDir(t))}, "", 12) })
	t.Run("postgres", func(t *testing.T) {
		dsn := postgres.Start(t).Database(t)
		kill(t, home{cfg: inPostgres(t, dsn)}, dsn, 6)
	})
}

func kill(t *testing.T, h home, dsn string, rounds int) {
	acked := make(map[string]bool)
	for range rounds {
		enrolUntilKilled(t, h.cfg.Dir, dsn, acked)
		if _, err := os.Stat(h.cfg.Dir); err != nil {
			t.Fatal(err)
		}
	}
	g := h.open(t)
	for name := range acked {
		e := crashed(name)
		if h, err := look(g, e.Subject, "finger"); err != nil || !h.known || !sameTemplates(h.templates, "finger", e.Templates) {
			t.Fatalf("acknowledged: known %v, %d templates, %v", h.known, len(h.templates), err)
		}
	}
	if g.Subjects() < int64(len(acked)) {
		t.Errorf("%d subjects, %d were acknowledged", g.Subjects(), len(acked))
	}
	t.Logf("%d kills, %d acknowledged, %d subjects", rounds, len(acked), g.Subjects())
	enrol(t, g, person(0))
	closeGallery(t, g)
	check(t, h.open(t), person(0))
}

// enrolUntilKilled starts a child, kills it a random time after the first
// acknowledgement, and notes every acknowledgement that got out. The time does not
// decide whether the test passes.
func enrolUntilKilled(t *testing.T, dir, dsn string, acked map[string]bool) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChildEnrols$")
	child.Env = append(os.Environ(), childDir+"="+dir, childDSN+"="+dsn)
	var stderr, said bytes.Buffer
	child.Stderr = &stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	count := 0
	var kill *time.Timer
	for lines := bufio.NewReader(out); ; {
		line, err := lines.ReadString('\n')
		if name, ok := strings.CutPrefix(line, "ack "); err == nil && ok {
			acked[strings.TrimSpace(name)] = true
			if count++; count == 1 {
				kill = time.AfterFunc(rand.N(150*time.Millisecond), func() { _ = child.Process.Kill() })
			}
		}
		if !strings.HasPrefix(line, "ack ") {
			said.WriteString(line) // what a failing test says
		}
		if errors.Is(err, io.EOF) {
			break
		}
	}
	ended := child.Wait()
	if count == 0 || kill.Stop() {
		t.Fatalf("the child stopped by itself after %d: %v\n%s%s", count, ended, said.Bytes(), stderr.Bytes())
	}
}
