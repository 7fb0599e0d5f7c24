package evaluate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/tamga-id/tamga/matcher/internal/errorrate"
	"github.com/tamga-id/tamga/matcher/signature"
)

// ErrSignatures is returned by [Signature] for samples that cannot be told
// apart or a number of references that is out of range.
var ErrSignatures = errors.New("signatures or references are misnumbered")

// SignatureSample is one signature on a writer's name.
type SignatureSample struct {
	Writer string
	Number int  // unique for the writer; the lowest genuine ones are references
	Forged bool // somebody else imitated Writer, skilled
	// Sample is the decoded signature. Leave it zero for a file that could not
	// be decoded, so that it is counted as a failure.
	Sample signature.Sample
}

// SignatureReport is a [Report] with what is particular to signatures. The
// figures of Report itself are of genuine signatures against skilled forgeries
// at one threshold for all writers.
type SignatureReport struct {
	Report
	// References is the number of signatures each writer enrolled.
	References int `json:"references"`
	// EERPerWriter is the mean of the writers' equal error rates, each at a
	// threshold of his own: the figure of SVC2004. It is unattainable in use,
	// where forgeries are not known, and lower than EER.
	EERPerWriter     Rate     `json:"eer_per_writer"`
	EERPerWriterCI95 Interval `json:"eer_per_writer_ci95"`
	// EERRandom is with other writers' own signatures for forgeries, at one
	// threshold; Random has all figures of it.
	EERRandom Rate   `json:"eer_random"`
	Random    Report `json:"random"`
	// WarpsPerSecondPerCore counts comparisons of two signatures, several of
	// which make one comparison with a reference.
	WarpsPerSecondPerCore Speed `json:"warps_per_second_per_core"`
}

// Signature enrols each writer with his first genuine signatures and compares
// with them his other genuine ones (mated), the skilled forgeries of him
// (non-mated), and the genuine ones of all other writers that are no
// references (random forgeries, reported apart). A writer who cannot be
// enrolled fails: all comparisons with him take the lowest score.
//
// Errors are [ErrSignatures], [ErrSize], [ErrGroups] and the context's. Nothing is changed or kept.
func Signature(ctx context.Context, samples []SignatureSample, references int, o Options) (SignatureReport, error) {
	e, err := newSignatures(samples, references)
	if err != nil {
		return SignatureReport{}, err
	}
	defer e.wipe()
	names := func(yield func(string) bool) {
		for _, w := range e.writers {
			if !yield(w.name) {
				return
			}
		}
	}
	if err := checkGroups(o.Groups, names); err != nil {
		return SignatureReport{}, fmt.Errorf("comparing signatures: %w", err)
	}
	w := watch{progress: o.Progress, total: len(e.pairs)}
	made := 0
	for _, p := range e.pairs {
		if e.probes[p.probe].template != nil && e.writers[p.writer].reference != nil {
			made++
		}
	}
	speed, err := o.measure(made, func() error { return e.compareAll(ctx, &w) })
	if err != nil {
		return SignatureReport{}, fmt.Errorf("comparing signatures: %w", err)
	}
	r := e.report(o.Groups)
	r.ComparisonsPerSecondPerCore, r.WarpsPerSecondPerCore = speed, speed*Speed(references)
	return r, nil
}

// SignatureTrials makes the comparisons of [Signature] and returns their scores: those with a writer's own signatures
// and forgeries of him, where Probe and Reference are one, and those with other writers' genuine ones.
func SignatureTrials(ctx context.Context, samples []SignatureSample, references int, o Options) ([]Trial, error) {
	e, err := newSignatures(samples, references)
	if err != nil {
		return nil, err
	}
	defer e.wipe()
	w := watch{progress: o.Progress, total: len(e.pairs)}
	if err := e.compareAll(ctx, &w); err != nil {
		return nil, fmt.Errorf("comparing signatures: %w", err)
	}
	return e.trials, nil
}

// signatures is an evaluation of signatures.
type signatures struct {
	references int
	writers    []writer
	probes     []signatureProbe
	counts     Acquisition
	pairs      []signaturePair
	trials     []Trial // of pairs, in their order
}

type writer struct {
	name      string
	reference *signature.Reference // nil when the writer could not be enrolled
}

type signatureProbe struct {
	writer   int
	forged   bool
	template *signature.Template // nil when it could not be made ready
}

// signaturePair is a probe and the writer whose reference it is held against.
type signaturePair struct{ probe, writer int }

func newSignatures(samples []SignatureSample, references int) (*signatures, error) {
	if references < signature.MinSignatures || references > signature.MaxSignatures {
		return nil, fmt.Errorf("enrolling %d references: %w", references, ErrSignatures)
	}
	sorted := slices.Clone(samples)
	slices.SortStableFunc(sorted, func(a, b SignatureSample) int {
		return cmp.Or(cmp.Compare(a.Writer, b.Writer), cmp.Compare(a.Number, b.Number))
	})
	e := &signatures{references: references, counts: Acquisition{Samples: len(samples), Reasons: map[string]int{}}}
	var enrolled []*signature.Template
	genuine := 0
	enrol := func() {
		if n := len(e.writers); n > 0 {
			// A writer may fail some of his references but not most of them.
			var err error
			if e.writers[n-1].reference, err = signature.NewReference(enrolled...); err != nil {
				e.counts.NotEnrolled++
			}
		}
		for _, t := range enrolled {
			t.Wipe()
		}
		enrolled, genuine = nil, 0
	}
	for i, s := range sorted {
		if i > 0 && s.Writer == sorted[i-1].Writer && s.Number == sorted[i-1].Number {
			e.wipe()
			return nil, fmt.Errorf("sorting signatures: number %d occurs twice: %w", s.Number, ErrSignatures)
		}
		if i == 0 || s.Writer != sorted[i-1].Writer {
			enrol()
			e.writers = append(e.writers, writer{name: s.Writer})
		}
		template, err := signature.Prepare(s.Sample)
		if err != nil {
			e.counts.Failed++
			e.counts.Reasons[unusable(err)]++
		}
		if !s.Forged && genuine < references {
			genuine++
			if template != nil {
				enrolled = append(enrolled, template)
			}
			continue
		}
		e.probes = append(e.probes, signatureProbe{len(e.writers) - 1, s.Forged, template})
	}
	enrol()
	e.counts.Subjects = len(e.writers)
	if e.tooMany(maxSignatures) {
		e.wipe()
		return nil, fmt.Errorf("comparing signatures of %d writers: %w", len(e.writers), ErrSize)
	}
	e.pairUp()
	return e, nil
}

// unusable is under what a failure is counted: the error without the point.
func unusable(err error) string {
	for _, e := range []error{
		signature.ErrTooFewPoints, signature.ErrTooMany, signature.ErrValue, signature.ErrTime, signature.ErrStill,
	} {
		if errors.Is(err, e) {
			return e.Error()
		}
	}
	return "unknown"
}

// maxSignatures is how many comparisons there is memory for: some 100 bytes
// each, for every one is kept with its writers.
const maxSignatures = 1 << 24

// tooMany reports whether the comparisons that pairUp would list exceed limit.
func (e *signatures) tooMany(limit int) bool {
	n := 0
	for _, p := range e.probes {
		if n++; !p.forged {
			n += len(e.writers) - 1
		}
	}
	return n > limit
}

// pairUp lists what is compared.
func (e *signatures) pairUp() {
	for i, p := range e.probes {
		for w := range e.writers {
			if w == p.writer || !p.forged {
				e.pairs = append(e.pairs, signaturePair{i, w})
			}
		}
	}
	e.trials = make([]Trial, len(e.pairs))
}

func (e *signatures) wipe() {
	for _, p := range e.probes {
		p.template.Wipe()
	}
	for _, w := range e.writers {
		w.reference.Wipe()
	}
}

func (e *signatures) compareAll(ctx context.Context, w *watch) error {
	each := func(yield func(int) bool) {
		for i := range e.pairs {
			if !yield(i) {
				return
			}
		}
	}
	return share(ctx, each, func(_, i int) {
		pair := e.pairs[i]
		p := e.probes[pair.probe]
		// An error leaves -Inf, the lowest score there is.
		score, _ := signature.Compare(p.template, e.writers[pair.writer].reference)
		e.trials[i] = Trial{Score: score, Probe: p.writer, Reference: pair.writer, Forged: p.forged}
		w.add(1)
	})
}

func (e *signatures) report(groups []Grouping) SignatureReport {
	names := make([]string, len(e.writers))
	for i, w := range e.writers {
		names[i] = w.name
	}
	var skilled, random []Trial
	for _, t := range e.trials {
		if t.Probe == t.Reference {
			skilled = append(skilled, t)
		}
		if !t.Forged {
			random = append(random, t)
		}
	}
	r := SignatureReport{
		Report: trialsReport("signature", skilled, names, groups), Random: Trials("signature", random), References: e.references,
	}
	r.Failures = e.counts.Failed
	r.Acquisition = &Acquisition{}
	r.Acquisition.add(&e.counts)
	r.Protocol = fmt.Sprintf("references are each writer's first %d genuine signatures; his others are mated, skilled forgeries of him non-mated", e.references)
	r.Random.Protocol = "the same, with the genuine signatures of all other writers for non-mated"
	r.EERRandom = r.Random.EER
	r.EERPerWriter, r.EERPerWriterCI95 = e.perWriter(skilled)
	return r
}

// perWriter is the mean over the writers who have both kinds of probe, with a
// bootstrap over them.
func (e *signatures) perWriter(skilled []Trial) (Rate, Interval) {
	scores := make([]Scores, len(e.writers))
	for _, t := range skilled {
		s := &scores[t.Reference]
		if t.Forged {
			s.NonMated = append(s.NonMated, t.Score)
		} else {
			s.Mated = append(s.Mated, t.Score)
		}
	}
	var rates []float64
	for _, s := range scores {
		if c := errorrate.Of(s.Mated, s.NonMated); c.Complete() {
			rates = append(rates, c.EER())
		}
	}
	if len(rates) == 0 {
		return Unmeasured(), Interval{Unmeasured(), Unmeasured()}
	}
	mean := 0.0
	for _, v := range rates {
		mean += v / float64(len(rates))
	}
	draws := newDraws()
	means := make([]float64, replicates)
	for k := range means {
		for range rates {
			means[k] += rates[draws.IntN(len(rates))] / float64(len(rates))
		}
	}
	in := interval(means)
	return Rate(mean), Interval{min(in[0], Rate(mean)), max(in[1], Rate(math.Min(1, mean)))}
}
