package config_test

import (
	"strings"
	"testing"

	"github.com/tamga-id/tamga/federation/policy/inventory"
	"github.com/tamga-id/tamga/node/config"
)

// TestInventoryRefuses: a list that leaves a law, a word or a retention open is no list.
func TestInventoryRefuses(t *testing.T) {
	const good = "{type: face, form: sample, source: s, law: l, article: a, retention: P10Y}"
	for name, tc := range map[string]struct{ list, want string }{
		"no-law":          {strings.Replace(good, "law: l, ", "", 1), `key "biometric_data.law" is missing`},
		"no-article":      {strings.Replace(good, "article: a, ", "", 1), `key "biometric_data.article" is missing`},
		"unknown-type":    {strings.Replace(good, "face", "faces", 1), "biometric_data.type must be one of face, finger"},
		"unknown-form":    {strings.Replace(good, "sample", "image", 1), "biometric_data.form must be one of sample, template"},
		"retention-words": {strings.Replace(good, "P10Y", "ten years", 1), "biometric_data.retention must be an ISO 8601 duration"},
		"retention-none":  {strings.Replace(good, "P10Y", "P", 1), "biometric_data.retention must be an ISO 8601 duration"},
		"long":            {strings.Replace(good, "law: l", "law: "+strings.Repeat("l", 321), 1), "biometric_data.law must be one printable line"},
		"unknown-key":     {strings.Replace(good, "form", "from", 1), `unknown key "from"`},
		"twice":           {good + ", " + good, "has the same type, form and source twice"},
		"too-many":        {strings.Repeat(good+", ", 25), "at most 24 are accepted"},
		"empty":           {"", "is an empty list"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := config.Parse("tamga.yaml", []byte(minimal+"biometric_data: ["+tc.list+"]\n"))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

// TestInventoryWritten: what is written is read back, of every built-in country.
func TestInventoryWritten(t *testing.T) {
	for _, country := range []string{"KAZ", "KGZ", "TJK", "UZB"} {
		c, err := config.Parse("tamga.yaml", []byte(minimal))
		if err != nil {
			t.Fatal(err)
		}
		c.BiometricData = inventory.Builtin(country)
		text, err := c.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		got, err := config.Parse("tamga.yaml", text)
		if err != nil || len(got.BiometricData) < 2 || got.BiometricData[1] != c.BiometricData[1] {
			t.Errorf("%s: %v, %v", country, got.BiometricData, err)
		}
	}
}
