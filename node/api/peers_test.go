package api_test

import (
	"testing"

	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/node/api"
	"github.com/tamga-id/tamga/node/peering"
)

// TestPeers: states are told apart, and a name that nobody has is no success.
func TestPeers(t *testing.T) {
	f := &fake{peers: []peering.Peer{
		{Node: trust.Node{EntityID: "https://a.example", Jurisdiction: "KGZ"}},
		{Node: trust.Node{EntityID: "https://b.example", Jurisdiction: "UZB"}, Paused: &peering.Pause{Reason: "looking"}},
		{Node: trust.Node{EntityID: "https://c.example", Jurisdiction: "TJK"}, Suspension: &peering.Suspension{Anchor: "https://anchor.example"}},
	}}
	h := api.Handler(f)
	res, got := send(t, h, newRequest("GET", "/v1/peers", ""))
	if res.StatusCode != 200 {
		t.Fatalf("status %d", res.StatusCode)
	}
	for i, want := range []string{"member", "paused", "suspended"} {
		p := got["peers"].([]any)[i].(map[string]any)
		if p["state"] != want {
			t.Errorf("peer %d is %v, want %s", i, p["state"], want)
		}
	}
	for _, path := range []string{"/v1/peers/test", "/v1/peers/pause", "/v1/peers/resume"} {
		for name, want := range map[string]int{"KGZ": 200, "TJK": 404} {
			if res, got := send(t, h, newRequest("POST", path, `{"peer":"`+name+`"}`)); res.StatusCode != want {
				t.Errorf("%s of %s: status %d, want %d: %v", path, name, res.StatusCode, want, got)
			}
		}
	}
	if res, got := send(t, h, newRequest("POST", "/v1/peers/pause", `{"peer":"UZB"}`)); res.StatusCode != 409 || got["code"] != "TMG-TRU-0007" {
		t.Errorf("a paused peer again: %d %v", res.StatusCode, got)
	}
	if res, _ := send(t, h, newRequest("POST", "/v1/trust/explanations", `{"entity":"TJK"}`)); res.StatusCode != 404 {
		t.Errorf("an unknown entity: %d", res.StatusCode)
	}
}
