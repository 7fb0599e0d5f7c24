package api_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/api"
	"github.com/tamga-id/tamga/node/gallery"
)

func TestErase(t *testing.T) {
	const ask = `{"subject":{"jurisdiction":"KAZ","type":"passport","value":"N 123-4567"}}`
	var asked pseudonym.Identifier
	n := &fake{erase: func(id pseudonym.Identifier) (int, error) { asked = id; return 3, nil }}
	res, body := send(t, api.Handler(n), newRequest("POST", "/v1/subjects/erase", ask))
	if d := cmp.Diff(map[string]any{"erased": true, "records": 3.0, "final_kek": 7.0, "final_by": "2025-12-01T00:00:00Z"}, body); d != "" || res.StatusCode != 200 {
		t.Errorf("status %d (-want +got)\n%s", res.StatusCode, d)
	}
	if asked.Value != "N1234567" {
		t.Error("the number was not normalised")
	}
	for _, bad := range []string{`{}`, `{"subject":{}}`, `{"subject":{"jurisdiction":"KAZ","type":"passport","value":"N/CANARY"}}`,
		`{"subject":{"jurisdiction":"KAZ","type":"passport","value":"N1"},"all":true}`} {
		if res, _ := send(t, api.Handler(&fake{}), newRequest("POST", "/v1/subjects/erase", bad)); res.StatusCode != 422 {
			t.Errorf("%s: status %d", bad, res.StatusCode)
		}
	}
	officers := newRequest("POST", "/v1/subjects/erase", ask)
	officers.Header.Set("Authorization", "Bearer "+token)
	if res, _ := send(t, api.Handler(&fake{}), officers); res.StatusCode != 403 {
		t.Errorf("with the officers' token: status %d", res.StatusCode)
	}
	n.erase = func(pseudonym.Identifier) (int, error) {
		return 0, fmt.Errorf("erasing: %w", gallery.ErrUnknownSubject)
	}
	if res, body := send(t, api.Handler(n), newRequest("POST", "/v1/subjects/erase", ask)); res.StatusCode != 200 || body["erased"] != false {
		t.Errorf("nobody: status %d, %v", res.StatusCode, body)
	}
	n.erase = func(pseudonym.Identifier) (int, error) { return 0, errors.New("CANARY") }
	if res, body := send(t, api.Handler(n), newRequest("POST", "/v1/subjects/erase", ask)); res.StatusCode != 500 || body["code"] != "TMG-INT-0001" {
		t.Errorf("status %d, %v", res.StatusCode, body)
	}
}
