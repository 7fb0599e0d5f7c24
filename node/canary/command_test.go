package canary_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/tamga-id/tamga/matcher/synth"
)

// commands runs tamga as officers and operators do, rightly and wrongly.
func (s *stage) commands() {
	p, other := s.cast.person("KGZ", 1), s.cast.person("KGZ", 2)
	s.write(s.input, "face.emb", s.cast.face(p, 1))
	s.write(s.input, "finger.iso", s.cast.finger(p, 1))
	s.write(s.input, "other.emb", s.cast.face(other, 1))
	s.write(s.input, "few.iso", s.cast.record("finger probe of two minutiae", name(p), s.twoMinutiae(p)))
	s.write(s.input, "consent.jwt", []byte(s.consent(p, "KAZ", "visa_issuance", nil)))
	s.write(s.input, "bad.jwt", []byte(p.PassportNumber+"."+p.FamilyName))
	s.write(s.input, "text", []byte(p.NationalNumber+" "+p.FamilyName))
	s.cast.scored(name(p), s.cast.finger(p, 1), p.FingerReference(2))
	s.cast.scored(name(p), s.cast.face(other, 1), p.FaceReference())
	subject := "KGZ:passport:" + p.PassportNumber
	for _, format := range []string{"table", "json", "ndjson"} {
		for _, dir := range []string{s.kaz.dir, s.uzbDir} {
			verify := func(what string, want int, args ...string) {
				s.run("verify, "+what, want, nil, append([]string{"verify", "--dir", dir, "-o", format, "--officer", officer}, args...)...)
			}
			border := []string{"--purpose", "border_control", "--legal-basis", "public_task"}
			ask := func(probe string) []string {
				return append([]string{"--subject", subject, "--probe", probe}, border...)
			}
			verify("matched", 0, ask("face.emb")...)
			verify("not matched", 10, ask("other.emb")...)
			verify("inconclusive", 11, ask("few.iso")...)
			if format != "table" {
				continue
			}
			verify("matched by finger", 0, ask("finger.iso")...)
			verify("refused", 5, "--subject", subject, "--probe", "face.emb", "--purpose", "travel_check_in", "--legal-basis", "consent", "--consent", "consent.jwt")
			verify("consent that is none", 2, "--subject", subject, "--probe", "face.emb", "--purpose", "visa_issuance", "--legal-basis", "consent", "--consent", "bad.jwt")
		}
		s.run("status", 0, nil, "status", "--dir", s.uzbDir, "-o", format)
		s.run("ledger verify, running", 0, nil, "ledger", "verify", "--dir", s.uzbDir, "-o", format)
	}
	s.run("verify, consent", 0, nil, "verify", "--dir", s.kaz.dir, "--subject", subject, "--probe", "face.emb", "--purpose", "visa_issuance",
		"--legal-basis", "consent", "--consent", "consent.jwt")
	s.run("verify, subject on standard input", 0, []byte(subject+"\n"), "verify", "--dir", s.kaz.dir, "--subject", "-", "--probe", "face.emb",
		"--purpose", "border_control", "--legal-basis", "public_task")
}

// slips are command lines with a mark in the wrong place. Somebody will mistype one,
// and what a command says lands in terminals, tickets and journals.
func (s *stage) slips(p synth.Person) {
	m := p.PassportNumber
	subject := "KGZ:passport:" + m
	verify := []string{"verify", "--dir", s.kaz.dir}
	complete := []string{"verify", "--dir", s.kaz.dir, "--purpose", "border_control", "--legal-basis", "public_task"}
	for _, c := range []struct {
		what string
		want int
		args []string
	}{
		{"subject without its flag", 2, append(complete, "--probe", "face.emb", subject)},
		{"two subjects", 2, append(complete, "--probe", "face.emb", "--subject", subject, m)},
		{"subject in another form", 2, append(complete, "--probe", "face.emb", "--subject", m+" "+p.FamilyName)},
		{"subject of another type", 2, append(complete, "--probe", "face.emb", "--subject", "KGZ:"+m+":"+m)},
		{"subject of another country", 2, append(complete, "--probe", "face.emb", "--subject", m+":passport:"+m)},
		{"subject with a bad number", 2, append(complete, "--probe", "face.emb", "--subject", "KGZ:passport:"+p.FamilyName+"/"+m)},
		{"flag that is a mark", 2, append(verify, "--"+m)},
		{"short flag that is a mark", 2, append(verify, "-"+m)},
		{"flag that is a mark, with value", 2, append(verify, "--"+m+"="+p.FamilyName)},
		{"timeout", 2, append(complete, "--timeout", m)},
		{"purpose", 2, append(verify, "--probe", "face.emb", "--subject", subject, "--purpose", m, "--legal-basis", p.FamilyName)},
		{"output", 2, append(complete, "-o", m)},
		{"probe that is not there", 1, append(complete, "--subject", subject, "--probe", m+".emb")},
		{"probe that is text", 2, append(complete, "--subject", subject, "--probe", "text")},
		{"consent that is not there", 1, append(complete, "--subject", subject, "--probe", "face.emb", "--consent", m+".jwt")},
		{"no command", 2, []string{m}},
		{"command and mark", 2, []string{"enrol", m}},
		{"ledger command", 2, []string{"ledger", m}},
		{"help about a mark", 2, []string{"help", m}},
		{"status of a mark", 2, []string{"status", "--dir", s.kaz.dir, m}},
		{"import of two", 2, []string{"enrol", "import", "--dir", s.uzbDir, m + ".ndjson", subject}},
		{"import that is not there", 1, []string{"enrol", "import", "--dir", s.uzbDir, m + ".ndjson"}},
		{"import of a folder without templates", 1, []string{"enrol", "import", "--dir", s.uzbDir, "--glob", m + "*", "templates"}},
		{"import with a bad pattern", 1, []string{"enrol", "import", "--dir", s.uzbDir, "--pattern", "(" + m, "templates"}},
		{"import with another identifier type", 1, []string{"enrol", "import", "--dir", s.uzbDir, "--id-type", m, "templates"}},
		{"restart that is a mark", 2, []string{"enrol", "import", "--dir", s.uzbDir, "--restart=" + m, "good-uzb.ndjson"}},
	} {
		s.run("slip: "+c.what, c.want, nil, c.args...)
	}
}

// down switches KGZ off and asks it. Dialling a node that is gone takes seconds,
// during which other commands run.
func (s *stage) down() {
	s.must(s.kgz.stop())
	p := s.cast.person("KGZ", 3)
	q := s.about(p, withFace(s.cast.face(p, 4)))
	var waiting sync.WaitGroup
	waiting.Go(func() { s.ask("peer down", s.targetOf(s.kaz.dir), q, "TMG-NET-0001") })
	border := []string{"--subject", "KGZ:passport:" + p.PassportNumber, "--probe", "face.emb", "--purpose", "border_control", "--legal-basis", "public_task"}
	waiting.Go(func() {
		s.run("verify, peer down", 7, nil, append([]string{"verify", "--dir", s.uzbDir}, border...)...)
	})
	s.run("verify, own node down", 7, nil, append([]string{"verify", "--dir", s.kgz.dir}, border...)...)
	good := s.write(s.input, "more.ndjson", s.manifest("KGZ", 29))
	s.run("enrol import, after a stop", 0, nil, "enrol", "import", "--dir", s.kgz.dir, "--passphrase-file", "passphrase", good)
	s.slips(s.cast.person("KGZ", 1))
	waiting.Wait()
}

// afterwards audits ledgers of nodes that do not run, one of them edited.
func (s *stage) afterwards() {
	for _, code := range []string{"KAZ", "KGZ", "UZB"} {
		for _, format := range []string{"table", "json"} {
			s.run("ledger verify, "+code, 0, nil, "ledger", "verify", "--dir", s.fed.Members[code].Dir, "-o", format)
		}
	}
	edited := filepath.Join(s.input, "edited")
	s.must(os.CopyFS(edited, os.DirFS(s.kgz.dir)))
	s.must(edit(filepath.Join(edited, "data", "ledger")))
	s.run("ledger verify, edited", 9, nil, "ledger", "verify", "--dir", edited)
	for _, code := range []string{"KAZ", "KGZ", "UZB"} {
		s.leaves(code)
	}
}

// edit flips a bit of an entry on disk.
func edit(dir string) error {
	done := false
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || done || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		at := bytes.Index(b, []byte("border_control"))
		if err != nil || at < 0 {
			return err
		}
		done = true
		b[at] ^= 1
		return os.WriteFile(path, b, 0o600)
	})
}
