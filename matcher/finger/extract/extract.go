package extract

import (
	"math"
	"sync"

	"github.com/tamga-id/tamga/matcher/finger"
)

// Result is what an image showed.
type Result struct {
	// Sample has the minutiae, the clearest first, in pixels of the image and at its resolution.
	// Position and impression type are left 0: the picture does not tell. It may have fewer
	// minutiae than finger.Prepare takes.
	Sample finger.Sample
	// Reasons say what keeps the quality low, in the order of their weight; none when nothing
	// does.
	Reasons []Reason
}

// Extract finds the minutiae of m, which it does not keep. It may be called from any number of
// goroutines. A picture without ridges is no error: it has few or no minutiae, quality 0 and
// reasons. Errors are [ErrSize], [ErrResolution] and [ErrPixels].
//
// Bits are equal on one processor architecture; across architectures the last digits may differ
// where the compiler fuses multiplication and addition.
func Extract(m Image) (Result, error) {
	if err := m.check(); err != nil {
		return Result{}, err
	}
	w := works.Get().(*work)
	defer w.release()
	return w.extract(m), nil
}

var works = sync.Pool{New: func() any { return new(work) }}

// work is the memory of one extraction. It holds the picture, so it is wiped before it goes back
// to the pool.
type work struct {
	scale float32 // pixels of the image for one of the planes

	grey, level, flat, lined plane // as loaded, a mean of it, normalised, smoothed along the ridges
	even, odd                plane // real and imaginary part of the ridges
	scaled, columns          []float32

	field         field
	energies      []float32
	clarity       []float32 // coherence of the ridges as they were printed
	labels, stack []int32
	spectra       []spectrum
	blurred       []spectrum

	filters              filters
	patchCols, patchRows int
	direction, periodBin []uint8 // of the filter that each patch takes

	spots []spot
}

func (w *work) extract(m Image) Result {
	w.load(m)
	w.normalise()
	w.orient(&w.flat)
	w.segment()
	w.measurePeriods(&w.flat)
	w.enhance()
	// The field is estimated again from the ridges that the first round made clear.
	w.even.extend()
	w.orient(&w.even)
	w.enhance()
	w.findSpots()
	w.judge()
	w.cancel()
	w.dropFaint()
	resolution := uint16(math.Round(float64(m.DPI) / 2.54)) // pixels per centimetre
	r := Result{Sample: finger.Sample{
		Width: uint16(m.Width), Height: uint16(m.Height), ResX: resolution, ResY: resolution,
		Minutiae: w.collect(m),
	}}
	r.Sample.Quality, r.Reasons = w.rate(len(r.Sample.Minutiae))
	return r
}

// mostKept bounds the planes that are kept for later images, in pixels: about 1000 by 1000.
// Wiping covers all that was ever grown, so one oversize image would otherwise tax every image
// after it.
const mostKept = 1 << 20

// release wipes w and gives it back to the pool.
func (w *work) release() {
	w.wipe()
	if cap(w.grey.pix) <= mostKept && cap(w.scaled) <= mostKept {
		works.Put(w)
	}
}

// wipe overwrites everything that came of the picture but keeps the memory.
func (w *work) wipe() {
	for _, p := range []*plane{&w.grey, &w.level, &w.flat, &w.lined, &w.even, &w.odd} {
		clear(p.pix[:cap(p.pix)])
	}
	for _, v := range [][]float32{w.scaled, w.columns, w.energies, w.clarity, w.field.coherence, w.field.period} {
		clear(v[:cap(v)])
	}
	for _, v := range [][]tensor{w.field.spare, w.field.wide, w.field.smooth} {
		clear(v[:cap(v)])
	}
	for _, v := range [][]int32{w.labels, w.stack} {
		clear(v[:cap(v)])
	}
	clear(w.spectra[:cap(w.spectra)])
	clear(w.blurred[:cap(w.blurred)])
	clear(w.field.inside[:cap(w.field.inside)])
	clear(w.field.was[:cap(w.field.was)])
	clear(w.direction[:cap(w.direction)])
	clear(w.periodBin[:cap(w.periodBin)])
	clear(w.spots[:cap(w.spots)])
}
