package consent

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// Profile is the schema that a record says it conforms with: the W3C DPV profile for
// consent records of ISO/IEC TS 27560:2023.
const Profile = "https://w3id.org/dpv/schema/dpv-27560#record"

// record is a consent record of ISO/IEC TS 27560:2023 as JSON-LD 1.1. The names on the left
// are the document's (clause 6.3), those on the right the terms of DPV 2 that the W3C's
// mapping gives them; what the document does not have is under tamga.
type record struct {
	Context    map[string]string `json:"@context"`
	Type       string            `json:"@type"`                 // a record is a consent
	Schema     string            `json:"dct:conformsTo"`        // schema_version
	ID         string            `json:"dct:identifier"`        // record_id
	Principal  string            `json:"dpv:hasDataSubject"`    // pii_principal_id: the binding, or the thumbprint
	Notice     *recordNotice     `json:"dpv:hasNotice"`         // privacy_notice, language
	Processing recordProcessing  `json:"dpv:hasProcess"`        // the section on PII processing
	Controller recordParty       `json:"dpv:hasDataController"` // pii_controllers, party_id
	Recipient  recordParty       `json:"dpv:hasRecipient"`      // recipient_third_parties
	Basis      recordBasis       `json:"dpv:hasLegalBasis"`     // lawful_basis, and the section on events
	Uses       int               `json:"tamga:uses"`
	Exemption  *recordExemption  `json:"tamga:exemption,omitempty"`
}

type recordNotice struct {
	Type     string `json:"@type"`
	Checksum string `json:"spdx:checksumValue"`
	Language string `json:"dct:language"`
}

type recordProcessing struct {
	Purpose string   `json:"dpv:hasPurpose"`      // purposes
	Data    []string `json:"dpv:hasPersonalData"` // pii_information
	Does    string   `json:"dpv:hasProcessing"`   // processing_method
}

type recordParty struct {
	Type string `json:"@type"`
	ID   string `json:"@id"`
}

type recordBasis struct {
	Type     string   `json:"@type"`                 // event_type
	Status   string   `json:"dpv:hasConsentStatus"`  // event_state
	Time     string   `json:"dpv:isIndicatedAtTime"` // event_time
	By       string   `json:"dpv:isIndicatedBy"`     // entity_id
	Method   string   `json:"dpv:hasIndicationMethod"`
	Duration duration `json:"dpv:hasDuration"` // validity_duration
	Officer  string   `json:"tamga:officer,omitempty"`
}

type duration struct {
	Type  string `json:"@type"`
	Value string `json:"@value"`
}

type recordExemption struct {
	Case     string `json:"tamga:case"`
	Second   string `json:"tamga:second_officer,omitempty"`
	Disclose string `json:"tamga:disclose"`
}

func recordContext() map[string]string {
	return map[string]string{
		"dct": "http://purl.org/dc/terms/", "dpv": "https://w3id.org/dpv#", "dpv-pd": "https://w3id.org/dpv/pd#",
		"spdx": "http://spdx.org/rdf/terms#", "xsd": "http://www.w3.org/2001/XMLSchema#",
		"tamga": "https://tamga.example/ns#",
	}
}

// Indications in place of event types: how a consent came about.
func indications() map[string]string {
	return map[string]string{"": "tamga:signed_by_holder", Written: "tamga:written", Guardian: "tamga:guardian", ThumbMark: "tamga:thumb_mark"}
}

const exemptionMethod = "tamga:two_officers"

// Record is the consent record of ISO/IEC TS 27560 about c, in JSON-LD. It is not signed:
// the artefact is the proof, and the record names it. It is personal data.
func (c Consent) Record() ([]byte, error) {
	r := record{Context: recordContext(), Type: "dpv:ConsentRecord", Schema: Profile, ID: c.ID, Principal: c.Holder, Uses: max(c.Uses, 1),
		Processing: recordProcessing{"tamga:purpose/" + c.Purpose, nil, "dpv:Match"},
		Controller: recordParty{"dpv:DataController", c.Controller}, Recipient: recordParty{"dpv:Recipient", c.Requester},
		Basis: recordBasis{Type: "dpv:ExplicitlyExpressedConsent", Status: "dpv:ConsentGiven", Time: c.IssuedAt.UTC().Format(time.RFC3339), By: c.Holder,
			Method: indications()[c.Form], Officer: c.Officer,
			Duration: duration{"xsd:duration", "PT" + strconv.FormatInt(c.ExpiresAt.Unix()-c.IssuedAt.Unix(), 10) + "S"}}}
	for _, m := range c.Modalities {
		r.Processing.Data = append(r.Processing.Data, "tamga:biometric/"+m)
	}
	if c.Notice != (Notice{}) {
		r.Notice = &recordNotice{"dpv:ConsentNotice", base64.RawURLEncoding.EncodeToString(c.Notice.Digest[:]), c.Notice.Language}
	}
	if c.Office != "" {
		r.Principal, r.Basis.By = c.Subject, c.Office
	}
	if c.State() == Exempt {
		// Nobody consented: what stands in for it is a duty of an authority.
		r.Basis.Type, r.Basis.Status, r.Basis.Method = "dpv:OfficialAuthorityOfController", "dpv:ConsentUnknown", exemptionMethod
		r.Exemption = &recordExemption{c.Exemption.Case, c.Exemption.Second, c.Exemption.Disclose.UTC().Format(day)}
	}
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing consent record: %w", err)
	}
	return b, nil
}
