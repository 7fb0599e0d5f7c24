package backupcmd

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/backup"
	"github.com/tamga-id/tamga/node/backup/folder"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/rootkey"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/storecmd"
)

// backedUp is the JSON result of create, verify and restore.
type backedUp struct {
	File     string           `json:"file"`
	EntityID string           `json:"entity_id"`
	Created  time.Time        `json:"created"`
	Subjects uint64           `json:"subjects"`
	Ledger   storecmd.Audited `json:"ledger"`
	Parts    int              `json:"parts"`
	Needs    backup.Keys      `json:"needs"`                // generations of keys
	Keys     string           `json:"key_escrow,omitempty"` // the file with them
	Gallery  string           `json:"gallery,omitempty"`    // verify: opened, or not
}

func newBackedUp(file string, m backup.Manifest) backedUp {
	l := m.Ledger()
	return backedUp{File: file, EntityID: m.EntityID, Created: m.Created, Subjects: m.Subjects, Parts: len(m.Parts), Needs: m.Keys,
		Ledger: storecmd.Audited{OK: true, Size: l.Size, Root: base64.StdEncoding.EncodeToString(l.Root), By: "manifest"}}
}

func backupRows(file string, m backup.Manifest) [][2]string {
	l := m.Ledger()
	return [][2]string{{"backup", file}, {"entity", m.EntityID}, {"created", m.Created.Format(time.RFC3339)},
		{"subjects", fmt.Sprint(m.Subjects)}, {"ledger", fmt.Sprintf("%s, %d entries", l.Origin, l.Size)},
		{"root", base64.StdEncoding.EncodeToString(l.Root)}, {"needs", m.Keys.String()}}
}

// readFlags say how a backup and its key escrow are opened.
type readFlags struct{ keys, identityFile, keysIdentityFile, configuration, historical string }

func (f *readFlags) add(c *cobra.Command) {
	fl := c.Flags()
	fl.StringVar(&f.keys, "keys", "", "the node's latest key escrow")
	fl.StringVar(&f.identityFile, "identity-file", "", "file with the age identity of one of the backup's recipients, - for standard input (required)")
	fl.StringVar(&f.keysIdentityFile, "keys-identity-file", "", "the same of the key escrow's recipients (default: the same file)")
	fl.StringVar(&f.configuration, "entity-configuration", "", "the node's Entity Configuration from an independent source (default: the one in the backup)")
	fl.StringVar(&f.historical, "historical-keys", "", "with --entity-configuration: the node's "+backup.HistoricalKeys+", once it has retired a federation key")
}

// opened is a backup that was read whole, and a key escrow when one was given.
type opened struct {
	*backup.Checked
	escrow *backup.Escrow
}

func checkBackup(ctx context.Context, a *cli.App, file string, f readFlags) (o opened, err error) {
	if f.identityFile == "" {
		return o, fault.Usage("--identity-file is needed: the age identity of one of the recipients")
	}
	ids, err := identitiesOf(a, f.identityFile)
	if err != nil {
		return o, err
	}
	if f.historical != "" && f.configuration == "" {
		return o, fault.Usage("--historical-keys goes with --entity-configuration, whose keys sign it")
	}
	var by backup.Signer
	if by.Configuration, err = readPublished(f.configuration); err == nil {
		by.Historical, err = readPublished(f.historical)
	}
	if err != nil {
		return o, err
	}
	if f.keys != "" {
		keyIDs := ids
		if f.keysIdentityFile != "" {
			if keyIDs, err = identitiesOf(a, f.keysIdentityFile); err != nil {
				return o, err
			}
		}
		if o.escrow, err = backup.OpenEscrow(f.keys, keyIDs, by); err != nil {
			return o, fmt.Errorf("key escrow: %w", err)
		}
	}
	if o.Checked, err = backup.Check(ctx, file, ids, by, partly(a, "checking")); err != nil {
		return o, err
	}
	if o.escrow != nil {
		err = o.escrow.Covers(o.Manifest)
	}
	return o, err
}

func identitiesOf(a *cli.App, from string) ([]age.Identity, error) {
	in := a.In
	if from != "-" {
		file, err := os.Open(from)
		if err != nil {
			return nil, fmt.Errorf("reading identity: %w", err)
		}
		defer file.Close()
		in = file
	}
	ids, err := age.ParseIdentities(io.LimitReader(in, 1<<20))
	if err != nil {
		return nil, fault.Usage("an identity file is what age-keygen wrote: lines with AGE-SECRET-KEY-1...")
	}
	return ids, nil
}

// readPublished reads what a node publishes, as its Entity Configuration; it is empty when no file is named.
func readPublished(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("reading entity configuration: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

func backupVerify(a *cli.App) *cobra.Command {
	var f readFlags
	var from rootkey.Flags
	c := &cobra.Command{
		Use:   "verify FILE",
		Short: "Restore a backup into a temporary folder and check it",
		Long: `Reads the file whole, checks the signed manifest before anything is written, makes the
node's folder below the system's temporary one ($TMPDIR), and recomputes the ledger from
its entries. With --keys it says whether the key escrow holds what the backup needs, and
with what opens the root key besides it opens the gallery and reads everybody in it with
these keys. Then the folder is removed. A flipped bit gives exit code 9 and the part it is in, a backup whose keys were
destroyed exit code 5 and which. Without --entity-configuration the keys to verify with come
from the backup itself: that it is whole is then sure, whose it is not. With it, what was
signed under a federation key that the node has retired since needs --historical-keys, too.`,
		Example: `  tamga backup verify kaz.tamga-backup --identity-file identity.txt
  tamga backup verify kaz.tamga-backup --keys kaz.tamga-escrow --identity-file identity.txt --passphrase-file pass.txt --entity-configuration from-the-anchor.jwt -o json
  tamga backup verify kaz.tamga-backup --identity-file identity.txt --entity-configuration kaz.jwt --historical-keys historical-keys.jwt
  tamga backup verify kaz.tamga-backup --keys kaz.tamga-escrow --identity-file identity.txt --share a.share --identity a.txt --share b.share --identity b.txt`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return verifyBackup(c.Context(), a, args[0], f, from)
		},
	}
	f.add(c)
	from.AddBoth(c.Flags(), " of the root key: opens the gallery, too")
	return c
}

func verifyBackup(ctx context.Context, a *cli.App, file string, f readFlags, from rootkey.Flags) (err error) {
	opens := a.Given(from.SecretFlags) || len(from.Shares)+len(from.Identities) > 0 || from.Module != ""
	if opens && f.keys == "" {
		return fault.Usage("--keys is needed to open the gallery: a backup holds no key")
	}
	c, err := checkBackup(ctx, a, file, f)
	if err != nil {
		return err
	}
	temporary, err := os.MkdirTemp("", "tamga-verify-*")
	if err != nil {
		return fmt.Errorf("verifying backup: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temporary)) }()
	dir := filepath.Join(temporary, "node")
	if err := c.Restore(ctx, dir, c.escrow, partly(a, "restoring")); err != nil {
		return err
	}
	if err := c.Audit(ctx, dir); err != nil {
		return err
	}
	result, rows := newBackedUp(file, c.Manifest), backupRows(file, c.Manifest)
	result.Keys, result.Ledger.By = f.keys, "recomputed"
	switch {
	case opens:
		if err := openVerified(ctx, a, dir, from, c.Manifest); err != nil {
			return err
		}
		result.Gallery = "opened"
	case f.keys != "":
		result.Gallery = "restored, not opened: the key escrow holds its keys, and nothing was given that opens the root key"
	default:
		result.Gallery = "restored, not opened: no key escrow given"
	}
	return a.Emit(result, append(rows, [2]string{"verified", "manifest, every part, ledger recomputed"}, [2]string{"gallery", result.Gallery}))
}

// openVerified opens the gallery of a restored folder, reads it and counts.
func openVerified(ctx context.Context, a *cli.App, dir string, from rootkey.Flags, m backup.Manifest) error {
	roots, err := rootkey.OpenRoots(a, dir, from)
	if err != nil {
		return err
	}
	defer roots.Wipe()
	subjects, err := folder.OpenRestored(ctx, dir, roots)
	if err != nil {
		return err
	}
	if uint64(subjects) != m.Subjects {
		return &fault.Failure{Exit: fault.ExitIntegrity, Code: protocol.CodeBackup, Err: fmt.Errorf("verifying backup: gallery: %d subjects, the manifest says %d", subjects, m.Subjects)}
	}
	return nil
}
