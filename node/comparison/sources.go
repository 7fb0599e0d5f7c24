package comparison

import (
	"errors"
	"slices"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/matcher/calibration"
	"github.com/tamga-id/tamga/matcher/face"
	"github.com/tamga-id/tamga/matcher/iris"
	"github.com/tamga-id/tamga/matcher/protect"
	"github.com/tamga-id/tamga/matcher/signature"
)

// faceSources is one source with a part for each model in which both sides have a face. A person has one face, however
// many models see it.
func (d *Decision) faceSources(probes, references []*sample) ([]source, error) {
	var out source
	for _, p := range probes {
		c := d.scales.face(p.face.Model())
		compared := false
		for _, r := range references {
			if c == nil || modelOf(r.face) != p.face.Model() || r.face.Dims() != p.face.Dims() {
				continue
			}
			out.add(c, pair{p, r})
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

// modelOf is the model that computed a face, whether it is stored protected or not.
func modelOf(f *face.Template) string {
	if model, _, ok := protect.Base(f.Model()); ok {
		return model
	}
	return f.Model()
}

// fingerSources is one source for each finger that both sides name.
func (d *Decision) fingerSources(probes, references []*sample) ([]source, error) {
	c := d.scales.finger()
	return d.placedSources(probes, references, func(_, _ *sample) *calibration.Calibration { return c })
}

// irisSources is one source for each eye that both sides name, with a part for each program whose codes both sides have.
// Codes of two programs compare to noise.
func (d *Decision) irisSources(probes, references []*sample) ([]source, error) {
	return d.placedSources(probes, references, func(p, r *sample) *calibration.Calibration {
		if p.profile != r.profile {
			return nil
		}
		return d.scales.iris(p.profile)
	})
}

// signatureSources is one source, the hand. What is compared with is all signatures of the writer that were measured as
// the probe was, together; fewer than signature.MinSignatures do not show how the writer varies.
func (d *Decision) signatureSources(probes, references []*sample) ([]source, error) {
	out := part{calibration: d.scales.signature()}
	var writers []*sample // one for each set of channels
	for _, p := range probes {
		at := slices.IndexFunc(writers, func(w *sample) bool { return signature.SameChannels(w.signature, p.signature) })
		if at < 0 {
			at = len(writers)
			writers = append(writers, &sample{modality: ModalitySignature, signature: p.signature, signatures: d.signatures(p, references)})
			d.references = append(d.references, writers[at])
		}
		if len(writers[at].signatures) > 0 {
			out.pairs = append(out.pairs, pair{p, writers[at]})
		}
	}
	if len(out.pairs) == 0 {
		return nil, nil
	}
	return []source{{parts: []part{out}}}, nil
}

// mostPoints bounds the signatures that a probe is compared with by their length, since what it costs to find out how the
// writer varies grows with its square: a minute of signing, where ten signatures of the longest would be three and
// a half.
const mostPoints = 6000

// signatures are the references measured as p was, as many as may be used, or none with a note when they do not show how
// the writer varies.
func (d *Decision) signatures(p *sample, references []*sample) []*signature.Template {
	var same []*signature.Template
	points := 0
	for _, r := range references {
		if !signature.SameChannels(r.signature, p.signature) || len(same) == signature.MaxSignatures {
			continue
		}
		if points += r.signature.Len(); points > mostPoints && len(same) >= signature.MinSignatures {
			break
		}
		same = append(same, r.signature)
	}
	switch {
	case len(same) == 0:
		d.note(protocol.CodeNotComparable)
	case len(same) < signature.MinSignatures:
		d.note(protocol.CodeNoReference)
		return nil
	}
	return same
}

// scale says what the score of two samples means, nil when nothing is known of it.
type scale func(a, b *sample) *calibration.Calibration

// placedSources is one source for each finger or eye that both sides name. It is a single source for all when one of
// the samples does not say which it is, or when probes of different places are of one: evidence that may be the same
// evidence must not be added up.
func (d *Decision) placedSources(probes, references []*sample, scale scale) ([]source, error) {
	probes = slices.DeleteFunc(slices.Clone(probes), func(p *sample) bool {
		other := !slices.ContainsFunc(references, func(r *sample) bool { return scale(p, r) != nil })
		if other {
			d.note(protocol.CodeNotComparable)
		}
		return other
	})
	all := references
	references = telling(probes, references, scale)
	left := mostComparisons
	together, err := d.onePlace(probes, references, scale, &left)
	if err != nil {
		return nil, err
	}
	var out []source
	for _, p := range probes {
		p.unsure = concealed(p, all, references)
		for _, r := range references {
			c := scale(p, r)
			if c == nil || !sameName(p, r) {
				continue
			}
			at := slices.IndexFunc(out, func(s source) bool { return together || s.parts[0].pairs[0].probe.place == p.place })
			if at < 0 {
				at = len(out)
				out = append(out, source{})
			}
			out[at].add(c, pair{p, r})
		}
	}
	if together && len(out) > 0 {
		alike, err := d.alike(out[0], scale, &left)
		out[0].several = !alike
		return out, err
	}
	return out, nil
}

// unnamed reports that a sample does not say which finger or eye it is.
func unnamed(s *sample) bool { return s.place == 0 }

// sameName reports that nothing said of two samples speaks against their being of one finger or eye.
func sameName(p, r *sample) bool {
	return unnamed(p) || unnamed(r) || p.place == r.place
}

// telling is the references to choose from: those with enough detail, and those of unknown finger only where a probe
// needs them. Beside a reference that names the probe's finger they would be as many more chances for an impostor, keep
// the evidence of several fingers from adding up, and so leave the person undecided.
func telling(probes, references []*sample, scale scale) []*sample {
	out := slices.DeleteFunc(slices.Clone(references), (*sample).poor)
	for _, p := range probes {
		named := func(r *sample) bool { return !unnamed(r) && sameName(p, r) && scale(p, r) != nil }
		if unnamed(p) || !slices.ContainsFunc(out, named) {
			return out
		}
	}
	return slices.DeleteFunc(out, unnamed)
}

// concealed reports that the probe may be of a finger or eye of which the references have nothing but samples of too
// little detail, so that its being none of the others does not say no.
func concealed(p *sample, all, telling []*sample) bool {
	return slices.ContainsFunc(all, func(r *sample) bool {
		shown := !unnamed(r) && slices.ContainsFunc(telling, func(o *sample) bool { return o.place == r.place })
		return r.poor() && sameName(p, r) && !shown
	})
}

// samePlace is the rate at which two probes of different positions count as of one finger: lax, since it does not
// decide alone. The evidence is the same only where the references are of one finger, too, at the rate of sameFinger.
// One probe under ten names against ten fingers is ten comparisons, and none likelier to match than another: templates
// made to be like many fingers, too, stay under what the calibration holds against every single one
// (TestOneProbeUnderTenNames).
const samePlace = 100

// sameFinger is the rate at which two references count as of one finger.
const sameFinger = 1000

// likeness says whether two samples are of one finger or eye.
type likeness int

const (
	untold likeness = iota // they cannot be compared, or not at the rate
	unlike
	alike
)

// likeness compares two samples of one side. left is how many comparisons may yet be made to find out what is of one
// finger; without any it is untold.
func (d *Decision) likeness(a, b *sample, scale scale, oneIn uint32, left *int) (likeness, error) {
	if *left--; *left < 0 {
		return untold, nil
	}
	claim, err := scale(a, b).Threshold(oneIn)
	if err != nil {
		return untold, nil //nolint:nilerr // that the rate is not supported is the answer
	}
	score, _, err := d.score(pair{a, b})
	switch {
	case errors.Is(err, iris.ErrUndecidable):
		return untold, nil
	case err != nil:
		return untold, err
	case score >= claim.Score:
		return alike, nil
	}
	return unlike, nil
}

// onePlace reports that samples of different fingers, or eyes, are of one, or that it cannot be told: the cautious side. Whoever
// sends a finger under two names to a register that has one under two names would have its one chance counted as two.
func (d *Decision) onePlace(probes, references []*sample, scale scale, left *int) (bool, error) {
	if slices.ContainsFunc(probes, unnamed) || slices.ContainsFunc(references, unnamed) || len(probes)*(len(probes)-1)/2 > mostComparisons {
		return true, nil
	}
	for i, p := range probes {
		for _, q := range probes[i+1:] {
			if p.place == q.place {
				continue
			}
			is, err := d.likeness(p, q, scale, samePlace, left)
			if err != nil {
				return false, err
			}
			if is == unlike {
				continue
			}
			same, err := d.enrolledTwice(p.place, q.place, references, scale, left)
			if same || err != nil {
				return same, err
			}
		}
	}
	return false, nil
}

// enrolledTwice reports that a reference of one position and one of the other are of one finger, or that it cannot be
// told.
func (d *Decision) enrolledTwice(one, other uint8, references []*sample, scale scale, left *int) (bool, error) {
	second := tellingMost(references, other)
	for _, a := range tellingMost(references, one) {
		for _, b := range second {
			is, err := d.likeness(a, b, scale, sameFinger, left)
			if err != nil || is != unlike {
				return err == nil, err
			}
		}
	}
	return false, nil
}

// tellingMost is the two references of a position that tell most, which are those that probes are compared with first:
// looking at all of them, for fingers captured twice and enrolled six times, would find out nothing within the bound.
func tellingMost(references []*sample, place uint8) []*sample {
	out := slices.DeleteFunc(slices.Clone(references), func(r *sample) bool { return r.place != place })
	slices.SortStableFunc(out, func(a, b *sample) int { return b.worth() - a.worth() })
	return out[:min(2, len(out))]
}

// alike reports that all references to be compared are impressions of one finger, whatever positions they name: each
// matches the one that tells most.
func (d *Decision) alike(s source, scale scale, left *int) (bool, error) {
	var references []*sample
	for _, p := range s.parts {
		for _, one := range p.pairs {
			if !slices.Contains(references, one.reference) {
				references = append(references, one.reference)
			}
		}
	}
	if len(references) > *left {
		return false, nil // cannot be told: the cautious side
	}
	best := slices.MaxFunc(references, func(a, b *sample) int { return a.worth() - b.worth() })
	for _, r := range references {
		if r == best {
			continue
		}
		is, err := d.likeness(best, r, scale, sameFinger, left)
		if err != nil || is != alike {
			return false, err
		}
	}
	return true, nil
}
