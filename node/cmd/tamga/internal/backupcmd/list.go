package backupcmd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/backup"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
)

// surveyFlags say whose files are looked at.
type surveyFlags struct{ dir, configuration, historical string }

func (f *surveyFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.dir, "dir", "", "the node's folder (this or --entity-configuration is required)")
	c.Flags().StringVar(&f.configuration, "entity-configuration", "", "the node's Entity Configuration, on a machine without its folder")
	c.Flags().StringVar(&f.historical, "historical-keys", "", "with --entity-configuration: the node's "+backup.HistoricalKeys+", once it has retired a federation key")
}

func (f surveyFlags) survey(paths []string) ([]backup.Finding, error) {
	if (f.dir == "") == (f.configuration == "") {
		return nil, fault.Usage("either --dir or --entity-configuration is needed: it says whose backups they are")
	}
	if f.dir != "" && f.historical != "" {
		return nil, fault.Usage("--historical-keys goes with --entity-configuration: with --dir the node's own are read")
	}
	by, err := f.signer()
	if err != nil {
		return nil, err
	}
	found, err := backup.Survey(paths, by)
	if err != nil {
		return nil, fmt.Errorf("reading backups: %w", err)
	}
	return found, nil
}

// signer reads what is published of the node.
func (f surveyFlags) signer() (by backup.Signer, err error) {
	if f.dir == "" {
		if by.Configuration, err = readPublished(f.configuration); err == nil {
			by.Historical, err = readPublished(f.historical)
		}
		return by, err
	}
	if by.Configuration, err = entityConfiguration(f.dir); err == nil {
		by.Historical, err = readPublished(filepath.Join(f.dir, backup.HistoricalKeys))
		if errors.Is(err, os.ErrNotExist) {
			err = nil // it has retired none
		}
	}
	return by, err
}

func backupList(a *cli.App) *cobra.Command {
	var f surveyFlags
	c := &cobra.Command{
		Use:   "list PATH...",
		Short: "Say which backups are whole, and which still open",
		Long: `Reads backups and key escrows, and those in folders, whole, and checks them against the label
that the node signed. It needs no identity, no passphrase and no node, and learns nothing of
what is inside: let the machine that keeps backups do it.

A backup opens when the latest of the key escrows holds the keys it needs. It has expired
when they were destroyed since. An escrow is current when it is the latest, or holds the
same keys, else a former one, which may still open what has expired: destroy it. Files of
other nodes are passed over. A file that was signed under a federation key which the node
has retired since counts as its own, and is said to be; ` + backup.HistoricalKeys + ` in the node's
folder, which is no secret, tells which keys those are. A file that is not whole is named, and the exit code is 9 after
the others were shown.`,
		Example: `  tamga backup list --dir kaz /var/backups/tamga /media/safe
  tamga backup list --entity-configuration kaz.jwt --historical-keys historical-keys.jwt /var/backups/tamga -o json`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			found, err := f.survey(args)
			if err != nil {
				return err
			}
			return emitSurvey(a, found)
		},
	}
	f.add(c)
	return c
}

// surveyed is a file in the JSON result of list, prune and escrow.
type surveyed struct {
	File     string       `json:"file"`
	Kind     backup.Kind  `json:"kind,omitempty"`
	EntityID string       `json:"entity_id,omitempty"`
	Created  *time.Time   `json:"created,omitempty"`
	Keys     backup.Keys  `json:"keys,omitempty"` // that it needs, or holds
	State    backup.State `json:"state"`
	Why      string       `json:"why,omitempty"`
	Reopened string       `json:"reopened_by,omitempty"` // a former escrow that still opens it
	Retired  string       `json:"retired_key,omitempty"` // ID of the federation key that signed it, retired since
	Removed  bool         `json:"removed,omitempty"`
}

func newSurveyed(f backup.Finding) surveyed {
	s := surveyed{File: f.File, State: f.State, Reopened: f.Reopened, Retired: f.Retired}
	if f.Label.Kind != "" {
		s.Kind, s.EntityID, s.Created, s.Keys = f.Label.Kind, f.Label.EntityID, &f.Label.Created, f.Label.Keys
	}
	if f.Err != nil {
		s.Why = f.Err.Error()
	}
	return s
}

func (s surveyed) row() [2]string {
	text := string(s.State)
	if s.Created != nil {
		verb := "needs"
		if s.Kind == backup.KindEscrow {
			verb = "holds"
		}
		text = fmt.Sprintf("%s: %s of %s, %s, %s %s", s.State, s.Kind, s.EntityID, s.Created.Format(time.RFC3339), verb, s.Keys)
	}
	if s.Why != "" {
		text += "; " + s.Why
	}
	if s.Reopened != "" {
		text += "; still opened by the former " + s.Reopened
	}
	if s.Retired != "" {
		text += "; signed under the federation key " + s.Retired + ", retired since"
	}
	if s.Removed {
		text += "; removed"
	}
	return [2]string{s.File, text}
}

func emitSurvey(a *cli.App, found []backup.Finding) error {
	all := make([]surveyed, len(found))
	for i, f := range found {
		all[i] = newSurveyed(f)
	}
	return emitSurveyed(a, found, all)
}

// emitSurveyed shows all, and fails for those that are damaged.
func emitSurveyed(a *cli.App, found []backup.Finding, all []surveyed) error {
	rows, errs := make([][2]string, len(all)), []error(nil)
	for i, s := range all {
		rows[i] = s.row()
		if s.State == backup.Damaged {
			errs = append(errs, fmt.Errorf("%s: %w", s.File, found[i].Err))
		}
	}
	return errors.Join(a.Emit(all, rows), errors.Join(errs...))
}

func backupPrune(a *cli.App) *cobra.Command {
	var f surveyFlags
	var keep int
	var dry bool
	c := &cobra.Command{
		Use:   "prune PATH...",
		Short: "Remove backups that have expired, and former key escrows",
		Long: `Looks at backups and key escrows as ` + "`tamga backup list`" + ` does, removes the backups that
have expired, and overwrites and removes the former key escrows; with --keep also all but
the newest backups that open. Without a key escrow among them nothing is known to have
expired, and nothing is removed while the latest was signed under a federation key that is
retired, which somebody may have stolen: write another first. What is damaged stays, for you to look at, and gives exit code 9. While a file is
dated in the future nothing is removed, with that exit code, too.`,
		Example: `  tamga backup prune --dir kaz --keep 30 /var/backups/tamga
  tamga backup prune --entity-configuration kaz.jwt --dry-run /var/backups/tamga`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if keep < 0 || keep > 10000 {
				return fault.Usage("--keep takes a number from 1 to 10000")
			}
			found, err := f.survey(args)
			if err != nil {
				return err
			}
			if err := ofTheFuture(found, time.Now()); err != nil {
				return err
			}
			return prune(a, found, keep, dry)
		},
	}
	f.add(c)
	c.Flags().IntVar(&keep, "keep", 0, "how many of the backups that open to keep (default: all)")
	c.Flags().BoolVar(&dry, "dry-run", false, "say what would be removed")
	return c
}

// ofTheFuture refuses to remove anything by dates while one of them is wrong: what is dated
// in the future passes for the newest, and has the newest removed.
func ofTheFuture(found []backup.Finding, now time.Time) error {
	for _, f := range found {
		if f.Label.Created.After(now.Add(time.Hour)) {
			return &fault.Failure{Exit: fault.ExitIntegrity, Code: protocol.CodeBackup, Err: fmt.Errorf("pruning backups: %s is dated in the future", f.File),
				Hint: "compare the clocks; if this one is right, move that file elsewhere. Nothing was removed"}
		}
	}
	return nil
}

func prune(a *cli.App, found []backup.Finding, keep int, dry bool) error {
	surplus := beyond(found, keep)
	all, errs := make([]surveyed, len(found)), []error(nil)
	for i, f := range found {
		all[i] = newSurveyed(f)
		remove := os.Remove
		switch {
		case f.Unsure: // all of them are, then
			continue
		case f.State == backup.Former:
			remove = custody.RemoveFile
		case f.State == backup.Expired, surplus[f.File]:
		default:
			continue
		}
		if !dry {
			if err := remove(f.File); err != nil {
				errs = append(errs, fmt.Errorf("pruning backups: %w", err))
				continue
			}
		}
		all[i].Removed = true
	}
	if dry {
		a.Say("nothing was removed: --dry-run")
	}
	if slices.ContainsFunc(found, func(f backup.Finding) bool { return f.Unsure }) {
		a.Say("nothing was removed: the latest key escrow was signed under a federation key that is retired, and may be forged. Write another with `tamga backup create` or `tamga key escrow`")
	}
	return errors.Join(emitSurveyed(a, found, all), errors.Join(errs...))
}

// beyond are the files of the backups that open, but for the newest: those of which so many
// newer ones open. One under a retired key is none of these: a thief of it can date it.
func beyond(found []backup.Finding, keep int) map[string]bool {
	var open []backup.Finding
	for _, f := range found {
		if f.State == backup.Opens {
			open = append(open, f)
		}
	}
	slices.SortStableFunc(open, func(a, b backup.Finding) int { return b.Label.Created.Compare(a.Label.Created) })
	out, newer := make(map[string]bool), 0
	for _, f := range open {
		out[f.File] = keep > 0 && newer >= keep
		if f.Retired == "" {
			newer++
		}
	}
	return out
}
