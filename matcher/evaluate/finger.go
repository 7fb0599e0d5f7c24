package evaluate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tamga-id/tamga/matcher/finger"
)

// ErrName is returned for a template name that does not say whose it is.
var ErrName = errors.New("template name is not SET_FINGER_IMPRESSION")

// FingerTemplate is one impression of a finger.
type FingerTemplate struct {
	// Name is SET_FINGER_IMPRESSION, such as fvc2002_DB1_B_101_3: the last
	// two fields are the finger and the impression, all before them the set.
	Name string
	// Sample is the decoded view. Leave it zero for a file that could not be
	// decoded, so that it is counted as a failure.
	Sample finger.Sample
}

// entry is a template with the numbers of its set and of its finger therein.
type entry struct {
	set, subject int
	template     *finger.Template
}

// Finger compares every impression with every other of its set: mated are all
// pairs of one finger, non-mated all pairs of two. Sets are never mixed. The
// report has one of its own for each set.
//
// Errors are [ErrName], a name that occurs twice, and the context's.
func Finger(ctx context.Context, templates []FingerTemplate, o Options) (Report, error) {
	c, err := newCollection(templates)
	if err != nil {
		return Report{}, err
	}
	defer c.wipe()
	outcomes, rows := c.plan()
	speed, err := o.measure(cost(rows), func() error { return runRows(ctx, rows, o.Progress) })
	if err != nil {
		return Report{}, fmt.Errorf("comparing fingers: %w", err)
	}
	r := c.report(outcomes)
	r.ComparisonsPerSecondPerCore = speed
	return r, nil
}

// collection is the templates by set, ready to compare.
type collection struct {
	sets     []string
	subjects []int // fingers in each set
	failures []int // templates of each set that could not be prepared
	members  [][]entry
}

func newCollection(templates []FingerTemplate) (*collection, error) {
	sorted := slices.Clone(templates)
	slices.SortFunc(sorted, func(a, b FingerTemplate) int { return strings.Compare(a.Name, b.Name) })
	c := &collection{}
	sets, fingers := map[string]int{}, map[string]int{}
	for i, t := range sorted {
		set, owner, err := splitName(t.Name)
		if err != nil {
			return nil, err
		}
		if i > 0 && sorted[i-1].Name == t.Name {
			return nil, fmt.Errorf("reading template names: %.60q occurs twice", t.Name)
		}
		n, ok := sets[set]
		if !ok {
			n = len(c.sets)
			sets[set] = n
			c.sets = append(c.sets, set)
			c.subjects = append(c.subjects, 0)
			c.failures = append(c.failures, 0)
			c.members = append(c.members, nil)
		}
		subject, ok := fingers[owner]
		if !ok {
			subject = c.subjects[n]
			fingers[owner] = subject
			c.subjects[n]++
		}
		template, err := finger.Prepare(t.Sample)
		if err != nil {
			c.failures[n]++ // compares to 0 as a nil template
		}
		c.members[n] = append(c.members[n], entry{n, subject, template})
	}
	return c, nil
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

func (c *collection) wipe() {
	for _, members := range c.members {
		for _, m := range members {
			m.template.Wipe()
		}
	}
}

// plan returns where the outcomes of each set will be, and the work that puts
// them there.
func (c *collection) plan() (outcomes [][]outcome, rows []row) {
	outcomes = make([][]outcome, len(c.sets))
	for n, members := range c.members {
		outcomes[n] = make([]outcome, len(members)*(len(members)-1)/2)
		rest := outcomes[n]
		for i := range members {
			others := members[i+1:]
			rows = append(rows, row{cost: len(others), work: compareRow(members[i], others, rest[:len(others)])})
			rest = rest[len(others):]
		}
	}
	return outcomes, rows
}

func compareRow(probe entry, others []entry, into []outcome) func(int) {
	return func(int) {
		for k, o := range others {
			into[k] = outcome{number(finger.Compare(probe.template, o.template)), int32(probe.subject), int32(o.subject)}
		}
	}
}

const fingerProtocol = "in each set, all impression pairs of a finger are mated and all pairs of different fingers non-mated"

// report joins the sets' reports.
func (c *collection) report(outcomes [][]outcome) Report {
	samples := make([]*sample, len(c.sets))
	var all []outcome
	people := 0
	for n := range c.sets {
		offset := int32(people)
		for _, o := range outcomes[n] {
			all = append(all, outcome{o.score, o.a + offset, o.b + offset})
		}
		people += c.subjects[n]
		samples[n] = newSample(outcomes[n], c.subjects[n])
	}
	sets := make([]Report, len(c.sets))
	each, mean := bootstrap(samples)
	failures := 0
	for n, name := range c.sets {
		s := samples[n].curve().report()
		s.setIntervals(each[n])
		s.Name, s.Failures = name, c.failures[n]
		failures += s.Failures
		sets[n] = s
	}
	pooled := newSample(all, people).report()
	pooled.Failures = failures
	r := meanOf(sets, pooled, mean)
	r.Modality, r.Protocol = "finger", fingerProtocol
	return r
}
