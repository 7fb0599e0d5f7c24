package enrol_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/enrol"
)

// TestImportResume fails at batch k, before and after it took effect, and runs again.
func TestImportResume(t *testing.T) {
	const n = 3*batch + 50
	text, whole := interleaved(n)
	path := write(t, "people.ndjson", text)
	for k := 1; k <= 4; k++ {
		for _, after := range []bool{false, true} {
			checkpoint := filepath.Join(t.TempDir(), "imports", "checkpoint")
			s := &sink{failAt: k, after: after}
			first, totals, err := run(t, manifest(t, path), s, checkpoint)
			if !errors.Is(err, errSink) || totals.Records != (k-1)*batch || len(first) != totals.Records {
				t.Fatalf("batch %d: %+v, %v", k, totals, err)
			}
			_, err = os.Stat(checkpoint)
			if (err == nil) != (k > 1) {
				t.Fatalf("batch %d: checkpoint %v", k, err)
			}
			s.failAt = 0
			second, again, err := run(t, manifest(t, path), s, checkpoint)
			if err != nil || again.Resumed != totals.Records-totals.Failed || again.Records != whole.Records {
				t.Fatalf("batch %d, again: %+v, %v", k, again, err)
			}
			// What failed is tried again, and then it goes on where it stopped.
			if len(second) <= totals.Failed || second[totals.Failed].Place != fmt.Sprintf("line %d", totals.Records+1) {
				t.Fatalf("batch %d: went on at the wrong place", k)
			}
			// What took effect without being acknowledged is unchanged the second time.
			repeats := whole.Unchanged
			if after {
				repeats = again.Unchanged
			}
			if totals.Created+again.Created+again.Unchanged != whole.Created+whole.Unchanged || again.Unchanged < repeats ||
				again.Failed != whole.Failed || len(s.holds) != whole.Created {
				t.Errorf("batch %d: %+v and %+v, want together %+v", k, totals, again, whole)
			}
			if _, err := os.Stat(checkpoint); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("batch %d: the checkpoint outlived the import: %v", k, err)
			}
		}
	}
}

// interrupted leaves the checkpoint of an import that failed at its third batch.
func interrupted(t *testing.T, src enrol.Source) (checkpoint string) {
	t.Helper()
	checkpoint = filepath.Join(t.TempDir(), "checkpoint")
	if _, _, err := run(t, src, &sink{failAt: 3}, checkpoint); !errors.Is(err, errSink) {
		t.Fatal(err)
	}
	return checkpoint
}

// TestImportLostCheckpoint is a crash between the commit and the checkpoint.
func TestImportLostCheckpoint(t *testing.T) {
	path := write(t, "people.ndjson", manyLines(0, 2*batch))
	s := &sink{}
	checkpoint := filepath.Join(t.TempDir(), "checkpoint")
	// The folder in the checkpoint's place makes replacing it fail after batch 1.
	if err := os.MkdirAll(filepath.Join(checkpoint+".new", "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, totals, err := run(t, manifest(t, path), s, checkpoint)
	if err == nil || totals.Created != batch || s.calls != 1 {
		t.Fatalf("%+v, %v after %d batches", totals, err, s.calls)
	}
	if err := os.RemoveAll(checkpoint + ".new"); err != nil {
		t.Fatal(err)
	}
	_, totals, err = run(t, manifest(t, path), s, checkpoint)
	if err != nil || totals != (enrol.Totals{Records: 2 * batch, Unchanged: batch, Created: batch}) {
		t.Errorf("again: %+v, %v", totals, err)
	}
}

// TestImportChanged changes the source between two runs: it is imported from the start.
func TestImportChanged(t *testing.T) {
	text := manyLines(0, 3*batch)
	tests := map[string]struct {
		text    string
		resumed int
	}{
		"same":            {text, 2 * batch},
		"grown":           {text + manyLines(3*batch, 3*batch+5), 2 * batch},
		"changed-later":   {manyLines(0, 2*batch) + manyLines(5000, 5000+batch), 2 * batch},
		"changed-first":   {manyLines(9000, 9001) + text[len(manyLines(0, 1)):], 0},
		"changed-last":    {manyLines(0, 2*batch-1) + manyLines(9000, 9001) + manyLines(2*batch, 3*batch), 0},
		"shifted":         {manyLines(9000, 9001) + text, 0},
		"swapped":         {manyLines(1, 2) + manyLines(0, 1) + manyLines(2, 3*batch), 0},
		"shorter":         {manyLines(0, batch), 0},
		"exactly-settled": {manyLines(0, 2*batch), 2 * batch},
		"empty":           {"", 0},
		"more-space":      {"\n\n" + strings.ReplaceAll(text, "\n", "\r\n"), 2 * batch},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := write(t, "people.ndjson", text)
			checkpoint := interrupted(t, manifest(t, path))
			if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			s := &sink{}
			_, totals, err := run(t, manifest(t, path), s, checkpoint)
			want := strings.Count(strings.TrimSpace(tt.text), "\n")
			if tt.text != "" {
				want++
			}
			if err != nil || totals.Resumed != tt.resumed || totals.Records != want {
				t.Errorf("%+v, %v; want %d of %d resumed", totals, err, tt.resumed, want)
			}
		})
	}
}

func TestImportFolderChanged(t *testing.T) {
	var names []string
	for i := range 2*batch + 1 {
		names = append(names, fmt.Sprintf("P%04d.iso", i))
	}
	o := enrol.FolderOptions{IDType: pseudonym.IDPassport}
	folder := func(dir, jurisdiction string, o enrol.FolderOptions) enrol.Source {
		src, err := enrol.Folder(dir, jurisdiction, o)
		if err != nil {
			t.Fatal(err)
		}
		return src
	}
	tests := map[string]struct {
		edit    func(dir string, o *enrol.FolderOptions, jurisdiction *string) error
		resumed int
	}{
		"same": {func(string, *enrol.FolderOptions, *string) error { return nil }, 2 * batch},
		"id-type": {func(_ string, o *enrol.FolderOptions, _ *string) error {
			o.IDType = pseudonym.IDNationalNumber
			return nil
		}, 0},
		"pattern": {func(_ string, o *enrol.FolderOptions, _ *string) error { o.Pattern = `^(?P<subject>.*)$`; return nil }, 0},
		"country": {func(_ string, _ *enrol.FolderOptions, j *string) error { *j = "UZB"; return nil }, 0},
		"touched": {func(dir string, _ *enrol.FolderOptions, _ *string) error {
			return os.Chtimes(filepath.Join(dir, names[3]), time.Time{}, time.Unix(1, 0))
		}, 0},
		"removed": {func(dir string, _ *enrol.FolderOptions, _ *string) error {
			return os.Remove(filepath.Join(dir, names[3]))
		}, 0},
		"renamed": {func(dir string, _ *enrol.FolderOptions, _ *string) error {
			return os.Rename(filepath.Join(dir, names[3]), filepath.Join(dir, "P0003X.iso"))
		}, 0},
		"last-removed": {func(dir string, _ *enrol.FolderOptions, _ *string) error {
			return os.Remove(filepath.Join(dir, names[len(names)-1]))
		}, 2 * batch},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			template := people.Person(0).FingerReference(2)
			for _, n := range names {
				if err := os.WriteFile(filepath.Join(dir, n), template, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			checkpoint := interrupted(t, folder(dir, "KAZ", o))
			changed, jurisdiction := o, "KAZ"
			if err := tt.edit(dir, &changed, &jurisdiction); err != nil {
				t.Fatal(err)
			}
			_, totals, err := run(t, folder(dir, jurisdiction, changed), &sink{}, checkpoint)
			if err != nil || totals.Resumed != tt.resumed {
				t.Errorf("%+v, %v; want %d resumed", totals, err, tt.resumed)
			}
		})
	}
}

// TestImportCheckpointGarbage: what is no checkpoint is no checkpoint.
func TestImportCheckpointGarbage(t *testing.T) {
	path := write(t, "people.ndjson", manyLines(0, 5))
	for _, garbage := range []string{
		"", "x", "null", "[]", `{}`, `{"records":3}`, `{"records":3,"trace":""}`, `{"records":-1,"trace":""}`,
		`{"records":0,"trace":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}`,
		`{"records":99,"trace":"00"}`, `{"records":1e99,"trace":"00"}`, "\x00\xff",
	} {
		checkpoint := write(t, "checkpoint", garbage)
		_, totals, err := run(t, manifest(t, path), &sink{}, checkpoint)
		if err != nil || totals != (enrol.Totals{Records: 5, Created: 5}) {
			t.Errorf("%q: %+v, %v", garbage, totals, err)
		}
		if _, err := os.Stat(checkpoint); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%q: outlived the import", garbage)
		}
	}
	if _, _, err := run(t, manifest(t, path), &sink{}, t.TempDir()); err == nil {
		t.Error("a folder was taken for a checkpoint")
	}
}

// TestImportCheckpointContent: a checkpoint names no one and holds nothing of a record.
func TestImportCheckpointContent(t *testing.T) {
	b, err := os.ReadFile(interrupted(t, manifest(t, write(t, "people.ndjson", manyLines(0, 3*batch)))))
	if err != nil {
		t.Fatal(err)
	}
	var c map[string]any
	if err := json.Unmarshal(b, &c); err != nil || len(c) != 2 || c["records"] != float64(2*batch) || len(c["trace"].(string)) != 64 {
		t.Errorf("%s, %v", b, err)
	}
}
