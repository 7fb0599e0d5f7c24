package responder

import (
	"errors"
	"fmt"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/face"
	"github.com/tamga-id/tamga/matcher/finger"
	"github.com/tamga-id/tamga/node/gallery"
)

// Modalities that a node compares.
const (
	ModalityFinger = "finger"
	ModalityFace   = "face"
)

// serves reports whether the node compares records of a modality in a format.
func serves(modality, format string) bool {
	return modality == ModalityFace && format == exchange.FormatEmbedding ||
		modality == ModalityFinger && format == exchange.FormatFinger2005
}

// sample is one face or one finger view, in clear. Wipe it.
type sample struct {
	modality string
	face     *face.Template // for ModalityFace
	view     finger.Sample  // for ModalityFinger

	// ready is view prepared for comparison, once the first comparison needs it.
	ready *finger.Template
}

// poor reports that a sample has too little detail for a decision at a stated rate.
func (s *sample) poor() bool { return s.face == nil && s.view.Poor() != finger.NoReason }

// unreported is the quality by which a sample is ranked that reports none, which is not a sample of the worst.
const unreported = 50

// worth orders samples of one finger or face by how much they tell: the reported quality, and then the minutiae.
func (s *sample) worth() int {
	if s.face != nil {
		return 0
	}
	quality := int(s.view.Quality)
	if quality == 0 {
		quality = unreported
	}
	return quality<<8 + len(s.view.Minutiae)
}

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

func wipe(samples []*sample) {
	for _, s := range samples {
		if s.face != nil {
			s.face.Wipe()
		}
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
	case !serves(modality, format):
		return nil, errors.New("modality and format are not served")
	case modality == ModalityFace:
		t, err := exchange.DecodeEmbedding(data)
		if err != nil {
			return nil, err
		}
		return []*sample{{modality: modality, face: t}}, nil
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
		if s.view.Position == 0 {
			s.view.Position = position
		}
		out = append(out, s)
	}
	return out, nil
}

// decodeProbes decodes every probe. What was decoded comes back with an error, too,
// to be wiped.
func decodeProbes(probes []protocol.Probe) ([]*sample, error) {
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
