package evaluation_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"image/png"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tamga-id/tamga/matcher/evaluate"
	"github.com/tamga-id/tamga/node/evaluation"
)

// report has everything that a report can have, of sets of people that do not
// exist, and one whose name means something to HTML.
func report(t testing.TB) evaluate.Report {
	t.Helper()
	p := evaluate.Plan{Modality: "finger", Protocol: "all pairs within each set are compared"}
	groups := evaluate.Grouping{Attribute: "sex", Of: map[string]string{}}
	for s, set := range []string{"first", "second", "<script>alert(1)</script>"} {
		for n := range 10 {
			subject := fmt.Sprint(s, "-", n)
			groups.Of[subject] = []string{"F", "M"}[n%2]
			for range 5 {
				p.Captures = append(p.Captures, evaluate.Capture{Set: set, Subject: subject})
			}
		}
	}
	p.Captures[7].Failed = "record is cut short"
	p.Compare = func(i, from int, scores []float64) {
		for k := range scores {
			r := rand.New(rand.NewPCG(uint64(i), uint64(from+k)))
			scores[k] = r.NormFloat64()
			if p.Captures[i].Subject == p.Captures[from+k].Subject {
				scores[k] += 3.5
			}
		}
	}
	r, err := evaluate.Pairs(context.Background(), p, evaluate.Options{Groups: []evaluate.Grouping{groups}})
	if err != nil {
		t.Fatal(err)
	}
	r.ComparisonsPerSecondPerCore = 12345.6
	return r
}

func page(t testing.TB, r evaluate.Report) string {
	t.Helper()
	var b bytes.Buffer
	p := evaluation.Page{
		Report: r, Data: "invented & <b>bold</b>", Made: time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC), With: "tamga test",
		Notes: []string{"A note."}, Figures: []evaluation.Figure{{Name: "EER, one threshold a user", Rate: 0.0271}},
	}
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// element is what the structure of a page is checked on.
type element struct {
	name  string
	attrs map[string]string
	path  string // names of the elements around it
	text  string
}

// elements parses a page as XML: all it writes is well-formed but for what
// HTML closes by itself.
func elements(t testing.TB, page string) []*element {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(page))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	var all, open []*element
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			if len(open) > 0 {
				t.Errorf("%s is not closed", open[len(open)-1].name)
			}
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		switch v := token.(type) {
		case xml.StartElement:
			e := &element{name: v.Name.Local, attrs: map[string]string{}}
			for _, a := range v.Attr {
				e.attrs[a.Name.Local] = a.Value
			}
			for _, o := range open {
				e.path += o.name + ">"
			}
			all, open = append(all, e), append(open, e)
		case xml.EndElement:
			if open[len(open)-1].name != v.Name.Local {
				t.Fatalf("%s ends within %s", v.Name.Local, open[len(open)-1].name)
			}
			open = open[:len(open)-1]
		case xml.CharData:
			for _, o := range open {
				o.text += string(v)
			}
		}
	}
}

// TestPageStructure: headings in order, tables with headers and captions,
// pictures with words, and nothing that runs or asks a network.
func TestPageStructure(t *testing.T) {
	all := elements(t, page(t, report(t)))
	var headings []string
	tables, captions, pictures := 0, 0, 0
	for _, e := range all {
		switch e.name {
		case "html":
			if e.attrs["lang"] != "en" {
				t.Error("page has no language")
			}
		case "h1", "h2", "h3":
			headings = append(headings, e.name+" "+e.text)
		case "table":
			tables++
		case "caption":
			if !strings.HasSuffix(e.path, "table>") || e.text == "" {
				t.Errorf("caption %q in %s", e.text, e.path)
			}
			captions++
		case "th":
			if e.attrs["scope"] != "col" && e.attrs["scope"] != "row" || e.text == "" {
				t.Errorf("table header %q has scope %q", e.text, e.attrs["scope"])
			}
		case "svg":
			pictures++
			if e.attrs["role"] != "img" || len(e.attrs["aria-label"]) < 40 {
				t.Errorf("picture says %q", e.attrs["aria-label"])
			}
		case "script", "link", "img", "iframe", "object", "form", "b":
			if e.name != "b" || !strings.HasSuffix(e.path, "li>") {
				t.Errorf("page has an element %s in %s", e.name, e.path)
			}
		}
		for name, value := range e.attrs {
			if strings.HasPrefix(name, "on") || name == "href" || name == "src" {
				t.Errorf("%s has %s=%q", e.name, name, value)
			}
		}
	}
	if tables != captions || tables < 8 {
		t.Errorf("%d tables with %d captions", tables, captions)
	}
	want := []string{"h1 Finger evaluation: invented & <b>bold</b>", "h2 Summary", "h2 Sets", "h2 Error curves", "h2 Operating points",
		"h2 Identification (1:N)", "h2 Failures to acquire and to enrol", "h2 Differentials by sex", "h2 Protocol", "h2 What these figures do not tell"}
	if strings.Join(headings, "\n") != strings.Join(want, "\n") {
		t.Errorf("headings:\n%s\nwant:\n%s", strings.Join(headings, "\n"), strings.Join(want, "\n"))
	}
	if pictures != 3 {
		t.Errorf("%d pictures, want 3", pictures)
	}
}

func TestPageWords(t *testing.T) {
	r := report(t)
	text := page(t, r)
	for _, want := range []string{
		fmt.Sprintf("%.2f %%", 100*float64(r.EER)), fmt.Sprintf("%.2f %%", 100*float64(r.Pooled.EER)), "<b>12\u202f346</b> comparisons a second",
		"record is cut short", "not measurable", "2026-01-02 03:04 UTC", "All pairs within each set", "A note.",
		" %\u00a0†</td>", "EER, one threshold a user", "2.71 %", "rule of three", "only 30 subjects", "default-src 'none'",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("page does not say %q", want)
		}
	}
	if regexp.MustCompile(`NaN|%!|<no value>|\bInf\b`).MatchString(text) {
		t.Error("page shows what is not measured as a number")
	}
}

// TestPageOfSetsWithout: what means leave out, and groups that name nobody, are said.
func TestPageOfSetsWithout(t *testing.T) {
	r := report(t)
	r.MeanLeavesOut = map[string][]string{"eer": {"one <b>finger</b>"}, "1e-3": {"one <b>finger</b>", "few"}}
	r.Groups = append(r.Groups, evaluate.Differential{Attribute: "age", Ungrouped: 30, Unknown: 7})
	text := page(t, r)
	elements(t, text)
	for _, want := range []string{
		"mean of 2 of 3 sets", "EER is the mean without &#34;one &lt;b&gt;finger&lt;/b&gt;&#34;", "FNMR at FMR 1e-3 is the mean without",
		"names no subject of the data for this attribute", "30 subjects are in no group. 7 subjects of the table are not in the data.",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

// TestPageOfLittle: whatever a report lacks, there is a page.
func TestPageOfLittle(t *testing.T) {
	for name, r := range map[string]evaluate.Report{
		"zero":   {},
		"none":   evaluate.Evaluate(evaluate.Scores{}),
		"scores": evaluate.Evaluate(evaluate.Scores{Mated: []float64{2, 3}, NonMated: []float64{1, 1}}),
		"trials": evaluate.Trials("signature", []evaluate.Trial{{Score: 1}, {Score: 2, Forged: true}}),
	} {
		t.Run(name, func(t *testing.T) {
			if n := len(elements(t, page(t, r))); n < 50 {
				t.Errorf("%d elements", n)
			}
		})
	}
}

func TestDraw(t *testing.T) {
	curves := evaluation.Curves(report(t))
	if len(curves) != 4 || !curves[3].Main {
		t.Fatalf("%d curves", len(curves))
	}
	for _, kind := range evaluation.Kinds() {
		var first, second, picture bytes.Buffer
		if err := evaluation.Draw(&first, kind, evaluation.SVG, curves); err != nil {
			t.Fatal(err)
		}
		if err := evaluation.Draw(&second, kind, evaluation.SVG, curves); err != nil || !bytes.Equal(first.Bytes(), second.Bytes()) {
			t.Errorf("%s: two drawings differ (%v)", kind, err)
		}
		if err := xml.Unmarshal(first.Bytes(), new(struct{})); err != nil {
			t.Errorf("%s is not well-formed: %v", kind, err)
		}
		if err := evaluation.Draw(&picture, kind, evaluation.PNG, curves); err != nil {
			t.Fatal(err)
		}
		if image, err := png.Decode(&picture); err != nil || image.Bounds().Dx() != 900 || image.Bounds().Dy() != 750 {
			t.Errorf("%s: %v", kind, err)
		}
		if kind == evaluation.Rates {
			continue
		}
		for _, want := range []string{"false match rate (FMR)", "first", "pooled, one threshold", "10 %", "stroke-dasharray"} {
			if !strings.Contains(first.String(), want) {
				t.Errorf("%s does not show %q", kind, want)
			}
		}
	}
}

func TestDrawLittle(t *testing.T) {
	for name, curves := range map[string][]evaluation.Curve{
		"none": nil, "empty": {{Name: "a"}},
		"point":  {{Name: "a", Points: []evaluate.Point{{FMR: 1, FNMR: 0}}, Mated: 1, NonMated: 1, Main: true}},
		"apart":  {{Name: "a", Points: []evaluate.Point{{FMR: 1, FNMR: 0}, {FMR: 0, FNMR: 0}, {FMR: 0, FNMR: 1}}, Mated: 9, NonMated: 9}},
		"crowd":  make([]evaluation.Curve, 40),
		"failed": {{Name: "a", Points: []evaluate.Point{{FMR: 1, FNMR: 1}, {FMR: 1e-9, FNMR: 1}}, Mated: 1 << 30, NonMated: 1 << 30}},
	} {
		for _, kind := range evaluation.Kinds() {
			var b bytes.Buffer
			if err := evaluation.Draw(&b, kind, evaluation.SVG, curves); err != nil {
				t.Errorf("%s of %s: %v", kind, name, err)
			}
			if strings.Contains(b.String(), "NaN") || strings.Contains(b.String(), "Inf") {
				t.Errorf("%s of %s draws what is no number", kind, name)
			}
		}
	}
	if err := evaluation.Draw(io.Discard, "pie", evaluation.SVG, nil); err == nil {
		t.Error("a pie was drawn")
	}
	if err := evaluation.Draw(io.Discard, evaluation.DET, "jpeg", nil); err == nil {
		t.Error("a JPEG was drawn")
	}
}

// TestPageInChromium looks at the page as people do: letters and both curves are
// to be seen on a wide screen and on a narrow one.
func TestPageInChromium(t *testing.T) {
	browser, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("no chromium here (Debian's package chromium): the page is not looked at")
	}
	dir := t.TempDir()
	write(t, dir, "page.html", []byte(page(t, report(t))))
	for _, width := range []string{"1100", "400"} {
		shot := filepath.Join(dir, width+".png")
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		c := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage",
			"--user-data-dir="+filepath.Join(dir, "profile"), "--disable-background-networking", "--window-size="+width+",4000",
			"--screenshot="+shot, "file://"+filepath.Join(dir, "page.html"))
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		raw, err := os.ReadFile(shot)
		if err != nil {
			t.Fatal(err)
		}
		image, err := png.Decode(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		seen := map[[3]uint32]int{}
		for y := range image.Bounds().Dy() {
			for x := range image.Bounds().Dx() {
				r, g, b, _ := image.At(x, y).RGBA()
				seen[[3]uint32{r >> 8, g >> 8, b >> 8}]++
			}
		}
		// Letters, and the colours of the first two sets' curves.
		for colour, least := range map[[3]uint32]int{{0x1A, 0x1A, 0x1A}: 500, {0xD5, 0x5E, 0x00}: 50, {0x00, 0x72, 0xB2}: 50} {
			if seen[colour] < least {
				t.Errorf("%s pixels wide: %d pixels of %x, want %d", width, seen[colour], colour, least)
			}
		}
	}
}
