// Package peoplecmd is `tamga subject`, `tamga templates` and `tamga canary`: those whom a gallery holds.
package peoplecmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/nodeclient"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/person"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/rootkey"
	"github.com/tamga-id/tamga/node/gallery"
)

// Subject is `tamga subject`.
func Subject(a *cli.App) *cobra.Command {
	c := &cobra.Command{
		Use:   "subject",
		Short: "Erase a person from the register",
		Long:  `What concerns one enrolled person.`,
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
		Example: `  tamga subject erase --dir kaz --subject KAZ:passport:SYNA1B2C3 \
      --accept-risk=` + eraseRisk,
	}
	c.AddCommand(subjectErase(a))
	return c
}

// eraseRisk is what --accept-risk must name.
const eraseRisk = "erase-subject"

type eraseFlags struct {
	node          nodeclient.Flags
	from          rootkey.Flags
	subject, risk string
	damaged       string // a handle, instead of subject
}

func subjectErase(a *cli.App) *cobra.Command {
	var e eraseFlags
	c := &cobra.Command{
		Use:   "erase",
		Short: "Destroy all that is held of a person",
		Long: `Destroys everything that the register holds of one person: key, templates, findings and
holder key, whichever import brought them. It stands when this returns: past a crash,
past an import that began before and is resumed, and past an older copy of the data folder
or a backup put back, from which the person is erased again before anybody is served. For
that the node keeps a list: in the gallery, beside it as data/gallery-erasures, and beside
the checkpoint file (recovery.checkpoint_file, with "-erasures" behind its name), which
belongs on another disk; ` + "`tamga backup restore`" + ` asks for it. The ledger says that somebody was
erased, and names nobody. The person can be enrolled anew, also by an import that begins
afterwards.

What the disk still holds of the person, in files not yet rewritten and in copies of
them, opens to who has the root key and the KEK of that time. Rotating the KEK and retiring
the old one (` + "`tamga key rotate retire kek`" + `) ends that for every backup and every copy of
gallery or database, however old: nothing opens them then but a key escrow or a copy of
keystore.json from before. Destroy those (` + "`tamga backup list`" + ` names escrows that it
sees), and retire the KEK as often as your rules want erasure to be final, or have the node
do that (kek.retention in tamga.yaml). The output says which KEK that is, and by when.

Somebody whose keyring is damaged can be erased, too, by the number or by --damaged and the
handle under which ` + "`tamga gallery fsck`" + ` lists the person, when no one knows the number:
until then no KEK is retired.

When the node is running this goes through its API, otherwise it opens the gallery
itself and needs the passphrase. Name the risk with --accept-risk=` + eraseRisk + `. Exit code 11
says that nobody is enrolled under this number.`,
		Example: `  tamga subject erase --dir kaz --subject KAZ:passport:SYNA1B2C3 --accept-risk=` + eraseRisk + `
  echo KAZ:national_number:SYNKAZ0000000001 | tamga subject erase --dir kaz --subject - --accept-risk=` + eraseRisk,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return eraseSubject(c.Context(), a, e) },
	}
	f := c.Flags()
	f.StringVar(&e.node.Dir, "dir", "", "the node's folder (required)")
	e.from.AddBoth(f, ", when the node is not running")
	f.StringVar(&e.subject, "subject", "", "COUNTRY:TYPE:VALUE, type passport or national_number; - reads it from standard input (required)")
	f.StringVar(&e.damaged, "damaged", "", "instead of --subject: the handle of somebody whom tamga gallery fsck lists; the node must be stopped")
	f.StringVar(&e.risk, "accept-risk", "", "must be "+eraseRisk)
	return c
}

// erasedSubject is the command's JSON result.
type erasedSubject struct {
	Erased   bool       `json:"erased"`
	Records  int        `json:"records"`
	FinalKEK uint32     `json:"final_kek,omitempty"` // backups of before open until it is retired
	FinalBy  *time.Time `json:"final_by,omitempty"`  // when kek.retention does that
}

// final says until when backups of before open.
func (e erasedSubject) final() string {
	switch {
	case !e.Erased:
		return "nothing was erased"
	case e.FinalBy != nil:
		return fmt.Sprintf("by %s, when kek %d is retired by itself (kek.retention), once the key escrows of before are destroyed", e.FinalBy.Format(time.RFC3339), e.FinalKEK)
	}
	return fmt.Sprintf("after kek %d is retired (tamga key rotate prepare, activate, retire kek) and the key escrows of before are destroyed", e.FinalKEK)
}

func eraseSubject(ctx context.Context, a *cli.App, e eraseFlags) error {
	if e.node.Dir == "" {
		return fault.Usage("--dir is needed: the folder that `tamga init` made")
	}
	if (e.subject == "") == (e.damaged == "") {
		return fault.Usage("either --subject or --damaged says whom")
	}
	var id pseudonym.Identifier
	var err error
	if e.damaged == "" {
		if id, err = person.Subject(a, e.subject); err != nil {
			return err
		}
	}
	if e.risk != eraseRisk {
		return fault.Usage("this destroys all that is held of a person, for good: --accept-risk=%s says that you mean it", eraseRisk)
	}
	r, err := erase(ctx, a, e, id)
	if err != nil {
		return err
	}
	if err := a.Emit(r, [][2]string{{"erased", fmt.Sprint(r.Erased)}, {"records destroyed", fmt.Sprint(r.Records)},
		{"final against backups", r.final()}}); err != nil {
		return err
	}
	if !r.Erased {
		return fault.Verdict{Exit: fault.ExitInconclusive}
	}
	return nil
}

// erase asks the running node, or its gallery when it is not running.
func erase(ctx context.Context, a *cli.App, e eraseFlags, id pseudonym.Identifier) (r erasedSubject, err error) {
	cl, err := e.node.Running(ctx)
	if err != nil {
		return r, err
	}
	if cl != nil && e.damaged != "" {
		return r, fault.Usage("stop the node first: who is damaged is erased with the gallery to ourselves")
	}
	if cl != nil {
		body, err := json.Marshal(map[string]any{"subject": map[string]string{
			"jurisdiction": id.Jurisdiction, "type": id.Type, "value": id.Value}})
		if err != nil {
			return r, errors.New("encoding request")
		}
		return r, cl.Call(ctx, http.MethodPost, "/v1/subjects/erase", "application/json", body, &r)
	}
	g, err := rootkey.OpenRegistrar(ctx, a, e.node.Dir, e.from)
	if err != nil {
		return r, err
	}
	if e.damaged != "" {
		err = g.EraseDamaged(ctx, e.damaged)
	} else {
		r.Records, err = g.Erase(ctx, id)
	}
	if r.Erased = err == nil; r.Erased {
		f := g.Finality()
		if r.FinalKEK = f.KEK; !f.By.IsZero() {
			r.FinalBy = &f.By
		}
	}
	if errors.Is(err, gallery.ErrSound) {
		err = fault.Usage("%s", gallery.ErrSound)
	}
	if errors.Is(err, gallery.ErrUnknownSubject) {
		err = nil
	}
	return r, errors.Join(err, g.Close())
}
