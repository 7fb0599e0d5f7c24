package canary_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"regexp"
	"strings"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/crypto/sealing"
	"github.com/tamga-id/tamga/federation/ledger/lognote"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/transport"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/synth"
	"github.com/tamga-id/tamga/node/demo"
)

// line is somebody with KAZ's keys and KAZ's connection, on the way to KGZ.
type line struct {
	s     *stage
	peer  trust.Node
	reply sealing.PrivateKey
}

// insider sends Queries that no node would, and opens the replies itself.
func (s *stage) insider() {
	peer, err := s.kaz.node.Peer("KGZ")
	s.must(err)
	reply, err := sealing.GenerateKey()
	s.must(err)
	l := &line{s, peer, reply}
	p, q := s.cast.person("KGZ", 5), s.cast.person("KGZ", 6)
	s.cast.scored(name(p), s.cast.face(p, 3), p.FaceReference())
	s.cast.scored(name(q), s.cast.face(p, 3), q.FaceReference())
	about := func(p synth.Person, data []byte) protocol.Question {
		return protocol.Question{Subject: demo.Subject(p), Probes: []protocol.Probe{{Modality: "face", Format: exchange.FormatEmbedding, Data: data}}}
	}
	good := about(p, s.cast.face(p, 3))

	sent := l.ask("matched", good, nil, "TMG-VER-0001")
	l.send("replayed", sent, "TMG-QRY-0006")
	l.ask("not matched", about(q, s.cast.face(p, 3)), nil, "TMG-VER-0002")
	l.ask("unknown", about(s.cast.person("KGZ", 1_000_002), s.cast.face(p, 3)), nil, "TMG-VER-0003")
	l.ask("subject of another country", about(s.cast.person("UZB", 5), s.cast.face(p, 3)), nil, "TMG-QRY-0014")
	l.ask("malformed probe", about(p, []byte("TEMB"+p.PassportNumber)), nil, "TMG-QRY-0010")
	l.ask("wrong audience", good, func(e *protocol.Envelope) { e.Audience = demo.EntityID("UZB") }, "TMG-QRY-0003")
	l.ask("non-member", good, func(e *protocol.Envelope) { e.Issuer = "https://" + strings.ToLower(p.PassportNumber) + ".example" }, "TMG-TRU-0001")
	l.ask("another member", good, func(e *protocol.Envelope) { e.Issuer = demo.EntityID("UZB") }, "TMG-TRU-0003")
	l.ask("expired", good, func(e *protocol.Envelope) {
		e.IssuedAt, e.ExpiresAt = e.IssuedAt.Add(-time.Hour), e.ExpiresAt.Add(-time.Hour)
	}, "TMG-QRY-0004")
	l.ask("long-lived", good, func(e *protocol.Envelope) { e.ExpiresAt = e.ExpiresAt.Add(time.Hour) }, "TMG-QRY-0005")
	l.ask("issued before the start", good, func(e *protocol.Envelope) {
		e.IssuedAt, e.ExpiresAt = e.IssuedAt.Add(-50*time.Second), e.IssuedAt.Add(5*time.Second)
	}, "TMG-QRY-0011")
	l.ask("search", good, func(e *protocol.Envelope) { e.Operation = "identify" }, "TMG-LAW-0001")
	l.ask("search for a life, turned off", good, func(e *protocol.Envelope) {
		e.Operation, e.Purpose, e.LegalBasis = "identify", "humanitarian_aid", "vital_interest"
	}, "TMG-QRY-0007")
	at := bytes.LastIndexByte(sent, '.') + 10
	flipped := bytes.Clone(sent)
	if flipped[at] = 'A'; sent[at] == 'A' {
		flipped[at] = 'B'
	}
	l.send("broken signature", flipped, "TMG-QRY-0002")
	l.otherKey(good)
	l.garbage(p)
	s.strangers(peer, sent, p)
}

// ask seals and signs a Query after edit, sends it and returns the frame.
func (l *line) ask(name string, q protocol.Question, edit func(*protocol.Envelope), code string) []byte {
	now := time.Now().Truncate(time.Second)
	e := protocol.Envelope{Issuer: demo.EntityID("KAZ"), Audience: demo.EntityID("KGZ"), IssuedAt: now, ExpiresAt: now.Add(protocol.MaxLifetime),
		ID: jti(), Purpose: "border_control", LegalBasis: "public_task", Operation: protocol.OperationVerify, Officer: "nobody"}
	if edit != nil {
		edit(&e)
	}
	p, err := protocol.AskExactly(e, q, l.peer.SealingKeys[0], l.s.kaz.signing, l.reply)
	l.s.must(err)
	reply := l.send(name, p.Frame, code)
	v, err := lognote.NewVerifier(l.peer.LedgerOrigin, l.peer.LedgerKeys)
	l.s.must(err)
	a, err := p.Reply(reply, protocol.Peer{Entity: string(l.peer.EntityID), Keys: l.peer.SigningKeys, Ledger: v}, time.Now())
	l.s.out.err("reading a reply, "+name, err)
	l.s.out.result("answer, "+name, a)
	return p.Frame
}

func jti() string {
	sum := sha256.Sum256([]byte(time.Now().String()))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// send sends a frame over KAZ's connection, opens the reply and demands a code.
func (l *line) send(name string, frame []byte, code string) []byte {
	l.s.t.Helper()
	reply, err := l.s.kaz.node.Exchange(l.s.ctx, l.peer, transport.ProtocolQuery, frame)
	l.s.out.err("sending "+name, err)
	l.s.out.add(onFrame, "reply to "+name, reply)
	if got := l.open(name, reply); code != "" && !bytes.Contains(got, []byte(code)) {
		l.s.t.Errorf("%s: the reply does not hold %s (%v)", name, code, err)
	}
	return reply
}

// open returns what a reply says: the claims of a Refusal, or what is sealed in an
// Answer (PROTOCOL.md section 4), whose bytes nobody but the asker sees.
func (l *line) open(name string, reply []byte) []byte {
	parts := strings.Split(string(reply), ".")
	if len(parts) != 3 {
		return nil
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	l.s.must(err)
	var w struct {
		Iss, Aud, Sealed string
		Iat              int64
		Hash             string `json:"query_hash"`
	}
	l.s.must(json.Unmarshal(payload, &w))
	if w.Sealed == "" {
		return payload
	}
	claims, err := cbor.Marshal([]any{"tamga/v1/answer-aad", w.Iss, w.Aud, w.Iat, w.Hash})
	l.s.must(err)
	aad := sha256.Sum256(claims)
	sealed, err := base64.RawURLEncoding.DecodeString(w.Sealed)
	l.s.must(err)
	plain, err := l.reply.Open([]byte("tamga/v1/answer"), aad[:], sealed)
	l.s.must(err)
	l.s.out.add(onAnswer, name, plain)
	return plain
}

// otherKey seals to a key that KGZ does not have, and to KGZ's with other claims.
func (l *line) otherKey(q protocol.Question) {
	key, err := sealing.GenerateKey()
	l.s.must(err)
	own := l.peer
	l.peer.SealingKeys = []sealing.PublicKey{key.Public()}
	l.ask("sealed to another key", q, nil, "TMG-QRY-0008")
	l.peer = own
	now := time.Now().Truncate(time.Second)
	e := protocol.Envelope{Issuer: demo.EntityID("KAZ"), Audience: demo.EntityID("KGZ"), IssuedAt: now, ExpiresAt: now.Add(30 * time.Second),
		ID: jti(), Purpose: "border_control", LegalBasis: "public_task", Operation: protocol.OperationVerify, Officer: "nobody"}
	p, err := protocol.AskExactly(e, q, l.peer.SealingKeys[0], l.s.kaz.signing, l.reply)
	l.s.must(err)
	l.send("claims changed under the seal", l.resign(p.Frame, func(c map[string]any) { c["officer"] = "somebody" }), "TMG-QRY-0008")
}

// resign signs a frame's claims again after edit.
func (l *line) resign(frame []byte, edit func(map[string]any)) []byte {
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(string(frame), ".")[1])
	l.s.must(err)
	var claims map[string]any
	dec := json.NewDecoder(bytes.NewReader(payload))
	dec.UseNumber()
	l.s.must(dec.Decode(&claims))
	edit(claims)
	payload, err = json.Marshal(claims)
	l.s.must(err)
	token, err := jose.Sign(l.s.kaz.signing, protocol.TypeQuery, payload)
	l.s.must(err)
	return []byte(token)
}

// garbage is frames that are no Queries, and Queries whose clear claims hold marks
// where no mark belongs; what KGZ makes of them is KGZ's to keep clean.
func (l *line) garbage(p synth.Person) {
	m := p.PassportNumber
	frame := l.ask("to be changed", protocol.Question{Subject: demo.Subject(p),
		Probes: []protocol.Probe{{Modality: "face", Format: exchange.FormatEmbedding, Data: l.s.cast.face(p, 3)}}}, nil, "TMG-VER-0001")
	for _, claim := range []string{"rev", "iss", "aud", "iat", "exp", "jti", "purpose", "legal_basis", "operation", "officer", "seal_kid", "reply_key", "sealed", m} {
		for _, v := range []any{m, strings.ToLower(m), m + " " + p.FamilyName, []string{m}, map[string]string{m: m}} {
			if text, ok := v.(string); ok && ownWord(claim, text) {
				continue
			}
			l.send("mark in a claim", l.resign(frame, func(c map[string]any) { c[claim] = v }), "")
		}
	}
	token, err := jose.Sign(l.s.kaz.signing, m, []byte(`{"rev":"`+m+`"}`))
	l.s.must(err)
	face := l.s.cast.face(p, 3)
	for _, b := range [][]byte{[]byte(m), []byte(m + "." + m + "." + m), []byte(`{"` + m + `":"` + m + `"}`), []byte(token), face, append([]byte(token), m...), {}} {
		l.send("garbage", b, "")
		reply, err := l.s.kaz.node.Exchange(l.s.ctx, l.peer, transport.ProtocolTrust, b)
		l.s.out.err("asking for trust", err)
		l.s.out.add(onFrame, "trust reply to garbage", reply)
		_, err = protocol.ParseQuery(b)
		l.s.out.err("parsing garbage", err)
		_, err = protocol.ParseLeaf(b)
		l.s.out.err("parsing garbage", err)
		_, err = trust.ParseStatement(string(b))
		l.s.out.err("parsing garbage", err)
	}
	_, err = l.s.kaz.node.Exchange(l.s.ctx, l.peer, "/tamga/"+m+"/1", []byte(m))
	l.s.out.err("an unknown protocol", err)
}

// ownWord reports whether text is what PROTOCOL.md lets a member say in clear under
// its own signature: any name for purpose, legal basis and operation, any handle for
// the officer. A member that puts a document number there has told the world before
// the Query arrives; that the responder's ledger, and its log, keep the words of a
// Query they refuse is by that document and not looked at here.
func ownWord(claim, text string) bool {
	name := regexp.MustCompile(`^[a-z0-9._-]{1,64}$`).MatchString(text)
	handle := regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`).MatchString(text)
	switch claim {
	case "purpose", "legal_basis", "operation":
		return name
	case "officer":
		return handle
	}
	return false
}

// strangers knock without being members.
func (s *stage) strangers(peer trust.Node, frame []byte, p synth.Person) {
	key, err := jose.GenerateKey()
	s.must(err)
	h, err := transport.New(transport.Config{Seed: key.Seed(), Admit: func(transport.PeerID) bool { return true }, Logger: s.log}, nil)
	s.must(err)
	for _, b := range [][]byte{frame, []byte(p.PassportNumber)} {
		ctx, cancel := context.WithTimeout(s.ctx, 5*time.Second)
		_, err = h.Exchange(ctx, transport.PeerID(peer.PeerID), peer.Addresses, transport.ProtocolQuery, b)
		cancel()
		s.out.err("knocking", err)
		if err == nil {
			s.t.Error("a stranger was let in")
		}
	}
	s.must(h.Close())
}
