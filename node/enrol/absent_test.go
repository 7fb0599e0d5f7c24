package enrol_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/node/enrol"
	"github.com/tamga-id/tamga/node/gallery"
)

const subjectOnly = `{"subject":{"type":"passport","value":"CANARY1"},`

// TestAbsent enrols a person without fingers by a face, and by nothing at all.
func TestAbsent(t *testing.T) {
	face := biometric("face", "tamga-embedding-1", "data", b64(people.Person(0).FaceReference()))
	for name, line := range map[string]string{
		"face":    subjectOnly + `"biometrics":[` + face + `],"absent":[{"modality":"finger","reason":"amputated"}]}`,
		"nothing": subjectOnly + `"absent":[{"modality":"finger","position":0,"reason":"amputated"}]}`,
	} {
		e, err := enrol.ParseRecord([]byte(line), "KAZ", nil)
		want := []gallery.Absence{{Modality: "finger", Reason: "amputated"}}
		if err != nil || !slices.Equal(e.Absences, want) {
			t.Fatalf("%s: %d absences, %v", name, len(e.Absences), err)
		}
		// The way through a running node's API says the same.
		again, err := enrol.ParseRecord(must(json.Marshal(enrol.RecordOf(e))), "KAZ", nil)
		if err != nil || !slices.Equal(again.Absences, want) || len(again.Templates) != len(e.Templates) {
			t.Errorf("%s, again: %d absences, %v", name, len(again.Absences), err)
		}
	}
}

func TestAbsentRules(t *testing.T) {
	finger := biometric("finger", "iso-19794-2-2005", "data", b64(people.Person(0).FingerReference(2)))
	for name, c := range map[string]struct{ text, member, rule string }{
		"gait":          {`"absent":[{"modality":"gait","reason":"amputated"}]`, "absent[0].modality", "must be finger, face, iris or signature"},
		"no-modality":   {`"absent":[{"reason":"amputated"}]`, "absent[0].modality", "must be finger, face"},
		"no-reason":     {`"absent":[{"modality":"finger"}]`, "absent[0].reason", "must be amputated"},
		"reason":        {`"absent":[{"modality":"finger","reason":"CANARY"}]`, "absent[0].reason", "must be amputated"},
		"eleventh":      {`"absent":[{"modality":"finger","position":11,"reason":"amputated"}]`, "absent[0].position", "must be 0 to 10 for finger"},
		"third-eye":     {`"absent":[{"modality":"iris","position":3,"reason":"not_captured"}]`, "absent[0].position", "must be 0 to 2 for iris"},
		"face-position": {`"absent":[{"modality":"face","position":1,"reason":"not_captured"}]`, "absent[0].position", "must be 0 to 0 for face"},
		"headless":      {`"absent":[{"modality":"face","reason":"amputated"}]`, "absent[0].reason", "must be amputated (of fingers)"},
		"denied":        {`"biometrics":[` + finger + `],"absent":[{"modality":"finger","position":2,"reason":"amputated"}]`, "absent[0]", "is of what biometrics has"},
		"all-denied":    {`"biometrics":[` + finger + `],"absent":[{"modality":"finger","reason":"amputated"}]`, "absent[0]", "is of what biometrics has"},
		"many":          {`"absent":[` + strings.Repeat("{},", 14) + "{}]", "absent", "must hold at most 14"},
		"empty":         {`"absent":[]`, "biometrics", "must hold 1 to 64"},
	} {
		_, err := enrol.ParseRecord([]byte(subjectOnly+c.text+"}"), "KAZ", nil)
		t.Run(name, func(t *testing.T) { expectRule(t, err, c.member, c.rule) })
		if strings.Contains(fmt.Sprint(err), "CANARY") {
			t.Errorf("%s: %v says what the record contains", name, err)
		}
	}
}
