// Package trust says who is a member of the federation, and with which keys.
//
// It implements OpenID Federation 1.0 (Final, February 2026) for a closed federation
// of states: Entity Configurations, Subordinate Statements, Trust Chains with
// Intermediates, constraints, metadata policy (package metadatapolicy), and the
// metadata type "tamga_node".
//
// [VerifyChain] is what everything rests on; [Resolver] builds a chain bottom-up. A
// node publishes itself with package endpoint and learns about the others with package
// directory; the federation operator runs package authority.
//
// What it does not do: critical extension claims and additional policy operators are
// refused, never ignored; Trust Marks are read and not evaluated (package trustmark
// does that); explicit registration is absent.
//
// Invariants:
//   - a [Chain] exists only after every signature up to an Anchor key that came
//     from out of band was verified; the zero Chain names nobody;
//   - a [Node] carries the jurisdiction and peer ID its immediate superior pinned,
//     never only what the node says about itself, and no peer ID whose key has not signed
//     for the Entity and its federation key (package peerid);
//   - "not a member", "expired" and "could not tell" are three different errors;
//   - a member that cannot be reached keeps its verified chain until that expires,
//     and not longer.
//
// Statements from a later revision may carry claims and metadata parameters that
// are unknown here: those are ignored, as the specification requires, unless crit
// names them.
package trust
