package api

import (
	"context"
	"encoding/base64"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/api/guard"
	"github.com/tamga-id/tamga/node/api/operation"
	"github.com/tamga-id/tamga/node/api/problem"
	"github.com/tamga-id/tamga/node/attention"
)

type statusOutput struct{ Body status }

// status is node.Status as the API promises it; the two may grow apart.
type status struct {
	EntityID     string            `json:"entity_id" doc:"The node's Entity Identifier."`
	Jurisdiction string            `json:"jurisdiction" doc:"Country of the node's register, ISO 3166-1 alpha-3."`
	Name         string            `json:"name,omitempty" doc:"Name of the office that runs it."`
	Environment  string            `json:"environment,omitempty" doc:"What it is run for, for instance production."`
	PeerID       string            `json:"peer_id" doc:"Its libp2p peer ID."`
	Addresses    []string          `json:"addresses" nullable:"false" doc:"Multiaddrs it listens on."`
	Started      time.Time         `json:"started" doc:"When it was started."`
	Law          lawStatus         `json:"law" doc:"The law it executes."`
	Subjects     int64             `json:"subjects" minimum:"0" doc:"How many people are enrolled."`
	Full         bool              `json:"full" doc:"Whether too little disk space is left: nothing is enrolled or erased then, and look-ups go on."`
	Attention    []string          `json:"attention" nullable:"false" doc:"What an operator has to look after, kek_overdue, escrow_stale or ledger_contradicted; the log says more."`
	Ledger       ledgerStatus      `json:"ledger" doc:"Head of its ledger."`
	Refused      map[string]uint64 `json:"refused" doc:"How often peers' connections, streams and frames were refused since the start, by cause."`
	Alarms       map[string]uint64 `json:"alarms" doc:"How many alarms Queries of others raised since the start, by kind: canary, locked. GET /v1/alarms lists them."`
	Members      []member          `json:"members" nullable:"false" doc:"The other nodes of the federation, as last refreshed."`
}

type lawStatus struct {
	Version   string   `json:"version" doc:"Version of the law file."`
	Confirmed bool     `json:"confirmed" doc:"Whether the state has confirmed the file; a working translation is not."`
	Serves    []string `json:"serves" nullable:"false" doc:"Purposes for which it may allow an answer."`
}

type ledgerStatus struct {
	Origin string `json:"origin" doc:"Checkpoint origin."`
	Size   uint64 `json:"size" doc:"Number of entries."`
}

type member struct {
	EntityID     string    `json:"entity_id" doc:"Entity Identifier."`
	Jurisdiction string    `json:"jurisdiction" doc:"Country of its register."`
	Expires      time.Time `json:"expires" doc:"When its Trust Chain expires."`
	Connected    bool      `json:"connected" doc:"Whether a connection is open now. One that is not says nothing: connections are made when asking."`
	Addresses    []string  `json:"addresses" nullable:"false" doc:"Multiaddrs it announces."`
}

func (s *service) status(b *operation.Book) {
	op := b.Describe("status", http.MethodGet, "/v1/status", "What the node is and sees",
		"From memory, at a glance. It names no person. Takes either token.", "Operation", statusExample())
	huma.Register(b.API, *op, func(context.Context, *struct{}) (*statusOutput, error) {
		return &statusOutput{Body: newStatus(s.node.Status())}, nil
	})
}

func newStatus(n node.Status) status {
	out := status{
		EntityID: n.EntityID, Jurisdiction: n.Jurisdiction, Name: n.Name, Environment: n.Environment, PeerID: n.PeerID,
		Addresses: operation.List(n.Addresses), Started: n.Started, Subjects: n.Subjects, Full: n.Full, Attention: words(n.Attention), Members: []member{},
		Law:    lawStatus{Version: n.Law.Version, Confirmed: n.Law.Confirmed, Serves: operation.List(n.Law.Serves)},
		Ledger: ledgerStatus{Origin: n.Ledger.Origin, Size: n.Ledger.Size}, Refused: counts(n.Refused), Alarms: counts(n.Alarms),
	}
	for _, m := range n.Members {
		out.Members = append(out.Members, member{EntityID: m.EntityID, Jurisdiction: m.Jurisdiction,
			Expires: m.Expires, Connected: m.Connected, Addresses: operation.List(m.Addresses)})
	}
	return out
}

// counts is never null.
func counts(m map[string]uint64) map[string]uint64 {
	if m == nil {
		return map[string]uint64{}
	}
	return m
}

func words(all []attention.Matter) []string {
	out := make([]string, len(all))
	for i, a := range all {
		out[i] = string(a)
	}
	return out
}

type health struct {
	OK bool `json:"ok" doc:"Always true: what is not is a problem."`
}

type readyOutput struct{ Body readiness }

type readiness struct {
	OK        bool     `json:"ok" doc:"Always true: what is not is a problem."`
	Attention []string `json:"attention,omitempty" doc:"What an operator has to look after, although the node asks and answers: kek_overdue, escrow_stale or ledger_contradicted."`
}

type liveInput struct {
	Challenge string `header:"Tamga-Challenge" minLength:"43" maxLength:"43" pattern:"^[A-Za-z0-9_-]*$" doc:"32 fresh random bytes, base64url without padding. Asks the node to prove that it knows its tokens."`
}

type liveOutput struct {
	Proof      string `header:"Tamga-Proof" doc:"HMAC-SHA256 with the API token as key, over the text tamga/v1/api-proof, a zero byte and the 32 bytes of the challenge; base64url without padding. Absent without a challenge."`
	EnrolProof string `header:"Tamga-Enrol-Proof" doc:"The same with the operator's token as key."`
	Body       health
}

func (s *service) live(b *operation.Book) {
	op := b.Describe("live", http.MethodGet, "/livez", "Whether the process runs, and is the node",
		"Needs no token and says nothing about the node. Any program of this machine can take the port of a node that is stopped: "+
			"a client that first sends `Tamga-Challenge`, and sends its token and people's data only to who answered with the right proof, "+
			"on the same connection, gives neither away.",
		"Operation", health{OK: true})
	huma.Register(b.API, *op, func(_ context.Context, in *liveInput) (*liveOutput, error) {
		out := &liveOutput{Body: health{OK: true}}
		if challenge := guard.DecodeChallenge(in.Challenge); challenge != nil {
			own, enrol := s.node.Prove(challenge)
			out.Proof, out.EnrolProof = base64.RawURLEncoding.EncodeToString(own), base64.RawURLEncoding.EncodeToString(enrol)
		}
		return out, nil
	})
}

func (s *service) ready(b *operation.Book) {
	op := b.Describe("ready", http.MethodGet, "/readyz", "Whether the node can ask and answer",
		"Ready once another member of the federation is known. Needs no token and says no more than that, and what an operator has to look after.", "Operation", readiness{OK: true}, alone())
	huma.Register(b.API, *op, func(context.Context, *struct{}) (*readyOutput, error) {
		status := s.node.Status()
		if len(status.Members) == 0 {
			return nil, alone()
		}
		return &readyOutput{Body: readiness{OK: true, Attention: words(status.Attention)}}, nil
	})
}

func alone() *problem.Problem {
	return problem.New(http.StatusServiceUnavailable, protocol.CodeNotReady,
		"No other member of the federation is known: every verification would end as unavailable.")
}
