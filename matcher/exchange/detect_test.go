package exchange_test

import (
	"errors"
	"testing"

	"github.com/tamga-id/tamga/matcher/exchange"
)

func TestDetect(t *testing.T) {
	for name, c := range map[string]struct {
		b    string
		want exchange.Format
	}{
		"2005":           {"FMR\x00 20\x00", exchange.FormatFinger2005},
		"2011":           {"FMR\x00030\x00 and more", exchange.FormatFinger2011},
		"2005-least":     {"FMR\x00 20\x00\x00\x00\x00\x18", exchange.FormatFinger2005},
		"2005-most":      {"FMR\x00 20\x00\x00\x01\x00\x00", exchange.FormatFinger2005},
		"2005-cut":       {"FMR\x00 20\x00\x01\x02\x03", exchange.FormatFinger2005},
		"378":            {"FMR\x00 20\x00\x00\x1a\x00\x00", exchange.FormatFinger378},
		"378-common":     {"FMR\x00 20\x00\x01\x5c\x00\x33", exchange.FormatFinger378},
		"378-long":       {"FMR\x00 20\x00\x00\x00\x00\x01\x00\x20", exchange.FormatFinger378},
		"embedding":      {"TEMB", exchange.FormatEmbedding},
		"signature":      {"SDI\x00 10\x00", exchange.FormatSignature2007},
		"iris":           {"TIRI\x01", exchange.FormatIris},
		"image":          {"FIR\x00020\x00", exchange.FormatFingerImage},
		"template":       {"\x7f\x60", exchange.FormatCBEFF},
		"group":          {"\x7f\x61\x00", exchange.FormatCBEFF},
		"dg3":            {"\x63\x05\x7f\x61", exchange.FormatCBEFF},
		"dg3-long":       {"\x63\x82\x01\x05\x7f\x61", exchange.FormatCBEFF},
		"39794":          {"\x62\x10\xa0", exchange.FormatFinger39794},
		"39794-long":     {"\x62\x81\x90\xa0", exchange.FormatFinger39794},
		"39794-wrapped":  {"\xa1\x12\x62\x10\xa0", exchange.FormatFinger39794},
		"face-wrapped":   {"\xa1\x12\x65\x10\xa0", ""},
		"empty":          {"", ""},
		"cut":            {"FMR\x00 20", ""},
		"version":        {"FMR\x00040\x00", ""},
		"ansi":           {"FMR\x00 20 \x00", ""},
		"other-template": {"\x7f\x62", ""},
		"dg2":            {"\x75\x05\x7f\x61", ""},
		"dg3-empty":      {"\x63\x00", ""},
		"dg3-cut":        {"\x63\x82\x01\x05\x7f", ""},
		"indefinite":     {"\x62\x80\xa0", ""},
		"wide-length":    {"\x62\x85\x00\x00\x00\x00\x10\xa0", ""},
		"face-39794":     {"\x65\x10\xa0", ""},
		"tag-only":       {"\x62", ""},
		"lower":          {"temb", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := exchange.Detect([]byte(c.b))
			if got != c.want || (err == nil) != (c.want != "") || err != nil && !errors.Is(err, exchange.ErrUnknownFormat) {
				t.Errorf("got %q, %v, want %q", got, err, c.want)
			}
		})
	}
}
