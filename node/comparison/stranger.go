package comparison

import (
	"slices"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/matcher/calibration"
	"github.com/tamga-id/tamga/matcher/finger"
)

// Folded is the code where law does not let it be told who is enrolled: whoever has nothing
// that compares with the probes is answered like an enrolled person whom they are not of.
// That is not always "no". A prober sends what never compares, such as a face of a model that
// nobody has or a finger of five minutiae: people would be inconclusive, and only numbers
// that nobody has a "no".
func (d *Decision) Folded(c protocol.Code, probes Samples) (protocol.Code, error) {
	switch c {
	case protocol.CodeSubjectUnknown, protocol.CodeNoReference, protocol.CodeNotComparable:
		return d.stranger(probes)
	}
	return c, nil
}

// stranger is what comes of the probes with a person whose references are as good as the
// probes, and who is another: it depends on the probes and the law's rate alone.
func (d *Decision) stranger(probes []*sample) (protocol.Code, error) {
	as := &Decision{oneIn: d.oneIn, scales: d.scales, code: protocol.CodeNotComparable}
	at := make(map[sourceName]int)
	for _, p := range probes {
		c := d.scales.of(p)
		switch {
		case p.poor():
			as.note(protocol.CodeProbeQuality)
			continue
		case c == nil:
			continue
		}
		name := sourceName{p.modality, p.place}
		if slices.ContainsFunc(probes, func(o *sample) bool { return o.modality == p.modality && unnamed(o) }) {
			name.place = 0
		}
		i, ok := at[name]
		if !ok {
			i = len(as.planned)
			at[name], as.planned = i, append(as.planned, source{})
		}
		as.planned[i].add(c, pair{p, p})
		doubt := finger.NoReason
		if p.modality == ModalityFinger {
			doubt = finger.Doubt(p.view, p.view)
		}
		as.sure, as.doubt = as.sure || doubt == finger.NoReason, max(as.doubt, doubt)
	}
	if len(as.planned) == 0 {
		return as.code, nil
	}
	if ok, err := as.affordable(); err != nil || !ok {
		return protocol.CodeUncalibrated, err
	}
	return as.unmatched(), nil
}

// sourceName is of what one source of stranger is; only fingers and eyes have places.
type sourceName struct {
	modality string
	place    uint8
}

// of is what scores of the sample mean, nil when nothing is known of them.
func (c Calibrations) of(s *sample) *calibration.Calibration {
	switch s.modality {
	case ModalityFace:
		return c.face(s.face.Model())
	case ModalityIris:
		return c.iris(s.profile)
	case ModalitySignature:
		return c.signature()
	}
	return c.finger()
}
