package lawtest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/tamga-id/tamga/federation/policy"
	"github.com/tamga-id/tamga/federation/policy/vocabulary"
)

// Limits of a table: a larger one is no text that anybody reads.
const (
	maxSize         = 256 << 10
	maxCombinations = 20_000
)

// words is one word or a list of them.
type words []string

// UnmarshalYAML reads either.
func (w *words) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*w = words{n.Value}
		return nil
	}
	return n.Decode((*[]string)(w))
}

// counts are policy.Counts under the names that laws use.
type counts struct {
	ByOfficer    int64 `yaml:"queries_by_officer"`
	ByRequester  int64 `yaml:"queries_by_requester"`
	AboutSubject int64 `yaml:"queries_about_subject"`
	ForPurpose   int64 `yaml:"queries_for_purpose"`
	NearMisses   int64 `yaml:"near_misses"`

	LeftByOfficer    int64 `yaml:"left_by_officer"`
	LeftByRequester  int64 `yaml:"left_by_requester"`
	LeftAboutSubject int64 `yaml:"left_about_subject"`
	LeftForPurpose   int64 `yaml:"left_for_purpose"`
}

type count struct {
	name string
	n    int64
}

// list is every count by its name.
func (c counts) list() []count {
	return []count{{"queries_by_officer", c.ByOfficer}, {"queries_by_requester", c.ByRequester}, {"queries_about_subject", c.AboutSubject},
		{"queries_for_purpose", c.ForPurpose}, {"near_misses", c.NearMisses}, {"left_by_officer", c.LeftByOfficer},
		{"left_by_requester", c.LeftByRequester}, {"left_about_subject", c.LeftAboutSubject}, {"left_for_purpose", c.LeftForPurpose}}
}

// testCase is one entry of a table.
type testCase struct {
	Name       string   `yaml:"name"`
	Purpose    words    `yaml:"purpose"`
	Basis      words    `yaml:"basis"`
	Direction  words    `yaml:"direction"`
	Operation  words    `yaml:"operation"`
	Consent    words    `yaml:"consent"`
	Modality   words    `yaml:"modality"`
	Role       words    `yaml:"role"`
	Class      words    `yaml:"class"`
	Assurance  words    `yaml:"assurance"`
	Own        string   `yaml:"own"`
	Country    string   `yaml:"country"`
	Requester  string   `yaml:"requester"`
	Responder  string   `yaml:"responder"`
	Marks      []string `yaml:"marks"`
	Time       string   `yaml:"time"`
	Counts     counts   `yaml:"counts"`
	Want       string   `yaml:"want"`
	Policy     string   `yaml:"policy"`
	Article    string   `yaml:"article"`
	Consents   []string `yaml:"consents"`
	Modalities []string `yaml:"modalities"`
	Tell       []string `yaml:"tell"`

	name string
	line int
	at   time.Time
}

// document is a whole file. Cases are nodes first, for their lines.
type document struct {
	Law   string      `yaml:"law"`
	Cases []yaml.Node `yaml:"cases"`
}

// Parse reads a table; name only names it in faults. Unknown keys and unknown words are faults: a case that means
// nothing would pass for ever.
func Parse(name string, src []byte) (*Table, error) {
	if len(src) > maxSize {
		return nil, fmt.Errorf("%s: a table of tests is at most %d bytes long", name, maxSize)
	}
	var doc document
	if err := strict(src, &doc); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	t := &Table{file: name, country: doc.Law}
	if len(doc.Cases) == 0 {
		return nil, fmt.Errorf("%s: there are no cases", name)
	}
	var faults []error
	combinations := 0
	for i := range doc.Cases {
		c, err := parseCase(&doc.Cases[i])
		if err != nil {
			faults = append(faults, fmt.Errorf("%s:%d: %w", name, doc.Cases[i].Line, err))
			continue
		}
		combinations += c.combinations()
		t.cases = append(t.cases, c)
	}
	if combinations > maxCombinations {
		faults = append(faults, fmt.Errorf("%s: more than %d combinations", name, maxCombinations))
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return t, nil
}

// strict decodes one document whose every key is known.
func strict(src []byte, into any) error {
	d := yaml.NewDecoder(bytes.NewReader(src))
	d.KnownFields(true)
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("reading tests: %w", err)
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return errors.New("reading tests: more than one document")
	}
	return nil
}

func parseCase(n *yaml.Node) (testCase, error) {
	// Decoding a node cannot be told to know its keys, so it is written out again.
	src, err := yaml.Marshal(n)
	if err != nil {
		return testCase{}, fmt.Errorf("reading case: %w", err)
	}
	c := testCase{line: n.Line, at: noon}
	if err := strict(src, &c); err != nil {
		return testCase{}, err
	}
	if c.name = c.Name; c.name == "" {
		c.name = "case"
	}
	c.fill()
	if c.Time != "" {
		if c.at, err = time.Parse(time.RFC3339, c.Time); err != nil {
			return testCase{}, errors.New("time is not of the form 2026-03-21T12:00:00Z")
		}
	}
	return c, c.check()
}

// fill puts what a case leaves out.
func (c *testCase) fill() {
	for _, d := range []struct {
		list  *words
		value words
	}{
		{&c.Direction, words{policy.Ask, policy.Answer}}, {&c.Operation, words{"verify"}}, {&c.Consent, words{""}},
		{&c.Modality, words{""}}, {&c.Role, words{""}}, {&c.Class, words{""}}, {&c.Assurance, words{""}},
	} {
		if len(*d.list) == 0 {
			*d.list = d.value
		}
	}
	for text, value := range map[*string]string{&c.Country: someCountry, &c.Requester: someRequester, &c.Responder: someResponder} {
		if *text == "" {
			*text = value
		}
	}
}

func (c *testCase) check() error {
	for _, l := range []struct {
		key      string
		list, of []string
		required bool
	}{
		{"purpose", c.Purpose, vocabulary.Purposes(), true}, {"basis", c.Basis, vocabulary.LegalBases(), true},
		{"direction", c.Direction, []string{policy.Ask, policy.Answer}, true}, {"operation", c.Operation, vocabulary.Operations(), true},
		{"consent", c.Consent, vocabulary.ConsentStates(), false}, {"modality", c.Modality, vocabulary.Modalities(), false},
		{"role", c.Role, vocabulary.OfficerRoles(), false}, {"class", c.Class, vocabulary.SubjectClasses(), false},
		{"assurance", c.Assurance, vocabulary.Assurances(), false},
		{"want", []string{c.Want}, []string{"allowed", "refused", "lacking"}, true},
	} {
		if len(l.list) == 0 {
			return fmt.Errorf("case has no %s", l.key)
		}
		for _, word := range l.list {
			if !slices.Contains(l.of, word) && (l.required || word != "") {
				return fmt.Errorf("%s %q is none of %s", l.key, word, strings.Join(l.of, ", "))
			}
		}
	}
	for _, g := range c.Counts.list() {
		if g.n < 0 {
			return fmt.Errorf("%s is less than nothing", g.name)
		}
	}
	if c.Policy == "" {
		return errors.New("case names no policy: what decides is what is tested")
	}
	return nil
}

func (c *testCase) combinations() int {
	n := 1
	for _, list := range []words{c.Purpose, c.Basis, c.Direction, c.Operation, c.Consent, c.Modality, c.Role, c.Class, c.Assurance} {
		n *= len(list)
	}
	return n
}
