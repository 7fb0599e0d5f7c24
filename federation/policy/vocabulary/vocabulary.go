// Package vocabulary is the closed registry of the words that laws, Queries and consents may use: purposes, legal
// bases, states of consent, roles of officers, and the rest of what law is asked about. It is PROTOCOL.md section 9 as
// data. Where the W3C Data Privacy Vocabulary 2.0 (https://w3id.org/dpv) has a concept, a term names it and says how
// close it is, in the words of SKOS, so that records of consent after ISO/IEC TS 27560 can be exchanged with others.
//
// Start with [Current], or with one list, such as [Purposes]. The package decides nothing: which purpose is lawful on
// which basis is a law's to say (package policy).
//
// A word once published is never given another meaning. A new word is a new [Version]; a node refuses words it does
// not know, so both sides of an exchange need it before it can be used.
package vocabulary

import "slices"

// Version is that of the registry, raised whenever a term is added.
const Version = "2026.4"

// DPV is the namespace of the W3C Data Privacy Vocabulary, whose terms [Term.DPV] names.
const DPV = "https://w3id.org/dpv#"

// Match says how a term relates to the DPV concept it names, in the words of SKOS.
type Match string

// Exact: either may stand for the other. Close: near enough in most laws. Broad: the DPV concept is the wider one.
const (
	Exact Match = "exact"
	Close Match = "close"
	Broad Match = "broad"
)

// Term is one word of the registry.
type Term struct {
	Name  string // as it stands on the wire
	Title string // what it means, in one sentence
	DPV   string // IRI of the concept; empty where DPV has none
	Match Match  // how DPV's concept relates; empty without one
}

// Registry is the whole of it. Every list is the caller's.
type Registry struct {
	Version        string
	Purposes       []Term
	LegalBases     []Term
	ConsentStates  []Term
	OfficerRoles   []Term
	SubjectClasses []Term
	Assurances     []Term
	Operations     []Term
	Modalities     []Term
	BiometricTypes []Term
	BiometricForms []Term
}

// Current returns the registry.
func Current() Registry {
	return Registry{
		Version: Version, Purposes: slices.Clone(purposes), LegalBases: slices.Clone(legalBases),
		ConsentStates: slices.Clone(consentStates), OfficerRoles: slices.Clone(officerRoles),
		SubjectClasses: slices.Clone(subjectClasses), Assurances: slices.Clone(assurances),
		Operations: slices.Clone(operations), Modalities: slices.Clone(modalities),
		BiometricTypes: slices.Clone(biometricTypes), BiometricForms: slices.Clone(biometricForms),
	}
}

// Words of the wire that code has to know.
const (
	// ConsentNone: no consent and no exemption was given.
	ConsentNone = "none"
	// ConsentHolder: given with the subject's own key.
	ConsentHolder = "holder"
	// ConsentAttested: an office attests that it was given in writing, by a guardian, or with a thumb mark.
	ConsentAttested = "attested"
	// ConsentExemption: replaced by an exemption that two officers signed.
	ConsentExemption = "exemption"

	// CourtOrder and VitalInterest are the legal bases on which a node searches among all at most.
	CourtOrder    = "court_order"
	VitalInterest = "vital_interest"

	// Unspecified stands for what nobody has said: an officer's role, a subject's class, an assurance.
	Unspecified = "unspecified"
)

func term(name, title, concept string, m Match) Term {
	if concept == "" {
		return Term{Name: name, Title: title}
	}
	return Term{name, title, DPV + concept, m}
}

var purposes = []Term{
	term("border_control", "Check at a border that a traveller is the holder of the document.", "ProtectionOfPublicSecurity", Broad),
	term("visa_issuance", "Decide on a person's application for a visa.", "RequestedServiceProvision", Broad),
	term("asylum_protection", "Decide on asylum, or protect a refugee or a stateless person.", "PublicBenefit", Broad),
	term("migration_registration", "Register a foreigner's stay where a statute demands it.", "LegalCompliance", Broad),
	term("residence_permit", "Decide on a person's application to reside.", "RequestedServiceProvision", Broad),
	term("travel_check_in", "Check in a traveller with a carrier or at a hotel.", "FulfilmentOfContractualObligation", Broad),
	term("law_enforcement", "Investigate or prosecute a crime, or find a missing person.", "ProtectionOfPublicSecurity", Broad),
	term("national_security", "Protect national security.", "ProtectionOfNationalSecurity", Exact),
	term("banking_kyc", "Know a customer, as the law against money laundering demands of banks.", "CounterMoneyLaundering", Broad),
	term("service_delivery", "Provide a state service or pay a benefit that the person asked for.", "RequestedServiceProvision", Broad),
	term("health_care", "Treat a patient, or settle who insures one.", "ServiceProvision", Broad),
	term("humanitarian_aid", "Give aid, or reunite a family, in an emergency.", "PublicBenefit", Broad),
	term("electoral", "Establish a voter's identity at an election.", "PublicBenefit", Broad),
	term("sandbox_test", "Test with invented people.", "", ""),
}

var legalBases = []Term{
	term("consent", "The person agreed, with a key of his own.", "Consent", Exact),
	term("written_consent", "The person agreed in writing, by a guardian, or with a thumb mark, and an office attests it.", "ExplicitlyExpressedConsent", Broad),
	term("legal_obligation", "A statute or a treaty demands it.", "LegalObligation", Exact),
	term("court_order", "A court, or a prosecutor where the law gives him that power, has ordered it.", "LegalObligation", Broad),
	term("public_task", "A state body does in the public interest what the law charges it with.", "PublicInterest", Close),
	term("vital_interest", "It protects somebody's life.", "VitalInterest", Exact),
}

var consentStates = []Term{
	term(ConsentNone, "Neither consent nor exemption was given.", "", ""),
	term(ConsentHolder, "Consent was given with the subject's own key.", "ConsentGiven", Broad),
	term(ConsentAttested, "An office attests a written consent, a guardian's, or one with a thumb mark.", "ConsentGiven", Broad),
	term(ConsentExemption, "An exemption with a case reference, which two officers signed, stands in its place.", "", ""),
}

var officerRoles = []Term{
	term(Unspecified, "The requester did not say.", "", ""),
	term("border_officer", "Guards a border.", "", ""),
	term("consular_officer", "Serves in a consulate or an embassy.", "", ""),
	term("migration_officer", "Serves in a migration or asylum office.", "", ""),
	term("police_officer", "Investigates crimes.", "", ""),
	term("security_officer", "Serves in a body of national security.", "", ""),
	term("registrar", "Serves in a civil register or a centre of state services.", "", ""),
	term("election_officer", "Serves in an electoral commission.", "", ""),
	term("health_worker", "Treats patients.", "", ""),
	term("aid_worker", "Serves in a humanitarian organisation.", "", ""),
	term("bank_clerk", "Serves in a bank.", "", ""),
	term("carrier_clerk", "Serves with a carrier or in a hotel.", "", ""),
}

var subjectClasses = []Term{
	term(Unspecified, "Nobody has said.", "", ""),
	term("adult", "Of age and able to decide.", "Adult", Broad),
	term("minor", "Not of age: a guardian decides.", "Child", Broad),
	term("ward", "Of age, but another decides in law.", "VulnerableDataSubject", Broad),
	term("protected", "A refugee, an applicant for asylum, or a protected witness.", "VulnerableDataSubject", Broad),
}

var assurances = []Term{
	term(Unspecified, "Nobody has said.", "", ""),
	term("low", "Captured without supervision by an unknown device.", "", ""),
	term("substantial", "Captured under an officer's eyes, or by an attested device.", "", ""),
	term("high", "Captured under an officer's eyes by an attested device that detects attacks of presentation.", "", ""),
}

var operations = []Term{
	term("verify", "Compare a person with one record (1:1).", "", ""),
	term("identify", "Search a person among all (1:N).", "", ""),
	term("resolve", "Ask who a candidate of a search is.", "", ""),
	term("document", "Ask about a document.", "", ""),
	term("attributes", "Ask for attributes of a person.", "", ""),
}

var modalities = []Term{
	term("face", "The face.", "", ""),
	term("finger", "Fingerprints.", "", ""),
	term("iris", "The iris.", "", ""),
	term("signature", "The handwritten signature.", "", ""),
}

// biometricTypes are more than the modalities that this system compares: a state's list names all that it holds.
var biometricTypes = []Term{
	term("face", "The face.", "", ""),
	term("finger", "The friction ridges of the fingers.", "", ""),
	term("palm", "The friction ridges of the palms.", "", ""),
	term("iris", "The iris.", "", ""),
	term("retina", "The vessels of the retina.", "", ""),
	term("vein", "The veins of a finger or a hand.", "", ""),
	term("voice", "The voice.", "", ""),
	term("signature", "The handwritten signature.", "", ""),
	term("dna", "A profile of the DNA.", "", ""),
}

var biometricForms = []Term{
	term("sample", "The biometric sample: an image or a recording.", "", ""),
	term("template", "The biometric template: features alone, no image.", "", ""),
}

// Purposes, LegalBases and the like list the names, in the order that listings use.
func Purposes() []string       { return names(purposes) }
func LegalBases() []string     { return names(legalBases) }
func ConsentStates() []string  { return names(consentStates) }
func OfficerRoles() []string   { return names(officerRoles) }
func SubjectClasses() []string { return names(subjectClasses) }
func Assurances() []string     { return names(assurances) }
func Operations() []string     { return names(operations) }
func Modalities() []string     { return names(modalities) }
func BiometricTypes() []string { return names(biometricTypes) }
func BiometricForms() []string { return names(biometricForms) }

// KnownModalities keeps those of words that are modalities. A ledger records what law decided on, and nothing that a
// caller may have put in a name's place.
func KnownModalities(words []string) []string {
	return slices.DeleteFunc(slices.Clone(words), func(w string) bool { return !slices.Contains(Modalities(), w) })
}

func names(terms []Term) []string {
	out := make([]string, len(terms))
	for i, t := range terms {
		out[i] = t.Name
	}
	return out
}
