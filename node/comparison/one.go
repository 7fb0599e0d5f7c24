package comparison

import (
	"errors"
	"fmt"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/matcher/calibration"
	"github.com/tamga-id/tamga/matcher/iris"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/internal/panics"
)

// One is one sample that is compared with many people's references, one person after the
// other. It is not for concurrent use. Wipe it.
type One struct {
	d      *Decision
	probe  *sample
	people uint32 // among whom is searched
}

// DecodeOne decodes the probe of a search among so many people. A signature, of which one alone says nothing about a writer, is not served, nor is a record
// of several views. Errors are faults.
func DecodeOne(p protocol.Probe, people uint32, scales Calibrations, faces Faces) (*One, error) {
	if p.Modality == ModalitySignature || !Serves(p.Modality, p.Format) {
		return nil, &protocol.Fault{Code: protocol.CodeModality}
	}
	samples, err := DecodeProbes([]protocol.Probe{p})
	if err == nil && len(samples) != 1 {
		err = &protocol.Fault{Code: protocol.CodeProbe, Err: fmt.Errorf("a search is for one sample, the record has %d", len(samples))}
	}
	if err == nil && samples[0].poor() {
		err = &protocol.Fault{Code: protocol.CodeProbeQuality}
	}
	if err != nil {
		wipe(samples)
		return nil, err
	}
	d := New(0, scales, faces)
	return &One{d, samples[0], people}, nil
}

// Wipe overwrites the sample.
func (o *One) Wipe() { wipe([]*sample{o.probe}) }

// Likeness is what a comparison with one person's references came to.
type Likeness struct {
	Compared bool    // there was something that the sample can be compared with
	Matched  bool    // and one of them matches
	Weight   float64 // log-likelihood ratio of the best that does; it orders candidates and leaves the node never
}

// Compare compares the sample with a person's references, at the false match rate that law demands of that person's class. Among many people a rate that is good enough for one
// brings strangers up, so that the threshold is that of one in so many people where the calibration
// goes as far. ErrUncalibrated says that it does not carry the law's own rate. A panic in a decoder or a matcher is an
// error: it must not end the node, and it is in a goroutine where nobody else would recover it.
func (o *One) Compare(refs gallery.References, oneIn uint32) (out Likeness, err error) {
	defer func() {
		if p := recover(); p != nil {
			out, err = Likeness{}, fmt.Errorf("comparing: panic of type %T at %s", p, panics.Site()) // not its value
		}
	}()
	references, err := decodeReferences(refs)
	defer wipe(references)
	if err != nil {
		return Likeness{}, err
	}
	for _, r := range references {
		one := pair{o.probe, r}
		scale := o.scale(one)
		if scale == nil || r.poor() {
			continue
		}
		claim, err := o.claim(scale, oneIn)
		if err != nil {
			return Likeness{}, err
		}
		score, _, err := o.d.score(one)
		if errors.Is(err, iris.ErrUndecidable) {
			continue
		}
		if err != nil {
			return Likeness{}, err
		}
		out.Compared = true
		if score < claim.Score {
			continue
		}
		if w := scale.LLR(score); !out.Matched || w > out.Weight {
			out.Matched, out.Weight = true, w
		}
	}
	return out, nil
}

// ErrUncalibrated: the matcher cannot vouch for the rate that law demands.
var ErrUncalibrated = errors.New("the rate that law demands is beyond the calibration")

func (o *One) claim(c *calibration.Calibration, oneIn uint32) (calibration.Claim, error) {
	if c.Strictest() < oneIn {
		return calibration.Claim{}, ErrUncalibrated
	}
	return c.Threshold(min(max(oneIn, o.people), c.Strictest()))
}

// scale is what scores of a pair mean, nil when it is not to be compared.
func (o *One) scale(p pair) *calibration.Calibration {
	switch p.probe.modality {
	case ModalityFace:
		if p.probe.face.Model() != modelOf(p.reference.face) || p.probe.face.Dims() != p.reference.face.Dims() {
			return nil
		}
		return o.d.scales.face(p.probe.face.Model())
	case ModalityIris:
		if p.probe.profile != p.reference.profile || !sameName(p.probe, p.reference) {
			return nil
		}
		return o.d.scales.iris(p.probe.profile)
	}
	if !sameName(p.probe, p.reference) {
		return nil
	}
	return o.d.scales.fingerOf([]pair{p})
}
