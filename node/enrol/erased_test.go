package enrol_test

import (
	"testing"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/enrol"
	"github.com/tamga-id/tamga/node/gallery"
)

// TestImportAfterErasure: somebody is erased between the runs of an import. The one that
// goes on says so, line by line, and brings nobody back; a new import does.
func TestImportAfterErasure(t *testing.T) {
	g := newGallery(t)
	path := write(t, "people.ndjson", manyLines(0, 5))
	of := func(batch string) []enrol.Outcome {
		t.Helper()
		var outcomes []enrol.Outcome
		_, err := enrol.Import(t.Context(), manifest(t, path), g, enrol.Options{Batch: batch, Report: func(o enrol.Outcome) { outcomes = append(outcomes, o) }})
		if err != nil || len(outcomes) != 5 {
			t.Fatalf("%d outcomes, %v", len(outcomes), err)
		}
		return outcomes
	}
	first := enrol.NewBatchID()
	of(first)
	id := pseudonym.Identifier{Jurisdiction: "KAZ", Type: pseudonym.IDPassport, Value: people.Person(3).PassportNumber}
	if _, err := g.Erase(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	for i, o := range of(first) {
		want := enrol.Outcome{Place: o.Place, Change: gallery.Unchanged}
		if i == 3 {
			want = enrol.Outcome{Place: "line 4", Change: gallery.Failed, Code: protocol.CodeRecord, Rule: gallery.ErrErased.Error()}
		}
		if o != want {
			t.Errorf("line %d: %+v, want %+v", i+1, o, want)
		}
	}
	if g.Subjects() != 4 {
		t.Errorf("%d subjects, want 4", g.Subjects())
	}
	if o := of(enrol.NewBatchID()); o[3].Change != gallery.Created || g.Subjects() != 5 {
		t.Errorf("a new import: %+v, %d subjects", o[3], g.Subjects())
	}
}
