package canary_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/synth"
	"github.com/tamga-id/tamga/node/demo"
)

// target is a node's HTTP API.
type target struct{ base, token, enrolToken string }

func (s *stage) targetOf(dir string) target {
	address, err := os.ReadFile(filepath.Join(dir, "data", "api-address"))
	s.must(err)
	token, err := os.ReadFile(filepath.Join(dir, "api-token"))
	s.must(err)
	enrolToken, err := os.ReadFile(filepath.Join(dir, "enrol-token"))
	s.must(err)
	return target{"http://" + strings.TrimSpace(string(address)), strings.TrimSpace(string(token)), strings.TrimSpace(string(enrolToken))}
}

func (s *stage) request(to target, method, path, media string, body []byte) *http.Request {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.ctx, method, to.base+path, bytes.NewReader(body))
	s.must(err)
	token := to.token
	if path == "/v1/enrolments" || path == "/v1/ledger/verifications" {
		token = to.enrolToken
	}
	r.Header.Set("Authorization", "Bearer "+token)
	if media != "" {
		r.Header.Set("Content-Type", media)
	}
	return r
}

// call sends r and takes the response whole, and returns its body.
func (s *stage) call(name string, r *http.Request) []byte {
	return s.callBut(name, r, nil)
}

// callBut leaves out of the response what matches.
func (s *stage) callBut(name string, r *http.Request, but *regexp.Regexp) []byte {
	resp, err := s.http.Do(r)
	if err != nil {
		// The error of the test's own client quotes the URL.
		return nil
	}
	defer resp.Body.Close()
	var out bytes.Buffer
	_ = resp.Header.Write(&out)
	_ = resp.Trailer.Write(&out)
	body, _ := io.ReadAll(resp.Body)
	shown := body
	if but != nil {
		shown = but.ReplaceAll(body, nil)
	}
	s.out.add(onHTTP, name, append(append([]byte(resp.Status+"\n"), out.Bytes()...), shown...))
	return body
}

// question is the body of a verification.
type question struct {
	Subject    map[string]string `json:"subject"`
	Probes     []probe           `json:"probes"`
	Purpose    string            `json:"purpose"`
	LegalBasis string            `json:"legal_basis"`
	Consent    string            `json:"consent,omitempty"`
	Officer    string            `json:"officer"`
}

type probe struct {
	Modality string `json:"modality"`
	Format   string `json:"format"`
	Position int    `json:"position,omitempty"`
	Data     []byte `json:"data"`
}

func withFace(data []byte) probe {
	return probe{Modality: "face", Format: exchange.FormatEmbedding, Data: data}
}

func withFinger(data []byte) probe {
	return probe{Modality: "finger", Format: exchange.FormatFinger2005, Position: demo.EnrolledFinger, Data: data}
}

// about is a question at a border about p.
func (s *stage) about(p synth.Person, probes ...probe) question {
	s.cast.person(p.Jurisdiction, p.Index)
	return question{Subject: map[string]string{"jurisdiction": p.Jurisdiction, "type": "passport", "value": p.PassportNumber},
		Probes: probes, Purpose: "border_control", LegalBasis: "public_task", Officer: s.cast.secret("account", officer)}
}

const officer = "QZOFFICER7419canary"

// ask puts q to a node's API and demands a code.
func (s *stage) ask(name string, to target, q question, code string) {
	s.t.Helper()
	body, err := json.Marshal(q)
	s.must(err)
	var got struct{ Code string }
	reply := s.call(name, s.request(to, "POST", "/v1/verifications", "application/json", body))
	if err := json.Unmarshal(reply, &got); err != nil || got.Code != code {
		s.t.Errorf("%s: code %q, want %s (%v)", name, got.Code, code, err)
	}
}

// malformedHTTP sends what no good client sends, with marks in every place.
func (s *stage) malformedHTTP() {
	p, holder := s.cast.person("KGZ", 9), s.cast.person("KAZ", 35)
	kaz := s.targetOf(s.kaz.dir)
	s.cast.mark("digits of national number", name(p), forms{"raw": {[]byte(digits(p.NationalNumber))}})
	texts := []string{p.PassportNumber, p.NationalNumber, p.FamilyName, p.GivenName}
	q := s.about(p, withFace(s.cast.face(p, 5)), withFinger(s.cast.finger(p, 5)))
	q.Consent = s.consent(p, "KAZ", q.Purpose, nil)
	verification, err := json.Marshal(q)
	s.must(err)
	record := append(bytes.TrimSuffix(s.line(holder), []byte("}")), `,"holder_key":`+s.jwk(holder)+"}"...)
	for path, body := range map[string][]byte{"/v1/verifications": verification, "/v1/enrolments": record} {
		media := map[string]string{"/v1/verifications": "application/json", "/v1/enrolments": "application/x-ndjson"}[path]
		for _, b := range s.distorted(body, texts) {
			s.call("distorted body of "+path, s.request(kaz, "POST", path, media, b))
			s.call("body with media type of another", s.request(kaz, "POST", path, "text/"+texts[1], b))
		}
	}
	for _, path := range []string{"/v1/verifications", "/v1/enrolments", "/v1/ledger/verifications", "/v1/status", "/livez", "/readyz", "/openapi.json", "/"} {
		s.surroundings(kaz, path, verification, texts)
	}
	s.rawHTTP(kaz, texts)
	s.anchorHTTP(texts)
}

// digits is what of a national number fits where JSON has a number.
func digits(number string) string { return strings.TrimLeft(number, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") }

// surroundings puts marks into everything around a body.
func (s *stage) surroundings(to target, path string, body []byte, texts []string) {
	send := func(name, method, path string, edit func(*http.Request)) {
		r := s.request(to, method, path, "application/json", body)
		edit(r)
		s.call(name+" of "+path, r)
	}
	same := func(*http.Request) {}
	method := "GET"
	if strings.Contains(path, "ations") || strings.Contains(path, "enrol") {
		method = "POST"
	}
	for _, m := range texts {
		send("query", method, path+"?"+m+"="+m, same)
		send("path", method, path+"/"+m, same)
		send("path above", method, "/"+m+path, same)
		send("path escaped", method, path+"%2f"+url.PathEscape(escaped([]byte(m), "%%%02x")), same)
		send("method", m, path, same)
		for _, header := range []string{"Authorization", "Accept", "Idempotency-Key", "Tamga-Challenge", "Cookie", "Origin", "X-Request-Id", "Traceparent", "Content-Encoding", "X-" + m} {
			send("header", method, path, func(r *http.Request) { r.Header.Set(header, m) })
		}
		send("token", method, path, func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+m) })
		send("host", method, path, func(r *http.Request) { r.Host = m + ".example" })
	}
}

// distorted are bodies that break syntax or schema, or nothing, with marks in them.
func (s *stage) distorted(body []byte, texts []string) [][]byte {
	var tree any
	s.must(json.Unmarshal(body, &tree))
	out := [][]byte{[]byte(texts[0]), []byte(`"` + texts[1] + `"`), []byte("{" + texts[2]), []byte("\xff\xfe" + texts[3]), nil,
		body[:len(body)/2], body[:len(body)-2], append(bytes.Clone(body), texts[0]...), append([]byte(texts[0]+"\n"), body...),
		slices.Concat(body, []byte("\n"), body), bytes.Repeat([]byte(texts[1]), 200_000)}
	values := []any{texts[0], strings.ToLower(texts[1]), strings.Repeat(texts[2], 3000), []any{texts[3]}, map[string]any{texts[0]: texts[1]},
		base64.StdEncoding.EncodeToString([]byte(texts[0] + texts[1])), "a." + texts[0] + ".b", nil, json.Number("7" + digits(texts[1]))}
	render := func() {
		b, err := json.Marshal(tree)
		s.must(err)
		out = append(out, b)
	}
	distort(tree, values, texts, render)
	return out
}

// distort changes one place of tree at a time, renders, and puts it back.
func distort(tree any, values []any, texts []string, render func()) {
	switch x := tree.(type) {
	case map[string]any:
		for name, old := range x {
			for _, v := range values {
				x[name] = v
				render()
			}
			x[name] = old
			distort(old, values, texts, render)
		}
		for _, name := range []string{texts[0], "subject/" + texts[1]} {
			x[name] = texts[2]
			render()
			delete(x, name)
		}
	case []any:
		for i, old := range x {
			for _, v := range values[:3] {
				x[i] = v
				render()
			}
			x[i] = old
			distort(old, values, texts, render)
		}
	}
}

// rawHTTP writes what no HTTP client lets one write.
func (s *stage) rawHTTP(to target, texts []string) {
	m, token := texts[0], to.token
	const host = "Host: localhost\r\n"
	for _, head := range []string{
		m + "\r\n\r\n",
		"GET /" + m + " HTTP/9.9\r\n" + host + "\r\n",
		"GET /v1/status HTTP/1.1\r\nHost: " + m + " " + m + "\r\n\r\n",
		"GET /v1/status HTTP/1.1\r\nHost: " + m + ".example\r\n\r\n",
		"GET /v1/status HTTP/1.1\r\n" + host + m + " : " + m + "\r\n\r\n",
		"GET /v1/status HTTP/1.1\r\n" + host + "X: " + m + "\x00\r\n\r\n",
		"GET /v1/status HTTP/1.1\r\n" + host + "X: " + strings.Repeat(m, 4000) + "\r\n\r\n",
		"GET http://" + m + "@localhost/%zz" + m + " HTTP/1.1\r\n" + host + "\r\n",
		"POST /v1/verifications HTTP/1.1\r\n" + host + "Authorization: Bearer " + token + "\r\nContent-Type: application/json\r\nContent-Length: " + m + "\r\n\r\n",
		"POST /v1/verifications HTTP/1.1\r\n" + host + "Authorization: Bearer " + token + "\r\nContent-Type: application/json\r\nTransfer-Encoding: " + m + "\r\n\r\n",
		"POST /v1/verifications HTTP/1.1\r\n" + host + "Authorization: Bearer " + token + "\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" + m + "\r\n" + m + "\r\n",
		"POST /v1/enrolments HTTP/1.1\r\n" + host + "Authorization: Bearer " + to.enrolToken + "\r\nContent-Type: application/x-ndjson\r\nExpect: " + m + "\r\nContent-Length: 4\r\n\r\n" + m,
		"\x16\x03\x01" + m + "\r\n\r\n",
	} {
		s.out.add(onHTTP, "malformed HTTP", s.raw(strings.TrimPrefix(to.base, "http://"), head))
	}
}

// raw sends bytes and returns what comes back.
func (s *stage) raw(address, text string) []byte {
	c, err := net.Dial("tcp", address)
	s.must(err)
	defer c.Close()
	s.must(c.SetDeadline(time.Now().Add(5 * time.Second)))
	_, _ = io.WriteString(c, text)
	_ = c.(*net.TCPConn).CloseWrite()
	b, _ := io.ReadAll(c)
	return b
}

// anchorHTTP asks the Trust Anchor about people.
func (s *stage) anchorHTTP(texts []string) {
	for _, m := range texts {
		for _, path := range []string{"/fetch?sub=" + m, "/fetch?sub=https://" + m + ".example", "/resolve?sub=" + m + "&trust_anchor=" + m, "/list?entity_type=" + m, "/" + m, "/.well-known/openid-federation?" + m} {
			s.call("trust anchor", s.request(target{base: s.fed.Anchor.Location}, "GET", path, "", nil))
			s.call("trust anchor, wrong method", s.request(target{base: s.fed.Anchor.Location}, m, path, m+"/"+m, []byte(m)))
		}
	}
}
