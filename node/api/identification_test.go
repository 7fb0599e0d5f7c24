package api_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/api"
	"github.com/tamga-id/tamga/node/requester"
)

const ground = `"jurisdiction":"KAZ","order":"a.b.c","purpose":"humanitarian_aid","legal_basis":"vital_interest","officer":"a.serikova"`

// TestIdentification: a search and a resolution arrive as they were asked, and what was found is told.
func TestIdentification(t *testing.T) {
	h := protocol.Handle{1, 2, 3}
	who := pseudonym.Identifier{Jurisdiction: "KAZ", Type: "passport", Value: "N1"}
	for name, c := range map[string]struct {
		path, body string
		code       protocol.Code
		found      protocol.Found
		want       string
	}{
		"identify": {"/v1/identifications", `{` + ground + `,"probe":{"modality":"finger","format":"iso-19794-2-2005","position":2,"data":"` + record + `"}}`,
			protocol.CodeCandidates, protocol.Found{Handles: []protocol.Handle{h}}, "map[handles:[" + h.Text() + "]]"},
		"nobody": {"/v1/identifications", `{` + ground + `,"probe":{"modality":"finger","format":"iso-19794-2-2005","data":"` + record + `"}}`,
			protocol.CodeNoCandidate, protocol.Found{}, "map[]"},
		"resolve": {"/v1/resolutions", `{` + ground + `,"handle":"` + h.Text() + `"}`,
			protocol.CodeResolved, protocol.Found{Subject: who}, "map[subject:map[jurisdiction:KAZ type:passport value:N1]]"},
		"refused": {"/v1/resolutions", `{` + ground + `,"handle":"` + h.Text() + `"}`, protocol.CodeHandle, protocol.Found{}, "map[]"},
	} {
		f := &fake{found: requester.Result{Verdict: protocol.Verdict{Code: c.code, Outcome: c.code.Outcome()}, Found: c.found}}
		res, got := send(t, api.Handler(f), newRequest(http.MethodPost, c.path, c.body))
		body := got
		told := map[string]any{}
		for _, member := range []string{"handles", "subject"} {
			if v, ok := body[member]; ok {
				told[member] = v
			}
		}
		if res.StatusCode != http.StatusOK || body["code"] != string(c.code) || fmt.Sprint(told) != c.want {
			t.Errorf("%s: %d, %v, told %v; want %s", name, res.StatusCode, body["code"], told, c.want)
		}
		if f.search.Country != "KAZ" || f.search.Order != "a.b.c" || f.search.Officer == "a.serikova" || c.path == "/v1/resolutions" && f.search.Handle != h ||
			c.path != "/v1/resolutions" && base64.StdEncoding.EncodeToString(f.search.Probe.Data) != record {
			t.Errorf("%s: asked otherwise", name)
		}
	}
}

func TestIdentificationIsStrict(t *testing.T) {
	for name, body := range map[string]string{
		"no-probe":   `{` + ground + `}`,
		"unknown":    `{` + ground + `,"all":true,"probe":{"modality":"face","format":"x","data":"AAAA"}}`,
		"not-base64": `{` + ground + `,"probe":{"modality":"face","format":"x","data":"A_AA"}}`,
		"two":        `{` + ground + `,"probe":[{"modality":"face","format":"x","data":"AAAA"}]}`,
	} {
		f := &fake{}
		if res, _ := send(t, api.Handler(f), newRequest(http.MethodPost, "/v1/identifications", body)); res.StatusCode != http.StatusUnprocessableEntity || f.search.Country != "" {
			t.Errorf("%s: %d", name, res.StatusCode)
		}
	}
	for name, handle := range map[string]string{"short": "AAAA", "unused-bits": strings.Repeat("A", 21) + "B"} {
		f := &fake{}
		if res, _ := send(t, api.Handler(f), newRequest(http.MethodPost, "/v1/resolutions", `{`+ground+`,"handle":"`+handle+`"}`)); res.StatusCode != http.StatusUnprocessableEntity || f.search.Country != "" {
			t.Errorf("%s: %d", name, res.StatusCode)
		}
	}
}
