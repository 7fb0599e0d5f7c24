package responder_test

import (
	"sync"
	"testing"

	"github.com/tamga-id/tamga/federation/protocol"
)

// TestConcurrent: many Queries at once, each sent twice at once: every one is
// decided right, once, and every frame has its entry.
func TestConcurrent(t *testing.T) {
	p := person(7)
	w := newWorld().withLedger(t).withGallery(t, enrolled(p, faceTemplate(p.FaceReference()), fingerTemplate(2, p.FingerReference(2))))
	const queries = 40
	var wg sync.WaitGroup
	for i := range queries {
		q, want := about(p, faceProbe(p.FaceProbe(i))), protocol.CodeMatched
		switch i % 4 {
		case 1:
			q, want = about(p, fingerProbe(2, p.FingerProbe(2, i))), protocol.CodeMatched
		case 2:
			q, want = about(p, faceProbe(person(8).FaceProbe(i))), protocol.CodeNotMatched
		case 3:
			q, want = about(person(9), faceProbe(p.FaceProbe(i))), protocol.CodeSubjectUnknown
		}
		pending := q.pending(t)
		codes := make(chan protocol.Code, 2) // one for each sender
		for range cap(codes) {
			wg.Go(func() {
				reply, err := w.Handle(t.Context(), q.from, pending.Frame)
				if err != nil {
					t.Error(err)
				}
				a, err := pending.Reply(reply, peer(), start)
				if err != nil {
					t.Error(err)
				}
				codes <- a.Code
			})
		}
		wg.Go(func() {
			a, b := <-codes, <-codes
			if (a != want || b != protocol.CodeReplay) && (b != want || a != protocol.CodeReplay) {
				t.Errorf("query %d: got %s and %s, want %s once", i, a, b, want)
			}
		})
	}
	wg.Wait()
	if w.size() != 2*queries {
		t.Errorf("%d entries for %d frames", w.size(), 2*queries)
	}
}
