package enrol_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/node/enrol"
	"github.com/tamga-id/tamga/node/gallery"
)

func TestParseRecord(t *testing.T) {
	p := people.Person(0)
	got, err := enrol.ParseRecord([]byte(personLine(t, 0)), "KAZ", nil)
	if err != nil {
		t.Fatal(err)
	}
	want := gallery.Enrolment{
		Subject: pseudonym.Identifier{Jurisdiction: "KAZ", Type: pseudonym.IDPassport, Value: p.PassportNumber},
		Holder:  holderKey(t, 0).KeyID(),
		Templates: []gallery.Template{
			{Modality: "face", Format: exchange.FormatEmbedding, Data: p.FaceReference()},
			{Modality: "finger", Format: exchange.FormatFinger2005, Position: 2, Data: p.FingerReference(2)},
		},
	}
	if !cmp.Equal(got, want) {
		t.Error("not the enrolment that was written")
	}
	// The key's own kid is nobody's word for its thumbprint.
	lied := strings.Replace(personLine(t, 0), `"kid":"`+got.Holder, `"kid":"`+"liar", 1)
	if again, err := enrol.ParseRecord([]byte(lied), "KAZ", nil); err != nil || again.Holder != got.Holder {
		t.Errorf("with another kid: %v, or another holder", err)
	}
}

// files is a folder of template files, good and bad.
func files(tb testing.TB) fs.FS {
	tb.Helper()
	outside := write(tb, "CANARYoutside.iso", string(people.Person(0).FingerReference(2)))
	dir := tb.TempDir()
	ok := func(err error) {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
	}
	ok(os.Mkdir(filepath.Join(dir, "CANARYsub"), 0o700))
	ok(os.WriteFile(filepath.Join(dir, "CANARYsub", "good.iso"), people.Person(0).FingerReference(2), 0o600))
	ok(os.WriteFile(filepath.Join(dir, "CANARYlarge.iso"), make([]byte, 1<<20), 0o600))
	ok(os.WriteFile(filepath.Join(dir, "CANARYempty.iso"), nil, 0o600))
	ok(os.Symlink(outside, filepath.Join(dir, "CANARYlink.iso")))
	ok(os.Symlink("CANARYsub/good.iso", filepath.Join(dir, "inner.iso")))
	ok(os.Symlink("nowhere", filepath.Join(dir, "CANARYbroken.iso")))
	ok(makePipe(filepath.Join(dir, "CANARYpipe.iso")))
	root, err := os.OpenRoot(dir)
	ok(err)
	tb.Cleanup(func() { root.Close() })
	return root.FS()
}

// TestParseRecordFaults has one fault a row, in a record that is otherwise sound.
func TestParseRecordFaults(t *testing.T) {
	finger := people.Person(0).FingerReference(2)
	cut := b64(finger[:len(finger)-1])
	noMinutiae := fewMinutiae(t, 2)
	one := func(modality, format, member, value string) func(*members) {
		return func(m *members) { m.biometrics = `"biometrics":[` + biometric(modality, format, member, value) + "]" }
	}
	fileNamed := func(name string) func(*members) { return one("finger", exchange.FormatFinger2005, "file", name) }
	set := func(at func(*members) *string, to string) func(*members) { return func(m *members) { *at(m) = to } }
	subject := func(m *members) *string { return &m.subject }
	holder := func(m *members) *string { return &m.holder }
	biometrics := func(m *members) *string { return &m.biometrics }
	tests := map[string]struct {
		edit         func(*members)
		member, rule string
	}{
		"unknown-member":    {set(holder, `"CANARY":1`), "line", "unknown member (noticed at byte "},
		"unknown-inside":    {set(subject, `"subject":{"type":"passport","value":"CANARY1","CANARY":1}`), "subject", "unknown member (noticed at byte "},
		"unknown-biometric": {set(biometrics, `"biometrics":[{"modality":"finger","quality":1}]`), "biometrics[0]", "unknown member (noticed at byte "},
		"duplicate-member":  {func(m *members) { m.holder = m.subject }, "line", `duplicate member "subject"`},
		"duplicate-inside":  {set(subject, `"subject":{"type":"passport","value":"CANARY1","value":"CANARY2"}`), "subject", `duplicate member "value"`},
		"wrong-case":        {func(m *members) { m.subject = strings.Replace(m.subject, "subject", "Subject", 1) }, "line", `a member differs from "subject" in case only`},
		"wrong-type":        {set(subject, `"subject":"CANARY"`), "subject", "must be an object (noticed at byte "},
		"number-as-value":   {set(subject, `"subject":{"type":"passport","value":123456789}`), "subject.value", "must be a string (noticed at byte "},
		"number-as-data":    {set(biometrics, `"biometrics":[{"modality":"face"},{"modality":"finger","data":42424242}]`), "biometrics[1].data", "must be a string (noticed at byte "},
		"biometrics-object": {set(biometrics, `"biometrics":{}`), "biometrics", "must be an array (noticed at byte "},
		"two-objects":       {func(m *members) { m.biometrics += "}{" + m.biometrics }, "line", "data after the value (noticed at byte "},
		"not-json":          {set(biometrics, `"biometrics":CANARY`), "biometrics", "not a JSON value (noticed at byte "},
		"not-utf8":          {set(holder, "\"holder_jkt\":\"\xff\""), "line", "invalid UTF-8"},
		"too-long":          {set(holder, `"holder_jkt":"`+strings.Repeat("C", 200<<10)+`"`), "line", "is longer than 196,608 bytes"},

		"no-subject":      {set(subject, `"holder_jkt":""`), "subject.type", "is missing"},
		"null-subject":    {set(subject, `"subject":null`), "subject.type", "is missing"},
		"no-type":         {set(subject, `"subject":{"value":"CANARY1"}`), "subject.type", "is missing"},
		"other-type":      {set(subject, `"subject":{"type":"CANARY","value":"CANARY1"}`), "subject.type", "must be passport or national_number"},
		"no-value":        {set(subject, `"subject":{"type":"passport"}`), "subject.value", "is missing"},
		"long-value":      {set(subject, `"subject":{"type":"passport","value":"`+strings.Repeat("CANARY", 6)+`"}`), "subject.value", "must be 1 to 32 letters A-Z and digits"},
		"cyrillic-value":  {set(subject, `"subject":{"type":"passport","value":"САNARY"}`), "subject.value", "must be 1 to 32 letters"},
		"no-biometrics":   {set(biometrics, `"holder_jkt":""`), "biometrics", "must hold 1 to 64 templates"},
		"null-biometrics": {set(biometrics, `"biometrics":null`), "biometrics", "must hold 1 to 64"},
		"none":            {set(biometrics, `"biometrics":[]`), "biometrics", "must hold 1 to 64"},
		"too-many":        {set(biometrics, `"biometrics":[`+strings.Repeat("{},", 64)+"{}]"), "biometrics", "must hold 1 to 64"},

		"key-null":        {set(holder, `"holder_key":null`), "holder_key", "is not an Ed25519 public JWK: "},
		"key-string":      {set(holder, `"holder_key":"CANARY"`), "holder_key", "is not an Ed25519"},
		"key-empty":       {set(holder, `"holder_key":{}`), "holder_key", "no kty"},
		"key-short":       {set(holder, `"holder_key":{"kty":"OKP","crv":"Ed25519","x":"AAAA"}`), "holder_key", "3 bytes instead of 32"},
		"key-other-curve": {set(holder, `"holder_key":{"kty":"OKP","crv":"X25519","x":"`+strings.Repeat("A", 43)+`"}`), "holder_key", "not an Ed25519 verification key"},
		"key-private": {func(m *members) {
			m.holder = strings.Replace(m.holder, `{`, `{"d":"CANARY",`, 1)
		}, "holder_key", "private members in a public JWK"},
		"key-duplicate": {func(m *members) {
			m.holder = strings.Replace(m.holder, `{`, `{"kty":"OKP",`, 1)
		}, "holder_key", "duplicate member"},
		"key-and-jkt":   {func(m *members) { m.holder += `,"holder_jkt":"` + strings.Repeat("A", 43) + `"` }, "holder_jkt", "stands beside holder_key"},
		"class":         {set(holder, `"class":"CANARY"`), "class", "must be one of unspecified, adult, minor, ward, protected"},
		"jkt-short":     {set(holder, `"holder_jkt":"CANARY"`), "holder_jkt", "is not a SHA-256 thumbprint"},
		"jkt-long":      {set(holder, `"holder_jkt":"`+strings.Repeat("A", 44)+`"`), "holder_jkt", "is not a SHA-256 thumbprint"},
		"jkt-broken":    {set(holder, `"holder_jkt":"\n`+strings.Repeat("A", 43)+`"`), "holder_jkt", "is not a SHA-256 thumbprint"},
		"jkt-malleable": {set(holder, `"holder_jkt":"`+strings.Repeat("A", 42)+`B"`), "holder_jkt", "is not a SHA-256 thumbprint"},

		"empty-biometric": {set(biometrics, `"biometrics":[{}]`), "biometrics[0]", "has neither data nor file"},
		"both": {func(m *members) {
			m.biometrics = strings.Replace(m.biometrics, `"data"`, `"file":"CANARY","data"`, 1)
		}, "biometrics[0]", "has data and file"},
		"bad-base64":      {one("face", exchange.FormatEmbedding, "data", "CANARY!"), "biometrics[0].data", "is not standard base64: character 7"},
		"base64url":       {one("face", exchange.FormatEmbedding, "data", "CA-_"), "biometrics[0].data", "is not standard base64"},
		"unpadded-base64": {one("face", exchange.FormatEmbedding, "data", "CANAR"), "biometrics[0].data", "is not standard base64"},
		"loose-base64":    {one("face", exchange.FormatEmbedding, "data", "CANARY=="), "biometrics[0].data", "is not standard base64"},
		"folded-base64":   {one("finger", exchange.FormatFinger2005, "data", b64(finger[:30])+"\n"+b64(finger[30:])), "biometrics[0].data", "line break at character 41"},
		"large-data":      {one("finger", exchange.FormatFinger2005, "data", b64(make([]byte, gallery.MaxRecordSize+1))), "biometrics[0]", "is larger than 65536 bytes"},
		"second": {func(m *members) {
			m.biometrics = `"biometrics":[` + biometric("finger", exchange.FormatFinger2005, "data", b64(finger)) + "," +
				biometric("finger", exchange.FormatFinger2005, "data", "CANARY!") + "]"
		}, "biometrics[1].data", "is not standard base64"},

		"other-modality": {one("CANARY", exchange.FormatFinger2005, "data", b64(finger)), "biometrics[0].modality", "must be finger, face, iris or signature"},
		"other-format":   {one("finger", "CANARY", "data", b64(finger)), "biometrics[0].format", "must be iso-19794-2-2005 for finger"},
		"crossed":        {one("face", exchange.FormatFinger2005, "data", b64(finger)), "biometrics[0].format", "must be tamga-embedding-1 for face"},
		"cut-template":   {one("finger", exchange.FormatFinger2005, "data", cut), "biometrics[0]", "iso-19794-2-2005: offset 8: "},
		"other-template": {one("finger", exchange.FormatFinger2005, "data", b64(people.Person(0).FaceReference())), "biometrics[0]", "iso-19794-2-2005: offset 0: "},
		"other-face":     {one("face", exchange.FormatEmbedding, "data", b64(finger)), "biometrics[0]", "tamga-embedding-1: offset 0: "},
		"few-minutiae":   {one("finger", exchange.FormatFinger2005, "data", b64(noMinutiae)), "biometrics[0]", "has too few minutiae to be compared"},

		"file-absent":    {fileNamed("CANARY.iso"), "biometrics[0].file", "is not there, or lies outside the folder"},
		"file-above":     {fileNamed("../CANARYoutside.iso"), "biometrics[0].file", "must be a path below the manifest's folder"},
		"file-dots":      {fileNamed("CANARYsub/../CANARYsub/good.iso"), "biometrics[0].file", "must be a path below"},
		"file-absolute":  {fileNamed("/etc/CANARY"), "biometrics[0].file", "must be a path below"},
		"file-backwards": {fileNamed(`CANARYsub\good.iso`), "biometrics[0].file", "is not there"},
		"file-link-out":  {fileNamed("CANARYlink.iso"), "biometrics[0].file", "is not there, or lies outside"},
		"file-broken":    {fileNamed("CANARYbroken.iso"), "biometrics[0].file", "is not there, or lies outside"},
		"file-folder":    {fileNamed("CANARYsub"), "biometrics[0].file", "is not a regular file"},
		"file-here":      {fileNamed("."), "biometrics[0].file", "is not a regular file"},
		"file-pipe":      {fileNamed("CANARYpipe.iso"), "biometrics[0].file", "is not a regular file"},
		"file-large":     {fileNamed("CANARYlarge.iso"), "biometrics[0]", "is larger than 65536 bytes"},
		"file-empty":     {fileNamed("CANARYempty.iso"), "biometrics[0]", "iso-19794-2-2005: offset 0: "},
	}
	folder := files(t)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := personMembers(t, 0)
			tt.edit(&m)
			e, err := enrol.ParseRecord([]byte(m.line()), "KAZ", folder)
			expectRule(t, err, tt.member, tt.rule)
			if !cmp.Equal(e, gallery.Enrolment{}) {
				t.Error("an enrolment beside the error")
			}
		})
	}
}

// expectRule checks an error and that nothing of the record is in it.
func expectRule(t *testing.T, err error, member, rule string) {
	t.Helper()
	r, ok := errors.AsType[*enrol.RuleError](err)
	if !ok {
		t.Fatalf("got %v, want a RuleError", err)
	}
	if r.Member != member || !strings.Contains(r.Rule, rule) {
		t.Errorf("got %q, want %s: %s", err, member, rule)
	}
	want := protocol.CodeRecord
	if strings.Contains(rule, "offset") || strings.Contains(rule, "minutiae") || strings.Contains(rule, "larger than 65536") {
		want = protocol.CodeTemplate
	}
	if r.Code != want {
		t.Errorf("code %s, want %s", r.Code, want)
	}
	text := fmt.Sprintf("%v %+v %#v", err, err, *r)
	p := people.Person(0)
	marks := append(p.Marks(), "CANARY", "good.iso", "123456789", "САNARY", holderKey(t, 0).KeyID(), b64(p.FingerReference(2))[:12])
	for _, mark := range marks {
		if strings.Contains(text, mark) {
			t.Errorf("%q holds what the record says: %q", text, mark)
		}
	}
}

// fewMinutiae is a finger record with n minutiae.
func fewMinutiae(tb testing.TB, n int) []byte {
	tb.Helper()
	samples, err := exchange.DecodeFinger(people.Person(0).FingerReference(2))
	if err != nil {
		tb.Fatal(err)
	}
	samples[0].Minutiae = samples[0].Minutiae[:n]
	b, err := exchange.EncodeFinger(samples)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestParseRecordFiles(t *testing.T) {
	folder := files(t)
	for _, name := range []string{"CANARYsub/good.iso", "inner.iso"} {
		m := personMembers(t, 0)
		m.biometrics = `"biometrics":[` + biometric("finger", exchange.FormatFinger2005, "file", name) + "]"
		e, err := enrol.ParseRecord([]byte(m.line()), "KAZ", folder)
		if err != nil || len(e.Templates) != 1 || string(e.Templates[0].Data) != string(people.Person(0).FingerReference(2)) {
			t.Errorf("%s: %v, or other bytes", name, err)
		}
		_, err = enrol.ParseRecord([]byte(m.line()), "KAZ", nil)
		expectRule(t, err, "biometrics[0].file", "cannot be used here: send data")
	}
}

func TestParseRecordLoose(t *testing.T) {
	m := personMembers(t, 0)
	want, err := enrol.ParseRecord([]byte(m.line()), "KAZ", nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"space":       "  " + strings.ReplaceAll(m.line(), `,"`, ` , "`) + "\t",
		"other-order": "{" + m.biometrics + "," + m.subject + "," + m.holder + "}",
		"thumbprint":  "{" + m.subject + "," + m.biometrics + `,"holder_jkt":"` + want.Holder + `"}`,
		"class":       strings.Replace(m.line(), "{", `{"class":"",`, 1),
		"spelling":    strings.Replace(m.line(), `"value":"SYN`, `"value":"s-y n`, 1),
	} {
		got, err := enrol.ParseRecord([]byte(text), "KAZ", nil)
		if err != nil || !cmp.Equal(got, want) {
			t.Errorf("%s: %v, or another enrolment", name, err)
		}
	}
}

func TestNewTemplate(t *testing.T) {
	p := people.Person(3)
	for position := range uint8(11) {
		tpl, _, err := enrol.NewTemplate("here", "finger", exchange.FormatFinger2005, p.FingerReference(position))
		if err != nil || tpl.Position != position {
			t.Errorf("position %d: %d, %v", position, tpl.Position, err)
		}
	}
	tpl, _, err := enrol.NewTemplate("here", "face", exchange.FormatEmbedding, p.FaceReference())
	if err != nil || tpl.Position != 0 || string(tpl.Data) != string(p.FaceReference()) {
		t.Errorf("face: %v, or other bytes", err)
	}
	_, _, err = enrol.NewTemplate("here", "finger", exchange.FormatFinger2005, nil)
	if r, ok := errors.AsType[*enrol.RuleError](err); !ok || r.Member != "here" || r.Code != protocol.CodeTemplate {
		t.Errorf("no bytes: %v", err)
	}
}

// FuzzParseRecord: on error nothing is enrolled, and what is accepted is, written
// again, read as the same.
func FuzzParseRecord(f *testing.F) {
	f.Add([]byte(personLine(f, 0)))
	f.Add([]byte(manyLines(1, 2)))
	for _, seed := range []string{
		"", "{}", "null", "[]", `{"subject":{}}`, `{"subject":{"type":"passport","value":"A"},"biometrics":[{}]}`,
		`{"subject":{"type":"national_number","value":"A"},"biometrics":[{"modality":"finger","format":"iso-19794-2-2005","file":"a.iso"}]}`,
		`{"subject":{"type":"passport","value":"A"},"holder_key":null,"biometrics":[]}`,
		`{"subject":{"type":"passport","value":"A"},"absent":[{"modality":"finger","position":3,"reason":"amputated"},{"modality":"face","reason":"not_captured"}]}`,
		`{"subject":{"type":"passport","value":"A"},"holder_jkt":"` + base64.RawURLEncoding.EncodeToString(make([]byte, 32)) +
			`","biometrics":[{"modality":"face","format":"tamga-embedding-1","data":"` + b64(people.Person(0).FaceReference()) + `"}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := enrol.ParseRecord(text, "KAZ", nil)
		if err != nil {
			if _, ok := errors.AsType[*enrol.RuleError](err); !ok || !cmp.Equal(e, gallery.Enrolment{}) {
				t.Fatalf("%v, or an enrolment beside it", err)
			}
			return
		}
		again, err := json.Marshal(enrol.RecordOf(e))
		if err != nil {
			t.Fatal(err)
		}
		if len(again) > jose.MaxTokenSize {
			t.Skip("spelled out it is longer than a line may be")
		}
		back, err := enrol.ParseRecord(again, "KAZ", nil)
		if err != nil || !cmp.Equal(e, back) {
			t.Fatalf("written again: %v, or another enrolment", err)
		}
	})
}
