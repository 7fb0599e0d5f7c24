package storecmd

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/nodeclient"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/progress"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/rootkey"
	"github.com/tamga-id/tamga/node/gallery/checkup"
	"github.com/tamga-id/tamga/node/registrar"
)

type fsckFlags struct {
	node nodeclient.Flags
	from rootkey.Flags
}

func galleryFsck(a *cli.App) *cobra.Command {
	var f fsckFlags
	c := &cobra.Command{
		Use:   "fsck",
		Short: "Read everything that the gallery holds, and list what is damaged",
		Long: `Reads every file of the gallery's store, every person's keyring and every record, and
compares what is there with what was acknowledged. It changes nothing. What is damaged is
listed: files, and people by handles that are always the same and say nothing. Exit code 9
says that something was found.

A running node is asked through its API and goes on meanwhile; it leaves out the files it
is writing. For one that is stopped, or that refuses to start, this reads the folder itself
and needs the passphrase.

What to do. A file whose fault is torn, and nothing else: nothing, it is a write that a
crash cut off and nobody was told of. Damage of single people only: import again what they
were enrolled from. Their records are put back, and a line fails with TMG-STO-0002 whose
person's keyring is damaged: erase that person and import the line once more.
One person's stamp, and nothing else: start the node, which puts it back.
Anybody missing, or anything else: keep the folder as it is and restore the newest backup,
with ` + "`tamga backup restore --keys --erasures`" + `, the key escrow (tamga backup escrow makes
one of this folder) and the list gallery-erasures of this folder.`,
		Example: `  tamga gallery fsck --dir kaz
  tamga gallery fsck --dir kaz --passphrase-file pass.txt -o json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return fsckGallery(c.Context(), a, f) },
	}
	c.Flags().StringVar(&f.node.Dir, "dir", "", "the node's folder (required)")
	f.from.AddBoth(c.Flags(), ", when the node is not running")
	return c
}

// checked is the command's JSON result, and part of what the API reports.
type checked struct {
	OK         bool          `json:"ok"`
	Subjects   uint64        `json:"subjects"`
	Records    uint64        `json:"records"`
	Damaged    []damagedPart `json:"damaged"`
	Damages    int           `json:"damages"`
	Missing    uint64        `json:"missing"`
	Stale      bool          `json:"stale"`
	Behind     bool          `json:"behind"`
	Unreadable bool          `json:"unreadable"`
	Faults     []fileFault   `json:"faults"`
}

type damagedPart struct {
	Subject string `json:"subject"`
	Part    string `json:"part"`
	Place   uint32 `json:"place"`
}

type fileFault struct {
	Where string `json:"where"`
	Rule  string `json:"rule"`
	Torn  bool   `json:"torn"`
}

func fsckGallery(ctx context.Context, a *cli.App, f fsckFlags) error {
	if err := cli.NeedDir(f.node.Dir); err != nil {
		return err
	}
	cl, err := f.node.Running(ctx)
	if err != nil {
		return err
	}
	var r checked
	if cl != nil {
		r, err = followCheck(ctx, a, cl)
	} else {
		r, err = checkStopped(ctx, a, f)
	}
	if err != nil {
		return err
	}
	if err := a.Emit(r, checkRows(r)); err != nil || r.OK {
		return err
	}
	a.Say("hint: %s", checkHint(r))
	return fault.Verdict{Exit: fault.ExitIntegrity}
}

// checkHint is the way out.
func checkHint(r checked) string {
	for _, f := range r.Faults {
		if !f.Torn {
			return "keep the folder as it is, and restore the newest backup: `tamga backup restore --help`"
		}
	}
	if onlyStamp(r) {
		return "start the node, again if it runs: it works out the stamp that is missing and puts it back, if nothing else is wrong"
	}
	if r.Missing > 0 || r.Stale || r.Behind || r.Unreadable {
		return "keep the folder as it is, and restore the newest backup: `tamga backup restore --help`"
	}
	return "import again what these people were enrolled from: damaged records are put back; a person whose line fails has a damaged keyring: erase it with `tamga subject erase`, and import the line once more"
}

// onlyStamp reports that one person's stamp is lost, and nothing else.
func onlyStamp(r checked) bool {
	return r.Missing == 1 && r.Damages == 1 && len(r.Damaged) == 1 && r.Damaged[0].Part == "stamp" && !r.Stale && !r.Behind && !r.Unreadable
}

func checkRows(r checked) [][2]string {
	state := "sound"
	if !r.OK {
		state = "DAMAGED"
	}
	rows := [][2]string{{"gallery", state}, {"subjects", fmt.Sprint(r.Subjects)}, {"records", fmt.Sprint(r.Records)}}
	for _, f := range r.Faults {
		rule := f.Rule
		if f.Torn {
			rule += " (perhaps a write that a crash cut off)"
		}
		rows = append(rows, [2]string{f.Where, rule})
	}
	for _, d := range r.Damaged {
		what := d.Part
		if d.Part == "record" {
			what = fmt.Sprintf("record %d", d.Place)
		}
		rows = append(rows, [2]string{"subject " + d.Subject, what + " damaged or gone"})
	}
	if n := r.Damages - len(r.Damaged); n > 0 {
		rows = append(rows, [2]string{"and", fmt.Sprintf("%d more", n)})
	}
	for _, one := range []struct {
		is   bool
		text string
	}{
		{r.Missing > 0, fmt.Sprintf("%d subjects; who they are cannot be told", r.Missing)},
		{r.Stale, "the last version of some subjects"},
		{r.Behind, "the newest commits that were acknowledged"},
		{r.Unreadable, "all or some of the rows: they cannot be read"},
	} {
		if one.is {
			rows = append(rows, [2]string{"missing", one.text})
		}
	}
	return rows
}

func checkProgress(a *cli.App, what string, done, total uint64) {
	if cli.Terminal(a.Err) && total > 0 {
		fmt.Fprintf(a.Err, "\rchecking %s: %d of %d (%d %%) ", what, done, total, done*100/total)
	}
}

// checkStopped reads the folder of a node that is not running.
func checkStopped(ctx context.Context, a *cli.App, f fsckFlags) (checked, error) {
	roots, err := rootkey.OpenRoots(a, f.node.Dir, f.from)
	if err != nil {
		return checked{}, err
	}
	defer roots.Wipe()
	r, err := registrar.Check(ctx, filepath.Join(f.node.Dir, node.ConfigFile), roots,
		func(what string, done, total uint64) { checkProgress(a, what, done, total) })
	if err != nil {
		return checked{}, err
	}
	out := checked{OK: r.Sound(), Subjects: r.Subjects, Records: r.Records, Damaged: []damagedPart{}, Damages: len(r.Damaged), Missing: r.Missing,
		Stale: r.Stale, Behind: r.Behind, Unreadable: r.Unreadable, Faults: []fileFault{}}
	for _, d := range r.Damaged {
		out.Damaged = append(out.Damaged, damagedPart(d))
	}
	for _, one := range r.Faults {
		out.Faults = append(out.Faults, fileFault(one))
	}
	return out, nil
}

const checkPath = "/v1/gallery/check"

// followCheck has the running node do it, and returns when it has.
func followCheck(ctx context.Context, a *cli.App, cl *nodeclient.Client) (checked, error) {
	method := http.MethodPost
	every := time.NewTicker(progress.PollEvery)
	defer every.Stop()
	for ; ; method = http.MethodGet {
		var r struct {
			State string        `json:"state"`
			What  string        `json:"what"`
			Done  uint64        `json:"done"`
			Total uint64        `json:"total"`
			Code  protocol.Code `json:"code"`
			Title string        `json:"title"`
			checked
		}
		if err := cl.Call(ctx, method, checkPath, "", nil, &r); err != nil {
			return checked{}, err
		}
		checkProgress(a, r.What, r.Done, r.Total)
		switch r.State {
		case string(checkup.Done):
			return r.checked, nil
		case string(checkup.Failed):
			return checked{}, &fault.Failure{Exit: fault.ExitFailure, Code: r.Code, Err: fmt.Errorf("checking gallery: %s", r.Title)}
		}
		select {
		case <-ctx.Done():
			return checked{}, ctx.Err()
		case <-every.C:
		}
	}
}
