// Package trustmark signs and verifies Trust Marks: OpenID Federation 1.0 (Final,
// February 2026) section 7, with delegation, and the status responses of section 8.4.
//
// [Sign] issues a mark, [SignDelegation] what an owner gives an issuer, [Verify] accepts
// a mark under a Trust Anchor's rules and its issuer's keys.
//
// It does not find out whether an issuer is trusted: its caller has a Trust Chain for the
// issuer first. Types of marks, the time a mark without exp holds and what a mark is good
// for are the federation's to say.
package trustmark
