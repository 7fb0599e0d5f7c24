package evaluation

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tamga-id/tamga/matcher/evaluate"
)

//go:embed page.html
var pageText string

// Page is a report for people: one HTML file with its pictures inside, without
// scripts, that asks nothing of a network.
type Page struct {
	Report evaluate.Report
	Data   string    // what was evaluated, such as the folder's name
	Made   time.Time // when
	With   string    // what measured it: program and version
	// Notes are sentences on the data, such as on files that were ignored.
	Notes []string
	// Figures are measures that only this modality has.
	Figures []Figure
}

// Figure is a named rate.
type Figure struct {
	Name string
	Rate evaluate.Rate
}

// Write writes the page.
func (p Page) Write(w io.Writer) error {
	view := struct {
		Page
		Bounds   []string
		Pictures []picture
		Limits   []string
		LeftOut  []string
	}{Page: p, LeftOut: LeftOut(p.Report), Bounds: []string{"1e-2", "1e-3", "1e-4", "1e-5", "1e-6"}, Limits: limits(p.Report)}
	for _, kind := range Kinds() {
		if len(p.Report.DET) == 0 {
			break
		}
		one, err := draws(kind, p.Report)
		if err != nil {
			return err
		}
		view.Pictures = append(view.Pictures, one)
	}
	t, err := template.New("page").Funcs(template.FuncMap{
		"percent": percentage, "interval": interval, "count": count, "support": support, "mark": mark, "title": title,
		"ratio": ratio, "score": score, "ranks": ranks, "meanOf": MeanOf,
		"thousands": func(v evaluate.Speed) string { return count(int(v + 0.5)) },
		"share":     func(v float64) string { return percentage(evaluate.Rate(v)) },
	}).Parse(pageText)
	if err != nil {
		panic("evaluation: page.html: " + err.Error())
	}
	var b bytes.Buffer
	if err := t.Execute(&b, view); err != nil {
		return fmt.Errorf("writing page: %w", err)
	}
	_, err = w.Write(b.Bytes())
	return err
}

// picture is a drawing with what is told to those who do not see it.
type picture struct {
	Name, Text string
	SVG        template.HTML
}

const dashed = "Dashed: below 3 in the number of non-mated comparisons, more than these can claim."

func draws(kind Kind, r evaluate.Report) (picture, error) {
	var b bytes.Buffer
	if err := Draw(&b, kind, SVG, Curves(r)); err != nil {
		return picture{}, err
	}
	p := picture{Name: "Detection error trade-off (DET)", Text: "FNMR over FMR, both logarithmic. Lower is better. " + dashed}
	switch kind {
	case Rates:
		p = picture{Name: "Error rates by threshold", Text: "FMR falls and FNMR rises with the threshold, over all comparisons; they cross at the EER."}
	case ROC:
		p = picture{Name: "Receiver operating characteristic (ROC)", Text: "True match rate over FMR, the latter logarithmic. Higher is better. " + dashed}
	}
	// What comes before the svg element belongs to a file of its own, and its
	// size is the page's business.
	text := b.String()
	text = text[strings.Index(text, "<svg"):]
	_, drawing, _ := strings.Cut(text, ">")
	label := fmt.Sprintf("%s: %s The figures are in the tables.", p.Name, p.Text)
	p.SVG = template.HTML(`<svg role="img" viewBox="0 0 432 360" xmlns="http://www.w3.org/2000/svg" aria-label="` +
		template.HTMLEscapeString(label) + `">` + drawing)
	return p, nil
}

func percentage(r evaluate.Rate) string {
	if !r.Measured() {
		return "–"
	}
	digits := 2
	if r > 0 && r < 0.001 {
		digits = 4
	}
	return strconv.FormatFloat(100*float64(r), 'f', digits, 64) + " %"
}

func interval(i evaluate.Interval) string {
	if !i[0].Measured() || !i[1].Measured() {
		return "–"
	}
	return percentage(i[0]) + " to " + percentage(i[1])
}

// MeanOf says over how many sets the mean of a figure is: "eer" or a key of FNMRAtFMR.
func MeanOf(r evaluate.Report, figure string) string {
	if n := len(r.MeanLeavesOut[figure]); n > 0 {
		return fmt.Sprintf("%d of %d sets", len(r.Sets)-n, len(r.Sets))
	}
	return fmt.Sprintf("%d sets", len(r.Sets))
}

// LeftOut names the sets that means leave out because they lack the figure, a
// line for each figure.
func LeftOut(r evaluate.Report) []string {
	var lines []string
	for _, figure := range slices.Sorted(maps.Keys(r.MeanLeavesOut)) {
		name := "EER"
		if figure != "eer" {
			name = "FNMR at FMR " + figure
		}
		quoted := make([]string, len(r.MeanLeavesOut[figure]))
		for i, set := range r.MeanLeavesOut[figure] {
			quoted[i] = strconv.Quote(set)
		}
		lines = append(lines, name+" is the mean without "+strings.Join(quoted, ", "))
	}
	return lines
}

func ratio(r evaluate.Rate) string {
	if !r.Measured() {
		return "–"
	}
	return strconv.FormatFloat(float64(r), 'f', 2, 64)
}

func score(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }

// ranks are those that a table of identification has rows for.
func ranks(in *evaluate.Identification) []string {
	var out []string
	for _, k := range []string{"1", "5", "10", "20"} {
		if _, ok := in.Rank[k]; ok {
			out = append(out, k)
		}
	}
	return out
}

// count groups digits by three.
func count(n int) string {
	s := strconv.Itoa(n)
	for at := len(s) - 3; at > 0; at -= 3 {
		s = s[:at] + "\u202f" + s[at:]
	}
	return s
}

func support(s evaluate.Support) string {
	switch s {
	case evaluate.RuleOf30:
		return "at least 30 false matches seen"
	case evaluate.RuleOf3:
		return "enough comparisons to claim the FMR (rule of three)"
	case evaluate.Indicative:
		return "indicative: too few comparisons to claim the FMR"
	}
	return "not measurable"
}

// mark stands beside a figure whose FMR its comparisons do not support.
func mark(s evaluate.Support) string {
	if s == evaluate.Indicative {
		return "\u00a0†"
	}
	return ""
}

// title begins a sentence.
func title(words string) string {
	if words == "" {
		return "Comparator"
	}
	return strings.ToUpper(words[:1]) + words[1:]
}

// limits says in words what the figures do not tell.
func limits(r evaluate.Report) []string {
	var out []string
	if r.NonMated > 0 {
		n := float64(r.NonMated)
		out = append(out, fmt.Sprintf("With %s non-mated comparisons the lowest FMR that can be claimed is %s (rule of three: 3 in the number of comparisons); "+
			"to know an FMR within 30 %% takes 30 false matches, here an FMR of about %s.",
			count(r.NonMated), percentage(evaluate.Rate(3/n)), percentage(evaluate.Rate(min(1, 30/n)))))
	}
	if a := r.Acquisition; a != nil {
		if a.Subjects < 100 {
			out = append(out, fmt.Sprintf("The comparisons are of only %d subjects and depend on one another. The intervals come from redrawing subjects, "+
				"but with so few they are rough themselves.", a.Subjects))
		}
		if a.Failed > 0 {
			out = append(out, fmt.Sprintf("%d samples gave no template. Their comparisons are counted at the lowest score, so that FNMR and FMR here are "+
				"the generalised rates (GFRR and GFAR) of ISO/IEC 19795-1 as regards failures to acquire.", a.Failed))
		}
		out = append(out, "People who cannot present the characteristic at all are in no file: the failure to enrol of a whole population is not measured here.")
	}
	if len(r.Sets) > 1 {
		out = append(out, "Non-mated comparisons are within sets, so captures of one sensor are compared with each other; across sensors non-mated scores are usually lower.")
	}
	if r.Identification != nil {
		out = append(out, fmt.Sprintf("Identification rates hold for a gallery of %s references. FPIR grows with the gallery.", count(r.Identification.Gallery)))
	}
	return append(out, "The rates are those of this data. Sensors, climate, age and occupation of the people who use a system change them; "+
		"a deployment needs an evaluation with its own.")
}
