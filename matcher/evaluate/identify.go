package evaluate

import (
	"context"
	"math"
	"slices"

	"github.com/tamga-id/tamga/matcher/internal/errorrate"
)

// Identification is what a search of a gallery would have found, from the same
// captures: each subject's first capture that gave a template is its reference,
// every other capture of an enrolled subject a probe.
//
// Ranks are those of the closed set: every probe has its mate in the gallery.
// Another reference with the mate's score stands before it. The open set leaves
// one out: a probe is searched once with its mate, for FNIR, and once without,
// for FPIR. ISO/IEC 19795-1:2021 defines both; FPIR grows with the gallery, so
// that no figure here holds for another size of it.
type Identification struct {
	Gallery int `json:"gallery"` // references
	Probes  int `json:"probes"`  // searches; fewer than there are captures when that would take too long
	// Rank has the share of probes whose mate is among the first 1, 5, 10 and
	// 20, so far as the gallery is larger.
	Rank      map[string]Rate `json:"rank"`
	Rank1CI95 Interval        `json:"rank1_ci95"` // bootstrap over subjects
	CMC       []float64       `json:"cmc"`        // the same share for ranks 1 to 20
	// FNIRAtFPIR has, by FPIR allowed (1e-1, 1e-2, 1e-3), the FNIR at rank 1:
	// the share of probes whose mate is not both first and at or above the
	// threshold. Null when there are fewer than 1/FPIR probes.
	FNIRAtFPIR map[string]Rate `json:"fnir_at_fpir"`
	OpenSet    []OpenSetPoint  `json:"open_set,omitempty"`
}

// OpenSetPoint is the lowest threshold whose FPIR is at most what is allowed.
type OpenSetPoint struct {
	Allowed        string   `json:"fpir_allowed"`
	Threshold      float64  `json:"threshold"`
	FPIR           float64  `json:"fpir"` // as seen
	FPIRCI95       Interval `json:"fpir_ci95"`
	FalsePositives int      `json:"false_positives"`  // searches with a candidate that had no mate
	FNIR           float64  `json:"fnir"`             // mate below the threshold, at whatever rank
	FNIRRank1      float64  `json:"fnir_rank_1"`      // mate below it or not first
	FNIRRank1CI95  Interval `json:"fnir_rank_1_ci95"` // bootstrap over subjects, at this threshold
}

const (
	// Identification adds no more comparisons than there are between pairs,
	// or minSearched where those are few, and never more than maxSearched.
	minSearched = 1 << 17
	maxSearched = 1 << 25
	cmcRanks    = 20
)

var fpirs = [...]struct {
	name string
	fpir float64
}{{"1e-1", 1e-1}, {"1e-2", 1e-2}, {"1e-3", 1e-3}}

// search is one probe and what searching for it found.
type search struct {
	probe   int // place
	set     *set
	subject int32
	mate    int     // its place in the gallery
	score   float64 // of the mate
	own     found   // in the gallery of the probe's set
	all     found   // in that of all sets
}

// found is what there was besides the mate.
type found struct {
	ahead int     // references that score as high as the mate or higher
	best  float64 // highest score of another's reference
}

func (f *found) see(score, mate float64) {
	if score >= mate {
		f.ahead++
	}
	f.best = max(f.best, score)
}

// thin leaves every n-th probe when all would take too many comparisons.
func (c *collection) thin() {
	limit := min(maxSearched, max(minSearched, c.comparisons()))
	every := (c.searches() + limit - 1) / limit
	if every <= 1 {
		return
	}
	kept := c.probes[:0]
	for i := 0; i < len(c.probes); i += every {
		kept = append(kept, c.probes[i])
	}
	c.probes = kept
}

// searches is the number of comparisons that all searches take.
func (c *collection) searches() int { return len(c.probes) * len(c.gallery) }

// searchAll searches for every probe in the references of all sets.
func (c *collection) searchAll(ctx context.Context, w *watch) error {
	each := func(yield func(*search) bool) {
		for i := range c.probes {
			if !yield(&c.probes[i]) {
				return
			}
		}
	}
	return share(ctx, each, func(_ int, p *search) {
		p.score = c.scoreOf(p.probe, p.mate)
		p.own.best, p.all.best = lowest, lowest
		for g := range c.gallery {
			if g%spanLength == 0 && ctx.Err() != nil {
				return
			}
			if g == p.mate {
				continue
			}
			score := c.scoreOf(p.probe, g)
			p.all.see(score, p.score)
			if g >= p.set.firstRef && g < p.set.lastRef {
				p.own.see(score, p.score)
			}
		}
		w.add(len(c.gallery))
	})
}

func (c *collection) scoreOf(place, reference int) float64 {
	var score [1]float64
	c.plan.Compare(c.order[place], c.order[c.gallery[reference]], score[:])
	return errorrate.Number(score[0])
}

// within is the searches of one set's probes.
func (c *collection) within(s *set) []search {
	first := slices.IndexFunc(c.probes, func(p search) bool { return p.set == s })
	if first < 0 {
		return nil
	}
	n := slices.IndexFunc(c.probes[first:], func(p search) bool { return p.set != s })
	if n < 0 {
		n = len(c.probes) - first
	}
	return c.probes[first : first+n]
}

// identification sums up searches, or is nil when nothing could be searched.
func identification(searches []search, gallery int, where func(*search) *found) *Identification {
	if len(searches) == 0 || gallery < 2 {
		return nil
	}
	in := &Identification{Gallery: gallery, Probes: len(searches), Rank: map[string]Rate{}, FNIRAtFPIR: map[string]Rate{}}
	ranks := make([]float64, min(cmcRanks, gallery))
	best := make([]float64, len(searches))
	for i := range searches {
		f := where(&searches[i])
		if f.ahead < len(ranks) {
			ranks[f.ahead]++
		}
		best[i] = f.best
	}
	sum := 0.0
	for i, n := range ranks {
		sum += n
		ranks[i] = sum / float64(len(searches))
	}
	in.CMC = ranks
	for _, k := range []struct {
		rank int
		name string
	}{{1, "1"}, {5, "5"}, {10, "10"}, {20, "20"}} {
		if k.rank < gallery {
			in.Rank[k.name] = Rate(ranks[k.rank-1])
		}
	}
	in.Rank1CI95 = shareInterval(searches, func(p *search) bool { return where(p).ahead == 0 })
	slices.Sort(best)
	for _, b := range fpirs {
		in.FNIRAtFPIR[b.name] = Unmeasured()
		if b.fpir*float64(len(best)) >= 1-1e-9 {
			p := openSet(searches, where, best, b.fpir)
			p.Allowed = b.name
			in.OpenSet = append(in.OpenSet, p)
			in.FNIRAtFPIR[b.name] = Rate(p.FNIRRank1)
		}
	}
	return in
}

// openSet finds the operating point; best is in ascending order.
func openSet(searches []search, where func(*search) *found, best []float64, allowed float64) OpenSetPoint {
	n := len(best)
	// The highest best score that may not be a candidate any more.
	refused := best[n-1-int(allowed*float64(n)+1e-9)]
	p := OpenSetPoint{Threshold: min(math.MaxFloat64, math.Nextafter(refused, math.Inf(1)))}
	at, _ := slices.BinarySearch(best, p.Threshold)
	p.FalsePositives = n - at
	p.FPIR = float64(p.FalsePositives) / float64(n)
	p.FPIRCI95 = wilson(p.FPIR, float64(n))
	missed := func(s *search) bool { return s.score < p.Threshold || where(s).ahead > 0 }
	for i := range searches {
		if searches[i].score < p.Threshold {
			p.FNIR += 1 / float64(n)
		}
		if missed(&searches[i]) {
			p.FNIRRank1 += 1 / float64(n)
		}
	}
	p.FNIRRank1CI95 = shareInterval(searches, missed)
	return p
}

// shareInterval is that of the share of searches that end in a way, redrawing the subjects of the probes.
func shareInterval(searches []search, ends func(*search) bool) Interval {
	type count struct{ so, all float64 }
	var counts []count
	index := map[int]int{} // by reference
	for i := range searches {
		n, ok := index[searches[i].mate]
		if !ok {
			n = len(counts)
			index[searches[i].mate] = n
			counts = append(counts, count{})
		}
		counts[n].all++
		if ends(&searches[i]) {
			counts[n].so++
		}
	}
	r, drawn := newDraws(), make([]float64, len(counts))
	rates := make([]float64, replicates)
	for i := range rates {
		draw(r, drawn)
		so, all := 0.0, 0.0
		for k, times := range drawn {
			so += times * counts[k].so
			all += times * counts[k].all
		}
		rates[i] = so / all
	}
	in := interval(rates)
	// Where all or none ended so, the rule of three on subjects.
	three := Rate(min(1, 3/float64(len(counts))))
	if in[0] == 1 {
		in[0] = 1 - three
	}
	if in[1] == 0 {
		in[1] = three
	}
	return in
}
