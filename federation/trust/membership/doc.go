// Package membership carries a Trust Anchor's word on who is a member to the members, by
// every way there is: HTTP, a folder on a disk or stick, and from member to member.
//
// OpenID Federation 1.0 lets a superior be asked (sections 8.1 to 8.3). That needs the
// superior to be online, its list is not signed, and who is not asked says nothing. Here
// the Anchor signs a [Listing], numbered in sequence, of whom it vouches for and whom it
// has suspended. Of two listings the later holds, so it does not matter who brings it: a
// member that learns of a newer one takes it over at once and hands it to the others. A
// [Bundle] is a listing with a resolve response (section 8.3.2) for each member: all that
// an Anchor has to say, in one file that any web server or USB stick can serve. So the
// Anchor's key may lie on a machine without a network.
//
// An Intermediate signs listings of those below it in the same way, which members hand on with
// its Trust Chain. They take away nobody else. [Below] keeps them.
//
// The Anchor's side is [NewAuthor]. A member keeps the newest listings in a [Keeper] and
// reads bundles with a [Source], which is a [trust.Source] that asks the Anchor's
// endpoints only where there is no bundle. PROTOCOL.md, TMG-E-007 to TMG-E-010 and TMG-E-015, says what
// goes over the wire.
//
// It does not say what a member is: chains are verified by package trust, and a listing
// can only take away. It sends nothing: the node does, over the transport.
//
// Invariants:
//   - a listing is believed only under a key that the Anchor's Entity Configuration names,
//     signed with a key that came from out of band;
//   - an older listing never replaces a newer one, not even after a restart;
//   - once a listing of an Anchor is held, its unsigned list is not asked for any more.
package membership
