package api_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/api"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/registrar"
)

func TestRenewal(t *testing.T) {
	const path = "/v1/templates/renewal"
	n := &fake{renew: func() (registrar.Renewal, error) {
		return registrar.Renewal{State: registrar.RenewalDone, Generation: 3, Resumed: true, Looked: 9, Renewed: 8, Subjects: 9, Destroyed: []uint32{1, 2}}, nil
	}}
	want := map[string]any{"state": "done", "generation": 3.0, "resumed": true, "looked": 9.0, "renewed": 8.0, "subjects": 9.0,
		"destroyed": []any{1.0, 2.0}}
	for _, method := range []string{"POST", "GET"} {
		res, body := send(t, api.Handler(n), newRequest(method, path, ""))
		if d := cmp.Diff(want, body); d != "" || res.StatusCode != 200 {
			t.Errorf("%s: status %d (-want +got)\n%s", method, res.StatusCode, d)
		}
		officers := newRequest(method, path, "")
		officers.Header.Set("Authorization", "Bearer "+token)
		if res, _ := send(t, api.Handler(n), officers); res.StatusCode != 403 {
			t.Errorf("%s with the officers' token: status %d", method, res.StatusCode)
		}
	}
	for _, c := range []struct {
		err    error
		status int
		code   string // of the reply to POST
		state  string // the code in the state
	}{
		{custody.ErrBusy, 503, "TMG-STO-0001", "TMG-STO-0001"},
		{custody.ErrRoot, 503, "TMG-CUS-0001", "TMG-CUS-0001"},
		{&protocol.Fault{Code: protocol.CodeLedgerUnavailable}, 503, string(protocol.CodeLedgerUnavailable), "TMG-INT-0001"},
		{gallery.ErrDamaged, 500, "TMG-INT-0001", "TMG-STO-0002"},
		{errors.New("CANARY"), 500, "TMG-INT-0001", "TMG-INT-0001"},
	} {
		n.renew = func() (registrar.Renewal, error) { return registrar.Renewal{}, fmt.Errorf("renewing: %w", c.err) }
		if res, body := send(t, api.Handler(n), newRequest("POST", path, "")); res.StatusCode != c.status || body["code"] != c.code {
			t.Errorf("%v: status %d, %v", c.err, res.StatusCode, body)
		}
		res, body := send(t, api.Handler(n), newRequest("GET", path, ""))
		if res.StatusCode != 200 || body["state"] != "failed" || body["code"] != c.state || body["next"] == nil {
			t.Errorf("%v: state with status %d, %v", c.err, res.StatusCode, body)
		}
	}
}
