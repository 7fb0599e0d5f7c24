package finger2011

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/finger"
)

// Max is the size in octets above which a record is refused unread. The largest record of 176 full
// representations with eight quality blocks each and no extended data has 282,319.
const Max = 320 << 10

// Sizes and limits of the format.
const (
	headerSize         = 15
	maxRepresentations = 176 // 16 of each of 11 positions
	maxMinutiae        = 255
	maxBlocks          = 255
	maxSide            = 1<<14 - 1
	minSamplingRate    = 98 // pixels per centimetre: 250 dpi, rounded down
	coordinateMask     = 1<<14 - 1

	qualityFailed = 255 // of a quality block or a minutia: an attempt to compute it failed
	notReported   = 254 // of a minutia
)

// Record is one finger minutiae record. It prints and logs as a constant.
type Record struct {
	// Certified is the certification flag: whether representations carry certifications.
	Certified       bool
	Representations []Representation
}

// Representation is one impression of one finger.
type Representation struct {
	Captured       CaptureTime
	Technology     uint8  // of the capture device, 0 unknown; kept as found
	Vendor, Device uint16 // of the capture device, 0 not reported; kept as found
	Quality        []QualityBlock
	Certifications []Certification // none unless the record is Certified
	// Position is 0 unknown, 1 right thumb to 5 right little finger, 6 left thumb to 10, or one of
	// 13 to 15 and 40 to 50, which name several fingers.
	Position      uint8
	Number        uint8  // tells several representations of one position apart, 0 to 15
	ResX, ResY    uint16 // pixels per centimetre, at least 98
	Impression    uint8  // 0 to 9 as in 2005 with 9 vertical roll, 24 contactless, 28 other, 29 unknown
	Width, Height uint16 // of the image, in pixels, 1 to 16,383
	// RidgeEnds is set when ridge endings stand where the ridge's skeleton ends, and not where the
	// valley's forks.
	RidgeEnds bool
	// MinutiaQuality is set when each minutia carries a quality of 1 to 100, 0 worst, 254 not
	// reported or 255 failed; without it Quality is 0.
	MinutiaQuality bool
	Minutiae       []finger.Minutia
	// Extended is the extended data area without its length: a sequence of blocks of type (two
	// octets), length (two, counting these four) and data. Only the structure is checked.
	Extended []byte
}

// CaptureTime is when an impression was taken, as far as it is known. Given counts the known parts
// from the year on, 0 to 7; the others are zero. The zero value knows nothing.
type CaptureTime struct {
	Given                            uint8
	Year                             uint16
	Month, Day, Hour, Minute, Second uint8
	Millisecond                      uint16
}

// QualityBlock is one assessment of a representation: 0 to 100, or 255 when it failed.
type QualityBlock struct {
	Score             uint8
	Vendor, Algorithm uint16
}

// Certification names a scheme under which the capture device was certified, and by whom.
type Certification struct {
	Authority uint16
	Scheme    uint8
}

const redacted = "finger record(redacted)"

// LogValue keeps the minutiae out of logs.
func (Record) LogValue() slog.Value { return slog.StringValue(redacted) }

// Format keeps the minutiae out of everything that package fmt prints.
func (Record) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// LogValue keeps the minutiae out of logs.
func (Representation) LogValue() slog.Value { return slog.StringValue(redacted) }

// Format keeps the minutiae out of everything that package fmt prints.
func (Representation) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// fault is a broken rule at an offset. The zero value means that nothing is wrong.
type fault struct {
	offset int
	rule   string
}

func (f fault) err() error {
	return &exchange.FormatError{Format: exchange.FormatFinger2011, Offset: f.offset, Rule: f.rule}
}
