package policycmd

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/federation/policy"
	"github.com/tamga-id/tamga/federation/policy/lawdiff"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
)

// decisionView is a decision in JSON.
type decisionView struct {
	Outcome    string   `json:"outcome"` // allowed, refused or lacking
	Policy     string   `json:"policy"`
	Law        string   `json:"law"`
	Article    string   `json:"article"`
	Version    string   `json:"version"`
	SHA256     string   `json:"sha256"`
	Reason     string   `json:"reason"`
	Consents   []string `json:"consents,omitempty"`
	FMROneIn   uint32   `json:"fmr_one_in,omitempty"`
	Modalities []string `json:"modalities,omitempty"`
	Tells      []string `json:"tells,omitempty"`
}

func viewOf(d policy.Decision) decisionView {
	v := decisionView{Outcome: "refused", Policy: d.PolicyID, Law: d.Law, Article: d.Article, Version: d.Version, SHA256: fmt.Sprintf("%x", d.Digest), Reason: d.Reason}
	switch {
	case d.Allowed:
		v.Outcome, v.Consents, v.FMROneIn, v.Modalities, v.Tells = "allowed", d.Consents, d.FMROneIn, d.Modalities, []string{"verdict"}
		if !d.WithholdReasons {
			v.Tells = append(v.Tells, "reasons")
		}
		if !d.WithholdUnknown {
			v.Tells = append(v.Tells, "subject_unknown")
		}
	case d.ConsentLacking:
		v.Outcome = "lacking"
	}
	return v
}

func (v decisionView) words() string {
	if v.Outcome != "allowed" {
		return v.Outcome + " by " + v.Policy
	}
	text := "allowed by " + v.Policy + ", at FMR 1/" + fmt.Sprint(v.FMROneIn) + " on " + strings.Join(v.Modalities, ", ")
	if len(v.Consents) > 0 {
		text += ", with a consent: " + strings.Join(v.Consents, " or ")
	}
	return text + ", telling " + strings.Join(v.Tells, ", ")
}

func policyExplain(a *cli.App) *cobra.Command {
	var q askedFlags
	c := &cobra.Command{
		Use:   "explain LAW",
		Short: "Say what a law decides, and why, policy by policy",
		Long: `Decides one request and says of every policy whether it applies and, if not, the part of its
condition that fails, and lists what the law asks about with the values it was given. What
is not known yet, like the consent or the class before a Query is opened, is left out of
the request; --count gives what budgets have counted.`,
		Example: `  tamga policy explain KGZ --purpose border_control --legal-basis public_task
  tamga policy explain KAZ --purpose banking_kyc --legal-basis consent --subject-class minor --count near_misses=2
  tamga policy explain KGZ --purpose service_delivery --legal-basis legal_obligation -o json`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if q.purpose == "" || q.basis == "" {
				return fault.Usage("--purpose and --legal-basis are needed; `tamga policy vocabulary` lists them")
			}
			law, err := loadLaw(args[0])
			if err != nil {
				return err
			}
			r, err := q.request(law.Jurisdiction())
			if err != nil {
				return err
			}
			return explainLaw(a, law, r)
		},
	}
	q.add(c.Flags())
	return c
}

type stepOf struct {
	Policy  string `json:"policy"`
	Effect  string `json:"effect"`
	Line    int    `json:"line"`
	Applies bool   `json:"applies"`
	Fails   string `json:"fails,omitempty"`
}

func explainLaw(a *cli.App, law *policy.Law, r policy.Request) error {
	d, steps := law.Explain(r)
	v := viewOf(d)
	rows := [][2]string{{"decision", v.words()}, {"because", v.Reason}}
	given := map[string]string{}
	for _, g := range law.Given(r) {
		given[g.Name] = g.Value
		rows = append(rows, [2]string{"given " + g.Name, g.Value})
	}
	views := []stepOf{}
	for _, s := range steps {
		one := stepOf{Policy: s.ID, Effect: "forbid", Line: s.Line, Applies: s.Applies, Fails: s.Because}
		if s.Permit {
			one.Effect = "permit"
		}
		text := "applies"
		if !s.Applies {
			text = "does not apply: " + s.Because
		}
		rows = append(rows, [2]string{one.Effect + " " + s.ID, text})
		views = append(views, one)
	}
	return a.Emit(map[string]any{"decision": v, "given": given, "policies": views}, rows)
}

func policyDiff(a *cli.App) *cobra.Command {
	return &cobra.Command{
		Use:   "diff OLD NEW",
		Short: "Say what changes when one law takes another's place",
		Long: `Lists the policies that are added, removed or changed, and every combination of direction,
purpose, legal basis, consent, officer's role and assurance of the capture that is decided otherwise.`,
		Example: `  tamga policy diff KGZ KGZ-new.cedar`,
		Args:    cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			older, err := loadLaw(args[0])
			if err != nil {
				return err
			}
			newer, err := loadLaw(args[1])
			if err != nil {
				return err
			}
			if older.Jurisdiction() != newer.Jurisdiction() {
				return fault.Usage("the laws are of %s and %s: only texts of one country can be compared", older.Jurisdiction(), newer.Jurisdiction())
			}
			return showDiff(a, lawdiff.Between(older, newer, time.Now()))
		},
	}
}

// changeView is a decision that changes.
type changeView struct {
	Direction  string       `json:"direction"`
	Operation  string       `json:"operation"`
	Purpose    string       `json:"purpose"`
	LegalBasis string       `json:"legal_basis"`
	Consent    string       `json:"consent,omitempty"`
	Role       string       `json:"officer_role,omitempty"`
	Assurance  string       `json:"assurance,omitempty"`
	Old        decisionView `json:"old"`
	New        decisionView `json:"new"`
}

func showDiff(a *cli.App, d lawdiff.Diff) error {
	rows := [][2]string{}
	policies := []map[string]string{}
	for _, p := range d.Policies {
		rows = append(rows, [2]string{p.Kind, p.ID})
		policies = append(policies, map[string]string{"policy": p.ID, "change": p.Kind})
	}
	opens, closes := 0, 0
	changes := []changeView{}
	for _, c := range d.Decisions {
		v := changeView{Direction: c.Request.Direction, Operation: c.Request.Operation, Purpose: c.Request.Purpose,
			LegalBasis: c.Request.LegalBasis, Consent: c.Request.Consent, Role: c.Request.OfficerRole, Assurance: c.Request.Assurance,
			Old: viewOf(c.Old), New: viewOf(c.New)}
		changes = append(changes, v)
		kind := "obligation"
		switch {
		case c.Opens():
			opens++
			kind = "opens"
		case c.Closes():
			closes++
			kind = "closes"
		}
		about := strings.Join(strings.Fields(strings.Join([]string{v.Direction, v.Operation, v.Purpose, "on", v.LegalBasis, "consent", v.Consent, v.Role, v.Assurance}, " ")), " ")
		rows = append(rows, [2]string{kind, about + ": " + v.Old.words() + " -> " + v.New.words()})
	}
	rows = append(rows, [2]string{"decisions", fmt.Sprintf("%d of %d change: %d open, %d close", len(changes), d.Compared, opens, closes)})
	return a.Emit(map[string]any{"policies": policies, "decisions": changes, "compared": d.Compared, "opens": opens, "closes": closes}, rows)
}
