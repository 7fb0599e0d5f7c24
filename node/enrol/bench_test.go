package enrol_test

import (
	"path/filepath"
	"testing"

	"github.com/tamga-id/tamga/node/enrol"
)

// BenchmarkImport is one record of a manifest with one finger, from its line to the
// synced commit in a real gallery.
func BenchmarkImport(b *testing.B) {
	src := manifest(b, write(b, "people.ndjson", manyLines(0, b.N)))
	g := newGallery(b)
	b.ResetTimer()
	totals, err := enrol.Import(b.Context(), src, g, enrol.Options{Checkpoint: filepath.Join(b.TempDir(), "checkpoint")})
	if err != nil || totals.Created != b.N {
		b.Fatal(totals, err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}
