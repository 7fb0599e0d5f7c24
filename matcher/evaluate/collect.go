package evaluate

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/tamga-id/tamga/matcher/internal/errorrate"
)

func newCollection(p Plan) (*collection, error) {
	if len(p.Captures) > MaxCaptures {
		return nil, fmt.Errorf("comparing %d captures: %w", len(p.Captures), ErrSize)
	}
	c := &collection{plan: p, order: make([]int, len(p.Captures))}
	for i := range c.order {
		c.order[i] = i
	}
	slices.SortStableFunc(c.order, func(a, b int) int { return cmp.Compare(p.Captures[a].Set, p.Captures[b].Set) })
	for place, i := range c.order {
		if n := len(c.sets); n == 0 || c.sets[n-1].name != p.Captures[i].Set {
			c.sets = append(c.sets, &set{name: p.Captures[i].Set, first: place, failed: map[string]int{}, lost: map[int32]bool{}})
		}
		c.sets[len(c.sets)-1].last = place + 1
	}
	keep := max(1<<16, errorrate.TailSize/max(1, len(c.sets)))
	mated := 0.0
	for _, s := range c.sets {
		c.number(s)
		for _, n := range s.blocks.Captures {
			mated += n * (n - 1) // both ways, to be on the safe side
		}
		for i := range s.tallies {
			s.tallies[i] = errorrate.NewTally(keep)
		}
	}
	if mated > 2*maxMated {
		return nil, fmt.Errorf("comparing %.0f mated pairs: %w", mated/2, ErrSize)
	}
	c.thin()
	return c, nil
}

// number gives the set's subjects their numbers, references and probes.
func (c *collection) number(s *set) {
	numbers := map[string]int32{}
	var references []int // index in the gallery of each subject's, or -1
	var probes []search
	s.firstRef = len(c.gallery)
	for place := s.first; place < s.last; place++ {
		capture := c.plan.Captures[c.order[place]]
		n, known := numbers[capture.Subject]
		if !known {
			n = int32(len(s.subjects))
			numbers[capture.Subject] = n
			s.subjects = append(s.subjects, capture.Subject)
			s.blocks.Captures = append(s.blocks.Captures, 0)
			references = append(references, -1)
		}
		s.owner = append(s.owner, n)
		s.blocks.Captures[n]++
		if capture.Failed != "" {
			s.failed[capture.Failed]++
		}
		if capture.Failed == "" && references[n] < 0 {
			references[n] = len(c.gallery)
			c.gallery = append(c.gallery, int32(place))
			continue
		}
		probes = append(probes, search{probe: place, set: s, subject: n})
	}
	s.lastRef = len(c.gallery)
	s.blocks.Both = c.plan.BothWays
	for _, p := range probes {
		if p.mate = references[p.subject]; p.mate >= 0 {
			c.probes = append(c.probes, p)
		} else {
			s.lost[p.subject] = true
		}
	}
}

// report joins the sets' reports.
func (c *collection) report(ctx context.Context, o Options) (Report, error) {
	pool := errorrate.NewTally(errorrate.TailSize)
	var samples []*errorrate.Sample
	var blocks []errorrate.Block
	var subjects []string
	for _, s := range c.sets {
		t := s.tallies[0]
		for _, other := range s.tallies[1:] {
			t.Merge(other, 0)
		}
		if len(c.sets) > 1 {
			pool.Merge(t, int32(len(subjects)))
		}
		samples = append(samples, errorrate.NewSample(t, len(s.subjects), []errorrate.Block{s.blocks}))
		whole := s.blocks
		whole.First = len(subjects)
		blocks = append(blocks, whole)
		subjects = append(subjects, s.subjects...)
	}
	pooled := errorrate.NewSample(pool, len(subjects), blocks)
	if len(samples) == 1 {
		pooled = samples[0]
	}
	together, err := c.pooled(ctx, pooled, subjects, o)
	if err != nil {
		return Report{}, err
	}
	if len(c.sets) == 0 || len(c.sets) == 1 && c.sets[0].name == "" {
		together.Protocol, together.Sets = c.plan.Protocol, []Report{}
		return together, nil
	}
	sets := make([]Report, len(c.sets))
	for i, s := range samples {
		sets[i] = reportOf(s.Curve())
	}
	each, mean, err := bootstrap(ctx, samples, sets)
	if err != nil {
		return Report{}, err
	}
	for i, s := range c.sets {
		r := sets[i]
		r.setIntervals(each[i])
		r.Name, r.Modality = s.name, c.plan.Modality
		r.Acquisition = s.acquisition()
		r.Failures = r.Acquisition.Failed
		r.Identification = identification(c.within(s), s.lastRef-s.firstRef, func(p *search) *found { return &p.own })
		sets[i] = r
	}
	r := meanOf(sets, together, mean)
	r.Modality, r.Protocol = c.plan.Modality, c.plan.Protocol
	return r, nil
}

// pooled reports on all comparisons under one threshold.
func (c *collection) pooled(ctx context.Context, s *errorrate.Sample, subjects []string, o Options) (Report, error) {
	r := reportOf(s.Curve())
	each, _, err := bootstrap(ctx, []*errorrate.Sample{s}, []Report{r})
	if err != nil {
		return Report{}, err
	}
	r.setIntervals(each[0])
	r.Modality = c.plan.Modality
	r.Acquisition = &Acquisition{}
	for _, set := range c.sets {
		r.Acquisition.add(set.acquisition())
	}
	r.Failures = r.Acquisition.Failed
	r.Identification = identification(c.probes, len(c.gallery), func(p *search) *found { return &p.all })
	r.Groups = differentials(s, r.OperatingPoints, subjects, o.Groups)
	return r, nil
}

// Acquisition counts what could not be compared. Its rates are the FTA and FTE
// of ISO/IEC 19795-1 so far as files can show them: people who could not
// present the characteristic at all are in no file.
type Acquisition struct {
	Samples     int            `json:"samples"`
	Failed      int            `json:"failed"` // samples without a template
	FTA         Rate           `json:"fta"`    // failed of samples
	FTACI95     Interval       `json:"fta_ci95"`
	Subjects    int            `json:"subjects"`
	NotEnrolled int            `json:"not_enrolled"` // subjects none of whose samples gave a template
	FTE         Rate           `json:"fte"`          // not enrolled of subjects
	FTECI95     Interval       `json:"fte_ci95"`
	Reasons     map[string]int `json:"reasons,omitempty"` // failed samples by reason
}

// add counts other in and computes the rates anew.
func (a *Acquisition) add(other *Acquisition) {
	a.Samples += other.Samples
	a.Failed += other.Failed
	a.Subjects += other.Subjects
	a.NotEnrolled += other.NotEnrolled
	for reason, n := range other.Reasons {
		if a.Reasons == nil {
			a.Reasons = map[string]int{}
		}
		a.Reasons[reason] += n
	}
	share := func(n, of int) (Rate, Interval) {
		if of == 0 {
			return Unmeasured(), Interval{Unmeasured(), Unmeasured()}
		}
		rate := float64(n) / float64(of)
		return Rate(rate), wilson(rate, float64(of))
	}
	a.FTA, a.FTACI95 = share(a.Failed, a.Samples)
	a.FTE, a.FTECI95 = share(a.NotEnrolled, a.Subjects)
}

func (s *set) acquisition() *Acquisition {
	counts := Acquisition{Samples: s.last - s.first, Subjects: len(s.subjects), NotEnrolled: len(s.lost), Reasons: s.failed}
	for _, n := range s.failed {
		counts.Failed += n
	}
	a := &Acquisition{}
	a.add(&counts)
	return a
}

// lowest is a score below all others, for what cannot be compared.
const lowest = -math.MaxFloat64
