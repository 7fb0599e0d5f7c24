package signature

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"slices"
)

// Number of signatures that a reference is made from. Below three nothing is
// known of how a writer varies.
const (
	MinSignatures = 3
	MaxSignatures = 10
)

// Errors of [NewReference] and of comparisons, to be tested for with errors.Is.
var (
	ErrSignatures = errors.New("number of signatures out of range")
	// ErrChannels says that signatures come from devices that measure different
	// things. In a comparison it means "could not tell", not "no".
	ErrChannels = errors.New("signatures differ in what was measured")
	// ErrUnlike says that the signatures vary so much among themselves that
	// they can vouch for no one: they may not be one person's.
	ErrUnlike = errors.New("signatures are too unlike each other")
	// ErrNoTemplate says that a template or reference was nil, zero or wiped.
	ErrNoTemplate = errors.New("template holds nothing")
)

// A reference's own variation, in the units of a distance (1/unit of a
// deviation for each row of either side), is taken for at least leastOwn: copies
// of one file are no proof of a steady hand. At most mostOwn is enrolled. The
// first twenty writers of SVC2004 lie between 40 and 79, whichever five of their
// signatures are taken, and 57 in the mean; signatures of two writers between 95
// and 130, those of five above 130.
const (
	leastOwn   = 30
	mostOwn    = 110
	typicalOwn = 57
)

// Reference is what a subject's signatures say together: the signatures, and
// how far this writer strays from himself. It is immutable, safe for concurrent
// use, and prints as "reference(redacted)". The zero value and a nil pointer
// hold nothing.
type Reference struct{ open func() *subject }

type subject struct {
	signatures []model
	kind       kind
	own        float64 // mean distance between two of the signatures
}

// model is one reference signature with the envelope of bound.go.
type model struct {
	rows         []row
	columns      []int16 // the same, a channel after the other; see columns
	lower, upper []row
}

// NewReference makes a reference of MinSignatures to MaxSignatures templates
// of one subject, which it copies. The order does not matter. Errors are
// [ErrSignatures], [ErrChannels], [ErrUnlike] and [ErrNoTemplate].
func NewReference(templates ...*Template) (*Reference, error) {
	const doing = "making signature reference"
	if len(templates) < MinSignatures || len(templates) > MaxSignatures {
		return nil, fmt.Errorf("%s: %w: %d", doing, ErrSignatures, len(templates))
	}
	r := &subject{}
	for i, t := range templates {
		p := t.contents()
		switch {
		case p == nil:
			return nil, fmt.Errorf("%s: signature %d: %w", doing, i, ErrNoTemplate)
		case i == 0:
			r.kind = p.kind
		case p.kind != r.kind:
			return nil, fmt.Errorf("%s: signature %d: %w", doing, i, ErrChannels)
		}
		r.signatures = append(r.signatures, newModel(slices.Clone(p.rows)))
	}
	slices.SortFunc(r.signatures, func(a, b model) int {
		return cmp.Or(cmp.Compare(len(a.rows), len(b.rows)), slices.CompareFunc(a.rows, b.rows, func(x, y row) int {
			return slices.Compare(x[:], y[:])
		}))
	})
	r.own = r.variation()
	if r.own > mostOwn {
		r.wipe()
		return nil, fmt.Errorf("%s: %w", doing, ErrUnlike)
	}
	return &Reference{open: func() *subject { return r }}, nil
}

// variation is the mean distance of each signature to each other.
func (r *subject) variation() float64 {
	s := newScratch()
	defer s.release()
	sum, pairs := 0.0, 0
	for i := range r.signatures {
		for k := range r.signatures {
			if i == k {
				continue
			}
			a, b := r.signatures[i].rows, &r.signatures[k]
			cost, _ := s.warp(a, b, infinite, nil)
			sum += float64(cost) / float64(len(a)+len(b.rows))
			pairs++
		}
	}
	return max(leastOwn, sum/float64(pairs))
}

// scale is what a probe's mean distance is divided by: the geometric mean of
// the writer's own variation and of what is usual.
func (r *subject) scale() float64 { return math.Sqrt(r.own * r.kind.usual()) }

// usual stands for the usual variation of signatures of a kind. Fewer channels
// are less apart and tell forgeries less well: with one figure for all, 372 of
// SVC2004's 400 skilled forgeries in four columns passed the threshold of 1 in
// 100. The figures bring the score that one forgery in 100 reaches, over the
// four disjoint choices of five references, to that of signatures with all
// channels, from which calibrations are made.
func (k kind) usual() float64 {
	switch {
	case k.pressure && k.angles:
		return typicalOwn
	case k.pressure:
		return 46
	case k.angles:
		return 33
	}
	return 17
}

// Len is the number of signatures, 0 for a nil, zero or wiped reference.
func (r *Reference) Len() int {
	if p := r.contents(); p != nil {
		return len(p.signatures)
	}
	return 0
}

// Wipe overwrites what the reference holds; afterwards nothing compares with
// it. It must not run at the same time as a comparison. It does nothing to a
// nil or zero reference.
func (r *Reference) Wipe() {
	if p := r.contents(); p != nil {
		p.wipe()
		r.open = nil
	}
}

func (r *subject) wipe() {
	for _, m := range r.signatures {
		clear(m.rows)
		clear(m.columns)
		clear(m.lower)
		clear(m.upper)
	}
	*r = subject{}
}

const redactedReference = "reference(redacted)"

// LogValue keeps the contents out of logs.
func (Reference) LogValue() slog.Value { return slog.StringValue(redactedReference) }

// Format keeps the contents out of anything printed, whatever the verb.
func (Reference) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redactedReference) }

// contents returns what r holds, or nil.
func (r *Reference) contents() *subject {
	if r == nil || r.open == nil {
		return nil
	}
	return r.open()
}
