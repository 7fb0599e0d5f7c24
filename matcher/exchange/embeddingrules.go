package exchange

import (
	"math"

	"github.com/tamga-id/tamga/matcher/face"
)

// fault finds the first rule that the embedding breaks.
func (e Embedding) fault() fault {
	if !modelIdentifier(e.Model) {
		return fault{offsetModel - 1, ruleModel}
	}
	if (e.Values == nil) == (e.Quantised == nil) {
		return fault{5, ruleElements}
	}
	dims := len(e.Values) + len(e.Quantised)
	if dims < face.MinDims || dims > face.MaxDims {
		return fault{e.dataOffset() - 2, ruleDims}
	}
	if m, ok := face.Lookup(e.Model); ok && m.Dims != dims {
		return fault{e.dataOffset() - 2, ruleVector}
	}
	if e.Quantised != nil {
		return e.quantisedFault()
	}
	return e.valuesFault()
}

func modelIdentifier(s string) bool {
	if len(s) < 1 || len(s) > maxModel {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

func (e Embedding) valuesFault() fault {
	var sum float64
	for i, x := range e.Values {
		f := float64(x)
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return fault{e.dataOffset() + 4*i, ruleFinite}
		}
		sum += f * f
	}
	if math.Sqrt(sum) < face.MinNorm {
		return fault{e.dataOffset(), ruleNorm}
	}
	return fault{}
}

// smallestNormal is the least float32 that is not subnormal.
const smallestNormal = 0x1p-126

func (e Embedding) quantisedFault() fault {
	// Written so that NaN fails too.
	if !(e.Scale >= smallestNormal && e.Scale <= math.MaxFloat32) {
		return fault{e.dataOffset(), ruleScale}
	}
	zero := true
	for i, x := range e.Quantised {
		if x == math.MinInt8 {
			return fault{e.dataOffset() + 4 + i, ruleInt8}
		}
		zero = zero && x == 0
	}
	if zero {
		return fault{e.dataOffset() + 4, ruleNorm}
	}
	return fault{}
}
