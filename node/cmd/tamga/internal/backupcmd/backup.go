// Package backupcmd is `tamga backup`: backups of a node and its key escrow.
package backupcmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/backup"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/nodeclient"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/rootkey"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/gallery/store"
)

// Command is `tamga backup`.
func Command(a *cli.App) *cobra.Command {
	c := &cobra.Command{
		Use:   "backup",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
		Short: "Take, verify and restore encrypted backups",
		Long: `A backup holds the gallery as ciphertext, the ledgers and the configuration, and no key. The
node's keys, sealed under the root key, are in a second, small file: the key escrow.
There is one, and it is written anew, in the place of the one before, with every backup. A
restore takes both, and what opens the root key.

Both are age files, each encrypted to at least two people, with a manifest that the node
signed. A backup opens as long as the key escrow holds the kek of its time. Once a kek is
retired (` + "`tamga key rotate retire kek`" + `, or by itself: kek.retention) and the escrows of
before are destroyed, the backups under it open to nobody, whatever else he has: whoever
was erased by then is gone for good. So keep one key escrow, in a place where the one
before can be destroyed (a disk that you hold, no archive, no write-once medium, no
snapshots), and backups wherever you like.`,
		Example: `  tamga backup create --dir kaz --out /var/backups/tamga --recipient age1... --recipient age1...
  tamga backup verify kaz.tamga-backup --keys kaz.tamga-escrow --identity-file identity.txt --passphrase-file pass.txt`,
	}
	c.AddCommand(backupCreate(a), backupEscrow(a), backupVerify(a), backupList(a), backupPrune(a), backupRestore(a), backupSchedule(a))
	return c
}

// recipientFlags say to whom a file is encrypted.
type recipientFlags struct {
	recipients []string
	file       string
}

func (f *recipientFlags) add(fl *pflag.FlagSet, prefix, of string) {
	fl.StringArrayVar(&f.recipients, prefix+"recipient", nil, "age recipient whose identity can open "+of+"; at least two")
	fl.StringVar(&f.file, prefix+"recipients-file", "", "file with recipients of "+of+", one a line, # for comments")
}

func (f *recipientFlags) given() bool { return len(f.recipients) > 0 || f.file != "" }

// read adds those of the file to those given.
func (f *recipientFlags) read() error {
	if f.file != "" {
		more, err := backup.ReadRecipients(f.file)
		if err != nil {
			return err
		}
		f.recipients, f.file = append(f.recipients, more...), ""
	}
	_, err := backup.ParseRecipients(f.recipients)
	return err
}

type backupFlags struct {
	dir, out, to, keys string
	stem               string // of names in out
	recipients         recipientFlags
	keyRecipients      recipientFlags
	from               rootkey.Flags
}

func backupCreate(a *cli.App) *cobra.Command {
	var f backupFlags
	c := &cobra.Command{
		Use:   "create",
		Short: "Write an encrypted backup of a node, running or not, and its key escrow",
		Long: `Writes gallery, ledger, configuration and law as they are at one moment to one file, and the
node's keys, sealed, to the key escrow beside it, in the place of the one before. A
pseudonym keystore is in neither: copy that folder yourself. A
running node does it itself, asked with the operator's token of its folder; one that is
stopped needs what opens the root key. Both leave an entry in the ledger. A backup gets its
name when it and its key escrow are complete and on the disk, and never replaces another;
--to - is standard output.

The key escrow has recipients of its own with --key-recipient: who holds an identity of
these and what opens the root key has every key of the node, and needs a backup, or the
disk, to open anything with them.`,
		Example: `  tamga backup create --dir kaz --out /var/backups/tamga --recipient age1... --recipient age1...
  tamga backup create --dir kaz --to kaz.tamga-backup --keys /media/safe/kaz.tamga-escrow --recipients-file who.txt --key-recipients-file directors.txt
  tamga backup create --dir kaz --to - --keys kaz.tamga-escrow --recipients-file who.txt | ssh vault 'cat > kaz.tamga-backup'`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return createBackup(c.Context(), a, f) },
	}
	fl := c.Flags()
	fl.StringVar(&f.dir, "dir", "", "the node's folder (required)")
	fl.StringVar(&f.out, "out", "", "folder for both files, named after node and time (this or --to is required)")
	fl.StringVar(&f.to, "to", "", "file for the backup, or - for standard output")
	fl.StringVar(&f.keys, "keys", "", "file for the key escrow (default: backup.escrow_file of the configuration, with its recipients; else beside the backup, named after the node, ending in "+backup.EscrowEnding+")")
	f.recipients.add(fl, "", "the backup")
	f.keyRecipients.add(fl, "key-", "the key escrow (default: as the backup)")
	f.from.AddBoth(fl, ", when the node is not running")
	return c
}

// check completes f. Names follow from the node and the time.
func (f *backupFlags) check(now time.Time) error {
	if f.dir == "" || (f.out == "") == (f.to == "") {
		return fault.Usage("--dir and either --out or --to are needed: the node's folder, and where to write")
	}
	cfg, err := config.Load(filepath.Join(f.dir, node.ConfigFile))
	if err != nil {
		return err
	}
	stem := config.FileStem(cfg.EntityID)
	f.stem = stem
	if f.out != "" {
		f.to = filepath.Join(f.out, stem+"-"+now.UTC().Format("20060102T150405Z")+backup.BackupEnding)
	}
	// One escrow is easier to look after than two.
	if f.keys == "" && !f.keyRecipients.given() && cfg.Backup.EscrowFile != "" {
		f.keys, f.keyRecipients.file = cfg.Backup.EscrowFile, cfg.Backup.EscrowRecipients
	}
	if f.to == "-" && f.keys == "" {
		return fault.Usage("--to - needs --keys: the file for the key escrow")
	}
	if f.keys == "" {
		f.keys = filepath.Join(filepath.Dir(f.to), stem+backup.EscrowEnding)
	}
	if !f.keyRecipients.given() {
		f.keyRecipients = f.recipients
	}
	return errors.Join(f.recipients.read(), f.keyRecipients.read())
}

func createBackup(ctx context.Context, a *cli.App, f backupFlags) (err error) {
	if err := f.check(time.Now()); err != nil {
		return err
	}
	if err := ownEscrow(f.dir, f.keys); err != nil {
		return err
	}
	if f.to == "-" && cli.Terminal(a.Out) {
		return fault.Usage("--to - writes binary data: send standard output to a file or a program")
	}
	if _, err := os.Lstat(f.to); err == nil {
		return &fault.Failure{Exit: fault.ExitFailure, Code: protocol.CodeExists, Err: fmt.Errorf("creating backup: %s is there already", f.to), Hint: "name another file with --to; nothing was written"}
	}
	n, err := openBacker(ctx, a, f.dir, f.from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.close()) }()
	if f.to == "-" {
		m, err := writeBoth(ctx, a, n, a.Out, f)
		if err == nil {
			a.Say("backup complete: %d subjects, %d ledger entries; keys in %s", m.Subjects, m.Ledger().Size, f.keys)
		}
		return err
	}
	// What has the final name is complete and on the disk.
	out, err := os.OpenFile(f.to+partial, os.O_WRONLY|os.O_CREATE, 0o600)
	if err == nil {
		if err = store.Lock(out); err == nil { // else somebody else is at it
			err = out.Truncate(0)
		}
		if err != nil {
			err = errors.Join(err, out.Close())
		}
	}
	if err != nil {
		return fmt.Errorf("creating backup: %w", err)
	}
	if f.out != "" {
		dropPartial(f.out, f.stem, out.Name())
	}
	m, err := writeBoth(ctx, a, n, out, f)
	if err == nil {
		err = out.Sync()
	}
	if err == nil { // while it is locked: see dropPartial
		err = giveName(out.Name(), f.to)
	}
	if err != nil {
		return errors.Join(err, os.Remove(out.Name()), out.Close())
	}
	err = errors.Join(out.Close(), syncDir(filepath.Dir(f.to)))
	if err != nil {
		return err
	}
	a.Say("hint: tamga backup verify %s --keys %s --identity-file FILE", f.to, f.keys)
	result := newBackedUp(f.to, m)
	result.Keys = f.keys
	return a.Emit(result, append(backupRows(f.to, m), [2]string{"key escrow", f.keys}))
}

// writeBoth writes the backup, and then the key escrow in its place. In between keys may
// have been destroyed.
func writeBoth(ctx context.Context, a *cli.App, n *backer, w io.Writer, f backupFlags) (backup.Manifest, error) {
	m, err := n.backUp(ctx, w, f.recipients.recipients)
	if err != nil {
		return m, err
	}
	label, err := n.writeEscrow(ctx, f.dir, f.keys, f.keyRecipients.recipients)
	if err == nil && m.Keys.CoveredBy(label.Keys) != nil {
		err = backup.ErrChanged
	}
	return m, err
}

// partial ends the name of a backup that is being written.
const partial = ".partial"

// dropPartial removes what was left by commands that were killed: their names are never
// used again.
func dropPartial(dir, stem, own string) {
	left, err := filepath.Glob(filepath.Join(dir, stem+"-*"+backup.BackupEnding+partial))
	if err != nil {
		return
	}
	for _, name := range left {
		if name == own {
			continue
		}
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			continue
		}
		if store.Lock(f) == nil { // nobody is at it
			_ = os.Remove(name)
		}
		_ = f.Close()
	}
}

// giveName gives a file its name, unless another has it.
func giveName(file, name string) error {
	err := os.Link(file, name)
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, os.ErrPermission) { // FAT has no links
		if _, there := os.Lstat(name); errors.Is(there, os.ErrNotExist) {
			return os.Rename(file, name)
		}
		return err
	}
	if err != nil {
		return err
	}
	return os.Remove(file)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// backer takes backups and key escrows: through the running node, or on the folder.
type backer struct {
	backUp func(ctx context.Context, w io.Writer, recipients []string) (backup.Manifest, error)
	escrow func(ctx context.Context, recipients []string) ([]byte, error)
	close  func() error
}

func openBacker(ctx context.Context, a *cli.App, dir string, from rootkey.Flags) (*backer, error) {
	cl, err := nodeclient.Flags{Dir: dir, Operator: true}.Client()
	if err == nil {
		err = cl.Prove(ctx)
	}
	if err == nil {
		return &backer{
			backUp: func(ctx context.Context, w io.Writer, recipients []string) (backup.Manifest, error) {
				return cl.BackUp(ctx, w, recipients, moved(a))
			},
			escrow: cl.Escrow, close: func() error { return nil },
		}, nil
	}
	// An address file that nobody answers at was left by a node that was killed.
	if f, ok := errors.AsType[*fault.Failure](err); !errors.Is(err, nodeclient.ErrNotRunning) && !errors.Is(err, os.ErrNotExist) && (!ok || f.Code != protocol.CodeNotRunning) {
		return nil, err
	}
	r, err := rootkey.OpenRegistrar(ctx, a, dir, from)
	if err != nil {
		return nil, err
	}
	return &backer{
		backUp: func(ctx context.Context, w io.Writer, recipients []string) (backup.Manifest, error) {
			return node.SourceOf(r).BackUp(ctx, w, recipients, partly(a, "writing"))
		},
		escrow: func(ctx context.Context, recipients []string) ([]byte, error) {
			b, _, err := node.SourceOf(r).Escrow(ctx, recipients)
			return b, err
		},
		close: r.Close,
	}, nil
}

// partly shows how far a backup is, on a terminal.
func partly(a *cli.App, doing string) func(string, uint64) {
	if !cli.Terminal(a.Err) {
		return nil
	}
	return func(part string, records uint64) {
		fmt.Fprintf(a.Err, "\r\x1b[K%s %s: %d records", doing, part, records)
	}
}

// moved shows how many bytes have come, on a terminal.
func moved(a *cli.App) func(int64) {
	if !cli.Terminal(a.Err) {
		return func(int64) {}
	}
	return func(n int64) { fmt.Fprintf(a.Err, "\r\x1b[Kreceiving: %d MiB", n>>20) }
}
