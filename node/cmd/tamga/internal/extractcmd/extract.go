// Package extractcmd is `tamga extract`: templates of images of fingerprints.
package extractcmd

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/finger"
	"github.com/tamga-id/tamga/matcher/finger/extract"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
)

type extractFlags struct {
	out      string
	dpi      int
	raw      string
	position uint8
}

// Command is `tamga extract`.
func Command(a *cli.App) *cobra.Command {
	var e extractFlags
	c := &cobra.Command{
		Use:   "extract IMAGE...",
		Short: "Find the minutiae in fingerprint images",
		Long: `Reads 8-bit fingerprint images (PNG, WSQ, or raw pixels with --raw), dark ridges on light
ground, and writes for each an ISO/IEC 19794-2:2005 record of the same name ending in .iso,
which ` + "`tamga enrol`, `tamga verify` and `tamga evaluate`" + ` take. An existing record is replaced.

For each image it says the quality (0 to 100) and what keeps it low:
  no-finger       there are no ridges: place the finger
  small-area      too little of the finger: place it flat and in the middle
  few-minutiae    too little to compare: capture again, or another finger
  unclear-ridges  ridges run together or break off: clean finger and sensor, dry or moisten
  low-contrast    ridges hardly stand out: press more firmly

An image that cannot be used is named with the rule that it broke; the others are still
extracted, and the exit code is 1.`,
		Example: `  tamga extract thumb.png --out templates/
  tamga extract scans/*.wsq --out templates/ -o json
  tamga extract --raw 388x374 --dpi 569 --position 2 index.raw --out templates/`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return extractFiles(c.Context(), a, e, args) },
	}
	f := c.Flags()
	f.StringVar(&e.out, "out", "", "folder for the records, made when absent (required)")
	f.IntVar(&e.dpi, "dpi", 0, "resolution in pixels per inch, 250 to 1200; 0 is what the file says, or 500")
	f.StringVar(&e.raw, "raw", "", "images are pixels without a header: WIDTHxHEIGHT")
	f.Uint8Var(&e.position, "position", 0, "finger position code of all images: 0 unknown, 1 right thumb to 10 left little finger")
	return c
}

// extracted is what became of one image.
type extracted struct {
	Image    string           `json:"image"`
	Record   string           `json:"record,omitempty"`
	Minutiae int              `json:"minutiae"`
	Quality  uint8            `json:"quality"`
	Reasons  []extract.Reason `json:"reasons"`
	Error    string           `json:"error,omitempty"`
}

// extraction is the JSON result of the command.
type extraction struct {
	Extracted int         `json:"extracted"`
	Failed    int         `json:"failed"`
	Images    []extracted `json:"images"`
}

func extractFiles(ctx context.Context, a *cli.App, e extractFlags, images []string) error {
	read, err := e.reader()
	if err != nil {
		return err
	}
	if err := distinct(images); err != nil {
		return err
	}
	if err := os.MkdirAll(e.out, 0o700); err != nil {
		return fmt.Errorf("making the folder for records: %w", err)
	}
	bar := extractBar(a, len(images))
	result := extraction{Images: []extracted{}}
	for _, name := range images {
		if err := ctx.Err(); err != nil {
			return err
		}
		r, err := e.one(read, name)
		if err != nil {
			r = extracted{Image: name, Reasons: []extract.Reason{}, Error: err.Error()}
			result.Failed++
		} else {
			result.Extracted++
		}
		showImage(a, r)
		result.Images = append(result.Images, r)
		bar()
	}
	if err := extractTotals(a, result); err != nil {
		return err
	}
	if result.Failed > 0 {
		return fault.Verdict{Exit: fault.ExitFailure}
	}
	return nil
}

// reader checks the flags and gives what turns a file into an image.
func (e extractFlags) reader() (func([]byte) (extract.Image, error), error) {
	switch {
	case e.out == "":
		return nil, fault.Usage("--out is needed: a folder for the records")
	case e.dpi != 0 && (e.dpi < extract.MinResolution || e.dpi > extract.MaxResolution):
		return nil, fault.Usage("--dpi takes %d to %d", extract.MinResolution, extract.MaxResolution)
	case e.position > 10:
		return nil, fault.Usage("--position takes 0 to 10")
	case e.raw == "":
		return func(b []byte) (extract.Image, error) { return extract.Decode(b, e.dpi) }, nil
	}
	var width, height int
	if n, err := fmt.Sscanf(e.raw, "%dx%d", &width, &height); n != 2 || err != nil || fmt.Sprintf("%dx%d", width, height) != e.raw {
		return nil, fault.Usage("--raw takes WIDTHxHEIGHT, for instance 388x374")
	}
	dpi := e.dpi
	if dpi == 0 {
		dpi = 500
	}
	return func(b []byte) (extract.Image, error) { return extract.Raw(b, width, height, dpi) }, nil
}

// distinct refuses two images whose records would have one name: the second would replace the
// first, which is somebody else's finger.
func distinct(images []string) error {
	seen := map[string]string{}
	for _, name := range images {
		record := recordName(name)
		if other, ok := seen[record]; ok {
			return fault.Usage("%q and %q would both be written as %s", other, name, cli.OnOneLine(record))
		}
		seen[record] = name
	}
	return nil
}

func recordName(image string) string {
	base := filepath.Base(image)
	return strings.TrimSuffix(base, filepath.Ext(base)) + ".iso"
}

// one extracts from one file and writes its record, whole or not at all.
func (e extractFlags) one(read func([]byte) (extract.Image, error), name string) (extracted, error) {
	b, err := readBounded(name, extract.MaxFile)
	if err != nil {
		return extracted{}, fmt.Errorf("reading image: %w", fault.Nameless(err))
	}
	m, err := read(b)
	if err != nil {
		return extracted{}, err
	}
	r, err := extract.Extract(m)
	if err != nil {
		return extracted{}, err
	}
	r.Sample.Position = e.position
	record, err := exchange.EncodeFinger([]finger.Sample{r.Sample})
	if err != nil {
		return extracted{}, err
	}
	out := filepath.Join(e.out, recordName(name))
	if err := os.WriteFile(out+".part", record, 0o600); err != nil {
		return extracted{}, fmt.Errorf("writing record: %w", fault.Nameless(err))
	}
	if err := os.Rename(out+".part", out); err != nil {
		return extracted{}, fmt.Errorf("writing record: %w", fault.Nameless(err))
	}
	return extracted{Image: name, Record: out, Minutiae: len(r.Sample.Minutiae), Quality: r.Sample.Quality,
		Reasons: append([]extract.Reason{}, r.Reasons...)}, nil
}

// readBounded reads a file of at most limit octets, and one more of a longer one.
func readBounded(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit+1))
}

// extractBar shows progress to a person.
func extractBar(a *cli.App, total int) (step func()) {
	if !cli.Terminal(a.Err) || cli.Terminal(a.Out) && a.Format != "json" {
		return func() {} // the results themselves are the progress
	}
	bar := progressbar.NewOptions(total, progressbar.OptionSetWriter(a.Err), progressbar.OptionSetDescription("extracting"),
		progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionOnCompletion(func() { fmt.Fprintln(a.Err) }))
	return func() { _ = bar.Add(1) }
}

// showImage prints one result as it comes: a line of JSON, or one for a person.
func showImage(a *cli.App, r extracted) {
	switch {
	case a.Format == "ndjson":
		_ = json.NewEncoder(a.Out).Encode(r)
	case a.Format == "table" && r.Error != "":
		fmt.Fprintf(a.Out, "%s: %s\n", cli.OnOneLine(r.Image), cli.OnOneLine(r.Error))
	case a.Format == "table":
		reasons := make([]string, len(r.Reasons))
		for i, reason := range r.Reasons {
			reasons[i] = string(reason)
		}
		line := fmt.Sprintf("%s: %d minutiae, quality %d %s", cli.OnOneLine(r.Image), r.Minutiae, r.Quality, strings.Join(reasons, ", "))
		fmt.Fprintln(a.Out, strings.TrimRight(line, " "))
	}
}

func extractTotals(a *cli.App, r extraction) error {
	switch a.Format {
	case "json":
		return a.Emit(r, nil)
	case "ndjson":
		return json.NewEncoder(a.Out).Encode(struct {
			Extracted int `json:"extracted"`
			Failed    int `json:"failed"`
		}{r.Extracted, r.Failed})
	}
	_, err := fmt.Fprintf(a.Out, "%d extracted, %d failed\n", r.Extracted, r.Failed)
	return err
}
