package consentcmd

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/credentials/consent"
	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/files"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/nodeclient"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/operatorkey"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/person"
)

func consentKey(a *cli.App) *cobra.Command {
	var dir, passphraseFile string
	c := &cobra.Command{
		Use:   "key",
		Short: "Make the key of a person or an officer, on their own machine",
		Long: `Makes a folder with the key under the passphrase, and operator.jwk.json, its public part: of a
person it goes into the manifest of ` + "`tamga enrol import`" + ` as holder_key, of an officer into the
office's file (` + "`tamga consent office`" + `).`,
		Example: `  tamga consent key --dir desk --passphrase-file pass.txt`,
		Args:    cobra.NoArgs,
		RunE:    func(*cobra.Command, []string) error { return operatorkey.Make(a, dir, passphraseFile, "") },
	}
	c.Flags().StringVar(&dir, "dir", "", "folder to make (required)")
	c.Flags().StringVar(&passphraseFile, "passphrase-file", "", "file with the passphrase of the key, - for standard input")
	return c
}

func consentOffice(a *cli.App) *cobra.Command {
	var of consent.Office
	var officers []string
	var out string
	c := &cobra.Command{
		Use:   "office",
		Short: "Write the file of an office, for policy.offices of a node",
		Long: `Writes who may attest or exempt in an office's name. A node believes it when its operator names
the file in policy.offices of tamga.yaml: compare the keys with the office first.`,
		Example: `  tamga consent office --office https://office.example --under https://kgz.example \
    --officer desk-4=attest=desk/operator.jwk.json --out office.json`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			for _, text := range officers {
				parts := strings.SplitN(text, "=", 3)
				if len(parts) != 3 {
					return fault.Usage("--officer takes NAME=ROLE=KEY-FILE, roles attest and exempt, or attest+exempt")
				}
				f := consent.Officer{Name: parts[0]}
				for _, r := range strings.Split(parts[1], "+") {
					f.Roles = append(f.Roles, consent.Role(r))
				}
				b, err := os.ReadFile(parts[2])
				if err != nil {
					return fmt.Errorf("reading officer's key: %w", err)
				}
				var k jose.PublicKey
				if err := k.UnmarshalJSON(b); err != nil {
					return fault.Usage("--officer: the file of %s is not a public JWK", parts[0])
				}
				f.Key = k
				of.Officers = append(of.Officers, f)
			}
			b, err := json.MarshalIndent(of, "", "  ")
			if err != nil {
				return fmt.Errorf("writing office: %w", err)
			}
			if _, err := consent.ParseOffice(b); err != nil || out == "" {
				return fault.Usage("--office, --under, --out and an --officer each with a name and a key of the own are needed: NAME=ROLE=KEY-FILE, roles attest and exempt")
			}
			if err := files.WriteFresh(out, string(b)); err != nil {
				return err
			}
			return a.Emit(map[string]any{"file": out, "office": of.ID, "officers": len(of.Officers)},
				[][2]string{{"wrote", out}, {"office", of.ID}, {"officers", fmt.Sprint(len(of.Officers))}})
		},
	}
	f := c.Flags()
	f.StringVar(&of.ID, "office", "", "Entity Identifier of the office (required)")
	f.StringVar(&of.Under, "under", "", "Entity Identifier of the node, requester or controller, for whose Queries it may (required)")
	f.StringArrayVar(&officers, "officer", nil, "NAME=ROLE=KEY-FILE, role attest, exempt or attest+exempt; may be repeated (required)")
	f.StringVar(&out, "out", "", "file to write (required)")
	return c
}

func consentWithdraw(a *cli.App) *cobra.Command {
	var n nodeclient.Flags
	var s signing
	var of, signed, out string
	c := &cobra.Command{
		Use:   "withdraw",
		Short: "Withdraw a consent, at once and on both sides",
		Long: `Signs a withdrawal with the key that gave the consent, or of an officer of the office that
attested it, and gives it to a node (--dir), the requester's or the register's. When the node
has answered the consent permits nothing there; it tells the other side, and goes on trying
until that has it. An office's it takes when its policy.offices names the office, as the register's
does. When the node is both sides, the consent is what a person was enrolled by
(the member consent of ` + "`tamga enrol import`" + `): who is held by it alone is erased. With --out the withdrawal is written, to be given to a node with --signed.`,
		Example: `  tamga consent withdraw --consent consent.jwt --key wallet --passphrase-file pass.txt --out withdrawal.jwt
  tamga consent withdraw --signed withdrawal.jwt --dir kgz`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			token, err := withdrawal(a, of, signed, s)
			if err != nil {
				return err
			}
			if out != "" {
				if err := files.WriteFresh(out, token); err != nil {
					return err
				}
				if n.Dir == "" && n.API == "" {
					return a.Emit(map[string]string{"file": out}, [][2]string{{"wrote", out}})
				}
			}
			return sendWithdrawal(c.Context(), a, n, token)
		},
	}
	n.Add(c.Flags())
	s.add(c, false)
	f := c.Flags()
	f.StringVar(&s.officer, "officer", "", "name of the officer who withdraws, of an office's attestation or exemption")
	f.StringVar(&of, "consent", "", "file with the consent to withdraw")
	f.StringVar(&signed, "signed", "", "file with a withdrawal that was signed before")
	f.StringVar(&out, "out", "", "file to write the withdrawal to")
	return c
}

func withdrawal(a *cli.App, of, signed string, s signing) (string, error) {
	if (of == "") == (signed == "") {
		return "", fault.Usage("give either --consent with --key, or --signed")
	}
	if signed != "" {
		return readArtefact(signed)
	}
	token, err := readArtefact(of)
	if err != nil {
		return "", err
	}
	u, err := consent.Parse(token)
	if err != nil {
		return "", ofConsent(err)
	}
	k, err := signer(a, s)
	if err != nil {
		return "", err
	}
	token, err = consent.Withdraw(k, u.Claimed(), s.officer, time.Now())
	if err != nil {
		return "", ofConsent(err)
	}
	return token, nil
}

func sendWithdrawal(ctx context.Context, a *cli.App, n nodeclient.Flags, token string) error {
	cl, err := n.Client()
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]string{"withdrawal": token})
	if err != nil {
		return fmt.Errorf("encoding request: %w", err)
	}
	var out struct {
		Withdrawn bool   `json:"withdrawn"`
		Known     bool   `json:"known"`
		Peer      string `json:"peer"`
		Told      bool   `json:"told"`
		Erased    int    `json:"erased"`
	}
	if err := cl.Call(ctx, http.MethodPost, "/v1/consents/withdrawals", "application/json", body, &out); err != nil {
		return err
	}
	if !out.Told {
		a.Say("hint: %s was not told yet; the node goes on trying", out.Peer)
	}
	rows := [][2]string{{"withdrawn", "from now on"}, {"known before", fmt.Sprint(out.Known)}}
	if out.Peer == "" { // of an enrolment
		return a.Emit(out, append(rows, [2]string{"people erased", fmt.Sprint(out.Erased)}))
	}
	return a.Emit(out, append(rows, [2]string{"other side", out.Peer}, [2]string{"told", fmt.Sprint(out.Told)}))
}

func consentShow(a *cli.App) *cobra.Command {
	return &cobra.Command{
		Use:   "show FILE",
		Short: "Show what a consent says, as a record of ISO/IEC TS 27560",
		Long: `Prints what an artefact says of itself; nothing is verified. With -o json that is a consent record
of ISO/IEC TS 27560 in the vocabulary of W3C DPV. It is personal data.`,
		Example: `  tamga consent show consent.jwt -o json`,
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			token, err := readArtefact(args[0])
			if err != nil {
				return err
			}
			u, err := consent.Parse(token)
			if err != nil {
				return ofConsent(err)
			}
			c := u.Claimed()
			record, err := c.Record()
			if err != nil {
				return err
			}
			rows := [][2]string{{"id", c.ID}, {"given by", string(c.State())}, {"requester", c.Requester}, {"controller", c.Controller}, {"purpose", c.Purpose},
				{"modalities", strings.Join(c.Modalities, " ")}, {"from", c.IssuedAt.Format(time.RFC3339)}, {"until", c.ExpiresAt.Format(time.RFC3339)}, {"uses", fmt.Sprint(c.Uses)}}
			if c.Notice != (consent.Notice{}) {
				rows = append(rows, [2]string{"notice", fmt.Sprintf("%x (%s)", c.Notice.Digest, c.Notice.Language)})
			}
			if c.Office != "" {
				rows = append(rows, [2]string{"office", c.Office}, [2]string{"officer", c.Officer})
			}
			if c.State() == consent.Exempt {
				second := c.Exemption.Second
				if second == "" {
					second = "MISSING: it permits nothing"
				}
				rows = append(rows, [2]string{"second officer", second}, [2]string{"case", c.Exemption.Case}, [2]string{"disclosed", c.Exemption.Disclose.Format(time.DateOnly)})
			} else if c.Form != "" {
				rows = append(rows, [2]string{"form", c.Form})
			}
			return a.Emit(json.RawMessage(record), rows)
		},
	}
}

func consentVerify(a *cli.App) *cobra.Command {
	var want consent.Expectation
	var subject, sample, handle string
	var offices []string
	c := &cobra.Command{
		Use:   "verify FILE",
		Short: "Check a consent the way a responder does",
		Long: `Checks an artefact, without a node, against who would ask whom about what. How often it was
used, and whether it was withdrawn, only the register's node knows.`,
		Example: `  tamga consent verify consent.jwt --subject KGZ:passport:SYNV646M9 --requester https://kaz.example \
    --controller https://kgz.example --purpose visa_issuance --modality face --office office.json`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			token, err := readArtefact(args[0])
			if err != nil {
				return err
			}
			if subject != "" {
				if want.Subject, err = person.Subject(a, subject); err != nil {
					return err
				}
			}
			if sample != "" {
				p, err := person.ReadProbe(sample)
				if err != nil {
					return err
				}
				want.Sample = p.Data
			}
			if handle != "" {
				h, err := protocol.ParseHandle(handle)
				if err != nil {
					return fault.Usage("--handle takes a handle that `tamga identify` printed")
				}
				want.Handle = h[:]
			}
			want.Now, want.Offices = time.Now(), consent.Offices{}
			for _, path := range offices {
				b, err := os.ReadFile(path)
				if err != nil {
					return fmt.Errorf("reading office: %w", err)
				}
				o, err := consent.ParseOffice(b)
				if err != nil {
					return fault.Unfit("name a file that `tamga consent office` wrote", "%w", err)
				}
				want.Offices[o.ID] = o
			}
			got, err := consent.Verify(token, want)
			if err != nil {
				return ofConsent(err)
			}
			return a.Emit(map[string]any{"valid": true, "state": got.State(), "id": got.ID, "uses": got.Uses, "expires": got.ExpiresAt},
				[][2]string{{"valid", "yes"}, {"given by", string(got.State())}, {"id", got.ID}, {"uses", fmt.Sprint(got.Uses)}, {"expires", got.ExpiresAt.Format(time.RFC3339)}})
		},
	}
	f := c.Flags()
	f.StringVar(&subject, "subject", "", "whom the question is about: COUNTRY:TYPE:VALUE; - reads it from standard input")
	f.StringVar(&sample, "probe", "", "file with the sample that an order of a search is about, in place of --subject")
	f.StringVar(&handle, "handle", "", "the candidate's handle that an order is about, in place of --subject")
	f.StringVar(&want.HolderThumbprint, "holder", "", "RFC 7638 thumbprint of the key that the person was enrolled with")
	f.StringVar(&want.Requester, "requester", "", "Entity Identifier of the node that asks (required)")
	f.StringVar(&want.Controller, "controller", "", "Entity Identifier of the node whose register the person is in (required)")
	f.StringVar(&want.Purpose, "purpose", "", "for what (required)")
	f.StringVar(&want.Modality, "modality", "face", "what is compared")
	f.StringSliceVar(&offices, "office", nil, "file of an office that may attest or exempt; may be repeated")
	return c
}
