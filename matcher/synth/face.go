package synth

import (
	"math"

	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/face"
)

// faceDims is the size of the vectors of face.ModelSynth.
const faceDims = 128

// Probe noise against the person's own vector, in thousandths: 882 gives an expected cosine of
// 0.75, and the range gives captures of differing quality, 0.84 to 0.67, with 0.06 around all.
const (
	faceNoiseLeast = 650
	faceNoiseMost  = 1110
)

// FaceReference gives the person's enrolled face in exchange.FormatEmbedding, model
// face.ModelSynth.
func (p Person) FaceReference() []byte { return encodeFace(p.faceVector()) }

// FaceProbe gives capture n of the person's face. Its cosine with the reference is about 0.75,
// with anybody else's about 0.
func (p Person) FaceProbe(n int) []byte {
	v := p.faceVector()
	s := p.stream("face-probe", uint64(n))
	noise := int64(s.between(faceNoiseLeast, faceNoiseMost))
	for i := range v {
		v[i] = 1000*v[i] + noise*int64(s.normal())
	}
	return encodeFace(v)
}

// faceVector is a direction drawn evenly, or nearly so, from all.
func (p Person) faceVector() *[faceDims]int64 {
	s := p.stream("face")
	var v [faceDims]int64
	for i := range v {
		v[i] = int64(s.normal())
	}
	return &v
}

// encodeFace scales integers to unit length. The sum of squares is an integer, and the quotient
// and the root are correctly rounded by IEEE 754, so every platform writes the same octets.
func encodeFace(v *[faceDims]int64) []byte {
	var sum int64
	for _, x := range v {
		sum += x * x
	}
	length := math.Sqrt(float64(sum))
	var unit [faceDims]float32
	for i, x := range v {
		unit[i] = float32(float64(x) / length)
	}
	b, err := exchange.EncodeEmbedding(face.ModelSynth, unit[:])
	if err != nil {
		panic("synth: generated face does not encode: " + err.Error())
	}
	return b
}
