package api_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tamga-id/tamga/node/api"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/gallery/snapshot"
	"github.com/tamga-id/tamga/node/gallery/store"
)

func TestCopy(t *testing.T) {
	const ask = `{"engine":"postgres","dsn_file":"/etc/tamga/CANARY"}`
	var asked config.Store
	n := &fake{copied: func(to config.Store) (snapshot.Copied, error) {
		asked = to
		return snapshot.Copied{Subjects: 2, Rows: 10, Written: 4, Removed: 1}, nil
	}}
	res, body := send(t, api.Handler(n), newRequest("POST", "/v1/gallery/copy", ask))
	if d := cmp.Diff(map[string]any{"subjects": 2.0, "rows": 10.0, "written": 4.0, "removed": 1.0}, body); d != "" || res.StatusCode != 200 {
		t.Errorf("status %d (-want +got)\n%s", res.StatusCode, d)
	}
	if asked != (config.Store{Engine: "postgres", DSNFile: "/etc/tamga/CANARY"}) {
		t.Errorf("asked for %+v", asked)
	}
	for _, bad := range []string{`{}`, `{"engine":"oracle"}`, `{"engine":"postgres"}`, `{"engine":"badger","dsn_file":"x"}`, `{"engine":"badger","force":true}`} {
		if res, _ := send(t, api.Handler(&fake{}), newRequest("POST", "/v1/gallery/copy", bad)); res.StatusCode != 422 {
			t.Errorf("%s: status %d", bad, res.StatusCode)
		}
	}
	officers := newRequest("POST", "/v1/gallery/copy", ask)
	officers.Header.Set("Authorization", "Bearer "+token)
	if res, _ := send(t, api.Handler(&fake{}), officers); res.StatusCode != 403 {
		t.Errorf("with the officers' token: status %d", res.StatusCode)
	}
	for _, tt := range []struct {
		cause  error
		status int
		code   string
	}{
		{snapshot.ErrSameStore, 409, "TMG-STO-0006"}, {snapshot.ErrNotEmpty, 409, "TMG-STO-0006"}, {store.ErrConnection, 409, "TMG-STO-0006"},
		{gallery.ErrUnavailable, 503, "TMG-STO-0003"}, {errors.New("CANARY"), 500, "TMG-INT-0001"},
	} {
		n.copied = func(config.Store) (snapshot.Copied, error) {
			return snapshot.Copied{}, fmt.Errorf("CANARY: %w", tt.cause)
		}
		if res, body := send(t, api.Handler(n), newRequest("POST", "/v1/gallery/copy", ask)); res.StatusCode != tt.status || body["code"] != tt.code {
			t.Errorf("%v: status %d, %v", tt.cause, res.StatusCode, body)
		}
	}
	var h http.Handler
	n.copied = func(config.Store) (snapshot.Copied, error) {
		if res, _ := send(t, h, newRequest("POST", "/v1/gallery/copy", ask)); res.StatusCode != 503 {
			t.Errorf("a second one: status %d", res.StatusCode)
		}
		return snapshot.Copied{}, nil
	}
	h = api.Handler(n)
	if res, _ := send(t, h, newRequest("POST", "/v1/gallery/copy", ask)); res.StatusCode != 200 {
		t.Errorf("the first: status %d", res.StatusCode)
	}
}
