package gallery_test

import (
	"bytes"
	"sync"
	"testing"

	"github.com/tamga-id/tamga/crypto/envelope"
	"github.com/tamga-id/tamga/node/gallery"
)

// TestUseRingWipes replaces the ring under look-ups and enrolments and wipes the one
// before at once: nobody is damaged for that.
func TestUseRingWipes(t *testing.T) {
	cfg := testConfig(t, newDir(t))
	g, err := gallery.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer closeGallery(t, g)
	enrol(t, g, small("1"))
	ring := func() *envelope.Ring {
		r, err := envelope.NewRing(map[uint32][]byte{1: bytes.Repeat([]byte{3}, 32)}, 1)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	stop := make(chan struct{})
	var busy sync.WaitGroup
	busy.Go(func() {
		for before := cfg.Ring; ; {
			select {
			case <-stop:
				return
			default:
				r := ring()
				g.UseRing(r)
				before.Wipe()
				before = r
			}
		}
	})
	for range 3000 {
		if h, err := look(g, small("1").Subject, "finger"); err != nil || !h.known {
			t.Errorf("known %v, %v", h.known, err)
			break
		}
	}
	for i := range 20 {
		enrol(t, g, small(string(rune('a'+i))))
	}
	close(stop)
	busy.Wait()
}
