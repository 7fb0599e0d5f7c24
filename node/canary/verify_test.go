package canary_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math"
	"regexp"
	"strings"
	"time"

	"github.com/tamga-id/tamga/credentials/consent"
	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/synth"
	"github.com/tamga-id/tamga/node/demo"
	"github.com/tamga-id/tamga/node/requester"
)

// consent is what p's wallet signs, after edit.
func (s *stage) consent(p synth.Person, asker, purpose string, edit func(*consent.Consent)) string {
	key, err := demo.HolderKey(s.cast.person(p.Jurisdiction, p.Index))
	s.must(err)
	now := time.Now().Truncate(time.Second)
	c := consent.Consent{ID: "jti-" + p.NationalNumber, Requester: demo.EntityID(asker), Controller: demo.EntityID(p.Jurisdiction),
		Purpose: purpose, Modalities: []string{"face", "finger"}, IssuedAt: now, ExpiresAt: now.Add(time.Hour), Notice: consent.NoticeOf([]byte("Your samples are compared."), "en")}
	if edit != nil {
		edit(&c)
	}
	token, err := consent.Issue(key, c)
	s.must(err)
	return s.cast.consent(name(p), token)
}

// verifications ends in every outcome that a person's record and capture can bring about.
func (s *stage) verifications() {
	kaz, kgz, uzb := s.targetOf(s.kaz.dir), s.targetOf(s.kgz.dir), s.targetOf(s.uzbDir)
	of := func(country string, i int) synth.Person { return s.cast.person(country, i) }

	a, b := of("KGZ", 1), of("KGZ", 2)
	face, finger := s.cast.face(a, 1), s.cast.finger(b, 1)
	s.cast.scored(name(a), face, a.FaceReference())
	s.cast.scored(name(b), finger, b.FingerReference(demo.EnrolledFinger))
	s.ask("matched by face", kaz, s.about(a, withFace(face)), "TMG-VER-0001")
	s.ask("matched by finger", kaz, s.about(b, withFinger(finger)), "TMG-VER-0001")
	s.ask("matched by both", kaz, s.about(a, withFace(face), withFinger(s.cast.finger(a, 2))), "TMG-VER-0001")
	s.cast.scored(name(a), face, b.FaceReference())
	s.cast.scored(name(a), s.cast.finger(a, 2), b.FingerReference(demo.EnrolledFinger))
	s.ask("not matched by face", kaz, s.about(b, withFace(face)), "TMG-VER-0002")
	s.ask("not matched by finger", kaz, s.about(b, withFinger(s.cast.finger(a, 2))), "TMG-VER-0002")
	for i := 3; i < 7; i++ {
		p := of("UZB", i)
		s.cast.scored(name(p), s.cast.face(p, 1), p.FaceReference())
		s.ask("matched in another process", kaz, s.about(p, withFace(s.cast.face(p, 1))), "TMG-VER-0001")
		p = of("KGZ", i)
		s.cast.scored(name(p), s.cast.finger(p, 1), p.FingerReference(demo.EnrolledFinger))
		s.ask("asked by another process", uzb, s.about(p, withFinger(s.cast.finger(p, 1))), "TMG-VER-0001")
		p = of("KAZ", i)
		s.ask("the other way round", kgz, s.about(p, withFace(s.cast.face(p, 1))), "TMG-VER-0001")
	}
	imported := of("KGZ", 20)
	s.ask("imported", kaz, s.about(imported, withFace(s.cast.face(imported, 1))), "TMG-VER-0001")
	nobody := of("KGZ", 1_000_000)
	s.ask("unknown", kaz, s.about(nobody, withFace(s.cast.face(nobody, 1))), "TMG-VER-0003")
	s.ask("no reference", kaz, s.about(of("KGZ", 33), withFace(s.cast.face(of("KGZ", 33), 1))), "TMG-VER-0004")
	few := s.cast.record("finger probe of two minutiae", name(a), s.twoMinutiae(a))
	s.ask("inconclusive", kaz, s.about(a, withFinger(few)), "TMG-VER-0005")
	s.ask("another model", kaz, s.about(of("KGZ", 32), withFace(s.cast.face(of("KGZ", 32), 1))), "TMG-VER-0006")
	stranger := of("TJK", 3)
	s.ask("no such peer", kaz, s.about(stranger, withFace(s.cast.face(stranger, 1))), "TMG-NET-0004")

	s.lawAndConsent(kaz)
	s.badProbes(kaz)
	s.directly()
	for _, to := range []target{kaz, kgz, uzb} {
		for path, method := range map[string]string{"/v1/status": "GET", "/v1/ledger/verifications": "POST", "/livez": "GET", "/readyz": "GET", "/openapi.json": "GET"} {
			r := s.request(to, method, path, "", nil)
			r.Body, r.ContentLength = nil, 0
			s.call(method+" "+path, r)
		}
	}
}

// lawAndConsent is refused for every reason that law and consent have.
func (s *stage) lawAndConsent(kaz target) {
	p, other := s.cast.person("KGZ", 7), s.cast.person("KGZ", 8)
	q := s.about(p, withFace(s.cast.face(p, 1)))
	with := func(purpose, basis, consent string) question {
		q := q
		q.Purpose, q.LegalBasis, q.Consent = purpose, basis, consent
		return q
	}
	s.ask("against own law", kaz, with("travel_check_in", "public_task", ""), "TMG-LAW-0002")
	s.ask("against the peer's law", kaz, with("travel_check_in", "consent", s.consent(p, "KAZ", "travel_check_in", nil)), "TMG-LAW-0001")
	const visa = "visa_issuance"
	visit := func(consent string) question { return with(visa, "consent", consent) }
	at := time.Now().Truncate(time.Second)
	s.ask("with consent", kaz, visit(s.consent(p, "KAZ", visa, nil)), "TMG-VER-0001")
	s.ask("consent missing", kaz, visit(""), "TMG-CNS-0001")
	s.ask("consent of nobody", kaz, visit("e30."+base64.RawURLEncoding.EncodeToString([]byte(p.NationalNumber))+".AA"), "TMG-CNS-0002")
	parts := strings.Split(s.consent(p, "KAZ", visa, func(c *consent.Consent) { c.ID = "broken-" + p.PassportNumber }), ".")
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	s.must(err)
	signature[60] ^= 1
	parts[2] = base64.RawURLEncoding.EncodeToString(signature)
	s.ask("consent with a broken signature", kaz, visit(strings.Join(parts, ".")), "TMG-CNS-0002")
	s.ask("consent of another holder", kaz, visit(s.consent(other, "KAZ", visa, nil)), "TMG-CNS-0003")
	s.ask("consent for another purpose", kaz, visit(s.consent(p, "KAZ", "border_control", nil)), "TMG-CNS-0004")
	s.ask("consent to another requester", kaz, visit(s.consent(p, "UZB", visa, nil)), "TMG-CNS-0005")
	s.ask("consent about another controller", kaz, visit(s.consent(p, "KAZ", visa, func(c *consent.Consent) { c.Controller = demo.EntityID("UZB") })), "TMG-CNS-0005")
	s.ask("consent expired", kaz, visit(s.consent(p, "KAZ", visa, func(c *consent.Consent) { c.IssuedAt, c.ExpiresAt = at.Add(-2*time.Hour), at.Add(-time.Hour) })), "TMG-CNS-0006")
	s.ask("consent to another modality", kaz, visit(s.consent(p, "KAZ", visa, func(c *consent.Consent) { c.Modalities = []string{"finger"} })), "TMG-CNS-0007")
	nobody := s.cast.person("KGZ", 1_000_001)
	q = s.about(nobody, withFace(s.cast.face(nobody, 1)))
	s.ask("consent of somebody who is not enrolled", kaz, visit(s.consent(nobody, "KAZ", visa, nil)), "TMG-CNS-0003")
}

// badProbes are records that break their format, each still full of marks.
func (s *stage) badProbes(kaz target) {
	p := s.cast.person("KGZ", 10)
	face, finger := s.cast.face(p, 1), s.cast.finger(p, 1)
	nan := bytes.Clone(face)
	copy(nan[len(nan)-64:], []byte{0, 0, 0xc0, 0x7f})
	length := bytes.Clone(finger)
	length[11]++
	for name, b := range map[string]probe{
		"short face": withFace(face[:len(face)-3]), "long face": withFace(append(bytes.Clone(face), p.PassportNumber...)),
		"face with NaN": withFace(nan), "face as finger": withFinger(face), "finger as face": withFace(finger),
		"short finger": withFinger(finger[:len(finger)-7]), "finger of another length": withFinger(length),
		"finger of text": withFinger([]byte("FMR\x00 20\x00" + p.PassportNumber + p.FamilyName)), "face of text": withFace([]byte("TEMB" + p.NationalNumber)),
	} {
		s.ask(name, kaz, s.about(p, b), "TMG-QRY-0010")
		var err error
		if b.Modality == "face" {
			_, err = exchange.DecodeEmbedding(b.Data)
		} else {
			_, err = exchange.DecodeFinger(b.Data)
		}
		s.out.err("decoding "+name, err)
	}
	unserved := withFace(face)
	unserved.Format = "tamga-embedding-2"
	s.ask("unserved format", kaz, s.about(p, unserved), "TMG-QRY-0013")
}

// directly asks below the HTTP API, where errors are seen as they are.
func (s *stage) directly() {
	p := s.cast.person("KGZ", 11)
	good := requester.Request{Purpose: "border_control", LegalBasis: "public_task", Officer: s.kaz.node.Officer(officer),
		Question: protocol.Question{Subject: demo.Subject(p), Probes: []protocol.Probe{{Modality: "face", Format: exchange.FormatEmbedding, Data: s.cast.face(p, 1)}}}}
	s.cast.scored(name(p), s.cast.face(p, 1), p.FaceReference())
	for name, edit := range map[string]func(*requester.Request){
		"good":         func(*requester.Request) {},
		"subject":      func(r *requester.Request) { r.Question.Subject.Value = p.GivenName + " " + p.FamilyName + "'" },
		"type":         func(r *requester.Request) { r.Question.Subject.Type = p.PassportNumber },
		"jurisdiction": func(r *requester.Request) { r.Question.Subject.Jurisdiction = p.NationalNumber },
		"purpose":      func(r *requester.Request) { r.Purpose = p.PassportNumber },
		"basis":        func(r *requester.Request) { r.LegalBasis = p.NationalNumber },
		"officer":      func(r *requester.Request) { r.Officer = p.FamilyName + " " + p.GivenName },
		"consent":      func(r *requester.Request) { r.Question.Consent = p.PassportNumber },
		"modality":     func(r *requester.Request) { r.Question.Probes[0].Modality = p.PassportNumber },
		"format":       func(r *requester.Request) { r.Question.Probes[0].Format = p.FamilyName },
		"capture":      func(r *requester.Request) { r.Question.Probes[0].Capture = p.FamilyName },
		"no probe":     func(r *requester.Request) { r.Question.Probes = nil },
		"large": func(r *requester.Request) {
			r.Question.Probes[0].Data = bytes.Repeat([]byte(p.PassportNumber), 10_000)
		},
	} {
		r := good
		r.Question.Probes = append([]protocol.Probe(nil), good.Question.Probes...)
		r.Question.Probes[0].Data = s.cast.face(p, 1)
		edit(&r)
		res, err := s.kaz.node.Verify(s.ctx, r)
		s.out.err("asking, "+name, err)
		s.out.result("asking, "+name, res)
		s.out.printed("question, "+name, r.Question)
	}
}

// evidence is what a peer replied, whatever it was: not for the node to leave out.
var evidence = regexp.MustCompile(`"evidence":"(?:[^"\\]|\\.)*"`)

// hostileReplies lets KGZ reply with marks where a reply belongs.
func (s *stage) hostileReplies() {
	p := s.cast.person("KGZ", 8)
	kaz := s.targetOf(s.kaz.dir)
	body, err := json.Marshal(s.about(p, withFace(s.cast.face(p, 2))))
	s.must(err)
	sign := func(typ string, claims any) func([]byte) []byte {
		return func([]byte) []byte {
			payload, err := json.Marshal(claims)
			if err != nil {
				return nil
			}
			token, _ := jose.Sign(s.kgz.signing, typ, payload)
			return []byte(token)
		}
	}
	m := p.PassportNumber
	for name, forge := range map[string]func([]byte) []byte{
		"text":          func([]byte) []byte { return []byte(m + " " + p.FamilyName) },
		"not a token":   func([]byte) []byte { return []byte(m + "." + m + "." + m) },
		"another type":  sign(m, map[string]string{"iss": m}),
		"refusal":       sign(protocol.TypeRefusal, map[string]any{"iss": m, "iat": 1, "query_hash": m, "outcome": m, "code": m}),
		"refusal about": sign(protocol.TypeRefusal, map[string]any{"iss": demo.EntityID("KGZ"), "iat": time.Now().Unix(), "query_hash": m, "outcome": "refused", "code": m}),
		"answer":        sign(protocol.TypeAnswer, map[string]any{"iss": demo.EntityID("KGZ"), "aud": m, "iat": 1, "query_hash": m, "sealed": m}),
		"more claims":   sign(protocol.TypeAnswer, map[string]any{m: m, "iat": math.MaxInt64}),
		"longer":        func(reply []byte) []byte { return append(reply, m...) },
		"empty":         func([]byte) []byte { return nil },
	} {
		s.kgz.forge.Store(&forge)
		s.callBut("hostile reply, "+name, s.request(kaz, "POST", "/v1/verifications", "application/json", body), evidence)
	}
	s.kgz.forge.Store(nil)
}
