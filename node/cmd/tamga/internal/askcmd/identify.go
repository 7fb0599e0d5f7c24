package askcmd

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/user"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/nodeclient"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/person"
)

// searchFlags are what identify and resolve have in common.
type searchFlags struct {
	node                                                           nodeclient.Flags
	country, purpose, basis, order, officer, role, assurance, peer string
	timeout                                                        time.Duration
}

func (s *searchFlags) add(c *cobra.Command, timeout time.Duration) {
	f := c.Flags()
	s.node.Add(f)
	f.StringVar(&s.country, "country", "", "whose register is searched, ISO 3166-1 alpha-3 (required)")
	f.StringVar(&s.purpose, "purpose", "", "why you ask, for instance humanitarian_aid (required)")
	f.StringVar(&s.basis, "legal-basis", "", "on what basis: court_order or vital_interest (required)")
	f.StringVar(&s.order, "order", "", "file with the exemption that two officers signed for this one question (needed for an answer)")
	f.StringVar(&s.peer, "peer", "", "Entity Identifier of the node of that country to ask, such as a ministry's (default: the country's own)")
	f.StringVar(&s.officer, "officer", "", "account of the officer who asks; leaves this node as a pseudonym only (default: the login name)")
	f.StringVar(&s.role, "officer-role", "", "what the officer is, where a law asks for it, for instance police_officer")
	f.StringVar(&s.assurance, "assurance", "", "how the sample was captured, where a law asks for it: low, substantial or high")
	f.DurationVar(&s.timeout, "timeout", timeout, "how long to wait")
}

// Identify is `tamga identify`.
func Identify(a *cli.App) *cobra.Command {
	var s searchFlags
	var file string
	c := &cobra.Command{
		Use:   "identify",
		Short: "Search another country's register for whom a sample may be of",
		Long: `Sends a sample through your own running node to the node of a country, which searches its
whole register. It does that only where its operator turned searches on, its law permits them, on
a court's order or a vital interest, and two officers signed an order for this one search. What
comes back are handles of candidates, in no order: each is good once, for your node and case, and
for minutes. ` + "`tamga resolve`" + ` asks, under an order of its own, who a candidate is. Nobody is identified
before the person has been verified.

The exit code is 0 when there are candidates, 10 when nobody matched, 11 when that could not be
told, 5 refused, 7 unavailable.`,
		Example: `  tamga consent exempt --key first --passphrase-file first.txt --office https://rescue.example --officer first \
    --case 17/2026 --disclose 2027-06-01 --probe face.emb --modality face --requester https://kgz.example \
    --controller https://kaz.example --purpose humanitarian_aid --out order.jwt
  tamga consent exempt --countersign order.jwt --key second --passphrase-file second.txt \
    --office https://rescue.example --officer second --out signed.jwt
  tamga identify --dir kgz --country KAZ --probe face.emb --order signed.jwt \
    --purpose humanitarian_aid --legal-basis vital_interest`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return identify(c.Context(), a, s, file) },
	}
	s.add(c, 45*time.Second)
	c.Flags().StringVar(&file, "probe", "", "file with one finger, face or iris, in a format of \"tamga verify\" (required)")
	return c
}

// Resolve is `tamga resolve`.
func Resolve(a *cli.App) *cobra.Command {
	var s searchFlags
	var handle string
	c := &cobra.Command{
		Use:   "resolve",
		Short: "Ask who a candidate of a search is",
		Long: `Asks the node that searched whom a handle of ` + "`tamga identify`" + ` stands for, under an order that two
officers signed about that handle, for the same purpose and case. The handle is used up by it. What comes
back is the identifier under which the candidate is enrolled, for ` + "`tamga verify`" + ` with a fresh sample:
a candidate is not an identified person. It is personal data and is printed, not logged.

The exit code is 0 when it is told, 11 when the register keeps no identifier of the candidate, 5
refused, 7 unavailable.`,
		Example: `  tamga consent exempt --key first --passphrase-file first.txt --office https://rescue.example --officer first \
    --case 17/2026 --disclose 2027-06-01 --handle VX0ulCmWbPf2JtKqZ6mEYQ --modality face --requester https://kgz.example \
    --controller https://kaz.example --purpose humanitarian_aid --out order.jwt
  tamga consent exempt --countersign order.jwt --key second --passphrase-file second.txt \
    --office https://rescue.example --officer second --out signed.jwt
  tamga resolve --dir kgz --country KAZ --handle VX0ulCmWbPf2JtKqZ6mEYQ --order signed.jwt \
    --purpose humanitarian_aid --legal-basis vital_interest -o json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return resolve(c.Context(), a, s, handle) },
	}
	s.add(c, 30*time.Second)
	c.Flags().StringVar(&handle, "handle", "", "the candidate's handle, - for standard input (required)")
	return c
}

// asking is the API's request; its field names are the API's.
type asking struct {
	Jurisdiction string        `json:"jurisdiction"`
	Order        string        `json:"order,omitempty"`
	Purpose      string        `json:"purpose"`
	LegalBasis   string        `json:"legal_basis"`
	Officer      string        `json:"officer"`
	Role         string        `json:"officer_role,omitempty"`
	Assurance    string        `json:"assurance,omitempty"`
	Node         string        `json:"node,omitempty"`
	Probe        *person.Probe `json:"probe,omitempty"`
	Handle       string        `json:"handle,omitempty"`
}

func (s searchFlags) asking() (asking, error) {
	if s.timeout <= 0 {
		return asking{}, fault.Usage("--timeout takes a positive time, such as 30s")
	}
	if s.country == "" || s.purpose == "" || s.basis == "" {
		return asking{}, fault.Usage("--country, --purpose and --legal-basis are needed")
	}
	out := asking{Jurisdiction: s.country, Purpose: s.purpose, LegalBasis: s.basis, Officer: s.officer, Role: s.role, Assurance: s.assurance, Node: s.peer}
	if out.Officer == "" {
		out.Officer = loginName()
	}
	if s.order != "" {
		b, err := os.ReadFile(s.order)
		if err != nil {
			return asking{}, person.Unread(fmt.Errorf("reading order: %w", fault.Nameless(err)), "--order")
		}
		out.Order = strings.TrimSpace(string(b))
	}
	return out, nil
}

// loginName is the account of who runs the command.
func loginName() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "unknown"
}

func identify(ctx context.Context, a *cli.App, s searchFlags, file string) error {
	req, err := s.asking()
	if err != nil {
		return err
	}
	if file == "" {
		return fault.Usage("--probe is needed: a file with one sample of the person")
	}
	p, err := person.ReadProbe(file)
	if err != nil {
		return err
	}
	req.Probe = &p
	var out struct {
		verified
		Handles []string `json:"handles"`
	}
	raw, err := searched(ctx, a, s, "/v1/identifications", req, &out)
	if err != nil {
		return err
	}
	rows := out.rows(a.Sentences(out.Code))
	for _, h := range out.Handles {
		rows = append(rows, [2]string{"candidate", h})
	}
	return concluded(a, raw, rows, out.verified, protocol.CodeCandidates)
}

func resolve(ctx context.Context, a *cli.App, s searchFlags, handle string) error {
	req, err := s.asking()
	if err != nil {
		return err
	}
	if handle == "-" {
		line, err := cli.ReadPassphrase(a.In)
		if err != nil {
			return fault.Usage("no handle on standard input")
		}
		handle = string(line)
	}
	if _, err := protocol.ParseHandle(handle); err != nil {
		return fault.Usage("--handle takes a handle that `tamga identify` printed")
	}
	req.Handle = handle
	var out struct {
		verified
		Subject *struct {
			Jurisdiction string `json:"jurisdiction"`
			Type         string `json:"type"`
			Value        string `json:"value"`
		} `json:"subject"`
	}
	raw, err := searched(ctx, a, s, "/v1/resolutions", req, &out)
	if err != nil {
		return err
	}
	rows := out.rows(a.Sentences(out.Code))
	if who := out.Subject; who != nil {
		rows = append(rows, [2]string{"candidate is", who.Jurisdiction + ":" + who.Type + ":" + who.Value})
	}
	return concluded(a, raw, rows, out.verified, protocol.CodeResolved)
}

// searched sends the request to the own node.
func searched(ctx context.Context, a *cli.App, s searchFlags, path string, req asking, out any) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	cl, err := s.node.Client()
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(req)
	if err != nil {
		return nil, fmt.Errorf("encoding request: %w", err)
	}
	var raw json.RawMessage
	if err := cl.Call(ctx, http.MethodPost, path, "application/json", body, &raw); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return nil, fmt.Errorf("reading node's reply: %w", err)
	}
	return raw, nil
}

// concluded prints, and is the exit code: that of the outcome, but 0 for the code that the question is answered with.
func concluded(a *cli.App, raw json.RawMessage, rows [][2]string, v verified, done protocol.Code) error {
	if err := a.Emit(raw, rows); err != nil {
		return err
	}
	if v.Code == done || v.Outcome.Accepted() {
		return nil
	}
	return fault.Verdict{Exit: fault.ExitOf(v.Outcome)}
}
