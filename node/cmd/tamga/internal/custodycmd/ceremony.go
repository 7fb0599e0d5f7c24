package custodycmd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/crypto/ceremony"
	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/files"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/rootkey"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/keystore"
	"github.com/tamga-id/tamga/node/rotation"
)

// Ceremony is `tamga ceremony`.
func Ceremony(a *cli.App) *cobra.Command {
	c := &cobra.Command{
		Use:   "ceremony",
		Short: "Put the root key under custodians, k of n",
		Long: `A key ceremony shares the key that opens a node's root key among custodians, so that
any k of n open it and fewer learn nothing. Each custodian makes an identity on his own
machine and hands out its recipient; the node deals one sealed share to each; each
proves that he holds his. No two shares are ever in one file, none in clear.

In order: identity (each custodian), plan, start (or init --plan), join (each
custodian), transcript, verify. Afterwards tamga custody remove takes the passphrase
away, and tamga unseal opens the node.`,
		Example: `  tamga ceremony identity --out alice.key
  tamga ceremony plan --entity-id https://kaz.example --threshold 2 --custodian alice=age1pq1... --custodian bob=age1... --out plan.json
  tamga ceremony start --dir kaz --plan plan.json --out shares --passphrase-file pass.txt
  tamga ceremony join --transcript shares/transcript.json --entity-configuration kaz/entity-configuration.jwt \
    --share share-1-alice.age --identity alice.key --out alice.ack
  tamga ceremony transcript --dir kaz --transcript shares/transcript.json alice.ack bob.ack
  tamga ceremony verify --dir kaz --transcript shares/transcript.json`,
	}
	c.AddCommand(identityCommand(a), planCommand(a), ceremonyStartCommand(a), joinCommand(a), transcriptCommand(a), ceremonyVerifyCommand(a))
	return c
}

func identityCommand(a *cli.App) *cobra.Command {
	var out string
	c := &cobra.Command{
		Use:   "identity",
		Short: "Make a custodian's identity, on the custodian's machine",
		Long: `Makes an age identity (post-quantum hybrid) in a new file that never leaves the
custodian, and prints the recipient to hand out. One of age-keygen does as well.`,
		Example: `  tamga ceremony identity --out alice.key`,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if out == "" {
				return fault.Usage("--out is needed: a new file for the identity")
			}
			id, err := age.GenerateHybridIdentity()
			if err != nil {
				return fmt.Errorf("making identity: %w", err)
			}
			if err := files.Create(out, []byte(id.String()+"\n"), 0o600); err != nil {
				return err
			}
			r := struct {
				Recipient string `json:"recipient"`
			}{id.Recipient().String()}
			return a.Emit(r, [][2]string{{"recipient", r.Recipient}})
		},
	}
	c.Flags().StringVar(&out, "out", "", "new file for the identity (required)")
	return c
}

func planCommand(a *cli.App) *cobra.Command {
	var entity, out string
	var threshold int
	var who []string
	c := &cobra.Command{
		Use:   "plan",
		Short: "Name the custodians and how many open the key",
		Long:  `Writes the plan of a ceremony, which holds no secret. Every custodian should see it.`,
		Example: `  tamga ceremony plan --entity-id https://kaz.example --threshold 2 \
    --custodian alice=age1pq1... --custodian bob=age1pq1... --custodian carol=age1... --out plan.json`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if entity == "" || out == "" {
				return fault.Usage("--entity-id and --out are needed")
			}
			var custodians []ceremony.Custodian
			for _, w := range who {
				name, recipient, ok := strings.Cut(w, "=")
				if !ok {
					return fault.Usage("--custodian takes NAME=RECIPIENT")
				}
				custodians = append(custodians, ceremony.Custodian{Name: name, Recipient: recipient})
			}
			p, err := ceremony.NewPlan(entity, threshold, custodians, time.Now())
			if errors.Is(err, ceremony.ErrPlan) {
				return fault.Usage("%v", err)
			} else if err != nil {
				return err
			}
			if err := files.Create(out, p.Encode(), 0o644); err != nil {
				return err
			}
			id := ceremony.ID([custody.CeremonySize]byte(p.Ceremony))
			r := struct {
				Ceremony   string `json:"ceremony"`
				Threshold  int    `json:"threshold"`
				Custodians int    `json:"custodians"`
			}{id, threshold, len(custodians)}
			return a.Emit(r, [][2]string{{"ceremony", id}, {"opens", fmt.Sprintf("any %d of %d", threshold, len(custodians))}})
		},
	}
	f := c.Flags()
	f.StringVar(&entity, "entity-id", "", "the node's Entity Identifier (required)")
	f.IntVar(&threshold, "threshold", 0, "how many custodians open the key, at least 2 (required)")
	f.StringArrayVar(&who, "custodian", nil, "NAME=RECIPIENT of one custodian; name in a-z, 0-9 and '-' (at least two)")
	f.StringVar(&out, "out", "", "new file for the plan (required)")
	return c
}

func ceremonyStartCommand(a *cli.App) *cobra.Command {
	var dir, planFile, out string
	var from rootkey.Flags
	c := &cobra.Command{
		Use:   "start",
		Short: "Deal the shares and put the root key under them",
		Long: `Deals a share to each custodian of the plan, writes the sealed shares and the signed
transcript into a new folder, and puts the root key under the custodians, beside what
opens it now; custodians of an earlier ceremony are replaced. The node may run.`,
		Example: `  tamga ceremony start --dir kaz --plan plan.json --out shares --passphrase-file pass.txt`,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if planFile == "" || out == "" {
				return fault.Usage("--plan and --out are needed")
			}
			p, err := rootkey.ReadPlan(planFile)
			if err != nil {
				return err
			}
			root, err := rootkey.Open(a, dir, from)
			if err != nil {
				return err
			}
			defer root.Wipe()
			if err := rotation.StartCeremony(filepath.Join(dir, node.ConfigFile), root, p, out); err != nil {
				return err
			}
			var shares []string
			for i := range p.Custodians {
				shares = append(shares, keystore.ShareFile(p, i))
			}
			a.Say("hint: hand each custodian his share and %s; each answers with `tamga ceremony join`", keystore.TranscriptFile)
			r := struct {
				Ceremony   string   `json:"ceremony"`
				Transcript string   `json:"transcript"`
				Shares     []string `json:"shares"`
			}{ceremony.ID([custody.CeremonySize]byte(p.Ceremony)), filepath.Join(out, keystore.TranscriptFile), shares}
			return a.Emit(r, [][2]string{{"ceremony", r.Ceremony}, {"transcript", r.Transcript}, {"shares", strings.Join(shares, " ")}})
		},
	}
	c.Flags().StringVar(&dir, "dir", "", "the node's folder (required)")
	c.Flags().StringVar(&planFile, "plan", "", "what tamga ceremony plan wrote (required)")
	c.Flags().StringVar(&out, "out", "", "new folder for shares and transcript (required)")
	from.Add(c.Flags(), " that opens the root key now")
	return c
}

// transcriptFlags say which transcript is meant and whose signature it must bear.
type transcriptFlags struct{ file, dir, configuration string }

func joinCommand(a *cli.App) *cobra.Command {
	var t transcriptFlags
	var shareFile, identityFile, out string
	c := &cobra.Command{
		Use:   "join",
		Short: "Check a share and acknowledge it, on the custodian's machine",
		Long: `Opens the share, checks it against the node's signed transcript and writes an
acknowledgement: a proof that the share is held, from which it cannot be learned.
Needs no network. Keep the sealed share and the identity apart from one another.`,
		Example: `  tamga ceremony join --transcript transcript.json --entity-configuration entity-configuration.jwt \
    --share share-1-alice.age --identity alice.key --out alice.ack`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if out == "" {
				return fault.Usage("--out is needed: a new file for the acknowledgement")
			}
			_, v, err := t.read()
			if err != nil {
				return err
			}
			sealed, share, err := rootkey.OpenShare(shareFile, identityFile)
			if err != nil {
				return err
			}
			ack, err := v.Acknowledge(sealed, share)
			if err != nil {
				return err
			}
			if err := files.Create(out, ack.Encode(), 0o644); err != nil {
				return err
			}
			r := struct {
				Ceremony  string `json:"ceremony"`
				Custodian string `json:"custodian"`
				Threshold int    `json:"threshold"`
				Shares    int    `json:"shares"`
			}{ceremony.ID(v.Terms.Ceremony), share.Custodian(), v.Terms.Threshold, v.Terms.Shares}
			return a.Emit(r, [][2]string{{"ceremony", r.Ceremony}, {"custodian", r.Custodian},
				{"opens", fmt.Sprintf("any %d of %d", r.Threshold, r.Shares)}, {"acknowledged in", out}})
		},
	}
	t.add(c, false)
	c.Flags().StringVar(&shareFile, "share", "", "the custodian's sealed share (required)")
	c.Flags().StringVar(&identityFile, "identity", "", "the custodian's age identity (required)")
	c.Flags().StringVar(&out, "out", "", "new file for the acknowledgement (required)")
	return c
}

func transcriptCommand(a *cli.App) *cobra.Command {
	var t transcriptFlags
	c := &cobra.Command{
		Use:     "transcript [ACKNOWLEDGEMENT...]",
		Short:   "Show a transcript, and add acknowledgements to it",
		Long:    `Verifies the transcript, adds the acknowledgements that are given, and shows who holds a share.`,
		Example: `  tamga ceremony transcript --dir kaz --transcript shares/transcript.json alice.ack bob.ack`,
		RunE: func(_ *cobra.Command, args []string) error {
			tr, v, err := t.read()
			if err != nil {
				return err
			}
			for _, file := range args {
				b, err := files.ReadSmall(file, "acknowledgement")
				if err != nil {
					return err
				}
				ack, err := ceremony.ParseAcknowledgement(b)
				if err == nil {
					err = tr.Add(v, ack)
				}
				if err != nil {
					return fmt.Errorf("%s: %w", filepath.Base(file), err)
				}
			}
			if len(args) > 0 {
				if err := os.WriteFile(t.file+".new", tr.Encode(), 0o644); err != nil {
					return fmt.Errorf("writing transcript: %w", err)
				}
				if err := os.Rename(t.file+".new", t.file); err != nil {
					return fmt.Errorf("writing transcript: %w", err)
				}
				if _, v, err = t.read(); err != nil {
					return err
				}
			}
			return emitTranscript(a, v)
		},
	}
	t.add(c, true)
	return c
}

func ceremonyVerifyCommand(a *cli.App) *cobra.Command {
	var t transcriptFlags
	c := &cobra.Command{
		Use:   "verify",
		Short: "Verify a transcript against the node's root key",
		Long: `Verifies the node's signature, every acknowledgement, and that the node's root key is
under the shares of this very ceremony. Exit code 9 when it is not so, 11 while
custodians have not acknowledged.`,
		Example: `  tamga ceremony verify --dir kaz --transcript shares/transcript.json`,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := cli.NeedDir(t.dir); err != nil {
				return err
			}
			v, err := t.current()
			if err != nil {
				return err
			}
			if err := emitTranscript(a, v); err != nil {
				return err
			}
			if !v.Complete() {
				return fault.Verdict{Exit: fault.ExitInconclusive}
			}
			return nil
		},
	}
	t.add(c, true)
	return c
}

func emitTranscript(a *cli.App, v ceremony.Verified) error {
	list := func(s []string) []string { return append([]string{}, s...) } // no null in JSON
	r := struct {
		Ceremony     string   `json:"ceremony"`
		Entity       string   `json:"entity"`
		Threshold    int      `json:"threshold"`
		Shares       int      `json:"shares"`
		Acknowledged []string `json:"acknowledged"`
		Missing      []string `json:"missing"`
		Complete     bool     `json:"complete"`
	}{ceremony.ID(v.Terms.Ceremony), v.Plan.Entity, v.Terms.Threshold, v.Terms.Shares, list(v.Acked), list(v.Missing()), v.Complete()}
	return a.Emit(r, [][2]string{{"ceremony", r.Ceremony}, {"entity", r.Entity}, {"opens", fmt.Sprintf("any %d of %d", r.Threshold, r.Shares)},
		{"acknowledged", strings.Join(r.Acknowledged, " ")}, {"missing", strings.Join(r.Missing, " ")}})
}

func (t *transcriptFlags) add(c *cobra.Command, dir bool) {
	c.Flags().StringVar(&t.file, "transcript", "", "the transcript (required)")
	c.Flags().StringVar(&t.configuration, "entity-configuration", "", "the node's Entity Configuration, whose key signed it")
	if dir {
		c.Flags().StringVar(&t.dir, "dir", "", "the node's folder, for its Entity Configuration")
	}
}

// read verifies the transcript under the node's federation key.
func (t *transcriptFlags) read() (ceremony.Transcript, ceremony.Verified, error) {
	configuration := t.configuration
	if configuration == "" && t.dir != "" {
		configuration = filepath.Join(t.dir, node.EntityConfigurationFile)
	}
	if t.file == "" || configuration == "" {
		return ceremony.Transcript{}, ceremony.Verified{}, fault.Usage("--transcript is needed, and --entity-configuration or --dir")
	}
	b, err := files.ReadSmall(configuration, "entity configuration")
	if err != nil {
		return ceremony.Transcript{}, ceremony.Verified{}, err
	}
	token := strings.TrimSpace(string(b))
	s, err := trust.ParseStatement(token)
	if err == nil {
		_, err = jose.Verify(token, "entity-statement+jwt", s.Keys())
	}
	if err != nil {
		return ceremony.Transcript{}, ceremony.Verified{}, &fault.Failure{Exit: fault.ExitIntegrity, Code: protocol.CodeCeremony, Err: fmt.Errorf("reading entity configuration: %w", err)}
	}
	if b, err = files.ReadSmall(t.file, "transcript"); err != nil {
		return ceremony.Transcript{}, ceremony.Verified{}, err
	}
	tr, err := ceremony.ParseTranscript(b)
	if err != nil {
		return ceremony.Transcript{}, ceremony.Verified{}, err
	}
	v, err := tr.Verify(s.Keys())
	return tr, v, err
}

// current is the transcript of the ceremony that holds the root key of --dir now.
func (t *transcriptFlags) current() (ceremony.Verified, error) {
	_, v, err := t.read()
	if err != nil {
		return ceremony.Verified{}, err
	}
	p, err := custody.Inspect(keystore.RootFile(t.dir))
	if err != nil {
		return ceremony.Verified{}, err
	}
	cfg, err := config.Load(filepath.Join(t.dir, node.ConfigFile))
	if err != nil {
		return ceremony.Verified{}, err
	}
	if p.Custodians == nil || !sameTerms(*p.Custodians, v.Terms) || v.Plan.Entity != cfg.EntityID {
		return ceremony.Verified{}, fmt.Errorf("comparing with the root key: %w", ceremony.ErrForeign)
	}
	return v, nil
}

func sameTerms(a, b custody.Custodians) bool { return fmt.Sprintf("%x", a) == fmt.Sprintf("%x", b) }
