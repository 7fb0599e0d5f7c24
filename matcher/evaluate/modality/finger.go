package modality

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tamga-id/tamga/matcher/evaluate"
	"github.com/tamga-id/tamga/matcher/finger"
)

// ErrName is returned for a template name that does not say whose it is.
var ErrName = errors.New("template name is not SET_FINGER_IMPRESSION")

// FingerTemplate is one impression of a finger.
type FingerTemplate struct {
	// Name is SET_FINGER_IMPRESSION, such as fvc2002_DB1_B_101_3: the last
	// two fields are the finger and the impression, all before them the set.
	Name string
	// Sample is the decoded view.
	Sample finger.Sample
	// Failed gives the reason, a short constant, why there is no Sample; such
	// an impression is counted as a failure.
	Failed string
}

// Finger compares every impression with every other of its set: mated are all
// pairs of one finger, non-mated all pairs of two. Sets are never mixed, but
// for [evaluate.Report.Identification], where the references of all are one gallery.
// The report has one of its own for each set.
//
// Errors are [ErrName], a name that occurs twice, [evaluate.ErrSize], [evaluate.ErrGroups] and
// the context's.
func Finger(ctx context.Context, templates []FingerTemplate, o evaluate.Options) (evaluate.Report, error) {
	impressions, err := newImpressions(templates)
	if err != nil {
		return evaluate.Report{}, err
	}
	fingers := ready(impressions)
	defer wipe(fingers)
	plan := evaluate.Plan{
		Modality: "finger",
		Protocol: "in each set, all impression pairs of a finger are mated and all pairs of different fingers non-mated",
		Captures: captures(impressions, fingers),
		Compare:  comparing(fingers, fingers),
	}
	return evaluate.Pairs(ctx, plan, o)
}

// FingerAgainst is [Finger] for probes from one extractor and references from
// another, of the same impressions: every probe is compared with every
// reference of its set but that of the same impression. Names that are not in
// both are left out.
func FingerAgainst(ctx context.Context, probes, references []FingerTemplate, o evaluate.Options) (evaluate.Report, error) {
	a, err := newImpressions(probes)
	if err != nil {
		return evaluate.Report{}, err
	}
	b, err := newImpressions(references)
	if err != nil {
		return evaluate.Report{}, err
	}
	a, b = common(a, b)
	fingers, against := ready(a), ready(b)
	defer wipe(fingers)
	defer wipe(against)
	plan := evaluate.Plan{
		Modality: "finger",
		Protocol: "probes and references are from two extractors: in each set, every probe is compared with every reference " +
			"but that of the same impression; those of one finger are mated, all others non-mated",
		Captures: captures(a, fingers),
		Compare:  comparing(fingers, against),
		BothWays: true,
	}
	for i, c := range captures(b, against) {
		plan.Captures[i].Failed = cmp.Or(plan.Captures[i].Failed, c.Failed)
	}
	return evaluate.Pairs(ctx, plan, o)
}

func comparing(probes, references []*finger.Template) func(i, from int, scores []float64) {
	return func(i, from int, scores []float64) {
		for k := range scores {
			scores[k] = finger.Compare(probes[i], references[from+k])
		}
	}
}

// impression is a template with what its name says.
type impression struct {
	FingerTemplate
	set, owner, number string
}

// newImpressions reads the names and puts impressions in their order.
func newImpressions(templates []FingerTemplate) ([]impression, error) {
	out := make([]impression, len(templates))
	for i, t := range templates {
		set, owner, err := splitName(t.Name)
		if err != nil {
			return nil, err
		}
		out[i] = impression{t, set, owner, t.Name[len(owner)+1:]}
	}
	slices.SortFunc(out, compareImpressions)
	for i := 1; i < len(out); i++ {
		if out[i-1].Name == out[i].Name {
			return nil, fmt.Errorf("reading template names: %.60q occurs twice", out[i].Name)
		}
	}
	return out, nil
}

// compareImpressions puts impression 2 before impression 10.
func compareImpressions(a, b impression) int {
	x, errX := strconv.Atoi(a.number)
	y, errY := strconv.Atoi(b.number)
	if errX != nil || errY != nil {
		x, y = 0, 0
	}
	return cmp.Or(cmp.Compare(a.set, b.set), cmp.Compare(a.owner, b.owner), cmp.Compare(x, y), cmp.Compare(a.Name, b.Name))
}

// splitName returns the set and the set with the finger.
func splitName(name string) (set, owner string, err error) {
	last := strings.LastIndexByte(name, '_')
	if last < 0 || last == len(name)-1 {
		return "", "", fmt.Errorf("reading template name %.60q: %w", name, ErrName)
	}
	owner = name[:last]
	middle := strings.LastIndexByte(owner, '_')
	if middle <= 0 || middle == len(owner)-1 {
		return "", "", fmt.Errorf("reading template name %.60q: %w", name, ErrName)
	}
	return owner[:middle], owner, nil
}

// common keeps of both what the other has too.
func common(a, b []impression) (x, y []impression) {
	for i, k := 0, 0; i < len(a) && k < len(b); {
		switch c := compareImpressions(a[i], b[k]); {
		case c < 0:
			i++
		case c > 0:
			k++
		default:
			x, y = append(x, a[i]), append(y, b[k])
			i, k = i+1, k+1
		}
	}
	return x, y
}

// ready prepares templates; one that cannot be stays nil.
func ready(impressions []impression) []*finger.Template {
	out := make([]*finger.Template, len(impressions))
	for i, im := range impressions {
		if im.Failed == "" {
			out[i], _ = finger.Prepare(im.Sample)
		}
	}
	return out
}

func wipe(templates []*finger.Template) {
	for _, t := range templates {
		t.Wipe()
	}
}

func captures(impressions []impression, templates []*finger.Template) []evaluate.Capture {
	out := make([]evaluate.Capture, len(impressions))
	for i, im := range impressions {
		out[i] = evaluate.Capture{Set: im.set, Subject: im.owner, Failed: im.Failed}
		if templates[i] == nil && im.Failed == "" {
			out[i].Failed = "the matcher cannot prepare the template"
		}
	}
	return out
}

// CheckName returns [ErrName] for a name that [Finger] would refuse.
func CheckName(name string) error {
	_, _, err := splitName(name)
	return err
}
