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
// its obligations too: @consent ("none", or a list of the states of consent that will do: holder, attested, exemption),
// @fmr (the decision is made at FMR 1/n) and @modalities (a list). It may carry @tell, which says what of an answer may
// be told: "verdict", then "reasons" (why it is inconclusive) and "subject_unknown" (that nobody is enrolled under the
// identifier); without @tell, all. Lists are separated by one space. Nothing else is accepted.
//
// The profile: principal is a Tamga::Node (attributes country, officer_role), resource a Tamga::Gallery (country,
// subject_class, modality); action is one of Tamga::Action::"verify", "identify", "resolve",
// "document", "attributes"; context holds direction, purpose, legal_basis, requester_country, responder_country, consent, assurance, time, peer_marks (the Trust
// Marks that the other side validly holds) and the counts queries_by_officer, queries_by_requester,
// queries_about_subject, queries_for_purpose and near_misses, of Queries before this one, and left_by_officer,
// left_by_requester, left_about_subject and left_for_purpose, of what the operator's budgets leave, this one included. In
// direction ask they are of own officers' questions abroad: no budget bounds these, and near_misses is 0. Conditions are built from ==, !=, ["a", "b"].contains(x),
// context.peer_marks.contains("https://..."), context.time < datetime("2027-01-31"), context.near_misses < 3, &&, ||
// and !, so that every value of a law is checked against its closed vocabulary when the file is read and no evaluation
// can fail on a type. A permit names its actions and tests both purpose and legal_basis, and excludes some of each: no blanket permission.
//
// # Rules of decision
//
//   - Default is deny; a forbid overrides every permit; an error while evaluating any policy refuses.
//   - When several permits apply their obligations add up: consent is required if any of them requires it, the decision
//     is made at the lowest FMR, only the consents and modalities all of them accept will do, and only what all of them
//     let be told is told. Cedar alone would read permits as alternatives; adding them up means that a further permit may
//     admit further requests but never loosens what is demanded of one already admitted.
//   - A state of consent that is known is held against the obligation. No law can allow more without a consent than
//     with one: a permit says with @consent what it needs, and only a forbid may test context.consent, for its absence.
//   - Every decision names a policy and an article: a forbid's, the strictest permit's, or [DefaultDeny] with the
//     header's default article. The zero [Decision] and the zero [Law] refuse.
//
// The package does no I/O, keeps no budgets and verifies no consent: it says what must be verified. It never sees
// subject data. Laws are immutable after Load and safe for concurrent use.
package policy

import (
	"slices"
	"time"

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

// Request is what law is asked about. Direction, both entities with their countries, purpose, basis and operation are
// required; none of it is subject data.
type Request struct {
	Direction        string // Ask or Answer, seen from the jurisdiction whose law decides
	Requester        string // Entity Identifier of the node that asks
	Responder        string // Entity Identifier of the node that holds the gallery
	RequesterCountry string // ISO 3166-1 alpha-3, from the requester's verified metadata
	ResponderCountry string // ISO 3166-1 alpha-3, from the responder's verified metadata
	Purpose          string // closed vocabulary, see package vocabulary, like all that follow
	LegalBasis       string
	Operation        string
	// PeerMarks are the Trust Mark types that the other side validly holds: the requester in direction Answer, the
	// responder in direction Ask. A mark that could not be checked is not among them.
	PeerMarks []string

	OfficerRole  string // of who asks, as the requester says; empty: unspecified
	SubjectClass string // of whom it is about, as the responder's register says; empty: unspecified
	Assurance    string // of the capture; empty: unspecified
	Time         time.Time
	Counts       Counts

	// Sealed is set while the Query is not open. Then the class is not known either, nor are the counts: of the classes the
	// first is taken that the law allows, and the counts are taken to be of nobody who asked before.
	Sealed bool

	// Modality and Consent are known only once a Query is open. While they are empty, a law that asks for them is taken
	// to be met wherever some value would meet it; the request has to be decided again with the values.
	Modality string
	Consent  string // what was verified: vocabulary.ConsentNone, ConsentHolder, ConsentAttested or ConsentExemption

	// Under is the law that began to decide, nil for the one in force: who holds the law in force decides all of one
	// Query by it. A Law itself does not look at it.
	Under *Law
}

// Counts are what budgets are made of: how many Queries there were before this one within the windows that the node
// keeps. A law compares them with numbers.
type Counts struct {
	ByOfficer, ByRequester, AboutSubject, ForPurpose int64
	NearMisses                                       int64 // of the requester on the subject
	// What the operator's limits leave in the same windows, this Query included; 0: there is no limit.
	LeftByOfficer, LeftByRequester, LeftAboutSubject, LeftForPurpose int64
}

// NoLimit is what a law sees where the operator set no limit: more than any that may be set.
const NoLimit = 1<<53 - 1

// Forcing is who has a law in force that may be replaced while a Query is being decided. node/lawbook.Current is.
type Forcing interface{ Law() *Law }

// Under has all of what r asks decided by the law that is in force now, if law can say which that is.
func Under(r Request, law any) Request {
	if f, ok := law.(Forcing); ok {
		r.Under = f.Law()
	}
	return r
}

// Decision is law applied to a [Request]. The zero value refuses. The obligations are meaningful only when Allowed.
type Decision struct {
	Allowed  bool
	PolicyID string // the policy that decided, or DefaultDeny; empty only in the zero value
	Law      string // the act: name, number, date
	Article  string // the article of that act
	Version  string // version of the law file
	Digest   Digest // SHA-256 of the law file
	Reason   string // one sentence built from ids and citations only: safe to log, sign and show

	// ConsentLacking is set where the request is refused, and another state of consent would have it allowed.
	ConsentLacking bool

	ConsentRequired bool     // a consent, or what stands in for it, must be verified before the gallery is opened
	Consents        []string // the states of consent that will do, empty when none is required; owned by the caller
	FMROneIn        uint32   // the comparison is decided at FMR 1/FMROneIn
	Modalities      []string // the modalities that may be compared; owned by the caller

	// WithholdReasons: why it is inconclusive may not be told. WithholdUnknown: that nobody is enrolled under the
	// identifier may not be told either, and is answered like a person who is not the one enrolled.
	WithholdReasons, WithholdUnknown bool
}

// NoLaw reports whether there was no law to decide by: then d refuses, and by no article.
func (d Decision) NoLaw() bool { return d.PolicyID == DefaultDeny && d.Version == "" }

// AllowsModality reports whether m may be compared under d. It is false for every m when d refuses.
func (d Decision) AllowsModality(m string) bool {
	return d.Allowed && slices.Contains(d.Modalities, m)
}

// AcceptsConsent reports whether a consent of the state will do under d. It is false for every state when d refuses.
func (d Decision) AcceptsConsent(state string) bool {
	return d.Allowed && (!d.ConsentRequired || slices.Contains(d.Consents, state))
}

// Law is one jurisdiction's law, ready to decide. It is immutable and safe for concurrent use. A nil or zero Law
// refuses everything.
type Law struct {
	head   header
	digest Digest
	rules  []rule
	byID   map[cedar.PolicyID]int
	// candidates are the rules that may apply, by what every request says; see index.
	candidates map[selector]ruleList

	asked []string // attributes of the context that conditions ask for

	asksConsent, asksModality, asksTime, asksClass bool // whether any condition does

	counts []string // directions in which one asks for counts
}

// AsksCounts reports whether the law asks, in the direction, how many Queries there were or are left: then they have to
// be counted, whatever limits there are.
func (l *Law) AsksCounts(direction string) bool {
	return l != nil && slices.Contains(l.counts, direction)
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

// Policy is one policy of a law, for listings.
type Policy struct {
	ID      string
	Permit  bool // else it is a forbid
	Law     string
	Article string
	Line    int // in the file, from 1
	// Text is the policy in Cedar's own layout: two policies with the same text are the same.
	Text string
}

// Policies lists the policies in file order; nil for the zero Law. The slice is the caller's.
func (l *Law) Policies() []Policy {
	if l == nil {
		return nil
	}
	var out []Policy
	for _, r := range l.rules {
		out = append(out, Policy{ID: r.id, Permit: r.permit, Law: r.law, Article: r.article, Line: r.line, Text: string(r.policy.MarshalCedar())})
	}
	return out
}
