package enrol

import (
	"fmt"
	"io"
	"log/slog"
	"slices"

	"github.com/tamga-id/tamga/matcher/finger"
	"github.com/tamga-id/tamga/node/gallery"
)

// Absent says that a biometric could not be captured, and why.
type Absent struct {
	Modality string `json:"modality"`
	Position uint8  `json:"position,omitempty"` // of the finger as in ISO/IEC 19794-2, or the eye; 0 for all of them
	Reason   string `json:"reason"`
}

// Format prints a constant whatever the verb: it is a finding about somebody's body.
func (Absent) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "absent(redacted)") }

// LogValue is a constant.
func (Absent) LogValue() slog.Value { return slog.StringValue("absent(redacted)") }

// Reasons of an absence: those of package finger, which say whom they follow.
const (
	notCaptured     = "not_captured"
	notExtracted    = "not_extracted"
	amputated       = "amputated"
	unableToCapture = "unable_to_capture"
)

func reasonOf(a finger.Absence) string {
	switch a {
	case finger.NotExtracted:
		return notExtracted
	case finger.Amputated:
		return amputated
	case finger.UnableToPrint:
		return unableToCapture
	}
	return notCaptured
}

// maxAbsent is one for every finger, one for all of them, and one for each other modality.
const maxAbsent = 14

// absences adds what the record says by itself to what its finger records say. Those may
// count a finger as missing of which another view, or another record, is there; then
// it is not missing.
func (r Record) absences(e *gallery.Enrolment) error {
	e.Absences = slices.DeleteFunc(e.Absences, func(a gallery.Absence) bool {
		return slices.ContainsFunc(e.Templates, Absent{Modality: a.Modality, Position: a.Position}.denies)
	})
	if len(r.Absent) > maxAbsent {
		return broken("absent", fmt.Sprintf("must hold at most %d", maxAbsent))
	}
	for i, a := range r.Absent {
		at := fmt.Sprintf("absent[%d]", i)
		if err := a.check(at); err != nil {
			return err
		}
		if slices.ContainsFunc(e.Templates, a.denies) {
			return broken(at, "is of what biometrics has a template of")
		}
		e.Absences = union(e.Absences, gallery.Absence{Modality: a.Modality, Position: a.Position, Reason: a.Reason})
	}
	if len(e.Absences) > maxAbsent {
		return broken("absent", fmt.Sprintf("and the finger records must name at most %d together", maxAbsent))
	}
	return nil
}

func (a Absent) check(at string) error {
	reasons := []string{notCaptured, notExtracted, unableToCapture}
	if a.Modality == "finger" {
		reasons = append(reasons, amputated)
	}
	last, ok := map[string]uint8{"finger": 10, "face": 0, "iris": 2, "signature": 0}[a.Modality]
	if !ok {
		return broken(at+".modality", "must be finger, face, iris or signature")
	}
	if a.Position > last {
		return broken(at+".position", fmt.Sprintf("must be 0 to %d for %s", last, a.Modality))
	}
	if !slices.Contains(reasons, a.Reason) {
		return broken(at+".reason", "must be amputated (of fingers), unable_to_capture, not_captured or not_extracted")
	}
	return nil
}

// denies reports whether t is of what a says is absent.
func (a Absent) denies(t gallery.Template) bool {
	return a.Modality == t.Modality && (a.Position == 0 || a.Position == t.Position)
}

// union adds to list what it does not have.
func union(list []gallery.Absence, more ...gallery.Absence) []gallery.Absence {
	for _, a := range more {
		if !slices.Contains(list, a) {
			list = append(list, a)
		}
	}
	return list
}
