package policy

import (
	"slices"
	"strings"

	"github.com/tamga-id/tamga/federation/policy/vocabulary"
)

// The closed lists, in the order listings use. Those of the wire are the registry's.
var (
	purposes    = vocabulary.Purposes()
	legalBases  = vocabulary.LegalBases()
	operations  = vocabulary.Operations()
	modalities  = vocabulary.Modalities()
	roles       = vocabulary.OfficerRoles()
	classes     = vocabulary.SubjectClasses()
	assurances  = vocabulary.Assurances()
	given       = []string{vocabulary.ConsentHolder, vocabulary.ConsentAttested, vocabulary.ConsentExemption}
	directions  = []string{Ask, Answer}
	tellings    = []string{"verdict", tellReasons, tellUnknown}
	statuses    = []string{"working-translation", statusConfirmed}
	annotations = []string{"id", "law", "article", "consent", "fmr", "modalities", "tell"}
)

const (
	statusConfirmed = "confirmed"

	tellReasons = "reasons"
	tellUnknown = "subject_unknown"

	// peerMarks is the one attribute that is a set: it may only be asked what it contains.
	peerMarks = "peer_marks"

	typeNode    = "Tamga::Node"
	typeGallery = "Tamga::Gallery"
	typeAction  = "Tamga::Action"
)

// kind is what a value of a law or a request may be.
type kind int

const (
	kindNone kind = iota
	kindPurpose
	kindLegalBasis
	kindDirection
	kindCountry
	kindOperation
	kindConsent
	kindRole
	kindClass
	kindModality
	kindAssurance
	kindTime
	kindCount
	kindMarks
)

// attribute is one thing that a condition may ask about.
type attribute struct {
	of   string // context, principal or resource
	name string
	kind kind
}

var known = []attribute{
	{"context", "direction", kindDirection},
	{"context", "purpose", kindPurpose},
	{"context", "legal_basis", kindLegalBasis},
	{"context", "requester_country", kindCountry},
	{"context", "responder_country", kindCountry},
	{"context", "consent", kindConsent},
	{"context", "assurance", kindAssurance},
	{"context", "time", kindTime},
	{"context", peerMarks, kindMarks},
	{"context", "queries_by_officer", kindCount},
	{"context", "queries_by_requester", kindCount},
	{"context", "queries_about_subject", kindCount},
	{"context", "queries_for_purpose", kindCount},
	{"context", "near_misses", kindCount},
	{"context", "left_by_officer", kindCount},
	{"context", "left_by_requester", kindCount},
	{"context", "left_about_subject", kindCount},
	{"context", "left_for_purpose", kindCount},
	{"principal", "country", kindCountry},
	{"principal", "officer_role", kindRole},
	{"resource", "country", kindCountry},
	{"resource", "subject_class", kindClass},
	{"resource", "modality", kindModality},
}

// attributeKind is the type of an attribute; kindNone for an unknown one.
func attributeKind(of, name string) kind {
	for _, a := range known {
		if a.of == of && a.name == name {
			return a.kind
		}
	}
	return kindNone
}

// attributesOf lists the attributes of context, principal or resource for a fault.
func attributesOf(of string) string {
	var names []string
	for _, a := range known {
		if a.of == of {
			names = append(names, a.name)
		}
	}
	return strings.Join(names, ", ")
}

// words are those of a closed kind, nil for a kind that is not.
func (k kind) words() []string {
	switch k {
	case kindPurpose:
		return purposes
	case kindLegalBasis:
		return legalBases
	case kindDirection:
		return directions
	case kindOperation:
		return operations
	case kindConsent:
		return vocabulary.ConsentStates()
	case kindRole:
		return roles
	case kindClass:
		return classes
	case kindModality:
		return modalities
	case kindAssurance:
		return assurances
	default:
		return nil
	}
}

// describe names a kind and, when it is closed, lists it: the second half of a fault.
func (k kind) describe() string {
	names := map[kind]string{kindPurpose: "a purpose", kindLegalBasis: "a legal basis", kindDirection: "a direction", kindOperation: "an operation",
		kindConsent: "a state of consent", kindRole: "an officer's role", kindClass: "a subject class", kindModality: "a modality",
		kindAssurance: "an assurance"}
	switch {
	case names[k] != "":
		return names[k] + " (" + strings.Join(k.words(), ", ") + ")"
	case k == kindCountry:
		return "a country (ISO 3166-1 alpha-3, upper case)"
	default:
		return "nothing"
	}
}

// accepts reports whether s is of kind k.
func (k kind) accepts(s string) bool {
	if k == kindCountry {
		return isCountry(s)
	}
	return slices.Contains(k.words(), s)
}

// ordered reports whether values of the kind are compared with <, <=, > and >=.
func (k kind) ordered() bool { return k == kindTime || k == kindCount }

func isCountry(s string) bool {
	if len(s) != 3 {
		return false
	}
	for i := range len(s) {
		if s[i] < 'A' || s[i] > 'Z' {
			return false
		}
	}
	return true
}

// maxEntityID bounds an Entity Identifier: OpenID Federation sets no limit, and no URL in use is longer.
const maxEntityID = 2048

// isEntityID demands visible ASCII, of which Entity Identifiers are made: one with a Cyrillic letter in it, or a space
// behind it, looks like a node's and is nobody's, so that a forbid that names it forbids nothing.
func isEntityID(s string) bool {
	return len(s) > len("https://") && len(s) <= maxEntityID && strings.HasPrefix(s, "https://") &&
		!strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// isMark reports whether s is a Trust Mark type identifier: a URL, as the specification recommends.
func isMark(s string) bool { return isEntityID(s) }
