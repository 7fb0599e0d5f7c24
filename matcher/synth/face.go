package synth

import (
	"math"

	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/face"
)

// faceDims is the size of the vectors of face.ModelSynth.
const faceDims = 128

// Probe noise against the person's own vector, in thousandths: the range gives patient captures of
// differing quality, with cosines of 0.91 to 0.78 to the noiseless reference.
const (
	faceNoiseLeast = 450
	faceNoiseMost  = 800
)

// Noise of the captures that measure, in thousandths and their logarithms' deviations. Fitted to the
// mated cosines of 6,350 embeddings of 2,875 people of LFW: 0.624 in the mean and 0.117 about it, of
// which 0.089 within a person, with one capture in forty far worse (profiles, blur, veils).
const (
	faceNoise       = 785
	faceNoisePeople = 90
	faceNoiseImages = 285
	faceNoiseHard   = 2000
	facesHard       = 25 // of 1000
)

// FaceReference gives the person's enrolled face in exchange.FormatEmbedding, model
// face.ModelSynth.
func (p Person) FaceReference() []byte { return encodeFace(p.faceVector(faceDims)) }

// FaceProbe gives capture n of the person's face by a patient officer: it never fails. Its cosine
// with the reference is about 0.85, with a stranger's about 0, with a sibling's about 0.3.
func (p Person) FaceProbe(n int) []byte {
	s := p.stream("face-probe", uint64(n))
	return encodeFace(p.faceCapture(s, int64(s.between(faceNoiseLeast, faceNoiseMost)), faceDims))
}

// FaceCapture gives capture n of the person's face as it comes, good or bad, for measuring: a unit
// vector. Captures of different dims resemble one another in nothing but their distribution.
func (p Person) FaceCapture(n, dims int) []float32 {
	own := p.stream("face-noise").lognormal(faceNoise, faceNoisePeople)
	s := p.stream("face-capture", uint64(n))
	noise := s.lognormal(own, faceNoiseImages)
	if s.below(1000) < facesHard {
		noise = s.lognormal(faceNoiseHard, faceNoiseImages)
	}
	return unit(p.faceCapture(s, noise, dims))
}

// faceCapture adds noise, in thousandths of what tells people apart.
func (p Person) faceCapture(s *stream, noise int64, dims int) []int64 {
	v := p.faceVector(dims)
	for i, w := range faceWeights(dims) {
		v[i] = (1000*v[i] + noise*w*int64(s.normal())) / faceWeight
	}
	return v
}

// Shares of a family in the faces of its members, in thousandths, so that their squares are the
// cosines of siblings and of identical twins, whom faces hardly tell apart (P. Phillips et al.,
// "Distinguishing identical twins by face recognition", FG 2011).
const (
	siblingShared, siblingOwn = 548, 837
	twinShared, twinOwn       = 922, 387
)

// Sibling gives the place of the one sibling that person i of the population has, and whether they
// are identical twins, as 1 pair in 128 is. It is half the population away, so that people taken
// from one end are strangers. Siblings resemble one another in their faces, twins in the classes of
// their fingers too; irises do not (J. Daugman, C. Downing, Proc. R. Soc. B 268, 2001).
func Sibling(i int) (sibling int, twin bool) {
	return (i + MaxPersons/2) % MaxPersons, i%(MaxPersons/2)%128 == 127
}

// elder is the place by which the two siblings are known.
func (p Person) elder() uint64 { return uint64(p.Index % (MaxPersons / 2)) }

// faceVector is what all captures of the face have in common.
func (p Person) faceVector(dims int) []int64 {
	s, family := p.stream("face"), newStream(p.seed, p.Jurisdiction, "face-family", p.elder())
	shared, own := int64(siblingShared), int64(siblingOwn)
	if _, twin := Sibling(p.Index); twin {
		shared, own = twinShared, twinOwn
	}
	kind := newStream(0, "", "face-group", uint64(family.below(faceGroups)))
	v := faceWeights(dims)
	for i, w := range v {
		v[i] = w * ((shared*int64(family.normal())+own*int64(s.normal())+groupShared*int64(kind.normal()))/1000 + common(i))
	}
	return v
}

// People fall into groups whose faces are a little alike, as those of one sex, age and origin are
// (J. Howard, Y. Sirotin, A. Vemury, BTAS 2019). It is what makes the upper tail of strangers' cosines
// longer than the lower. They are the same in all populations, or else each needed its calibration.
const (
	faceGroups  = 20
	groupShared = 450 // thousandths
)

// common is what all faces share: a model's vectors are not centred quite. 0.013 of the squared
// length, the squared length of the mean of the LFW vectors.
func common(i int) int64 {
	const share = normalUnit * 100 / 1000
	return share * int64(1-i%2*2)
}

// faceWeight is the root mean square of faceWeights.
const faceWeight = 64

// faceWeights are the deviations by dimension. Variances fall evenly, so that the cosines of
// strangers deviate by the 0.102 of the 128-dimensional vectors of LFW, not by 0.088.
func faceWeights(dims int) []int64 {
	w := make([]int64, dims)
	for i := range w {
		variance := 1900 - 1800*int64(2*i+1)/int64(2*dims)
		w[i] = root(variance * faceWeight * faceWeight / 1000)
	}
	return w
}

// unit scales integers to unit length. The sum of squares is an integer, and the quotient and the
// root are correctly rounded by IEEE 754, so every platform finds the same octets.
func unit(v []int64) []float32 {
	var sum int64
	for _, x := range v {
		sum += x * x
	}
	length := math.Sqrt(float64(sum))
	u := make([]float32, len(v))
	for i, x := range v {
		u[i] = float32(float64(x) / length)
	}
	return u
}

func encodeFace(v []int64) []byte {
	b, err := exchange.EncodeEmbedding(face.ModelSynth, unit(v))
	if err != nil {
		panic("synth: generated face does not encode: " + err.Error())
	}
	return b
}
