package exchange

import (
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"math"

	"github.com/tamga-id/tamga/matcher/face"
)

// MaxEmbedding is the size in octets above which an embedding is refused unread: the largest
// that the grammar allows.
const MaxEmbedding = 4 + 1 + 1 + 1 + maxModel + 2 + 4*face.MaxDims

const (
	embeddingMagic   = "TEMB"
	embeddingVersion = 1
	elementFloat32   = 1
	elementInt8      = 2
	maxModel         = 64
	offsetModel      = 7 // behind magic, version, element type and model length
)

// Rules of the embedding container, in the words of a FormatError.
const (
	ruleElement      = "unknown element type"
	ruleModel        = "model identifier is not 1 to 64 of a-z 0-9 . _ -"
	ruleDims         = "number of dimensions out of range"
	ruleScale        = "scale is not a positive normal number"
	ruleFinite       = "value is not finite"
	ruleNorm         = "vector has no direction"
	ruleInt8         = "value -128 is not used"
	ruleVector       = "vector does not fit its model"
	ruleModelBytes   = "model identifier ends early"
	ruleEmbeddingEnd = "data longer or shorter than the dimensions say"
	ruleElements     = "exactly one of float and quantised values must be given"
)

// Embedding is one face embedding container: model and vector, the latter in exactly one of two
// forms. It prints and logs as a constant.
type Embedding struct {
	Model  string    // 1 to 64 octets of a-z 0-9 . _ -
	Values []float32 // 64 to 1024 finite values, any length but zero; nil when quantised
	// Quantised holds values of -127 to 127 that stand for Scale times themselves.
	Quantised []int8
	Scale     float32 // positive and normal when quantised; ignored otherwise
}

const redactedEmbedding = "embedding(redacted)"

// LogValue keeps the vector out of logs.
func (Embedding) LogValue() slog.Value { return slog.StringValue(redactedEmbedding) }

// Format keeps the vector out of everything that package fmt prints.
func (Embedding) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redactedEmbedding) }

// DecodeEmbedding gives the template of an embedding container. A model that package face knows
// must come with its dimensions. Models that it does not know decode: whether one is good for a
// decision is for face.Threshold to say.
func DecodeEmbedding(b []byte) (*face.Template, error) {
	e, err := ParseEmbedding(b)
	if err != nil {
		return nil, err
	}
	defer clear(e.Values)
	defer clear(e.Quantised)
	return e.Template()
}

// EncodeEmbedding writes the float32 form of a vector, as it is: it is not normalised first.
func EncodeEmbedding(model string, v []float32) ([]byte, error) {
	return Embedding{Model: model, Values: v}.Encode()
}

// Quantised is the vector in 8 bits a value, scaled so that the largest magnitude becomes 127: each
// value is off by at most half of Scale. The error is a [*FormatError], for a vector that cannot be
// encoded.
func Quantised(model string, v []float32) (Embedding, error) {
	e := Embedding{Model: model, Values: v}
	if f := e.fault(); f.rule != "" {
		return Embedding{}, f.err(FormatEmbedding)
	}
	var most float64
	for _, x := range v {
		most = max(most, math.Abs(float64(x)))
	}
	e = Embedding{Model: model, Quantised: make([]int8, len(v)), Scale: float32(most / 127)}
	for i, x := range v {
		// The scale was rounded, so the largest may come to a little over 127.
		e.Quantised[i] = int8(min(127, max(-127, math.RoundToEven(float64(x)/float64(e.Scale)))))
	}
	return e, nil
}

// Template prepares the vector for comparison.
func (e Embedding) Template() (*face.Template, error) {
	var t *face.Template
	var err error
	if e.Quantised != nil {
		t, err = face.NewInt8(e.Model, e.Quantised)
	} else {
		t, err = face.NewFloat(e.Model, e.Values)
	}
	if err != nil {
		return nil, fault{offsetModel, ruleVector}.err(FormatEmbedding)
	}
	return t, nil
}

// Encode writes the container (little-endian, as the float32 of the machines that compute it):
//
//	embedding  = "TEMB" %x01 element model-length model dims data
//	element    = %x01 / %x02              ; float32, int8 with scale
//	model-length = %x01-40
//	model      = 1*64( %x61-7A / DIGIT / "." / "_" / "-" )
//	dims       = 2OCTET                   ; 64 to 1024
//	data       = float-data / int8-data
//	float-data = 64*1024( 4OCTET )        ; IEEE 754 binary32, finite, not all near zero
//	int8-data  = scale 64*1024( OCTET )   ; two's complement, -127 to 127, not all zero
//	scale      = 4OCTET                   ; IEEE 754 binary32, positive, normal
//
// Nothing follows data. The error is a [*FormatError].
func (e Embedding) Encode() ([]byte, error) {
	if f := e.fault(); f.rule != "" {
		return nil, f.err(FormatEmbedding)
	}
	element, dims := byte(elementFloat32), len(e.Values)
	if e.Quantised != nil {
		element, dims = elementInt8, len(e.Quantised)
	}
	out := make([]byte, 0, e.dataOffset()+4*dims)
	out = append(out, embeddingMagic...)
	out = append(out, embeddingVersion, element, byte(len(e.Model)))
	out = append(out, e.Model...)
	out = binary.LittleEndian.AppendUint16(out, uint16(dims))
	if element == elementInt8 {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(e.Scale))
		for _, x := range e.Quantised {
			out = append(out, byte(x))
		}
		return out, nil
	}
	for _, x := range e.Values {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(x))
	}
	return out, nil
}

// ParseEmbedding reads one container; see [Embedding.Encode] for the grammar. The embedding
// shares no memory with b.
func ParseEmbedding(b []byte) (Embedding, error) {
	e, f := parseEmbedding(b)
	if f.rule == "" {
		f = e.fault()
	}
	if f.rule != "" {
		clear(e.Values)
		clear(e.Quantised)
		return Embedding{}, f.err(FormatEmbedding)
	}
	return e, nil
}

func parseEmbedding(b []byte) (e Embedding, f fault) {
	switch {
	case len(b) > MaxEmbedding:
		return e, fault{0, ruleSize}
	case len(b) < offsetModel:
		return e, fault{len(b), ruleShort}
	case string(b[:4]) != embeddingMagic:
		return e, fault{0, ruleMagic}
	case b[4] != embeddingVersion:
		return e, fault{4, ruleVersion}
	case b[5] != elementFloat32 && b[5] != elementInt8:
		return e, fault{5, ruleElement}
	case len(b) < offsetModel+int(b[6])+2:
		return e, fault{len(b), ruleModelBytes}
	}
	e.Model = string(b[offsetModel : offsetModel+int(b[6])])
	dims := int(binary.LittleEndian.Uint16(b[e.dataOffset()-2:]))
	if dims < face.MinDims || dims > face.MaxDims {
		return e, fault{e.dataOffset() - 2, ruleDims}
	}
	data := b[e.dataOffset():]
	if b[5] == elementInt8 {
		if len(data) != 4+dims {
			return e, fault{len(b), ruleEmbeddingEnd}
		}
		e.Scale = math.Float32frombits(binary.LittleEndian.Uint32(data))
		e.Quantised = make([]int8, dims)
		for i := range e.Quantised {
			e.Quantised[i] = int8(data[4+i])
		}
		return e, fault{}
	}
	if len(data) != 4*dims {
		return e, fault{len(b), ruleEmbeddingEnd}
	}
	e.Values = make([]float32, dims)
	for i := range e.Values {
		e.Values[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
	}
	return e, fault{}
}

// dataOffset is where data begins; dims stands in the two octets before it.
func (e Embedding) dataOffset() int { return offsetModel + len(e.Model) + 2 }
