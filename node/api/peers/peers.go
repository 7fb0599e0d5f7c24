// Package peers is what the API says of the other members of the federation, and does about
// them: list, test, pause and resume, and why an Entity is a member.
package peers

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/explain"
	"github.com/tamga-id/tamga/node/api/guard"
	"github.com/tamga-id/tamga/node/api/law"
	"github.com/tamga-id/tamga/node/api/operation"
	"github.com/tamga-id/tamga/node/api/problem"
	"github.com/tamga-id/tamga/node/peering"
)

// Node is what the API needs to know of the other members. A member is named by country
// or Entity Identifier; errors about the name match trust.ErrNotMember.
type Node interface {
	// Peers lists the other members, from memory; PeerChain is the Trust Chain of one.
	Peers() []peering.Peer
	PeerChain(id trust.EntityID) []explain.Statement
	TrustAnchors() []peering.AnchorState
	// Suspended reports whether this node itself is suspended.
	Suspended() bool
	// PausePeer refuses a member, and those below it unless only, until ResumePeer; the errors match peering.ErrPaused and
	// peering.ErrNotPaused.
	PausePeer(name, reason string, only bool) (trust.EntityID, error)
	ResumePeer(name string) (trust.EntityID, error)
	// ExplainTrust resolves an Entity anew.
	ExplainTrust(ctx context.Context, name string) (peering.Explanation, error)
	// TestPeer tests a member; PingPeer its addresses only.
	TestPeer(ctx context.Context, name string) (peering.Report, error)
	PingPeer(ctx context.Context, name string) (peering.Report, error)
}

type peersOutput struct{ Body peersReport }

type peersReport struct {
	Suspended bool          `json:"suspended" doc:"Whether this node itself is suspended: it then neither asks nor answers."`
	Anchors   []anchorState `json:"anchors" nullable:"false" doc:"The configured Trust Anchors."`
	Peers     []peer        `json:"peers" nullable:"false" doc:"The other members, by country; then those suspended."`
}

type anchorState struct {
	EntityID  string    `json:"entity_id" doc:"Entity Identifier."`
	Location  string    `json:"location,omitempty" doc:"Where it is reached; absent when that is the Entity Identifier."`
	KeyIDs    []string  `json:"key_ids" nullable:"false" doc:"Its keys as configured, by RFC 7638 thumbprint."`
	Sequence  uint64    `json:"sequence" doc:"Number of the newest signed listing; 0 when it publishes none."`
	IssuedAt  time.Time `json:"issued_at,omitzero" doc:"When that was signed."`
	Members   int       `json:"members" doc:"Whom it vouches for."`
	Suspended int       `json:"suspended" doc:"Whom it has suspended."`
}

type peer struct {
	EntityID     string      `json:"entity_id" doc:"Entity Identifier."`
	Jurisdiction string      `json:"jurisdiction" doc:"Country of its register."`
	State        string      `json:"state" enum:"member,paused,suspended" doc:"Paused by this node's operator, or suspended by its Trust Anchor: refused both ways."`
	Since        time.Time   `json:"since,omitzero" doc:"Since when it is paused or suspended."`
	Reason       string      `json:"reason,omitempty" doc:"Why, in the words of who did it."`
	By           string      `json:"by,omitempty" doc:"The Trust Anchor or superior that suspended it, or the peer above it with which it is paused."`
	PeerID       string      `json:"peer_id,omitempty" doc:"libp2p peer ID."`
	Expires      time.Time   `json:"expires,omitzero" doc:"When its Trust Chain expires."`
	Connected    bool        `json:"connected" doc:"Whether a connection is open now."`
	Links        []peerLink  `json:"links" nullable:"false" doc:"Its live connections, the oldest first."`
	Heard        time.Time   `json:"heard,omitzero" doc:"When it last answered or asked, since the node was started."`
	Failed       time.Time   `json:"failed,omitzero" doc:"When it last could not be asked."`
	Failure      string      `json:"failure,omitempty" doc:"Why, each address with its own cause."`
	Addresses    []string    `json:"addresses" nullable:"false" doc:"Multiaddrs it announces."`
	SigningKeys  []string    `json:"signing_keys" nullable:"false" doc:"Key identifiers."`
	SealingKeys  []string    `json:"sealing_keys" nullable:"false" doc:"Key identifiers, the current one first."`
	KeyExchange  string      `json:"key_exchange,omitempty" doc:"What Queries to it are sealed with."`
	Modalities   []string    `json:"modalities" nullable:"false" doc:"Modalities it serves."`
	Formats      []string    `json:"formats" nullable:"false" doc:"Template profiles it serves."`
	Purposes     []string    `json:"purposes" nullable:"false" doc:"Purposes for which its law may allow an answer."`
	LegalBases   []string    `json:"legal_bases" nullable:"false" doc:"Legal bases on which its law may allow an answer; none when it does not say."`
	Vocabulary   string      `json:"vocabulary,omitempty" doc:"Version of the vocabulary that it knows; absent when it does not say."`
	Holds        []law.Held  `json:"biometric_data" nullable:"false" doc:"What biometric data its country says it holds."`
	Revisions    []string    `json:"revisions" nullable:"false" doc:"Protocol revisions it speaks."`
	LedgerOrigin string      `json:"ledger_origin,omitempty" doc:"Checkpoint origin of its ledger."`
	Confirmed    time.Time   `json:"confirmed,omitzero" doc:"When its federation keys were compared over the phone; absent when never."`
	KeysChanged  bool        `json:"keys_changed" doc:"Whether its superior now vouches for none of the keys that were compared."`
	Marks        []markOf    `json:"marks" nullable:"false" doc:"Its valid Trust Marks."`
	Undetermined []markOf    `json:"undetermined_marks" nullable:"false" doc:"Its Trust Marks of which it is not known whether they have been revoked; until is when they end by themselves. They count for nothing."`
	Chain        []chainLink `json:"chain" nullable:"false" doc:"The Trust Chain by which it is a member, its own Entity Configuration first."`
}

type markOf struct {
	Type   string    `json:"type" doc:"Trust Mark type identifier."`
	Issuer string    `json:"issuer" doc:"Who gave it."`
	Until  time.Time `json:"until" doc:"When it ends, or what is known of its issuer and its status does."`
}

type chainLink struct {
	Kind     string    `json:"kind" enum:"entity-configuration,subordinate-statement" doc:"What the statement is."`
	Issuer   string    `json:"issuer" doc:"Who signed it."`
	Subject  string    `json:"subject" doc:"Whom it is about."`
	Fetched  bool      `json:"fetched" doc:"Whether there was one."`
	IssuedAt time.Time `json:"issued_at,omitzero" doc:"As it claims."`
	Expires  time.Time `json:"expires,omitzero" doc:"As it claims."`
	KeyIDs   []string  `json:"key_ids" nullable:"false" doc:"The subject's federation keys, as it claims."`
	Hints    []string  `json:"authority_hints" nullable:"false" doc:"Superiors that it names."`
	Anchor   bool      `json:"anchor" doc:"Whether its issuer is a configured Trust Anchor."`
	Rule     string    `json:"rule,omitempty" doc:"The rule that it breaks; absent when none."`
	Fault    string    `json:"fault,omitempty" doc:"Why there was none, or what is wrong with it."`
}

type stage struct {
	Name   string `json:"name" doc:"What was looked at."`
	State  string `json:"state" enum:"ok,warning,failed,skipped" doc:"Skipped: what it rests on failed, or it does not apply."`
	Side   string `json:"side,omitempty" enum:"ours,theirs,between,anchor" doc:"Whose it is to act; absent when nobody's."`
	Detail string `json:"detail" doc:"What was found."`
	Next   string `json:"next,omitempty" doc:"What they do."`
}

type peerTestInput struct{ Body peerTestRequest }

type peerTestRequest struct {
	Peer string `json:"peer" minLength:"3" maxLength:"2048" doc:"Country, or Entity Identifier."`
	Ping bool   `json:"ping,omitempty" doc:"Whether to try its addresses alone."`
}

type peerTestOutput struct{ Body peerTest }

type peerTest struct {
	Peer         string   `json:"peer" doc:"Entity Identifier."`
	OK           bool     `json:"ok" doc:"Whether no stage failed."`
	Stages       []stage  `json:"stages" nullable:"false" doc:"In the order in which one rests on another."`
	Milliseconds float64  `json:"rtt_ms" doc:"Of the quickest address, connecting included; 0 when none answered."`
	Skew         *float64 `json:"clock_skew_s,omitempty" doc:"How far its clock is ahead, in whole seconds; absent when not measured."`
}

type pauseInput struct{ Body pauseRequest }

type pauseRequest struct {
	Peer   string `json:"peer" minLength:"3" maxLength:"2048" doc:"Country, or Entity Identifier."`
	Reason string `json:"reason,omitempty" maxLength:"200" doc:"Kept for who looks later; shown to nobody else."`
	Only   bool   `json:"only,omitempty" doc:"Whether those below the peer are spared: a country's ministries."`
}

type resumeInput struct{ Body resumeRequest }

type resumeRequest struct {
	Peer string `json:"peer" minLength:"3" maxLength:"2048" doc:"Country, or Entity Identifier."`
}

type pauseOutput struct{ Body pauseReport }

type pauseReport struct {
	Peer   string `json:"peer" doc:"Entity Identifier."`
	Paused bool   `json:"paused" doc:"Whether it is paused now."`
}

type explainInput struct{ Body explainRequest }

type explainRequest struct {
	Entity string `json:"entity" minLength:"3" maxLength:"2048" doc:"Entity Identifier, or the country of a known member."`
}

type explainOutput struct{ Body explanation }

type explanation struct {
	Entity     string      `json:"entity" doc:"Entity Identifier."`
	Outcome    string      `json:"outcome" enum:"accepted,refused,not-a-member,undetermined" doc:"What resolving its Trust Chain anew came to."`
	Reason     string      `json:"reason,omitempty" doc:"Why it was not accepted."`
	Expires    time.Time   `json:"expires,omitzero" doc:"When the accepted chain expires."`
	Anchor     string      `json:"anchor,omitempty" doc:"The Trust Anchor that the accepted chain ends at."`
	Statements []chainLink `json:"statements" nullable:"false" doc:"Every statement that was looked for, in order."`
	Decisions  []stage     `json:"decisions" nullable:"false" doc:"What this node makes of it besides."`
}

func peersExample() peersReport {
	at := time.Date(2026, time.March, 21, 6, 0, 0, 0, time.UTC)
	return peersReport{
		Anchors: []anchorState{{EntityID: "https://anchor.example", KeyIDs: []string{"kz0"}, Sequence: 12, IssuedAt: at, Members: 4}},
		Peers: []peer{newPeer(peering.Peer{Node: trust.Node{EntityID: "https://node.kgz.example", Jurisdiction: "KGZ"},
			Suspension: &peering.Suspension{Anchor: "https://anchor.example", Since: at, Reason: "key lost"}}, nil)},
	}
}

type service struct{ node Node }

// Routes are those of the operations.
func Routes() []guard.Route {
	return []guard.Route{
		{Method: "GET", Path: "/v1/peers", Who: guard.Local},
		// Sixteen addresses that do not answer, and half a dozen exchanges.
		{Method: "POST", Path: "/v1/peers/test", Content: "application/json", Who: guard.Operator, MaxBody: 8 << 10, Timeout: 5 * time.Minute},
		{Method: "POST", Path: "/v1/peers/pause", Content: "application/json", Who: guard.Operator, MaxBody: 8 << 10},
		{Method: "POST", Path: "/v1/peers/resume", Content: "application/json", Who: guard.Operator, MaxBody: 8 << 10},
		// As many fetches as a chain may cost.
		{Method: "POST", Path: "/v1/trust/explanations", Content: "application/json", Who: guard.Operator, MaxBody: 8 << 10, Timeout: 5 * time.Minute},
	}
}

// Register adds the operations to b.
func Register(b *operation.Book, n Node) {
	s := service{n}
	unknown := ofPeer(trust.ErrNotMember)
	list := b.Describe("peers", http.MethodGet, "/v1/peers", "The other members, in detail",
		"From memory: state, keys, addresses, Trust Chain and last contact of each. Takes either token.", "Peers", peersExample())
	huma.Register(b.API, *list, func(context.Context, *struct{}) (*peersOutput, error) {
		return &peersOutput{Body: newPeers(s.node)}, nil
	})
	test := b.Describe("test-peer", http.MethodPost, "/v1/peers/test", "Test a peer, stage by stage",
		"Membership, chain, names, addresses, handshake, keys, clock, purposes, and a verification about nobody where the peer's law has sandbox_test; says whose side a fault is on. "+
			"A finding is data: the response is 200 with `ok` false. Needs the operator's token.", "Peers",
		peerTest{Peer: "https://node.kgz.example", OK: true, Stages: []stage{{Name: "clock", State: "ok", Detail: "within 1s"}}, Milliseconds: 4.2}, unknown)
	operation.Post(b, test, peerTestRequest{Peer: "KGZ"}, s.testPeer)
	pause := b.Describe("pause-peer", http.MethodPost, "/v1/peers/pause", "Have nothing to do with a peer for now",
		"Refuses the peer, and those below it, such as a country's ministries, both ways and ends their connections, over a restart too. Needs the operator's token.", "Peers", pauseReport{"https://node.kgz.example", true}, unknown)
	operation.Post(b, pause, pauseRequest{Peer: "KGZ", Reason: "investigating"}, func(_ context.Context, in *pauseInput) (*pauseOutput, error) {
		id, err := s.node.PausePeer(in.Body.Peer, in.Body.Reason, in.Body.Only)
		if err != nil {
			return nil, ofPeer(err)
		}
		return &pauseOutput{Body: pauseReport{string(id), true}}, nil
	})
	resume := b.Describe("resume-peer", http.MethodPost, "/v1/peers/resume", "End a peer's pause", "Needs the operator's token.", "Peers", pauseReport{"https://node.kgz.example", false}, unknown)
	operation.Post(b, resume, resumeRequest{Peer: "KGZ"}, func(_ context.Context, in *resumeInput) (*pauseOutput, error) {
		id, err := s.node.ResumePeer(in.Body.Peer)
		if err != nil {
			return nil, ofPeer(err)
		}
		return &pauseOutput{Body: pauseReport{string(id), false}}, nil
	})
	why := b.Describe("explain-trust", http.MethodPost, "/v1/trust/explanations", "Why an Entity is a member, or not",
		"Resolves its Trust Chain anew and says what every statement claims, which one fails, and what the node decides besides. Needs the operator's token.", "Peers",
		explanation{Entity: "https://node.kgz.example", Outcome: "accepted", Statements: []chainLink{}, Decisions: []stage{}}, unknown)
	operation.Post(b, why, explainRequest{Entity: "KGZ"}, func(ctx context.Context, in *explainInput) (*explainOutput, error) {
		e, err := s.node.ExplainTrust(ctx, in.Body.Entity)
		if err != nil {
			return nil, ofPeer(err)
		}
		return &explainOutput{Body: newExplanation(e)}, nil
	})
}

func (s service) testPeer(ctx context.Context, in *peerTestInput) (*peerTestOutput, error) {
	test := s.node.TestPeer
	if in.Body.Ping {
		test = s.node.PingPeer
	}
	r, err := test(ctx, in.Body.Peer)
	if err != nil {
		return nil, ofPeer(err)
	}
	out := peerTest{Peer: string(r.Peer), OK: r.OK(), Stages: stages(r.Stages), Milliseconds: float64(r.RTT.Microseconds()) / 1000}
	if r.Clocked {
		skew := r.Skew.Seconds()
		out.Skew = &skew
	}
	return &peerTestOutput{Body: out}, nil
}

// ofPeer is the problem of an error about a peer that was named.
func ofPeer(err error) *problem.Problem {
	switch {
	case errors.Is(err, trust.ErrNotMember):
		return problem.New(http.StatusNotFound, protocol.CodePeer, "No member of this name is known.")
	case errors.Is(err, peering.ErrPaused), errors.Is(err, peering.ErrNotPaused):
		return problem.New(http.StatusConflict, protocol.CodePeer, err.Error())
	}
	return problem.New(http.StatusInternalServerError, protocol.CodeInternal, "")
}

func stages(in []peering.Stage) []stage {
	out := []stage{}
	for _, s := range in {
		out = append(out, stage(s))
	}
	return out
}

type peerLink struct {
	Address     string    `json:"address" doc:"The peer's multiaddr as seen from here."`
	Inbound     bool      `json:"inbound" doc:"Whether the peer opened it."`
	Transport   string    `json:"transport" enum:"quic-v1,tcp" doc:"What carries it."`
	Security    string    `json:"security" enum:"tls,noise" doc:"What protects it."`
	KeyExchange string    `json:"key_exchange" doc:"How its keys were agreed on, for instance X25519MLKEM768. Between nodes that both announce that, no other is accepted."`
	Opened      time.Time `json:"opened" doc:"Since when it is open."`
}

func newPeers(p Node) peersReport {
	out := peersReport{Suspended: p.Suspended(), Anchors: []anchorState{}, Peers: []peer{}}
	for _, a := range p.TrustAnchors() {
		out.Anchors = append(out.Anchors, anchorState{string(a.EntityID), a.Location, operation.List(a.KeyIDs), a.Sequence, a.IssuedAt, a.Members, a.Suspended})
	}
	for _, one := range p.Peers() {
		out.Peers = append(out.Peers, newPeer(one, p.PeerChain(one.Node.EntityID)))
	}
	return out
}

func newPeer(p peering.Peer, chain []explain.Statement) peer {
	m := p.Node
	out := peer{EntityID: string(m.EntityID), Jurisdiction: m.Jurisdiction, State: "member", PeerID: m.PeerID, Expires: m.ExpiresAt,
		Connected: p.Connected, Heard: p.Contact.Heard, Failed: p.Contact.Failed, Failure: p.Contact.Failure, Addresses: operation.List(m.Addresses),
		SigningKeys: []string{}, SealingKeys: []string{}, Links: []peerLink{}, Modalities: operation.List(m.Modalities), Formats: operation.List(m.Formats), Purposes: operation.List(m.Purposes),
		LegalBases: operation.List(m.LegalBases), Vocabulary: m.Vocabulary, Holds: law.NewHeld(m.Holds), Revisions: operation.List(m.Revisions), LedgerOrigin: m.LedgerOrigin, Confirmed: p.Confirmed, KeysChanged: p.KeysChanged, Marks: []markOf{}, Undetermined: []markOf{}, Chain: links(chain)}
	for _, l := range p.Links {
		out.Links = append(out.Links, peerLink(l))
	}
	for _, mark := range p.Marks {
		out.Marks = append(out.Marks, markOf{mark.Type, string(mark.Issuer), mark.Until})
	}
	for _, mark := range p.Undetermined {
		out.Undetermined = append(out.Undetermined, markOf{mark.Type, string(mark.Issuer), mark.Ends})
	}
	for _, k := range m.SigningKeys.Keys() {
		out.SigningKeys = append(out.SigningKeys, k.KeyID())
	}
	for _, k := range m.SealingKeys {
		out.SealingKeys = append(out.SealingKeys, k.KeyID())
	}
	if len(m.SealingKeys) > 0 {
		out.KeyExchange = "X-Wing (ML-KEM-768 and X25519)"
	}
	switch {
	case p.Suspension != nil:
		out.State, out.Since, out.Reason, out.By = "suspended", p.Suspension.Since, p.Suspension.Reason, string(p.Suspension.Anchor)
	case p.Paused != nil:
		out.State, out.Since, out.Reason = "paused", p.Paused.Since, p.Paused.Reason
		if p.PausedWith != m.EntityID {
			out.By = string(p.PausedWith)
		}
	}
	return out
}

func links(in []explain.Statement) []chainLink {
	out := []chainLink{}
	for _, s := range in {
		hints := []string{}
		for _, h := range s.AuthorityHints {
			hints = append(hints, string(h))
		}
		out = append(out, chainLink{s.Kind, string(s.Issuer), string(s.Subject), s.Fetched, s.IssuedAt, s.ExpiresAt, operation.List(s.KeyIDs), hints, s.Anchor, string(s.Rule), s.Fault})
	}
	return out
}

func newExplanation(e peering.Explanation) explanation {
	return explanation{Entity: string(e.Entity), Outcome: e.Outcome, Reason: e.Reason, Expires: e.Chain.ExpiresAt, Anchor: string(e.Chain.Anchor),
		Statements: links(e.Statements), Decisions: stages(e.Decisions)}
}
