package gallery_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tamga-id/tamga/node/gallery"
)

// BenchmarkEnrol enrols subjects with one record of 2 KB, one a call.
func BenchmarkEnrol(b *testing.B) {
	b.Run("badger", func(b *testing.B) {
		benchmarkEnrol(b, func(b *testing.B) gallery.Config { return testConfig(b, newDir(b)) })
	})
	b.Run("postgres", func(b *testing.B) {
		c := postgres.Start(b)
		benchmarkEnrol(b, func(b *testing.B) gallery.Config { return inPostgres(b, c.Database(b)) })
	})
}

func benchmarkEnrol(b *testing.B, config func(*testing.B) gallery.Config) {
	for _, writers := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("writers-%d", writers), func(b *testing.B) {
			g := home{cfg: config(b)}.open(b)
			var next atomic.Int64
			var wg sync.WaitGroup
			b.ResetTimer()
			for range writers {
				wg.Go(func() {
					for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
						e := small(fmt.Sprint("B", i))
						e.Templates[0].Data = make([]byte, 2048)
						if r, err := g.Enrol(b.Context(), []gallery.Enrolment{e}); err != nil || r[0].Err != nil {
							b.Error(r, err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "enrolments/s")
		})
	}
}

// BenchmarkEnrolBatch enrols as an import does.
func BenchmarkEnrolBatch(b *testing.B) {
	g := openGallery(b, newDir(b))
	const batch = 256
	n := 0
	for b.Loop() {
		var es []gallery.Enrolment
		for range batch {
			n++
			e := small(fmt.Sprint("B", n))
			e.Templates[0].Data = make([]byte, 2048)
			es = append(es, e)
		}
		if _, err := g.Enrol(b.Context(), es); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "enrolments/s")
}

// BenchmarkReferences looks subjects up and opens their record; 90 us or so of it is
// the pseudonym.
func BenchmarkReferences(b *testing.B) {
	g := openGallery(b, newDir(b))
	const subjects = 10_000
	var es []gallery.Enrolment
	for i := range subjects {
		e := small(fmt.Sprint("B", i))
		e.Templates[0].Data = make([]byte, 2048)
		es = append(es, e)
	}
	enrol(b, g, es...)
	var next atomic.Int64
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if h, err := look(g, es[int(next.Add(1))*7919%subjects].Subject, "finger"); err != nil || !h.known {
				b.Error(h.known, err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "look-ups/s")
}

func BenchmarkOpen(b *testing.B) {
	dir := newDir(b)
	g := openGallery(b, dir)
	const subjects = 10_000
	var es []gallery.Enrolment
	for i := range subjects {
		es = append(es, small(fmt.Sprint("B", i)))
	}
	enrol(b, g, es...)
	closeGallery(b, g)
	for b.Loop() {
		closeGallery(b, openGallery(b, dir))
	}
}
