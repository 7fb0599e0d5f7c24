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
	frameSkew   = 1.8  // ... nor one by so much more along than across
	framePrice  = 0.85 // what its score is scaled by: it is a second chance, and the size is what the record says it is
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
	return f.width > 0 && f.height > 0 && ratio(f.width, frameWidth) < frameMost && ratio(f.height, frameHeight) < frameMost &&
		ratio(f.width*frameHeight, f.height*frameWidth) < frameSkew
}

// ratio is that of the larger to the smaller.
func ratio(v, w float32) float32 { return float32(math.Max(float64(v/w), float64(w/v))) }

// FrameOfParts is the size of image, in pixels at resolutions per centimetre, that an impostor would state for a part of
// a finger to have it compared a second time, stretched as far as is done. Calibrations count with it.
func FrameOfParts(resX, resY uint16) (width, height uint16) {
	const tall = frameHeight * 260 / frameWidth * 0.995 * frameSkew
	at := func(size float64, res uint16) uint16 {
		return uint16(math.Min(16383, math.Round(size*float64(res)/196.85)))
	}
	return at(260, resX), at(tall, resY)
}
