package enrol_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/exchange/iriscode"
	"github.com/tamga-id/tamga/matcher/exchange/signature2007"
	"github.com/tamga-id/tamga/matcher/exchange/svc2004"
	"github.com/tamga-id/tamga/node/enrol"
)

// leftIris is a container of a left eye, with only so many octets of its code shown.
func leftIris(shown int) []byte {
	i := people.Person(0).IrisReference(0)
	c := iriscode.Code{Profile: "p-1", Eye: 2}
	copy(c.Sample.Code[:], i.Code())
	copy(c.Sample.Mask[:], i.Mask()[:shown])
	return must(c.Encode())
}

// TestIrisesAndSignatures: what is stored is in a format that nodes compare, at the eye that the record names.
func TestIrisesAndSignatures(t *testing.T) {
	text := must(svc2004.Encode(people.Person(0).SignatureCapture(1)))
	sdi := must(signature2007.Encode(must(svc2004.Decode(text))))
	for _, c := range []struct {
		modality, format string
		data             []byte
		stored           string
		want             []byte
		position         uint8
	}{
		{"iris", exchange.FormatIris, leftIris(256), exchange.FormatIris, leftIris(256), 2},
		{"signature", exchange.FormatSignature2007, sdi, exchange.FormatSignature2007, sdi, 0},
		{"signature", svc2004.Format, text, exchange.FormatSignature2007, sdi, 0},
	} {
		tpl, absent, err := enrol.NewTemplate("here", c.modality, c.format, slices.Clone(c.data))
		if err != nil || absent != nil || tpl.Modality != c.modality || tpl.Format != c.stored || tpl.Position != c.position || string(tpl.Data) != string(c.want) {
			t.Errorf("%s: got %s at %d, %v, or other bytes", c.format, tpl.Format, tpl.Position, err)
		}
	}
}

func TestIrisesAndSignaturesRefused(t *testing.T) {
	text := must(svc2004.Encode(people.Person(0).SignatureCapture(1)))
	sdi := must(signature2007.Encode(must(svc2004.Decode(text))))
	short := people.Person(0).SignatureCapture(1)
	short.Points = short.Points[:8]
	for name, c := range map[string]struct {
		modality, format string
		data             []byte
		want             string
	}{
		"iris-cut":         {"iris", exchange.FormatIris, leftIris(256)[:100], "offset"},
		"iris-hidden":      {"iris", exchange.FormatIris, leftIris(40), "too little of the iris"},
		"sdi-cut":          {"signature", exchange.FormatSignature2007, sdi[:len(sdi)-1], "offset"},
		"svc-cut":          {"signature", svc2004.Format, text[:len(text)/2], "line"},
		"sdi-called-svc":   {"signature", svc2004.Format, sdi, "line 1"},
		"too-short":        {"signature", exchange.FormatSignature2007, must(signature2007.Encode(short)), "too short"},
		"iris-as-embedded": {"iris", exchange.FormatEmbedding, leftIris(256), "must be tamga-iris-1 for iris"},
	} {
		t.Run(name, func(t *testing.T) {
			tpl, _, err := enrol.NewTemplate("here", c.modality, c.format, c.data)
			if err == nil || tpl.Data != nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			want := protocol.CodeTemplate
			if name == "iris-as-embedded" {
				want = protocol.CodeRecord
			}
			if r, ok := errors.AsType[*enrol.RuleError](err); !ok || r.Code != want {
				t.Errorf("got %v, want %s", err, want)
			}
		})
	}
}
