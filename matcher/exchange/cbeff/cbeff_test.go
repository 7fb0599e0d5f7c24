package cbeff_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/exchange/cbeff"
)

// golden is a file EF.DG3 octet by octet: two fingers and discretionary data.
const golden = `
63 5c                    EF.DG3
7f61 59                  group
02 01 02                 of two

7f60 34                  template
a1 2b                    header
80 02 0101               version 1.1
81 01 08                 fingerprint
82 01 09                 right index
83 07 20240229235959     29 February 2024, 23:59:59
85 08 2024022920340228   valid for ten years
86 04 01030001           made by product 1 of organisation 0x103
87 02 0101               ISO/IEC JTC 1/SC 37
88 02 0001               finger minutiae record
5f2e 04 464d5200         data

7f60 18                  template
a1 10                    header
81 03 000008             fingerprint, in three octets
82 01 0a                 left index
87 02 0101               ISO/IEC JTC 1/SC 37
88 02 002a               a number of another format
7f2e 03 a10100           data made of BER-TLV

53 02 beef               discretionary data
`

func octets(t testing.TB, annotated string) []byte {
	t.Helper()
	var b []byte
	for _, line := range strings.Split(annotated, "\n") {
		digits, _, _ := strings.Cut(line, "  ")
		part, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
		if err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
		b = append(b, part...)
	}
	return b
}

func goldenTemplates() []cbeff.Template {
	return []cbeff.Template{{
		Header: cbeff.Header{Version: 0x101, Type: cbeff.TypeFingerprint, Subtype: 9,
			Created: cbeff.Time{Date: cbeff.Date{Year: 2024, Month: 2, Day: 29}, Hour: 23, Minute: 59, Second: 59},
			From:    cbeff.Date{Year: 2024, Month: 2, Day: 29}, Until: cbeff.Date{Year: 2034, Month: 2, Day: 28}, Creator: 0x1030001, Owner: cbeff.OwnerSC37, Format: 1},
		Data: []byte("FMR\x00"),
	}, {
		Header:      cbeff.Header{Type: cbeff.TypeFingerprint, Subtype: 10, Owner: cbeff.OwnerSC37, Format: 0x2a},
		Constructed: true,
		Data:        []byte{0xa1, 1, 0},
	}}
}

// plain is templates without the methods that redact them.
func plain(ts []cbeff.Template) any {
	type template cbeff.Template
	var out []template
	for _, t := range ts {
		out = append(out, template(t))
	}
	return out
}

func TestGolden(t *testing.T) {
	file := octets(t, golden)
	got, err := cbeff.Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(plain(goldenTemplates()), plain(got)); d != "" {
		t.Errorf("parsing (-want +got):\n%s", d)
	}
	one, err := got[0].Encode()
	if err != nil || !bytes.Equal(one, file[8:63]) {
		t.Errorf("encoding: got %x, %v, want %x", one, err, file[8:63])
	}
	// The group encodes with a type of one octet and without discretionary data.
	want := octets(t, "7f61 53\n020102")
	want = append(append(want, file[8:63]...), octets(t, "7f60 16\na1 0e\n810108\n82010a\n87020101\n8802002a\n7f2e03a10100")...)
	group, err := cbeff.EncodeGroup(got)
	if err != nil || !bytes.Equal(group, want) {
		t.Errorf("encoding group: got %x, %v, want %x", group, err, want)
	}
	clear(file)
	if d := cmp.Diff(plain(goldenTemplates()), plain(got)); d != "" {
		t.Errorf("templates share memory with the input:\n%s", d)
	}
}

// TestEmptyGroup is what a passport has of a holder without fingerprints.
func TestEmptyGroup(t *testing.T) {
	for _, b := range []string{"7f6103020100", "63067f6103020100", "7f6107020100530212ab"} {
		in, err := hex.DecodeString(b)
		if err != nil {
			t.Fatal(err)
		}
		if ts, err := cbeff.Parse(in); err != nil || len(ts) != 0 {
			t.Errorf("%s: got %d, %v", b, len(ts), err)
		}
	}
}

func wantFormatError(t *testing.T, err error, offset int, rule string) {
	t.Helper()
	var f *exchange.FormatError
	if !errors.As(err, &f) {
		t.Fatalf("got %v, want a FormatError", err)
	}
	if f.Format != exchange.FormatCBEFF || f.Offset != offset || f.Rule != rule {
		t.Errorf("got %s at %d: %s, want %d: %s", f.Format, f.Offset, f.Rule, offset, rule)
	}
}

func TestParseRefuses(t *testing.T) {
	// Each case changes one thing of the golden file; offsets are those of its annotations.
	put := func(at int, v ...byte) func([]byte) []byte {
		return func(b []byte) []byte { copy(b[at:], v); return b }
	}
	raw := func(s string) func([]byte) []byte {
		return func([]byte) []byte {
			b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
	}
	for name, c := range map[string]struct {
		change func([]byte) []byte
		offset int
		rule   string
	}{
		"empty":                {raw(""), 0, "input ends early"},
		"tag-only":             {raw("7f"), 1, "input ends early"},
		"no-length":            {raw("7f60"), 2, "input ends early"},
		"cut":                  {func(b []byte) []byte { return b[:93] }, 93, "input ends early"},
		"trailing":             {func(b []byte) []byte { return append(b, 0) }, 94, "octets after the last element"},
		"trailing-template":    {func(b []byte) []byte { return append(b[8:63:63], 0) }, 55, "octets after the last element"},
		"other-file":           {put(0, 0x75), 0, "element is unknown, out of order, or there twice"},
		"no-group":             {put(3, 0x62), 2, "element is unknown, out of order, or there twice"},
		"long-length":          {raw("7f60 81 05 a1 00 7f2e 00"), 2, "length is not in its shortest form, or longer than what holds it"},
		"longer-length":        {raw("7f60 82 0080"), 2, "length is not in its shortest form, or longer than what holds it"},
		"indefinite":           {raw("7f60 80 a1 00 0000"), 2, "length is not in its shortest form, or longer than what holds it"},
		"huge-length":          {raw("7f60 84 7fffffff"), 2, "length is not in its shortest form, or longer than what holds it"},
		"large-length":         {raw("7f60 83 ffffff"), 6, "input ends early"},
		"cut-length":           {raw("7f60 82 01"), 4, "input ends early"},
		"instances-tag":        {put(5, 0x03), 5, "element is unknown, out of order, or there twice"},
		"instances-length":     {raw("7f6104 02020001"), 3, "header element has a wrong length"},
		"instances-fewer":      {put(7, 1), 5, "number of instances differs from the number of templates"},
		"instances-more":       {put(7, 3), 5, "number of instances differs from the number of templates"},
		"no-instances":         {raw("7f6100"), 3, "input ends early"},
		"template-tag":         {put(9, 0x62), 8, "element is unknown, out of order, or there twice"},
		"header-tag":           {put(11, 0xa2), 11, "element is unknown, out of order, or there twice"},
		"version-twice":        {put(17, 0x80), 17, "element is unknown, out of order, or there twice"},
		"unknown-element":      {put(42, 0x84), 42, "element is unknown, out of order, or there twice"},
		"unknown-last":         {put(52, 0x89), 52, "element is unknown, out of order, or there twice"},
		"version-length":       {put(13, 0x82), 13, "header element has a wrong length"},
		"two-types":            {put(19, 0x0a), 17, "biometric type is not one type"},
		"subtype-side":         {put(22, 0x0b), 20, "biometric subtype is reserved"},
		"subtype-digit":        {put(22, 0x19), 20, "biometric subtype is reserved"},
		"subtype-of-face":      {put(19, 0x02), 20, "biometric subtype is reserved"},
		"created-digit":        {put(25, 0x2a), 23, "creation time is not a time in binary coded decimals"},
		"created-day":          {put(28, 0x30), 23, "creation time is not a time in binary coded decimals"},
		"created-year":         {put(25, 0x00, 0x00), 23, "creation time is not a time in binary coded decimals"},
		"created-zero":         {put(25, 0, 0, 0, 0, 0, 0, 0), 23, "creation time is not a time in binary coded decimals"},
		"created-hour":         {put(29, 0x24), 23, "creation time is not a time in binary coded decimals"},
		"validity-day":         {put(41, 0x31), 32, "validity period is not two days in binary coded decimals, the first not the later"},
		"validity-order":       {put(38, 0x20, 0x23), 32, "validity period is not two days in binary coded decimals, the first not the later"},
		"no-owner":             {put(50, 0, 0), 11, "format owner or format type is missing"},
		"no-format":            {put(54, 0, 0), 11, "format owner or format type is missing"},
		"owner-missing":        {raw("7f60 0a a1 04 88020001 5f2e 01 00"), 3, "format owner or format type is missing"},
		"data-tag":             {put(57, 0x2f), 56, "element is unknown, out of order, or there twice"},
		"data-missing":         {raw("7f60 0a a1 08 87020101 88020001"), 13, "biometric data are missing"},
		"data-empty":           {raw("7f60 0d a1 08 87020101 88020001 5f2e 00"), 13, "biometric data are missing"},
		"data-twice":           {raw("7f60 12 a1 08 87020101 88020001 5f2e 01 00 5f2e 01 00"), 17, "octets after the last element"},
		"discretionary-middle": {put(63, 0x53, 0x19), 63, "element is unknown, out of order, or there twice"},
		"too-large":            {func([]byte) []byte { return make([]byte, cbeff.Max+1) }, 0, "input exceeds the size limit"},
	} {
		t.Run(name, func(t *testing.T) {
			ts, err := cbeff.Parse(c.change(octets(t, golden)))
			wantFormatError(t, err, c.offset, c.rule)
			if ts != nil {
				t.Error("templates beside an error")
			}
		})
	}
}

func TestEncodeRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*cbeff.Template)
		rule   string
	}{
		"two-types":   {func(t *cbeff.Template) { t.Header.Type = 3 }, "biometric type is not one type"},
		"wide-type":   {func(t *cbeff.Template) { t.Header.Type = 1 << 24 }, "biometric type is not one type"},
		"subtype":     {func(t *cbeff.Template) { t.Header.Subtype = 3 }, "biometric subtype is reserved"},
		"created":     {func(t *cbeff.Template) { t.Header.Created.Second = 60 }, "creation time is not a time in binary coded decimals"},
		"created-day": {func(t *cbeff.Template) { t.Header.Created.Day = 30 }, "creation time is not a time in binary coded decimals"},
		"until":       {func(t *cbeff.Template) { t.Header.Until = cbeff.Date{} }, "validity period is not two days in binary coded decimals, the first not the later"},
		"from":        {func(t *cbeff.Template) { t.Header.From = cbeff.Date{} }, "validity period is not two days in binary coded decimals, the first not the later"},
		"far":         {func(t *cbeff.Template) { t.Header.Until.Year = 10000 }, "validity period is not two days in binary coded decimals, the first not the later"},
		"owner":       {func(t *cbeff.Template) { t.Header.Owner = 0 }, "format owner or format type is missing"},
		"format":      {func(t *cbeff.Template) { t.Header.Format = 0 }, "format owner or format type is missing"},
		"data":        {func(t *cbeff.Template) { t.Data = nil }, "biometric data are missing"},
		"large":       {func(t *cbeff.Template) { t.Data = make([]byte, cbeff.Max) }, "input exceeds the size limit"},
	} {
		t.Run(name, func(t *testing.T) {
			g := goldenTemplates()
			c.change(&g[0])
			b, err := cbeff.EncodeGroup(g)
			wantFormatError(t, err, 0, c.rule)
			if b != nil {
				t.Error("octets beside an error")
			}
		})
	}
	g := goldenTemplates()[:1]
	g[0].Data = make([]byte, cbeff.Max/2)
	_, err := cbeff.EncodeGroup(append(g, g[0]))
	wantFormatError(t, err, 0, "input exceeds the size limit")
	_, err = cbeff.EncodeGroup(make([]cbeff.Template, 256))
	wantFormatError(t, err, 0, "more than 255 templates")
}

// TestFingers writes the table of Doc 9303-10 out.
func TestFingers(t *testing.T) {
	want := map[uint8]uint8{
		0b000_01: 0, 0b000_10: 0, 0b001_00: 0, 0b101_00: 0, 0: 0,
		0b001_01: 1, 0b010_01: 2, 0b011_01: 3, 0b100_01: 4, 0b101_01: 5,
		0b001_10: 6, 0b010_10: 7, 0b011_10: 8, 0b100_10: 9, 0b101_10: 10,
		0b010_00: 0, 0b011_00: 0, 0b100_00: 0,
	}
	for s := range 256 {
		position, known := want[uint8(s)]
		got, ok := cbeff.Finger(uint8(s))
		if got != position || ok != known {
			t.Errorf("subtype %05b: got %d, %t, want %d, %t", s, got, ok, position, known)
		}
		if position != 0 && cbeff.Subtype(position) != uint8(s) {
			t.Errorf("position %d: got %05b, want %05b", position, cbeff.Subtype(position), s)
		}
	}
	for _, p := range []uint8{0, 11, 13, 40, 255} {
		if got := cbeff.Subtype(p); got != 0 {
			t.Errorf("position %d: got %05b", p, got)
		}
	}
}

func TestValidity(t *testing.T) {
	h := goldenTemplates()[0].Header
	for name, c := range map[string]struct {
		today cbeff.Date
		want  error
	}{
		"before": {cbeff.Date{Year: 2024, Month: 2, Day: 28}, cbeff.ErrNotYetValid},
		"first":  {cbeff.Date{Year: 2024, Month: 2, Day: 29}, nil},
		"middle": {cbeff.Date{Year: 2030, Month: 12, Day: 31}, nil},
		"last":   {cbeff.Date{Year: 2034, Month: 2, Day: 28}, nil},
		"after":  {cbeff.Date{Year: 2034, Month: 3, Day: 1}, cbeff.ErrExpired},
	} {
		t.Run(name, func(t *testing.T) {
			if err := h.CheckValidity(c.today); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if err := (cbeff.Header{}).CheckValidity(c.today); err != nil {
				t.Errorf("no period: got %v", err)
			}
		})
	}
}

// TestSpecimen parses the header that ICAO published for its application profile of ISO/IEC
// 39794-5, element by element, and encodes it again.
func TestSpecimen(t *testing.T) {
	root := os.Getenv("TAMGA_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "..", "shared")
	}
	dir := filepath.Join(root, "vectors", "icao-iso39794", "document", "test_data")
	for _, name := range []string{"ICAO_39794_5_AP_DG2_AllFields.dat", "ICAO_39794_5_AP_DG2_MandFields.dat"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil && os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		if err != nil {
			t.Skipf("shared test data is absent: %v", err)
		}
		const outer = 4 // EF.DG2's own tag and length
		ts, err := cbeff.Parse(b[outer:])
		if err != nil || len(ts) != 1 || !ts[0].Constructed || ts[0].Header.Owner != cbeff.OwnerSC37 || ts[0].Header.Format != 0x2a {
			t.Fatalf("%s: got %d templates, %v", name, len(ts), err)
		}
		again, err := cbeff.EncodeGroup(ts)
		if err != nil {
			t.Fatal(err)
		}
		// The specimen with all fields says "no information" for the subtype, in three octets.
		lost := len(b) - outer - len(again)
		if strings.Contains(name, "All") {
			h := ts[0].Header
			created := cbeff.Time{Date: cbeff.Date{Year: 2124, Month: 1, Day: 5}, Hour: 11, Minute: 23, Second: 45}
			if h.Version != 0x101 || h.Type != cbeff.TypeFace || h.Creator != 0x1030001 || h.Created != created ||
				h.From != created.Date || h.Until != (cbeff.Date{Year: 2129, Month: 1, Day: 5}) || lost != 3 {
				t.Errorf("%s: got %+v, %d octets fewer", name, h, lost)
			}
		} else if lost != 0 || !bytes.Equal(again, b[outer:]) {
			t.Errorf("%s: encodes differently", name)
		}
	}
}

func TestRedacted(t *testing.T) {
	out := fmt.Sprintf("%v %+v %#v %x %v", goldenTemplates()[0], goldenTemplates(), goldenTemplates(), goldenTemplates(), goldenTemplates()[0].LogValue())
	for _, mark := range []string{"FMR", "464d52", "70, 77", "0x46", "2034"} {
		if strings.Contains(out, mark) {
			t.Errorf("content shows as %q in %s", mark, out)
		}
	}
}

func Example() {
	b, err := cbeff.Template{
		Header: cbeff.Header{Type: cbeff.TypeFingerprint, Subtype: cbeff.Subtype(2), Owner: cbeff.OwnerSC37, Format: 1},
		Data:   []byte("a finger minutiae record"),
	}.Encode()
	if err != nil {
		panic(err)
	}
	templates, err := cbeff.Parse(b)
	if err != nil {
		panic(err)
	}
	position, _ := cbeff.Finger(templates[0].Header.Subtype)
	fmt.Printf("position %d, %s\n", position, templates[0].Data)
	// Output: position 2, a finger minutiae record
}

func FuzzParse(f *testing.F) {
	b := octets(f, golden)
	f.Add(b)
	f.Add(b[2:])
	f.Add(b[8:63])
	f.Add([]byte{0x7f, 0x61, 3, 2, 1, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		ts, err := cbeff.Parse(b)
		if err != nil {
			var fe *exchange.FormatError
			if ts != nil || !errors.As(err, &fe) || fe.Offset < 0 || fe.Offset > len(b) {
				t.Errorf("got %v", err)
			}
			return
		}
		again, err := cbeff.EncodeGroup(ts)
		if err != nil {
			t.Fatal(err)
		}
		back, err := cbeff.Parse(again)
		if err != nil || cmp.Diff(plain(ts), plain(back)) != "" {
			t.Errorf("means something else once encoded: %v", err)
		}
		if third, err := cbeff.EncodeGroup(back); err != nil || !bytes.Equal(third, again) {
			t.Errorf("encodes in two ways: %v", err)
		}
	})
}
