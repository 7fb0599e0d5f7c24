package responder

import (
	"errors"
	"math"
	"slices"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/matcher/calibration"
	"github.com/tamga-id/tamga/matcher/iris"
	"github.com/tamga-id/tamga/matcher/signature"
)

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

// fingerSources is one source for each finger that both sides name.
func (d *decision) fingerSources(probes, references []*sample) ([]source, error) {
	return d.placedSources(probes, references, d.scales.finger())
}

// irisSources is one source for each eye that both sides name. Codes of two programs compare to noise.
func (d *decision) irisSources(probes, references []*sample) ([]source, error) {
	alike := func(p *sample) []*sample {
		return slices.DeleteFunc(slices.Clone(references), func(r *sample) bool { return r.profile != p.profile })
	}
	var usable []*sample
	for _, p := range probes {
		if len(alike(p)) > 0 && p.profile == probes[0].profile {
			usable = append(usable, p)
		} else {
			d.note(protocol.CodeNotComparable)
		}
	}
	if len(usable) == 0 {
		return nil, nil
	}
	return d.placedSources(usable, alike(usable[0]), d.scales.iris())
}

// signatureSources is one source, the hand. What is compared with is all signatures of the writer that were measured as
// the probe was, together; fewer than signature.MinSignatures do not show how the writer varies.
func (d *decision) signatureSources(probes, references []*sample) ([]source, error) {
	out := part{calibration: d.scales.signature()}
	var writers []*sample // one for each set of channels
	for _, p := range probes {
		at := slices.IndexFunc(writers, func(w *sample) bool { return signature.SameChannels(w.signature, p.signature) })
		if at < 0 {
			writers = append(writers, &sample{modality: ModalitySignature, signature: p.signature, writer: d.writer(p, references)})
			at = len(writers) - 1
			d.references = append(d.references, writers[at])
		}
		if writers[at].writer != nil {
			out.pairs = append(out.pairs, pair{p, writers[at]})
		}
	}
	if len(out.pairs) == 0 {
		return nil, nil
	}
	return []source{{parts: []part{out}}}, nil
}

// writer is what the references measured as p was say of their writer, or nil with a note.
func (d *decision) writer(p *sample, references []*sample) *signature.Reference {
	var same []*signature.Template
	for _, r := range references {
		if signature.SameChannels(r.signature, p.signature) && len(same) < signature.MaxSignatures {
			same = append(same, r.signature)
		}
	}
	if len(same) == 0 {
		d.note(protocol.CodeNotComparable)
		return nil
	}
	w, err := signature.NewReference(same...)
	if err != nil {
		d.note(protocol.CodeNoReference) // too few, or too unlike to be one hand's
		return nil
	}
	return w
}

// placedSources is one source for each finger or eye that both sides name. It is a single source for all when one of
// the samples does not say which it is, or when probes of different places are of one: evidence that may be the same
// evidence must not be added up.
func (d *decision) placedSources(probes, references []*sample, scale *calibration.Calibration) ([]source, error) {
	references = telling(probes, references)
	together, err := d.onePlace(probes, references, scale)
	if err != nil {
		return nil, err
	}
	var out []source
	for _, p := range probes {
		for _, r := range references {
			if !sameName(p, r) {
				continue
			}
			at := slices.IndexFunc(out, func(s source) bool { return together || s.parts[0].pairs[0].probe.place == p.place })
			if at < 0 {
				at = len(out)
				out = append(out, source{parts: []part{{calibration: scale}}})
			}
			one := &out[at].parts[0]
			one.pairs = append(one.pairs, pair{p, r})
		}
	}
	if together && len(out) > 0 {
		alike, err := d.alike(out[0].parts[0].pairs, scale)
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

// onePlace reports that samples of different fingers, or eyes, are of one, or that it cannot be told: the cautious side. Whoever
// sends a finger under two names to a register that has one under two names would have its one chance counted as two.
func (d *decision) onePlace(probes, references []*sample, scale *calibration.Calibration) (bool, error) {
	if slices.ContainsFunc(probes, unnamed) || slices.ContainsFunc(references, unnamed) {
		return true, nil
	}
	lax, err := scale.Threshold(samePlace)
	if err != nil || len(probes)*(len(probes)-1)/2 > mostComparisons {
		return true, nil
	}
	strict, err := scale.Threshold(sameFinger)
	if err != nil {
		return true, nil
	}
	left := mostComparisons
	for i, p := range probes {
		for _, q := range probes[i+1:] {
			if p.place == q.place {
				continue
			}
			score, err := d.likeness(p, q)
			if err != nil {
				return false, err
			}
			if score < lax.Score {
				continue
			}
			same, err := d.enrolledTwice(p.place, q.place, references, strict.Score, &left)
			if same || err != nil {
				return same, err
			}
		}
	}
	return false, nil
}

// likeness is the score of two samples of one side. Irises that show too little in common are not alike.
func (d *decision) likeness(a, b *sample) (float64, error) {
	score, _, err := d.score(pair{a, b})
	if errors.Is(err, iris.ErrUndecidable) {
		return math.Inf(-1), nil
	}
	return score, err
}

// enrolledTwice reports that a reference of one position and one of the other are of one finger, or that no more
// comparisons are left to find out.
func (d *decision) enrolledTwice(one, other uint8, references []*sample, limit float64, left *int) (bool, error) {
	for _, a := range references {
		for _, b := range references {
			if a.place != one || b.place != other {
				continue
			}
			if *left--; *left < 0 {
				return true, nil
			}
			score, err := d.likeness(a, b)
			if err != nil || score >= limit {
				return err == nil, err
			}
		}
	}
	return false, nil
}

// alike reports that all references to be compared are impressions of one finger, whatever positions they name: each
// matches the one that tells most.
func (d *decision) alike(pairs []pair, scale *calibration.Calibration) (bool, error) {
	limit, err := scale.Threshold(sameFinger)
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
		score, err := d.likeness(best, p.reference)
		if err != nil {
			return false, err
		}
		if score < limit.Score {
			return false, nil
		}
	}
	return true, nil
}
