package backupcmd

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/backup"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/config"
)

type scheduleFlags struct {
	dir, to, keys, recipientsFile, keyRecipientsFile, at, install, name string
	keep                                                                int
}

func backupSchedule(a *cli.App) *cobra.Command {
	var f scheduleFlags
	c := &cobra.Command{
		Use:   "schedule",
		Short: "Write a systemd timer that takes backups and keeps the newest",
		Long: `Prints a service and a timer unit, or writes both into the folder of --install. Each run
takes a backup of the running node to a file named after the time, writes the key escrow
anew, and only then removes what has expired and all but the newest --keep of the backups:
see ` + "`tamga backup prune`" + `.`,
		Example: `  tamga backup schedule --dir /srv/kaz --to /var/backups/tamga --recipients-file /etc/tamga/recipients.txt --keep 30
  tamga backup schedule --dir /srv/kaz --to /var/backups/tamga --recipients-file /etc/tamga/recipients.txt --install /etc/systemd/system`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return schedule(a, f) },
	}
	fl := c.Flags()
	fl.StringVar(&f.dir, "dir", "", "the node's folder (required)")
	fl.StringVar(&f.to, "to", "", "folder for the backups, best on another machine's disk (required)")
	fl.StringVar(&f.keys, "keys", "", "file for the key escrow, best on a disk of its own (default: backup.escrow_file of the configuration, with its recipients; else in the folder of --to)")
	fl.StringVar(&f.recipientsFile, "recipients-file", "", "file with at least two age recipients, one a line (required)")
	fl.StringVar(&f.keyRecipientsFile, "key-recipients-file", "", "the same for the key escrow (default: the same file)")
	fl.StringVar(&f.at, "at", "*-*-* 02:30:00", "when, as systemd.time(7) has it")
	fl.IntVar(&f.keep, "keep", 14, "how many backups to keep, 1 to 10000")
	fl.StringVar(&f.install, "install", "", "folder to write the units to instead of printing them")
	fl.StringVar(&f.name, "name", "tamga-backup", "name of the units")
	return c
}

var (
	calendar = regexp.MustCompile(`^[A-Za-z0-9*,.:/~ -]{1,100}$`)
	unitName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,100}$`)
	// plainPath keeps what systemd or sh would expand out of the units.
	plainPath = regexp.MustCompile(`^/[A-Za-z0-9/._+@:=,-]*$`)
)

func (f *scheduleFlags) check() error {
	if f.dir == "" || f.to == "" || f.recipientsFile == "" {
		return fault.Usage("--dir, --to and --recipients-file are needed")
	}
	cfg, err := config.Load(filepath.Join(f.dir, node.ConfigFile))
	if err != nil {
		return err
	}
	if f.keys == "" && f.keyRecipientsFile == "" {
		f.keys, f.keyRecipientsFile = cfg.Backup.EscrowFile, cfg.Backup.EscrowRecipients
	}
	f.keys = cmp.Or(f.keys, filepath.Join(f.to, config.FileStem(cfg.EntityID)+backup.EscrowEnding))
	f.keyRecipientsFile = cmp.Or(f.keyRecipientsFile, f.recipientsFile)
	for _, file := range []string{f.recipientsFile, f.keyRecipientsFile} {
		if err := (&recipientFlags{file: file}).read(); err != nil {
			return err
		}
	}
	if f.keep < 1 || f.keep > 10000 || !calendar.MatchString(f.at) || !unitName.MatchString(f.name) {
		return fault.Usage("--keep takes a number from 1 to 10000, --at a time such as '*-*-* 02:30:00', --name letters, digits, . _ and -")
	}
	for _, path := range []*string{&f.dir, &f.to, &f.keys, &f.recipientsFile, &f.keyRecipientsFile} {
		abs, err := filepath.Abs(*path)
		if err != nil {
			return fmt.Errorf("scheduling backups: %w", err)
		}
		if *path = abs; !plainPath.MatchString(abs) {
			return fault.Usage("paths in a systemd unit may have letters, digits and / . _ + @ : = , - only")
		}
	}
	return nil
}

func schedule(a *cli.App, f scheduleFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("scheduling backups: %w", err)
	}
	units := map[string]string{f.name + ".service": f.service(self), f.name + ".timer": f.timer()}
	order := []string{f.name + ".service", f.name + ".timer"}
	if f.install == "" {
		var rows []string
		for _, name := range order {
			rows = append(rows, "# "+name+"\n"+units[name])
		}
		if a.Format != "table" {
			return a.Emit(units, nil)
		}
		_, err := fmt.Fprint(a.Out, strings.Join(rows, "\n"))
		return err
	}
	for _, name := range order {
		file, err := os.OpenFile(filepath.Join(f.install, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if errors.Is(err, os.ErrExist) {
			return &fault.Failure{Exit: fault.ExitFailure, Code: protocol.CodeExists, Err: fmt.Errorf("scheduling backups: %s is there already", name), Hint: "give another --name, or remove the old unit"}
		}
		if err == nil {
			_, err = file.WriteString(units[name])
			err = errors.Join(err, file.Close())
		}
		if err != nil {
			return fmt.Errorf("scheduling backups: %w", err)
		}
	}
	a.Say("hint: systemctl daemon-reload && systemctl enable --now %s.timer", f.name)
	return a.Emit(map[string]string{"service": filepath.Join(f.install, order[0]), "timer": filepath.Join(f.install, order[1])},
		[][2]string{{"service", filepath.Join(f.install, order[0])}, {"timer", filepath.Join(f.install, order[1])}})
}

// service takes one backup and then removes what has expired or is older than the newest;
// systemd does the second when the first has succeeded (systemd.service(5), ExecStart=).
func (f scheduleFlags) service(self string) string {
	return fmt.Sprintf(`[Unit]
Description=Encrypted backup of the Tamga node in %[2]s
After=network.target

[Service]
Type=oneshot
UMask=0077
ExecStart=%[1]s backup create --dir %[2]s --out %[3]s --keys %[4]s --recipients-file %[6]s --key-recipients-file %[7]s
ExecStart=%[1]s backup prune --dir %[2]s --keep %[8]d %[3]s %[4]s
NoNewPrivileges=yes
ProtectSystem=strict
ReadWritePaths=%[3]s %[5]s
PrivateTmp=yes
`, self, f.dir, f.to, f.keys, filepath.Dir(f.keys), f.recipientsFile, f.keyRecipientsFile, f.keep)
}

func (f scheduleFlags) timer() string {
	return fmt.Sprintf(`[Unit]
Description=Backups of the Tamga node in %s

[Timer]
OnCalendar=%s
Persistent=yes
RandomizedDelaySec=10min

[Install]
WantedBy=timers.target
`, f.dir, f.at)
}
