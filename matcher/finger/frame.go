package finger

import (
	"math"
	"sync"
)

// Extractors that want images of one size stretch others to it and still state
// 500 dpi, so that records of one sensor differ in scale along and across. The
// record tells: its image size, at its resolution, is another than that of the
// record it is compared with. Two such templates are compared as they are and
// once more with both stretched to a common frame, the size below.
const (
	frameWidth  = 300.0 // pixels at 500 dpi
	frameHeight = 400.0
	frameSame   = 1.04 // sizes whose ratio is less are one
	frameMost   = 2.5  // a stretch by more than this is no mistake of that kind
	frameClear  = 1.0  // score from which the second comparison is not needed
)

// frame is a template stretched to the common frame, made when first needed.
type frame struct {
	width, height float32 // of the image in pixels at 500 dpi, 0 when not reported
	once          sync.Once
	stretched     *prepared
}

// framed is p in the common frame.
func (p *prepared) framed() *prepared {
	p.frame.once.Do(func() {
		sx, sy := frameWidth/p.frame.width, frameHeight/p.frame.height
		points := make([]point, len(p.points))
		for i, q := range p.points {
			q.x, q.y = q.x*sx, q.y*sy
			q.angle = motion{cos: q.cos * sx, sin: q.sin * sy}.turn()
			d := directions[q.angle]
			q.cos, q.sin = d.x, d.y
			points[i] = q
		}
		p.frame.stretched = newPrepared(points)
	})
	return p.frame.stretched
}

// framesDiffer reports whether the images of a and b had different sizes that a
// stretch may explain. A quarter turn explains sides that change places, and a
// larger canvas, as of a picture turned by less, or a larger sensor both sides
// that are longer, unless the common frame is one of the two.
func framesDiffer(a, b *prepared) bool {
	f, g := &a.frame, &b.frame
	if !f.plausible() || !g.plausible() || alike(f.width, f.height, g.width, g.height) ||
		alike(f.width, f.height, g.height, g.width) {
		return false
	}
	return (f.width < g.width) != (f.height < g.height) || f.common() || g.common() ||
		ratio(f.width, g.width) < frameSame || ratio(f.height, g.height) < frameSame
}

// alike reports whether two sizes are one.
func alike(width, height, w, h float32) bool {
	return ratio(width, w) < frameSame && ratio(height, h) < frameSame
}

// common reports whether f is the common frame.
func (f *frame) common() bool { return alike(f.width, f.height, frameWidth, frameHeight) }

func (f *frame) plausible() bool {
	return f.width > 0 && f.height > 0 && ratio(f.width, frameWidth) < frameMost && ratio(f.height, frameHeight) < frameMost
}

// ratio is that of the larger to the smaller.
func ratio(v, w float32) float32 { return float32(math.Max(float64(v/w), float64(w/v))) }
