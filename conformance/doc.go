// Package conformance examines a Tamga node from outside: it sends Queries, well-formed
// and faulty, and judges the replies by federation/protocol/PROTOCOL.md, revision 1.
//
// Fill in [Options] and call [Run]; [Cases] lists what is run, and [Report] is written
// as JSON, JUnit XML or text. Every case cites the requirements it shows and, when it
// is negative, has exactly one fault.
//
// The suite is black-box. It knows the wire and nothing of the node's insides, builds
// its Queries and opens replies by the text itself, and reaches the target through an
// [party.Exchanger] that the caller brings, who must be a member of the target's federation.
// It does not judge accuracy: a handful of synthetic people say whether a matcher is
// joined to the wire, not how good it is.
//
// Invariants: no case ends in FAIL unless the preflight showed that target, tester
// and test subjects fit together, and FAIL always means that the target broke a
// requirement; what the suite itself could not do is HARNESS_ERROR. A report holds no
// subject data. The same seed picks the same people, probes and places to damage.
package conformance

// Version of the suite. It changes with every change in what a case demands.
const Version = "1.0.0"

// Revision of the protocol that the suite examines.
const Revision = "1"
