package pseudonym_test

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tamga-id/tamga/crypto/pseudonym"
)

func passport(value string) pseudonym.Identifier {
	return pseudonym.Identifier{Jurisdiction: "KAZ", Type: pseudonym.IDPassport, Value: value}
}

func TestNormalize(t *testing.T) {
	tests := map[string]struct{ in, want pseudonym.Identifier }{
		"already":    {passport("N12345678"), passport("N12345678")},
		"case":       {pseudonym.Identifier{Jurisdiction: "kAz", Type: "passport", Value: "n12345678"}, passport("N12345678")},
		"separators": {passport(" N 12-34_56.78 "), passport("N12345678")},
		"one":        {passport("7"), passport("7")},
		"longest":    {passport(strings.Repeat("z9", 16)), passport(strings.Repeat("Z9", 16))},
		"spaced-out": {passport(strings.Repeat("a ", 32)), passport(strings.Repeat("A", 32))},
		"similar":    {passport("O0I1"), passport("O0I1")},
		"national": {
			pseudonym.Identifier{Jurisdiction: "UZB", Type: pseudonym.IDNationalNumber, Value: "3010-1990.123 456"},
			pseudonym.Identifier{Jurisdiction: "UZB", Type: pseudonym.IDNationalNumber, Value: "30101990123456"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := tt.in.Normalize()
			// Compared field by field: an Identifier never prints.
			if err != nil || got != tt.want {
				t.Errorf("normalised to %s %s %s, %v; want %s %s %s", got.Jurisdiction, got.Type, got.Value, err,
					tt.want.Jurisdiction, tt.want.Type, tt.want.Value)
			}
		})
	}
}

func TestNormalizeRefuses(t *testing.T) {
	value := func(v string) pseudonym.Identifier { return passport(v) }
	country := func(j string) pseudonym.Identifier {
		return pseudonym.Identifier{Jurisdiction: j, Type: pseudonym.IDPassport, Value: "N1"}
	}
	kind := func(k string) pseudonym.Identifier {
		return pseudonym.Identifier{Jurisdiction: "KAZ", Type: k, Value: "N1"}
	}
	tests := map[string]pseudonym.Identifier{
		"zero":             {},
		"empty":            value(""),
		"separators-only":  value(" -_. "),
		"too-long":         value(strings.Repeat("A", 33)),
		"raw-too-long":     value("A" + strings.Repeat(" ", 64)),
		"megabyte":         value(strings.Repeat("A", 1<<20)),
		"slash":            value("N1/2"),
		"star":             value("N1*"),
		"filler":           value("N12345678<"),
		"tab":              value("N1\t2"),
		"newline":          value("N12\n"),
		"nul":              value("N1\x002"),
		"cyrillic-a":       value("А1234567"), // U+0410, looks like A.
		"cyrillic-es":      value("С1234567"), // U+0421, looks like C.
		"greek-nu":         value("Ν1234567"), // U+039D, looks like N.
		"full-width":       value("Ｎ１２３"),
		"arabic-digits":    value("N١٢٣"),
		"kelvin":           value("\u212a123"), // U+212A folds to k under Unicode case folding.
		"dotless-i":        value("ı123"),
		"long-s":           value("ſ123"), // U+017F upper-cases to S.
		"combining":        value("N1\u0301"),
		"no-break-space":   value("N1\u00a02"),
		"en-dash":          value("N1–2"),
		"soft-hyphen":      value("N1\u00ad2"),
		"zero-width":       value("N1\u200b2"),
		"right-to-left":    value("\u202eN12"),
		"byte-order-mark":  value("\ufeffN12"),
		"invalid-utf8":     value("N1\xff"),
		"latin1-high":      value("N1\xc0"),
		"country-empty":    country(""),
		"country-short":    country("KZ"),
		"country-long":     country("KAZA"),
		"country-digits":   country("K4Z"),
		"country-space":    country("KA "),
		"country-numeric":  country("398"),
		"country-cyrillic": country("КAZ"),
		"type-empty":       kind(""),
		"type-case":        kind("Passport"),
		"type-space":       kind("passport "),
		"type-unknown":     kind("driving_licence"),
	}
	k := testKey(t, 1)
	for name, id := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := id.Normalize()
			if !errors.Is(err, pseudonym.ErrIdentifier) || got != (pseudonym.Identifier{}) {
				t.Errorf("normalised: %v, want ErrIdentifier and nothing else", err)
			}
			if err != nil && len(id.Value) > 3 && strings.Contains(err.Error(), id.Value) {
				t.Error("the error repeats the value")
			}
			if p, err := k.Pseudonym(id); !errors.Is(err, pseudonym.ErrIdentifier) || p != (pseudonym.Pseudonym{}) {
				t.Errorf("pseudonym: %v, want ErrIdentifier", err)
			}
			if _, req, err := pseudonym.Blind(k.Public(), id); !errors.Is(err, pseudonym.ErrIdentifier) || req != nil {
				t.Errorf("blinded: %v, want ErrIdentifier", err)
			}
		})
	}
}

// TestCanonical pins every byte of the encoding.
func TestCanonical(t *testing.T) {
	want := "\x00\x00\x00\x13tamga/v1/identifier" + // label
		"\x00\x00\x00\x03KAZ" + // jurisdiction
		"\x00\x00\x00\x08passport" + // type
		"\x00\x00\x00\x03N12" // value
	if got := string(passport("N12").Canonical()); got != want {
		t.Errorf("encoded %q, want %q", got, want)
	}
}

// TestNormalizeProperties checks idempotence, and that separators and case are
// all that normalisation may forget.
func TestNormalizeProperties(t *testing.T) {
	chars := rapid.StringMatching("[A-Za-z0-9 ._-]{0,40}")
	rapid.Check(t, func(t *rapid.T) {
		id := pseudonym.Identifier{
			Jurisdiction: rapid.StringMatching("[A-Za-z]{3}").Draw(t, "country"),
			Type:         rapid.SampledFrom([]string{pseudonym.IDPassport, pseudonym.IDNationalNumber}).Draw(t, "type"),
			Value:        chars.Draw(t, "value"),
		}
		want := strings.ToUpper(strings.NewReplacer(" ", "", "-", "", "_", "", ".", "").Replace(id.Value))
		got, err := id.Normalize()
		if valid := len(want) >= 1 && len(want) <= 32; valid != (err == nil) {
			t.Fatalf("%d characters remain: %v", len(want), err)
		}
		if err != nil {
			return
		}
		if got.Value != want || got.Jurisdiction != strings.ToUpper(id.Jurisdiction) || got.Type != id.Type {
			t.Error("normalised to something else than the rule's words say")
		}
		if again, err := got.Normalize(); err != nil || again != got {
			t.Errorf("normalising twice differs: %v", err)
		}
	})
}

func FuzzNormalize(f *testing.F) {
	f.Add("KAZ", "passport", "N 12-34")
	f.Add("kaz", "national_number", "А12")
	f.Add("", "", "")
	f.Fuzz(func(t *testing.T, j, k, v string) {
		got, err := pseudonym.Identifier{Jurisdiction: j, Type: k, Value: v}.Normalize()
		if err != nil {
			if got != (pseudonym.Identifier{}) {
				t.Error("an error came with an identifier")
			}
			return
		}
		again, err := got.Normalize()
		if err != nil || again != got {
			t.Errorf("not idempotent: %v", err)
		}
		if len(got.Value) < 1 || len(got.Value) > 32 || strings.Trim(got.Value, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != "" {
			t.Error("the normal form is outside its alphabet")
		}
	})
}
