package canary_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/exchange/iriscode"
	"github.com/tamga-id/tamga/matcher/exchange/signature2007"
	"github.com/tamga-id/tamga/matcher/synth"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/demo"
	"github.com/tamga-id/tamga/node/founding"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/keys"
	"github.com/tamga-id/tamga/node/keystore"
	"github.com/tamga-id/tamga/node/registrar"
	"github.com/tamga-id/tamga/node/rotation"
)

const stolenPassphrase = "correct horse battery staple"

// theft is a node whose folder is stolen.
type theft struct {
	t      *testing.T
	cast   *cast
	top    string // everything that is stolen: the node's folder, backups of it and their key escrows
	dir    string
	marked map[string][]byte // of each kind of mark, something that has it
}

// TestStolenDisk enrols people with a face, a finger, an iris and a signature, erases some, renews
// keys and backs up, and searches every byte of what is on the disk, as the node runs and when it is
// down, for every mark of them and for every key, in every encoding. With -v it says what was
// searched for, and where.
func TestStolenDisk(t *testing.T) {
	s := newTheft(t)
	const enrolled = 12
	r := s.open()
	var batch []gallery.Enrolment
	for i := range enrolled {
		batch = append(batch, s.enrolment(i))
	}
	results, err := r.Enrol(t.Context(), batch)
	s.must(err)
	for _, result := range results {
		s.must(result.Err)
	}
	for i := range 3 {
		_, err := r.Erase(t.Context(), batch[i].Subject)
		s.must(err)
	}
	s.backup(r, "running.backup")
	s.keys("before")
	s.search("running")
	s.must(r.Close())
	s.rotate()
	r = s.open()
	s.backup(r, "rotated.backup")
	s.must(r.Close())
	s.keys("after")
	s.plant()
	s.search("down")
}

func newTheft(t *testing.T) *theft {
	t.Helper()
	s := &theft{t: t, cast: newCast(t), top: t.TempDir(), marked: make(map[string][]byte)}
	s.dir = filepath.Join(s.top, "kaz")
	key, err := jose.GenerateKey()
	s.must(err)
	_, err = founding.Init(founding.Options{Dir: s.dir, EntityID: "https://kaz.example", Jurisdiction: "KAZ", Name: "Office", Listen: "127.0.0.1:0", API: "127.0.0.1:0",
		Anchor:     trust.Anchor{EntityID: "https://anchor.example", Keys: jose.NewKeySet(key.Public()), Location: "http://127.0.0.1:1"},
		Passphrase: []byte(stolenPassphrase), Custody: custody.TestParams(), Now: time.Now})
	s.must(err)
	s.text("passphrase", "the office", stolenPassphrase)
	return s
}

func (s *theft) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *theft) open() *registrar.Registrar {
	s.t.Helper()
	r, err := registrar.Open(s.t.Context(), filepath.Join(s.dir, node.ConfigFile), []byte(stolenPassphrase))
	s.must(err)
	return r
}

func (s *theft) text(kind, who, value string) {
	s.cast.mark(kind, who, textForms(value))
	s.marked[kind] = []byte(value)
}

// bytes marks windows of data.
func (s *theft) bytes(kind, who string, data []byte) {
	for at := 0; at+16 <= len(data); at += 61 {
		s.cast.mark(kind, who, bytesForms(data[at:at+16]))
	}
	s.marked[kind] = bytes.Clone(data)
}

// enrolment is a person with everything that a node enrols, all of it marked.
func (s *theft) enrolment(i int) gallery.Enrolment {
	s.t.Helper()
	p := s.cast.person("KAZ", i)
	who := name(p)
	s.marked["passport number"], s.marked["family name"], s.marked["national number"] = []byte(p.PassportNumber), []byte(p.FamilyName), []byte(p.NationalNumber)
	seed := p.HolderSeed()
	key, err := jose.NewPrivateKey(seed[:])
	s.must(err)
	s.marked["holder key thumbprint"] = []byte(key.Public().KeyID())
	s.marked["face reference"], s.marked["finger reference"] = p.FaceReference(), p.FingerReference(demo.EnrolledFinger)
	id := pseudonym.Identifier{Jurisdiction: "KAZ", Type: pseudonym.IDPassport, Value: p.PassportNumber}
	s.text("canonical identifier", who, string(id.Canonical()))
	iris := s.iris(p, who)
	signature, err := signature2007.Encode(p.SignatureCapture(1))
	s.must(err)
	s.bytes("signature reference", who, signature[len(signature)/4:])
	return gallery.Enrolment{Subject: id, Holder: key.Public().KeyID(), Batch: "abcdefgh23456722", Templates: []gallery.Template{
		{Modality: "face", Format: exchange.FormatEmbedding, Data: p.FaceReference()},
		{Modality: "finger", Format: exchange.FormatFinger2005, Position: demo.EnrolledFinger, Data: p.FingerReference(demo.EnrolledFinger)},
		{Modality: "iris", Format: exchange.FormatIris, Position: 2, Data: iris},
		{Modality: "signature", Format: exchange.FormatSignature2007, Data: signature},
	}}
}

func (s *theft) iris(p synth.Person, who string) []byte {
	i := p.IrisReference(0)
	c := iriscode.Code{Profile: "p-1", Eye: 2}
	copy(c.Sample.Code[:], i.Code())
	copy(c.Sample.Mask[:], i.Mask())
	record, err := c.Encode()
	s.must(err)
	s.bytes("iris reference", who, i.Code())
	return record
}

// keys marks every secret of the keystore: who finds one on the disk needs no passphrase.
func (s *theft) keys(when string) {
	s.t.Helper()
	root, err := custody.Open(keystore.RootFile(s.dir), []byte(stolenPassphrase))
	s.must(err)
	defer root.Wipe()
	secrets, err := custody.OpenKeystore(filepath.Join(s.dir, "keystore.json"), root)
	s.must(err)
	for _, name := range secrets.Names() {
		secret, err := secrets.Secret(name)
		s.must(err)
		// Numbers of generations are no secrets, and tokens lie in files of their own.
		if len(secret) >= 32 && !strings.Contains(name, "token") {
			s.cast.mark("secret of the keystore", name+" "+when, bytesForms(secret[len(secret)-16:]))
			s.marked["secret of the keystore"] = secret[len(secret)-16:]
		}
	}
}

func (s *theft) rotate() {
	s.t.Helper()
	root, err := custody.Open(keystore.RootFile(s.dir), []byte(stolenPassphrase))
	s.must(err)
	defer root.Wipe()
	_, err = rotation.PrepareKey(s.dir, keystore.Roots{Node: root}, keys.KEK)
	s.must(err)
	_, err = rotation.ActivateKey(s.dir, keystore.Roots{Node: root}, keys.KEK, time.Now())
	s.must(err)
	_, err = rotation.RetireKey(s.t.Context(), filepath.Join(s.dir, node.ConfigFile), keystore.Roots{Node: root}, keys.KEK, nil)
	s.must(err)
}

func (s *theft) backup(r *registrar.Registrar, name string) {
	s.t.Helper()
	var to []string
	for range 2 {
		id, err := age.GenerateX25519Identity()
		s.must(err)
		to = append(to, id.Recipient().String())
	}
	f, err := os.Create(filepath.Join(s.top, name))
	s.must(err)
	_, err = node.SourceOf(r).BackUp(s.t.Context(), f, to, nil)
	s.must(errors.Join(err, f.Close()))
	keys, _, err := node.SourceOf(r).Escrow(s.t.Context(), to)
	s.must(errors.Join(err, custody.WriteFile(filepath.Join(s.top, name+".tamga-escrow"), keys)))
}

// plant makes a file for each kind of mark that has it, twice encoded.
func (s *theft) plant() {
	for kind, b := range s.marked {
		text := base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "{%q: %q}", "x", base64.StdEncoding.EncodeToString(b)))
		s.must(os.WriteFile(filepath.Join(s.top, control+" "+kind), slices.Concat(noise(100), []byte("\n"+text+"\n"), noise(100)), 0o600))
	}
}

// search looks for everything in every file.
func (s *theft) search(when string) {
	s.t.Helper()
	find := newSearcher(s.cast.all())
	var report strings.Builder
	files, planted := 0, make(map[string]bool)
	s.must(filepath.WalkDir(s.top, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		hits, size, err := find.file(path)
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(s.top, path)
		if kind, ok := strings.CutPrefix(name, control+" "); ok {
			planted[kind] = slices.ContainsFunc(hits, func(h hit) bool { return h.mark.kind == kind })
			return nil
		}
		for _, h := range hits {
			s.t.Errorf("%s: %s at byte %d: %s, %s%s", when, name, h.offset, h.mark, h.needle.encoding, h.layer)
		}
		files++
		fmt.Fprintf(&report, "\n  %10d bytes  %s", size, name)
		return nil
	}))
	if files < 15 {
		s.t.Errorf("%s: only %d files were searched", when, files)
	}
	for kind, found := range planted {
		if !found {
			s.t.Errorf("%s: a planted %s was not found: nothing would be", when, kind)
		}
	}
	marks, encodings := make(map[string]int), make(map[string]int)
	for _, n := range find.needles {
		marks[find.marks[n.mark].kind]++
		encodings[n.encoding]++
	}
	s.t.Logf("%s: %d needles of %d marks, raw and up to three layers of base64 and hex down; files:%s\n needles by mark: %s\n needles by encoding: %s\n planted and found: %d kinds",
		when, len(find.needles), len(find.marks), report.String(), counts(marks), counts(encodings), len(planted))
}

func counts(m map[string]int) string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, fmt.Sprintf("%s %d", k, m[k]))
	}
	return strings.Join(out, ", ")
}
