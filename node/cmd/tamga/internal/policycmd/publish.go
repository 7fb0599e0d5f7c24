package policycmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/federation/policy"
	"github.com/tamga-id/tamga/federation/policy/lawdiff"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/nodeclient"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/operatorkey"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/lawbook"
	"github.com/tamga-id/tamga/node/lawbook/inforce"
)

// openBook reads the book of the node in dir.
func openBook(dir string) (config.Config, *lawbook.Book, error) {
	if dir == "" {
		return config.Config{}, nil, fault.Usage("--dir is needed: the node's folder")
	}
	cfg, err := config.Load(filepath.Join(dir, node.ConfigFile))
	if err != nil {
		return config.Config{}, nil, err
	}
	book, err := inforce.OpenBook(cfg)
	return cfg, book, err
}

func policyPropose(a *cli.App) *cobra.Command {
	var dir, note, out string
	c := &cobra.Command{
		Use:   "propose LAW",
		Short: "Write a proposal to change the law, for operators to approve",
		Long: `Checks the law file, runs the tests beside it if there are any, and writes a proposal: the
text, and a claim that names it, the text it replaces and its number. It changes nothing.`,
		Example: `  tamga policy propose --dir kgz --note "Article 9 as amended" --out proposal.json KGZ-new.cedar`,
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			law, text, err := readLaw(args[0])
			if err != nil {
				return err
			}
			name, src, err := testsOf(args[0])
			if err == nil {
				err = testLaw((&cli.App{Out: a.Err, Err: a.Err, Format: "table"}), law, name, src)
			}
			if err != nil && !errors.Is(err, fs.ErrNotExist) { // tests that cannot be read could say no
				return err
			}
			return propose(a, dir, args[0], text, note, out)
		},
	}
	c.Flags().StringVar(&dir, "dir", "", "the node's folder (required)")
	c.Flags().StringVar(&note, "note", "", "why, for who looks later")
	c.Flags().StringVar(&out, "out", "", "file to write (required)")
	return c
}

// propose writes the proposal and says what it would change.
func propose(a *cli.App, dir, name string, text []byte, note, out string) error {
	if out == "" {
		return fault.Usage("--out is needed: the file to write")
	}
	cfg, book, err := openBook(dir)
	if err != nil {
		return err
	}
	last := book.Last()
	p, err := lawbook.Propose(cfg.EntityID, cfg.Jurisdiction, last.Number, last.Digest, name, text, note)
	if err != nil {
		return err
	}
	b, err := p.Marshal()
	if err != nil {
		return err
	}
	if err := writeFile(out, b); err != nil {
		return err
	}
	current, err := policy.Load(name, last.Text)
	if err != nil {
		return err
	}
	d := lawdiff.Between(current, p.Law(), time.Now())
	a.Say("hint: each of two operators: tamga policy approve %s --operator DIR --passphrase-file FILE --out NAME.jwt", out)
	return a.Emit(map[string]any{"number": p.Number, "version": p.Version, "sha256": p.Claim.Law, "proposal": out, "policies_changed": len(d.Policies), "decisions_changed": len(d.Decisions)},
		[][2]string{{"number", fmt.Sprint(p.Number)}, {"version", p.Version}, {"sha256", p.Claim.Law}, {"proposal", out},
			{"changes", fmt.Sprintf("%d policies, %d of %d decisions", len(d.Policies), len(d.Decisions), d.Compared)}})
}

// writeFile makes a file that is not there yet.
func writeFile(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if errors.Is(err, os.ErrExist) {
		return &fault.Failure{Exit: fault.ExitFailure, Code: protocol.CodeExists, Err: fmt.Errorf("%s is there already", path), Hint: "use another --out; nothing was changed"}
	}
	if err != nil {
		return fmt.Errorf("writing: %w", err)
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Close())
}

func readProposal(path string) (lawbook.Proposal, []byte, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return lawbook.Proposal{}, nil, fmt.Errorf("reading proposal: %w", err)
	}
	p, err := lawbook.Parse(b)
	if err != nil {
		return lawbook.Proposal{}, nil, &fault.Failure{Exit: fault.ExitIntegrity, Code: protocol.CodeLawBook, Err: err}
	}
	return p, b, nil
}

func policyApprove(a *cli.App) *cobra.Command {
	var operator, passphraseFile, out string
	c := &cobra.Command{
		Use:   "approve PROPOSAL",
		Short: "Sign a proposal with an operator's key",
		Long: `Signs what is proposed and shows what that is, on the operator's own machine. The approval is
good for this text, in the place of the text it names, once. Look at it before: check, diff,
explain and test take a proposal as they take a law file. The key is the one that
"tamga recovery operator" makes and recovery.operators lists.`,
		Example: `  tamga policy diff KGZ proposal.json
  tamga policy approve proposal.json --operator aigul --passphrase-file aigul.txt --out aigul.jwt`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if operator == "" || out == "" {
				return fault.Usage("--operator and --out are needed: the operator's folder and the file to write")
			}
			p, _, err := readProposal(args[0])
			if err != nil {
				return err
			}
			key, err := operatorkey.Open(a, operator, passphraseFile)
			if err != nil {
				return err
			}
			token, err := lawbook.Approve(p, key, time.Now())
			if err != nil {
				return err
			}
			if err := writeFile(out, []byte(token+"\n")); err != nil {
				return err
			}
			return a.Emit(map[string]any{"entity_id": p.EntityID, "number": p.Number, "version": p.Version, "sha256": p.Claim.Law, "replaces": p.Replaces, "note": p.Note, "key_id": key.Public().KeyID(), "approval": out},
				[][2]string{{"node", p.EntityID}, {"number", fmt.Sprint(p.Number)}, {"version", p.Version}, {"sha256", p.Claim.Law}, {"replaces", p.Replaces}, {"note", p.Note}, {"signed by", key.Public().KeyID()}, {"approval", out}})
		},
	}
	c.Flags().StringVar(&operator, "operator", "", "the operator's folder (required)")
	c.Flags().StringVar(&passphraseFile, "passphrase-file", "", "file with the passphrase of the operator's key, - for standard input")
	c.Flags().StringVar(&out, "out", "", "file to write the approval to (required)")
	return c
}

// publicationView is the API's publication.
type publicationView struct {
	Number    uint64    `json:"number"`
	Version   string    `json:"version"`
	SHA256    string    `json:"sha256"`
	Note      string    `json:"note,omitempty"`
	At        time.Time `json:"at,omitzero"`
	Operators []string  `json:"operators"`
	Ledger    string    `json:"ledger,omitempty"`
	Entry     *uint64   `json:"entry,omitempty"`

	// How purposes change by a publication; nil where they stay.
	Answers *purposesView `json:"answers,omitempty"`
	Asks    *purposesView `json:"asks,omitempty"`
}

func policyPublish(a *cli.App) *cobra.Command {
	nf := nodeclient.Flags{Operator: true}
	c := &cobra.Command{
		Use:   "publish PROPOSAL APPROVAL APPROVAL",
		Short: "Put an approved law into force on the running node",
		Long: `Demands approvals by two different operators of recovery.operators. The running node writes
an entry with both into its ledger and executes the new law from the next question on. If
its purposes change, which is said, hand its new Entity Configuration to the Trust Anchor.`,
		Example: `  tamga policy publish --dir kgz proposal.json aigul.jwt bolat.jwt`,
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			p, proposal, err := readProposal(args[0])
			if err != nil {
				return err
			}
			approvals := []string{}
			for _, file := range args[1:] {
				b, err := os.ReadFile(file)
				if err != nil {
					return fmt.Errorf("reading approval: %w", err)
				}
				approvals = append(approvals, strings.TrimSpace(string(b)))
			}
			if len(approvals) < 2 {
				return fault.OfLawbook(fmt.Errorf("publishing law: %w: %d given", lawbook.ErrApproval, len(approvals)))
			}
			old, err := inForce(c.Context(), nf)
			if err != nil {
				return err
			}
			var done publicationView
			if err := nf.Post(c.Context(), "/v1/law/publications", map[string]any{"proposal": string(proposal), "approvals": approvals}, &done); err != nil {
				return err
			}
			now := time.Now()
			done.Answers = purposesOf(old, p.Law(), policy.Answer, now)
			done.Asks = purposesOf(old, p.Law(), policy.Ask, now)
			if done.Answers != nil {
				a.Say("hint: hand the node's new Entity Configuration to the Trust Anchor: its purposes changed")
			}
			return a.Emit(done, done.rows())
		},
	}
	nf.Add(c.Flags())
	return c
}

// inForce is the law that the running node executes.
func inForce(ctx context.Context, nf nodeclient.Flags) (*policy.Law, error) {
	cl, err := nf.Client()
	if err != nil {
		return nil, err
	}
	var all struct {
		Publications []struct {
			Text string `json:"text"`
		} `json:"publications"`
	}
	if err := cl.Call(ctx, http.MethodGet, "/v1/law", "", nil, &all); err != nil {
		return nil, err
	}
	if len(all.Publications) == 0 {
		return nil, errors.New("reading the law in force: the node has none")
	}
	return policy.Load("law in force", []byte(all.Publications[len(all.Publications)-1].Text))
}

// purposesView is how the purposes of one direction change.
type purposesView struct {
	Old []string `json:"old"`
	New []string `json:"new"`
}

func (v *purposesView) words() string {
	said := func(list []string) string { return cmp.Or(strings.Join(list, ", "), "nothing") }
	return said(v.Old) + " -> " + said(v.New)
}

// purposesOf is nil where they stay.
func purposesOf(old, fresh *policy.Law, direction string, now time.Time) *purposesView {
	v := &purposesView{Old: orNone(old.Purposes(direction, now)), New: orNone(fresh.Purposes(direction, now))}
	if slices.Equal(v.Old, v.New) {
		return nil
	}
	return v
}

func (p publicationView) rows() [][2]string {
	rows := [][2]string{{"number", fmt.Sprint(p.Number)}, {"version", p.Version}, {"sha256", p.SHA256}}
	if p.Note != "" {
		rows = append(rows, [2]string{"note", p.Note})
	}
	if p.Entry != nil {
		rows = append(rows, [2]string{"in force since", p.At.UTC().Format(time.RFC3339)}, [2]string{"approved by", strings.Join(p.Operators, ", ")},
			[2]string{"ledger entry", fmt.Sprintf("%d of %s", *p.Entry, p.Ledger)})
	}
	if p.Answers != nil {
		rows = append(rows, [2]string{"may answer for", p.Answers.words()})
	}
	if p.Asks != nil {
		rows = append(rows, [2]string{"may ask for", p.Asks.words()})
	}
	return rows
}

func policyHistory(a *cli.App) *cobra.Command {
	var dir, out string
	number := int64(-1)
	c := &cobra.Command{
		Use:   "history",
		Short: "List every text of the law that was in force, or write one",
		Long: `Lists the publications, the oldest first; the last is in force. Number 0 is the law file of
the configuration, which no longer counts once something was published. With --number the
text of one is written to --out.`,
		Example: `  tamga policy history --dir kgz
  tamga policy history --dir kgz --number 0 --out first.cedar`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, book, err := openBook(dir)
			if err != nil {
				return err
			}
			all := book.Publications()
			if number >= 0 {
				if number >= int64(len(all)) || out == "" {
					return fault.Usage("--number takes 0 to %d, and --out names the file to write", len(all)-1)
				}
				return writeFile(out, all[number].Text)
			}
			views, rows := []publicationView{}, [][2]string{}
			for _, p := range all {
				v := publicationView{Number: p.Number, Version: p.Version, SHA256: fmt.Sprintf("%x", p.Digest), Note: p.Note, At: p.At, Operators: orNone(p.Operators), Ledger: p.Origin}
				if p.Number > 0 {
					v.Entry = &p.Entry
				}
				views, rows = append(views, v), append(rows, v.rows()...)
			}
			return a.Emit(map[string]any{"publications": views}, rows)
		},
	}
	c.Flags().StringVar(&dir, "dir", "", "the node's folder (required)")
	c.Flags().Int64Var(&number, "number", -1, "write the text of this publication")
	c.Flags().StringVar(&out, "out", "", "file to write it to")
	return c
}

func policyRollback(a *cli.App) *cobra.Command {
	var dir, note, out string
	var to uint64
	c := &cobra.Command{
		Use:   "rollback",
		Short: "Write a proposal to put an earlier text of the law back",
		Long: `Like propose, of the text that publication --to had. It is published like any other, by two
operators, under a new number: nothing is taken out of the history.`,
		Example: `  tamga policy rollback --dir kgz --to 0 --note "the amendment was repealed" --out back.json`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if !c.Flags().Changed("to") {
				return fault.Usage("--to is needed: the number of a publication, see `tamga policy history`")
			}
			_, book, err := openBook(dir)
			if err != nil {
				return err
			}
			all := book.Publications()
			if to >= uint64(len(all)) {
				return fault.Usage("--to takes 0 to %d: see `tamga policy history`", len(all)-1)
			}
			return propose(a, dir, "earlier.cedar", all[to].Text, note, out)
		},
	}
	c.Flags().StringVar(&dir, "dir", "", "the node's folder (required)")
	c.Flags().Uint64Var(&to, "to", 0, "number of the publication to go back to (required)")
	c.Flags().StringVar(&note, "note", "", "why, for who looks later")
	c.Flags().StringVar(&out, "out", "", "file to write (required)")
	return c
}

// simulationView is the API's simulation.
type simulationView struct {
	Entries   int             `json:"entries"`
	Decisions int             `json:"decisions"`
	Same      int             `json:"same"`
	Unknown   int             `json:"unknown"`
	Truncated bool            `json:"truncated"`
	Changes   []simulatedView `json:"changes"`
}

// simulatedView is decisions of one kind.
type simulatedView struct {
	Count      int              `json:"count"`
	First      uint64           `json:"first"`
	Last       uint64           `json:"last"`
	Direction  string           `json:"direction"`
	Country    string           `json:"country"`
	Purpose    string           `json:"purpose"`
	LegalBasis string           `json:"legal_basis"`
	Operation  string           `json:"operation"`
	Role       string           `json:"officer_role,omitempty"`
	Assurance  string           `json:"assurance,omitempty"`
	Modalities string           `json:"modalities,omitempty"`
	Consent    string           `json:"consent,omitempty"`
	Was        string           `json:"was"`
	WasPolicy  string           `json:"was_policy"`
	WasVersion string           `json:"was_version"`
	Would      string           `json:"would"`
	Policy     string           `json:"policy"`
	Article    string           `json:"article"`
	Differs    string           `json:"differs,omitempty"`
	Counts     map[string]int64 `json:"counts,omitempty"`
}

// counted is what the law saw counted, after a comma each, in the order of the names.
func (v simulatedView) counted() (text string) {
	if v.Differs != "" {
		text = ", " + v.Differs
	}
	for _, name := range slices.Sorted(maps.Keys(v.Counts)) {
		text += fmt.Sprintf(", %s %d", name, v.Counts[name])
	}
	return text
}

func policySimulate(a *cli.App) *cobra.Command {
	nf := nodeclient.Flags{Operator: true}
	var last uint64
	var class string
	c := &cobra.Command{
		Use:   "simulate LAW",
		Short: "List what a law would have decided otherwise in the past",
		Long: `The running node decides what its ledger says was asked again, under the law of the file, and
lists what would have come out otherwise, those of one kind together: what is allowed, at what
false match rate an answer was decided, and what it tells. It changes nothing.
What the law asks of counts is counted again from the ledger, by officer, requester and
purpose; of subjects the ledger says nothing: --subject-class says what to take them for.`,
		Example: `  tamga policy simulate --dir kgz --last 100000 KGZ-new.cedar`,
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			_, text, err := readLaw(args[0])
			if err != nil {
				return err
			}
			var s simulationView
			if err := nf.Post(c.Context(), "/v1/law/simulations", map[string]any{"law": string(text), "last": last, "subject_class": class}, &s); err != nil {
				return err
			}
			rows := [][2]string{{"decisions", fmt.Sprintf("%d in %d entries: %d alike, %d unknown", s.Decisions, s.Entries, s.Same, s.Unknown)}}
			for _, g := range s.Changes {
				about := strings.Join(strings.Fields(strings.Join([]string{g.Direction, g.Operation, g.Country, g.Purpose, "on", g.LegalBasis, g.Consent, g.Role, g.Assurance, g.Modalities}, " ")), " ")
				rows = append(rows, [2]string{fmt.Sprint(g.Count), fmt.Sprintf("%s: %s by %s -> %s by %s, %s (entries %d to %d)%s", about, g.Was, g.WasPolicy, g.Would, g.Policy, g.Article, g.First, g.Last, g.counted())})
			}
			return a.Emit(s, rows)
		},
	}
	c.Flags().StringVar(&class, "subject-class", "unspecified", "what every subject is taken to be: adult, minor, ward or protected")
	c.Flags().Uint64Var(&last, "last", 0, "how many of the newest entries of the ledger to look at (default: all)")
	nf.Add(c.Flags())
	return c
}
