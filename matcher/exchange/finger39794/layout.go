package finger39794

import "errors"

// Path leads to a field: the numbers of the context-specific tags on the way, the outermost first.
// The empty path is of a field that the layout does not have.
type Path []uint8

// Layout says where a record has what. Paths of the first group begin in a representation block,
// those of the second in a minutia.
type Layout struct {
	Position   Path // code 0 to 10; required
	Impression Path // impression type code
	// Width and Height are of the image in pixels, ResX and ResY the sampling rate of the image in
	// pixels per unit; required, and ResX and ResY may be the same field.
	Width, Height, ResX, ResY Path
	Unit                      Path // of the sampling rate: 0 inch, 1 cm; centimetres without it
	Quality                   Path // score of 0 to 100
	Absence                   Path // why there are no minutiae, by the codes of annotation reasons
	Minutiae                  Path // the SEQUENCE OF minutiae; required

	X, Y, Angle    Path // pixels from the upper left corner, and a direction; required
	Type           Path // code; other without it
	MinutiaQuality Path // 0 worst to 100 best

	Turn                int // units of the angle to a turn, counter-clockwise from the +x axis; 256 or 360
	Ending, Bifurcation int // type codes of these; any other code is "other"
}

// ErrLayout says that a layout leaves out a field without which there is nothing to compare, or is
// out of range.
var ErrLayout = errors.New("reading finger record of ISO/IEC 39794-2: layout is incomplete")

const maxDepth = 8

func (l Layout) check() error {
	for _, p := range []Path{l.Position, l.Width, l.Height, l.ResX, l.ResY, l.Minutiae, l.X, l.Y, l.Angle} {
		if len(p) == 0 {
			return ErrLayout
		}
	}
	for _, p := range []Path{l.Position, l.Impression, l.Width, l.Height, l.ResX, l.ResY, l.Unit, l.Quality, l.Absence,
		l.Minutiae, l.X, l.Y, l.Angle, l.Type, l.MinutiaQuality} {
		if len(p) > maxDepth {
			return ErrLayout
		}
		for _, n := range p {
			if n > maxTag {
				return ErrLayout
			}
		}
	}
	if l.Turn != 256 && l.Turn != 360 {
		return ErrLayout
	}
	return nil
}
