package extract

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// Bounds on an image. Smaller ones show too little of a finger, larger ones are no single finger;
// both ends also bound the work on hostile input: the largest takes about 150 MB and a second or two.
const (
	MinSide       = 100  // pixels
	MaxSide       = 4000 // pixels
	MaxArea       = 16   // square inches; the scanners' largest plate, for four fingers, has ten
	MinResolution = 250  // pixels per inch; ISO/IEC 19794-2:2005 clause 5.4 wants no less
	MaxResolution = 1200
	// mostArea is in square inches; a rolled finger has two or three. Ridges are looked at at 500 dpi,
	// so sides alone would let a small file of 4000 by 4000 pixels at 250 dpi take gigabytes.
	mostArea = 16
)

// Errors of an image's shape, to be tested for with errors.Is.
var (
	ErrSize       = errors.New("image side out of range")
	ErrResolution = errors.New("resolution out of range")
	ErrPixels     = errors.New("number of pixels is not width times height")
)

// Image is an 8-bit grey picture of one finger, ridges dark, rows from the
// top, without padding. It is biometric data in clear; it prints and logs as
// a constant. The zero value is refused.
type Image struct {
	Pix           []uint8
	Width, Height int
	DPI           int // pixels per inch, both ways
}

// LogValue keeps the picture out of logs.
func (Image) LogValue() slog.Value { return slog.StringValue("finger image(redacted)") }

// Format keeps the picture out of anything printed, whatever the verb.
func (Image) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "finger image(redacted)") }

func (m Image) check() error {
	if err := checkShape(m.Width, m.Height, m.DPI); err != nil {
		return err
	}
	if len(m.Pix) != m.Width*m.Height {
		return fmt.Errorf("checking finger image: %w", ErrPixels)
	}
	return nil
}

func checkShape(width, height, dpi int) error {
	switch {
	case width < MinSide || width > MaxSide || height < MinSide || height > MaxSide:
		return fmt.Errorf("checking finger image: %w: sides must be %d to %d pixels", ErrSize, MinSide, MaxSide)
	case dpi > 0 && dpi <= MaxResolution && width*height > mostArea*dpi*dpi:
		return fmt.Errorf("checking finger image: %w: must be at most %d square inches", ErrSize, mostArea)
	case dpi < MinResolution || dpi > MaxResolution:
		return fmt.Errorf("checking finger image: %w: must be %d to %d pixels per inch", ErrResolution, MinResolution, MaxResolution)
	case width*height > MaxArea*dpi*dpi:
		return fmt.Errorf("checking finger image: %w: must not be more than %d square inches", ErrSize, MaxArea)
	}
	return nil
}
