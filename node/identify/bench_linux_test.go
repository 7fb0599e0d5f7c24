package identify_test

import (
	"fmt"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/envelope"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/identify"
	"github.com/tamga-id/tamga/node/keys"
	"github.com/tamga-id/tamga/node/protection"
)

// BenchmarkSearch is a search among so many faces, stored protected as a node does, the fewest first. Another number of
// people: go test ./node/identify -bench 'Search/100000' -benchtime 3x
func BenchmarkSearch(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w := crowd(b, n)
			b.ReportAllocs()
			began := cpuTime(b)
			for b.Loop() {
				w.now = w.now.Add(time.Second)
				s, code := w.serve(b, searching(faceOf(4)))
				if code != protocol.CodeCandidates {
					b.Fatal(code, len(s.Found.Handles))
				}
			}
			b.ReportMetric(float64((cpuTime(b)-began).Milliseconds())/float64(b.N), "cpu-ms/op")
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "faces/s")
		})
	}
}

// crowd is a world of so many faces.
func crowd(b *testing.B, n int) *world {
	b.Helper()
	faces := must(protection.New(keys.Generations{Current: 1, Secrets: map[uint32][]byte{1: seed(101)}}))
	g, err := gallery.Open(gallery.Config{Dir: filepath.Join(b.TempDir(), "gallery"), Node: self, Root: must(custody.NewRoot(seed(9))),
		Ring: must(envelope.NewRing(map[uint32][]byte{1: seed(12)}, 1)), Pseudonyms: must(pseudonym.Single(seed(10))), Protection: faces, Identifiers: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = g.Close() })
	for from := 0; from < n; from += 1000 {
		var batch []gallery.Enrolment
		for i := from; i < min(n, from+1000); i++ {
			batch = append(batch, gallery.Enrolment{Subject: passport(i),
				Templates: []gallery.Template{{Modality: "face", Format: exchange.FormatEmbedding, Data: people.Person(i).FaceReference()}}})
		}
		for _, r := range must(g.Enrol(b.Context(), batch)) {
			if r.Err != nil {
				b.Fatal(r.Err)
			}
		}
	}
	return over(b, g, faces, func(c *identify.Config) { c.Within, c.Workers = time.Minute, 0 })
}

// cpuTime is what the process has used.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
