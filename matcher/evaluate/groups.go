package evaluate

import (
	"errors"
	"iter"
	"maps"
	"math"
	"slices"

	"github.com/tamga-id/tamga/matcher/internal/errorrate"
)

// Grouping divides subjects by one attribute, such as sex or decade of birth.
// Subjects without an entry are in no group.
type Grouping struct {
	Attribute string
	Of        map[string]string // group by subject
}

// Differential compares the groups of one attribute, each at the threshold of
// all, in the manner of ISO/IEC 19795-10: FMR is that of non-mated pairs
// within the group, which are more alike than pairs across groups are.
type Differential struct {
	Attribute string       `json:"attribute"`
	Groups    []GroupRates `json:"groups"`              // by name
	Ratios    []GroupRatio `json:"ratios"`              // by FMR allowed
	Ungrouped int          `json:"ungrouped,omitempty"` // subjects in no group
	Unknown   int          `json:"unknown,omitempty"`   // subjects with a group of whom there are no data
}

// ErrGroups is returned for groupings that name none of the subjects: those of
// another data set, or written in another way.
var ErrGroups = errors.New("the groups name no subject of the data")

// checkGroups returns [ErrGroups] when there are groupings and none names a subject.
func checkGroups(groupings []Grouping, subjects iter.Seq[string]) error {
	if len(groupings) == 0 {
		return nil
	}
	for subject := range subjects {
		for _, g := range groupings {
			if _, ok := g.Of[subject]; ok {
				return nil
			}
		}
	}
	return ErrGroups
}

// GroupRates are one group's.
type GroupRates struct {
	Name     string       `json:"name"`
	Subjects int          `json:"subjects"`
	Mated    int          `json:"mated"`
	NonMated int          `json:"non_mated"` // both subjects in the group
	Points   []GroupPoint `json:"points"`
}

// GroupPoint has a group's rates at one threshold; unmeasured when the group
// has no comparison of the kind. Intervals take comparisons as independent.
type GroupPoint struct {
	Allowed  string   `json:"fmr_allowed"` // of all, which sets the threshold
	FMR      Rate     `json:"fmr"`
	FMRCI95  Interval `json:"fmr_ci95"`
	FNMR     Rate     `json:"fnmr"`
	FNMRCI95 Interval `json:"fnmr_ci95"`
}

// GroupRatio says how far apart groups are at one threshold. A ratio is
// unmeasured while a group it rests on has seen no error.
type GroupRatio struct {
	Allowed         string `json:"fmr_allowed"`
	WorstFMR        string `json:"worst_fmr,omitempty"` // name of the group
	WorstFNMR       string `json:"worst_fnmr,omitempty"`
	FMRWorstToBest  Rate   `json:"fmr_worst_to_best"`
	FNMRWorstToBest Rate   `json:"fnmr_worst_to_best"`
	FMRWorstToMean  Rate   `json:"fmr_worst_to_geometric_mean"`
	FNMRWorstToMean Rate   `json:"fnmr_worst_to_geometric_mean"`
}

// differentials counts every group's errors at the operating points of s.
func differentials(s *errorrate.Sample, points []OperatingPoint, subjects []string, groupings []Grouping) []Differential {
	var out []Differential
	for _, g := range groupings {
		names := slices.Compact(slices.Sorted(maps.Values(g.Of)))
		d := Differential{Attribute: g.Attribute, Groups: []GroupRates{}, Ratios: []GroupRatio{}, Unknown: len(g.Of)}
		group := make([]int, len(subjects)) // index in names, or -1
		for i, subject := range subjects {
			group[i] = -1
			if name, ok := g.Of[subject]; ok {
				group[i], _ = slices.BinarySearch(names, name)
				d.Unknown--
			} else {
				d.Ungrouped++
			}
		}
		for i, name := range names {
			member := make([]float64, len(subjects))
			rates := GroupRates{Name: name}
			for k, n := range group {
				if n == i {
					member[k] = 1
					rates.Subjects++
				}
			}
			if rates.Subjects > 0 {
				rates.count(s, points, member)
				d.Groups = append(d.Groups, rates)
			}
		}
		for i, p := range points {
			d.Ratios = append(d.Ratios, ratio(p.Allowed, d.Groups, i))
		}
		out = append(out, d)
	}
	return out
}

// count sets the rates of the members: drawing them once and all others never
// leaves exactly the comparisons within the group.
func (g *GroupRates) count(s *errorrate.Sample, points []OperatingPoint, member []float64) {
	mated, nonMated := s.Weights(member)
	g.Mated, g.NonMated = int(math.Round(mated)), int(math.Round(nonMated))
	g.Points = make([]GroupPoint, len(points))
	for i, p := range points {
		if accepted, matched, known := s.Accepted(p.Threshold, member); known {
			g.Points[i] = groupPoint(p.Allowed, matched, nonMated, mated-accepted, mated)
		} else {
			g.Points[i] = groupPoint(p.Allowed, 0, 0, 0, 0)
		}
	}
}

func groupPoint(allowed string, matched, nonMated, missed, mated float64) GroupPoint {
	share := func(n, of float64) (Rate, Interval) {
		if of == 0 {
			return Unmeasured(), Interval{Unmeasured(), Unmeasured()}
		}
		return Rate(n / of), wilson(n/of, of)
	}
	p := GroupPoint{Allowed: allowed}
	p.FMR, p.FMRCI95 = share(matched, nonMated)
	p.FNMR, p.FNMRCI95 = share(missed, mated)
	return p
}

// ratio compares the groups at the i-th point.
func ratio(allowed string, groups []GroupRates, i int) GroupRatio {
	r := GroupRatio{Allowed: allowed}
	r.WorstFMR, r.FMRWorstToBest, r.FMRWorstToMean = spread(groups, func(g GroupRates) Rate { return g.Points[i].FMR })
	r.WorstFNMR, r.FNMRWorstToBest, r.FNMRWorstToMean = spread(groups, func(g GroupRates) Rate { return g.Points[i].FNMR })
	return r
}

// spread returns the group with the highest rate, and that over the lowest and
// over the geometric mean of all.
func spread(groups []GroupRates, rate func(GroupRates) Rate) (worst string, toBest, toMean Rate) {
	highest, lowest, logs, n := Rate(0), Rate(math.Inf(1)), 0.0, 0
	for _, g := range groups {
		v := rate(g)
		if !v.Measured() {
			continue
		}
		n++
		logs += math.Log(float64(v))
		lowest = min(lowest, v)
		if v > highest {
			worst, highest = g.Name, v
		}
	}
	if n < 2 || lowest == 0 {
		return worst, Unmeasured(), Unmeasured()
	}
	return worst, highest / lowest, highest / Rate(math.Exp(logs/float64(n)))
}
