package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/enrol"
	"github.com/tamga-id/tamga/node/gallery"
)

type importFlags struct {
	node           nodeFlags
	from           secretFlags
	folder         enrol.FolderOptions
	quiet, restart bool
}

func (a *app) enrolCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "enrol",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
		Short:   "Enrol people",
		Long:    `Brings people into the node's encrypted gallery.`,
		Example: `  tamga enrol import --dir kaz --passphrase-file pass.txt people.ndjson`,
	}
	c.AddCommand(a.enrolImport())
	return c
}

func (a *app) enrolImport() *cobra.Command {
	var i importFlags
	c := &cobra.Command{
		Use:   "import PATH",
		Short: "Enrol from an NDJSON manifest or a folder of ISO/IEC 19794-2 templates",
		Long: `Enrols every good record of PATH and reports every bad one by its place and the rule it
broke; a bad record changes nothing. Safe to run again: records that are enrolled
already are left unchanged, and an import that was cut off goes on where it stopped.

When the node is running the import goes through its API, otherwise it opens the
gallery itself and needs the passphrase.

A manifest line: {"subject":{"type":"passport","value":"..."},
  "biometrics":[{"modality":"finger","format":"iso-19794-2-2005","data":"<base64>"}]}
("file" instead of "data" names a file below the manifest's folder; "holder_key" is
the person's public consent key, a JWK.)

In a folder every *.iso file is one record; its subject is the file name without
extension and trailing impression number, unless --pattern says otherwise.

Finger records may be of ISO/IEC 19794-2:2005 or 2011 (format "iso-19794-2-2011"),
bare or behind a CBEFF header as in passports and cards ("iso-19785-3-bit"); they
are stored as records of 2005. A finger that a record calls missing stays missing.`,
		Example: `  tamga enrol import --dir kaz --passphrase-file pass.txt people.ndjson
  tamga enrol import --dir kaz --passphrase-file pass.txt templates/ --id-type national_number
  tamga enrol import --dir kaz -o ndjson people.ndjson > results.ndjson`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return a.enrolPath(c.Context(), i, args[0]) },
	}
	f := c.Flags()
	f.StringVar(&i.node.dir, "dir", "", "the node's folder (required)")
	i.from.add(f, ", when the node is not running")
	f.StringVar(&i.folder.Pattern, "pattern", "", "regular expression with a group (?P<subject>...) over file names (default "+enrol.DefaultPattern+")")
	f.StringVar(&i.folder.Glob, "glob", "", "which files of a folder (default *.iso)")
	f.StringVar(&i.folder.IDType, "id-type", pseudonym.IDNationalNumber, "identifier type of a folder's subjects")
	f.BoolVar(&i.quiet, "quiet", false, "only totals and bad records")
	f.BoolVar(&i.restart, "restart", false, "forget how far an earlier import of PATH came")
	return c
}

// imported is the command's JSON result.
type imported struct {
	enrol.Totals
	Seconds float64         `json:"seconds"`
	Bad     []enrol.Outcome `json:"bad"`
}

func (a *app) enrolPath(ctx context.Context, i importFlags, path string) (err error) {
	if i.node.dir == "" {
		return usage("--dir is needed: the folder that `tamga init` made")
	}
	cfg, err := config.Load(filepath.Join(i.node.dir, node.ConfigFile))
	if err != nil {
		return err
	}
	src, err := openSource(path, cfg.Jurisdiction, i.folder)
	if err != nil {
		return &failure{exit: exitFailure, code: protocol.CodeManifest, err: fmt.Errorf("opening import: %w", nameless(err))}
	}
	sink, closeSink, err := a.openSink(ctx, i)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeSink()) }()
	o, bar := a.importOptions(i, cfg, path, src.Total)
	result := imported{Bad: []enrol.Outcome{}}
	o.Report = a.reporter(i, &result, bar)
	begin := time.Now()
	result.Totals, err = enrol.Import(ctx, src, sink, o)
	result.Seconds = time.Since(begin).Seconds()
	if bar != nil {
		_ = bar.Finish()
		fmt.Fprintln(a.err)
	}
	if emitErr := a.totals(result); emitErr != nil {
		return emitErr
	}
	if err != nil {
		f := *classify(err)
		f.err, f.hint = err, "run the same command again: it goes on after the last record that was acknowledged"
		return &f
	}
	if result.Records == 0 {
		// An empty export is a fault of what wrote it more often than an empty country.
		return &failure{exit: exitFailure, code: protocol.CodeManifest, err: errors.New("importing: there is no record in it")}
	}
	if result.Failed > 0 {
		return verdict{exitFailure}
	}
	return nil
}

func openSource(path, jurisdiction string, o enrol.FolderOptions) (enrol.Source, error) {
	info, err := os.Stat(path)
	if err != nil {
		return enrol.Source{}, err
	}
	if info.IsDir() {
		return enrol.Folder(path, jurisdiction, o)
	}
	return enrol.Manifest(path, nil, jurisdiction)
}

// importOptions places the checkpoint, and draws a bar when somebody looks.
func (a *app) importOptions(i importFlags, cfg config.Config, path string, total int) (enrol.Options, *progressbar.ProgressBar) {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	sum := sha256.Sum256([]byte("tamga/v1/import\x00" + path))
	o := enrol.Options{Checkpoint: filepath.Join(cfg.DataDir, "imports", hex.EncodeToString(sum[:8])+".json")}
	if i.restart {
		_ = os.Remove(o.Checkpoint)
	}
	if terminal(a.err) && total > 0 {
		bar := progressbar.NewOptions(total, progressbar.OptionSetWriter(a.err), progressbar.OptionSetDescription("enrolling"),
			progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetPredictTime(true))
		o.Progress = func(done int) { _ = bar.Set(done) }
		return o, bar
	}
	next := 10
	o.Progress = func(done int) {
		for total >= 1000 && next <= 100 && done*100 >= next*total {
			a.say("enrolling: %d %% (%d of %d)", next, done, total)
			next += 10
		}
	}
	return o, nil
}

// reporter prints per-record results: every record as NDJSON, or the bad ones for a person.
func (a *app) reporter(i importFlags, result *imported, bar *progressbar.ProgressBar) func(enrol.Outcome) {
	enc := json.NewEncoder(a.out)
	return func(o enrol.Outcome) {
		bad := o.Change == gallery.Failed
		if bad && len(result.Bad) < 10_000 {
			result.Bad = append(result.Bad, o)
		}
		switch {
		case a.format == "ndjson":
			_ = enc.Encode(o)
		case a.format == "table" && bad:
			if bar != nil {
				_ = bar.Clear()
			}
			fmt.Fprintf(a.out, "%s: %s %s\n", o.Place, o.Code, o.Rule)
		case a.format == "table" && !i.quiet && bar == nil:
			fmt.Fprintf(a.out, "%s: %s\n", o.Place, o.Change)
		}
	}
}

func (a *app) totals(r imported) error {
	if a.format == "ndjson" {
		return json.NewEncoder(a.out).Encode(struct {
			Totals enrol.Totals `json:"totals"`
		}{r.Totals})
	}
	rate := ""
	if r.Seconds > 0 {
		rate = fmt.Sprintf(" in %.1f s, %.0f a second", r.Seconds, float64(r.Records-r.Resumed)/r.Seconds)
	}
	return a.emit(r, [][2]string{
		{"records", fmt.Sprintf("%d%s", r.Records, rate)}, {"created", fmt.Sprint(r.Created)}, {"updated", fmt.Sprint(r.Updated)},
		{"unchanged", fmt.Sprint(r.Unchanged)}, {"failed", fmt.Sprint(r.Failed)}, {"done by an earlier run", fmt.Sprint(r.Resumed)},
	})
}

// openSink is the running node, or its gallery when it is not running.
func (a *app) openSink(ctx context.Context, i importFlags) (enrol.Sink, func() error, error) {
	none := func() error { return nil }
	i.node.operator = true
	cl, err := i.node.client()
	if err != nil {
		return nil, none, err
	}
	var s node.Status
	err = cl.call(ctx, http.MethodGet, "/v1/status", "", nil, &s)
	if err == nil {
		return remoteSink{cl}, none, nil
	}
	if !errors.Is(err, errNotRunning) {
		return nil, none, err
	}
	pass, err := a.secret(i.from, "Passphrase of the root key")
	if err != nil {
		return nil, none, err
	}
	defer clear(pass)
	g, err := node.OpenRegistrar(ctx, filepath.Join(i.node.dir, node.ConfigFile), pass)
	if err != nil {
		return nil, none, err
	}
	return g, g.Close, nil
}

// remoteSink enrols through a running node's API.
type remoteSink struct{ c *client }

// maxPost keeps a request below the API's limit of 16 MiB.
const maxPost = 12 << 20

func (r remoteSink) Enrol(ctx context.Context, batch []gallery.Enrolment) ([]gallery.Result, error) {
	var out []gallery.Result
	var body bytes.Buffer
	flush := func() error {
		if body.Len() == 0 {
			return nil
		}
		var reply struct {
			Results []struct {
				Result gallery.Change `json:"result"`
				Rule   string         `json:"rule"`
			} `json:"results"`
		}
		if err := r.c.call(ctx, http.MethodPost, "/v1/enrolments", "application/x-ndjson", body.Bytes(), &reply); err != nil {
			return err
		}
		for _, one := range reply.Results {
			res := gallery.Result{Change: one.Result}
			if one.Result == gallery.Failed {
				res.Err = errors.New(one.Rule)
			}
			out = append(out, res)
		}
		body.Reset()
		return nil
	}
	for _, e := range batch {
		line, err := json.Marshal(enrol.RecordOf(e))
		if err != nil {
			return nil, fmt.Errorf("encoding record: %w", err)
		}
		if body.Len()+len(line) > maxPost {
			if err := flush(); err != nil {
				return nil, err
			}
		}
		body.Write(line)
		body.WriteByte('\n')
	}
	return out, flush()
}
