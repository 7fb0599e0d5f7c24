// Package protocol is what two Tamga nodes say to each other: the Query, the
// Answer, the Refusal, the ledger Leaf that both sides keep, and the closed
// registry of codes that explains every outcome.
//
// PROTOCOL.md beside this file is the normative text; requirement identifiers
// in comments (TMG-Q-001 and so on) point there.
//
// A requester builds a Query with [Ask] and reads the reply with
// [Pending.Reply]. A responder reads a frame with [ParseQuery], trusts it with
// [UnverifiedQuery.Verify], opens it with [Query.Open] and replies with
// [Query.Answer], or with [Refuse] while there is nothing it may trust yet.
//
// The package does no I/O, keeps no state and has no clock. Replay memory, trust
// chains, law, galleries and matching belong to its callers.
//
// Invariants: the zero [Outcome] accepts nobody; a reply that is not bound to the
// Query it answers is never returned as an [Answer]; no error text contains what
// the sealed part says.
package protocol
