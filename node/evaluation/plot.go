package evaluation

import (
	"bytes"
	"fmt"
	"html"
	"image/color"
	"io"
	"math"
	"regexp"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/tamga-id/tamga/matcher/evaluate"
)

// Kind is a way to draw operating points. ISO/IEC 19795-1 has both.
type Kind string

const (
	// DET is the detection error trade-off: FNMR over FMR, both logarithmic.
	DET Kind = "det"
	// ROC is the receiver operating characteristic: 1 - FNMR over FMR, the
	// latter logarithmic.
	ROC Kind = "roc"
	// Rates are FMR and FNMR of the main curve over the threshold.
	Rates Kind = "rates"
)

// Kinds are all there are.
func Kinds() []Kind { return []Kind{DET, ROC, Rates} }

// Format is a file format of pictures.
type Format string

// SVG scales; PNG is at 150 pixels an inch.
const (
	SVG Format = "svg"
	PNG Format = "png"
)

// Curve is one line of a picture.
type Curve struct {
	Name            string
	Points          []evaluate.Point // by ascending threshold
	Mated, NonMated int
	Main            bool // drawn black and thick
}

// Curves are those of a report: of its sets, and of all comparisons together.
func Curves(r evaluate.Report) []Curve {
	var out []Curve
	for _, s := range r.Sets {
		out = append(out, Curve{Name: s.Name, Points: s.DET, Mated: s.Mated, NonMated: s.NonMated})
	}
	name := "all comparisons"
	if len(out) > 0 {
		name = "pooled, one threshold"
	}
	return append(out, Curve{Name: name, Points: r.DET, Mated: r.Mated, NonMated: r.NonMated, Main: true})
}

const (
	pictureWidth  = 6 * vg.Inch
	pictureHeight = 5 * vg.Inch
	pictureDPI    = 150
	maxNamed      = 8 // curves with a colour and a line in the legend
)

// The colours of M. Okabe and K. Ito, which people with any kind of colour
// vision tell apart.
var palette = [maxNamed]color.RGBA{
	{0x00, 0x72, 0xB2, 0xFF}, {0xD5, 0x5E, 0x00, 0xFF}, {0x00, 0x9E, 0x73, 0xFF}, {0xCC, 0x79, 0xA7, 0xFF},
	{0x56, 0xB4, 0xE9, 0xFF}, {0xE6, 0x9F, 0x00, 0xFF}, {0x80, 0x60, 0x30, 0xFF}, {0x60, 0x60, 0xA0, 0xFF},
}

// Draw writes a picture of curves. Parts at an FMR below 3 in the number of
// non-mated comparisons, which is more than these can claim, are dashed.
func Draw(w io.Writer, kind Kind, format Format, curves []Curve) error {
	if kind == Rates {
		return drawRates(w, format, curves)
	}
	p := plot.New()
	p.X.Label.Text = "false match rate (FMR)"
	p.X.Tick.Marker = decades{}
	p.X.Min, p.X.Max = math.Log10(lowest(curves, func(c Curve) int { return c.NonMated })), 0
	switch kind {
	case DET:
		p.Y.Label.Text = "false non-match rate (FNMR)"
		p.Y.Tick.Marker = decades{}
		p.Y.Min, p.Y.Max = math.Log10(lowest(curves, func(c Curve) int { return c.Mated })), 0
		p.Legend.Top = true
	case ROC:
		p.Y.Label.Text = "true match rate (1 - FNMR)"
		p.Y.Tick.Marker = shares{}
		p.Y.Min, p.Y.Max = floor(curves), 1
	default:
		return fmt.Errorf("drawing: %q is no kind of picture", string(kind))
	}
	style(p)
	if err := addCurves(p, kind, curves); err != nil {
		return fmt.Errorf("drawing: %w", err)
	}
	return write(w, p, format)
}

func write(w io.Writer, p *plot.Plot, format Format) error {
	var canvas vg.CanvasWriterTo
	switch format {
	case SVG:
		canvas = vgsvg.New(pictureWidth, pictureHeight)
	case PNG:
		canvas = vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(pictureWidth, pictureHeight), vgimg.UseDPI(pictureDPI))}
	default:
		return fmt.Errorf("drawing: %q is no format of pictures", string(format))
	}
	const margin = 2 * vg.Millimeter
	p.Draw(draw.Crop(draw.New(canvas), margin, -2*margin, margin, -margin))
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return fmt.Errorf("drawing: %w", err)
	}
	out := b.Bytes()
	if format == SVG {
		out = fitText(out, p.Legend.TextStyle)
	}
	if _, err := w.Write(out); err != nil {
		return fmt.Errorf("writing picture: %w", err)
	}
	return nil
}

var textElement = regexp.MustCompile(`(?s)<text ([^>]*)>([^<]*)</text>`)

// fitText keeps words, which all have one style, in the room that was left for
// them where the font is missing and another takes its place.
func fitText(svg []byte, style text.Style) []byte {
	svg = bytes.ReplaceAll(svg, []byte("font-family:Liberation Sans;"), []byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif;"))
	return textElement.ReplaceAllFunc(svg, func(element []byte) []byte {
		m := textElement.FindSubmatch(element)
		width := style.Width(html.UnescapeString(string(m[2])))
		return fmt.Appendf(nil, `<text textLength="%.1f" lengthAdjust="spacingAndGlyphs" %s>%s</text>`, width.Points(), m[1], m[2])
	})
}

// drawRates shows what moving the threshold does.
func drawRates(w io.Writer, format Format, curves []Curve) error {
	p := plot.New()
	p.X.Label.Text = "threshold (comparison score)"
	p.X.Tick.Marker = plain{}
	p.Y.Label.Text = "error rate"
	p.Y.Tick.Marker = decades{}
	p.Y.Min, p.Y.Max = math.Log10(lowest(curves, func(c Curve) int { return max(c.Mated, c.NonMated) })), 0
	style(p)
	p.Legend.YOffs = pictureHeight / 2 // between the two on the right
	for _, c := range curves {
		if !c.Main {
			continue
		}
		var fmr, fnmr plotter.XYs
		last := 0.0 // beyond it half of all mated comparisons fail: of no use
		for _, point := range c.Points {
			if len(fmr) == 0 || point.FNMR < 0.5 || point.FMR > 0 {
				last = point.Threshold
			}
			if point.FMR > 0 {
				fmr = append(fmr, plotter.XY{X: point.Threshold, Y: max(p.Y.Min, math.Log10(point.FMR))})
			}
			if point.FNMR > 0 {
				fnmr = append(fnmr, plotter.XY{X: point.Threshold, Y: max(p.Y.Min, math.Log10(point.FNMR))})
			}
		}
		for i, rate := range []plotter.XYs{fmr, fnmr} {
			if len(rate) < 2 {
				continue
			}
			line, err := plotter.NewLine(rate)
			if err != nil {
				return fmt.Errorf("drawing: %w", err)
			}
			line.Color, line.Width = palette[i], vg.Points(2)
			p.Add(line)
			p.Legend.Add([]string{"FMR", "FNMR"}[i], line)
		}
		if len(c.Points) > 0 && last > c.Points[0].Threshold {
			p.X.Min, p.X.Max = c.Points[0].Threshold, last
		}
	}
	return write(w, p, format)
}

// style sets letters and lines alike in all pictures.
func style(p *plot.Plot) {
	p.BackgroundColor = color.White
	p.Legend.Padding = 2 * vg.Millimeter
	// The canvas ends beyond the axes by half of the label of 100 %.
	p.Legend.XOffs, p.Legend.YOffs = -10*vg.Millimeter, -5*vg.Millimeter
	if !p.Legend.Top {
		p.Legend.YOffs = 15 * vg.Millimeter
	}
	for _, f := range []*font.Font{&p.X.Label.TextStyle.Font, &p.Y.Label.TextStyle.Font, &p.X.Tick.Label.Font, &p.Y.Tick.Label.Font, &p.Legend.TextStyle.Font} {
		f.Variant = "Sans"
		f.Size = 10
	}
	p.X.Padding, p.Y.Padding = 0, 0
	p.X.Label.Padding, p.Y.Label.Padding = 2*vg.Millimeter, 2*vg.Millimeter
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = color.Gray{0xDD}, color.Gray{0xDD}
	p.Add(grid)
}

func addCurves(p *plot.Plot, kind Kind, curves []Curve) error {
	if kind == DET {
		// Above 10 % is the legend, and no comparator worth a picture.
		least := max(p.X.Min, p.Y.Min)
		diagonal, err := plotter.NewLine(plotter.XYs{{X: least, Y: least}, {X: -1, Y: -1}})
		if err != nil {
			return err
		}
		diagonal.Color = color.Gray{0x99}
		diagonal.Dashes = []vg.Length{vg.Points(1), vg.Points(3)}
		p.Add(diagonal)
		p.Legend.Add("FMR = FNMR", diagonal)
	}
	named := 0
	for _, c := range curves {
		shade := color.Color(color.Black)
		width := vg.Points(2)
		if !c.Main {
			shade, width = color.Gray{0xAA}, vg.Points(1.25)
			if len(curves) <= maxNamed+1 {
				shade = palette[named%maxNamed]
				named++
			}
		}
		sure, unsure := c.parts(kind, p.X.Min, p.Y.Min)
		for i, part := range []plotter.XYs{unsure, sure} {
			if len(part) < 2 {
				continue
			}
			line, err := plotter.NewLine(part)
			if err != nil {
				return err
			}
			line.Color, line.Width = shade, width
			if i == 0 {
				line.Dashes = []vg.Length{vg.Points(3), vg.Points(2)}
			}
			p.Add(line)
			if i == 1 && (c.Main || named > 0) {
				p.Legend.Add(c.Name, line)
			}
		}
	}
	return nil
}

// parts returns the line where FMR is at least 3 in the number of comparisons,
// and the rest; both within the axes.
func (c Curve) parts(kind Kind, minX, minY float64) (sure, unsure plotter.XYs) {
	limit := 3 / float64(max(1, c.NonMated))
	var before *plotter.XY
	for i, p := range c.Points {
		if math.Log10(p.FMR) < minX {
			break // only lower ones follow
		}
		if kind == DET && i+1 < len(c.Points) && c.Points[i+1].FNMR == 0 {
			continue // a rate of 0 has no place on the axis: one point stands for all
		}
		xy := plotter.XY{X: math.Log10(p.FMR), Y: 1 - p.FNMR}
		if kind == DET {
			xy.Y = math.Log10(p.FNMR)
		}
		xy.Y = max(minY, xy.Y)
		if p.FMR >= limit {
			sure = append(sure, xy)
			before = &sure[len(sure)-1]
			continue
		}
		if len(unsure) == 0 && before != nil {
			unsure = append(unsure, *before)
		}
		unsure = append(unsure, xy)
	}
	return sure, unsure
}

// lowest is 1, 2 or 5 times a power of ten, just under the rate that one of the
// most comparisons is.
func lowest(curves []Curve, count func(Curve) int) float64 {
	most := 100
	for _, c := range curves {
		most = max(most, count(c))
	}
	rate := 1 / float64(most)
	decade := math.Pow(10, math.Floor(math.Log10(rate)+1e-9))
	for _, k := range []float64{5, 2} {
		if k*decade <= rate {
			return k * decade
		}
	}
	return decade
}

// floor is the lowest true match rate of any curve, rounded down to a tenth.
func floor(curves []Curve) float64 {
	least := 0.9
	for _, c := range curves {
		for _, p := range c.Points {
			if p.FMR > 0 {
				least = min(least, 1-p.FNMR)
			}
		}
	}
	return math.Floor(least*10) / 10
}

// decades marks an axis of decimal logarithms with rates in percent. The axes
// are not plot.LogScale, for which that package leaves room in wrong places.
type decades struct{}

func (decades) Ticks(low, high float64) []plot.Tick {
	var ticks []plot.Tick
	for exponent := math.Floor(low); exponent <= high; exponent++ {
		for k := 1.0; k < 10; k++ {
			value := exponent + math.Log10(k)
			if value < low-1e-9 || value > high+1e-9 {
				continue
			}
			tick := plot.Tick{Value: value}
			switch {
			case k > 1:
			case high-low > 6 && int(exponent)%2 != 0:
				tick.Label = " " // a long mark; the words would touch
			default:
				tick.Label = percent(math.Pow(10, exponent))
			}
			ticks = append(ticks, tick)
		}
	}
	return ticks
}

// shares marks a linear axis in percent.
type shares struct{}

func (shares) Ticks(low, high float64) []plot.Tick {
	step := 0.1
	if high-low <= 0.11 {
		step = 0.02
	}
	var ticks []plot.Tick
	for i := 0; ; i++ {
		v := low + float64(i)*step
		if v > high+1e-9 {
			return ticks
		}
		ticks = append(ticks, plot.Tick{Value: min(v, high), Label: percent(v)})
	}
}

// plain marks a linear axis with 4 to 10 round numbers.
type plain struct{}

func (plain) Ticks(low, high float64) []plot.Tick {
	step := math.Pow(10, math.Floor(math.Log10((high-low)/4)))
	for _, k := range []float64{5, 2} {
		if (high-low)/(k*step) >= 4 {
			step *= k
			break
		}
	}
	var ticks []plot.Tick
	for i := math.Ceil(low / step); i*step <= high && len(ticks) < 20; i++ {
		ticks = append(ticks, plot.Tick{Value: i * step, Label: strconv.FormatFloat(i*step, 'g', 6, 64)})
	}
	return ticks
}

// percent has as many digits as the number needs.
func percent(rate float64) string {
	return strconv.FormatFloat(rate*100, 'f', -1, 32) + " %"
}
