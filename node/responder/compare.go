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

// decision gathers the comparisons of one Query and decides on all of them together (TMG-R-011). Wipe it.
type decision struct {
	oneIn      uint32 // the law's false match rate
	scales     Calibrations
	code       protocol.Code
	references []*sample
	planned    []source
	sources    []fusion.Source
	sure       bool          // something was compared that can say no
	doubt      finger.Reason // the weightiest of what could not
}

// mostComparisons is how many comparisons one Query can cost a node, and again how many to find out which samples are
// of one finger. Ten fingers of unknown position against ten are a hundred; the largest Query about the largest subject
// would be 160,000.
const mostComparisons = 200

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

// add plans the comparisons of the probes of one modality with the subject's references in it.
func (d *decision) add(modality string, probes []*sample, refs gallery.References) error {
	if !refs.Known {
		return nil
	}
	d.note(protocol.CodeNoReference)
	if refs.Len() == 0 {
		return nil
	}
	references, err := decodeReferences(refs)
	d.references = append(d.references, references...)
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
	found := d.faceSources
	if modality == ModalityFinger {
		found = d.fingerSources
	}
	planned, err := found(usable, references)
	d.planned = append(d.planned, planned...)
	return err
}

func (d *decision) wipe() { wipe(d.references) }

// conclude makes the comparisons and is the verdict on them.
func (d *decision) conclude() (protocol.Code, error) {
	ok, err := d.affordable()
	if err != nil {
		return "", err
	}
	if !ok {
		return protocol.CodeUncalibrated, nil
	}
	for _, s := range d.planned {
		made, err := d.compare(s)
		if err != nil {
			return "", err
		}
		d.sources = append(d.sources, made)
	}
	verdict, err := fusion.Decide(d.sources, d.oneIn)
	switch {
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

// affordable reports, before any comparison is made, that the calibrations carry as many as are planned. Otherwise
// whoever sends many samples would have a node work for minutes towards an answer that is certain.
func (d *decision) affordable() (bool, error) {
	total := 0
	var counts []fusion.Source
	for i := range d.planned {
		s := &d.planned[i]
		s.pairs = d.chosen(*s)
		if s.pairs[0].probe.face == nil {
			s.calibration = d.scales.fingerOf(s.pairs)
		}
		n := len(s.pairs)
		if total += n; total > mostComparisons {
			return false, nil
		}
		counts = append(counts, fusion.Source{Calibration: s.calibration, Scores: make([]float64, n)})
	}
	_, err := fusion.Decide(counts, d.oneIn)
	if errors.Is(err, calibration.ErrUnsupported) {
		return false, nil
	}
	return err == nil, err
}

// disagree reports that one source alone would be a match though all together are not: no "no", and a reason to look
// at the person. The rate counts how many sources were tried, as far as the calibration goes: a good finger beside a
// bandaged one is no "no" where the law's rate is all that a single finger supports.
func (d *decision) disagree() bool {
	if len(d.sources) < 2 {
		return false
	}
	for _, s := range d.sources {
		strict := min(uint64(d.oneIn)*uint64(len(d.sources)), uint64(s.Calibration.Strictest())/uint64(len(s.Scores)))
		if v, err := fusion.Decide([]fusion.Source{s}, max(d.oneIn, uint32(strict))); err == nil && v == fusion.Matched {
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

// chosen is the comparisons of s to be made. Each is a chance for an impostor as much as for the person, so of several
// references of one finger or face only as many are compared as the calibration carries at the law's rate, the best
// first. Probes are what the officer chose to send: none is left out.
func (d *decision) chosen(s source) []pair {
	slices.SortStableFunc(s.pairs, func(a, b pair) int { return b.reference.worth() - a.reference.worth() })
	made := map[*sample]int{}
	for _, p := range s.pairs {
		made[p.probe] = 0
	}
	most := len(s.pairs)
	if !s.several {
		most = max(1, min(mostComparisons, fusion.Affordable(s.calibration, d.oneIn))/max(1, len(made)))
	}
	return slices.DeleteFunc(s.pairs, func(p pair) bool {
		made[p.probe]++
		return made[p.probe] > most
	})
}

func (d *decision) compare(s source) (fusion.Source, error) {
	out := fusion.Source{Calibration: s.calibration}
	for _, p := range s.pairs {
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
func (d *decision) faceSources(probes, references []*sample) ([]source, error) {
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
			return []source{s}, nil
		}
		d.note(protocol.CodeNotComparable)
	}
	return nil, nil
}

// fingerSources is one source for each finger that both sides name. It is a single source for all fingers when one of
// the samples does not say which finger it is, or when probes of different fingers are of one: evidence that may be
// the same evidence must not be added up.
func (d *decision) fingerSources(probes, references []*sample) ([]source, error) {
	references = telling(probes, references)
	together, err := d.oneFinger(probes, references)
	if err != nil {
		return nil, err
	}
	var out []source
	for _, p := range probes {
		for _, r := range references {
			if !sameName(p, r) {
				continue
			}
			at := slices.IndexFunc(out, func(s source) bool { return together || s.pairs[0].probe.view.Position == p.view.Position })
			if at < 0 {
				at = len(out)
				out = append(out, source{calibration: d.scales.finger()})
			}
			out[at].pairs = append(out[at].pairs, pair{p, r})
		}
	}
	if together && len(out) > 0 {
		alike, err := d.alike(out[0].pairs)
		out[0].several = !alike
		return out, err
	}
	return out, nil
}

// unnamed reports that a view does not say which finger it is.
func unnamed(s *sample) bool { return s.view.Position == 0 }

// sameName reports that nothing said of two views speaks against their being of one finger.
func sameName(p, r *sample) bool {
	return unnamed(p) || unnamed(r) || p.view.Position == r.view.Position
}

// telling is the references to choose from: those with enough detail, and those of unknown finger only where a probe
// needs them. Beside a reference that names the probe's finger they would be as many more chances for an impostor, keep
// the evidence of several fingers from adding up, and so leave the person undecided.
func telling(probes, references []*sample) []*sample {
	out := slices.DeleteFunc(slices.Clone(references), (*sample).poor)
	for _, p := range probes {
		named := func(r *sample) bool { return !unnamed(r) && sameName(p, r) }
		if unnamed(p) || !slices.ContainsFunc(out, named) {
			return out
		}
	}
	return slices.DeleteFunc(out, unnamed)
}

// samePlace is the rate at which two probes count as of one finger: lax, since a mistake only adds them to one source.
const samePlace = 100

func (d *decision) oneFinger(probes, references []*sample) (bool, error) {
	if slices.ContainsFunc(probes, unnamed) || slices.ContainsFunc(references, unnamed) {
		return true, nil
	}
	limit, err := d.scales.finger().Threshold(samePlace)
	if err != nil || len(probes)*(len(probes)-1)/2 > mostComparisons {
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

// alike reports that all references to be compared are impressions of one finger, whatever positions they name: each
// matches the one that tells most.
func (d *decision) alike(pairs []pair) (bool, error) {
	limit, err := d.scales.finger().Threshold(sameFinger)
	if err != nil || len(pairs) > mostComparisons {
		return false, nil // cannot be told: the cautious side
	}
	best := slices.MaxFunc(pairs, func(a, b pair) int { return a.reference.worth() - b.reference.worth() }).reference
	seen := map[*sample]bool{best: true}
	for _, p := range pairs {
		if seen[p.reference] {
			continue
		}
		seen[p.reference] = true
		score, _, err := d.score(pair{best, p.reference})
		if err != nil {
			return false, err
		}
		if score < limit.Score {
			return false, nil
		}
	}
	return true, nil
}
