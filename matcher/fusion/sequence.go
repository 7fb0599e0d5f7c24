package fusion

import "math"

// Sequence decides source by source and stops when it is sure: A. Wald's sequential probability ratio test ("Sequential
// Tests of Statistical Hypotheses", Ann. Math. Statist. 16(2), 1945). Since the mean ratio of a non-mated comparison is
// at most one, the product of ratios reaches R with a probability of at most 1/R however often one looks (J. Ville
// 1939), so the false match rate holds whenever the caller stops. For that freedom it asks for more evidence than
// [Decide]. The zero value refuses everybody at once; make it with NewSequence. It belongs to one goroutine.
type Sequence struct {
	accept, reject float64
	sum            float64
	count          int
	verdict        Verdict
}

// NewSequence begins a decision at a false match rate of at most 1/fmrOneIn. When the evidence against one person
// outweighs missOneIn to one the answer is NotMatched. Both are at least 2; less counts as 2.
func NewSequence(fmrOneIn, missOneIn uint32) *Sequence {
	return &Sequence{accept: math.Log(float64(max(2, fmrOneIn))), reject: -math.Log(float64(max(2, missOneIn)))}
}

// Add takes in one more source and returns the verdict so far; Undecided asks for another. A missing source changes
// nothing, nor does any source once the verdict is there. What the calibrations support bounds the sum: no claim past
// it can be reached, only more sources be asked for.
func (q *Sequence) Add(s Source) Verdict {
	if s.chances() == 0 || q.verdict != Undecided {
		return q.verdict
	}
	q.sum += s.evidence()
	q.count++
	switch {
	case q.sum >= q.accept && q.accept > 0:
		q.verdict = Matched
	case q.sum <= q.reject:
		q.verdict = NotMatched
	}
	return q.verdict
}

// Close ends the sequence: with no source to come, what is not shown to be of one person is NotMatched, and with no
// source at all Undecided.
func (q *Sequence) Close() Verdict {
	if q.verdict == Undecided && q.count > 0 {
		q.verdict = NotMatched
	}
	return q.verdict
}

// Used is how many sources took part.
func (q *Sequence) Used() int { return q.count }
