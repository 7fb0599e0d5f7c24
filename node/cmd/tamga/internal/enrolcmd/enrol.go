// Package enrolcmd is `tamga enrol`: people are taken into a gallery.
package enrolcmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/nodeclient"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/rootkey"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/enrol"
	"github.com/tamga-id/tamga/node/gallery"
)

type importFlags struct {
	node           nodeclient.Flags
	from           rootkey.Flags
	folder         enrol.FolderOptions
	quiet, restart bool
	duplicates     string
	dryRun         bool
}

// Command is `tamga enrol`.
func Command(a *cli.App) *cobra.Command {
	c := &cobra.Command{
		Use:     "enrol",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
		Short:   "Enrol people",
		Long:    `Brings people into the node's encrypted gallery.`,
		Example: `  tamga enrol import --dir kaz --passphrase-file pass.txt people.ndjson`,
	}
	c.AddCommand(enrolImport(a), enrolBatches(a), enrolUndo(a))
	return c
}

func enrolImport(a *cli.App) *cobra.Command {
	var i importFlags
	c := &cobra.Command{
		Use:   "import PATH",
		Short: "Enrol from an NDJSON manifest or a folder of ISO/IEC 19794-2 templates",
		Long: `Enrols every good record of PATH, or of the manifest on standard input when PATH is -, and reports every bad one by its place and the rule it
broke; a bad record changes nothing. Safe to run again: records that are enrolled
already are left unchanged, and an import that was cut off goes on where it stopped,
unless it came from standard input or a pipe, which is compared from its start.

A subject who is enrolled, by other imports too, and would change gets what is new;
with --duplicates skip the subject is left as it is ("kept"), with refuse the record
is a bad one. With --dry-run everything is checked, nothing is stored, and the results
are what would happen: against the gallery as it is now, not against earlier records
of PATH but the 255 before.

Every import that adds something is a batch: ` + "`tamga enrol batches`" + ` lists them.

When the node is running the import goes through its API, otherwise it opens the
gallery itself and needs the passphrase.

A manifest line: {"subject":{"type":"passport","value":"..."},
  "biometrics":[{"modality":"finger","format":"iso-19794-2-2005","data":"<base64>"}]}
("file" instead of "data" names a file below the manifest's folder; "holder_key" is
the person's public consent key, a JWK. What could not be captured is said with
"absent":[{"modality":"finger","position":3,"reason":"amputated"}], reasons amputated,
unable_to_capture, not_captured, not_extracted; without position it is all fingers.
Whoever has no usable finger is enrolled with a face, or with that finding alone.
"consent" is a consent, signed by the person or attested by an office, in which this node
is requester and controller: the person is held by it alone, and erased when it is
withdrawn: see ` + "`tamga consent withdraw`" + `.)

In a folder every *.iso file is one record; its subject is the file name without
extension and trailing impression number, unless --pattern says otherwise.

Finger records may be of ISO/IEC 19794-2:2005 or 2011 (format "iso-19794-2-2011"),
bare or behind a CBEFF header as in passports and cards ("iso-19785-3-bit"); they
are stored as records of 2005. A finger that a record calls missing is recorded as
missing; a record without any other is a finding and no fault.`,
		Example: `  tamga enrol import --dir kaz --passphrase-file pass.txt people.ndjson
  tamga enrol import --dir kaz --passphrase-file pass.txt templates/ --id-type national_number
  tamga enrol import --dir kaz --passphrase-file pass.txt --dry-run --duplicates refuse people.ndjson
  zcat people.ndjson.gz | tamga enrol import --dir kaz --passphrase-file pass.txt -
  tamga enrol import --dir kaz -o ndjson people.ndjson > results.ndjson`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return enrolPath(c.Context(), a, i, args[0]) },
	}
	f := c.Flags()
	f.StringVar(&i.node.Dir, "dir", "", "the node's folder (required)")
	i.from.AddBoth(f, ", when the node is not running")
	f.StringVar(&i.folder.Pattern, "pattern", "", "regular expression with a group (?P<subject>...) over file names (default "+enrol.DefaultPattern+")")
	f.StringVar(&i.folder.Glob, "glob", "", "which files of a folder (default *.iso)")
	f.StringVar(&i.folder.IDType, "id-type", pseudonym.IDNationalNumber, "identifier type of a folder's subjects")
	f.StringVar(&i.duplicates, "duplicates", "update", "about subjects who are enrolled and would change: update, skip or refuse")
	f.BoolVar(&i.dryRun, "dry-run", false, "check everything, store nothing, say what would happen")
	f.BoolVar(&i.quiet, "quiet", false, "only totals and bad records")
	f.BoolVar(&i.restart, "restart", false, "forget how far an earlier import of PATH came")
	return c
}

// imported is the command's JSON result.
type imported struct {
	Batch  string `json:"batch,omitempty"` // absent when nothing was added
	DryRun bool   `json:"dry_run,omitempty"`
	enrol.Totals
	Seconds float64         `json:"seconds"`
	Bad     []enrol.Outcome `json:"bad"`
}

func enrolPath(ctx context.Context, a *cli.App, i importFlags, path string) (err error) {
	policy, err := i.check(path)
	if err != nil {
		return err
	}
	cfg, err := config.Load(filepath.Join(i.node.Dir, node.ConfigFile))
	if err != nil {
		return err
	}
	src, err := openSource(a, path, cfg.Jurisdiction, i.folder)
	if err != nil {
		return &fault.Failure{Exit: fault.ExitFailure, Code: protocol.CodeManifest, Err: fmt.Errorf("opening import: %w", fault.Nameless(err))}
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	sink, closeSink, err := openSink(ctx, a, i)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeSink()) }()
	run := &importRun{app: a, flags: i, begin: time.Now(), result: imported{DryRun: i.dryRun, Bad: []enrol.Outcome{}}}
	if err := run.start(cfg, path, src); err != nil {
		return err
	}
	run.options.IfKnown = policy
	err = run.run(ctx, src, sink)
	if errors.Is(err, enrol.ErrBusy) {
		return err
	}
	if emitErr := totals(a, run.result); emitErr != nil {
		return emitErr
	}
	return run.judge(err)
}

// check reads the flags that depend on one another.
func (i importFlags) check(path string) (gallery.IfKnown, error) {
	if i.node.Dir == "" {
		return 0, fault.Usage("--dir is needed: the folder that `tamga init` made")
	}
	if path == "-" && i.from.File == "-" {
		return 0, fault.Usage("the manifest and the passphrase cannot both come from standard input: give --passphrase-file a file")
	}
	policy, ok := enrol.ParseDuplicates(i.duplicates)
	if !ok {
		return 0, fault.Usage("--duplicates takes update, skip or refuse")
	}
	return policy, nil
}

func openSource(a *cli.App, path, jurisdiction string, o enrol.FolderOptions) (enrol.Source, error) {
	if path == "-" {
		return enrol.Manifest("", a.In, jurisdiction)
	}
	info, err := os.Stat(path)
	if err != nil {
		return enrol.Source{}, err
	}
	if info.IsDir() {
		return enrol.Folder(path, jurisdiction, o)
	}
	return enrol.Manifest(path, nil, jurisdiction)
}
