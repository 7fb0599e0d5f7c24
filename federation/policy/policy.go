// Package policy executes national law: one Cedar file per jurisdiction says who may ask whom, for which purpose, on
// which legal basis, and under which obligations. The language is Cedar (https://docs.cedarpolicy.com, cedar-go 1.9)
// cut down to the profile below.
//
// Start with [Load] on the operator's file, or on the text [Builtin] returns for a pilot, then call [Law.Decide]: once
// before asking abroad (direction "ask") and once before answering a foreign Query (direction "answer").
// [Law.Purposes] lists what the Entity Configuration may advertise.
//
// # The law file
//
// A file opens with a header of "//!" lines, each key exactly once, in any order:
//
//	//! tamga_law: 1                 revision of this format
//	//! jurisdiction: KAZ            ISO 3166-1 alpha-3
//	//! version: 2026.1              the agency's own version of the text
//	//! status: working-translation  or "confirmed", once counsel has confirmed every citation
//	//! law: Law No. 94-V of ...     the act a default refusal cites
//	//! default_article: Article 16  the article a default refusal cites
//
// Then come policies. Every policy carries @id, @law (name, number and date of the act) and @article; a permit carries
// its obligations too: @consent ("holder" or "none"), @fmr (the decision is made at FMR 1/n) and @modalities (a space
// separated list). Nothing else is accepted.
//
// The profile: principal is a Tamga::Node, resource a Tamga::Gallery, both with attribute country; action is one of
// Tamga::Action::"verify", "identify", "document", "attributes"; context holds direction, purpose, legal_basis,
// requester_country and responder_country, and peer_marks, the Trust Marks that the other side validly holds. Conditions
// are built from ==, !=, ["a", "b"].contains(x), context.peer_marks.contains("https://..."), &&, || and !, so
// that every string of a law is checked against its closed vocabulary when the file is read and no evaluation can
// fail on a type. A permit names its actions and tests both purpose and legal_basis: no blanket permission.
//
// # Rules of decision
//
//   - Default is deny; a forbid overrides every permit; an error while evaluating any policy refuses.
//   - When several permits apply their obligations add up: consent is required if any of them requires it, the decision
//     is made at the lowest FMR, and only the modalities all of them allow may be used. Cedar alone would read permits
//     as alternatives; adding them up means that a further permit may admit further requests but never loosens what is
//     demanded of one already admitted.
//   - Every decision names a policy and an article: a forbid's, the strictest permit's, or [DefaultDeny] with the
//     header's default article. The zero [Decision] and the zero [Law] refuse.
//
// The package does no I/O, keeps no budgets and verifies no consent: it says what must be verified. It never sees
// subject data. Laws are immutable after Load and safe for concurrent use.
package policy

import (
	"slices"

	cedar "github.com/cedar-policy/cedar-go"
)

// DefaultDeny is the policy id of a refusal that no forbid policy of the law caused: nothing permits the request, or
// the request itself is outside the vocabulary.
const DefaultDeny = "default-deny"

// Directions of a [Request].
const (
	// Ask is the requester's side: own officers asking a foreign gallery.
	Ask = "ask"
	// Answer is the responder's side: a foreign Query about the own gallery.
	Answer = "answer"
)

// Request is what law is asked about. All fields but PeerMarks are required; none is subject data.
type Request struct {
	Direction        string // Ask or Answer, seen from the jurisdiction whose law decides
	Requester        string // Entity Identifier of the node that asks
	Responder        string // Entity Identifier of the node that holds the gallery
	RequesterCountry string // ISO 3166-1 alpha-3, from the requester's verified metadata
	ResponderCountry string // ISO 3166-1 alpha-3, from the responder's verified metadata
	Purpose          string // closed vocabulary, see PROTOCOL.md
	LegalBasis       string // closed vocabulary, see PROTOCOL.md
	Operation        string // "verify", "identify", "document" or "attributes"
	// PeerMarks are the Trust Mark types that the other side validly holds: the requester in direction Answer, the
	// responder in direction Ask. A mark that could not be checked is not among them.
	PeerMarks []string
}

// Decision is law applied to a [Request]. The zero value refuses. The obligations are meaningful only when Allowed.
type Decision struct {
	Allowed  bool
	PolicyID string // the policy that decided, or DefaultDeny; empty only in the zero value
	Law      string // the act: name, number, date
	Article  string // the article of that act
	Version  string // version of the law file
	Reason   string // one sentence built from ids and citations only: safe to log, sign and show

	ConsentRequired bool     // the holder's consent must be verified before the gallery is opened
	FMROneIn        uint32   // the comparison is decided at FMR 1/FMROneIn
	Modalities      []string // the modalities that may be compared; owned by the caller
}

// AllowsModality reports whether m may be compared under d. It is false for every m when d refuses.
func (d Decision) AllowsModality(m string) bool {
	return d.Allowed && slices.Contains(d.Modalities, m)
}

// Law is one jurisdiction's law, ready to decide. It is immutable and safe for concurrent use. A nil or zero Law
// refuses everything.
type Law struct {
	head   header
	digest Digest
	rules  []rule
	byID   map[cedar.PolicyID]int
}

// Digest is the SHA-256 of a law file, byte for byte.
type Digest [32]byte

// Jurisdiction returns the ISO 3166-1 alpha-3 code of the header; "" for the zero Law.
func (l *Law) Jurisdiction() string {
	if l == nil {
		return ""
	}
	return l.head.jurisdiction
}

// Version returns the version of the header; "" for the zero Law. Two texts may carry the same version by mistake:
// compare [Law.Digest] for identity.
func (l *Law) Version() string {
	if l == nil {
		return ""
	}
	return l.head.version
}

// Confirmed reports whether the header says that counsel confirmed the citations. The built-in laws are not.
func (l *Law) Confirmed() bool { return l != nil && l.head.status == statusConfirmed }

// Digest returns the SHA-256 of the file as loaded; zero for the zero Law.
func (l *Law) Digest() Digest {
	if l == nil {
		return Digest{}
	}
	return l.digest
}
