package ledger_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/federation/ledger/internal/ledgertest"
)

// BenchmarkAppend appends 400-byte leaves from several goroutines. Compare with
// BenchmarkFsync in the same run: that is the disk, not the ledger.
func BenchmarkAppend(b *testing.B) {
	for _, workers := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("workers-%d", workers), func(b *testing.B) {
			l := ledgertest.Open(b, b.TempDir())
			defer ledgertest.Close(b, l)
			measure(b, workers, func(i int64) error {
				leaf := bytes.Repeat([]byte{byte(i)}, 400)
				_, err := l.Append(b.Context(), leaf)
				return err
			})
		})
	}
}

// BenchmarkFsync writes and syncs what one lone append writes: leaf, hashes and
// checkpoint. With several workers each has a file of its own.
func BenchmarkFsync(b *testing.B) {
	for _, workers := range []int{1, 16} {
		b.Run(fmt.Sprintf("workers-%d", workers), func(b *testing.B) {
			var files []*os.File
			dir := b.TempDir()
			for i := range workers {
				f, err := os.Create(filepath.Join(dir, fmt.Sprint(i)))
				if err != nil {
					b.Fatal(err)
				}
				defer f.Close()
				files = append(files, f)
			}
			record := make([]byte, 4100)
			free := make(chan *os.File, workers)
			for _, f := range files {
				free <- f
			}
			measure(b, workers, func(int64) error {
				f := <-free
				defer func() { free <- f }()
				if _, err := f.Write(record); err != nil {
					return err
				}
				return f.Sync()
			})
		})
	}
}

// measure runs f b.N times over the workers and reports rate and latencies.
func measure(b *testing.B, workers int, f func(i int64) error) {
	b.Helper()
	var next atomic.Int64
	took := make([][]time.Duration, workers)
	var wg sync.WaitGroup
	b.ResetTimer()
	for w := range workers {
		wg.Go(func() {
			for {
				i := next.Add(1)
				if i > int64(b.N) {
					return
				}
				start := time.Now()
				if err := f(i); err != nil {
					b.Error(err)
					return
				}
				took[w] = append(took[w], time.Since(start))
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	all := slices.Concat(took...)
	slices.Sort(all)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "appends/s")
	b.ReportMetric(float64(all[len(all)/2].Microseconds())/1e3, "p50-ms")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1e3, "p99-ms")
}

// BenchmarkVerify audits 20,000 entries; one operation is the whole audit.
func BenchmarkVerify(b *testing.B) {
	dir := b.TempDir()
	l := ledgertest.Open(b, dir)
	ledgertest.Fill(b, l, 20_000)
	ledgertest.Close(b, l)
	v := ledgertest.Verifier(b)
	for b.Loop() {
		if _, err := ledger.Verify(b.Context(), dir, v, nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(20_000*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
}
