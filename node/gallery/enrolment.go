package gallery

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/gallery/keyring"
	"github.com/tamga-id/tamga/node/gallery/store"
)

// Template is one biometric reference as it was imported: a validated record of
// the format it names. It is data in clear; String and LogValue keep it out of logs.
type Template struct {
	Modality string // at most 64 bytes
	Format   string // at most 128 bytes
	Position uint8
	Data     []byte // 1 to MaxRecordSize bytes
}

// Enrolment is what is known of one subject. Holder is the RFC 7638 thumbprint of
// the person's consent key, empty when the person has none.
//
// Absences are what could not be captured; a subject may have nothing else. Batch, when
// there is one, is recorded with what the enrolment adds.
type Enrolment struct {
	Subject   pseudonym.Identifier
	Holder    string
	Templates []Template
	Absences  []Absence
	Class     string  // what the subject is in law, at most 64 bytes; it replaces what was said before, and empty does not
	Batch     string  // at most 64 bytes
	IfKnown   IfKnown // what to do about a subject who is enrolled and would change

	// Artefact is the consent that carries the enrolment, as it was brought, empty for none;
	// the gallery ignores it. Consent is its key once it was verified: see
	// [Gallery.EraseHeldBy]. Ground says whether it still holds.
	Artefact string
	Consent  [32]byte
	Ground   Ground
}

// Ground is asked in the commit itself, so that no enrolment is under way past the moment at which
// the ground falls. The zero value holds.
type Ground struct {
	Reads [][]byte                 // keys of the rows that Holds asks for
	Holds func(store.Reader) error // the rule that is broken, or a [store.ErrUnavailable]
}

// Absence says that a biometric is not there, and why.
type Absence = keyring.Absence

// IfKnown is the duplicate policy. A subject counts as known when anything of it came
// from another batch, so that an import may bring a subject's records one by one.
type IfKnown uint8

// The policies. None of them touches a record that is there already.
const (
	Add    IfKnown = iota // add what is new
	Keep                  // leave the subject as it is: [Kept]
	Refuse                // fail with [ErrKnown]
)

// maxHolder bounds Enrolment.Holder; a thumbprint has 43 bytes.
const maxHolder = 128

const redactedTemplate = "template(redacted)"

// String is a constant.
func (Template) String() string { return redactedTemplate }

// GoString is a constant.
func (Template) GoString() string { return redactedTemplate }

// LogValue is a constant.
func (Template) LogValue() slog.Value { return slog.StringValue(redactedTemplate) }

// Format prints a constant whatever the verb.
func (Enrolment) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "enrolment(redacted)") }

// LogValue is a constant.
func (Enrolment) LogValue() slog.Value { return slog.StringValue("enrolment(redacted)") }
