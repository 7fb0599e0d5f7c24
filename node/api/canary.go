package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/alarms"
	"github.com/tamga-id/tamga/node/api/operation"
	"github.com/tamga-id/tamga/node/api/problem"
	"github.com/tamga-id/tamga/node/decoy"
)

// Decoys is what the API needs to know of canaries.
type Decoys interface {
	// AddCanaries makes subjects canaries; Canaries lists them.
	AddCanaries(ctx context.Context, subjects []pseudonym.Identifier) error
	Canaries() ([]decoy.Canary, error)
	// Alarms lists those that Queries raised at the nodes of the store, the newest first.
	Alarms() ([]alarms.Alarm, error)
}

const (
	canariesPath = "/v1/canaries"
	alarmsPath   = "/v1/alarms"
)

type canariesInput struct{ Body canariesRequest }

type canariesRequest struct {
	Subjects []subject `json:"subjects" minItems:"1" maxItems:"1000" nullable:"false" doc:"Invented subjects. Make them canaries first and enrol them then: what is cut off between leaves nobody enrolled without an alarm."`
}

type canariesOutput struct{ Body canariesReport }

type canariesReport struct {
	Canaries []canary `json:"canaries" nullable:"false" doc:"All canaries, by number."`
}

type canary struct {
	Subject subject   `json:"subject" doc:"Who it pretends to be."`
	Since   time.Time `json:"since" doc:"Since when."`
}

func (s *service) canaries(b *operation.Book) {
	example := canariesReport{[]canary{{subject{"KAZ", "passport", "N1234567"}, time.Date(2025, 12, 1, 0, 0, 0, 0, time.UTC)}}}
	op := b.Describe("add-canaries", http.MethodPost, canariesPath, "Make subjects canaries",
		"From when it is answered, a Query about one of these subjects raises an alarm, in the log and at /v1/alarms, that names requester and officer's pseudonym, and is answered "+
			"like any other. Needs the operator's token.", "Enrolments", example)
	op.RequestBody = operation.RequestBody("application/json", canariesRequest{[]subject{{"KAZ", "passport", "N1234567"}}})
	op.DefaultStatus = http.StatusOK
	huma.Register(b.API, *op, s.addCanaries)
	b.Rules.Body(op)
	huma.Register(b.API, *b.Describe("canaries", http.MethodGet, canariesPath, "List the canaries", "Needs the operator's token: who knows them goes around them.", "Enrolments", example),
		func(context.Context, *struct{}) (*canariesOutput, error) { return s.listCanaries() })
	raised := alarmsReport{[]alarm{{Kind: "canary", At: time.Date(2025, 12, 2, 0, 0, 0, 0, time.UTC), Requester: "https://node.kgz.example", Officer: "o-4fJv2q0Zk1A",
		Purpose: "border_control", Query: "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="}}}
	huma.Register(b.API, *b.Describe("alarms", http.MethodGet, alarmsPath, "List the alarms that Queries raised",
		"Of a canary that was touched and of somebody who was locked after misses, at any node of the store: who asked, never about whom. The newest 2,000 are kept, "+
			"and past that no requester's push out another's. Needs the operator's token.", "Operation", raised),
		func(context.Context, *struct{}) (*alarmsOutput, error) { return s.listAlarms() })
}

type alarmsOutput struct{ Body alarmsReport }

type alarmsReport struct {
	Alarms []alarm `json:"alarms" nullable:"false" doc:"The newest first."`
}

// alarm is alarms.Alarm as the API promises it.
type alarm struct {
	Kind      string    `json:"kind" doc:"canary: an invented person was asked about. locked: a run of misses locked somebody for the requester."`
	At        time.Time `json:"at" doc:"When, to the second."`
	Requester string    `json:"requester" doc:"Entity Identifier of who asked."`
	Officer   string    `json:"officer" doc:"The officer's pseudonym, which the requester can resolve."`
	Purpose   string    `json:"purpose" doc:"For what he asked."`
	Query     string    `json:"query" doc:"Hash of the Query, by which both ledgers have it."`
}

func (s *service) listAlarms() (*alarmsOutput, error) {
	list, err := s.node.Alarms()
	if err != nil {
		return nil, problem.OfStore(err, "The alarms could not be read.")
	}
	out := alarmsReport{Alarms: make([]alarm, 0, len(list))}
	for _, a := range list {
		out.Alarms = append(out.Alarms, alarm{string(a.Kind), a.At, a.Requester, a.Officer, a.Purpose, a.Query})
	}
	return &alarmsOutput{Body: out}, nil
}

func (s *service) addCanaries(ctx context.Context, in *canariesInput) (*canariesOutput, error) {
	var ids []pseudonym.Identifier
	for _, b := range in.Body.Subjects {
		ids = append(ids, pseudonym.Identifier{Jurisdiction: b.Jurisdiction, Type: b.Type, Value: b.Value})
	}
	err := s.node.AddCanaries(ctx, ids)
	if errors.Is(err, pseudonym.ErrIdentifier) {
		return nil, problem.Invalid("/subjects", "must each be of this node's country, and of 1 to 32 of A-Z and 0-9 besides spaces, hyphens, underscores and full stops")
	}
	if err != nil {
		return nil, problem.OfStore(err, "Whether they are canaries is not known. Send the same again.")
	}
	return s.listCanaries()
}

func (s *service) listCanaries() (*canariesOutput, error) {
	list, err := s.node.Canaries()
	if err != nil {
		return nil, problem.OfStore(err, "The canaries could not be read.")
	}
	out := canariesReport{Canaries: make([]canary, 0, len(list))}
	for _, c := range list {
		out.Canaries = append(out.Canaries, canary{subject{c.Subject.Jurisdiction, c.Subject.Type, c.Subject.Value}, c.Since})
	}
	slices.SortFunc(out.Canaries, func(a, b canary) int { return strings.Compare(a.Subject.Value, b.Subject.Value) })
	return &canariesOutput{Body: out}, nil
}
