package enrol_test

import (
	"bufio"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tamga-id/tamga/node/enrol"
	"github.com/tamga-id/tamga/node/gallery"
)

// childDir tells a copy of the test binary to import until it is done or killed.
const childDir = "TAMGA_ENROL_TEST_CHILD"

var kills = flag.Int("kills", 5, "how many times TestKill kills an import")

// crashBatch is the batch of every run of an import that is cut off again and again.
const crashBatch = "aaaabbbbccccdddd"

func TestChildImports(t *testing.T) {
	dir := os.Getenv(childDir)
	if dir == "" {
		t.Skip("runs only as the child of TestKill")
	}
	fmt.Println("start")
	g := galleryIn(t, filepath.Join(dir, "gallery"))
	_, err := enrol.Import(t.Context(), manifest(t, filepath.Join(dir, "people.ndjson")), g, enrol.Options{
		Checkpoint: filepath.Join(dir, "checkpoint"), Batch: crashBatch, IfKnown: gallery.Refuse,
		Report: func(o enrol.Outcome) { fmt.Println("ack", o.Place, o.Change, o.Rule) },
	})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("done")
}

// TestKill kills an import with SIGKILL at random points and runs it again, until it
// ends: every record is enrolled once, under the same batch, and the policy that
// refuses duplicates refuses none of its own.
func TestKill(t *testing.T) {
	const people = 1500
	text := manyLines(0, people)
	for done := 0; done < *kills; {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "people.ndjson"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		acks := make(map[string]int) // outcomes of a line that say created
		runs := 0
		for finished := false; !finished; runs++ {
			after := rand.N(250 * time.Millisecond)
			if done >= *kills {
				after = time.Hour
			}
			var killed bool
			if finished, killed = importUntilKilled(t, dir, after, acks); killed {
				done++
			}
		}
		expectOnce(t, dir, people, acks)
		t.Logf("%d runs of one import, %d kills so far", runs, done)
	}
}

// importUntilKilled runs a child and kills it some time after it started. The time
// does not decide whether the test passes.
func importUntilKilled(t *testing.T, dir string, after time.Duration, acks map[string]int) (finished, killed bool) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChildImports$")
	child.Env = append(os.Environ(), childDir+"="+dir)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var kill *time.Timer
	var said []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		line := lines.Text()
		switch word, rest, _ := strings.Cut(line, " "); {
		case word == "start":
			kill = time.AfterFunc(after, func() { _ = child.Process.Kill() })
		case word == "done":
			finished = true
		case word == "ack" && strings.HasSuffix(rest, " created "):
			acks[strings.TrimSuffix(rest, " created ")]++
		case word == "ack" && !strings.HasSuffix(rest, " unchanged "):
			t.Errorf("outcome %q", rest)
		default:
			said = append(said, line)
		}
	}
	ended := child.Wait()
	if kill == nil || !finished && kill.Stop() {
		t.Fatalf("the child stopped by itself: %v\n%s", ended, strings.Join(said, "\n"))
	}
	return finished, !kill.Stop() && !finished
}

// expectOnce compares the gallery with the manifest, and looks for acknowledgements
// given twice.
func expectOnce(t *testing.T, dir string, n int, acks map[string]int) {
	t.Helper()
	g := galleryIn(t, filepath.Join(dir, "gallery"))
	if g.Subjects() != int64(n) {
		t.Errorf("%d subjects, want %d", g.Subjects(), n)
	}
	src := manifest(t, filepath.Join(dir, "people.ndjson"))
	expectHeld(t, g, src)
	for item := range src.Items() {
		e := must(item.Parse())
		refs, err := g.References(e.Subject, "finger")
		if err != nil || refs.Len() != 1 {
			t.Errorf("%s: %d records, %v", item.Place, refs.Len(), err)
		}
		refs.Close()
		if acks[item.Place] > 1 {
			t.Errorf("%s: acknowledged as created %d times", item.Place, acks[item.Place])
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "checkpoint")); err == nil {
		t.Error("the checkpoint outlived the import")
	}
}
