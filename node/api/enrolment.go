package api

import (
	"bytes"
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/api/guard"
	"github.com/tamga-id/tamga/node/api/operation"
	"github.com/tamga-id/tamga/node/api/problem"
	"github.com/tamga-id/tamga/node/enrol"
	"github.com/tamga-id/tamga/node/gallery"
)

// maxLines bounds the records of one call, so that one call is a few commits of the
// gallery and ends within the server's time to answer.
const maxLines = 256

type enrolmentInput struct {
	IdempotencyKey string `header:"Idempotency-Key" minLength:"8" maxLength:"128" pattern:"^[!-~]*$" doc:"Sending the same body again with the same key within 24 hours returns the first response, unless a line of it failed for no fault of its own. Enrolling twice is harmless without it."`
	Batch          string `header:"Tamga-Batch" minLength:"16" maxLength:"16" pattern:"^[a-z2-7]{16}$" doc:"Import that the lines belong to, 16 random characters of base32. It is recorded with what they add and in the ledger."`
	Duplicates     string `header:"Tamga-Duplicates" enum:"update,skip,refuse" doc:"What to do about subjects who are enrolled, not by this import alone, and would change: add what is new (update, the default), leave them (skip), or fail the line (refuse)."`
	DryRun         bool   `header:"Tamga-Dry-Run" doc:"true checks everything, stores nothing and says what would be done."`
	RawBody        []byte `contentType:"application/x-ndjson"`
}

// enrolmentOptions are the headers of an enrolmentInput that change what is done.
func enrolmentOptions() []string { return []string{"Tamga-Batch", "Tamga-Duplicates", "Tamga-Dry-Run"} }

type enrolmentOutput struct{ Body enrolmentReport }

type enrolmentReport struct {
	Created   int         `json:"created" minimum:"0" doc:"New subjects."`
	Updated   int         `json:"updated" minimum:"0" doc:"Known subjects that got more records or a holder key."`
	Unchanged int         `json:"unchanged" minimum:"0" doc:"Subjects of whom everything was there already."`
	Kept      int         `json:"kept" minimum:"0" doc:"Known subjects that would have changed and were left, with Tamga-Duplicates skip."`
	Failed    int         `json:"failed" minimum:"0" doc:"Lines that changed nothing."`
	Results   []enrolment `json:"results" nullable:"false" doc:"One for each line that is not blank, in order."`
}

type enrolment struct {
	Line   int    `json:"line" minimum:"1" doc:"The line in the request, from 1."`
	Result string `json:"result" enum:"created,updated,unchanged,kept,failed" doc:"What was done; all but failed is durable."`
	Code   string `json:"code,omitempty" pattern:"^TMG-[A-Z]{3}-[0-9]{4}$" doc:"Why it failed."`
	Member string `json:"member,omitempty" doc:"The member of the record that breaks the rule."`
	Rule   string `json:"rule,omitempty" doc:"The rule it breaks, in words. Never what the record says."`
}

func (s *service) enrolment(b *operation.Book) {
	op := b.Describe("enrol", http.MethodPost, "/v1/enrolments", "Enrol people into the own gallery",
		"Each line is a manifest record as `tamga enrol` reads it: one JSON object with `subject` (`type`, `value`), optionally "+
			"`holder_key` (the Ed25519 public JWK the person signs consents with), `class` (what the person is in law: adult, minor, ward or protected) and `biometrics` (`modality`, `format`, `data` in base64) "+
			"and `absent` (`modality`, `position`, `reason`: what could not be captured). "+
			"At most 256 lines of at most 196,608 bytes. A line that breaks a rule is reported and changes nothing; the others are enrolled. Needs the operator's token.",
		"Enrolments", enrolmentExample())
	op.RequestBody = operation.RequestBody("application/x-ndjson", nil)
	op.RequestBody.Required = true
	operation.ReplayHeader(op)
	huma.Register(b.API, *op, s.enrol)
	op.RequestBody.Content["application/x-ndjson"] = &huma.MediaType{
		Schema:  &huma.Schema{Type: huma.TypeString, Description: "NDJSON: one manifest record a line."},
		Example: enrolmentRequestExample,
	}
}

func (s *service) enrol(ctx context.Context, in *enrolmentInput) (*enrolmentOutput, error) {
	defer clear(in.RawBody) // huma's pool would keep it
	m, p := parse(in.RawBody, s.node.Jurisdiction())
	defer m.wipe()
	if p != nil {
		return nil, p
	}
	if len(m.batch) > 0 {
		policy, _ := enrol.ParseDuplicates(in.Duplicates) // the schema knows no other words, and none is the zero value
		for i := range m.batch {
			m.batch[i].Batch, m.batch[i].IfKnown = in.Batch, policy
		}
		do := s.node.Enrol
		if in.DryRun {
			do = s.node.Plan
		}
		results, err := do(ctx, m.batch)
		if err != nil || len(results) != len(m.batch) {
			return nil, problem.OfStore(err,
				"Not every record was stored. Send the same lines again: those that were are then reported as unchanged.")
		}
		for i, r := range results {
			m.report.Results[m.places[i]].settle(r)
		}
	}
	m.report.count()
	for _, e := range m.report.Results {
		if e.Code == string(protocol.CodeInternal) || e.Code == string(protocol.CodeRotation) {
			guard.Passing(ctx)
		}
	}
	return &enrolmentOutput{Body: m.report}, nil
}

// manifest is a request on its way: what of it can be enrolled, and the report.
type manifest struct {
	report enrolmentReport
	batch  []gallery.Enrolment
	places []int // of each of batch in report.Results
}

func parse(body []byte, jurisdiction string) (*manifest, *problem.Problem) {
	m := &manifest{report: enrolmentReport{Results: []enrolment{}}}
	number := 0
	for line := range bytes.SplitSeq(body, []byte{'\n'}) {
		number++
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		if len(m.report.Results) == maxLines {
			return m, problem.Invalid("", "must have at most 256 lines")
		}
		e, err := enrol.ParseRecord(line, jurisdiction, nil)
		if err != nil {
			m.report.Results = append(m.report.Results, failed(number, err))
			continue
		}
		m.batch, m.places = append(m.batch, e), append(m.places, len(m.report.Results))
		m.report.Results = append(m.report.Results, enrolment{Line: number})
	}
	if len(m.report.Results) == 0 {
		return m, problem.Invalid("", "must have at least one line that is not blank")
	}
	return m, nil
}

func (m *manifest) wipe() {
	for _, e := range m.batch {
		for _, t := range e.Templates {
			clear(t.Data)
		}
	}
}

// settle says what the gallery did. A change that it does not know is a failure.
func (e *enrolment) settle(r gallery.Result) {
	switch r.Change {
	case gallery.Created, gallery.Updated, gallery.Unchanged, gallery.Kept:
		e.Result = string(r.Change)
	default:
		*e = failed(e.Line, r.Err)
	}
}

func (r *enrolmentReport) count() {
	for _, e := range r.Results {
		switch gallery.Change(e.Result) {
		case gallery.Created:
			r.Created++
		case gallery.Updated:
			r.Updated++
		case gallery.Unchanged:
			r.Unchanged++
		case gallery.Kept:
			r.Kept++
		default:
			r.Failed++
		}
	}
}

// failed reports a record by the rule it breaks. Rules of other packages are passed
// on only where they are constants that name no value.
func failed(line int, err error) enrolment {
	e := enrolment{Line: line, Result: string(gallery.Failed), Code: string(protocol.CodeInternal), Rule: protocol.CodeInternal.Title()}
	if r, ok := errors.AsType[*enrol.RuleError](err); ok {
		e.Code, e.Member, e.Rule = string(r.Code), r.Member, r.Rule
		return e
	}
	for _, rule := range []error{gallery.ErrHolderConflict, gallery.ErrGround, gallery.ErrTooMuch, gallery.ErrNothing, gallery.ErrKnown, gallery.ErrErased} {
		if errors.Is(err, rule) {
			e.Code, e.Rule = string(protocol.CodeRecord), rule.Error()
		}
	}
	if errors.Is(err, gallery.ErrOutdated) {
		e.Code, e.Rule = string(protocol.CodeRotation), gallery.ErrOutdated.Error()
	}
	return e
}
