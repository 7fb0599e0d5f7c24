// Package comparison compares the probes of a Query with a person's references and decides on
// all of them together: it decodes both, pairs what may be of one finger, eye, face or hand,
// and fuses the scores at the false match rate that law demands.
//
// [New] makes a Decision, [DecodeProbes] the samples for it, Add plans and Conclude compares.
// [DecodeOne] is one sample for many people.
//
// Invariants: probes and references are decoded by one function; what is decoded is wiped; no
// Query costs more than a bounded number of comparisons; evidence that may be the same
// evidence is not added up.
//
// Not here: whether anything may be compared at all (node/responder, node/identify).
package comparison

import (
	"errors"
	"math"
	"slices"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/matcher/calibration"
	"github.com/tamga-id/tamga/matcher/face"
	"github.com/tamga-id/tamga/matcher/finger"
	"github.com/tamga-id/tamga/matcher/fusion"
	"github.com/tamga-id/tamga/matcher/iris"
	"github.com/tamga-id/tamga/matcher/signature"
	"github.com/tamga-id/tamga/node/gallery"
)

// Faces turns probes like the references that they are compared with. protection.Faces does.
type Faces interface {
	// Turn gives the form in which a face compares with stored ones of that name, which
	// are of its model. The caller wipes it.
	Turn(probe *face.Template, name string) (*face.Template, error)
}

// Decision gathers the comparisons of one Query and decides on all of them together (TMG-R-011). Wipe it.
type Decision struct {
	oneIn      uint32 // the law's false match rate
	scales     Calibrations
	faces      Faces // nil where no face is stored protected
	code       protocol.Code
	references []*sample
	planned    []source
	sources    []fusion.Source
	dropped    bool          // a comparison that was planned could not be made
	sure       bool          // something was compared that can say no
	doubt      finger.Reason // the weightiest of what could not
}

// mostComparisons is how many comparisons one Query can cost a node, and again, for each of fingers and irises, how many to
// find out which samples are of one. Ten fingers of unknown position against ten are a hundred; the largest Query about the largest subject
// would be 160,000.
const mostComparisons = 200

// New returns a Decision at the false match rate that law demands. Without scales the calibrations shipped with the
// matchers are used; faces is nil where no face is stored protected.
func New(oneIn uint32, scales Calibrations, faces Faces) *Decision {
	return &Decision{oneIn: oneIn, scales: scales, faces: faces, code: protocol.CodeSubjectUnknown}
}

// rank orders the codes of what could not be compared from what says least.
func rank(c protocol.Code) int {
	return slices.Index([]protocol.Code{
		protocol.CodeSubjectUnknown, protocol.CodeNoReference, protocol.CodeNotComparable, protocol.CodeProbeQuality,
	}, c)
}

func (d *Decision) note(c protocol.Code) {
	if rank(c) > rank(d.code) {
		d.code = c
	}
}

// Add plans the comparisons of the probes of one modality with the subject's references in it.
func (d *Decision) Add(modality string, probes Samples, refs gallery.References) error {
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
	found := map[string]func(probes, references []*sample) ([]source, error){
		ModalityFinger: d.fingerSources, ModalityFace: d.faceSources, ModalityIris: d.irisSources, ModalitySignature: d.signatureSources,
	}[modality]
	planned, err := found(usable, references)
	d.planned = append(d.planned, planned...)
	return err
}

// Wipe overwrites the references; probes are the caller's.
func (d *Decision) Wipe() { wipe(d.references) }

// Conclude makes the comparisons and is the verdict on them.
func (d *Decision) Conclude() (protocol.Code, error) {
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
	case errors.Is(err, calibration.ErrUnsupported) && d.dropped:
		return d.code, nil // what is left does not carry the rate that all together did
	case err != nil:
		return "", err
	case verdict == fusion.Matched:
		return protocol.CodeMatched, nil
	case verdict == fusion.Undecided:
		return d.code, nil
	case d.disagree():
		return protocol.CodeDisagree, nil
	}
	return d.unmatched(), nil
}

// unmatched is the code of comparisons that were no match.
func (d *Decision) unmatched() protocol.Code {
	switch {
	case d.sure:
		return protocol.CodeNotMatched
	case d.doubt == finger.PoorCapture:
		return protocol.CodePoorCapture
	}
	return protocol.CodeSmallPart
}

// affordable reports, before any comparison is made, that the calibrations carry as many as are planned. Otherwise
// whoever sends many samples would have a node work for minutes towards an answer that is certain.
func (d *Decision) affordable() (bool, error) {
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
// at the person. Where the calibrations do not carry the rate for it alone, that is not known.
func (d *Decision) disagree() bool {
	if len(d.sources) < 2 {
		return false
	}
	for _, s := range d.sources {
		if v, err := fusion.Decide([]fusion.Source{s}, d.oneIn); err == nil && v == fusion.Matched {
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

// source is the comparisons of one face, finger, eye or hand, or of fingers or eyes that cannot be told apart: a part for
// each model of a face and each program of an iris, one for all else.
type source struct {
	parts   []part
	several bool // of fingers or eyes that may differ: leaving one out may leave out the right one
}

// add takes one more comparison into the part whose scores mean what c says.
func (s *source) add(c *calibration.Calibration, one pair) {
	at := slices.IndexFunc(s.parts, func(p part) bool { return p.calibration == c })
	if at < 0 {
		at = len(s.parts)
		s.parts = append(s.parts, part{calibration: c})
	}
	s.parts[at].pairs = append(s.parts[at].pairs, one)
}

// made is the source with the score of every comparison; one that could not be made has none.
func (s source) made(score func(pair) (float64, error)) (fusion.Source, error) {
	var out fusion.Source
	for i, p := range s.parts {
		made := fusion.Source{Calibration: p.calibration}
		for _, one := range p.pairs {
			v, err := score(one)
			if err != nil {
				return fusion.Source{}, err
			}
			if !math.IsNaN(v) {
				made.Scores = append(made.Scores, v)
			}
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
func (d *Decision) choose(s *source) {
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
		if p.pairs[0].probe.modality == ModalityFinger {
			p.calibration = d.scales.fingerOf(p.pairs)
		}
	}
}

func (d *Decision) compare(s source) (fusion.Source, error) {
	return s.made(func(p pair) (float64, error) {
		score, doubt, err := d.score(p)
		switch {
		case errors.Is(err, iris.ErrUndecidable):
			d.note(protocol.CodeProbeQuality)
		case errors.Is(err, errNoWriter):
			d.note(protocol.CodeNoReference)
		case err != nil:
			return 0, err
		}
		if err != nil {
			d.dropped = true
			return math.NaN(), nil
		}
		if p.probe.unsure {
			doubt = max(doubt, finger.SmallPart)
		}
		d.sure = d.sure || doubt == finger.NoReason
		d.doubt = max(d.doubt, doubt)
		return score, nil
	})
}

// score is that of one comparison, and why it cannot say no, should it not be a match.
func (d *Decision) score(p pair) (float64, finger.Reason, error) {
	switch p.probe.modality {
	case ModalityFace:
		probe, err := d.turned(p.probe, p.reference.face.Model())
		if err != nil {
			return 0, finger.NoReason, err
		}
		score, err := face.Compare(probe, p.reference.face)
		return score, finger.NoReason, err
	case ModalityIris:
		r, err := iris.Compare(p.probe.iris, p.reference.iris)
		return r.Score, finger.NoReason, err
	case ModalitySignature:
		writer, err := p.reference.reference()
		if err != nil {
			return 0, finger.NoReason, err
		}
		score, err := signature.Compare(p.probe.signature, writer)
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

// turned is a face in the form in which it compares with stored ones of a name.
func (d *Decision) turned(p *sample, name string) (*face.Template, error) {
	if name == p.face.Model() {
		return p.face, nil
	}
	if t, ok := p.turned[name]; ok {
		return t, nil
	}
	if d.faces == nil {
		return nil, face.ErrModelMismatch
	}
	t, err := d.faces.Turn(p.face, name)
	if err != nil {
		return nil, err
	}
	if p.turned == nil {
		p.turned = make(map[string]*face.Template)
	}
	p.turned[name] = t
	return t, nil
}
