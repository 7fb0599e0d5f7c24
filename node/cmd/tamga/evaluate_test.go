package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/finger"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
)

// fingerFolder writes impressions of fingers that no one has.
func fingerFolder(t *testing.T, seed uint64) string {
	t.Helper()
	dir := t.TempDir()
	for set := range 2 {
		for f := range 4 {
			r := rand.New(rand.NewPCG(uint64(f), uint64(set)))
			var ms []finger.Minutia
			for range 30 {
				ms = append(ms, finger.Minutia{X: uint16(30 + r.IntN(240)), Y: uint16(30 + r.IntN(300)), Angle: uint8(r.IntN(256))})
			}
			for i := range 3 {
				r := rand.New(rand.NewPCG(seed, uint64(100*set+10*f+i)))
				s := finger.Sample{Width: 400, Height: 400, ResX: 197, ResY: 197}
				for _, m := range ms {
					if r.IntN(10) > 0 {
						s.Minutiae = append(s.Minutiae, finger.Minutia{X: m.X + uint16(r.IntN(8)), Y: m.Y + uint16(r.IntN(8)), Angle: m.Angle + uint8(r.IntN(9))})
					}
				}
				raw, err := exchange.EncodeFinger([]finger.Sample{s})
				if err != nil {
					t.Fatal(err)
				}
				put(t, dir, fmt.Sprintf("set%d_%d_%d.iso", set, f, i), raw)
			}
		}
	}
	return dir
}

func put(t *testing.T, dir, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func tamga(args ...string) (code int, out, errs string) {
	var o, e bytes.Buffer
	code = execute(context.Background(), (&cli.App{Args: args, In: strings.NewReader(""), Out: &o, Err: &e}))
	return code, o.String(), e.String()
}

// TestEvaluateContract pins what programs read of tamga evaluate -o json.
func TestEvaluateContract(t *testing.T) {
	dir := fingerFolder(t, 1)
	put(t, dir, "set0_0_2.iso", []byte("not a record"))
	put(t, dir, "readme.txt", nil)
	put(t, dir, "groups.tsv", []byte("subject\tsex\nset0_0\tF\nset0_1\tF\nset1_0\tM\nset1_1\tM\n"))
	code, out, errs := tamga("evaluate", "finger", "--data", dir, "-o", "json")
	if code != 0 {
		t.Fatalf("exit %d: %s", code, errs)
	}
	for _, want := range []string{`failure to acquire: "set0_0_2.iso": checking iso-19794-2-2005: offset 12: record ends early`, "ignored: 1 entries"} {
		if !strings.Contains(errs, want) {
			t.Errorf("stderr does not say %q:\n%s", want, errs)
		}
	}
	type rates struct {
		Name, Modality string
		Mated          *int
		NonMated       *int `json:"non_mated"`
		EER            *float64
		FNMR           map[string]*float64 `json:"fnmr_at_fmr"`
	}
	var got struct {
		rates
		Sets   []rates
		Pooled rates
		Speed  float64 `json:"comparisons_per_second_per_core"`
		Groups []struct {
			Attribute string
			Groups    []struct{ Name string }
		}
		Acquisition struct{ Failed, Samples int }
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	for _, r := range append(got.Sets, got.rates, got.Pooled) {
		if r.Modality != "finger" || r.Mated == nil || *r.Mated == 0 || r.NonMated == nil || *r.NonMated == 0 || r.EER == nil || len(r.FNMR) != 5 {
			t.Errorf("%q: %+v", r.Name, r)
		}
		for _, k := range []string{"1e-2", "1e-3", "1e-4", "1e-5", "1e-6"} {
			if rate, ok := r.FNMR[k]; !ok || rate != nil && *r.NonMated < 100 {
				t.Errorf("%q: FNMR at FMR %s of %d comparisons is %v, %v", r.Name, k, *r.NonMated, rate, ok)
			}
		}
	}
	if len(got.Sets) != 2 || got.Sets[0].Name != "set0" || *got.Mated != 24 || *got.NonMated != 108 || got.Speed <= 0 {
		t.Errorf("%d sets, %d mated, %d non-mated, %v a second", len(got.Sets), *got.Mated, *got.NonMated, got.Speed)
	}
	if len(got.Groups) != 1 || got.Groups[0].Attribute != "sex" || len(got.Groups[0].Groups) != 2 || got.Acquisition.Failed != 1 || got.Acquisition.Samples != 24 {
		t.Errorf("groups %+v, acquisition %+v", got.Groups, got.Acquisition)
	}
}

func TestEvaluatePageAndPlots(t *testing.T) {
	dir, other, plots := fingerFolder(t, 1), fingerFolder(t, 2), filepath.Join(t.TempDir(), "new", "folder")
	code, out, errs := tamga("evaluate", "finger", "--data", dir, "--against", other, "-o", "html", "--plots", plots)
	if code != 0 {
		t.Fatalf("exit %d: %s", code, errs)
	}
	if !strings.HasPrefix(out, "<!DOCTYPE html>") || !strings.Contains(out, "two extractors") || strings.Contains(out, filepath.Dir(dir)) {
		t.Error("the page is not one, or says where the data lie")
	}
	entries, err := os.ReadDir(plots)
	if err != nil || len(entries) != 6 {
		t.Fatalf("%d pictures, %v", len(entries), err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "finger-") || !strings.Contains(errs, e.Name()) {
			t.Errorf("picture %s, told: %s", e.Name(), errs)
		}
	}
	code, out, _ = tamga("evaluate", "finger", "--data", dir)
	if code != 0 || !strings.Contains(out, "EER, mean over the sets") || !strings.Contains(out, "FTA, FTE") {
		t.Errorf("exit %d, table:\n%s", code, out)
	}
}

func TestEvaluateRefuses(t *testing.T) {
	dir, empty := fingerFolder(t, 1), t.TempDir()
	bad := fingerFolder(t, 1)
	put(t, bad, "nameless.iso", nil)
	file := filepath.Join(empty, "file")
	put(t, empty, "file", nil)
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"no-data":       {[]string{"evaluate", "finger"}, 2, "--data is needed"},
		"no-folder":     {[]string{"evaluate", "finger", "--data", filepath.Join(empty, "none")}, 1, "hint: check the path that --data names"},
		"file":          {[]string{"evaluate", "finger", "--data", file}, 1, "names a file, not a folder"},
		"twice":         {[]string{"calibrate", "finger", "--data", dir, "--data", dir + "/.", "--out", filepath.Join(empty, "c.json")}, 2, "one folder twice"},
		"empty":         {[]string{"evaluate", "finger", "--data", empty}, 1, "no data of this kind"},
		"nameless":      {[]string{"evaluate", "finger", "--data", bad}, 1, `"nameless.iso": the name is not SET_FINGER_IMPRESSION.iso`},
		"format":        {[]string{"evaluate", "finger", "--data", dir, "-o", "pdf"}, 2, "-o takes table, json, ndjson or html"},
		"no-groups":     {[]string{"evaluate", "finger", "--data", dir, "--groups", filepath.Join(empty, "none.tsv")}, 1, `"none.tsv": no such file`},
		"bad-groups":    {[]string{"evaluate", "finger", "--data", dir, "--groups", file}, 1, "line 1"},
		"plots-file":    {[]string{"evaluate", "finger", "--data", dir, "--plots", file}, 1, "drawing curves"},
		"html-of-other": {[]string{"status", "-o", "html"}, 2, "-o takes table, json or ndjson"},
	} {
		code, out, errs := tamga(c.args...)
		if code != c.code || !strings.Contains(errs, c.want) || out != "" {
			t.Errorf("%s: exit %d, want %d and %q:\n%s%s", name, code, c.code, c.want, errs, out)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var out, errs bytes.Buffer
	if code := execute(ctx, (&cli.App{Args: []string{"evaluate", "finger", "--data", dir}, In: strings.NewReader(""), Out: &out, Err: &errs})); code != fault.ExitInterrupted || out.Len() > 0 {
		t.Errorf("interrupted: exit %d: %s", code, errs.String())
	}
}

// TestEvaluateNamesOnOneLine: what files are called neither breaks the table nor reaches the terminal as it is.
func TestEvaluateNamesOnOneLine(t *testing.T) {
	dir := fingerFolder(t, 1)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if rest, ok := strings.CutPrefix(e.Name(), "set0_"); ok {
			if err := os.Rename(filepath.Join(dir, e.Name()), filepath.Join(dir, "a\n\x1b[31mb_"+rest)); err != nil {
				t.Skipf("no such names here: %v", err)
			}
		}
	}
	code, out, errs := tamga("evaluate", "finger", "--data", dir)
	if code != 0 || strings.Contains(out, "\x1b") || strings.Contains(errs, "\x1b") || !strings.Contains(out, `EER "a\n\x1b[31mb"`) {
		t.Errorf("exit %d: %q %q", code, out, errs)
	}
}

// TestCompareReportsBounded: a device has no size to ask for, and no end.
func TestCompareReportsBounded(t *testing.T) {
	if _, err := os.Stat("/dev/zero"); err != nil {
		t.Skip("no endless file here")
	}
	if code, _, errs := tamga("evaluate", "compare", "a=/dev/zero"); code != 1 || !strings.Contains(errs, "more than") {
		t.Errorf("exit %d: %s", code, errs)
	}
}
