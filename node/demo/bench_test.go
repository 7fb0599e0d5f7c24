package demo_test

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/node/comparison"
	"github.com/tamga-id/tamga/node/demo"
	"github.com/tamga-id/tamga/node/requester"
)

// BenchmarkVerification is one whole verification between two nodes of one process,
// 64 in flight: for profiles. `tamga bench` measures two processes.
func BenchmarkVerification(b *testing.B) {
	f, err := demo.Start(context.Background(), demo.Options{Dir: b.TempDir(), Countries: demo.Countries()[:2], People: 500,
		Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	kaz, kgz := f.Members["KAZ"], f.Members["KGZ"]
	var reqs []requester.Request
	for i := range 100 {
		p := kgz.Pop.Person(i)
		reqs = append(reqs, requester.Request{Question: protocol.Question{Subject: demo.Subject(p),
			Probes: []protocol.Probe{{Modality: comparison.ModalityFace, Format: exchange.FormatEmbedding, Data: p.FaceProbe(1)}}},
			Purpose: "border_control", LegalBasis: "public_task", Officer: "bench"})
	}
	var n atomic.Uint64
	b.SetParallelism(32)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			res, err := kaz.Node.Verify(context.Background(), reqs[n.Add(1)%100])
			if err != nil || !(res.Outcome == protocol.Matched || res.Outcome == protocol.NotMatched) {
				b.Errorf("%s %s %v", res.Outcome, res.Code, err)
				return
			}
		}
	})
}
