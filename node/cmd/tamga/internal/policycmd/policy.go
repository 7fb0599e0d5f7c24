// Package policycmd is `tamga policy`: the law of a node is tested, explained and published.
package policycmd

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tamga-id/tamga/federation/policy"
	"github.com/tamga-id/tamga/federation/policy/lawtest"
	"github.com/tamga-id/tamga/federation/policy/vocabulary"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
)

// Command is `tamga policy`.
func Command(a *cli.App) *cobra.Command {
	c := &cobra.Command{
		Use:   "policy",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
		Short: "Read, test and change the law that a node executes",
		Long: `A node's law is one file of Cedar policies. Check and test it, ask what it decides and what
a change of it would change; then two operators sign a change, and it takes effect without
a restart. LAW is a file, a proposal, or the country of a law that is built in: KAZ, KGZ,
TJK, UZB.`,
		Example: `  tamga policy vocabulary
  tamga policy check KGZ.cedar
  tamga policy explain KGZ --purpose border_control --legal-basis public_task`,
	}
	c.AddCommand(policyVocabulary(a), policyCheck(a), policyTest(a), policyExplain(a), policyData(a), policyDiff(a), policySimulate(a),
		policyPropose(a), policyApprove(a), policyPublish(a), policyHistory(a), policyRollback(a))
	return c
}

// loadLaw reads a law file, the law of a proposal, or a built-in law by its country.
func loadLaw(name string) (*policy.Law, error) {
	law, _, err := readLaw(name)
	return law, err
}

// readLaw is loadLaw, and the text.
func readLaw(name string) (*policy.Law, []byte, error) {
	src, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		if builtin, ok := policy.Builtin(name); ok {
			law, err := policy.Load(name+".cedar", builtin)
			return law, builtin, err
		}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("reading law: %w", err)
	}
	if bytes.HasPrefix(src, []byte("{")) { // no law begins so: what an operator is asked to sign
		p, _, err := readProposal(name)
		return p.Law(), p.Text, err
	}
	law, err := policy.Load(name, src)
	return law, src, err
}

type termView struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	DPV   string `json:"dpv,omitempty"`
	Match string `json:"match,omitempty"`
}

func policyVocabulary(a *cli.App) *cobra.Command {
	return &cobra.Command{
		Use:   "vocabulary",
		Short: "List the words that laws and Queries may use",
		Long: `Lists purposes, legal bases, states of consent, officers' roles and the other words of the
registry, each with the term of the W3C Data Privacy Vocabulary and how close that is.`,
		Example: `  tamga policy vocabulary -o json`,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			r := vocabulary.Current()
			out := map[string]any{"version": r.Version}
			rows := [][2]string{{"version", r.Version}}
			for _, list := range []struct {
				key, name string
				terms     []vocabulary.Term
			}{
				{"purposes", "purpose", r.Purposes}, {"legal_bases", "legal basis", r.LegalBases}, {"consent_states", "consent", r.ConsentStates},
				{"officer_roles", "officer role", r.OfficerRoles}, {"subject_classes", "subject class", r.SubjectClasses},
				{"assurances", "assurance", r.Assurances}, {"operations", "operation", r.Operations}, {"modalities", "modality", r.Modalities},
				{"biometric_types", "biometric type", r.BiometricTypes}, {"biometric_forms", "biometric form", r.BiometricForms},
			} {
				views := make([]termView, len(list.terms))
				for i, t := range list.terms {
					views[i] = termView{t.Name, t.Title, t.DPV, string(t.Match)}
					text := t.Name + ": " + t.Title
					if t.DPV != "" {
						text += " (" + string(t.Match) + " match: " + strings.Replace(t.DPV, vocabulary.DPV, "dpv:", 1) + ")"
					}
					rows = append(rows, [2]string{list.name, text})
				}
				out[list.key] = views
			}
			return a.Emit(out, rows)
		},
	}
}

func policyCheck(a *cli.App) *cobra.Command {
	return &cobra.Command{
		Use:   "check LAW",
		Short: "Read a law file and list everything wrong with it",
		Long: `Reads the file as a node does. Faults come all at once, each with its line and column, and
exit code 3. Tests beside the file are not run: see "tamga policy test".`,
		Example: `  tamga policy check KGZ.cedar
  tamga policy check KGZ -o json`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			law, err := loadLaw(args[0])
			if err != nil {
				return err
			}
			now := time.Now()
			digest := law.Digest()
			out := map[string]any{"jurisdiction": law.Jurisdiction(), "version": law.Version(), "confirmed": law.Confirmed(),
				"policies": len(law.Policies()), "sha256": fmt.Sprintf("%x", digest), "asks": law.Purposes(policy.Ask, now), "answers": law.Purposes(policy.Answer, now)}
			if !law.Confirmed() {
				a.Say("hint: its head calls it a working translation; counsel confirms every citation before it is used")
			}
			return a.Emit(out, [][2]string{{"jurisdiction", law.Jurisdiction()}, {"version", law.Version()},
				{"confirmed", fmt.Sprint(law.Confirmed())}, {"policies", fmt.Sprint(len(law.Policies()))}, {"sha256", fmt.Sprintf("%x", digest)},
				{"may ask for", strings.Join(law.Purposes(policy.Ask, now), ", ")}, {"may answer for", strings.Join(law.Purposes(policy.Answer, now), ", ")}})
		},
	}
}

// testsOf is the table beside a law file, or the one built in.
func testsOf(law string) (name string, src []byte, err error) {
	name = strings.TrimSuffix(law, filepath.Ext(law)) + ".tests.yaml"
	src, err = os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		if builtin, ok := policy.BuiltinTests(law); ok {
			return law + ".tests.yaml", builtin, nil
		}
	}
	if err != nil {
		return name, nil, fmt.Errorf("reading tests: %w", err)
	}
	return name, src, nil
}

func policyTest(a *cli.App) *cobra.Command {
	return &cobra.Command{
		Use:   "test LAW [TESTS]",
		Short: "Try a law on the table of tests beside it",
		Long: `TESTS is a YAML file that lists requests and what is to come of them; without it, the file
beside the law whose name ends in .tests.yaml instead of .cedar. What is decided otherwise
is listed with its line, and gives exit code 1. A policy that decides no case is named.`,
		Example: `  tamga policy test KGZ
  tamga policy test law.cedar mine.tests.yaml`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(_ *cobra.Command, args []string) error {
			law, err := loadLaw(args[0])
			if err != nil {
				return err
			}
			name, src, err := "", []byte(nil), error(nil)
			if len(args) == 2 {
				name = args[1]
				src, err = os.ReadFile(name)
			} else {
				name, src, err = testsOf(args[0])
			}
			if err != nil {
				return fmt.Errorf("reading tests: %w", err)
			}
			return testLaw(a, law, name, src)
		},
	}
}

func testLaw(a *cli.App, law *policy.Law, name string, src []byte) error {
	table, err := lawtest.Parse(name, src)
	if err != nil {
		return &fault.Failure{Exit: fault.ExitConfig, Code: protocol.CodeConfig, Err: err, Hint: "mend the table of tests at the lines listed"}
	}
	r := table.Run(law)
	var texts []string
	rows := [][2]string{{"cases", fmt.Sprint(r.Cases)}, {"failed", fmt.Sprint(len(r.Failures))}}
	for _, f := range r.Failures {
		texts = append(texts, f.String())
		rows = append(rows, [2]string{"failed", f.String()})
	}
	for _, id := range r.Untested {
		rows = append(rows, [2]string{"untested", id})
	}
	if err := a.Emit(map[string]any{"cases": r.Cases, "failures": orNone(texts), "untested": orNone(r.Untested)}, rows); err != nil {
		return err
	}
	if r.Cases == 0 && len(r.Failures) > 0 {
		return &fault.Failure{Exit: fault.ExitFailure, Code: protocol.CodeLawTests, Err: fmt.Errorf("the tests are of the law of %s, and the law is of %s: no case was tried", r.Failures[0].Want, r.Failures[0].Got)}
	}
	if len(r.Failures) > 0 {
		return &fault.Failure{Exit: fault.ExitFailure, Code: protocol.CodeLawTests, Err: fmt.Errorf("%d of %d cases are decided otherwise", len(r.Failures), r.Cases)}
	}
	return nil
}

// orNone keeps null out of JSON.
func orNone(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// askedFlags describe a request for explain.
type askedFlags struct {
	direction, purpose, basis, operation, consent, modality, role, class, assurance, country, at string
	marks                                                                                        []string
	counts                                                                                       map[string]int64
}

func (q *askedFlags) add(f *pflag.FlagSet) {
	f.StringVar(&q.direction, "direction", policy.Answer, "answer: a foreign question about the own register; ask: an own officer's question abroad")
	f.StringVar(&q.purpose, "purpose", "", "why it is asked (required)")
	f.StringVar(&q.basis, "legal-basis", "", "on what basis (required)")
	f.StringVar(&q.operation, "operation", "verify", "verify, identify or resolve")
	f.StringVar(&q.consent, "consent", "", "none, holder, attested or exemption (default: not known yet)")
	f.StringVar(&q.modality, "modality", "", "face, finger, iris or signature (default: not known yet)")
	f.StringVar(&q.role, "officer-role", "", "what the officer is")
	f.StringVar(&q.assurance, "assurance", "", "how the probes were captured: low, substantial or high")
	f.StringVar(&q.class, "subject-class", "", "of whom it is about: adult, minor, ward, protected")
	f.StringVar(&q.country, "country", "XXZ", "the other country")
	f.StringVar(&q.at, "time", "", "when it is asked, as 2027-01-31T08:00:00Z (default: now)")
	f.StringToInt64Var(&q.counts, "count", nil, "how many Queries there were or are left, as near_misses=2; may be repeated")
	f.StringSliceVar(&q.marks, "mark", nil, "a Trust Mark type that the other side holds; may be repeated")
}

// countsOf are counts by the names that laws use.
func countsOf(named map[string]int64) (policy.Counts, error) {
	var c policy.Counts
	fields := map[string]*int64{"queries_by_officer": &c.ByOfficer, "queries_by_requester": &c.ByRequester, "queries_about_subject": &c.AboutSubject,
		"queries_for_purpose": &c.ForPurpose, "near_misses": &c.NearMisses, "left_by_officer": &c.LeftByOfficer,
		"left_by_requester": &c.LeftByRequester, "left_about_subject": &c.LeftAboutSubject, "left_for_purpose": &c.LeftForPurpose}
	for name, n := range named {
		to, ok := fields[name]
		if !ok || n < 0 {
			return c, fault.Usage("--count takes a whole number for one of %s", strings.Join(slices.Sorted(maps.Keys(fields)), ", "))
		}
		*to = n
	}
	return c, nil
}

// check finds the first word that is in no list: what nobody can ask is decided of by no law.
func (q askedFlags) check() error {
	for _, f := range []struct {
		name, word string
		of         []string
	}{
		{"direction", q.direction, []string{policy.Answer, policy.Ask}}, {"purpose", q.purpose, vocabulary.Purposes()},
		{"legal-basis", q.basis, vocabulary.LegalBases()}, {"operation", q.operation, vocabulary.Operations()},
		{"consent", q.consent, vocabulary.ConsentStates()}, {"modality", q.modality, vocabulary.Modalities()},
		{"officer-role", q.role, vocabulary.OfficerRoles()}, {"subject-class", q.class, vocabulary.SubjectClasses()},
		{"assurance", q.assurance, vocabulary.Assurances()},
	} {
		if f.word != "" && !slices.Contains(f.of, f.word) {
			return fault.Usage("--%s takes one of %s", f.name, strings.Join(f.of, ", "))
		}
	}
	return nil
}

func (q askedFlags) request(own string) (policy.Request, error) {
	if err := q.check(); err != nil {
		return policy.Request{}, err
	}
	at := time.Now()
	if q.at != "" {
		var err error
		if at, err = time.Parse(time.RFC3339, q.at); err != nil {
			return policy.Request{}, fault.Usage("--time takes a time such as 2027-01-31T08:00:00Z")
		}
	}
	counts, err := countsOf(q.counts)
	r := policy.Request{Direction: q.direction, Requester: "https://requester.invalid", Responder: "https://responder.invalid",
		RequesterCountry: own, ResponderCountry: q.country, Purpose: q.purpose, LegalBasis: q.basis, Operation: q.operation,
		Consent: q.consent, Modality: q.modality, OfficerRole: q.role, SubjectClass: q.class, Assurance: q.assurance, PeerMarks: q.marks, Time: at, Counts: counts,
		Sealed: q.direction == policy.Answer && q.class == ""}
	if q.direction == policy.Answer {
		r.RequesterCountry, r.ResponderCountry = r.ResponderCountry, r.RequesterCountry
	}
	return r, err
}
