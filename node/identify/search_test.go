package identify_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/tamga-id/tamga/federation/policy"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/face"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/identify"
)

// stuck is a gallery that takes its time, or loses people.
type stuck struct {
	identify.Gallery
	wait bool
	err  error
}

func (s stuck) Everybody(ctx context.Context, modality string, parts int, visit func(int, []gallery.References) error) (int64, int64, error) {
	if s.wait {
		<-ctx.Done()
		return 0, 12, ctx.Err()
	}
	if s.err != nil {
		return 0, 12, s.err
	}
	seen, least, err := s.Gallery.Everybody(ctx, modality, parts, visit)
	return seen - 1, least, err
}

// strict demands a rate beyond every calibration.
type strict struct{ lax }

func (l strict) Decide(r policy.Request) policy.Decision {
	d := l.lax.Decide(r)
	d.FMROneIn = math.MaxUint32
	return d
}

// TestCouldNotTell: what was not everybody is never "nobody".
func TestCouldNotTell(t *testing.T) {
	other := must(exchange.EncodeEmbedding("another-model", people.Person(4).FaceCapture(0, 128)))
	for name, c := range map[string]struct {
		edit func(*identify.Config)
		p    protocol.Probe
		want protocol.Code
	}{
		"time":    {func(c *identify.Config) { c.Gallery, c.Within = stuck{c.Gallery, true, nil}, 5*time.Millisecond }, faceOf(4), protocol.CodeSearchIncomplete},
		"missing": {func(c *identify.Config) { c.Gallery = stuck{c.Gallery, false, nil} }, faceOf(4), protocol.CodeSearchIncomplete},
		"damaged": {func(c *identify.Config) { c.Gallery = stuck{c.Gallery, false, gallery.ErrDamaged} }, faceOf(4), protocol.CodeInternal},
		"rate":    {func(c *identify.Config) { c.Law = strict{} }, faceOf(4), protocol.CodeUncalibrated},
		"model":   {nil, protocol.Probe{Modality: "face", Format: exchange.FormatEmbedding, Data: other}, protocol.CodeNotComparable},
		"finger": {nil, protocol.Probe{Modality: "finger", Format: exchange.FormatFinger2005, Position: 7, Data: people.Person(5).FingerProbe(7, 0)},
			protocol.CodeNotComparable},
	} {
		w := newWorld(t, c.edit)
		if s, code := w.serve(t, searching(c.p)); code != c.want || s.Found.Handles != nil {
			t.Errorf("%s: %s, want %s", name, code, c.want)
		}
	}
}

// broken is a protection of faces with a fault in it.
type broken struct{}

func (broken) Turn(*face.Template, string) (*face.Template, error) { panic("a value that is nobody's") }

// TestPanic: a fault of a matcher ends a search, and not the node.
func TestPanic(t *testing.T) {
	w := newWorld(t, func(c *identify.Config) { c.Faces = broken{} })
	for range 2 { // the turn is given back
		if _, code := w.serve(t, searching(faceOf(4))); code != protocol.CodeInternal {
			t.Errorf("a matcher that panics: %s", code)
		}
	}
}

// TestOneSearchAtATime: a second is told to come again, and keeps its order.
func TestOneSearchAtATime(t *testing.T) {
	w := newWorld(t, nil)
	began, ended := make(chan struct{}), make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	w.Desk = identify.New(func() identify.Config {
		c := w.cfg
		c.Gallery = announcing{w.gallery, ctx, began}
		return c
	}())
	go func() {
		defer close(ended)
		_, _ = w.serve(t, searching(faceOf(2)))
	}()
	<-began
	if _, code := w.serve(t, searching(faceOf(4))); code != protocol.CodeOverloaded {
		t.Errorf("beside another: %s", code)
	}
	cancel()
	<-ended
}

type announcing struct {
	identify.Gallery
	until context.Context //nolint:containedctx // for the length of one test
	began chan struct{}
}

func (a announcing) Everybody(context.Context, string, int, func(int, []gallery.References) error) (int64, int64, error) {
	close(a.began)
	<-a.until.Done()
	return 0, 0, errors.New("stopped")
}
