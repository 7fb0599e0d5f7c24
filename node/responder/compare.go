package responder

import (
	"errors"
	"math"
	"slices"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/matcher/face"
	"github.com/tamga-id/tamga/matcher/finger"
	"github.com/tamga-id/tamga/node/gallery"
)

// decision gathers what the comparisons said. One match is enough; without one, a
// comparison that could be made is worth more than reasons why others could not.
type decision struct{ code protocol.Code }

func undecided() *decision { return &decision{code: protocol.CodeSubjectUnknown} }

// rank orders codes from what says least to what decides.
func rank(c protocol.Code) int {
	return slices.Index([]protocol.Code{
		protocol.CodeSubjectUnknown, protocol.CodeNoReference, protocol.CodeNotComparable, protocol.CodeProbeQuality,
		protocol.CodeUncalibrated, protocol.CodeNotMatched, protocol.CodeMatched,
	}, c)
}

func (d *decision) note(c protocol.Code) {
	if rank(c) > rank(d.code) {
		d.code = c
	}
}

// add compares the probes of one modality with the subject's references in it, at a
// false match rate of 1/oneIn for all of them together.
func (d *decision) add(modality string, probes []*sample, refs gallery.References, oneIn uint32) error {
	if !refs.Known {
		return nil
	}
	d.note(protocol.CodeNoReference)
	if refs.Len() == 0 {
		return nil
	}
	references, err := decodeReferences(refs)
	defer wipe(references)
	if err != nil {
		return err
	}
	var pairs []pair
	for _, p := range probes {
		switch {
		case p.modality != modality:
		case p.poor():
			d.note(protocol.CodeProbeQuality)
		default:
			pairs = append(pairs, d.pairs(p, references)...)
		}
	}
	if err := calibrate(pairs, oneIn); err != nil {
		return err
	}
	for _, p := range pairs {
		code, err := p.compare()
		if err != nil {
			return err
		}
		if d.note(code); code == protocol.CodeMatched {
			return nil
		}
	}
	return nil
}

// pair is a comparison to be made.
type pair struct {
	probe, reference *sample
	further          bool // the reference is not the first of its face or finger
	calibrated       bool
	limit            float64 // least score that is a match, when calibrated
}

// pairs lists what p can be compared with. Fingers whose positions are both known
// and differ are not compared, nor are faces of different models, nor of a model
// for which there is no threshold.
func (d *decision) pairs(p *sample, references []*sample) []pair {
	var out []pair
	var had [256]bool // by position of the reference
	for _, r := range references {
		at := r.view.Position
		switch {
		case p.face != nil:
			_, known := face.Lookup(p.face.Model())
			if !known || r.face.Model() != p.face.Model() {
				d.note(protocol.CodeNotComparable)
				continue
			}
		case r.poor():
			continue
		case p.view.Position != 0 && at != 0 && p.view.Position != at:
			continue
		}
		out = append(out, pair{probe: p, reference: r, further: had[at]})
		had[at] = true
	}
	return out
}

// calibrate gives every pair the threshold it is decided at. Each is one more chance
// for an impostor, so each is held to the law's rate divided by their number. Where
// the matcher is not calibrated that far, the references of one face, those of one
// known finger, and those of unknown fingers count as one each (TMG-R-011).
func calibrate(pairs []pair, oneIn uint32) error {
	ok, err := setLimits(pairs, oneIn, len(pairs))
	if err != nil || ok {
		return err
	}
	chances := 0
	for _, p := range pairs {
		if !p.further {
			chances++
		}
	}
	_, err = setLimits(pairs, oneIn, chances)
	return err
}

// setLimits sets the thresholds at a rate of 1/oneIn divided by chances. It reports
// whether every pair has one.
func setLimits(pairs []pair, oneIn uint32, chances int) (bool, error) {
	all := true
	strict := uint32(min(uint64(oneIn)*uint64(chances), math.MaxUint32))
	for i := range pairs {
		p := &pairs[i]
		var err error
		if p.probe.face != nil {
			p.limit, err = face.Threshold(p.probe.face.Model(), strict)
		} else {
			p.limit, err = finger.Threshold(strict)
		}
		uncalibrated := errors.Is(err, face.ErrUncalibrated) || errors.Is(err, finger.ErrUncalibrated)
		if err != nil && !uncalibrated {
			return false, err
		}
		p.calibrated = !uncalibrated
		all = all && p.calibrated
	}
	return all, nil
}

var errScore = errors.New("comparing: the score is not a number")

func (p pair) compare() (protocol.Code, error) {
	if !p.calibrated {
		return protocol.CodeUncalibrated, nil
	}
	score, err := p.score()
	switch {
	case err != nil:
		return "", err
	case math.IsNaN(score):
		return "", errScore
	case score >= p.limit:
		return protocol.CodeMatched, nil
	}
	return protocol.CodeNotMatched, nil
}

func (p pair) score() (float64, error) {
	if p.probe.face != nil {
		return face.Compare(p.probe.face, p.reference.face)
	}
	probe, err := p.probe.template()
	if err != nil {
		return 0, err
	}
	reference, err := p.reference.template()
	if err != nil {
		return 0, err
	}
	return finger.Compare(probe, reference), nil
}
