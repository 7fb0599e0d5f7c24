package gallery_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/gallery/store"
)

var allFaults = flag.Bool("faults", false, "fail every call that changes a file, and not a few of each kind")

// faulty are the calls by which what is written gets to the disk. Badger's writes
// themselves are to memory maps and cannot fail before these.
var faulty = []string{"msync", "fsync", "ftruncate", "pwrite64", "renameat", "unlinkat"}

const faultDir = "TAMGA_FAULT_DIR"

// TestFaults fails, one at a time, the calls that make durable what a gallery writes while
// it is made, enrolled into, erased from, undone and closed: in one run the call does
// nothing and returns an error, in another the process dies at it. Opened again, the
// gallery has everything that was acknowledged, and has forgotten who was erased; or, after
// a failed fsync of MANIFEST, refuses.
func TestFaults(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("no strace to fail calls with")
	}
	if out, err := exec.Command(strace, "-f", "-e", "trace=fsync", "true").CombinedOutput(); err != nil {
		t.Skipf("strace may not trace here: %v %s", err, out)
	}
	counts := make(map[string]int)
	acks, trace := faultRun(t, strace, newDir(t), "trace="+strings.Join(faulty, ","))
	if len(acks) != len(faultSteps()) {
		t.Fatalf("without a fault %v was acknowledged\n%s", acks, trace)
	}
	for _, call := range faulty {
		counts[call] = len(regexp.MustCompile(`(?m)\b`+call+`\(`).FindAllString(trace, -1))
	}
	t.Logf("calls: %v", counts)
	runs := 0
	for _, call := range faulty {
		for n := 1; n <= counts[call]; n++ {
			if !*allFaults && counts[call] > 10 && n%(counts[call]/3) != 0 {
				continue
			}
			for _, how := range []string{"error=ENOSPC", "error=EIO", "signal=KILL"} {
				if !*allFaults && how == "error=EIO" {
					continue
				}
				dir := newDir(t)
				acks, _ := faultRun(t, strace, dir, fmt.Sprintf("inject=%s:%s:when=%d", call, how, n))
				faultCheck(t, fmt.Sprintf("%s %s at call %d", call, how, n), dir, acks)
				runs++
			}
		}
	}
	if runs == 0 {
		t.Error("no fault was injected")
	}
	t.Logf("%d runs with a fault", runs)
}

// faultStep is one change, and what it is acknowledged as.
type faultStep struct {
	name string
	do   func(*testing.T, *gallery.Gallery) error
}

func faultSteps() []faultStep {
	enrolling := func(es ...gallery.Enrolment) func(*testing.T, *gallery.Gallery) error {
		return func(t *testing.T, g *gallery.Gallery) error { _, err := g.Enrol(t.Context(), es); return err }
	}
	inBatch := small("undone")
	inBatch.Batch = "batch"
	return []faultStep{
		{"enrol-0", enrolling(person(0))},
		{"enrol-1", enrolling(person(1), crashed("A"))},
		{"enrol-batch", enrolling(inBatch)},
		{"erase-0", func(t *testing.T, g *gallery.Gallery) error { _, err := g.Erase(t.Context(), passport(0)); return err }},
		{"undo", func(t *testing.T, g *gallery.Gallery) error { _, err := g.Undo(t.Context(), "batch"); return err }},
		{"enrol-2", enrolling(person(2), crashed("B"))},
		{"close", func(_ *testing.T, g *gallery.Gallery) error { return g.Close() }},
		{"open", func(t *testing.T, _ *gallery.Gallery) error {
			again, err := gallery.Open(testConfig(t, os.Getenv(faultDir)))
			if err != nil {
				return err
			}
			return again.Close()
		}},
	}
}

// TestManifestNotSynced fails the fsync of MANIFEST alone: Badger 4.9 writes the same table
// anew, under another number, and removes the first one, which MANIFEST names by then. The
// gallery refuses to guess that it is the same, and says what to do.
func TestManifestNotSynced(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("no strace to fail calls with")
	}
	if out, err := exec.Command(strace, "-f", "-e", "trace=fsync", "true").CombinedOutput(); err != nil {
		t.Skipf("strace may not trace here: %v %s", err, out)
	}
	dir := newDir(t)
	if err := (home{cfg: testConfig(t, dir)}).open(t).Close(); err != nil { // strace knows a file that is there
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), strace, "-f", "-qq", "-o", dir+"-trace", "-P", filepath.Join(dir, "MANIFEST"), "-e", "inject=fsync:error=EIO:when=1",
		os.Args[0], "-test.run=^TestFaultSteps$", "-test.count=1")
	c.Env = append(os.Environ(), faultDir+"="+dir)
	_, _ = c.Output()
	if b, err := os.ReadFile(dir + "-trace"); err != nil || !strings.Contains(string(b), "INJECTED") {
		t.Fatalf("no fsync of MANIFEST failed: %v", err)
	}
	g, err := gallery.Open(testConfig(t, dir))
	if err == nil {
		_ = g.Close()
		t.Fatal("opened: Badger keeps the table now, and what is said of it in this package can go")
	}
	if !errors.Is(err, gallery.ErrDamaged) || !strings.Contains(err.Error(), "restore the newest backup") {
		t.Errorf("refused without the way out: %v", err)
	}
}

// TestFaultSteps makes the changes in a process that TestFaults started.
func TestFaultSteps(t *testing.T) {
	dir := os.Getenv(faultDir)
	if dir == "" {
		t.Skip("run by TestFaults")
	}
	g, err := gallery.Open(testConfig(t, dir))
	if err != nil {
		return
	}
	for _, s := range faultSteps() {
		if s.do(t, g) == nil {
			fmt.Println("acknowledged", s.name)
		}
	}
}

// faultRun makes the changes under strace and returns those that were acknowledged.
func faultRun(t *testing.T, strace, dir, expression string) (acks []string, trace string) {
	t.Helper()
	log := dir + "-trace"
	c := exec.CommandContext(t.Context(), strace, "-f", "-qq", "-o", log, "-e", expression,
		os.Args[0], "-test.run=^TestFaultSteps$", "-test.count=1")
	c.Env = append(os.Environ(), faultDir+"="+dir)
	out, _ := c.Output() // that it dies is what it is for
	for line := range strings.Lines(string(out)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "acknowledged "); ok {
			acks = append(acks, name)
		}
	}
	b, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	return acks, string(b)
}

// faultCheck opens what a run left.
func faultCheck(t *testing.T, what, dir string, acks []string) {
	t.Helper()
	g, err := gallery.Open(testConfig(t, dir))
	if errors.Is(err, gallery.ErrDamaged) && strings.HasPrefix(what, "fsync error") {
		// When the fsync of MANIFEST fails, Badger 4.9 writes the same table anew and removes
		// the first one, which MANIFEST names by then. Nothing is lost, or passed over: it is
		// refused, and a check says what is missing.
		r := examined(t, dir)
		if !slices.ContainsFunc(r.Faults, func(f store.Fault) bool { return f.Rule == "missing" }) {
			t.Errorf("%s: refused (%v), and the check found %+v", what, err, r)
		}
		t.Logf("%s: refused: %v", what, err)
		return
	}
	if err != nil {
		t.Errorf("%s, acknowledged %v: opening: %v", what, acks, err)
		return
	}
	defer g.Close()
	did := func(step string) bool { return slices.Contains(acks, step) }
	for i, e := range []gallery.Enrolment{person(0), person(1), person(2), crashed("A"), crashed("B")} {
		step := "enrol-" + strconv.Itoa([]int{0, 1, 2, 1, 2}[i])
		for _, modality := range []string{"face", "finger"} {
			h, err := look(g, e.Subject, modality)
			switch {
			case err != nil:
				t.Errorf("%s: %s: %v", what, step, err)
			case i == 0 && did("erase-0") && h.known:
				t.Errorf("%s: who was erased is known", what)
			case !h.known && did(step) && i != 0:
				t.Errorf("%s: %s was acknowledged and is not there", what, step)
			case h.known && !sameTemplates(h.templates, modality, e.Templates):
				t.Errorf("%s: %s has other templates", what, step)
			}
		}
	}
	if h, err := look(g, small("undone").Subject, "finger"); err != nil || h.known && did("undo") || !h.known && did("enrol-batch") && !did("undo") && !undone(acks) {
		t.Errorf("%s: of the batch that was undone: known %v, %v", what, h.known, err)
	}
	if r, err := g.Fsck(t.Context(), nil); err != nil || !r.Sound() {
		t.Errorf("%s: check: %+v, %v", what, r, err)
	}
	if _, err := g.Enrol(t.Context(), []gallery.Enrolment{person(3)}); err != nil && !errors.Is(err, gallery.ErrUnavailable) {
		t.Errorf("%s: enrolling afterwards: %v", what, err)
	}
}

// undone: undoing was begun, and may be done although it was not acknowledged.
func undone(acks []string) bool { return len(acks) >= 3 }
