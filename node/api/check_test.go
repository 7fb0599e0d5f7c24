package api_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tamga-id/tamga/node/api"
	"github.com/tamga-id/tamga/node/gallery"
	"github.com/tamga-id/tamga/node/gallery/checkup"
	"github.com/tamga-id/tamga/node/gallery/fsck"
	"github.com/tamga-id/tamga/node/gallery/store"
)

func TestCheck(t *testing.T) {
	report := fsck.Report{Subjects: 5, Records: 9, Damaged: []fsck.Damage{{Subject: "8d3f5a0c1b2e4f60718a", Part: "record", Place: 2}},
		Missing: 1, Behind: true, Faults: []store.Fault{{Where: "table 000001.sst", Rule: "block 3: checksum mismatch"}}}
	many := fsck.Report{Damaged: make([]fsck.Damage, 10_001)}
	for name, tt := range map[string]struct {
		is   checkup.Progress
		want map[string]any
	}{
		"idle":    {checkup.Progress{State: checkup.Idle}, map[string]any{"state": "idle", "ok": false}},
		"running": {checkup.Progress{State: checkup.Running, What: "subjects", Done: 3, Total: 7}, map[string]any{"what": "subjects", "done": 3.0, "total": 7.0, "ok": false}},
		"sound":   {checkup.Progress{State: checkup.Done, Report: fsck.Report{Subjects: 5}}, map[string]any{"ok": true, "subjects": 5.0, "code": nil}},
		"failed":  {checkup.Progress{State: checkup.Failed, Err: errors.New("CANARY")}, map[string]any{"ok": false, "code": "TMG-INT-0001"}},
		"away":    {checkup.Progress{State: checkup.Failed, Err: gallery.ErrUnavailable}, map[string]any{"ok": false, "code": "TMG-STO-0003"}},
		"many":    {checkup.Progress{State: checkup.Done, Report: many}, map[string]any{"ok": false, "damages": 10_001.0, "code": "TMG-STO-0002"}},
		"damaged": {checkup.Progress{State: checkup.Done, Report: report}, map[string]any{
			"ok": false, "subjects": 5.0, "records": 9.0, "missing": 1.0, "behind": true, "stale": false, "unreadable": false, "damages": 1.0,
			"damaged": []any{map[string]any{"subject": "8d3f5a0c1b2e4f60718a", "part": "record", "place": 2.0}},
			"faults":  []any{map[string]any{"where": "table 000001.sst", "rule": "block 3: checksum mismatch", "torn": false}},
			"code":    "TMG-STO-0002"}},
	} {
		t.Run(name, func(t *testing.T) {
			res, body := send(t, api.Handler(&fake{check: tt.is}), newRequest("GET", "/v1/gallery/check", ""))
			if res.StatusCode != 200 {
				t.Fatalf("status %d", res.StatusCode)
			}
			for member, want := range tt.want {
				if d := cmp.Diff(want, body[member]); d != "" {
					t.Errorf("%s (-want +got)\n%s", member, d)
				}
			}
		})
	}
	res, body := send(t, api.Handler(&fake{}), newRequest("POST", "/v1/gallery/check", ""))
	if res.StatusCode != 200 || body["state"] != "running" {
		t.Errorf("%d %v", res.StatusCode, body)
	}
}
