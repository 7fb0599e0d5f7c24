package rootkey

import (
	"github.com/spf13/pflag"

	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
)

// Flags say how the root key is opened: with a passphrase, with shares, or with a key in a
// PKCS#11 token, whose PIN then comes from where the passphrase does.
type Flags struct {
	cli.SecretFlags
	Module, token, key string
	Shares, Identities []string // of custodians who are at this machine, in the same order
	Pseudonym          *Flags   // of the pseudonym keystore; nil where the command needs none
}

// PseudonymPrefix begins the flags that say how the pseudonym keystore is opened.
const PseudonymPrefix = "pseudonym-"

// AddBoth is add for commands that compute pseudonyms.
func (r *Flags) AddBoth(f *pflag.FlagSet, whose string) {
	r.Add(f, whose)
	r.Pseudonym = &Flags{SecretFlags: cli.SecretFlags{Prefix: PseudonymPrefix}}
	r.Pseudonym.Add(f, " of the pseudonym keystore, where there is one")
}

// Add defines the flags. whose says in their help what they open.
func (r *Flags) Add(f *pflag.FlagSet, whose string) {
	r.SecretFlags.Add(f, whose+"; the token's PIN with --"+r.Prefix+"pkcs11-module")
	f.StringArrayVar(&r.Shares, r.Prefix+"share", nil, "sealed share of a custodian, instead of a passphrase; once for each that is needed")
	f.StringArrayVar(&r.Identities, r.Prefix+"identity", nil, "age identity that opens the share, in the same order")
	r.AddToken(f)
}

// AddToken defines the flags of a key in a token alone.
func (r *Flags) AddToken(f *pflag.FlagSet) {
	f.StringVar(&r.Module, r.Prefix+"pkcs11-module", "", "PKCS#11 library of the token that opens it (builds with -tags pkcs11)")
	f.StringVar(&r.token, r.Prefix+"pkcs11-token", "tamga", "label of the token")
	f.StringVar(&r.key, r.Prefix+"pkcs11-key", "tamga-"+r.Prefix+"root", "label of the key in it")
}
