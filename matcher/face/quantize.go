package face

import "math"

// Quantize writes the vector to dst in 8 bits a value, scaled so that the largest magnitude becomes
// 127: the best resolution that keeps the direction, which is all that is compared. Dst has the
// template's dimensions and belongs to the caller, who wipes it; it is as personal as the template.
// The same template gives the same values on every platform. The error is [ErrWiped], or
// [ErrModelMismatch] when dst is of another length.
func (t *Template) Quantize(dst []int8) error {
	if t == nil || t.values == nil {
		return ErrWiped
	}
	values := t.values()
	if len(dst) != len(values) {
		return ErrModelMismatch
	}
	var most float32
	for _, v := range values {
		most = max(most, v, -v)
	}
	scale := 127 / float64(most)
	for i, v := range values {
		dst[i] = int8(math.RoundToEven(float64(v) * scale))
	}
	return nil
}
