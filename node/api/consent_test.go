package api_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/api"
	"github.com/tamga-id/tamga/node/gallery"
)

func TestWithdrawConsent(t *testing.T) {
	const path, ask = "/v1/consents/withdrawals", `{"withdrawal":"eyJ0.eyJq.AAAA"}`
	var got string
	n := &fake{withdraw: func(token string) (node.Withdrawal, error) {
		got = token
		return node.Withdrawal{Peer: "https://uzb.example"}, nil
	}}
	res, body := send(t, api.Handler(n), newRequest("POST", path, ask))
	if res.StatusCode != 200 || got != "eyJ0.eyJq.AAAA" || body["withdrawn"] != true || body["known"] != true || body["told"] != false || body["peer"] != "https://uzb.example" {
		t.Errorf("status %d, %v, given %q", res.StatusCode, body, got)
	}
	n.withdraw = func(string) (node.Withdrawal, error) {
		return node.Withdrawal{}, fmt.Errorf("x: %w", node.ErrWithdrawal)
	}
	if res, body := send(t, api.Handler(n), newRequest("POST", path, ask)); res.StatusCode != 422 || body["code"] != "TMG-CNS-0002" {
		t.Errorf("none: status %d, %v", res.StatusCode, body)
	}
	n.withdraw = func(string) (node.Withdrawal, error) { return node.Withdrawal{}, gallery.ErrUnavailable }
	if res, body := send(t, api.Handler(n), newRequest("POST", path, ask)); res.StatusCode != 503 {
		t.Errorf("the store is away: status %d, %v", res.StatusCode, body)
	}
	n.withdraw = func(string) (node.Withdrawal, error) { return node.Withdrawal{}, errors.New("CANARY") }
	if res, body := send(t, api.Handler(n), newRequest("POST", path, ask)); res.StatusCode != 500 {
		t.Errorf("another failure: status %d, %v", res.StatusCode, body)
	}
	for _, bad := range []string{`{}`, `{"withdrawal":"x"}`, `{"withdrawal":"a.b.c","all":true}`} {
		if res, _ := send(t, api.Handler(&fake{}), newRequest("POST", path, bad)); res.StatusCode != 422 {
			t.Errorf("%s: status %d", bad, res.StatusCode)
		}
	}
}
