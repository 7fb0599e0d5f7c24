// Package directory is what a node knows about the federation's members.
//
// Start with [New], let [Directory.Run] keep it fresh, and ask [Directory.Member],
// [Directory.Entity] and [Directory.Country], which never touch the network.
//
// A list is not signed (OpenID Federation 1.0 section 8.2.2): whoever controls the way
// to a superior can hide members, and can never add one.
//
// Invariants: a member is there only by a verified Trust Chain; "not a member",
// "expired" and "could not tell" are three different errors; a member that cannot be
// reached keeps its verified chain until that expires, and not longer.
package directory
