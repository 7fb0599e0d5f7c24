package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/backup"
)

func (a *app) backupCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "backup",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
		Short: "Take, verify and restore encrypted backups",
		Long: `A backup is one age file, encrypted to at least two people, with a manifest that the node
signed. In it the gallery is ciphertext and the keys are sealed under the root key, so
an age identity alone opens neither.`,
		Example: `  tamga backup create --dir kaz --to kaz.backup --recipient age1... --recipient age1...
  tamga backup verify kaz.backup --identity-file identity.txt --passphrase-file pass.txt`,
	}
	c.AddCommand(a.backupCreate(), a.backupVerify(), a.backupList(), a.backupRestore(), a.backupSchedule())
	return c
}

func ofBackup(err error) *failure {
	switch {
	case errors.Is(err, backup.ErrRecipients):
		return &failure{exit: exitUsage, code: protocol.CodeUsage, err: err, hint: "give --recipient twice or more, or --recipients-file; `age-keygen` makes identities"}
	case errors.Is(err, backup.ErrDamaged), errors.Is(err, backup.ErrSignature):
		return &failure{exit: exitIntegrity, code: protocol.CodeBackup, err: err}
	case errors.Is(err, backup.ErrIdentity):
		return &failure{exit: exitUnauthorised, code: protocol.CodeBackup, err: err, hint: "give with --identity-file the identity of one of the recipients; the backup may be whole"}
	}
	return nil
}

type backupFlags struct {
	dir, to, recipientsFile string
	recipients              []string
	from                    rootFlags
}

func (a *app) backupCreate() *cobra.Command {
	var f backupFlags
	c := &cobra.Command{
		Use:   "create",
		Short: "Write an encrypted backup of a node, running or not",
		Long: `Writes gallery, ledger, sealed keys, configuration and law as they are at one moment to one
file. A running node does it itself, asked with the operator's token of its folder; one
that is stopped needs what opens its root key. A pseudonym keystore is not in it: copy that
folder yourself. It leaves an entry in the ledger. The file gets its
name when it is complete and on the disk, and never replaces another; - is standard output.`,
		Example: `  tamga backup create --dir kaz --to kaz.backup --recipient age1... --recipient age1...
  tamga backup create --dir kaz --to kaz.backup --recipients-file who.txt \
      --share share-1-alice.age --identity alice.key --share share-2-bob.age --identity bob.key
  tamga backup create --dir kaz --to - --recipients-file who.txt | ssh vault 'cat > kaz.backup'`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.createBackup(c.Context(), f) },
	}
	fl := c.Flags()
	fl.StringVar(&f.dir, "dir", "", "the node's folder (required)")
	fl.StringVar(&f.to, "to", "", "file to write, or - for standard output (required)")
	fl.StringArrayVar(&f.recipients, "recipient", nil, "age recipient whose identity can open it; at least two")
	fl.StringVar(&f.recipientsFile, "recipients-file", "", "file with recipients, one a line, # for comments")
	f.from.addBoth(fl, ", when the node is not running")
	return c
}

func (f *backupFlags) check() error {
	if f.dir == "" || f.to == "" {
		return usage("--dir and --to are needed: the node's folder, and the file to write")
	}
	if f.recipientsFile != "" {
		b, err := os.ReadFile(f.recipientsFile)
		if err != nil {
			return fmt.Errorf("reading recipients: %w", err)
		}
		for line := range strings.Lines(string(b)) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				f.recipients = append(f.recipients, line)
			}
		}
	}
	_, err := backup.ParseRecipients(f.recipients)
	return err
}

func (a *app) createBackup(ctx context.Context, f backupFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	if f.to == "-" {
		if terminal(a.out) {
			return usage("--to - writes binary data: send standard output to a file or a program")
		}
		m, err := a.writeBackup(ctx, a.out, f)
		if err == nil {
			a.say("backup complete: %d subjects, %d ledger entries", m.Subjects, m.Ledger().Size)
		}
		return err
	}
	if _, err := os.Lstat(f.to); err == nil {
		return &failure{exit: exitFailure, code: protocol.CodeExists, err: fmt.Errorf("creating backup: %s is there already", f.to), hint: "name another file with --to; nothing was written"}
	}
	// What has the final name is complete and on the disk.
	out, err := os.OpenFile(f.to+".partial", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("creating backup: %w", err)
	}
	m, err := a.writeBackup(ctx, out, f)
	if err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err == nil {
		err = os.Link(out.Name(), f.to)
	}
	if err = errors.Join(err, os.Remove(out.Name())); err == nil {
		err = syncDir(filepath.Dir(f.to))
	}
	if err != nil {
		return err
	}
	a.say("hint: tamga backup verify %s --identity-file FILE", f.to)
	return a.emit(newBackedUp(f.to, m), backupRows(f.to, m))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// writeBackup lets the running node write the backup, or does it on the folder.
func (a *app) writeBackup(ctx context.Context, w io.Writer, f backupFlags) (backup.Manifest, error) {
	cl, err := nodeFlags{dir: f.dir, operator: true}.client()
	if err == nil {
		err = cl.prove(ctx)
	}
	if err == nil {
		return cl.backUp(ctx, w, f.recipients, a.moved())
	}
	// An address file that nobody answers at was left by a node that was killed.
	if f, ok := errors.AsType[*failure](err); !errors.Is(err, errNotRunning) && !errors.Is(err, os.ErrNotExist) && (!ok || f.code != protocol.CodeNotRunning) {
		return backup.Manifest{}, err
	}
	r, err := a.openRegistrar(ctx, f.dir, f.from)
	if err != nil {
		return backup.Manifest{}, err
	}
	m, err := r.Backup(ctx, w, f.recipients, a.partly("writing"))
	return m, errors.Join(err, r.Close())
}

// partly shows how far a backup is, on a terminal.
func (a *app) partly(doing string) func(string, uint64) {
	if !terminal(a.err) {
		return nil
	}
	return func(part string, records uint64) {
		fmt.Fprintf(a.err, "\r\x1b[K%s %s: %d records", doing, part, records)
	}
}

// moved shows how many bytes have come, on a terminal.
func (a *app) moved() func(int64) {
	if !terminal(a.err) {
		return func(int64) {}
	}
	return func(n int64) { fmt.Fprintf(a.err, "\r\x1b[Kreceiving: %d MiB", n>>20) }
}

// counter counts what goes through it.
type counter struct {
	to   io.Writer
	n    int64
	told func(int64)
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.to.Write(b)
	if c.n>>22 != (c.n+int64(n))>>22 {
		c.told(c.n + int64(n))
	}
	c.n += int64(n)
	return n, err
}

// backUp asks the running node, which must have proved that it is it.
func (c *client) backUp(ctx context.Context, w io.Writer, recipients []string, told func(int64)) (m backup.Manifest, err error) {
	body, err := json.Marshal(map[string][]string{"recipients": recipients})
	if err != nil {
		return m, fmt.Errorf("calling node: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+"/v1/backups", bytes.NewReader(body))
	if err != nil {
		return m, fmt.Errorf("calling node: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Content-Type", "application/json")
	c.http.Timeout = 0 // as long as it takes
	resp, err := c.http.Do(req)
	if err != nil {
		return m, c.silent(ctx)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		b, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
		if err != nil {
			return m, fmt.Errorf("reading node's reply: %w", err)
		}
		return m, problem(resp.StatusCode, b)
	}
	if _, err := io.Copy(&counter{to: w, told: told}, resp.Body); err != nil {
		return m, fmt.Errorf("receiving backup: %w", err)
	}
	payload, err := base64.RawURLEncoding.DecodeString(resp.Trailer.Get("Tamga-Backup-Manifest"))
	if err == nil {
		err = json.Unmarshal(payload, &m)
	}
	if err != nil {
		return m, errors.New("receiving backup: the node stopped before it was complete")
	}
	return m, nil
}

// backedUp is the JSON result of create, verify and list.
type backedUp struct {
	File     string    `json:"file"`
	EntityID string    `json:"entity_id"`
	Created  time.Time `json:"created"`
	Subjects uint64    `json:"subjects"`
	Ledger   audited   `json:"ledger"`
	Parts    int       `json:"parts"`
	Gallery  string    `json:"gallery,omitempty"` // verify: opened, or not
}

func newBackedUp(file string, m backup.Manifest) backedUp {
	l := m.Ledger()
	return backedUp{File: file, EntityID: m.EntityID, Created: m.Created, Subjects: m.Subjects, Parts: len(m.Parts),
		Ledger: audited{OK: true, Size: l.Size, Root: base64.StdEncoding.EncodeToString(l.Root), By: "manifest"}}
}

func backupRows(file string, m backup.Manifest) [][2]string {
	l := m.Ledger()
	return [][2]string{{"backup", file}, {"entity", m.EntityID}, {"created", m.Created.Format(time.RFC3339)},
		{"subjects", fmt.Sprint(m.Subjects)}, {"ledger", fmt.Sprintf("%s, %d entries", l.Origin, l.Size)},
		{"root", base64.StdEncoding.EncodeToString(l.Root)}}
}

// readFlags say how a backup is opened.
type readFlags struct{ identityFile, configuration string }

func (f *readFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.identityFile, "identity-file", "", "file with the age identity of one of its recipients, - for standard input (required)")
	c.Flags().StringVar(&f.configuration, "entity-configuration", "", "the node's Entity Configuration from an independent source (default: the one in the backup)")
}

func (a *app) checkBackup(ctx context.Context, file string, f readFlags) (*backup.Checked, error) {
	if f.identityFile == "" {
		return nil, usage("--identity-file is needed: the age identity of one of the recipients")
	}
	in := a.in
	if f.identityFile != "-" {
		file, err := os.Open(f.identityFile)
		if err != nil {
			return nil, fmt.Errorf("reading identity: %w", err)
		}
		defer file.Close()
		in = file
	}
	ids, err := age.ParseIdentities(in)
	if err != nil {
		return nil, usage("--identity-file takes what age-keygen wrote: lines with AGE-SECRET-KEY-1...")
	}
	var configuration string
	if f.configuration != "" {
		b, err := os.ReadFile(f.configuration)
		if err != nil {
			return nil, fmt.Errorf("reading entity configuration: %w", err)
		}
		configuration = strings.TrimSpace(string(b))
	}
	return backup.Check(ctx, file, ids, configuration, a.partly("checking"))
}

func (a *app) backupVerify() *cobra.Command {
	var f readFlags
	var passphraseFile string
	pseudonym := rootFlags{secretFlags: secretFlags{prefix: pseudonymPrefix}}
	c := &cobra.Command{
		Use:   "verify FILE",
		Short: "Restore a backup into a temporary folder and check it",
		Long: `Reads the file whole, checks the signed manifest before anything is written, makes the
node's folder below the system's temporary one ($TMPDIR), recomputes the ledger from its entries and, given the
passphrase, opens the gallery with the keys in the backup. Then the folder is removed.
A flipped bit gives exit code 9 and the part it is in. Without --entity-configuration the
keys come from the backup itself: that it is whole is then sure, whose it is not.`,
		Example: `  tamga backup verify kaz.backup --identity-file identity.txt
  tamga backup verify kaz.backup --identity-file identity.txt --passphrase-file pass.txt --entity-configuration from-the-anchor.jwt -o json`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.verifyBackup(c.Context(), args[0], f, passphraseFile, pseudonym)
		},
	}
	f.add(c)
	c.Flags().StringVar(&passphraseFile, "passphrase-file", "", "file with the passphrase of the root key: opens the gallery, too")
	pseudonym.add(c.Flags(), " of the node's pseudonym keystore, where it has one; needed with --passphrase-file")
	return c
}

func (a *app) verifyBackup(ctx context.Context, file string, f readFlags, passphraseFile string, pseudonym rootFlags) (err error) {
	c, err := a.checkBackup(ctx, file, f)
	if err != nil {
		return err
	}
	temporary, err := os.MkdirTemp("", "tamga-verify-*")
	if err != nil {
		return fmt.Errorf("verifying backup: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temporary)) }()
	dir := filepath.Join(temporary, "node")
	if err := c.Restore(ctx, dir, a.partly("restoring")); err != nil {
		return err
	}
	if err := c.Audit(ctx, dir); err != nil {
		return err
	}
	result, rows := newBackedUp(file, c.Manifest), backupRows(file, c.Manifest)
	result.Gallery, result.Ledger.By = "restored, not opened: no passphrase given", "recomputed"
	if passphraseFile != "" {
		roots, err := a.openRoots(dir, rootFlags{secretFlags: secretFlags{file: passphraseFile, fd: -1}, pseudonym: &pseudonym})
		if err != nil {
			return err
		}
		subjects, err := node.OpenRestoredUnsealed(dir, roots)
		roots.Wipe()
		if err != nil {
			return err
		}
		if uint64(subjects) != c.Manifest.Subjects {
			return &failure{exit: exitIntegrity, code: protocol.CodeBackup, err: fmt.Errorf("verifying backup: gallery: %d subjects, the manifest says %d", subjects, c.Manifest.Subjects)}
		}
		result.Gallery = "opened"
	}
	return a.emit(result, append(rows, [2]string{"verified", "manifest, every part, ledger recomputed"}, [2]string{"gallery", result.Gallery}))
}

func (a *app) backupList() *cobra.Command {
	var f readFlags
	c := &cobra.Command{
		Use:   "list FILE...",
		Short: "Show what backups hold",
		Long: `Reads each file whole and checks it against its signed manifest; writes nothing. A file that
fails is named and the exit code is 9, after the others were shown.`,
		Example: `  tamga backup list --identity-file identity.txt /var/backups/kaz-*.backup`,
		Args:    cobra.MinimumNArgs(1),
		RunE:    func(c *cobra.Command, args []string) error { return a.listBackups(c.Context(), args, f) },
	}
	f.add(c)
	return c
}

func (a *app) listBackups(ctx context.Context, files []string, f readFlags) error {
	all, rows, errs := []backedUp{}, [][2]string{}, []error(nil)
	for _, file := range files {
		c, err := a.checkBackup(ctx, file, f)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", file, err))
			continue
		}
		all = append(all, newBackedUp(file, c.Manifest))
		rows = append(rows, [2]string{file, fmt.Sprintf("%s, %s, %d subjects, %d ledger entries",
			c.Manifest.EntityID, c.Manifest.Created.Format(time.RFC3339), c.Manifest.Subjects, c.Manifest.Ledger().Size)})
	}
	return errors.Join(a.emit(all, rows), errors.Join(errs...))
}
