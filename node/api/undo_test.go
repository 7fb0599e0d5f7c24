package api_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tamga-id/tamga/node/api"
	"github.com/tamga-id/tamga/node/gallery/undo"
)

func TestUndo(t *testing.T) {
	const ask = `{"batch":"abcdefghijklmnop"}`
	res, body := send(t, api.Handler(&fake{}), newRequest("POST", "/v1/enrolments/undo", ask))
	if d := cmp.Diff(map[string]any{"subjects": 2.0, "reduced": 1.0, "records": 5.0}, body); d != "" || res.StatusCode != 200 {
		t.Errorf("status %d (-want +got)\n%s", res.StatusCode, d)
	}
	for _, bad := range []string{`{}`, `{"batch":"CANARY"}`, `{"batch":"abcdefghijklmnop","all":true}`, `{"batch":["abcdefghijklmnop"]}`} {
		res, _ := send(t, api.Handler(&fake{}), newRequest("POST", "/v1/enrolments/undo", bad))
		if res.StatusCode != 422 {
			t.Errorf("%s: status %d", bad, res.StatusCode)
		}
	}
	officers := newRequest("POST", "/v1/enrolments/undo", ask)
	officers.Header.Set("Authorization", "Bearer "+token)
	if res, _ := send(t, api.Handler(&fake{}), officers); res.StatusCode != 403 {
		t.Errorf("with the officers' token: status %d", res.StatusCode)
	}
	n := &fake{undo: func(context.Context, string) (undo.Done, error) {
		return undo.Done{Subjects: 1}, errors.New("CANARY")
	}}
	if res, body := send(t, api.Handler(n), newRequest("POST", "/v1/enrolments/undo", ask)); res.StatusCode != 500 || body["code"] != "TMG-INT-0001" {
		t.Errorf("status %d, %v", res.StatusCode, body)
	}
}

// TestUndoAtOnce: while one runs, another is told to wait.
func TestUndoAtOnce(t *testing.T) {
	var h http.Handler
	n := &fake{}
	n.undo = func(context.Context, string) (undo.Done, error) {
		res, _ := send(t, h, newRequest("POST", "/v1/enrolments/undo", `{"batch":"abcdefghijklmnop"}`))
		if res.StatusCode != 503 {
			t.Errorf("a second one: status %d", res.StatusCode)
		}
		return undo.Done{}, nil
	}
	h = api.Handler(n)
	if res, _ := send(t, h, newRequest("POST", "/v1/enrolments/undo", `{"batch":"abcdefghijklmnop"}`)); res.StatusCode != 200 {
		t.Errorf("the first: status %d", res.StatusCode)
	}
}
