// Package face compares face embeddings one to one.
//
// It takes the feature vector that a face recognition model computed from a photograph and gives
// the cosine of two such vectors as comparison score (ISO/IEC 2382-37). Start with [NewFloat] for
// the probe and the reference, call [Compare], and accept when the score is at or above
// [Threshold] for the model and the FMR that the purpose demands.
//
// It does not find faces in photographs and runs no model: vectors arrive computed, usually in the
// container of package exchange.
//
// The rates of [Threshold] hold for faces that a camera captured. A vector made to be like many
// faces, the mean of some dozens that lie close together, matched strangers of the test data 13
// times as often at 1 in 1,000 and 31 times at 1 in 10,000. "tamga calibrate face --made" holds
// thresholds against such vectors, too, at twice the FNMR; an operator who fears them puts that
// calibration to use. Whoever receives Queries counts those without a match in any case.
//
// Invariants:
//
//   - A template is unit length, finite and bound to its model for life.
//   - Vectors of two models are never compared: that is an error, not a low score.
//   - No threshold is given for an FMR that the calibration data cannot support, and none for a
//     model that was never calibrated.
//   - A template prints and logs as a constant. No error holds a value of a vector or a score.
package face

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
)

// Limits on a vector, for known and unknown models alike.
const (
	MinDims = 64
	MaxDims = 1024
)

var (
	// ErrModelMismatch says that two templates come from different models, or from two models
	// that share a name and differ in dimensions. It means "could not tell", not "no".
	ErrModelMismatch = errors.New("comparing faces: templates of different models")
	// ErrVector says that a vector cannot be a template: wrong number of dimensions, NaN,
	// infinite, or without direction.
	ErrVector = errors.New("preparing face template: unusable vector")
	// ErrWiped says that a template was nil or used after Wipe.
	ErrWiped = errors.New("comparing faces: template was wiped")
)

// Template is one prepared embedding: L2-normalised, bound to its model, immutable until wiped.
// Several goroutines may compare it at once. The nil and the zero Template hold nothing and
// compare with nothing.
type Template struct {
	model string
	dims  int
	// values is behind a closure because fmt and slog walk into fields, even unexported ones,
	// and would otherwise print the vector wherever a struct that holds a template is printed.
	values func() []float32
}

// NewFloat prepares a template from the vector that model computed. The vector need not be unit
// length; it is copied, so the caller may wipe its own. A model that this package knows must have
// exactly its dimensions. The error is [ErrVector], possibly wrapped with the rule that failed.
func NewFloat(model string, v []float32) (*Template, error) {
	if err := checkShape(model, len(v)); err != nil {
		return nil, err
	}
	var sum float64
	for _, x := range v {
		f := float64(x)
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, fmt.Errorf("%w: value is not finite", ErrVector)
		}
		sum += f * f
	}
	norm := math.Sqrt(sum)
	if norm < MinNorm {
		return nil, fmt.Errorf("%w: no direction", ErrVector)
	}
	unit := make([]float32, len(v))
	for i, x := range v {
		unit[i] = float32(float64(x) / norm)
	}
	return &Template{model: model, dims: len(v), values: func() []float32 { return unit }}, nil
}

// MinNorm is the length under which a vector counts as having no direction. Models emit lengths
// of 1 to 100; far below that the quotient would be made of rounding.
const MinNorm = 1e-6

// NewInt8 prepares a template from a symmetrically quantised vector, for which value = scale * v.
// The scale is common to all values, so the direction, which is all that is compared, does not
// depend on it. Rules and errors are those of [NewFloat].
//
// Vectors of 8 bits compare with those of 32. A vector that [Template.Quantize] rounded is turned
// by at most asin(m * sqrt(dims) / 254), m being the largest magnitude of the unit vector, and a
// comparison moves by at most the sum of both angles.
func NewInt8(model string, v []int8) (*Template, error) {
	f := make([]float32, len(v))
	defer clear(f)
	for i, x := range v {
		f[i] = float32(x)
	}
	return NewFloat(model, f)
}

func checkShape(model string, dims int) error {
	if model == "" {
		return fmt.Errorf("%w: no model named", ErrVector)
	}
	if dims < MinDims || dims > MaxDims {
		return fmt.Errorf("%w: %d dimensions, want %d to %d", ErrVector, dims, MinDims, MaxDims)
	}
	if m, ok := Lookup(model); ok && m.Dims != dims {
		return fmt.Errorf("%w: %d dimensions, model %s has %d", ErrVector, dims, m.ID, m.Dims)
	}
	return nil
}

// Model is the identifier of the model that computed the vector; empty for a nil template.
func (t *Template) Model() string {
	if t == nil {
		return ""
	}
	return t.model
}

// Dims is the number of values of the vector; 0 for a nil template.
func (t *Template) Dims() int {
	if t == nil {
		return 0
	}
	return t.dims
}

// Turned is the template of another model whose vector is what f makes of this one's: f writes it to
// dst and keeps neither slice. It is for transforms of all vectors of a model alike, as package
// protect makes them. The error is [ErrWiped], [ErrVector] or that of f.
func (t *Template) Turned(model string, f func(dst, src []float32) error) (*Template, error) {
	if t == nil || t.values == nil {
		return nil, ErrWiped
	}
	v := make([]float32, t.dims)
	defer clear(v)
	if err := f(v, t.values()); err != nil {
		return nil, err
	}
	return NewFloat(model, v)
}

// Wipe overwrites the vector. Comparisons after it give [ErrWiped]; it may be called twice and on
// nil. It must not run while another goroutine compares the template.
func (t *Template) Wipe() {
	if t == nil || t.values == nil {
		return
	}
	clear(t.values())
	t.values = nil
}

const redacted = "template(redacted)"

// LogValue keeps the vector out of logs.
func (Template) LogValue() slog.Value { return slog.StringValue(redacted) }

// Format keeps the vector out of everything that package fmt prints, whatever the verb.
func (Template) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// Compare gives the cosine of the two vectors, in [-1, 1], higher meaning more alike. It is
// symmetric bit for bit. The error is [ErrModelMismatch] or [ErrWiped], and then the score is
// -Inf, which no threshold accepts even if the error is overlooked.
func Compare(probe, reference *Template) (float64, error) {
	if probe == nil || reference == nil || probe.values == nil || reference.values == nil {
		return math.Inf(-1), ErrWiped
	}
	if probe.model != reference.model || probe.dims != reference.dims {
		return math.Inf(-1), ErrModelMismatch
	}
	return min(1, max(-1, dot(probe.values(), reference.values()))), nil
}

// dot sums in float64 over four lanes: single products of float32 are exact there, so the result
// does not depend on fused multiply-add, and the lanes hide the latency of the additions.
func dot(a, b []float32) float64 {
	var s0, s1, s2, s3 float64
	b = b[:len(a)]
	i := 0
	for ; i+4 <= len(a); i += 4 {
		s0 += float64(a[i]) * float64(b[i])
		s1 += float64(a[i+1]) * float64(b[i+1])
		s2 += float64(a[i+2]) * float64(b[i+2])
		s3 += float64(a[i+3]) * float64(b[i+3])
	}
	for ; i < len(a); i++ {
		s0 += float64(a[i]) * float64(b[i])
	}
	return (s0 + s1) + (s2 + s3)
}
