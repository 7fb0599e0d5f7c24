package signature

import (
	"fmt"
	"math"
)

// Compare gives the score of a probe against a reference, between 0 and 1,
// higher more alike: 1/(1+q), where q is the probe's mean distance to the
// reference's signatures in units of the writer's own variation, so 0.5 is a
// signature as far from the others as they are from each other, for a writer
// of usual variation. It allocates nothing after the first calls and may be
// called from any number of goroutines.
//
// The errors are [ErrNoTemplate] and [ErrChannels], "could not tell"; the score
// is then -Inf, which no threshold accepts even if the error is overlooked.
func Compare(probe *Template, reference *Reference) (float64, error) {
	p, r, err := pair(probe, reference)
	if err != nil {
		return math.Inf(-1), err
	}
	s := newScratch()
	defer s.release()
	return score(r.distance(s, p.rows), r), nil
}

// Reaches reports whether the score of Compare is at least the threshold, for
// which it need not always compute it: most signatures of others are told
// apart by their lower bounds. The errors are those of Compare, with false.
func Reaches(probe *Template, reference *Reference, threshold float64) (bool, error) {
	p, r, err := pair(probe, reference)
	if err != nil {
		return false, err
	}
	s := newScratch()
	defer s.release()
	sum, ok := r.within(s, p.rows, threshold)
	return ok && score(sum, r) >= threshold, nil
}

func pair(probe *Template, reference *Reference) (*prepared, *subject, error) {
	p, r := probe.contents(), reference.contents()
	if p == nil || r == nil {
		return nil, nil, fmt.Errorf("comparing signatures: %w", ErrNoTemplate)
	}
	if p.kind != r.kind {
		return nil, nil, fmt.Errorf("comparing signatures: %w", ErrChannels)
	}
	return p, r, nil
}

// score turns a sum of distances to all signatures into a score.
func score(sum float64, r *subject) float64 {
	return 1 / (1 + sum/float64(len(r.signatures))/r.scale())
}

// distance sums the distances of the probe to the signatures, each in units
// of the rows of both sides.
func (r *subject) distance(s *scratch, probe []row) float64 {
	sum := 0.0
	for i := range r.signatures {
		m := &r.signatures[i]
		cost, ok := s.warp(probe, m, infinite, nil)
		if !ok {
			return math.Inf(1) // no path within the band: as unlike as can be
		}
		sum += float64(cost) / float64(len(probe)+len(m.rows))
	}
	return sum
}

// within is distance, given up with false once the score must stay below the
// threshold: when what was added up so far, with the lower bounds of the
// signatures still to come, exceeds what the threshold leaves room for.
func (r *subject) within(s *scratch, probe []row, threshold float64) (float64, bool) {
	if !(threshold > 0) {
		return r.distance(s, probe), true
	}
	room := (1/threshold - 1) * r.scale() * float64(len(r.signatures))
	// The slack is far above the rounding of the few operations in score and
	// far below one unit of cost: what Compare would accept is never given up.
	room += 1e-6
	rests := s.bounds(len(r.signatures), len(probe))
	ahead := 0.0
	for i := range r.signatures {
		m := &r.signatures[i]
		ahead += float64(m.bound(probe, rests[i])) / float64(len(probe)+len(m.rows))
	}
	if ahead > room {
		return 0, false
	}
	sum := 0.0
	for i := range r.signatures {
		m := &r.signatures[i]
		both := float64(len(probe) + len(m.rows))
		ahead -= float64(rests[i][0]+outside(&probe[0], &m.lower[0], &m.upper[0])) / both
		limit := min(float64(infinite), (room-sum-max(0, ahead)+1e-6)*both)
		cost, ok := s.warp(probe, m, int32(max(-1, limit)), rests[i])
		if !ok {
			return 0, false
		}
		sum += float64(cost) / both
	}
	return sum, true
}
