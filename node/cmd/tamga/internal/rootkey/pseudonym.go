package rootkey

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/crypto/ceremony"
	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/files"
	"github.com/tamga-id/tamga/node/holder"
	"github.com/tamga-id/tamga/node/keystore"
)

// ReadPlan reads what `tamga ceremony plan` wrote.
func ReadPlan(file string) (ceremony.Plan, error) {
	b, err := files.ReadSmall(file, "plan")
	if err != nil {
		return ceremony.Plan{}, err
	}
	return ceremony.ParsePlan(b)
}

// KeystoreFlags say what is to open a new pseudonym keystore.
type KeystoreFlags struct {
	To           string
	Pass         cli.SecretFlags
	plan, shares string
	Holders      string
}

// Committee reads who holds the pseudonym key instead of the node; nil for the node.
func (k KeystoreFlags) Committee() (*holder.Committee, error) {
	if k.Holders == "" {
		return nil, nil
	}
	if k.To != "" {
		return nil, fault.Usage("--pseudonym-keystore is of no use with --pseudonym-holders: they have the key")
	}
	b, err := files.ReadSmall(k.Holders, "committee")
	if err != nil {
		return nil, err
	}
	c, err := holder.ParseCommittee(b)
	return &c, err
}

// ReadKeystore settles it. Without a folder there is nothing to read.
func ReadKeystore(a *cli.App, k KeystoreFlags) (o keystore.PseudonymKeystore, err error) {
	if k.To == "" {
		if k.Pass.FD >= 0 || k.Pass.File+k.plan+k.shares != "" {
			return o, fault.Usage("what opens the pseudonym keystore was given, and no folder for it")
		}
		return o, nil
	}
	o.Custody, o.Shares = custody.DefaultParams(), k.shares
	if o.Dir, err = filepath.Abs(k.To); err != nil {
		return o, fmt.Errorf("making pseudonym keystore: %w", err)
	}
	if k.plan == "" && k.shares == "" {
		o.Passphrase, err = a.Secret(k.Pass, "Passphrase for the pseudonym keystore")
		a.WarnShort(o.Passphrase)
		return o, err
	}
	if k.plan == "" || k.shares == "" || a.Given(k.Pass) {
		return o, fault.Usage("--pseudonym-plan and --pseudonym-shares go together, and a passphrase with neither")
	}
	p, err := ReadPlan(k.plan)
	o.Plan = &p
	return o, err
}

// AddPlan defines the flags for custodians to hold what opens it.
func (k *KeystoreFlags) AddPlan(c *cobra.Command) {
	c.Flags().StringVar(&k.plan, "pseudonym-plan", "", "plan of \"tamga ceremony plan\": custodians to hold the pseudonym keystore, instead of a passphrase")
	c.Flags().StringVar(&k.shares, "pseudonym-shares", "", "new folder for their sealed shares (required with --pseudonym-plan)")
}
