package enrol_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/enrol"
	"github.com/tamga-id/tamga/node/gallery"
)

// batch is how many records Import enrols at once.
const batch = 256

// interleaved has a bad line after every three good ones and a repeat at the end.
func interleaved(n int) (text string, want enrol.Totals) {
	var b strings.Builder
	for i := range n {
		if i%4 == 3 {
			b.WriteString("{\"CANARY\":1}\n")
			want.Failed++
			continue
		}
		b.WriteString(manyLines(i, i+1))
		want.Created++
	}
	b.WriteString(manyLines(0, 1))
	want.Unchanged++
	want.Records = n + 1
	return b.String(), want
}

func TestImportOrder(t *testing.T) {
	for _, n := range []int{0, 1, 4, batch - 1, batch, batch + 1, 3 * batch} {
		text, want := interleaved(n)
		if n == 0 {
			text, want = "", enrol.Totals{}
		}
		s := &sink{}
		outcomes, totals, err := run(t, manifest(t, write(t, "people.ndjson", text)), s, "")
		if err != nil || totals != want {
			t.Errorf("%d: %+v, %v; want %+v", n, totals, err, want)
		}
		for i, o := range outcomes {
			bad := i%4 == 3 && i < n
			if o.Place != fmt.Sprintf("line %d", i+1) || bad != (o.Change == gallery.Failed) || bad != (o.Code == protocol.CodeRecord) || bad != (o.Rule != "") {
				t.Fatalf("%d: outcome %d is %+v", n, i, o)
			}
			if strings.Contains(fmt.Sprint(o), "CANARY") {
				t.Errorf("an outcome says what the record contains: %v", o)
			}
		}
		if slices.Max(append(s.sizes, 0)) > batch {
			t.Errorf("batches of %v", s.sizes)
		}
		var order []string
		for i := range n {
			if i%4 != 3 {
				order = append(order, people.Person(i).PassportNumber)
			}
		}
		if n > 0 {
			order = append(order, people.Person(0).PassportNumber)
		}
		if !slices.Equal(s.order, order) {
			t.Errorf("%d: the sink was given another order", n)
		}
	}
}

// TestImportOnlyBad gives the sink nothing to do.
func TestImportOnlyBad(t *testing.T) {
	s := &sink{}
	_, totals, err := run(t, manifest(t, write(t, "people.ndjson", strings.Repeat("x\n", batch+5))), s, "")
	if err != nil || totals != (enrol.Totals{Records: batch + 5, Failed: batch + 5}) {
		t.Errorf("%+v, %v", totals, err)
	}
	for _, n := range s.sizes {
		if n != 0 {
			t.Errorf("batches of %v", s.sizes)
		}
	}
}

// TestImportSinkRules passes on what the sink says of single records.
func TestImportSinkRules(t *testing.T) {
	s := &sink{results: func(r []gallery.Result) []gallery.Result {
		r[1] = gallery.Result{Change: gallery.Failed, Err: gallery.ErrHolderConflict}
		r[2] = gallery.Result{Change: gallery.Failed}
		r[3] = gallery.Result{}
		r[4] = gallery.Result{Change: "enrolled", Err: errors.New("odd")}
		r[5] = gallery.Result{Change: gallery.Failed, Err: &enrol.RuleError{Code: protocol.CodeTemplate, Member: "m", Rule: "r"}}
		r[6] = gallery.Result{Change: gallery.Failed, Err: fmt.Errorf("making subject key: %w", gallery.ErrOutdated)}
		return r
	}}
	outcomes, totals, err := run(t, manifest(t, write(t, "people.ndjson", manyLines(0, 7))), s, "")
	if err != nil || totals != (enrol.Totals{Records: 7, Created: 1, Failed: 6}) {
		t.Errorf("%+v, %v", totals, err)
	}
	want := []enrol.Outcome{
		{Place: "line 1", Change: gallery.Created},
		{Place: "line 2", Change: gallery.Failed, Code: protocol.CodeRecord, Rule: gallery.ErrHolderConflict.Error()},
		{Place: "line 3", Change: gallery.Failed, Code: protocol.CodeRecord, Rule: "was refused"},
		{Place: "line 4", Change: gallery.Failed, Code: protocol.CodeRecord, Rule: "was refused"},
		{Place: "line 5", Change: gallery.Failed, Code: protocol.CodeRecord, Rule: "odd"},
		{Place: "line 6", Change: gallery.Failed, Code: protocol.CodeTemplate, Rule: "m: r"},
		{Place: "line 7", Change: gallery.Failed, Code: protocol.CodeRotation, Rule: gallery.ErrOutdated.Error()},
	}
	if !slices.Equal(outcomes, want) {
		t.Errorf("got %+v", outcomes)
	}
}

// TestImportSinkCount has a sink that returns another number of results: nothing is
// counted or reported, and the checkpoint stays.
func TestImportSinkCount(t *testing.T) {
	for name, edit := range map[string]func([]gallery.Result) []gallery.Result{
		"fewer": func(r []gallery.Result) []gallery.Result { return r[1:] },
		"more":  func(r []gallery.Result) []gallery.Result { return append(r, gallery.Result{Change: gallery.Created}) },
		"none":  func([]gallery.Result) []gallery.Result { return nil },
	} {
		checkpoint := filepath.Join(t.TempDir(), "checkpoint")
		outcomes, totals, err := run(t, manifest(t, write(t, "people.ndjson", manyLines(0, 5))), &sink{results: edit}, checkpoint)
		if err == nil || len(outcomes) != 0 || totals != (enrol.Totals{}) {
			t.Errorf("%s: %+v, %v", name, totals, err)
		}
		if _, err := os.Stat(checkpoint); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: a checkpoint was written: %v", name, err)
		}
	}
}

// TestImportStream cannot resume what cannot be read again.
func TestImportStream(t *testing.T) {
	text := manyLines(0, 3*batch)
	checkpoint := interrupted(t, manifest(t, write(t, "people.ndjson", text)))
	src, err := enrol.Manifest("", strings.NewReader(text), "KAZ")
	if err != nil {
		t.Fatal(err)
	}
	_, totals, err := run(t, src, &sink{}, checkpoint)
	if err != nil || totals != (enrol.Totals{Records: 3 * batch, Created: 3 * batch}) {
		t.Errorf("%+v, %v", totals, err)
	}
}

// TestImportSourceFails enrols what came before the failure.
func TestImportSourceFails(t *testing.T) {
	path := write(t, "people.ndjson", manyLines(0, batch+7))
	whole := manifest(t, path)
	broken := errors.New("cable pulled")
	src := enrol.Source{Rewind: true, Items: func() iter.Seq2[enrol.Item, error] {
		return func(yield func(enrol.Item, error) bool) {
			for item := range whole.Items() {
				if !yield(item, nil) {
					return
				}
			}
			yield(enrol.Item{}, broken)
		}
	}}
	s := &sink{}
	checkpoint := filepath.Join(t.TempDir(), "checkpoint")
	_, totals, err := run(t, src, s, checkpoint)
	if !errors.Is(err, broken) || totals.Created != batch+7 {
		t.Errorf("%+v, %v", totals, err)
	}
	_, totals, err = run(t, whole, s, checkpoint)
	if err != nil || totals.Resumed != batch+7 {
		t.Errorf("again: %+v, %v", totals, err)
	}
	s = &sink{failAt: 1}
	if _, totals, err = run(t, src, s, ""); !errors.Is(err, errSink) || totals.Records != 0 {
		t.Errorf("with a failing sink: %+v, %v", totals, err)
	}
}

func TestImportCancel(t *testing.T) {
	src := manifest(t, write(t, "people.ndjson", manyLines(0, 3*batch)))
	checkpoint := filepath.Join(t.TempDir(), "checkpoint")
	ctx, cancel := context.WithCancel(t.Context())
	s := &sink{} // which knows nothing of contexts
	totals, err := enrol.Import(ctx, src, s, enrol.Options{Checkpoint: checkpoint, Progress: func(int) { cancel() }})
	if !errors.Is(err, context.Canceled) || totals.Created != batch || s.calls != 1 {
		t.Errorf("%+v, %v after %d batches", totals, err, s.calls)
	}
	if _, err := enrol.Import(ctx, src, s, enrol.Options{Checkpoint: checkpoint}); !errors.Is(err, context.Canceled) || s.calls != 1 {
		t.Errorf("resuming: %v after %d batches", err, s.calls)
	}
	if _, totals, err := run(t, src, s, checkpoint); err != nil || totals.Resumed != batch || totals.Created != 2*batch {
		t.Errorf("again: %+v, %v", totals, err)
	}
}

func TestImportProgress(t *testing.T) {
	var done []int
	_, err := enrol.Import(t.Context(), manifest(t, write(t, "people.ndjson", manyLines(0, 2*batch+9))), &sink{},
		enrol.Options{Progress: func(n int) { done = append(done, n) }})
	if err != nil || !slices.Equal(done, []int{batch, 2 * batch, 2*batch + 9}) {
		t.Errorf("%v, %v", done, err)
	}
}

// TestImportWipes leaves no template of a batch behind, whether it was enrolled,
// refused or never reached.
func TestImportWipes(t *testing.T) {
	for name, failAt := range map[string]int{"enrolled": 0, "failed": 1} {
		var kept [][]byte
		s := &keeper{sink: sink{failAt: failAt}, kept: &kept}
		_, _, err := run(t, manifest(t, write(t, "people.ndjson", manyLines(0, 20))), s, "")
		if (err != nil) != (failAt > 0) || len(kept) != 20 {
			t.Fatalf("%s: %d templates, %v", name, len(kept), err)
		}
		for _, b := range kept {
			if slices.Max(b) != 0 {
				t.Fatalf("%s: a template was not wiped", name)
			}
		}
	}
}

type keeper struct {
	sink
	kept *[][]byte
}

func (k *keeper) Enrol(ctx context.Context, batch []gallery.Enrolment) ([]gallery.Result, error) {
	for _, e := range batch {
		for _, t := range e.Templates {
			*k.kept = append(*k.kept, t.Data)
		}
	}
	return k.sink.Enrol(ctx, batch)
}
