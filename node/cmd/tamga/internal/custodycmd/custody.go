// Package custodycmd is `tamga custody`, `tamga ceremony` and `tamga unseal`: what opens a node's root key.
package custodycmd

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/rootkey"
	"github.com/tamga-id/tamga/node/keystore"
)

// Custody is `tamga custody`.
func Custody(a *cli.App) *cobra.Command {
	c := &cobra.Command{
		Use:   "custody",
		Short: "Show and change what opens the root key",
		Long: `A node's root key lies in root.json under one or several protectors: a passphrase,
custodians (see tamga ceremony), a key in a PKCS#11 token. Each opens it. Changing them touches that file alone:
no key changes, and nothing in the gallery is encrypted anew. A copy of the file from
before the change still opens with what opened it then.

The pseudonym key may have a keystore of its own (tamga custody pseudonym), which is a
folder with a root.json, too: show, passphrase and token work on it with --dir naming it.`,
		Example: `  tamga custody show --dir kaz
  tamga custody passphrase --dir kaz --passphrase-file pass.txt --new-passphrase-file new.txt`,
	}
	c.AddCommand(custodyShowCommand(a), custodyPassphraseCommand(a), custodyTokenCommand(a), custodyRemoveCommand(a), custodyPseudonymCommand(a))
	return c
}

// custodyReport is what `tamga custody show` says.
type custodyReport struct {
	Passphrase *custodyPassphrase `json:"passphrase,omitempty"`
	Custodians *custodyCustodians `json:"custodians,omitempty"`
	Token      bool               `json:"pkcs11,omitempty"`
}

type custodyPassphrase struct {
	KDF       string `json:"kdf"`
	Time      uint32 `json:"time"`
	MemoryKiB uint32 `json:"memory_kib"`
	Threads   uint8  `json:"threads"`
	Weaker    bool   `json:"weaker_than_default"`
}

type custodyCustodians struct {
	Ceremony  string `json:"ceremony"`
	Threshold int    `json:"threshold"`
	Shares    int    `json:"shares"`
}

func custodyShowCommand(a *cli.App) *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:     "show",
		Short:   "List what opens the root key",
		Long:    `Reads root.json and says what opens it, without opening it.`,
		Example: `  tamga custody show --dir kaz -o json`,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := cli.NeedDir(dir); err != nil {
				return err
			}
			p, err := custody.Inspect(keystore.RootFile(dir))
			if err != nil {
				return err
			}
			r, rows := custodyView(p)
			return a.Emit(r, rows)
		},
	}
	c.Flags().StringVar(&dir, "dir", "", "the node's folder (required)")
	return c
}

func custodyView(p custody.Protectors) (r custodyReport, rows [][2]string) {
	if p.Passphrase != nil {
		d := custody.DefaultParams()
		weaker := p.Passphrase.Time < d.Time || p.Passphrase.MemoryKiB < d.MemoryKiB
		r.Passphrase = &custodyPassphrase{"argon2id", p.Passphrase.Time, p.Passphrase.MemoryKiB, p.Passphrase.Threads, weaker}
		text := fmt.Sprintf("argon2id, %d passes over %d KiB, %d lanes", p.Passphrase.Time, p.Passphrase.MemoryKiB, p.Passphrase.Threads)
		if weaker {
			text += "; weaker than what `tamga custody passphrase` makes now"
		}
		rows = append(rows, [2]string{"passphrase", text})
	}
	if p.Custodians != nil {
		id := fmt.Sprintf("%x", p.Custodians.Ceremony)
		r.Custodians = &custodyCustodians{id, p.Custodians.Threshold, p.Custodians.Shares}
		rows = append(rows, [2]string{"custodians", fmt.Sprintf("any %d of %d, ceremony %s", p.Custodians.Threshold, p.Custodians.Shares, id)})
	}
	if r.Token = p.Token; p.Token {
		rows = append(rows, [2]string{"pkcs11", "a key in a token"})
	}
	return r, rows
}

func custodyPassphraseCommand(a *cli.App) *cobra.Command {
	var dir, newFile string
	var from rootkey.Flags
	c := &cobra.Command{
		Use:   "passphrase",
		Short: "Change the passphrase, or its cost",
		Long: `Puts the root key under a new passphrase, with the argon2id costs of this version. Give
the old one as the new one too to raise the costs alone. The old passphrase opens
nothing afterwards but copies of the old root.json.`,
		Example: `  tamga custody passphrase --dir kaz --passphrase-file pass.txt --new-passphrase-file new.txt
  tamga custody passphrase --dir kaz --passphrase-file pass.txt --new-passphrase-file pass.txt   # today's costs`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return changePassphrase(a, dir, from, newFile) },
	}
	c.Flags().StringVar(&dir, "dir", "", "the node's folder (required)")
	from.Add(c.Flags(), " that opens the root key now")
	c.Flags().StringVar(&newFile, "new-passphrase-file", "", "file with the new passphrase, - for standard input")
	return c
}

func changePassphrase(a *cli.App, dir string, from rootkey.Flags, newFile string) error {
	if err := cli.NeedDir(dir); err != nil {
		return err
	}
	if from.File == "-" && newFile == "-" {
		return fault.Usage("standard input holds one passphrase: give the other in a file")
	}
	root, err := rootkey.Open(a, dir, from)
	if err != nil {
		return err
	}
	defer root.Wipe()
	fresh, err := a.Passphrase(newFile, "New passphrase")
	if err != nil {
		return err
	}
	defer clear(fresh)
	a.WarnShort(fresh)
	if err := custody.Protect(keystore.RootFile(dir), root, custody.Passphrase(fresh, custody.DefaultParams())); err != nil {
		return err
	}
	rootkey.KeepEscrow(a, dir, root)
	a.Say("hint: copies of the old %s still open with the old passphrase; destroy them", filepath.Base(keystore.RootFile(dir)))
	p, err := custody.Inspect(keystore.RootFile(dir))
	if err != nil {
		return err
	}
	r, rows := custodyView(p)
	return a.Emit(r, rows)
}

func custodyRemoveCommand(a *cli.App) *cobra.Command {
	var t transcriptFlags
	var from rootkey.Flags
	c := &cobra.Command{
		Use:   "remove passphrase|custodians|pkcs11",
		Short: "Take away one of the things that open the root key",
		Long: `Removes a protector; the last one cannot be removed. The passphrase goes only once
every custodian of the transcript has proved that he holds his share.`,
		Example: `  tamga custody remove --dir kaz --passphrase-file pass.txt --transcript shares/transcript.json passphrase
  tamga custody remove --dir kaz --passphrase-file pass.txt custodians`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			kind := custody.Kind(args[0])
			if kind != custody.KindPassphrase && kind != custody.KindCustodians && kind != custody.KindToken {
				return fault.Usage("what to remove is passphrase, custodians or pkcs11")
			}
			root, err := rootkey.Open(a, t.dir, from)
			if err != nil {
				return err
			}
			defer root.Wipe()
			if kind == custody.KindPassphrase {
				if err := t.demandComplete(); err != nil {
					return err
				}
			}
			if err := custody.Unprotect(keystore.RootFile(t.dir), root, kind); err != nil {
				return err
			}
			rootkey.KeepEscrow(a, t.dir, root)
			p, err := custody.Inspect(keystore.RootFile(t.dir))
			if err != nil {
				return err
			}
			r, rows := custodyView(p)
			return a.Emit(r, rows)
		},
	}
	t.add(c, true)
	from.Add(c.Flags(), " that opens the root key now")
	return c
}

// demandComplete refuses to go on before every custodian holds his share. A root
// file without custodians is left to say so itself.
func (t *transcriptFlags) demandComplete() error {
	p, err := custody.Inspect(keystore.RootFile(t.dir))
	if err != nil || p.Custodians == nil {
		return err
	}
	v, err := t.current()
	if err != nil {
		return err
	}
	if !v.Complete() {
		return &fault.Failure{Exit: fault.ExitRefused, Code: protocol.CodeCeremony, Err: fmt.Errorf("not yet acknowledged: %s", strings.Join(v.Missing(), ", ")),
			Hint: "each of them runs `tamga ceremony join`; add what it writes with `tamga ceremony transcript`. Nothing was changed"}
	}
	return nil
}

func custodyTokenCommand(a *cli.App) *cobra.Command {
	var dir, pinFile string
	var from cli.SecretFlags
	var to rootkey.Flags
	c := &cobra.Command{
		Use:   "token",
		Short: "Put the root key under a key in a PKCS#11 token",
		Long: `Makes a key in the token, which never leaves it, unless there is one of that label, and
puts the root key under it, beside what opens it now. The node then starts by itself
with --pkcs11-module and the PIN. Needs a build with -tags pkcs11.`,
		Example: `  tamga custody token --dir kaz --passphrase-file pass.txt --pkcs11-module /usr/lib/softhsm/libsofthsm2.so --pin-file pin.txt
  tamga run --dir kaz --pkcs11-module /usr/lib/softhsm/libsofthsm2.so --passphrase-file pin.txt`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if to.Module == "" {
				return fault.Usage("--pkcs11-module is needed: the token's PKCS#11 library")
			}
			root, err := rootkey.Open(a, dir, rootkey.Flags{SecretFlags: from})
			if err != nil {
				return err
			}
			defer root.Wipe()
			to.SecretFlags = cli.SecretFlags{File: pinFile, FD: -1}
			k, err := rootkey.OpenToken(a, to, true)
			if err != nil {
				return err
			}
			err = custody.Protect(keystore.RootFile(dir), root, custody.Token(k))
			if err = errors.Join(err, k.Close()); err != nil {
				return err
			}
			rootkey.KeepEscrow(a, dir, root)
			p, err := custody.Inspect(keystore.RootFile(dir))
			if err != nil {
				return err
			}
			r, rows := custodyView(p)
			return a.Emit(r, rows)
		},
	}
	c.Flags().StringVar(&dir, "dir", "", "the node's folder (required)")
	from.Add(c.Flags(), " that opens the root key now")
	to.AddToken(c.Flags())
	c.Flags().StringVar(&pinFile, "pin-file", "", "file with the token's PIN, - for standard input")
	return c
}
