package api_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/api"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/requester"
)

// mark is what must not come back. It is a valid document number, and its lower case
// a valid member name.
const mark = "CANARY7Q4ZX9"

// needles are the forms in which the mark could come back.
func needles() [][]byte {
	var out [][]byte
	for _, m := range []string{mark, strings.ToLower(mark)} {
		h := hex.EncodeToString([]byte(m))
		decimal := strings.Trim(strings.ReplaceAll(fmt.Sprint([]byte(m)), " ", ","), "[]")
		out = append(out, []byte(m), []byte(h), []byte(strings.ToUpper(h)), []byte(decimal), []byte(url.QueryEscape(m)))
		for shift := range 3 { // base64 of the mark at each alignment, without the characters that depend on neighbours
			e := base64.RawStdEncoding.EncodeToString(append(make([]byte, shift), m...))
			out = append(out, []byte(e[(shift*8+5)/6+1:len(e)-2]))
		}
	}
	return append(out, []byte(number))
}

// number is a mark for places where JSON has a number.
const number = "73190846275"

// telltale answers with errors that carry the mark, as careless inner errors would.
func telltale() *fake {
	leak := fmt.Errorf("doing something with %s", mark)
	return &fake{
		verify: func(_ context.Context, r requester.Request) (requester.Result, error) {
			switch {
			case strings.Contains(r.Officer, mark):
				panic("the account was not replaced")
			case r.Purpose == "sandbox_test":
				return requester.Result{}, &protocol.Fault{Code: protocol.CodeRequest, Err: leak}
			case r.Purpose == "law_enforcement":
				return requester.Result{}, leak
			}
			return requester.Result{Verdict: protocol.Verdict{Outcome: protocol.Inconclusive, Code: protocol.CodeSubjectUnknown}}, nil
		},
		enrol: func(_ context.Context, b []gallery.Enrolment) ([]gallery.Result, error) {
			if len(b) > 2 {
				return nil, leak
			}
			out := make([]gallery.Result, len(b))
			for i := range out {
				out[i] = gallery.Result{Change: gallery.Failed, Err: errors.Join(leak, gallery.ErrTooMuch)}
			}
			return out, nil
		},
		audit: func(context.Context) (ledger.Report, error) {
			return ledger.Report{}, &ledger.TamperError{Entry: 1, Part: mark, Rule: mark}
		},
	}
}

// TestCanary puts the mark into every place of every operation, one at a time, and
// looks for it in everything that comes out.
func TestCanary(t *testing.T) {
	var logs bytes.Buffer
	old, oldDefault := log.Writer(), slog.Default()
	log.SetOutput(&logs)
	slog.SetDefault(slog.New(slog.NewTextHandler(&logs, &slog.HandlerOptions{Level: slog.LevelDebug})))
	t.Cleanup(func() { log.SetOutput(old); slog.SetDefault(oldDefault) })

	h := api.Handler(telltale())
	sent := 0
	look := func(at string, r *http.Request) {
		t.Helper()
		sent++
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		var out bytes.Buffer
		if err := rec.Result().Header.Write(&out); err != nil {
			t.Fatal(err)
		}
		out.Write(rec.Body.Bytes())
		out.Write(logs.Bytes())
		for _, n := range needles() {
			if bytes.Contains(out.Bytes(), n) {
				t.Errorf("%s: status %d: %q comes back in %s", at, rec.Code, n, out.String())
			}
		}
	}
	for _, op := range operations(t) {
		for at, r := range marked(op) {
			look(op.method+" "+op.path+" "+at, r)
		}
		for _, body := range bodies(t, op.path) {
			look(op.method+" "+op.path+" body "+body[:min(len(body), 200)], newRequest(op.method, op.path, body))
			r := newRequest(op.method, op.path, body)
			r.Header.Set("Idempotency-Key", "key-"+mark)
			look(op.method+" "+op.path+" keyed body", r)
		}
	}
	if logs.Len() > 0 {
		t.Errorf("the package logs: %s", logs.String())
	}
	if sent < 400 {
		t.Errorf("only %d requests: the places are not being found", sent)
	}
}

// marked are requests with the mark around the body.
func marked(op operation) map[string]*http.Request {
	body := map[string]string{"/v1/verifications": asking, "/v1/enrolments": enrolling}[op.path]
	out := make(map[string]*http.Request)
	request := func(at string) *http.Request {
		r := newRequest(op.method, op.path, body)
		out[at] = r
		return r
	}
	for _, name := range []string{"Authorization", "Content-Type", "Accept", "Origin", "Idempotency-Key", "Tamga-Challenge", "Cookie", "Prefer", "User-Agent",
		"Referer", "X-Forwarded-For", "X-Forwarded-Host", "X-Request-Id", "Traceparent", "Accept-Language", "Content-Encoding", "If-None-Match", "X-" + mark} {
		request("header "+name).Header.Set(name, mark)
		request("header "+name+" long").Header.Set(name, strings.Repeat(mark, 100))
		request("header " + name + " twice").Header[http.CanonicalHeaderKey(name)] = []string{mark, mark}
	}
	request("bearer").Header.Set("Authorization", "Bearer "+mark)
	request("media").Header.Set("Content-Type", "application/json; charset="+mark)
	request("host").Host = mark + ".example"
	request("host port").Host = "127.0.0.1:" + mark
	request("query").URL.RawQuery = mark + "=" + mark
	request("query escaped").URL.RawQuery = url.QueryEscape(mark) + "=%zz"
	request("path").URL.Path = op.path + "/" + mark
	request("path unclean").URL.Path = "//" + mark + "/.." + op.path
	request("method").Method = mark
	return out
}

// bodies are bodies with the mark in them, one place and one way each.
func bodies(t *testing.T, path string) []string {
	var example string
	switch path {
	case "/v1/verifications":
		example = strings.Replace(asking, `"officer"`, `"consent":"a.b.c","officer"`, 1)
	case "/v1/enrolments":
		example = strings.Replace(enrolling, `"biometrics"`, `"holder_key":{"kty":"OKP","crv":"Ed25519","x":"AAAA","kid":"k"},"biometrics"`, 1)
	default:
		return []string{mark, `{"` + mark + `":"` + mark + `"}`}
	}
	var tree any
	if err := json.Unmarshal([]byte(example), &tree); err != nil {
		t.Fatal(err)
	}
	out := []string{mark, `"` + mark + `"`, "[" + mark + "]", `{"` + mark, "\xff" + mark, "{" + number + "}", example + mark, mark + "\n" + example,
		example[:strings.LastIndex(example, `"`)] + mark, strings.Repeat(mark, 16<<16), strings.Repeat(example+"\n", 3),
		strings.Replace(example, "KGZ", mark, 1), strings.Replace(strings.Replace(example, "border_control", "sandbox_test", 1), "AC 1234567", mark, 1),
		strings.Replace(strings.Replace(example, "border_control", "law_enforcement", 1), "AC 1234567", mark, 1)}
	render := func() {
		b, err := json.Marshal(tree)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(b))
	}
	walk(tree, render)
	return out
}

// values are what is put in place of a value.
func values() []any {
	long := strings.Repeat(mark, 10_000)
	return []any{mark, strings.ToLower(mark), long, base64.StdEncoding.EncodeToString([]byte(mark)), "x" + mark + ".y.z", mark + "." + mark + "." + mark,
		json.Number(number), json.Number("-" + number + ".5"), json.Number(number + "e999"), []any{mark}, map[string]any{mark: mark}, nil, true}
}

// walk changes one place of tree at a time, renders, and puts it back.
func walk(tree any, render func()) {
	switch x := tree.(type) {
	case map[string]any:
		names := make([]string, 0, len(x))
		for name := range x {
			names = append(names, name)
		}
		for _, name := range names {
			old := x[name]
			for _, v := range values() {
				x[name] = v
				render()
			}
			delete(x, name)
			x[strings.ToUpper(name)] = mark
			render()
			delete(x, strings.ToUpper(name))
			x[name] = old
			walk(old, render)
		}
		for _, name := range []string{mark, strings.ToLower(mark), "a." + mark, "a[" + mark + "]", "a/" + mark, "$schema"} {
			x[name] = mark
			render()
			delete(x, name)
		}
	case []any:
		for i, old := range x {
			for _, v := range values() {
				x[i] = v
				render()
			}
			x[i] = old
			walk(old, render)
		}
	}
}
