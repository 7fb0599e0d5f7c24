// Package witness holds the other members to what their ledgers have shown.
//
// Each Answer brings a receipt: a leaf, where it is in the responder's ledger, and a signed
// checkpoint of it. A ledger only grows, so receipts of one must agree with one another
// (RFC 9162 section 2.1; Laurie, "Certificate Transparency", CACM 57(10), 2014, on why
// somebody has to compare). [Witness.Expect] is called before a Query is sent, and what it
// returns with the Answer. An Answer out of a ledger that was put back to an earlier state,
// or that is shown to others in another form, is told by that, mostly at the first question:
//
//   - a leaf made after N entries had been shown is not among the first N;
//   - two trees of one size are one tree, and each receipt proves three (lognote.Receipt.Prefixes),
//     so that two leaves of one index are told, too.
//
// A checkpoint that is smaller than another proves nothing: answers overtake each other.
//
// Both sides of a contradiction are kept as evidence in a folder ([Dir]), which names no
// person. Agreeing checkpoints go to gap.Heads, which tells them to the member itself.
//
// Invariants:
//
//   - what contradicts changes nothing of what is known;
//   - memory is bounded per member, and so is the folder.
package witness
