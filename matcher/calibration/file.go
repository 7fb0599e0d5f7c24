package calibration

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
)

// Format is the version of the file form.
const Format = "tamga-calibration/1"

// maxFile bounds a calibration file, in bytes.
const maxFile = 256 << 10

// form is a calibration as a file: one JSON object, no other member, nothing after it.
type form struct {
	Format     string  `json:"format"`     // "tamga-calibration/1"
	Modality   string  `json:"modality"`   // "finger", "face", "iris", "signature"
	Comparator string  `json:"comparator"` // name and version of what computed the scores
	Data       string  `json:"data"`       // where the scores came from, in words
	Groups     []Group `json:"groups"`
	Knots      []Knot  `json:"llr"`
	Points     []Point `json:"operating_points"`
}

// Encode gives the file form, which Parse reads. It holds aggregate figures only: no score of a comparison but those
// that are thresholds, and nothing of a person.
func (c *Calibration) Encode() ([]byte, error) {
	if c == nil {
		return nil, errors.New("encoding calibration: there is none")
	}
	b, err := json.MarshalIndent(form{Format, c.modality, c.comparator, c.data, c.groups, c.knots, c.points}, "", " ")
	if err != nil {
		return nil, fmt.Errorf("encoding calibration: %w", err)
	}
	return append(b, '\n'), nil
}

// Parse reads a calibration file. Everything that LLR and Threshold rely on is checked.
func Parse(b []byte) (*Calibration, error) {
	if len(b) > maxFile {
		return nil, fmt.Errorf("parsing calibration: %d bytes, limit %d", len(b), maxFile)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var f form
	if err := d.Decode(&f); err != nil {
		return nil, fmt.Errorf("parsing calibration: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("parsing calibration: something follows the object")
	}
	if err := once(json.NewDecoder(bytes.NewReader(b))); err != nil {
		return nil, fmt.Errorf("parsing calibration: %w", err)
	}
	if f.Format != Format {
		return nil, fmt.Errorf("parsing calibration: format %.40q, want %q", f.Format, Format)
	}
	c := &Calibration{f.Modality, f.Comparator, f.Data, f.Groups, f.Knots, f.Points}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("parsing calibration: %w", err)
	}
	return c, nil
}

// MustParse reads the file that a package ships for its comparator, and panics when it is not that.
func MustParse(b []byte, comparator string) *Calibration {
	c, err := Parse(b)
	if err != nil || c.comparator != comparator {
		panic(fmt.Sprintf("calibration: shipped file is not of %s: %v", comparator, err))
	}
	return c
}

// once refuses a second member of one name in the value that d reads: which of two thresholds counts must not depend
// on who reads them. Names are the same whatever their case, as for json.Unmarshal.
func once(d *json.Decoder) error {
	token, err := d.Token()
	if err != nil {
		return err
	}
	open, ok := token.(json.Delim)
	if !ok {
		return nil
	}
	seen := map[string]bool{}
	for d.More() {
		if open == '{' {
			name, err := d.Token()
			if err != nil {
				return err
			}
			folded := strings.ToLower(name.(string))
			if seen[folded] {
				return fmt.Errorf("member %.40q occurs twice", name)
			}
			seen[folded] = true
		}
		if err := once(d); err != nil {
			return err
		}
	}
	_, err = d.Token() // the closing bracket
	return err
}

// mostLLR bounds ratios, far above what any number of comparisons supports: package fusion lays them out in cells.
const mostLLR = 100

// check is every rule of a calibration.
func (c *Calibration) check() error {
	for name, text := range map[string]string{"modality": c.modality, "comparator": c.comparator, "data": c.data} {
		if text == "" || len(text) > 2000 {
			return fmt.Errorf("%s: %d bytes, want 1 to 2000", name, len(text))
		}
	}
	if n := len(c.groups); n < 1 || n > maxGroups {
		return fmt.Errorf("groups: %d, want 1 to %d", n, maxGroups)
	}
	least, most := math.MaxInt, 0
	for i, g := range c.groups {
		if g.Name == "" || len(g.Name) > 200 || g.Sources < 2 || min(g.Mated, g.NonMated) < leastScores {
			return fmt.Errorf("groups: entry %d: want a name, 2 sources or more and %d comparisons or more of either kind", i, leastScores)
		}
		least, most = min(least, g.NonMated), max(most, g.NonMated)
	}
	if n := len(c.knots); n < 2 || n > maxKnots {
		return fmt.Errorf("llr: %d knots, want 2 to %d", n, maxKnots)
	}
	for i, k := range c.knots {
		if !finite(k.Score) || !(math.Abs(k.LLR) <= mostLLR) {
			return fmt.Errorf("llr: knot %d is out of range", i)
		}
		if i > 0 && (k.Score <= c.knots[i-1].Score || k.LLR < c.knots[i-1].LLR) {
			return fmt.Errorf("llr: knot %d does not rise", i)
		}
	}
	return c.checkPoints(least, most)
}

// checkPoints refuses a file that claims more than its own counts support, however it was made.
func (c *Calibration) checkPoints(leastNonMated, mostNonMated int) error {
	if n := len(c.points); n < 1 || n > maxPoints {
		return fmt.Errorf("operating_points: %d, want 1 to %d", n, maxPoints)
	}
	for i, p := range c.points {
		switch {
		case !finite(p.Score) || p.FalseMatches < 0:
			return fmt.Errorf("operating_points: entry %d is not finite or negative", i)
		case i > 0 && (p.OneIn <= c.points[i-1].OneIn || p.Score < c.points[i-1].Score):
			return fmt.Errorf("operating_points: entry %d does not rise", i)
		case p.OneIn < 2:
			return fmt.Errorf("operating_points: entry %d: one_in is %d, want 2 or more", i, p.OneIn)
		case allowed(leastNonMated, p.OneIn) < 0:
			return fmt.Errorf("operating_points: entry %d claims 1 in %d, more than %d comparisons support (rule of three)", i, p.OneIn, leastNonMated)
		case p.FalseMatches > allowed(mostNonMated, p.OneIn):
			return fmt.Errorf("operating_points: entry %d claims 1 in %d in spite of its false matches", i, p.OneIn)
		}
	}
	return nil
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
