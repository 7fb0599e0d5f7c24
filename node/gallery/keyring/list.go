package keyring

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"slices"

	"github.com/tamga-id/tamga/crypto/pseudonym"
)

// Limits of one subject's list.
const (
	MaxRecords = 64
	// MaxAbsences is one for every finger, and room for other modalities.
	MaxAbsences = 16
	// MaxName bounds the names that an enrolment brings.
	MaxName = 64
	// MaxRow is more than the list of MaxRecords records takes, each with its digest and
	// names of the length that envelope allows.
	MaxRow = MaxRecords*(320+MaxName) + MaxAbsences*(3*MaxName+16) + 1024
)

// List is what lies sealed in a keyring.
type List struct {
	_       struct{} `cbor:",toarray"`
	Holder  string
	Batch   string // that brought Holder
	Records []Record
	Absent  []Absent

	// What the pseudonym is of, the generation of the key, and the pseudonyms that the
	// subject had before, the first one first.
	Element pseudonym.Element
	Naming  uint32
	Former  []pseudonym.Pseudonym

	// The key of the consent by which alone the subject is held; zero: on another ground.
	Consent [32]byte

	// Class is what the subject is in law, a word of the caller's vocabulary as it was last said; empty: nobody has.
	Class string
}

// Record says what one of the records is, and which one it is.
type Record struct {
	_        struct{} `cbor:",toarray"`
	Slot     uint32
	Modality string
	Format   string
	Position uint8
	Digest   []byte // SHA-256 of the record: shows a repeated import, and that the record is the one at this slot
	KeyGen   uint32 // key generation that the record's AAD names
	Batch    string // that brought it, empty for none

	// Of a record that is stored protected: the generation, and what tells a repeated
	// import, as Digest does for the others.
	Generation uint32
	Source     []byte
}

// Absent is an absence as the list has it.
type Absent struct {
	_     struct{} `cbor:",toarray"`
	What  Absence
	Batch string
}

// Absence says that a biometric is not there, and why: a finding about a person,
// kept as confidentially as a template.
type Absence struct {
	_        struct{} `cbor:",toarray"`
	Modality string   // at most 64 bytes
	Position uint8    // 0 for the whole modality
	Reason   string   // at most 64 bytes, of the caller's vocabulary
}

// Format prints a constant whatever the verb.
func (Absence) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "absence(redacted)") }

// LogValue is a constant.
func (Absence) LogValue() slog.Value { return slog.StringValue("absence(redacted)") }

// Find is where the list has a record, negative when it does not.
func (m *List) Find(x Record) int {
	return slices.IndexFunc(m.Records, func(r Record) bool {
		same := bytes.Equal(r.Digest, x.Digest)
		if x.Generation != 0 && r.Generation != 0 {
			same = bytes.Equal(r.Source, x.Source)
		}
		return same && r.Modality == x.Modality && r.Format == x.Format && r.Position == x.Position
	})
}

// Only reports whether everything in the list came from one batch.
func (m *List) Only(batch string) bool {
	if batch == "" || m.Holder != "" && m.Batch != batch {
		return false
	}
	return !slices.ContainsFunc(m.Records, func(r Record) bool { return r.Batch != batch }) &&
		!slices.ContainsFunc(m.Absent, func(a Absent) bool { return a.Batch != batch })
}

// AddAbsences adds those of all that are new to the list, and reports whether any is.
func (m *List) AddAbsences(all []Absence, batch string) (added bool) {
	for _, a := range all {
		if slices.ContainsFunc(m.Absent, func(has Absent) bool { return has.What == a }) {
			continue
		}
		m.Absent = append(m.Absent, Absent{What: a, Batch: batch})
		added = true
	}
	return added
}

// Any reports whether something in the list came from batch.
func (m *List) Any(batch string) bool {
	return m.Holder != "" && m.Batch == batch ||
		slices.ContainsFunc(m.Records, func(r Record) bool { return r.Batch == batch }) ||
		slices.ContainsFunc(m.Absent, func(a Absent) bool { return a.Batch == batch })
}

// Take removes from the list what came from batch, and returns the slots of records.
func (m *List) Take(batch string) (slots []uint32) {
	for _, r := range m.Records {
		if r.Batch == batch {
			slots = append(slots, r.Slot)
		}
	}
	m.Records = slices.DeleteFunc(m.Records, func(r Record) bool { return r.Batch == batch })
	m.Absent = slices.DeleteFunc(m.Absent, func(a Absent) bool { return a.Batch == batch })
	if m.Batch == batch {
		m.Holder, m.Batch = "", ""
	}
	return slots
}
