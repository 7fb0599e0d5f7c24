// Package api is a node's HTTP API for the systems of its own country: border,
// visa and migration services, the operator's console and command line. It is
// described by the OpenAPI 3.1 document that it serves at /openapi.json; errors
// are RFC 9457 problem details.
//
// Make a handler with [Handler] and serve it on a loopback listener. The package
// decides nothing about people and keeps nothing of what it is sent: a
// verification is put by package requester, an enrolment checked by package enrol
// and stored by package gallery. Nodes do not talk to one another here. Operations of
// one kind are in packages of their own: peers, law and upkeep; how an operation is
// documented and registered is in package operation.
//
// Invariants:
//   - A response never repeats a submitted value: a problem says where the fault
//     is, as a JSON Pointer made of names from the schema, and which rule of the
//     schema it breaks. The package logs nothing.
//   - Every verification that was put ends in one of the five outcomes. A peer that
//     did not answer is "unavailable", never "not_matched".
//   - Limits come before work: host, origin, address, token, size and shape of a
//     request are settled in that order before an operation sees it.
//   - Who may ask about people may not add to the gallery, and the other way round:
//     the two tokens open different addresses.
//   - No cookies and no CORS: a browser page of another origin cannot call it, and a
//     name that resolves to loopback (DNS rebinding) is refused.
//
// Compatibility: within /v1 members may be added to responses and optional
// members to requests; what is there does not change.
package api
