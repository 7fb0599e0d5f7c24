package comparison

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/exchange/iriscode"
	"github.com/tamga-id/tamga/matcher/exchange/signature2007"
	"github.com/tamga-id/tamga/matcher/face"
	"github.com/tamga-id/tamga/matcher/finger"
	"github.com/tamga-id/tamga/matcher/iris"
	"github.com/tamga-id/tamga/matcher/signature"
	"github.com/tamga-id/tamga/node/gallery"
)

// Modalities that a node compares.
const (
	ModalityFinger    = "finger"
	ModalityFace      = "face"
	ModalityIris      = "iris"
	ModalitySignature = "signature"
)

// Modalities lists them, in the order of protocol.
func Modalities() []string {
	return []string{ModalityFinger, ModalityFace, ModalityIris, ModalitySignature}
}

// Formats are those in which the modalities are compared, in the same order.
func Formats() []string {
	return []string{exchange.FormatFinger2005, exchange.FormatEmbedding, exchange.FormatIris, exchange.FormatSignature2007}
}

// Serves reports whether the node compares records of a modality in a format.
func Serves(modality, format string) bool {
	at := slices.Index(Modalities(), modality)
	return at >= 0 && Formats()[at] == format
}

// sample is one face, finger view, iris or signature, in clear. Wipe it.
type sample struct {
	modality string
	unsure   bool           // as a probe: that it matches none of the references does not say no
	place    uint8          // which finger (ISO/IEC 19794-2) or eye (ISO/IEC 19794-6) it is, 0 where that is not known
	face     *face.Template // for ModalityFace
	view     finger.Sample  // for ModalityFinger

	// turned is face as it compares with references that are stored protected, by their name.
	turned map[string]*face.Template

	// For ModalityIris: the code, nil when it shows too little, who made it, and how many bits it shows.
	iris    *iris.Template
	profile string
	bits    int

	// For ModalitySignature: the signature, nil when it is too short or still, or several and, once the first comparison
	// needs it, what they say of their writer.
	signature  *signature.Template
	signatures []*signature.Template
	writer     *signature.Reference

	// ready is view prepared for comparison, once the first comparison needs it.
	ready *finger.Template
}

// poor reports that a sample has too little detail for a decision at a stated rate.
func (s *sample) poor() bool {
	switch s.modality {
	case ModalityFinger:
		return s.view.Poor() != finger.NoReason
	case ModalityIris:
		return s.iris == nil
	case ModalitySignature:
		return s.signature == nil
	}
	return false
}

// unreported is the quality by which a sample is ranked that reports none, which is not a sample of the worst.
const unreported = 50

// worth orders samples of one finger, face or eye by how much they tell: whole fingers before fragments, then by the reported
// quality, then by the minutiae; irises by the bits.
func (s *sample) worth() int {
	if s.modality != ModalityFinger {
		return s.bits
	}
	quality := int(s.view.Quality)
	if quality == 0 {
		quality = unreported
	}
	worth := quality<<8 + len(s.view.Minutiae)
	if !s.view.Fragment() {
		worth += 1 << 16
	}
	return worth
}

// reference is what the signatures say of their writer. The error is errNoWriter when they are not of one hand.
func (s *sample) reference() (*signature.Reference, error) {
	if s.writer == nil {
		w, err := signature.NewReference(s.signatures...)
		if errors.Is(err, signature.ErrUnlike) {
			return nil, errNoWriter
		}
		if err != nil {
			return nil, err
		}
		s.writer = w
	}
	return s.writer, nil
}

var errNoWriter = errors.New("the signatures enrolled are not of one hand")

func (s *sample) template() (*finger.Template, error) {
	if s.ready == nil {
		t, err := finger.Prepare(s.view)
		if err != nil {
			return nil, err
		}
		s.ready = t
	}
	return s.ready, nil
}

// Samples are probes in clear.
type Samples []*sample

// Wipe overwrites them.
func (s Samples) Wipe() { wipe(s) }

func wipe(samples []*sample) {
	for _, s := range samples {
		s.face.Wipe()
		for _, t := range s.turned {
			t.Wipe()
		}
		s.iris.Wipe()
		s.signature.Wipe()
		s.writer.Wipe()
		clear(s.view.Minutiae)
		if s.ready != nil {
			s.ready.Wipe()
		}
	}
}

// decode is where a probe, or a reference, is seen in clear. position is used for
// views that do not name their finger.
func decode(modality, format string, position uint8, data []byte) ([]*sample, error) {
	switch {
	case !Serves(modality, format):
		return nil, errors.New("modality and format are not served")
	case modality == ModalityFace:
		t, err := exchange.DecodeEmbedding(data)
		if err != nil {
			return nil, err
		}
		return []*sample{{modality: modality, face: t}}, nil
	case modality == ModalityIris:
		return decodeIris(position, data)
	case modality == ModalitySignature:
		return decodeSignature(data)
	}
	// ParseFinger and not DecodeFinger, which would leave a copy that no one wipes.
	r, err := exchange.ParseFinger(data)
	if err != nil {
		return nil, err
	}
	out := make([]*sample, 0, len(r.Views))
	for _, v := range r.Views {
		clear(v.Extended)
		s := &sample{modality: modality, view: finger.Sample{
			Position: v.Position, Impression: v.Impression, Quality: v.Quality,
			Width: r.Width, Height: r.Height, ResX: r.ResX, ResY: r.ResY, Minutiae: v.Minutiae,
		}}
		if s.place = s.view.Position; s.place == 0 {
			s.place = position
		}
		out = append(out, s)
	}
	return out, nil
}

func decodeIris(position uint8, data []byte) ([]*sample, error) {
	c, err := iriscode.Decode(data)
	if err != nil {
		return nil, err
	}
	defer clear(c.Sample.Code[:])
	s := &sample{modality: ModalityIris, place: c.Eye, profile: c.Profile}
	if s.place == 0 {
		s.place = position
	}
	for _, b := range c.Sample.Mask {
		s.bits += bits.OnesCount8(b)
	}
	if s.iris, err = iris.Prepare(c.Sample); err != nil && !errors.Is(err, iris.ErrTooFewBits) {
		return nil, err
	}
	return []*sample{s}, nil
}

func decodeSignature(data []byte) ([]*sample, error) {
	r, err := signature2007.Decode(data)
	if err != nil {
		return nil, err
	}
	defer clear(r.Points)
	s := &sample{modality: ModalitySignature}
	// What is a record but too short to be a signature is of poor quality, like a finger without minutiae.
	if s.signature, err = signature.Prepare(r); err != nil && !errors.Is(err, signature.ErrTooFewPoints) && !errors.Is(err, signature.ErrStill) {
		return nil, err
	}
	return []*sample{s}, nil
}

// DecodeProbes decodes every probe. What was decoded comes back with an error, too,
// to be wiped.
func DecodeProbes(probes []protocol.Probe) (Samples, error) {
	var out []*sample
	for _, p := range probes {
		s, err := decode(p.Modality, p.Format, p.Position, p.Data)
		if err != nil {
			return out, &protocol.Fault{Code: protocol.CodeProbe, Err: err}
		}
		for _, one := range s {
			if one.view.Quality == 0 { // the record's own, where it reports one, is of the view
				one.view.Quality = p.Quality
			}
		}
		out = append(out, s...)
	}
	return out, nil
}

// decodeReferences decodes a subject's records. One that does not decode is the
// node's own failure: it was checked when the person was enrolled, and the sender
// of the Query must not be told that the probe was bad.
func decodeReferences(refs gallery.References) ([]*sample, error) {
	var out []*sample
	err := refs.Each(func(t gallery.Template) error {
		s, err := decode(t.Modality, t.Format, t.Position, t.Data)
		if err != nil {
			return fmt.Errorf("decoding reference: %v", err)
		}
		out = append(out, s...)
		return nil
	})
	return out, err
}
