package enrol_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/exchange/cbeff"
	"github.com/tamga-id/tamga/matcher/exchange/finger2011"
	"github.com/tamga-id/tamga/matcher/exchange/intake"
	"github.com/tamga-id/tamga/matcher/finger"
	"github.com/tamga-id/tamga/node/enrol"
	"github.com/tamga-id/tamga/node/gallery"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// editions is one finger of one person in every format that can be enrolled.
func editions() map[string][]byte {
	r2005 := people.Person(0).FingerReference(2)
	r2011 := must(finger2011.Encode(must(exchange.DecodeFinger(r2005))))
	return map[string][]byte{
		exchange.FormatFinger2005: r2005,
		exchange.FormatFinger2011: r2011,
		exchange.FormatCBEFF:      must(intake.Wrap(r2005, cbeff.Header{Version: 0x101})),
	}
}

// TestFormats: the same finger is stored as the same bytes, whatever it arrives as.
func TestFormats(t *testing.T) {
	for format, data := range editions() {
		tpl, absent, err := enrol.NewTemplate("here", "finger", format, append([]byte(nil), data...))
		if err != nil || absent != nil || tpl.Format != exchange.FormatFinger2005 || tpl.Position != 2 ||
			string(tpl.Data) != string(people.Person(0).FingerReference(2)) {
			t.Errorf("%s: got %s, position %d, %v, or other bytes", format, tpl.Format, tpl.Position, err)
		}
		m := personMembers(t, 0)
		m.biometrics = `"biometrics":[` + biometric("finger", format, "data", b64(data)) + "]"
		e, err := enrol.ParseRecord([]byte(m.line()), "KAZ", nil)
		if err != nil || e.Templates[0].Format != exchange.FormatFinger2005 {
			t.Errorf("%s in a manifest: %v", format, err)
		}
	}
}

// TestFolderFormats: a folder's files are what they begin with, whatever their names.
func TestFolderFormats(t *testing.T) {
	dir := t.TempDir()
	i := 0
	for _, data := range editions() {
		i++
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("a_%d.iso", i)), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	src, err := enrol.Folder(dir, "KAZ", enrol.FolderOptions{IDType: pseudonym.IDPassport})
	if err != nil {
		t.Fatal(err)
	}
	if got := subjects(t, src); got != "A A A" {
		t.Errorf("got %q", got)
	}
	for item := range src.Items() {
		if e := must(item.Parse()); string(e.Templates[0].Data) != string(people.Person(0).FingerReference(2)) {
			t.Errorf("%s: other bytes", item.Place)
		}
	}
}

func TestFormatFaults(t *testing.T) {
	e := editions()
	r2005, r2011, wrapped := e[exchange.FormatFinger2005], e[exchange.FormatFinger2011], e[exchange.FormatCBEFF]
	expired := must(intake.Wrap(r2005, cbeff.Header{From: cbeff.Date{Year: 2001, Month: 1, Day: 1}, Until: cbeff.Date{Year: 2001, Month: 1, Day: 1}}))
	many := make([]finger.Sample, 0, 17)
	for range 17 {
		many = append(many, must(exchange.DecodeFinger(r2005))[0])
	}
	for i := range many {
		many[i].Position = uint8(i % 10)
	}
	for name, c := range map[string]struct {
		format string
		data   []byte
		rule   string
	}{
		"2011-as-2005":  {exchange.FormatFinger2005, r2011, "iso-19794-2-2005: offset 4: wrong version"},
		"2005-as-2011":  {exchange.FormatFinger2011, r2005, "iso-19794-2-2011: offset 0: record is of another format"},
		"2011-as-cbeff": {exchange.FormatCBEFF, r2011, "iso-19785-3-bit: offset 0: record is of another format"},
		"nothing":       {exchange.FormatCBEFF, nil, "iso-19785-3-bit: offset 0: record is of another format"},
		"2011-cut":      {exchange.FormatFinger2011, r2011[:len(r2011)-1], "iso-19794-2-2011: offset 8: "},
		"2011-many":     {exchange.FormatFinger2011, must(finger2011.Encode(many)), "iso-19794-2-2005: offset 22: number of views"},
		"cbeff-cut":     {exchange.FormatCBEFF, wrapped[:len(wrapped)-1], "iso-19785-3-bit: offset "},
		"cbeff-other":   {exchange.FormatCBEFF, must(intake.Wrap(r2011, cbeff.Header{Format: 29}))[:90], "iso-19785-3-bit: offset "},
		"expired":       {exchange.FormatCBEFF, expired, "is not valid today"},
		"39794":         {exchange.FormatCBEFF, must(cbeff.Template{Header: cbeff.Header{Owner: 0x101, Format: 40}, Data: []byte{0x62, 2, 0xa0, 0}}.Encode()), "is of ISO/IEC 39794-2"},
		"image":         {exchange.FormatCBEFF, must(cbeff.Template{Header: cbeff.Header{Owner: 0x101, Format: 7}, Data: []byte("FIR\x00020\x00")}.Encode()), "holds images of fingers"},
		"image-bare":    {exchange.FormatFingerImage, []byte("FIR\x00020\x00"), "holds images of fingers"},
		"39794-bare":    {exchange.FormatFinger39794, []byte{0x62, 2, 0xa0, 0}, "is of ISO/IEC 39794-2"},
		"none":          {exchange.FormatCBEFF, []byte{0x7f, 0x61, 3, 2, 1, 0}, "there are no fingerprints"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := enrol.NewTemplate("here", "finger", c.format, append([]byte(nil), c.data...))
			r, ok := errors.AsType[*enrol.RuleError](err)
			if !ok {
				t.Fatalf("got %v, want a RuleError", err)
			}
			if r.Member != "here" || !strings.Contains(r.Rule, c.rule) || string(r.Code) != "TMG-ENR-0003" {
				t.Errorf("got %s %q, want %q", r.Code, r.Rule, c.rule)
			}
		})
	}
}

// TestMissingFinger: it stays in the record beside one that is there, which gives the position.
func TestMissingFinger(t *testing.T) {
	s := must(exchange.DecodeFinger(people.Person(0).FingerReference(2)))
	missing := s[0]
	missing.Position, missing.Minutiae, missing.Absent = 1, nil, finger.UnableToPrint
	data := must(finger2011.Encode([]finger.Sample{missing, s[0]}))
	tpl, absent, err := enrol.NewTemplate("here", "finger", exchange.FormatFinger2011, data)
	want := []gallery.Absence{{Modality: "finger", Position: 1, Reason: "unable_to_capture"}}
	if err != nil || tpl.Position != 2 || !slices.Equal(absent, want) {
		t.Fatalf("got position %d, %d absences, %v", tpl.Position, len(absent), err)
	}
	got := must(exchange.DecodeFinger(tpl.Data))
	if len(got) != 2 || got[0].Absent != finger.UnableToPrint || got[1].Absent != finger.Present {
		t.Error("the missing finger is lost")
	}
	for _, o := range data {
		if o != 0 {
			t.Fatal("the record as it arrived is not wiped")
		}
	}
}

// TestAllMissing: a record without a finger that is there is a finding and no template.
func TestAllMissing(t *testing.T) {
	s := must(exchange.DecodeFinger(people.Person(0).FingerReference(2)))[0]
	for why, reason := range map[finger.Absence]string{
		finger.NotCaptured: "not_captured", finger.NotExtracted: "not_extracted",
		finger.Amputated: "amputated", finger.UnableToPrint: "unable_to_capture",
	} {
		one := s
		one.Minutiae, one.Absent = nil, why
		other := one
		other.Position = 7
		for format, data := range map[string][]byte{
			exchange.FormatFinger2005: must(exchange.EncodeFinger([]finger.Sample{one, other})),
			exchange.FormatFinger2011: must(finger2011.Encode([]finger.Sample{one, other})),
		} {
			m := personMembers(t, 0)
			m.biometrics = `"biometrics":[` + biometric("finger", format, "data", b64(data)) + "]"
			e, err := enrol.ParseRecord([]byte(m.line()), "KAZ", nil)
			want := []gallery.Absence{{Modality: "finger", Position: 2, Reason: reason}, {Modality: "finger", Position: 7, Reason: reason}}
			if err != nil || len(e.Templates) != 0 || !slices.Equal(e.Absences, want) {
				t.Errorf("%s, %s: %d templates, %d absences, %v", reason, format, len(e.Templates), len(e.Absences), err)
			}
		}
	}
}

// TestUsable: what the import takes without preparing it is what the matcher prepares.
func TestUsable(t *testing.T) {
	s := must(exchange.DecodeFinger(people.Person(0).FingerReference(2)))[0]
	all := s.Minutiae
	for len(all) < 255 {
		all = append(all, all[len(all)%len(s.Minutiae)])
	}
	for n := 1; n <= 255; n++ {
		s.Minutiae = all[:n]
		data := must(exchange.EncodeFinger([]finger.Sample{s}))
		_, prepareErr := finger.Prepare(must(exchange.DecodeFinger(data))[0])
		_, _, err := enrol.NewTemplate("here", "finger", exchange.FormatFinger2005, data)
		if (err == nil) != (prepareErr == nil) {
			t.Errorf("%d minutiae: %v, and the matcher says %v", n, err, prepareErr)
		}
	}
}
