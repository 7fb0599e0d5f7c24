package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/node/api"
)

// TestBodies: one fault each, and where and how it is reported.
func TestBodies(t *testing.T) {
	edit := func(old, new string) string {
		if !strings.Contains(asking, old) {
			t.Fatalf("%q is not in the request", old)
		}
		return strings.Replace(asking, old, new, 1)
	}
	const members = "must have no members but those of the schema, in the schema's case"
	for name, c := range map[string]struct{ body, pointer, rule string }{
		"empty":           {" ", "", "must be well-formed JSON"},
		"text":            {"hello", "", "must be well-formed JSON"},
		"array":           {"[]", "", "must be a JSON object"},
		"null":            {"null", "", "must be a JSON object"},
		"cut":             {asking[:60], "/subject/value", "must be well-formed JSON"},
		"twice":           {asking + asking, "", "must be one JSON object and nothing after it"},
		"utf8":            {edit("AC 1", "AC\xff1"), "", "must be UTF-8"},
		"duplicate":       {edit(`"officer"`, `"purpose":"sandbox_test","officer"`), "", "must not have a member twice"},
		"duplicate-inner": {edit(`"type":`, `"value":"X","type":`), "/subject", "must not have a member twice"},
		"escaped":         {edit(`"officer"`, `"\u006fffice\u0072":"x","officer"`), "", "must not have a member twice"},
		"case":            {edit(`"purpose"`, `"Purpose"`), "", members},
		"fold":            {edit(`"purpose"`, `"purpoſe"`), "", members},
		"unknown":         {edit(`"officer"`, `"x":1,"officer"`), "", members},
		"elsewhere":       {edit(`"type":`, `"data":"AAAA","type":`), "/subject", "must be an object with no members but jurisdiction, type, value"},
		"null-member":     {edit(`"passport"`, `null`), "/subject/type", "must not be null: leave the member out"},
		"null-optional":   {edit(`"position":2`, `"position":null`), "/probes/0/position", "must not be null: leave the member out"},
		"deep":            {edit(`"passport"`, `[[[[[[[[[]]]]]]]]]`), "/subject/type/0/0/0/0/0/0", "must not be nested so deeply"},
		"huge-number":     {edit(`"quality":80`, `"quality":1e999`), "/probes/0/quality", "must be a number in range"},
		"many-items":      {edit(`"probes":[`, `"probes":[`+strings.Repeat("{},", 64)), "/probes", "must have fewer items"},
		"missing":         {edit(`"purpose":"border_control",`, ``), "/purpose", "is required"},
		"missing-inner":   {edit(`"type":"passport",`, ``), "/subject/type", "is required"},
		"no-probes":       {asking[:strings.Index(asking, `[{`)] + `[]` + asking[strings.Index(asking, `}]`)+2:], "/probes", "must be an array of 1 to 10 items"},
		"many-probes":     {edit(`"probes":[`, `"probes":[`+strings.Repeat(`{"modality":"face","format":"f","data":"AAAA"},`, 10)), "/probes", "must be an array of 1 to 10 items"},
		"wrong-type":      {edit(`"a.serikova"`, `7`), "/officer", "must be a string of 1 to 128 characters"},
		"object":          {edit(`"a.serikova"`, `{}`), "/officer", "must be a string of 1 to 128 characters"},
		"scalar":          {asking[:strings.Index(asking, `[{`)] + `"x"` + asking[strings.Index(asking, `}]`)+2:], "/probes", "must be an array of 1 to 10 items"},
		"jurisdiction":    {edit(`"KGZ"`, `"kgz"`), "/subject/jurisdiction", "must be a string of 3 characters that matches ^[A-Z]{3}$"},
		"type":            {edit(`"passport"`, `"visa"`), "/subject/type", "must be one of passport, national_number"},
		"value":           {edit(`AC 1234567`, `AC/1234567`), "/subject/value", "must be 1 to 32 of A-Z and 0-9; spaces, hyphens, underscores and full stops are ignored"},
		"purpose":         {edit(`border_control`, `curiosity`), "/purpose", "must be one of border_control, visa_issuance, asylum_protection, migration_registration, residence_permit, travel_check_in, law_enforcement, national_security, banking_kyc, service_delivery, health_care, humanitarian_aid, electoral, sandbox_test"},
		"basis":           {edit(`public_task`, `none`), "/legal_basis", "must be one of consent, written_consent, legal_obligation, court_order, public_task, vital_interest"},
		"consent":         {edit(`"officer"`, `"consent":"x","officer"`), "/consent", "must be a string of 1 to 8192 characters that matches ^[A-Za-z0-9_-]+[.][A-Za-z0-9_-]+[.][A-Za-z0-9_-]+$"},
		"modality":        {edit(`"finger"`, `"voice"`), "/probes/0/modality", "must be one of finger, face, iris, signature"},
		"format":          {edit(`iso-19794-2-2005`, `ISO`), "/probes/0/format", "must be a string of 1 to 64 characters that matches ^[a-z0-9._-]+$"},
		"position":        {edit(`"position":2`, `"position":11`), "/probes/0/position", "must be an integer from 0 to 10"},
		"fraction":        {edit(`"position":2`, `"position":2.5`), "/probes/0/position", "must be an integer from 0 to 10"},
		"quality":         {edit(`"quality":80`, `"quality":-1`), "/probes/0/quality", "must be an integer from 0 to 100"},
		"data":            {edit(record, "????"), "/probes/0/data", "must be a string of 4 to 87384 characters in base64"},
		"data-url":        {edit(record, "__-_"), "/probes/0/data", "must be 1 to 65536 bytes in standard base64 with padding"},
		"data-bits":       {edit(record, "AAB="), "/probes/0/data", "must be 1 to 65536 bytes in standard base64 with padding"},
		"data-long":       {edit(record, strings.Repeat("A", 87388)), "/probes/0/data", "must be a string of 4 to 87384 characters in base64"},
		"data-over":       {edit(record, strings.Repeat("A", 87384)), "/probes/0/data", "must be 1 to 65536 bytes in standard base64 with padding"},
	} {
		t.Run(name, func(t *testing.T) {
			n := &fake{}
			res, body := send(t, api.Handler(n), newRequest("POST", "/v1/verifications", c.body))
			pointer, rule := violation(body)
			if res.StatusCode != http.StatusUnprocessableEntity || pointer != c.pointer || rule != c.rule {
				t.Errorf("got %d %q %q\nwant 422 %q %q", res.StatusCode, pointer, rule, c.pointer, c.rule)
			}
			if n.asked != 0 {
				t.Error("the node was asked")
			}
		})
	}
}

// TestManyFaults: a body with faults everywhere gives a bounded problem.
func TestManyFaults(t *testing.T) {
	body := `{"subject":7,"probes":[` + strings.TrimSuffix(strings.Repeat(`{"position":"x","quality":"y"},`, 60), ",") + `]}`
	_, got := send(t, api.Handler(&fake{}), newRequest("POST", "/v1/verifications", body))
	if n := len(got["errors"].([]any)); n != 32 {
		t.Errorf("%d errors are listed, want 32", n)
	}
}

// FuzzVerification: any body gets a verdict or a problem, and is refused or asked.
func FuzzVerification(f *testing.F) {
	f.Add([]byte(asking))
	f.Add([]byte(`{"subject":{},"probes":[{}]}`))
	n := &fake{}
	h := api.Handler(n)
	f.Fuzz(func(t *testing.T, body []byte) {
		if len(body) == 0 {
			return
		}
		before := n.asked
		res, _ := send(t, h, newRequest("POST", "/v1/verifications", string(body)))
		switch {
		case res.StatusCode == http.StatusOK && n.asked == before+1:
		case res.StatusCode == http.StatusUnprocessableEntity && n.asked == before:
		default:
			t.Fatalf("status %d after %d questions", res.StatusCode, n.asked-before)
		}
	})
}
