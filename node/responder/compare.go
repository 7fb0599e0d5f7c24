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
	case !d.sure && d.doubt == finger.SmallPart:
		return protocol.CodeSmallPart, nil
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
		d.choose(s)
		counted, err := s.made(func(p pair) (float64, error) { total++; return 0, nil })
		if err != nil {
			return false, err
		}
		if total > mostComparisons {
			return false, nil
		}
		counts = append(counts, counted)
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
		supported := uint64(s.Calibration.Strictest())
		chances := len(s.Scores)
		for _, m := range s.Also {
			supported, chances = min(supported, uint64(m.Calibration.Strictest())), chances+len(m.Scores)
		}
		strict := min(uint64(d.oneIn)*uint64(len(d.sources)), supported/uint64(chances))
		if v, err := fusion.Decide([]fusion.Source{s}, max(d.oneIn, uint32(strict))); err == nil && v == fusion.Matched {
			return true
		}
	}
	return false
}

// pair is a comparison to be made.
type pair struct{ probe, reference *sample }

// part is comparisons whose scores mean the same.
type part struct {
	calibration *calibration.Calibration
	pairs       []pair
}

// source is the comparisons of one face or one finger, or of fingers that cannot be told apart: a part for each model
// of a face, one for fingers.
type source struct {
	parts   []part
	several bool // of fingers that may differ: leaving one out may leave out the right one
}

// made is the source with the score of every comparison.
func (s source) made(score func(pair) (float64, error)) (fusion.Source, error) {
	var out fusion.Source
	for i, p := range s.parts {
		made := fusion.Source{Calibration: p.calibration}
		for _, one := range p.pairs {
			v, err := score(one)
			if err != nil {
				return fusion.Source{}, err
			}
			made.Scores = append(made.Scores, v)
		}
		if i == 0 {
			out = made
		} else {
			out.Also = append(out.Also, made)
		}
	}
	return out, nil
}

// choose settles the comparisons of s to be made. Each is a chance for an impostor as much as for the person, so of
// several references of one finger or face only as many are compared as the calibrations carry at the law's rate, the
// best first. Probes are what the officer chose to send: none is left out.
func (d *decision) choose(s *source) {
	affordable, made := mostComparisons, map[*sample]int{}
	for _, p := range s.parts {
		affordable = min(affordable, fusion.Affordable(p.calibration, d.oneIn))
		for _, one := range p.pairs {
			made[one.probe] = 0
		}
	}
	most := max(1, affordable/max(1, len(made)))
	for i := range s.parts {
		p := &s.parts[i]
		slices.SortStableFunc(p.pairs, func(a, b pair) int { return b.reference.worth() - a.reference.worth() })
		if !s.several {
			p.pairs = slices.DeleteFunc(p.pairs, func(one pair) bool {
				made[one.probe]++
				return made[one.probe] > most
			})
		}
		if p.pairs[0].probe.face == nil {
			p.calibration = d.scales.fingerOf(p.pairs)
		}
	}
}

func (d *decision) compare(s source) (fusion.Source, error) {
	return s.made(func(p pair) (float64, error) {
		score, doubt, err := d.score(p)
		d.sure = d.sure || doubt == finger.NoReason
		d.doubt = max(d.doubt, doubt)
		return score, err
	})
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
	return finger.Compare(probe, reference), finger.Doubt(p.probe.view, p.reference.view), nil
}

// faceSources is one source with a part for each model in which both sides have a face. A person has one face, however
// many models see it.
func (d *decision) faceSources(probes, references []*sample) ([]source, error) {
	var out source
	for _, p := range probes {
		c := d.scales.face(p.face.Model())
		compared := false
		for _, r := range references {
			if c == nil || r.face.Model() != p.face.Model() || r.face.Dims() != p.face.Dims() {
				continue
			}
			at := slices.IndexFunc(out.parts, func(o part) bool { return o.calibration == c })
			if at < 0 {
				at = len(out.parts)
				out.parts = append(out.parts, part{calibration: c})
			}
			out.parts[at].pairs = append(out.parts[at].pairs, pair{p, r})
			compared = true
		}
		if !compared {
			d.note(protocol.CodeNotComparable)
		}
	}
	if len(out.parts) == 0 {
		return nil, nil
	}
	return []source{out}, nil
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
			at := slices.IndexFunc(out, func(s source) bool { return together || s.parts[0].pairs[0].probe.view.Position == p.view.Position })
			if at < 0 {
				at = len(out)
				out = append(out, source{parts: []part{{calibration: d.scales.finger()}}})
			}
			one := &out[at].parts[0]
			one.pairs = append(one.pairs, pair{p, r})
		}
	}
	if together && len(out) > 0 {
		alike, err := d.alike(out[0].parts[0].pairs)
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

// samePlace is the rate at which two probes of different positions count as of one finger: lax, since it does not
// decide alone. The evidence is the same only where the references are of one finger, too, at the rate of sameFinger.
const samePlace = 100

// sameFinger is the rate at which two references count as of one finger.
const sameFinger = 1000

// oneFinger reports that samples of different fingers are of one, or that it cannot be told: the cautious side. Whoever
// sends a finger under two names to a register that has one under two names would have its one chance counted as two.
func (d *decision) oneFinger(probes, references []*sample) (bool, error) {
	if slices.ContainsFunc(probes, unnamed) || slices.ContainsFunc(references, unnamed) {
		return true, nil
	}
	lax, err := d.scales.finger().Threshold(samePlace)
	if err != nil || len(probes)*(len(probes)-1)/2 > mostComparisons {
		return true, nil
	}
	strict, err := d.scales.finger().Threshold(sameFinger)
	if err != nil {
		return true, nil
	}
	left := mostComparisons
	for i, p := range probes {
		for _, q := range probes[i+1:] {
			if p.view.Position == q.view.Position {
				continue
			}
			score, _, err := d.score(pair{p, q})
			if err != nil {
				return false, err
			}
			if score < lax.Score {
				continue
			}
			same, err := d.enrolledTwice(p.view.Position, q.view.Position, references, strict.Score, &left)
			if same || err != nil {
				return same, err
			}
		}
	}
	return false, nil
}

// enrolledTwice reports that a reference of one position and one of the other are of one finger, or that no more
// comparisons are left to find out.
func (d *decision) enrolledTwice(one, other uint8, references []*sample, limit float64, left *int) (bool, error) {
	for _, a := range references {
		for _, b := range references {
			if a.view.Position != one || b.view.Position != other {
				continue
			}
			if *left--; *left < 0 {
				return true, nil
			}
			score, _, err := d.score(pair{a, b})
			if err != nil || score >= limit {
				return err == nil, err
			}
		}
	}
	return false, nil
}

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
