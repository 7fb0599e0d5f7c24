package enrol_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/enrol"
	"github.com/tamga-id/tamga/node/gallery"
)

// endless repeats a text without holding it more than once.
type endless struct {
	text string
	left int
	at   int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n := copy(p, e.text[e.at:])
	if e.at += n; e.at == len(e.text) {
		e.at, e.left = 0, e.left-1
	}
	return n, nil
}

// TestImportMemory streams far more than may be in memory: lines of the greatest
// length, which fill a batch by their bytes and not by their number.
func TestImportMemory(t *testing.T) {
	one := strings.TrimSpace(manyLines(0, 1))
	line := one[:len(one)-1] + strings.Repeat(" ", jose.MaxTokenSize-len(one)) + "}\n"
	const lines = 500 // 98 MB
	src, err := enrol.Manifest("", &endless{text: line, left: lines}, "KAZ")
	if err != nil {
		t.Fatal(err)
	}
	live := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, most := live(), uint64(0)
	totals, err := enrol.Import(t.Context(), src, &sink{}, enrol.Options{Progress: func(int) { most = max(most, live()) }})
	if err != nil || totals.Records != lines || totals.Failed != 0 {
		t.Fatalf("%+v, %v", totals, err)
	}
	if limit := uint64(64 << 20); most > before+limit {
		t.Errorf("%d MiB live, want at most 64", (most-before)>>20)
	}
}

// TestImportBusy: two imports of one source do not take each other's checkpoint.
func TestImportBusy(t *testing.T) {
	src := manifest(t, write(t, "people.ndjson", manyLines(0, 3)))
	o := enrol.Options{Checkpoint: filepath.Join(t.TempDir(), "checkpoint")}
	var inner error
	outer := o
	outer.Progress = func(int) { _, inner = enrol.Import(t.Context(), src, &sink{}, o) }
	if _, err := enrol.Import(t.Context(), src, &sink{}, outer); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(inner, enrol.ErrBusy) {
		t.Errorf("a second import at once: %v", inner)
	}
	if totals, err := enrol.Import(t.Context(), src, &sink{}, o); err != nil || totals.Records != 3 {
		t.Errorf("afterwards: %+v, %v", totals, err)
	}
}

// TestFolderSwapped: what is read is the folder that was listed, whatever is put in
// its place, and a file that changes while it waits is read as it is then.
func TestFolderSwapped(t *testing.T) {
	dir := templateFolder(t, "a.iso", "b.iso", "c.iso")
	src, err := enrol.Folder(dir, "KAZ", enrol.FolderOptions{IDType: pseudonym.IDPassport})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if err := os.WriteFile(filepath.Join(dir, "b.iso"), []byte("FMR\x00 20\x00half a rec"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "d.iso"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir, dir+".old"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if got := subjects(t, src); got != "A - C" {
		t.Errorf("got %q", got)
	}
}

// TestImportPolicies passes batch and policy on, and counts what is kept.
func TestImportPolicies(t *testing.T) {
	src := manifest(t, write(t, "people.ndjson", manyLines(0, 4)))
	g := newGallery(t)
	first := enrol.Options{Batch: "aaaaaaaaaaaaaaaa"}
	if totals, err := enrol.Import(t.Context(), src, g, first); err != nil || totals.Created != 4 {
		t.Fatalf("%+v, %v", totals, err)
	}
	other := strings.ReplaceAll(manyLines(0, 4), `"biometrics"`, `"absent":[{"modality":"face","reason":"not_captured"}],"biometrics"`)
	changed := manifest(t, write(t, "people.ndjson", other))
	for policy, want := range map[string]enrol.Totals{
		"skip": {Records: 4, Kept: 4}, "refuse": {Records: 4, Failed: 4},
	} {
		p, ok := enrol.ParseDuplicates(policy)
		totals, err := enrol.Import(t.Context(), changed, g, enrol.Options{Batch: "bbbbbbbbbbbbbbbb", IfKnown: p})
		if !ok || err != nil || totals != want {
			t.Errorf("%s: %+v, %v", policy, totals, err)
		}
	}
	if totals, err := enrol.Import(t.Context(), changed, g, enrol.Options{Batch: "aaaaaaaaaaaaaaaa", IfKnown: gallery.Refuse}); err != nil || totals.Updated != 4 {
		t.Errorf("the batch's own: %+v, %v", totals, err)
	}
	if _, ok := enrol.ParseDuplicates("merge"); ok {
		t.Error("a policy that is none")
	}
}

func TestBatches(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "batches")
	if got, err := enrol.Batches(dir); err != nil || len(got) != 0 {
		t.Fatalf("no folder: %v, %v", got, err)
	}
	old := enrol.Batch{ID: "aaaaaaaaaaaaaaaa", State: enrol.Done, Totals: enrol.Totals{Created: 3}}
	recent := enrol.Batch{ID: enrol.NewBatchID(), State: enrol.Running, Started: old.Started.AddDate(0, 0, 1)}
	for _, b := range []enrol.Batch{old, recent} {
		if err := enrol.SaveBatch(dir, b); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := enrol.Batches(dir); err != nil || fmt.Sprint(got) != fmt.Sprint([]enrol.Batch{recent, old}) {
		t.Errorf("got %v, %v", got, err)
	}
	for _, id := range []string{"", "../aaaaaaaaaaaaa", "AAAAAAAAAAAAAAAA", "bbbbbbbbbbbbbbbb"} {
		if _, err := enrol.LoadBatch(dir, id); !errors.Is(err, enrol.ErrNoBatch) {
			t.Errorf("%q: %v", id, err)
		}
	}
	if err := enrol.DropBatch(dir, old.ID); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(dir, recent.ID+".json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := enrol.Batches(dir); err == nil {
		t.Error("a torn batch is taken")
	}
}
