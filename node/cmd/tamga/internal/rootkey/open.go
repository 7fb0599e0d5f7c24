// Package rootkey opens the root key of a node, an anchor or a pseudonym keystore by what the flags of a
// command say: a passphrase, custodians' shares, or a key in a PKCS#11 token.
package rootkey

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"filippo.io/age"

	"github.com/tamga-id/tamga/crypto/ceremony"
	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/custody/token"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/files"
	"github.com/tamga-id/tamga/node/keystore"
	"github.com/tamga-id/tamga/node/rotation"
)

// Opening is a root key that is open, and what opened it, which may protect another.
type Opening struct {
	Root custody.Root
	Kind custody.Kind
	By   custody.Protector
	Open func(file string) (custody.Root, error) // another root file, by the same
	Done func() error                            // forgets what opened it, and leaves the root; to be called once
	Pass []byte                                  // that opened it, if one did; Done clears it
}

// Open opens the root key of the node in dir. The caller wipes it.
func Open(a *cli.App, dir string, from Flags) (custody.Root, error) {
	o, err := OpenWith(a, dir, from)
	if err != nil {
		return custody.Root{}, err
	}
	return o.Root, o.Done()
}

// OpenWith is Open for who needs what opens it once more.
func OpenWith(a *cli.App, dir string, from Flags) (o Opening, err error) {
	if err := cli.NeedDir(dir); err != nil {
		return Opening{}, err
	}
	if _, err := os.Stat(keystore.RootFile(dir)); err != nil {
		return Opening{}, fmt.Errorf("opening root key: %w", err)
	}
	if err := rotation.SettleRoot(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
		return Opening{}, err
	}
	switch {
	case from.Module != "":
		o, err = openByToken(a, from)
	case len(from.Shares)+len(from.Identities) > 0:
		o, err = openByShares(dir, from)
	default:
		o, err = openByPassphrase(a, dir, from)
	}
	if err != nil || o.Root.Usable() {
		return o, err
	}
	if o.Root, err = o.Open(keystore.RootFile(dir)); err != nil {
		return Opening{}, errors.Join(err, o.Done())
	}
	return o, nil
}

func openByToken(a *cli.App, from Flags) (Opening, error) {
	k, err := OpenToken(a, from, false)
	if err != nil {
		return Opening{}, err
	}
	return Opening{Kind: custody.KindToken, By: custody.Token(k), Done: k.Close,
		Open: func(file string) (custody.Root, error) { return custody.OpenToken(file, k) }}, nil
}

func openByPassphrase(a *cli.App, dir string, from Flags) (Opening, error) {
	p, err := custody.Inspect(keystore.RootFile(dir))
	if err != nil {
		return Opening{}, err
	}
	if p.Passphrase == nil && p.Custodians != nil {
		return Opening{}, &fault.Failure{Exit: fault.ExitSealed, Code: protocol.CodeSealed, Err: fmt.Errorf("opening root key: passphrase: %w; custodians hold it", custody.ErrNoProtector),
			Hint: fmt.Sprintf("give the shares of %[1]d custodians: --%[2]sshare FILE --%[2]sidentity FILE, once for each. A running node needs them at its start alone: tamga unseal", p.Custodians.Threshold, from.Prefix)}
	}
	prompt := "Passphrase of the root key"
	if from.Prefix == PseudonymPrefix {
		prompt = "Passphrase of the pseudonym keystore"
	}
	pass, err := a.Secret(from.SecretFlags, prompt)
	if err != nil {
		return Opening{}, err
	}
	o := Opening{Kind: custody.KindPassphrase, Pass: pass, By: custody.Passphrase(pass, custody.DefaultParams()), Done: func() error { clear(pass); return nil },
		Open: func(file string) (custody.Root, error) { return custody.Open(file, pass) }}
	if o.Root, err = keystore.OpenRoot(dir, pass, time.Now()); err != nil {
		return Opening{}, errors.Join(err, o.Done())
	}
	return o, nil
}

// openByShares puts the custodians' key together here. It is for who may bring them to
// one machine; a node that is to run takes them one by one, see tamga unseal.
func openByShares(dir string, from Flags) (Opening, error) {
	if len(from.Shares) != len(from.Identities) {
		return Opening{}, fault.Usage("every --%[1]sshare needs an --%[1]sidentity: %[2]d and %[3]d were given", from.Prefix, len(from.Shares), len(from.Identities))
	}
	p, err := custody.Inspect(keystore.RootFile(dir))
	if err != nil {
		return Opening{}, err
	}
	if p.Custodians == nil {
		return Opening{}, fmt.Errorf("opening root key: custodians: %w", custody.ErrNoProtector)
	}
	g := ceremony.Gather(*p.Custodians)
	for i := range from.Shares {
		_, share, err := OpenShare(from.Shares[i], from.Identities[i])
		if err == nil {
			err = g.Add(share)
		}
		if err != nil {
			return Opening{}, fmt.Errorf("opening root key: share %d: %w", i+1, err)
		}
	}
	if n := g.Missing(); n > 0 {
		return Opening{}, &fault.Failure{Exit: fault.ExitSealed, Code: protocol.CodeSealed, Err: fmt.Errorf("opening root key: %d shares are missing", n),
			Hint: fmt.Sprintf("give --%[1]sshare FILE --%[1]sidentity FILE once for each custodian that is needed. Nothing was changed", from.Prefix)}
	}
	key, err := g.Key()
	if err != nil {
		return Opening{}, err
	}
	return Opening{Kind: custody.KindCustodians, By: custody.Shared(*p.Custodians, key), Done: func() error { clear(key); return nil },
		Open: func(file string) (custody.Root, error) { return custody.OpenShared(file, key) }}, nil
}

// OpenShare reads and opens a custodian's share.
func OpenShare(shareFile, identityFile string) ([]byte, ceremony.Share, error) {
	if shareFile == "" || identityFile == "" {
		return nil, ceremony.Share{}, fault.Usage("--share and --identity are needed")
	}
	sealed, err := files.ReadSmall(shareFile, "share")
	if err != nil {
		return nil, ceremony.Share{}, err
	}
	text, err := files.ReadSmall(identityFile, "identity")
	if err != nil {
		return nil, ceremony.Share{}, err
	}
	defer clear(text)
	identities, err := age.ParseIdentities(strings.NewReader(string(text)))
	if err != nil {
		// age's own error quotes the line.
		return nil, ceremony.Share{}, fault.Usage("--identity names no file of age identities")
	}
	share, err := ceremony.OpenShare(sealed, identities...)
	return sealed, share, err
}

// OpenToken opens the token, with a new key in it if make says so. The caller closes it.
func OpenToken(a *cli.App, from Flags, make bool) (*token.Token, error) {
	pin, err := a.Secret(from.SecretFlags, "PIN of the token")
	if err != nil {
		return nil, err
	}
	defer clear(pin)
	return token.Open(token.Config{Module: from.Module, Token: from.token, Key: from.key, PIN: pin, Make: make})
}
