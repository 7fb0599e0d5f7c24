package policy

import "strings"

// The closed vocabularies of PROTOCOL.md, in the order listings use. A new word is a protocol revision.
var (
	purposes    = [...]string{"border_control", "visa_issuance", "migration_registration", "travel_check_in", "law_enforcement", "sandbox_test"}
	legalBases  = [...]string{"consent", "legal_obligation", "public_task", "vital_interest"}
	operations  = [...]string{"verify", "identify", "document", "attributes"}
	modalities  = [...]string{"face", "finger", "iris", "signature"}
	directions  = [...]string{Ask, Answer}
	consents    = [...]string{consentNone, consentHolder}
	statuses    = [...]string{"working-translation", statusConfirmed}
	attributes  = [...]string{"direction", "purpose", "legal_basis", "requester_country", "responder_country", peerMarks}
	annotations = [...]string{"id", "law", "article", "consent", "fmr", "modalities"}
)

const (
	consentNone     = "none"
	consentHolder   = "holder"
	statusConfirmed = "confirmed"

	// peerMarks is the one attribute that is a set: it may only be asked what it contains.
	peerMarks = "peer_marks"

	typeNode    = "Tamga::Node"
	typeGallery = "Tamga::Gallery"
	typeAction  = "Tamga::Action"
)

// kind is what a string of a law or a request may be.
type kind int

const (
	kindNone kind = iota
	kindPurpose
	kindLegalBasis
	kindDirection
	kindCountry
	kindOperation
)

// describe names a kind and, when it is closed, lists it: the second half of a fault.
func (k kind) describe() string {
	switch k {
	case kindPurpose:
		return "a purpose (" + strings.Join(purposes[:], ", ") + ")"
	case kindLegalBasis:
		return "a legal basis (" + strings.Join(legalBases[:], ", ") + ")"
	case kindDirection:
		return "a direction (" + strings.Join(directions[:], ", ") + ")"
	case kindOperation:
		return "an operation (" + strings.Join(operations[:], ", ") + ")"
	case kindCountry:
		return "a country (ISO 3166-1 alpha-3, upper case)"
	default:
		return "nothing"
	}
}

// accepts reports whether s is of kind k.
func (k kind) accepts(s string) bool {
	switch k {
	case kindPurpose:
		return contains(purposes[:], s)
	case kindLegalBasis:
		return contains(legalBases[:], s)
	case kindDirection:
		return contains(directions[:], s)
	case kindOperation:
		return contains(operations[:], s)
	case kindCountry:
		return isCountry(s)
	default:
		return false
	}
}

// attributeKind is the type of an attribute of Cedar's context; kindNone for an unknown one.
func attributeKind(name string) kind {
	switch name {
	case "direction":
		return kindDirection
	case "purpose":
		return kindPurpose
	case "legal_basis":
		return kindLegalBasis
	case "requester_country", "responder_country":
		return kindCountry
	default:
		return kindNone
	}
}

func contains(list []string, s string) bool {
	for _, have := range list {
		if have == s {
			return true
		}
	}
	return false
}

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

func isEntityID(s string) bool {
	return len(s) > len("https://") && len(s) <= maxEntityID && strings.HasPrefix(s, "https://")
}

// isMark reports whether s is a Trust Mark type identifier: a URL, as the specification recommends.
func isMark(s string) bool { return isEntityID(s) }

// Purposes are the purposes that a law may speak of; the slice is the caller's.
func Purposes() []string { return append([]string(nil), purposes[:]...) }
