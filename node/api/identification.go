package api

import (
	"context"
	"encoding/base64"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/node/api/operation"
	"github.com/tamga-id/tamga/node/api/problem"
	"github.com/tamga-id/tamga/node/requester"
)

const (
	identificationsPath = "/v1/identifications"
	resolutionsPath     = "/v1/resolutions"
)

// Asking is what a search and a resolution have in common.
type Asking struct {
	Jurisdiction string `json:"jurisdiction" minLength:"3" maxLength:"3" pattern:"^[A-Z]{3}$" doc:"Country whose register is searched, ISO 3166-1 alpha-3."`
	Order        string `json:"order,omitempty" minLength:"1" maxLength:"8192" pattern:"^[A-Za-z0-9_-]+[.][A-Za-z0-9_-]+[.][A-Za-z0-9_-]+$" doc:"The exemption that two officers signed about this probe, or this handle: a compact JWS of one use. Nothing is answered without."`
	Purpose      string `json:"purpose" enum:"border_control,visa_issuance,asylum_protection,migration_registration,residence_permit,travel_check_in,law_enforcement,national_security,banking_kyc,service_delivery,health_care,humanitarian_aid,electoral,sandbox_test" doc:"Why it is asked."`
	LegalBasis   string `json:"legal_basis" enum:"consent,written_consent,legal_obligation,court_order,public_task,vital_interest" doc:"What makes it lawful; only court_order and vital_interest ever do."`
	Node         string `json:"node,omitempty" minLength:"9" maxLength:"2048" doc:"Entity Identifier of the node of that country to ask, such as a ministry's; absent for the country's own."`
	Officer      string `json:"officer" minLength:"1" maxLength:"128" doc:"Account of the officer in your system. It does not leave the node and is not logged; peers and ledgers see a pseudonym."`
	Role         string `json:"officer_role,omitempty" enum:"unspecified,border_officer,consular_officer,migration_officer,police_officer,security_officer,registrar,election_officer,health_worker,aid_worker,bank_clerk,carrier_clerk" doc:"What the officer is; some laws ask for it. Your system vouches for it, and your node's ledger and the peer's keep it."`
	Assurance    string `json:"assurance,omitempty" enum:"unspecified,low,substantial,high" doc:"How the samples were captured, the weakest of several; some laws ask for it. Your system vouches for it, and your node's ledger and the peer's keep it."`
}

type identificationRequest struct {
	Asking
	Probe probe `json:"probe" doc:"The one sample of the person who is looked for."`
}

type resolutionRequest struct {
	Asking
	Handle string `json:"handle" minLength:"22" maxLength:"22" pattern:"^[A-Za-z0-9_-]{22}$" doc:"The candidate's handle, of a search by this node."`
}

type identificationInput struct {
	IdempotencyKey string `header:"Idempotency-Key" minLength:"8" maxLength:"128" pattern:"^[!-~]*$" doc:"Sending the same body again with the same key within 24 hours returns the first response and asks nobody, unless that was unavailable: then it is asked again. A new question needs a new key."`
	Body           identificationRequest
}

type resolutionInput struct{ Body resolutionRequest }

// Answered is what every answer has.
type Answered = verification

type identification struct {
	Answered
	Handles []string `json:"handles,omitempty" nullable:"false" doc:"Candidates, in no order that means anything: each good once, for this node, purpose and case, and for minutes. Nobody is identified yet. Absent unless code is TMG-IDN-0001."`
}

type resolution struct {
	Answered
	Subject *subject `json:"subject,omitempty" doc:"Whom the handle stands for: a candidate, to be verified. Personal data. Absent unless code is TMG-IDN-0005."`
}

type identificationOutput struct {
	Outcome string `header:"Tamga-Outcome" doc:"The outcome again, for gateways and access logs."`
	Body    identification
}

type resolutionOutput struct {
	Outcome string `header:"Tamga-Outcome" doc:"The outcome again, for gateways and access logs."`
	Body    resolution
}

func (s *service) identification(b *operation.Book) {
	op := b.Describe("identify", http.MethodPost, identificationsPath, "Search another country's register for whom a sample may be of",
		"Asks the node of the country of whom in its register the sample may be. It answers where its operator, its law and an order that two officers signed allow it, "+
			"with handles of candidates, who are resolved one by one under orders of their own. As for a verification the response is 200 for every outcome; "+
			"what was found is in `code`: TMG-IDN-0001 candidates, TMG-IDN-0002 nobody.",
		"Searches", identificationExample())
	op.RequestBody = operation.RequestBody("application/json", identificationRequestExample())
	operation.ReplayHeader(op)
	op.DefaultStatus = http.StatusOK
	huma.Register(b.API, *op, s.identify)
	b.Rules.Body(op)
}

func (s *service) resolution(b *operation.Book) {
	op := b.Describe("resolve", http.MethodPost, resolutionsPath, "Ask who a candidate of a search is",
		"Asks the node that searched whom a handle stands for, under an order that two officers signed about that handle. "+
			"The response is 200 for every outcome; with `code` TMG-IDN-0005 it tells an identifier, under which the person is then verified.",
		"Searches", resolutionExample())
	op.RequestBody = operation.RequestBody("application/json", resolutionRequestExample())
	op.DefaultStatus = http.StatusOK
	huma.Register(b.API, *op, s.resolve)
	b.Rules.Body(op)
}

func (a Asking) search(s *service) requester.Search {
	return requester.Search{Country: a.Jurisdiction, Order: a.Order, Purpose: a.Purpose, LegalBasis: a.LegalBasis,
		Officer: s.node.Officer(a.Officer), Role: a.Role, Assurance: a.Assurance, Node: trust.EntityID(a.Node)}
}

func (s *service) identify(ctx context.Context, in *identificationInput) (*identificationOutput, error) {
	q := in.Body.search(s)
	p := in.Body.Probe
	data, err := base64.StdEncoding.Strict().DecodeString(p.Data)
	if err != nil || len(data) == 0 || len(data) > protocol.MaxProbeSize {
		return nil, problem.Invalid("/probe/data", "must be 1 to 65536 bytes in standard base64 with padding")
	}
	q.Probe = protocol.Probe{Modality: p.Modality, Format: p.Format, Position: p.Position, Quality: p.Quality, Data: data}
	defer func() { clear(q.Probe.Data) }()
	if rule := express(&q.Probe, s.now()); rule != "" {
		return nil, problem.Invalid("/probe/data", rule)
	}
	res, err := s.node.Identify(ctx, q)
	if err != nil {
		return nil, unput(err)
	}
	body, err := answered(ctx, res)
	if err != nil {
		return nil, err
	}
	out := identification{Answered: body}
	for _, h := range res.Found.Handles {
		out.Handles = append(out.Handles, h.Text())
	}
	return &identificationOutput{Outcome: body.Outcome, Body: out}, nil
}

func (s *service) resolve(ctx context.Context, in *resolutionInput) (*resolutionOutput, error) {
	q := in.Body.search(s)
	var err error
	if q.Handle, err = protocol.ParseHandle(in.Body.Handle); err != nil {
		return nil, problem.Invalid("/handle", "must be 16 bytes in base64url")
	}
	res, err := s.node.Resolve(ctx, q)
	if err != nil {
		return nil, unput(err)
	}
	body, err := answered(ctx, res)
	if err != nil {
		return nil, err
	}
	out := resolution{Answered: body}
	if who := res.Found.Subject; who != (pseudonym.Identifier{}) {
		out.Subject = &subject{Jurisdiction: who.Jurisdiction, Type: who.Type, Value: who.Value}
	}
	return &resolutionOutput{Outcome: body.Outcome, Body: out}, nil
}

const exampleHandle = "c2FtcGxlIG9mIGhhbmRsZQ"

func askingExample() Asking {
	return Asking{Jurisdiction: "KAZ", Order: "eyJhbGciOiJFZDI1NTE5In0.e30.AA", Purpose: "humanitarian_aid", LegalBasis: "vital_interest",
		Officer: "a.serikova", Role: "aid_worker"}
}

func identificationRequestExample() identificationRequest {
	return identificationRequest{Asking: askingExample(), Probe: probe{Modality: "finger", Format: "iso-19794-2-2005", Position: 2, Quality: 80, Data: exampleRecord}}
}

func resolutionRequestExample() resolutionRequest {
	return resolutionRequest{Asking: askingExample(), Handle: exampleHandle}
}

func searchedExample(c protocol.Code) verification {
	return answer(requester.Result{
		Verdict: protocol.Verdict{Outcome: c.Outcome(), Code: c,
			Policy: protocol.PolicyRef{Law: "Example law", Version: "1", ID: "search-rescue", Article: "Article 9"}},
		Peer: "https://node.kaz.example", Query: protocol.HashQuery([]byte("example")), Entry: 43, Took: 2 * time.Second,
	})
}

func identificationExample() identification {
	return identification{Answered: searchedExample(protocol.CodeCandidates), Handles: []string{exampleHandle}}
}

func resolutionExample() resolution {
	return resolution{Answered: searchedExample(protocol.CodeResolved), Subject: &subject{Jurisdiction: "KAZ", Type: "passport", Value: "N12345678"}}
}
