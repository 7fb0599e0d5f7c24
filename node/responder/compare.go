package responder

import (
	"errors"

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

// decision gathers what the comparisons said. One match is enough; without one, a
// comparison that could be made is worth more than reasons why others could not.
type decision struct {
	code     protocol.Code
	compared bool
}

func undecided() *decision { return &decision{code: protocol.CodeSubjectUnknown} }

// rank orders codes from what says least to what decides.
func rank(c protocol.Code) int {
	switch c {
	case protocol.CodeSubjectUnknown:
		return 0
	case protocol.CodeNoReference:
		return 1
	case protocol.CodeNotComparable:
		return 2
	case protocol.CodeProbeQuality:
		return 3
	case protocol.CodeUncalibrated:
		return 4
	case protocol.CodeNotMatched:
		return 5
	case protocol.CodeMatched:
		return 6
	}
	return -1
}

func (d *decision) note(c protocol.Code) {
	if c == protocol.CodeNotMatched || c == protocol.CodeMatched {
		d.compared = true
	}
	if rank(c) > rank(d.code) {
		d.code = c
	}
}

// add compares every probe of one modality with the subject's references.
func (d *decision) add(probes []protocol.Probe, modality string, refs gallery.References, oneIn uint32) error {
	if !refs.Known {
		d.note(protocol.CodeSubjectUnknown)
		return nil
	}
	if refs.Len() == 0 {
		d.note(protocol.CodeNoReference)
		return nil
	}
	var prepared []comparable
	defer func() {
		for _, p := range prepared {
			p.wipe()
		}
	}()
	for _, p := range probes {
		if p.Modality != modality {
			continue
		}
		c, err := prepare(p.Modality, p.Format, p.Data)
		if errors.Is(err, errQuality) {
			d.note(protocol.CodeProbeQuality)
			continue
		}
		if err != nil {
			return err
		}
		prepared = append(prepared, c)
	}
	// Several probes are several chances for an impostor: each must be decided at
	// a rate so much stricter that together they stay within the law's.
	strict := oneIn * uint32(max(len(prepared), 1))
	return refs.Each(func(t gallery.Template) error {
		ref, err := prepare(t.Modality, t.Format, t.Data)
		if err != nil {
			return err
		}
		defer ref.wipe()
		for _, p := range prepared {
			code, err := p.compare(ref, strict)
			if err != nil {
				return err
			}
			d.note(code)
		}
		return nil
	})
}

var errQuality = errors.New("preparing probe: too little detail")

// comparable is one decoded record ready for comparison with others of its modality.
type comparable struct {
	face    *face.Template
	fingers []*finger.Template
	at      []uint8 // positions of fingers
}

func (c comparable) wipe() {
	if c.face != nil {
		c.face.Wipe()
	}
	for _, f := range c.fingers {
		f.Wipe()
	}
}

// prepare decodes a record. It is where a probe, or a reference, is seen in clear.
func prepare(modality, format string, data []byte) (comparable, error) {
	switch {
	case modality == ModalityFace && format == exchange.FormatEmbedding:
		t, err := exchange.DecodeEmbedding(data)
		if err != nil {
			return comparable{}, &protocol.Fault{Code: protocol.CodeProbe, Err: err}
		}
		return comparable{face: t}, nil
	case modality == ModalityFinger && format == exchange.FormatFinger2005:
		return prepareFingers(data)
	}
	return comparable{}, &protocol.Fault{Code: protocol.CodeModality}
}

func prepareFingers(data []byte) (comparable, error) {
	samples, err := exchange.DecodeFinger(data)
	if err != nil {
		return comparable{}, &protocol.Fault{Code: protocol.CodeProbe, Err: err}
	}
	var c comparable
	for _, s := range samples {
		t, err := finger.Prepare(s)
		clear(s.Minutiae)
		if errors.Is(err, finger.ErrTooFewMinutiae) {
			continue
		}
		if err != nil {
			c.wipe()
			return comparable{}, &protocol.Fault{Code: protocol.CodeProbe, Err: err}
		}
		c.fingers, c.at = append(c.fingers, t), append(c.at, s.Position)
	}
	if len(c.fingers) == 0 {
		return comparable{}, errQuality
	}
	return c, nil
}

// compare decides at a false match rate of 1/oneIn. Fingers whose positions are
// both known and differ are not compared.
func (c comparable) compare(ref comparable, oneIn uint32) (protocol.Code, error) {
	if c.face != nil {
		return compareFaces(c.face, ref.face, oneIn)
	}
	code := protocol.CodeNoReference
	threshold, err := finger.Threshold(oneIn * uint32(len(c.fingers)))
	if errors.Is(err, finger.ErrUncalibrated) {
		return protocol.CodeUncalibrated, nil
	}
	if err != nil {
		return "", err
	}
	for i, p := range c.fingers {
		for j, r := range ref.fingers {
			if c.at[i] != 0 && ref.at[j] != 0 && c.at[i] != ref.at[j] {
				continue
			}
			if finger.Compare(p, r) >= threshold {
				return protocol.CodeMatched, nil
			}
			code = protocol.CodeNotMatched
		}
	}
	return code, nil
}

func compareFaces(probe, ref *face.Template, oneIn uint32) (protocol.Code, error) {
	if ref == nil {
		return protocol.CodeNoReference, nil
	}
	score, err := face.Compare(probe, ref)
	if errors.Is(err, face.ErrModelMismatch) {
		return protocol.CodeNotComparable, nil
	}
	if err != nil {
		return "", err
	}
	threshold, err := face.Threshold(probe.Model(), oneIn)
	if errors.Is(err, face.ErrUnknownModel) {
		return protocol.CodeNotComparable, nil
	}
	if errors.Is(err, face.ErrUncalibrated) {
		return protocol.CodeUncalibrated, nil
	}
	if err != nil {
		return "", err
	}
	if score >= threshold {
		return protocol.CodeMatched, nil
	}
	return protocol.CodeNotMatched, nil
}
