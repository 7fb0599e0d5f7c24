package responder

import (
	"errors"
	"slices"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/matcher/calibration"
	"github.com/tamga-id/tamga/matcher/face"
	"github.com/tamga-id/tamga/matcher/finger"
	"github.com/tamga-id/tamga/matcher/fusion"
	"github.com/tamga-id/tamga/node/gallery"
)

// decision gathers the comparisons of one Query and decides on all of them together (TMG-R-011).
type decision struct {
	oneIn   uint32 // the law's false match rate
	scales  Calibrations
	code    protocol.Code
	sources []fusion.Source
	sure    bool          // something was compared that can say no
	doubt   finger.Reason // the weightiest of what could not
}

func undecided(oneIn uint32, scales Calibrations) *decision {
	return &decision{oneIn: oneIn, scales: scales, code: protocol.CodeSubjectUnknown}
}

// rank orders the codes of what could not be compared from what says least.
func rank(c protocol.Code) int {
	return slices.Index([]protocol.Code{
		protocol.CodeSubjectUnknown, protocol.CodeNoReference, protocol.CodeNotComparable, protocol.CodeProbeQuality,
	}, c)
}

func (d *decision) note(c protocol.Code) {
	if rank(c) > rank(d.code) {
		d.code = c
	}
}

// add compares the probes of one modality with the subject's references in it.
func (d *decision) add(modality string, probes []*sample, refs gallery.References) error {
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
	var usable []*sample
	for _, p := range probes {
		switch {
		case p.modality != modality:
		case p.poor():
			d.note(protocol.CodeProbeQuality)
		default:
			usable = append(usable, p)
		}
	}
	var found []source
	if modality == ModalityFace {
		found = d.faceSources(usable, references)
	} else if found, err = d.fingerSources(usable, references); err != nil {
		return err
	}
	for _, s := range found {
		scores, err := d.compare(s)
		if err != nil {
			return err
		}
		if len(scores.Scores) > 0 {
			d.sources = append(d.sources, scores)
		}
	}
	return nil
}

// conclude is the verdict on everything added.
func (d *decision) conclude() (protocol.Code, error) {
	verdict, err := fusion.Decide(d.sources, d.oneIn)
	switch {
	case errors.Is(err, calibration.ErrUnsupported):
		return protocol.CodeUncalibrated, nil
	case err != nil:
		return "", err
	case verdict == fusion.Matched:
		return protocol.CodeMatched, nil
	case verdict == fusion.Undecided:
		return d.code, nil
	case d.disagree():
		return protocol.CodeDisagree, nil
	case !d.sure && d.doubt == finger.SmallOverlap:
		return protocol.CodeSmallOverlap, nil
	case !d.sure && d.doubt == finger.PoorCapture:
		return protocol.CodePoorCapture, nil
	}
	return protocol.CodeNotMatched, nil
}

// disagree reports that one source alone would be a match, at a rate that counts how many were tried, though all
// together are not: no "no", and a reason to look at the person.
func (d *decision) disagree() bool {
	for _, s := range d.sources {
		strict := uint64(d.oneIn) * uint64(len(d.sources))
		if strict > 1<<32-1 || len(d.sources) < 2 {
			return false
		}
		if v, err := fusion.Decide([]fusion.Source{s}, uint32(strict)); err == nil && v == fusion.Matched {
			return true
		}
	}
	return false
}

// pair is a comparison to be made.
type pair struct{ probe, reference *sample }

// source is the comparisons of one face or one finger, or of fingers that cannot be told apart.
type source struct {
	calibration *calibration.Calibration
	pairs       []pair
	several     bool // of fingers that may differ: leaving one out may leave out the right one
}

// compare makes the comparisons. Each is a chance for an impostor as much as for the person, so of several references
// of one finger or face only as many are compared as the calibration carries at the law's rate, the best first. Probes
// are what the officer chose to send: none is left out.
func (d *decision) compare(s source) (fusion.Source, error) {
	slices.SortStableFunc(s.pairs, func(a, b pair) int { return b.reference.worth() - a.reference.worth() })
	made := map[*sample]int{}
	for _, p := range s.pairs {
		made[p.probe] = 0
	}
	most := len(s.pairs)
	if !s.several {
		most = max(1, fusion.Affordable(s.calibration, d.oneIn)/max(1, len(made)))
	}
	out := fusion.Source{Calibration: s.calibration}
	for _, p := range s.pairs {
		if made[p.probe]++; made[p.probe] > most {
			continue
		}
		score, doubt, err := d.score(p)
		if err != nil {
			return fusion.Source{}, err
		}
		out.Scores = append(out.Scores, score)
		d.sure = d.sure || doubt == finger.NoReason
		d.doubt = max(d.doubt, doubt)
	}
	return out, nil
}

// score is that of one comparison, and why it cannot say no, should it not be a match.
func (d *decision) score(p pair) (float64, finger.Reason, error) {
	if p.probe.face != nil {
		score, err := face.Compare(p.probe.face, p.reference.face)
		return score, finger.NoReason, err
	}
	probe, err := p.probe.template()
	if err != nil {
		return 0, finger.NoReason, err
	}
	reference, err := p.reference.template()
	if err != nil {
		return 0, finger.NoReason, err
	}
	c := finger.Examine(probe, reference)
	return c.Score, finger.Doubt(p.probe.view, p.reference.view, c, d.scales.finger().LLR(c.Score)), nil
}

// faceSources is one source for each model in which both sides have a face. A person has one face, but two models
// see it so differently that neither threshold covers the other's errors; the first model in the probes decides.
func (d *decision) faceSources(probes, references []*sample) []source {
	for _, first := range probes {
		c := d.scales.face(first.face.Model())
		if c == nil {
			d.note(protocol.CodeNotComparable)
			continue
		}
		s := source{calibration: c}
		for _, p := range probes {
			for _, r := range references {
				if p.face.Model() == first.face.Model() && r.face.Model() == first.face.Model() && p.face.Dims() == r.face.Dims() {
					s.pairs = append(s.pairs, pair{p, r})
				}
			}
		}
		if len(s.pairs) > 0 {
			return []source{s}
		}
		d.note(protocol.CodeNotComparable)
	}
	return nil
}

// fingerSources is one source for each finger that both sides name. It is a single source for all fingers when one of
// the samples does not say which finger it is, or when probes of different fingers are of one: evidence that may be
// the same evidence must not be added up.
func (d *decision) fingerSources(probes, references []*sample) ([]source, error) {
	var out []source
	together, err := d.oneFinger(probes, references)
	if err != nil {
		return nil, err
	}
	several := together
	if together {
		alike, err := d.alike(references)
		if err != nil {
			return nil, err
		}
		several = !alike
	}
	for _, p := range probes {
		for _, r := range references {
			if r.poor() || p.view.Position != 0 && r.view.Position != 0 && p.view.Position != r.view.Position {
				continue
			}
			at := slices.IndexFunc(out, func(s source) bool { return together || s.pairs[0].probe.view.Position == p.view.Position })
			if at < 0 {
				at = len(out)
				out = append(out, source{calibration: d.scales.finger(), several: several})
			}
			out[at].pairs = append(out[at].pairs, pair{p, r})
		}
	}
	return out, nil
}

// samePlace is the rate at which two probes count as of one finger: lax, since a mistake only adds them to one source.
const samePlace = 100

func (d *decision) oneFinger(probes, references []*sample) (bool, error) {
	unplaced := func(s *sample) bool { return s.view.Position == 0 }
	if slices.ContainsFunc(probes, unplaced) || slices.ContainsFunc(references, unplaced) {
		return true, nil
	}
	limit, err := d.scales.finger().Threshold(samePlace)
	if err != nil {
		return true, nil // cannot be told: the cautious side
	}
	for i, p := range probes {
		for _, q := range probes[i+1:] {
			if p.view.Position == q.view.Position {
				continue
			}
			score, _, err := d.score(pair{p, q})
			if err != nil {
				return false, err
			}
			if score >= limit.Score {
				return true, nil
			}
		}
	}
	return false, nil
}

// sameFinger is the rate at which two references count as of one finger: a mistake only leaves one of them out.
const sameFinger = 1000

// alike reports that all usable references are impressions of one finger, whatever positions they name: each matches
// the one that tells most.
func (d *decision) alike(references []*sample) (bool, error) {
	limit, err := d.scales.finger().Threshold(sameFinger)
	if err != nil {
		return false, nil // cannot be told: the cautious side
	}
	var best *sample
	for _, r := range references {
		if !r.poor() && (best == nil || r.worth() > best.worth()) {
			best = r
		}
	}
	for _, r := range references {
		if r == best || r.poor() {
			continue
		}
		score, _, err := d.score(pair{best, r})
		if err != nil {
			return false, err
		}
		if score < limit.Score {
			return false, nil
		}
	}
	return true, nil
}
