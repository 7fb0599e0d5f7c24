// Package peering is what a node knows of the other members, and what its operator has
// decided about them.
//
// [Open] joins the ways by which a Trust Anchor's word arrives: its endpoints, its bundle
// on the web or on a disk (package membership), and other members. [Peers] then answers,
// from memory, the questions of the transport's gate, the responder and the requester: who
// may connect, who asks, whom to ask. [Peers.Run] keeps it current: it polls the bundles
// every few seconds and hands news to the other members, so that a suspension reaches all
// of them within a minute even where the Anchor itself cannot be reached. Listings of
// Intermediates go the same way: a node that is one tells of its own, and those that are no
// nodes are asked every few seconds.
//
// A member is believed in when its chain verifies, no newer listing of its Anchor leaves
// it out, the operator has not paused it, and this node is not suspended itself: who is
// suspended neither asks nor answers.
//
// It dials nobody by itself: [Config.Exchange] does.
package peering
