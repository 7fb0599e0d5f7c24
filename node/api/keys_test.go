package api_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/node/api"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/gallery/presence"
	"github.com/tamga-id/tamga/node/keys"
	"github.com/tamga-id/tamga/node/rotation"
)

// TestKeys reports how far keys are retired, and takes a keystore up.
func TestKeys(t *testing.T) {
	const path = "/v1/keys"
	n := &fake{retiring: map[keys.Family]rotation.Retirement{
		keys.Pseudonym: {State: rotation.RetirementFailed, Keep: 2, Done: 3, Total: 9, Err: gallery.ErrDamaged},
		keys.KEK:       {State: rotation.RetirementWaiting, Keep: 5, Done: 9, Total: 8, Waiting: []string{"beta-010203"}},
	}, replicas: []presence.Other{{Name: "beta-010203", Keys: presence.Keys{"kek": {Oldest: 1, Current: 4, Newest: 5}}}}}
	h := api.Handler(n)
	for _, method := range []string{"GET", "POST"} {
		res, body := send(t, h, newRequest(method, path, ""))
		want := map[string]any{"retirements": []any{
			map[string]any{"key": "kek", "state": "waiting", "keep": 5.0, "done": 8.0, "total": 8.0, "waiting": []any{"beta-010203"}},
			map[string]any{"key": "pseudonym-key", "state": "failed", "keep": 2.0, "done": 3.0, "total": 9.0, "waiting": []any{},
				"code": "TMG-STO-0002", "title": body["retirements"].([]any)[1].(map[string]any)["title"], "next": body["retirements"].([]any)[1].(map[string]any)["next"]},
		}, "replicas": []any{map[string]any{"name": "beta-010203", "keys": []any{map[string]any{"key": "kek", "current": 4.0, "newest": 5.0}}}}}
		if d := cmp.Diff(want, body); d != "" || res.StatusCode != http.StatusOK {
			t.Errorf("%s: status %d, (-want +got)\n%s", method, res.StatusCode, d)
		}
	}
	n.retiring = nil
	if res, body := send(t, h, newRequest("GET", path, "")); res.StatusCode != http.StatusOK || len(body["retirements"].([]any)) != 0 {
		t.Errorf("with nothing to retire: %d, %v", res.StatusCode, body)
	}
	n.takeUp = func() (map[keys.Family]rotation.Retirement, error) {
		return nil, errors.Join(custody.ErrRoot, errors.New("inner"))
	}
	res, body := send(t, h, newRequest("POST", path, ""))
	if res.StatusCode != http.StatusServiceUnavailable || body["code"] != "TMG-CUS-0005" || strings.Contains(body["detail"].(string), "inner") {
		t.Errorf("a keystore that does not open: %d, %v", res.StatusCode, body)
	}
}
