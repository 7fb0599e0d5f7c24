package api_test

import (
	"context"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/exchange/cbeff"
	"github.com/tamga-id/tamga/matcher/exchange/finger2011"
	"github.com/tamga-id/tamga/matcher/exchange/intake"
	"github.com/tamga-id/tamga/node/api"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/requester"
)

// TestEnrolmentOptions: the headers reach the gallery, and what they may not be is refused.
func TestEnrolmentOptions(t *testing.T) {
	const id = "abcdefghijklmnop"
	tests := map[string]struct {
		headers [][2]string
		status  int
		want    gallery.Enrolment
		planned int
	}{
		"none":       {nil, 200, gallery.Enrolment{}, 0},
		"all":        {[][2]string{{"Tamga-Batch", id}, {"Tamga-Duplicates", "refuse"}}, 200, gallery.Enrolment{Batch: id, IfKnown: gallery.Refuse}, 0},
		"skip":       {[][2]string{{"Tamga-Duplicates", "skip"}}, 200, gallery.Enrolment{IfKnown: gallery.Keep}, 0},
		"update":     {[][2]string{{"Tamga-Duplicates", "update"}, {"Tamga-Dry-Run", "false"}}, 200, gallery.Enrolment{}, 0},
		"dry":        {[][2]string{{"Tamga-Dry-Run", "true"}}, 200, gallery.Enrolment{}, 1},
		"word":       {[][2]string{{"Tamga-Duplicates", "CANARY"}}, 422, gallery.Enrolment{}, 0},
		"batch":      {[][2]string{{"Tamga-Batch", "CANARY"}}, 422, gallery.Enrolment{}, 0},
		"dry-word":   {[][2]string{{"Tamga-Dry-Run", "CANARY"}}, 422, gallery.Enrolment{}, 0},
		"twice":      {[][2]string{{"Tamga-Batch", id}, {"Tamga-Batch", id}}, 422, gallery.Enrolment{}, 0},
		"long-value": {[][2]string{{"Tamga-Dry-Run", strings.Repeat("1", 65)}}, 422, gallery.Enrolment{}, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var got []gallery.Enrolment
			n := &fake{enrol: func(_ context.Context, b []gallery.Enrolment) ([]gallery.Result, error) {
				got = b
				return []gallery.Result{{Change: gallery.Kept}}, nil
			}}
			r := newRequest("POST", "/v1/enrolments", enrolling)
			for _, h := range tt.headers {
				r.Header.Add(h[0], h[1])
			}
			res, body := send(t, api.Handler(n), r)
			if res.StatusCode != tt.status || n.planned != tt.planned {
				t.Fatalf("status %d, %d planned; want %d, %d", res.StatusCode, n.planned, tt.status, tt.planned)
			}
			stored := tt.status == http.StatusOK && tt.planned == 0
			if stored != (len(got) == 1) || stored && (got[0].Batch != tt.want.Batch || got[0].IfKnown != tt.want.IfKnown) {
				t.Errorf("%d enrolments reached the gallery, or with other options", len(got))
			}
			if stored && body["kept"] != 1.0 {
				t.Errorf("kept is %v", body["kept"])
			}
		})
	}
}

// TestEnrolmentOptionsKey: the same lines under another option are another request.
func TestEnrolmentOptionsKey(t *testing.T) {
	h := api.Handler(&fake{})
	for i, dry := range []string{"true", "true", "false"} {
		r := newRequest("POST", "/v1/enrolments", enrolling)
		r.Header.Set("Idempotency-Key", "12345678")
		r.Header.Set("Tamga-Dry-Run", dry)
		res, _ := send(t, h, r)
		if want := []int{200, 200, 422}[i]; res.StatusCode != want {
			t.Errorf("request %d: status %d, want %d", i, res.StatusCode, want)
		}
	}
}

// TestProbeFormats: a finger in any edition is put to the peer as the same bytes.
func TestProbeFormats(t *testing.T) {
	r2005, err := base64.StdEncoding.DecodeString(record)
	if err != nil {
		t.Fatal(err)
	}
	samples, err := exchange.DecodeFinger(r2005)
	if err != nil {
		t.Fatal(err)
	}
	r2011, err := finger2011.Encode(samples)
	if err != nil {
		t.Fatal(err)
	}
	wrapped, err := intake.Wrap(r2005, cbeff.Header{Version: 0x101})
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		format string
		data   []byte
		rule   string
	}{
		"2005":        {exchange.FormatFinger2005, r2005, ""},
		"2011":        {exchange.FormatFinger2011, r2011, ""},
		"cbeff":       {exchange.FormatCBEFF, wrapped, ""},
		"2005-as":     {exchange.FormatFinger2011, r2005, "must begin as a record"},
		"2011-as":     {exchange.FormatCBEFF, r2011, "must begin as a record"},
		"2011-cut":    {exchange.FormatFinger2011, r2011[:len(r2011)-1], "offset 8"},
		"cbeff-cut":   {exchange.FormatCBEFF, wrapped[:len(wrapped)-1], "offset"},
		"cbeff-empty": {exchange.FormatCBEFF, []byte{0x7f, 0x61, 3, 2, 1, 0}, "no fingerprints"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var got protocol.Probe
			n := &fake{verify: func(_ context.Context, r requester.Request) (requester.Result, error) {
				got = r.Question.Probes[0]
				got.Data = append([]byte(nil), got.Data...)
				return requester.Result{}, nil
			}}
			text := strings.Replace(asking, record, base64.StdEncoding.EncodeToString(tt.data), 1)
			text = strings.Replace(text, exchange.FormatFinger2005, tt.format, 1)
			res, body := send(t, api.Handler(n), newRequest("POST", "/v1/verifications", text))
			if tt.rule == "" {
				if res.StatusCode != 200 || got.Format != exchange.FormatFinger2005 || string(got.Data) != string(r2005) {
					t.Errorf("status %d, format %s, or other bytes", res.StatusCode, got.Format)
				}
				return
			}
			errs, _ := body["errors"].([]any)
			if res.StatusCode != 422 || len(errs) != 1 || n.asked != 0 {
				t.Fatalf("status %d, %v", res.StatusCode, body)
			}
			e := errs[0].(map[string]any)
			if e["pointer"] != "/probes/0/data" || !strings.Contains(e["rule"].(string), tt.rule) {
				t.Errorf("got %v, want %q", e, tt.rule)
			}
		})
	}
}
