package api

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/exchange/cbeff"
	"github.com/tamga-id/tamga/matcher/exchange/intake"
	"github.com/tamga-id/tamga/node/api/guard"
	"github.com/tamga-id/tamga/node/api/operation"
	"github.com/tamga-id/tamga/node/api/problem"
	"github.com/tamga-id/tamga/node/enrol"
	"github.com/tamga-id/tamga/node/requester"
)

type verificationInput struct {
	IdempotencyKey string `header:"Idempotency-Key" minLength:"8" maxLength:"128" pattern:"^[!-~]*$" doc:"Sending the same body again with the same key within 24 hours returns the first response and asks nobody, unless that was unavailable: then it is asked again. With a key the question is put to its end even when you go away. A new question needs a new key."`
	Body           verificationRequest
}

type verificationRequest struct {
	Subject    subject `json:"subject" doc:"The person the document says the traveller is."`
	Probes     []probe `json:"probes" minItems:"1" maxItems:"10" nullable:"false" doc:"What was captured of the traveller."`
	Purpose    string  `json:"purpose" enum:"border_control,visa_issuance,asylum_protection,migration_registration,residence_permit,travel_check_in,law_enforcement,national_security,banking_kyc,service_delivery,health_care,humanitarian_aid,electoral,sandbox_test" doc:"Why it is asked."`
	LegalBasis string  `json:"legal_basis" enum:"consent,written_consent,legal_obligation,court_order,public_task,vital_interest" doc:"What makes it lawful."`
	Consent    string  `json:"consent,omitempty" minLength:"1" maxLength:"8192" pattern:"^[A-Za-z0-9_-]+[.][A-Za-z0-9_-]+[.][A-Za-z0-9_-]+$" doc:"The person's consent artefact, a compact JWS, when the law demands one."`
	Node       string  `json:"node,omitempty" minLength:"9" maxLength:"2048" doc:"Entity Identifier of the node of that country to ask, such as a ministry's; absent for the country's own."`
	Officer    string  `json:"officer" minLength:"1" maxLength:"128" doc:"Account of the officer in your system. It does not leave the node and is not logged; peers and ledgers see a pseudonym."`
	Role       string  `json:"officer_role,omitempty" enum:"unspecified,border_officer,consular_officer,migration_officer,police_officer,security_officer,registrar,election_officer,health_worker,aid_worker,bank_clerk,carrier_clerk" doc:"What the officer is; some laws ask for it. Your system vouches for it, and your node's ledger and the peer's keep it."`
	Assurance  string  `json:"assurance,omitempty" enum:"unspecified,low,substantial,high" doc:"How the samples were captured, the weakest of several; some laws ask for it. Your system vouches for it, and your node's ledger and the peer's keep it."`
}

type subject struct {
	Jurisdiction string `json:"jurisdiction" minLength:"3" maxLength:"3" pattern:"^[A-Z]{3}$" doc:"Country whose register is asked, ISO 3166-1 alpha-3."`
	Type         string `json:"type" enum:"passport,national_number" doc:"What kind of number it is."`
	Value        string `json:"value" minLength:"1" maxLength:"64" doc:"The number as printed, 1 to 32 of A-Z and 0-9; spaces, hyphens, underscores and full stops are ignored."`
}

type probe struct {
	Modality string `json:"modality" enum:"finger,face,iris,signature" doc:"What was captured."`
	Format   string `json:"format" minLength:"1" maxLength:"64" pattern:"^[a-z0-9._-]+$" doc:"Template profile of the data, one of the peer's formats. Finger records of iso-19794-2-2011, and behind a CBEFF header as iso-19785-3-bit, are put as iso-19794-2-2005."`
	Position uint8  `json:"position,omitempty" maximum:"10" doc:"ISO/IEC 19794-2 finger position; 0 when unknown or not a finger."`
	Quality  uint8  `json:"quality,omitempty" maximum:"100" doc:"Quality by the capture device, 1 to 100; 0 when not reported."`
	Data     string `json:"data" minLength:"4" maxLength:"87384" encoding:"base64" doc:"The record, at most 65,536 bytes, in standard base64 with padding."`
}

type verificationOutput struct {
	RetryAfter string `header:"Retry-After" doc:"Seconds within which the same question is refused again, when a budget is spent."`
	Outcome    string `header:"Tamga-Outcome" doc:"The outcome again, for gateways and access logs."`
	Body       verification
}

type verification struct {
	Outcome   string    `json:"outcome" enum:"matched,not_matched,inconclusive,refused,unavailable" doc:"Only matched says that the traveller is the person. inconclusive and unavailable say nothing about the traveller; refused says that the law, the peer or the federation did not allow an answer."`
	Code      string    `json:"code" pattern:"^TMG-[A-Z]{3}-[0-9]{4}$" doc:"The reason, a code from the registry."`
	Title     string    `json:"title" doc:"What the code means, in one sentence."`
	Next      string    `json:"next" doc:"What the officer or operator does now."`
	Decision  *decision `json:"decision,omitempty" doc:"Under which rule it was decided; absent when nothing was."`
	Peer      string    `json:"peer,omitempty" doc:"Entity Identifier of the node that was asked; absent when none was."`
	QueryHash string    `json:"query_hash,omitempty" doc:"SHA-256 of the Query, base64url; absent when none was sent. Both ledgers hold it."`
	Receipt   *receipt  `json:"receipt,omitempty" doc:"Proof that the peer's ledger holds this verdict; absent when the peer gave none."`
	Evidence  string    `json:"evidence,omitempty" doc:"The peer's signed reply as received, a compact JWS; absent when there was none."`
	Entry     *uint64   `json:"entry,omitempty" minimum:"0" doc:"Index of the verdict, or of an attempt that your own law forbids, in your own node's ledger; absent when nothing was recorded."`
	RetryS    int64     `json:"retry_after_s,omitempty" doc:"Seconds within which the same question is refused again; only when a budget is spent."`
	TookMS    int64     `json:"took_ms" doc:"How long it took, in milliseconds."`
}

type decision struct {
	FMROneIn uint32     `json:"fmr_one_in,omitempty" minimum:"1" doc:"The false match rate (1:1) of the decision's threshold is one in this many; absent when nothing was compared."`
	Policy   *policyRef `json:"policy,omitempty" doc:"The rule of law that decided."`
}

type policyRef struct {
	Law     string `json:"law" doc:"Name of the law."`
	Version string `json:"version" doc:"Version of its text in force."`
	ID      string `json:"id" doc:"The policy within it."`
	Article string `json:"article" doc:"The article that the policy executes."`
	SHA256  string `json:"sha256,omitempty" doc:"SHA-256 of the law's text, in hexadecimal: which text decided; absent when law was not reached."`
}

type receipt struct {
	Index      uint64   `json:"index" doc:"Index of the leaf in the peer's ledger."`
	Checkpoint []byte   `json:"checkpoint" doc:"Signed note of a tree that holds the leaf, base64."`
	Proof      [][]byte `json:"proof" nullable:"false" doc:"RFC 6962 audit path, lowest sibling first, 32 bytes each, base64."`
	Leaf       []byte   `json:"leaf" doc:"The leaf, base64."`
}

func (s *service) verification(b *operation.Book) {
	op := b.Describe("verify", http.MethodPost, "/v1/verifications", "Ask another country's node about a traveller",
		"Asks the node of the subject's country whether the traveller is the person. The response is 200 for every outcome: "+
			"the outcome is data, and one that is not a verdict, such as `unavailable`, says so in `outcome` and never reads as a \"no\". "+
			"When the other node is at its limit and said when to come again, it is 503 with Retry-After: nothing is sent there before.",
		"Verifications", verificationExample(),
		problem.Invalid("/subject/jurisdiction", "must be a string of 3 characters that matches ^[A-Z]{3}$"))
	op.RequestBody = operation.RequestBody("application/json", verificationRequestExample())
	operation.ReplayHeader(op)
	op.DefaultStatus = http.StatusOK
	huma.Register(b.API, *op, s.verify)
	b.Rules.Body(op)
}

func (s *service) verify(ctx context.Context, in *verificationInput) (*verificationOutput, error) {
	q, p := question(in.Body, s.now())
	defer q.Wipe()
	if p != nil {
		return nil, p
	}
	res, err := s.node.Verify(ctx, requester.Request{
		Question: q, Purpose: in.Body.Purpose, LegalBasis: in.Body.LegalBasis, Officer: s.node.Officer(in.Body.Officer), Role: in.Body.Role, Assurance: in.Body.Assurance,
		Node: trust.EntityID(in.Body.Node),
	})
	if err != nil {
		return nil, unput(err)
	}
	body, err := answered(ctx, res)
	if err != nil {
		return nil, err
	}
	out := &verificationOutput{Outcome: body.Outcome, Body: body}
	if body.RetryS > 0 {
		out.RetryAfter = strconv.FormatInt(body.RetryS, 10)
	}
	return out, nil
}

// unput is the problem of a request that was not put.
func unput(err error) error {
	if protocol.CodeOf(err) == protocol.CodeRequest {
		return problem.New(http.StatusUnprocessableEntity, protocol.CodeRequest, "The request cannot be put as a Query.")
	}
	return problem.New(http.StatusInternalServerError, protocol.CodeInternal, "")
}

// answered renders a result, or says when to come again.
func answered(ctx context.Context, res requester.Result) (verification, error) {
	if res.Code == protocol.CodeOverloaded && res.RetryAfter > 0 {
		guard.Passing(ctx)
		return verification{}, huma.ErrorWithHeaders(problem.New(http.StatusServiceUnavailable, protocol.CodeOverloaded,
			"The other country's node is at its limit: ask again after the time in Retry-After."),
			http.Header{"Retry-After": {strconv.FormatInt(seconds(res.RetryAfter), 10)}})
	}
	body := answer(res)
	if body.Outcome == string(protocol.Unavailable) {
		guard.Passing(ctx)
	}
	return body, nil
}

// seconds are whole ones, never too few.
func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

// question is what b asks, or the rule of the schema that only decoding can check.
func question(b verificationRequest, now time.Time) (protocol.Question, *problem.Problem) {
	id, err := pseudonym.Identifier{Jurisdiction: b.Subject.Jurisdiction, Type: b.Subject.Type, Value: b.Subject.Value}.Normalize()
	if err != nil {
		return protocol.Question{}, problem.Invalid("/subject/value", "must be 1 to 32 of A-Z and 0-9; spaces, hyphens, underscores and full stops are ignored")
	}
	q := protocol.Question{Subject: id, Consent: b.Consent}
	for i, p := range b.Probes {
		data, err := base64.StdEncoding.Strict().DecodeString(p.Data)
		if err != nil || len(data) == 0 || len(data) > protocol.MaxProbeSize {
			return q, problem.Invalid("/probes/"+strconv.Itoa(i)+"/data", "must be 1 to 65536 bytes in standard base64 with padding")
		}
		q.Probes = append(q.Probes, protocol.Probe{Modality: p.Modality, Format: p.Format, Position: p.Position, Quality: p.Quality, Data: data})
		if rule := express(&q.Probes[i], now); rule != "" {
			return q, problem.Invalid("/probes/"+strconv.Itoa(i)+"/data", rule)
		}
	}
	return q, nil
}

// express puts a finger probe of another edition, or behind a CBEFF header, into the
// format that every node compares. It returns the rule that the record breaks.
func express(p *protocol.Probe, now time.Time) (rule string) {
	if p.Modality != "finger" || p.Format != exchange.FormatFinger2011 && p.Format != exchange.FormatCBEFF {
		return ""
	}
	if f, err := exchange.Detect(p.Data); err != nil || string(f) != p.Format {
		return "must begin as a record of the format that format names"
	}
	year, month, day := now.UTC().Date()
	out, err := intake.Finger2005(p.Data, cbeff.Date{Year: uint16(year), Month: uint8(month), Day: uint8(day)})
	if err != nil || len(out) > protocol.MaxProbeSize {
		return enrol.TemplateRule(err)
	}
	clear(p.Data)
	p.Format, p.Data = exchange.FormatFinger2005, out
	return ""
}

// answer renders a result. An outcome that does not belong to its code is not
// passed on: it must never read as an answer.
func answer(res requester.Result) verification {
	e, ok := protocol.Lookup(res.Code)
	if !ok || !res.Outcome.Valid() || e.Outcome != res.Outcome {
		e, _ = protocol.Lookup(protocol.CodeInternal)
	}
	v := verification{
		Outcome: string(e.Outcome), Code: string(e.Code), Title: e.Title, Next: e.Next,
		Peer: string(res.Peer), Evidence: res.Reply, RetryS: seconds(res.RetryAfter), TookMS: res.Took.Milliseconds(),
	}
	// The verdict on a Query has the entry of its intent before it, so only a refusal
	// by own law, of which nothing is sent, can be the ledger's first entry.
	if res.Entry > 0 || e.Outcome == protocol.Refused && res.Query == (protocol.Hash{}) {
		v.Entry = &res.Entry
	}
	if res.Query != (protocol.Hash{}) {
		v.QueryHash = res.Query.String()
	}
	if d := (decision{FMROneIn: res.FMROneIn, Policy: reference(res.Policy)}); d != (decision{}) {
		v.Decision = &d
	}
	if len(res.Receipt.Checkpoint) > 0 {
		v.Receipt = &receipt{Index: res.Receipt.Index, Checkpoint: res.Receipt.Checkpoint, Proof: res.Receipt.Proof, Leaf: res.Receipt.Leaf}
		if v.Receipt.Proof == nil {
			v.Receipt.Proof = [][]byte{}
		}
	}
	return v
}

func reference(p protocol.PolicyRef) *policyRef {
	if p == (protocol.PolicyRef{}) {
		return nil
	}
	ref := &policyRef{Law: p.Law, Version: p.Version, ID: p.ID, Article: p.Article}
	if p.Text != (protocol.Hash{}) {
		ref.SHA256 = hex.EncodeToString(p.Text[:])
	}
	return ref
}

// In implements operation.Spoken.
func (v verification) In(language string) any {
	operation.Say(language, v.Code, &v.Title, &v.Next)
	return v
}
