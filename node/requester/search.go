package requester

import (
	"context"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/trust"
)

// Search asks of whom in a country's register a sample may be, or who a candidate is. Its fields are
// those of [Request]; one of Probe and Handle is given.
type Search struct {
	Country    string // ISO 3166-1 alpha-3, whose register it is
	Probe      protocol.Probe
	Handle     protocol.Handle
	Order      string // exemption that two officers signed, about this probe or handle
	Purpose    string
	LegalBasis string
	Officer    string
	Role       string
	Assurance  string
	Node       trust.EntityID
}

// Identify asks of whom the probe may be. Result.Found has handles of candidates. It is like [Requester.Verify] otherwise.
func (r *Requester) Identify(ctx context.Context, s Search) (Result, error) {
	return r.search(ctx, s, protocol.OperationIdentify, []protocol.Probe{s.Probe}, protocol.Search{Probe: s.Probe, Order: s.Order})
}

// Resolve asks who the candidate behind the handle is. Result.Found has the identifier. It is like [Requester.Verify] otherwise.
func (r *Requester) Resolve(ctx context.Context, s Search) (Result, error) {
	return r.search(ctx, s, protocol.OperationResolve, nil, protocol.Resolution{Handle: s.Handle, Order: s.Order})
}

// search puts it. What law and withdrawals are asked about is a Question's: the country, the probes and what permits it.
func (r *Requester) search(ctx context.Context, s Search, operation string, probes []protocol.Probe, asked protocol.Asked) (Result, error) {
	return r.put(ctx, Request{
		Question: protocol.Question{Subject: pseudonym.Identifier{Jurisdiction: s.Country}, Probes: probes, Consent: s.Order},
		Purpose:  s.Purpose, LegalBasis: s.LegalBasis, Officer: s.Officer, Role: s.Role, Assurance: s.Assurance, Node: s.Node,
		operation: operation, asked: asked,
	}, r.cfg.Now())
}
