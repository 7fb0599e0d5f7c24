// Package askcmd is `tamga verify`, `tamga identify` and `tamga resolve`: another country's node is asked.
package askcmd

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/nodeclient"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/person"
)

type verifyFlags struct {
	node                                                         nodeclient.Flags
	subject, purpose, basis, consent, who, role, assurance, peer string
	probes                                                       []string
	timeout                                                      time.Duration
}

// Verify is `tamga verify`.
func Verify(a *cli.App) *cobra.Command {
	var v verifyFlags
	c := &cobra.Command{
		Use:   "verify",
		Short: "Ask another country: is this traveller who the document says?",
		Long: `Sends subject and probe through your own running node to the node of the subject's
country, or with --peer to one of its ministries, and prints the verified verdict. The exit code is the outcome: 0 matched,
10 not matched, 11 inconclusive, 5 refused, 7 unavailable, which is not a "no".`,
		Example: `  tamga verify --dir kaz --subject KGZ:passport:SYNA1B2C3 --probe face.emb \
    --purpose border_control --legal-basis public_task
  echo KGZ:national_number:SYNKGZ0000000001 | tamga verify --dir kaz --subject - \
    --probe finger.iso --purpose visa_issuance --legal-basis consent --consent consent.jwt -o json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return verify(c.Context(), a, v) },
	}
	f := c.Flags()
	v.node.Add(f)
	f.StringVar(&v.subject, "subject", "", "COUNTRY:TYPE:VALUE, type passport or national_number; - reads it from standard input (required)")
	f.StringSliceVar(&v.probes, "probe", nil, "file with an ISO/IEC 19794-2 record of 2005 or 2011, also behind a CBEFF header, a face embedding, an iris code, or a signature (ISO/IEC 19794-7 or SVC2004); may be repeated (required)")
	f.StringVar(&v.purpose, "purpose", "", "why you ask, for instance border_control (required)")
	f.StringVar(&v.basis, "legal-basis", "", "on what basis, for instance public_task (required)")
	f.StringVar(&v.consent, "consent", "", "file with the person's consent artefact")
	f.StringVar(&v.peer, "peer", "", "Entity Identifier of the node of that country to ask, such as a ministry's (default: the country's own)")
	f.StringVar(&v.who, "officer", "", "account of the officer who asks; leaves this node as a pseudonym only (default: the login name)")
	f.StringVar(&v.role, "officer-role", "", "what the officer is, where a law asks for it, for instance registrar; \"tamga policy vocabulary\" lists them")
	f.StringVar(&v.assurance, "assurance", "", "how the samples were captured, where a law asks for it: low, substantial or high; of several the weakest")
	f.DurationVar(&v.timeout, "timeout", 30*time.Second, "how long to wait")
	return c
}

// verification is the API's request; its field names are the API's.
type verification struct {
	Subject    map[string]string `json:"subject"`
	Probes     []person.Probe    `json:"probes"`
	Purpose    string            `json:"purpose"`
	LegalBasis string            `json:"legal_basis"`
	Consent    string            `json:"consent,omitempty"`
	Officer    string            `json:"officer"`
	Role       string            `json:"officer_role,omitempty"`
	Assurance  string            `json:"assurance,omitempty"`
	Node       string            `json:"node,omitempty"`
}

// verified is what a table shows of the API's response.
type verified struct {
	Outcome  protocol.Outcome `json:"outcome"`
	Code     protocol.Code    `json:"code"`
	Peer     string           `json:"peer"`
	Decision struct {
		FMROneIn uint32 `json:"fmr_one_in"`
		Policy   struct {
			Law     string `json:"law"`
			Version string `json:"version"`
			ID      string `json:"id"`
			Article string `json:"article"`
			SHA256  string `json:"sha256"`
		} `json:"policy"`
	} `json:"decision"`
	Receipt *struct {
		Index uint64 `json:"index"`
	} `json:"receipt"`
	RetryS int64 `json:"retry_after_s"`
	TookMS int64 `json:"took_ms"`
}

func verify(ctx context.Context, a *cli.App, v verifyFlags) error {
	if v.timeout <= 0 {
		return fault.Usage("--timeout takes a positive time, such as 30s")
	}
	ctx, cancel := context.WithTimeout(ctx, v.timeout)
	defer cancel()
	req, err := verificationOf(a, v)
	if err != nil {
		return err
	}
	cl, err := v.node.Client()
	if err != nil {
		return err
	}
	body, err := json.Marshal(req)
	if err != nil {
		return fmt.Errorf("encoding request: %w", err)
	}
	var raw json.RawMessage
	if err := cl.Call(ctx, http.MethodPost, "/v1/verifications", "application/json", body, &raw); err != nil {
		return err
	}
	var out verified
	if err := json.Unmarshal(raw, &out); err != nil {
		return fmt.Errorf("reading node's reply: %w", err)
	}
	if err := a.Emit(raw, out.rows(a.Sentences(out.Code))); err != nil {
		return err
	}
	if out.Outcome.Accepted() {
		return nil
	}
	return fault.Verdict{Exit: fault.ExitOf(out.Outcome)}
}

func (v verified) rows(e protocol.CodeEntry) [][2]string {
	rows := [][2]string{{"outcome", strings.ToUpper(strings.ReplaceAll(string(v.Outcome), "_", " "))}, {"code", string(v.Code)}, {"means", e.Title}}
	if e.Next != "" {
		rows = append(rows, [2]string{"now", e.Next})
	}
	if v.RetryS > 0 {
		rows = append(rows, [2]string{"ask again", fmt.Sprintf("in %v or later", time.Duration(v.RetryS)*time.Second)})
	}
	if v.Peer != "" {
		rows = append(rows, [2]string{"asked", v.Peer})
	}
	if v.Decision.FMROneIn > 0 {
		rows = append(rows, [2]string{"decided at", fmt.Sprintf("FMR 1/%d", v.Decision.FMROneIn)})
	}
	if p := v.Decision.Policy; p.ID != "" {
		rows = append(rows, [2]string{"policy", fmt.Sprintf("%s, %s, %s (version %s)", p.ID, p.Article, p.Law, p.Version)})
		if p.SHA256 != "" {
			rows = append(rows, [2]string{"law text", "SHA-256 " + p.SHA256})
		}
	}
	if v.Receipt != nil {
		rows = append(rows, [2]string{"receipt", fmt.Sprintf("entry %d of the peer's ledger, verified", v.Receipt.Index)})
	}
	return append(rows, [2]string{"took", fmt.Sprintf("%d ms", v.TookMS)})
}

func verificationOf(a *cli.App, v verifyFlags) (verification, error) {
	var none verification
	if v.subject == "-" {
		line, err := cli.ReadPassphrase(a.In)
		if err != nil {
			return none, fault.Usage("no subject on standard input")
		}
		v.subject = string(line)
	}
	parts := strings.SplitN(v.subject, ":", 3)
	if len(parts) != 3 {
		return none, fault.Usage("--subject takes COUNTRY:TYPE:VALUE")
	}
	if len(v.probes) == 0 || v.purpose == "" || v.basis == "" {
		return none, fault.Usage("--probe, --purpose and --legal-basis are needed")
	}
	req := verification{Subject: map[string]string{"jurisdiction": parts[0], "type": parts[1], "value": parts[2]},
		Purpose: v.purpose, LegalBasis: v.basis, Officer: v.who, Role: v.role, Assurance: v.assurance, Node: v.peer}
	if req.Officer == "" {
		req.Officer = loginName()
	}
	for i, name := range v.probes {
		b, err := os.ReadFile(name)
		if err != nil {
			return none, person.Unread(fmt.Errorf("reading probe %d: %w", i+1, fault.Nameless(err)), "--probe")
		}
		p, err := person.Recognise(b, time.Now())
		if err != nil {
			return none, err
		}
		req.Probes = append(req.Probes, p)
	}
	if v.consent != "" {
		b, err := os.ReadFile(v.consent)
		if err != nil {
			return none, person.Unread(fmt.Errorf("reading consent: %w", fault.Nameless(err)), "--consent")
		}
		req.Consent = strings.TrimSpace(string(b))
	}
	return req, nil
}
