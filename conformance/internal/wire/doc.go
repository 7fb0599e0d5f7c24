// Package wire builds Queries and opens replies by the text of
// federation/protocol/PROTOCOL.md, revision 1, for the conformance suite.
//
// [New] makes a Query that nothing is wrong with; the fields of a [Draft] make it wrong;
// [Draft.Build] seals and signs it; [Reader.Read] judges the reply. Only the code
// registry, the ledger leaf and the verifier of receipts come from
// federation/protocol: what both sides shared, both could misread.
//
// It sends nothing and decides nothing about a case.
package wire
