// Package authority is the federation operator's side of OpenID Federation 1.0
// (Final, February 2026): it enrols subordinates, keeps them on disk, and answers
// what section 8 lets others ask.
//
// Start with [New] and [Authority.Enroll]; serve [Authority.Handler].
//
// Invariants: an enrolment is durable before it is answered for; no two Entities hold
// one jurisdiction or peer ID; an enrolment file that the authority's key did not
// sign is an error.
package authority
