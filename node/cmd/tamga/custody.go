package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/crypto/ceremony"
	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/custody/token"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/keystore"
	"github.com/tamga-id/tamga/node/rotation"
)

func (a *app) custodyCommand() *cobra.Command {
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
	c.AddCommand(a.custodyShowCommand(), a.custodyPassphraseCommand(), a.custodyTokenCommand(), a.custodyRemoveCommand(), a.custodyPseudonymCommand())
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

func (a *app) custodyShowCommand() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:     "show",
		Short:   "List what opens the root key",
		Long:    `Reads root.json and says what opens it, without opening it.`,
		Example: `  tamga custody show --dir kaz -o json`,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := needDir(dir); err != nil {
				return err
			}
			p, err := custody.Inspect(keystore.RootFile(dir))
			if err != nil {
				return err
			}
			r, rows := custodyView(p)
			return a.emit(r, rows)
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

func (a *app) custodyPassphraseCommand() *cobra.Command {
	var dir, newFile string
	var from rootFlags
	c := &cobra.Command{
		Use:   "passphrase",
		Short: "Change the passphrase, or its cost",
		Long: `Puts the root key under a new passphrase, with the argon2id costs of this version. Give
the old one as the new one too to raise the costs alone. The old passphrase opens
nothing afterwards but copies of the old root.json.`,
		Example: `  tamga custody passphrase --dir kaz --passphrase-file pass.txt --new-passphrase-file new.txt
  tamga custody passphrase --dir kaz --passphrase-file pass.txt --new-passphrase-file pass.txt   # today's costs`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return a.changePassphrase(dir, from, newFile) },
	}
	c.Flags().StringVar(&dir, "dir", "", "the node's folder (required)")
	from.add(c.Flags(), " that opens the root key now")
	c.Flags().StringVar(&newFile, "new-passphrase-file", "", "file with the new passphrase, - for standard input")
	return c
}

func (a *app) changePassphrase(dir string, from rootFlags, newFile string) error {
	if err := needDir(dir); err != nil {
		return err
	}
	if from.file == "-" && newFile == "-" {
		return usage("standard input holds one passphrase: give the other in a file")
	}
	root, err := a.openRoot(dir, from)
	if err != nil {
		return err
	}
	defer root.Wipe()
	fresh, err := a.passphrase(newFile, "New passphrase")
	if err != nil {
		return err
	}
	defer clear(fresh)
	a.warnShort(fresh)
	if err := custody.Protect(keystore.RootFile(dir), root, custody.Passphrase(fresh, custody.DefaultParams())); err != nil {
		return err
	}
	a.keepEscrow(dir, root)
	a.say("hint: copies of the old %s still open with the old passphrase; destroy them", filepath.Base(keystore.RootFile(dir)))
	p, err := custody.Inspect(keystore.RootFile(dir))
	if err != nil {
		return err
	}
	r, rows := custodyView(p)
	return a.emit(r, rows)
}

// opening is a root key that is open, and what opened it, which may protect another.
type opening struct {
	root custody.Root
	kind custody.Kind
	by   custody.Protector
	open func(file string) (custody.Root, error) // another root file, by the same
	done func() error                            // forgets what opened it, and leaves the root
	pass []byte                                  // that opened it, if one did; done clears it
}

// openRoot opens the root key of the node in dir. The caller wipes it.
func (a *app) openRoot(dir string, from rootFlags) (custody.Root, error) {
	o, err := a.openWith(dir, from)
	if err != nil {
		return custody.Root{}, err
	}
	return o.root, o.done()
}

// openWith is openRoot for who needs what opens it once more.
func (a *app) openWith(dir string, from rootFlags) (o opening, err error) {
	if err := needDir(dir); err != nil {
		return opening{}, err
	}
	if _, err := os.Stat(keystore.RootFile(dir)); err != nil {
		return opening{}, fmt.Errorf("opening root key: %w", err)
	}
	if err := rotation.SettleRoot(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
		return opening{}, err
	}
	switch {
	case from.module != "":
		o, err = a.openByToken(from)
	case len(from.shares)+len(from.identities) > 0:
		o, err = openByShares(dir, from)
	default:
		o, err = a.openByPassphrase(dir, from)
	}
	if err != nil || o.root.Usable() {
		return o, err
	}
	if o.root, err = o.open(keystore.RootFile(dir)); err != nil {
		return opening{}, errors.Join(err, o.done())
	}
	return o, nil
}

func (a *app) openByToken(from rootFlags) (opening, error) {
	k, err := a.openToken(from, false)
	if err != nil {
		return opening{}, err
	}
	return opening{kind: custody.KindToken, by: custody.Token(k), done: k.Close,
		open: func(file string) (custody.Root, error) { return custody.OpenToken(file, k) }}, nil
}

func (a *app) openByPassphrase(dir string, from rootFlags) (opening, error) {
	p, err := custody.Inspect(keystore.RootFile(dir))
	if err != nil {
		return opening{}, err
	}
	if p.Passphrase == nil && p.Custodians != nil {
		return opening{}, &failure{exit: exitSealed, code: protocol.CodeSealed, err: fmt.Errorf("opening root key: passphrase: %w; custodians hold it", custody.ErrNoProtector),
			hint: fmt.Sprintf("give the shares of %[1]d custodians: --%[2]sshare FILE --%[2]sidentity FILE, once for each. A running node needs them at its start alone: tamga unseal", p.Custodians.Threshold, from.prefix)}
	}
	prompt := "Passphrase of the root key"
	if from.prefix == pseudonymPrefix {
		prompt = "Passphrase of the pseudonym keystore"
	}
	pass, err := a.secret(from.secretFlags, prompt)
	if err != nil {
		return opening{}, err
	}
	o := opening{kind: custody.KindPassphrase, pass: pass, by: custody.Passphrase(pass, custody.DefaultParams()), done: func() error { clear(pass); return nil },
		open: func(file string) (custody.Root, error) { return custody.Open(file, pass) }}
	if o.root, err = keystore.OpenRoot(dir, pass, time.Now()); err != nil {
		return opening{}, errors.Join(err, o.done())
	}
	return o, nil
}

// openByShares puts the custodians' key together here. It is for who may bring them to
// one machine; a node that is to run takes them one by one, see tamga unseal.
func openByShares(dir string, from rootFlags) (opening, error) {
	if len(from.shares) != len(from.identities) {
		return opening{}, usage("every --%[1]sshare needs an --%[1]sidentity: %[2]d and %[3]d were given", from.prefix, len(from.shares), len(from.identities))
	}
	p, err := custody.Inspect(keystore.RootFile(dir))
	if err != nil {
		return opening{}, err
	}
	if p.Custodians == nil {
		return opening{}, fmt.Errorf("opening root key: custodians: %w", custody.ErrNoProtector)
	}
	g := ceremony.Gather(*p.Custodians)
	for i := range from.shares {
		_, share, err := openShare(from.shares[i], from.identities[i])
		if err == nil {
			err = g.Add(share)
		}
		if err != nil {
			return opening{}, fmt.Errorf("opening root key: share %d: %w", i+1, err)
		}
	}
	if n := g.Missing(); n > 0 {
		return opening{}, &failure{exit: exitSealed, code: protocol.CodeSealed, err: fmt.Errorf("opening root key: %d shares are missing", n),
			hint: fmt.Sprintf("give --%[1]sshare FILE --%[1]sidentity FILE once for each custodian that is needed. Nothing was changed", from.prefix)}
	}
	key, err := g.Key()
	if err != nil {
		return opening{}, err
	}
	return opening{kind: custody.KindCustodians, by: custody.Shared(*p.Custodians, key), done: func() error { clear(key); return nil },
		open: func(file string) (custody.Root, error) { return custody.OpenShared(file, key) }}, nil
}

func (a *app) custodyRemoveCommand() *cobra.Command {
	var t transcriptFlags
	var from rootFlags
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
				return usage("what to remove is passphrase, custodians or pkcs11")
			}
			root, err := a.openRoot(t.dir, from)
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
			a.keepEscrow(t.dir, root)
			p, err := custody.Inspect(keystore.RootFile(t.dir))
			if err != nil {
				return err
			}
			r, rows := custodyView(p)
			return a.emit(r, rows)
		},
	}
	t.add(c, true)
	from.add(c.Flags(), " that opens the root key now")
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
		return &failure{exit: exitRefused, code: protocol.CodeCeremony, err: fmt.Errorf("not yet acknowledged: %s", strings.Join(v.Missing(), ", ")),
			hint: "each of them runs `tamga ceremony join`; add what it writes with `tamga ceremony transcript`. Nothing was changed"}
	}
	return nil
}

func (a *app) openToken(from rootFlags, make bool) (*token.Token, error) {
	pin, err := a.secret(from.secretFlags, "PIN of the token")
	if err != nil {
		return nil, err
	}
	defer clear(pin)
	return token.Open(token.Config{Module: from.module, Token: from.token, Key: from.key, PIN: pin, Make: make})
}

func (a *app) custodyTokenCommand() *cobra.Command {
	var dir, pinFile string
	var from secretFlags
	var to rootFlags
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
			if to.module == "" {
				return usage("--pkcs11-module is needed: the token's PKCS#11 library")
			}
			root, err := a.openRoot(dir, rootFlags{secretFlags: from})
			if err != nil {
				return err
			}
			defer root.Wipe()
			to.secretFlags = secretFlags{file: pinFile, fd: -1}
			k, err := a.openToken(to, true)
			if err != nil {
				return err
			}
			err = custody.Protect(keystore.RootFile(dir), root, custody.Token(k))
			if err = errors.Join(err, k.Close()); err != nil {
				return err
			}
			a.keepEscrow(dir, root)
			p, err := custody.Inspect(keystore.RootFile(dir))
			if err != nil {
				return err
			}
			r, rows := custodyView(p)
			return a.emit(r, rows)
		},
	}
	c.Flags().StringVar(&dir, "dir", "", "the node's folder (required)")
	from.add(c.Flags(), " that opens the root key now")
	to.addToken(c.Flags())
	c.Flags().StringVar(&pinFile, "pin-file", "", "file with the token's PIN, - for standard input")
	return c
}

func needDir(dir string) error {
	if dir == "" {
		return usage("--dir is needed: the folder that `tamga init` made")
	}
	return nil
}
