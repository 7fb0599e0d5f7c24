package api_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tamga-id/tamga/federation/ledger/lognote"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/api"
	"github.com/tamga-id/tamga/node/requester"
)

// TestOutcomes: every code of the registry that a verification can end in is 200,
// with the outcome in the body and in the header.
func TestOutcomes(t *testing.T) {
	seen := 0
	for _, e := range protocol.Registry() {
		if e.Outcome == "" {
			continue
		}
		seen++
		n := &fake{verify: func(context.Context, requester.Request) (requester.Result, error) {
			return requester.Result{Verdict: protocol.Verdict{Outcome: e.Outcome, Code: e.Code}}, nil
		}}
		res, body := send(t, api.Handler(n), newRequest("POST", "/v1/verifications", asking))
		want := map[string]any{"outcome": string(e.Outcome), "code": string(e.Code), "title": e.Title, "next": e.Next, "took_ms": 0.0}
		if e.Outcome == protocol.Refused {
			want["entry"] = 0.0 // by own law: nothing was sent, and the entry is the ledger's first
		}
		if res.StatusCode != http.StatusOK || res.Header.Get("Tamga-Outcome") != string(e.Outcome) {
			t.Errorf("%s: status %d, header %q", e.Code, res.StatusCode, res.Header.Get("Tamga-Outcome"))
		}
		if d := cmp.Diff(want, body); d != "" {
			t.Errorf("%s: (-want +got)\n%s", e.Code, d)
		}
	}
	if seen < 30 {
		t.Fatalf("only %d codes with an outcome: the registry is not being looked at", seen)
	}
}

// TestRetryAfter: when the peer said how long to stay away, the caller is told in the words of HTTP, in whole seconds
// and never too few; and nothing of it is kept for the Idempotency-Key.
func TestRetryAfter(t *testing.T) {
	n := &fake{verify: func(context.Context, requester.Request) (requester.Result, error) {
		return requester.Result{Verdict: protocol.Verdict{Outcome: protocol.Unavailable, Code: protocol.CodeOverloaded}, RetryAfter: 1200 * time.Millisecond}, nil
	}}
	h := api.Handler(n)
	for range 2 {
		r := newRequest("POST", "/v1/verifications", asking)
		r.Header.Set("Idempotency-Key", "key-of-eight")
		res, body := send(t, h, r)
		if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") != "2" || body["code"] != "TMG-LIM-0001" ||
			res.Header.Get("Idempotent-Replayed") != "" || res.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("status %d, headers %v, body %v", res.StatusCode, res.Header, body)
		}
	}
	if n.asked != 2 {
		t.Errorf("asked %d times, want 2", n.asked)
	}
}

// TestBudgetSpent: the refusal is an outcome, and says when to come again.
func TestBudgetSpent(t *testing.T) {
	n := &fake{verify: func(context.Context, requester.Request) (requester.Result, error) {
		return requester.Result{Verdict: protocol.Verdict{Outcome: protocol.Refused, Code: protocol.CodeBudget}, RetryAfter: protocol.BudgetPause}, nil
	}}
	res, body := send(t, api.Handler(n), newRequest("POST", "/v1/verifications", asking))
	if res.StatusCode != http.StatusOK || res.Header.Get("Retry-After") != "300" || body["code"] != "TMG-LIM-0002" || body["retry_after_s"] != float64(300) {
		t.Errorf("status %d, headers %v, body %v", res.StatusCode, res.Header, body)
	}
	n.verify = func(context.Context, requester.Request) (requester.Result, error) {
		return requester.Result{Verdict: protocol.Verdict{Outcome: protocol.Refused, Code: protocol.CodeLaw}}, nil
	}
	if res, body := send(t, api.Handler(n), newRequest("POST", "/v1/verifications", asking)); res.Header["Retry-After"] != nil || body["retry_after_s"] != nil {
		t.Errorf("after another refusal: %v, %v", res.Header, body)
	}
}

// TestDisbelief: a result whose outcome and code do not belong together reads as
// unavailable, the zero value too.
func TestDisbelief(t *testing.T) {
	for name, v := range map[string]protocol.Verdict{
		"zero":     {},
		"swapped":  {Outcome: protocol.Matched, Code: protocol.CodeNotMatched},
		"unknown":  {Outcome: protocol.Matched, Code: "TMG-XXX-9999"},
		"off":      {Outcome: protocol.Matched, Code: protocol.CodeConfig},
		"noreason": {Outcome: protocol.Matched},
	} {
		n := &fake{verify: func(context.Context, requester.Request) (requester.Result, error) {
			return requester.Result{Verdict: v}, nil
		}}
		res, body := send(t, api.Handler(n), newRequest("POST", "/v1/verifications", asking))
		if res.StatusCode != http.StatusOK || body["outcome"] != "unavailable" || body["code"] != "TMG-INT-0001" ||
			res.Header.Get("Tamga-Outcome") != "unavailable" {
			t.Errorf("%s: %d %v", name, res.StatusCode, body)
		}
	}
}

func TestVerdictInFull(t *testing.T) {
	query := protocol.HashQuery([]byte("q"))
	n := &fake{verify: func(context.Context, requester.Request) (requester.Result, error) {
		return requester.Result{
			Verdict: protocol.Verdict{Outcome: protocol.NotMatched, Code: protocol.CodeNotMatched, FMROneIn: 100_000,
				Policy: protocol.PolicyRef{Law: "law", Version: "v", ID: "p", Article: "a", Text: protocol.Hash{0xab, 31: 0x01}}},
			Peer: "https://node.kgz.example", Query: query, Reply: "a.b.c", Entry: 7, Took: 1500 * time.Millisecond,
			Receipt: lognote.Receipt{Index: 4, Checkpoint: []byte("note"), Proof: [][]byte{{1}, {2}}, Leaf: []byte("leaf")},
		}, nil
	}}
	_, body := send(t, api.Handler(n), newRequest("POST", "/v1/verifications", asking))
	want := map[string]any{
		"outcome": "not_matched", "code": "TMG-VER-0002", "title": body["title"], "next": body["next"],
		"decision": map[string]any{"fmr_one_in": 100000.0, "policy": map[string]any{"law": "law", "version": "v", "id": "p", "article": "a", "sha256": "ab" + strings.Repeat("00", 30) + "01"}},
		"peer":     "https://node.kgz.example", "query_hash": query.String(), "evidence": "a.b.c", "entry": 7.0, "took_ms": 1500.0,
		"receipt": map[string]any{"index": 4.0, "checkpoint": "bm90ZQ==", "proof": []any{"AQ==", "Ag=="}, "leaf": "bGVhZg=="},
	}
	if d := cmp.Diff(want, body); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

// TestWhatTheNodeIsAsked: the account becomes a pseudonym, the identifier is
// normalised, the probe is decoded, and its bytes are wiped afterwards.
func TestWhatTheNodeIsAsked(t *testing.T) {
	var got requester.Request
	n := &fake{verify: func(_ context.Context, r requester.Request) (requester.Result, error) {
		want, _ := base64.StdEncoding.DecodeString(record)
		if !bytes.Equal(r.Question.Probes[0].Data, want) {
			t.Error("the probe's bytes are not those that were sent")
		}
		got = r
		return requester.Result{}, nil
	}}
	send(t, api.Handler(n), newRequest("POST", "/v1/verifications", asking))
	q := got.Question
	if got.Officer != "pseudonym-0001" || got.Purpose != "border_control" || got.LegalBasis != "public_task" {
		t.Errorf("got officer %q, purpose %q, legal basis %q", got.Officer, got.Purpose, got.LegalBasis)
	}
	if q.Subject.Value != "AC1234567" || q.Subject.Jurisdiction != "KGZ" || q.Subject.Type != "passport" {
		t.Error("the identifier is not what was sent, normalised")
	}
	if p := q.Probes[0]; p.Modality != "finger" || p.Format != "iso-19794-2-2005" || p.Position != 2 || p.Quality != 80 {
		t.Errorf("got modality %q, format %q, position %d, quality %d", p.Modality, p.Format, p.Position, p.Quality)
	}
	if !bytes.Equal(q.Probes[0].Data, make([]byte, len(q.Probes[0].Data))) {
		t.Error("the probe's bytes are still there after the response")
	}
}

func TestVerificationErrors(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		status int
		code   string
	}{
		"caller": {&protocol.Fault{Code: protocol.CodeRequest, Err: errors.New("inner")}, 422, "TMG-API-0001"},
		"own":    {errors.New("inner"), 500, "TMG-INT-0001"},
		"other":  {&protocol.Fault{Code: protocol.CodeConfig}, 500, "TMG-INT-0001"},
	} {
		n := &fake{verify: func(context.Context, requester.Request) (requester.Result, error) { return requester.Result{}, c.err }}
		res, body := send(t, api.Handler(n), newRequest("POST", "/v1/verifications", asking))
		if res.StatusCode != c.status || body["code"] != c.code {
			t.Errorf("%s: %d %v, want %d %s", name, res.StatusCode, body["code"], c.status, c.code)
		}
	}
}
