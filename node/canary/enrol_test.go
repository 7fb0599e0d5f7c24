package canary_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/face"
	"github.com/tamga-id/tamga/matcher/synth"
	"github.com/tamga-id/tamga/node/demo"
	"github.com/tamga-id/tamga/node/enrol"
	"github.com/tamga-id/tamga/node/gallery"
)

// line is a person's manifest record.
func (s *stage) line(p synth.Person) []byte {
	s.cast.person(p.Jurisdiction, p.Index)
	e, err := demo.Enrolment(p)
	s.must(err)
	b, err := json.Marshal(enrol.RecordOf(e))
	s.must(err)
	return b
}

// manifest is one good line for each person.
func (s *stage) manifest(country string, people ...int) []byte {
	var out []byte
	for _, i := range people {
		out = append(append(out, s.line(s.cast.person(country, i))...), '\n')
	}
	return out
}

// badLines are records that break one rule each, full of a person's marks.
func (s *stage) badLines(country string, i int) []byte {
	p := s.cast.person(country, i)
	good := string(s.line(p))
	templates := strings.Index(good, `"biometrics"`)
	edit := func(old, new string) string { return strings.Replace(good, old, new, 1) }
	record := p.FingerReference(demo.EnrolledFinger)
	data := func(b []byte) string {
		return fmt.Sprintf(`{"subject":{"type":"passport","value":%q},"biometrics":[{"modality":"finger","format":%q,"data":%q}]}`,
			p.PassportNumber, exchange.FormatFinger2005, base64.StdEncoding.EncodeToString(b))
	}
	wrong := bytes.Clone(record)
	wrong[9] ^= 1 // length of the record
	few := s.cast.record("finger record of two minutiae", name(p), s.twoMinutiae(p))
	lines := []string{
		p.FamilyName + " " + p.GivenName + " " + p.PassportNumber,
		`"` + p.PassportNumber + `"`,
		good + p.PassportNumber,
		good[:len(good)-3],
		edit(`"passport"`, `"`+p.PassportNumber+`"`),
		edit(p.PassportNumber, p.FamilyName+", "+p.GivenName+": "+p.NationalNumber),
		edit(p.PassportNumber, "\u0421"+p.PassportNumber),
		edit(`"face"`, `"`+p.FamilyName+`"`),
		edit(exchange.FormatEmbedding, p.NationalNumber),
		edit(`"subject"`, `"`+p.NationalNumber+`":1,"subject"`),
		edit(`"subject"`, `"subject":{"type":"passport","value":"`+p.NationalNumber+`"},"subject"`),
		edit(`"value"`, `"Value"`),
		edit(`"holder_jkt":"`, `"holder_jkt":"`+p.PassportNumber),
		edit(`"holder_jkt":"`, `"holder_key":{"kty":"OKP","crv":"Ed25519","x":"`+p.PassportNumber+`"},"holder_jkt":"`),
		good[:templates] + `"biometrics":[]}`,
		good[:templates] + `"biometrics":"` + p.NationalNumber + `"}`,
		edit(`"data":"`, `"data":"`+p.PassportNumber+`!`),
		edit(`"data":"`, `"file":"`+p.PassportNumber+`.emb","data":"`),
		fmt.Sprintf(`{"subject":{"type":"passport","value":%q},"biometrics":[{"modality":"face","format":%q,"file":"../%s.emb"}]}`,
			p.PassportNumber, exchange.FormatEmbedding, p.NationalNumber),
		fmt.Sprintf(`{"subject":{"type":"passport","value":%q},"biometrics":[{"modality":"face","format":%q,"file":"%s.emb"}]}`,
			p.PassportNumber, exchange.FormatEmbedding, p.NationalNumber),
		data(record[:len(record)-5]), data(record[7:]), data(wrong), data(few), data([]byte(p.PassportNumber)),
		data(append(bytes.Clone(record), p.NationalNumber...)),
		edit(`"value":"`, `"value":`+strings.Repeat(`"`+p.PassportNumber, 20)),
		strings.Repeat(good, 60),
	}
	return []byte(strings.Join(lines, "\n") + "\n")
}

// twoMinutiae is a finger record with too little detail to be compared.
func (s *stage) twoMinutiae(p synth.Person) []byte {
	samples, err := exchange.DecodeFinger(p.FingerProbe(demo.EnrolledFinger, 9))
	s.must(err)
	samples[0].Minutiae = samples[0].Minutiae[:2]
	b, err := exchange.EncodeFinger(samples[:1])
	s.must(err)
	return b
}

// importOffline imports into a node that is not running, the way a first enrolment goes.
func (s *stage) importOffline() {
	dir := s.fed.Members["KGZ"].Dir
	args := func(file, format string) []string {
		return []string{"enrol", "import", "--dir", dir, "--passphrase-file", "passphrase", "-o", format, file}
	}
	good := s.write(s.input, "good.ndjson", s.manifest("KGZ", 20, 21, 22))
	s.run("enrol import, offline", 0, nil, args(good, "json")...)
	bad := s.write(s.input, "bad.ndjson", append(s.badLines("KGZ", 23), s.manifest("KGZ", 24)...))
	for _, format := range []string{"table", "json", "ndjson"} {
		s.run("enrol import of bad records, offline", 1, nil, append(args(bad, format), "--restart")...)
	}
	// A folder whose file names are identifiers, one of them of a broken template.
	folder := filepath.Join(s.input, "templates")
	s.must(os.Mkdir(folder, 0o700))
	for i := 25; i < 28; i++ {
		p := s.cast.person("KGZ", i)
		record := p.FingerReference(demo.EnrolledFinger)
		s.write(folder, p.NationalNumber+"_1.iso", record[:len(record)-btoi(i == 27)])
	}
	p := s.cast.person("KGZ", 28)
	s.write(folder, p.GivenName+" "+p.FamilyName+".iso", p.FingerReference(demo.EnrolledFinger))
	for _, format := range []string{"table", "json"} {
		s.run("enrol import of a folder", 1, nil, append(args(folder, format), "--restart")...)
	}
	wrong := s.write(s.input, "wrong-passphrase", []byte("not the one\n"))
	s.run("enrol import, wrong passphrase", 8, nil, "enrol", "import", "--dir", dir, "--passphrase-file", wrong, good)
}

// enrolments fills galleries of running nodes: directly, over HTTP, with the command.
func (s *stage) enrolments() {
	s.enrolDirectly()
	kaz, uzb := s.targetOf(s.kaz.dir), s.targetOf(s.uzbDir)
	const path, media = "/v1/enrolments", "application/x-ndjson"
	s.call("enrolment", s.request(kaz, "POST", path, media, s.manifest("KAZ", 20, 21, 22)))
	s.call("bad enrolment", s.request(kaz, "POST", path, media, s.badLines("KAZ", 23)))
	for i, line := range bytes.Split(s.badLines("KAZ", 24), []byte("\n")) {
		s.call(fmt.Sprintf("bad enrolment %d", i), s.request(kaz, "POST", path, media, line))
		_, err := enrol.ParseRecord(line, "KAZ", os.DirFS(s.input))
		s.out.err("parsing a manifest record", err)
	}
	s.call("enrolment, running process", s.request(uzb, "POST", path, media, s.manifest("UZB", 20)))
	good := s.write(s.input, "good-uzb.ndjson", s.manifest("UZB", 21, 22))
	bad := s.write(s.input, "bad-uzb.ndjson", s.badLines("UZB", 23))
	s.run("enrol import", 0, nil, "enrol", "import", "--dir", s.uzbDir, good)
	s.run("enrol import of bad records", 1, nil, "enrol", "import", "--dir", s.uzbDir, "-o", "ndjson", bad)
}

// enrolDirectly uses the gallery below every surface, rules that only it checks included.
func (s *stage) enrolDirectly() {
	p, q := s.cast.person("KAZ", 30), s.cast.person("KAZ", 31)
	good, err := demo.Enrolment(p)
	s.must(err)
	other, err := demo.Enrolment(p)
	s.must(err)
	key, err := demo.HolderKey(q)
	s.must(err)
	other.Holder = key.Public().KeyID()
	none, err := demo.Enrolment(q)
	s.must(err)
	none.Templates = nil
	large, err := demo.Enrolment(q)
	s.must(err)
	large.Templates[0].Data = bytes.Repeat(large.Templates[0].Data, 200)
	nobody, err := demo.Enrolment(q)
	s.must(err)
	nobody.Subject.Value = q.FamilyName + "/" + q.PassportNumber
	for name, e := range map[string]gallery.Enrolment{"good": good, "again": good, "other holder": other, "nothing": none, "large": large, "nobody": nobody} {
		results, err := s.kaz.node.Enrol(s.ctx, []gallery.Enrolment{e})
		s.out.err("enrolling "+name, err)
		for _, r := range results {
			s.out.err("enrolling "+name, r.Err)
			s.out.result("enrolling "+name, r)
		}
	}
	ended, cancel := context.WithCancel(s.ctx)
	cancel()
	_, err = s.kaz.node.Enrol(ended, []gallery.Enrolment{good})
	s.out.err("enrolling after the end", err)

	// Somebody with a face of another model, and a holder key in full.
	r := s.cast.person("KGZ", 32)
	e, err := demo.Enrolment(r)
	s.must(err)
	e.Templates = e.Templates[1:]
	e.Templates = append(e.Templates, gallery.Template{Modality: "face", Format: exchange.FormatEmbedding, Data: s.otherModel(r)})
	_, err = s.kgz.node.Enrol(s.ctx, []gallery.Enrolment{e})
	s.must(err)
	// Somebody with a finger only.
	f := s.cast.person("KGZ", 33)
	if e, err = demo.Enrolment(f); err == nil {
		e.Templates = e.Templates[1:]
		_, err = s.kgz.node.Enrol(s.ctx, []gallery.Enrolment{e})
	}
	s.must(err)
}

// otherModel is a person's face as another model would give it: the same values
// under another name, so that the marks are the same.
func (s *stage) otherModel(p synth.Person) []byte {
	e, err := exchange.ParseEmbedding(p.FaceReference())
	s.must(err)
	b, err := exchange.EncodeEmbedding(face.ModelMobileFaceNet, e.Values)
	s.must(err)
	return s.cast.record("face reference of another model", name(p), b)
}

// importCutOff leaves the checkpoint of an import that did not end.
func (s *stage) importCutOff() {
	var manifest []byte
	for range 60 {
		manifest = append(manifest, s.manifest("KAZ", 20, 21, 22, 30, 34)...)
	}
	path := s.write(s.input, "cut.ndjson", manifest)
	src, err := enrol.Manifest(path, nil, "KAZ")
	s.must(err)
	checkpoint := filepath.Join(s.kaz.dir, "data", "imports", "cut.json")
	report := func(o enrol.Outcome) { s.out.result("outcome of an import", o) }
	totals, err := enrol.Import(s.ctx, src, &broken{sink: s.kaz.node}, enrol.Options{Checkpoint: checkpoint, Report: report})
	s.out.err("importing", err)
	s.out.result("totals of an import", totals)
	if _, statErr := os.Stat(checkpoint); err == nil || statErr != nil {
		s.t.Errorf("the import left no checkpoint: %v, %v", err, statErr)
	}
}

// broken fails at the second batch.
type broken struct {
	sink    enrol.Sink
	batches int
}

func (b *broken) Enrol(ctx context.Context, batch []gallery.Enrolment) ([]gallery.Result, error) {
	if b.batches++; b.batches > 1 {
		return nil, errors.New("the disk is full")
	}
	return b.sink.Enrol(ctx, batch)
}

// jwk is a person's public key as a manifest may carry it.
func (s *stage) jwk(p synth.Person) string {
	key, err := demo.HolderKey(p)
	s.must(err)
	var public jose.PublicKey = key.Public()
	b, err := json.Marshal(public)
	s.must(err)
	return string(b)
}
