// Package consentcmd is `tamga consent`: consents of people are made, shown and withdrawn.
package consentcmd

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/credentials/consent"
	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/policy/vocabulary"
	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/files"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/operatorkey"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/person"
	"github.com/tamga-id/tamga/node/comparison"
)

// Command is `tamga consent`.
func Command(a *cli.App) *cobra.Command {
	c := &cobra.Command{
		Use:   "consent",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
		Short: "Give, attest, withdraw and look at a person's consent, or exempt from it",
		Long: `A consent is for one requester, one register, one purpose and a number of uses. The person
gives it with the own key (give), or an office attests that it was given in writing, by a
guardian or with a thumb mark (attest); where law lets nobody be asked, two officers sign
an exemption (exempt). It is sent with ` + "`tamga verify --consent`" + ` and permits nothing any
more once it was used as often as it says, or withdrawn (withdraw).`,
		Example: `  tamga consent attest --key desk --passphrase-file pass.txt --office https://office.example \
    --officer desk-4 --form thumb_mark --subject KGZ:passport:SYNV646M9 --notice shown.txt --language ky \
    --requester https://kaz.example --controller https://kgz.example --purpose visa_issuance --out consent.jwt`,
	}
	c.AddCommand(consentKey(a), consentOffice(a), consentGive(a), consentAttest(a), consentExempt(a), consentWithdraw(a), consentShow(a), consentVerify(a))
	return c
}

// signing are the flags of who signs.
type signing struct {
	key, passphraseFile string
	office, officer     string
}

func (s *signing) add(c *cobra.Command, office bool) {
	c.Flags().StringVar(&s.key, "key", "", "folder of the key, from \"tamga consent key\" (required)")
	c.Flags().StringVar(&s.passphraseFile, "passphrase-file", "", "file with the passphrase of the key, - for standard input")
	if office {
		c.Flags().StringVar(&s.office, "office", "", "Entity Identifier of the office")
		c.Flags().StringVar(&s.officer, "officer", "", "name of the officer who signs, as in the office's file")
	}
}

func signer(a *cli.App, s signing) (jose.PrivateKey, error) {
	if s.key == "" {
		return jose.PrivateKey{}, fault.Usage("--key is needed: a folder that `tamga consent key` made")
	}
	return operatorkey.Open(a, s.key, s.passphraseFile)
}

// terms are the flags of what is permitted.
type terms struct {
	id, requester, controller, purpose, subject, notice, language, out string
	probe, handle                                                      string // in place of subject
	modalities                                                         []string
	valid                                                              time.Duration
	uses                                                               int
}

func (t *terms) add(c *cobra.Command, subject, notice bool) {
	f := c.Flags()
	f.StringVar(&t.requester, "requester", "", "Entity Identifier of the node that may ask (required)")
	f.StringVar(&t.controller, "controller", "", "Entity Identifier of the node whose register the person is in (required)")
	f.StringVar(&t.purpose, "purpose", "", "for what, for instance visa_issuance (required)")
	f.StringSliceVar(&t.modalities, "modality", comparison.Modalities(), "what may be compared; may be repeated")
	f.DurationVar(&t.valid, "valid", 24*time.Hour, "how long it holds, at most 720h")
	f.IntVar(&t.uses, "uses", 1, "for how many Queries, at most 1000")
	f.StringVar(&t.id, "id", "", "identifier of the artefact (default: a random one)")
	f.StringVar(&t.out, "out", "", "file to write (required)")
	if subject {
		f.StringVar(&t.subject, "subject", "", "whom it is about: COUNTRY:TYPE:VALUE; - reads it from standard input (required)")
	}
	if notice {
		f.StringVar(&t.notice, "notice", "", "file with the text that the person was shown (required)")
		f.StringVar(&t.language, "language", "", "language of that text, such as ky, ru or uz-Latn (required)")
	}
}

// check finds what would be signed in vain: no node knows a purpose or a modality outside of the registry.
func (t *terms) check() error {
	if t.uses < 1 || t.uses > consent.MaxUses {
		return fault.Usage("--uses takes a number of 1 to %d", consent.MaxUses)
	}
	if t.valid < time.Second || t.valid > consent.MaxLifetime {
		return fault.Usage("--valid takes a time of 1s to %v", consent.MaxLifetime)
	}
	if !slices.Contains(vocabulary.Purposes(), t.purpose) {
		return fault.Usage("--purpose takes one of %s", strings.Join(vocabulary.Purposes(), ", "))
	}
	for _, m := range t.modalities {
		if !slices.Contains(vocabulary.Modalities(), m) {
			return fault.Usage("--modality takes one of %s", strings.Join(vocabulary.Modalities(), ", "))
		}
	}
	return nil
}

// consent is what the flags say.
func consentOf(a *cli.App, t terms, now time.Time) (consent.Consent, error) {
	if t.out == "" {
		return consent.Consent{}, fault.Usage("--out is needed: the file to write")
	}
	now = now.UTC().Truncate(time.Second)
	c := consent.Consent{ID: t.id, Requester: t.requester, Controller: t.controller, Purpose: t.purpose, Modalities: t.modalities,
		IssuedAt: now, ExpiresAt: now.Add(t.valid.Truncate(time.Second)), Uses: t.uses}
	if err := t.check(); err != nil {
		return consent.Consent{}, err
	}
	if c.ID == "" {
		var b [16]byte
		_, _ = rand.Read(b[:])
		b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80 // RFC 9562 section 5.4: TS 27560 has a UUID of version 4
		h := hex.EncodeToString(b[:])
		c.ID = strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
	}
	if t.notice != "" {
		text, err := os.ReadFile(t.notice)
		if err != nil {
			return consent.Consent{}, fmt.Errorf("reading notice: %w", err)
		}
		c.Notice = consent.NoticeOf(text, t.language)
	}
	switch {
	case t.probe != "":
		p, err := person.ReadProbe(t.probe)
		c.Subject = consent.BindSample(p.Data)
		return c, err
	case t.handle != "":
		h, err := protocol.ParseHandle(t.handle)
		if err != nil {
			return consent.Consent{}, fault.Usage("--handle takes a handle that `tamga identify` printed")
		}
		c.Subject = consent.BindHandle(h[:])
		return c, nil
	case t.subject == "":
		return c, nil
	}
	id, err := person.Subject(a, t.subject)
	if err != nil {
		return consent.Consent{}, err
	}
	c.Subject, err = consent.Bind(id)
	return c, err
}

// signedConsent writes an artefact and says what it is.
func signedConsent(a *cli.App, out, token, kind string, c consent.Consent) error {
	if err := files.WriteFresh(out, token); err != nil {
		return err
	}
	return a.Emit(map[string]any{"file": out, "kind": kind, "id": c.ID, "expires": c.ExpiresAt, "uses": max(c.Uses, 1)},
		[][2]string{{"wrote", out}, {"kind", kind}, {"id", c.ID}, {"expires", c.ExpiresAt.Format(time.RFC3339)}, {"uses", fmt.Sprint(max(c.Uses, 1))}})
}

func consentGive(a *cli.App) *cobra.Command {
	var t terms
	var s signing
	c := &cobra.Command{
		Use:   "give",
		Short: "Consent with the own key",
		Long: `Signs a consent with the person's own key. It counts for who was enrolled with that key's
public part, as holder_key or holder_jkt of the manifest.`,
		Example: `  tamga consent give --key wallet --passphrase-file pass.txt --requester https://kaz.example \
    --controller https://kgz.example --purpose visa_issuance --notice shown.txt --language ky --out consent.jwt`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			given, err := consentOf(a, t, time.Now())
			if err != nil {
				return err
			}
			k, err := signer(a, s)
			if err != nil {
				return err
			}
			token, err := consent.Issue(k, given)
			if err != nil {
				return ofConsent(err)
			}
			return signedConsent(a, t.out, token, "holder", given)
		},
	}
	t.add(c, false, true)
	s.add(c, false)
	return c
}

func consentAttest(a *cli.App) *cobra.Command {
	var t terms
	var s signing
	var form string
	c := &cobra.Command{
		Use:   "attest",
		Short: "Attest, as an office, that a person consented",
		Long: `Signs with an officer's key that the person consented: in writing, through a guardian, or with
a thumb mark. It counts at nodes that name the office's file in policy.offices, where the law
accepts an attested consent. What was signed on paper stays with the office.`,
		Example: `  tamga consent attest --key desk --passphrase-file pass.txt --office https://office.example \
    --officer desk-4 --form guardian --subject KGZ:passport:SYNV646M9 --notice shown.txt --language ky \
    --requester https://kaz.example --controller https://kgz.example --purpose visa_issuance --out consent.jwt`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if t.subject == "" {
				return fault.Usage("--subject is needed: whom the consent is of")
			}
			given, err := consentOf(a, t, time.Now())
			if err != nil {
				return err
			}
			k, err := signer(a, s)
			if err != nil {
				return err
			}
			given.Office, given.Officer, given.Form = s.office, s.officer, form
			token, err := consent.Attest(k, given)
			if err != nil {
				return ofConsent(err)
			}
			return signedConsent(a, t.out, token, "attested", given)
		},
	}
	t.add(c, true, true)
	s.add(c, true)
	c.Flags().StringVar(&form, "form", consent.Written, "how the person consented: written, guardian or thumb_mark")
	return c
}

func consentExempt(a *cli.App) *cobra.Command {
	var t terms
	var s signing
	var file, disclose, order string
	c := &cobra.Command{
		Use:   "exempt",
		Short: "Order that a person is not asked, or countersign that order",
		Long: `Where law lets an office compare a person who is not asked, one officer signs an order, and
another officer, with another key, countersigns it (--countersign). The order alone permits
nothing. It names the file and the day on which the person is to be told. For ` + "`tamga identify`" + ` it is
about a sample (--probe), and for ` + "`tamga resolve`" + ` about a candidate (--handle), in place of a person.`,
		Example: `  tamga consent exempt --key first --passphrase-file first.txt --office https://mvd.example --officer first \
    --case 17/2026 --disclose 2027-06-01 --subject UZB:passport:SYNB4T0C7 --requester https://kaz.example \
    --controller https://uzb.example --purpose law_enforcement --out order.jwt
  tamga consent exempt --countersign order.jwt --key second --passphrase-file second.txt \
    --office https://mvd.example --officer second --out exemption.jwt`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if order != "" {
				return countersign(a, order, t.out, s)
			}
			at, err := time.Parse(time.DateOnly, disclose)
			about := 0
			for _, given := range []string{t.subject, t.probe, t.handle} {
				if given != "" {
					about++
				}
			}
			if about != 1 || file == "" || err != nil {
				return fault.Usage("one of --subject, --probe and --handle, --case and --disclose with a day such as 2027-06-01 are needed, or --countersign")
			}
			given, err := consentOf(a, t, time.Now())
			if err != nil {
				return err
			}
			k, err := signer(a, s)
			if err != nil {
				return err
			}
			given.Office, given.Officer, given.Exemption = s.office, s.officer, consent.Exemption{Case: file, Disclose: at}
			token, err := consent.Order(k, given)
			if err != nil {
				return ofConsent(err)
			}
			a.Say("hint: a second officer countersigns it: tamga consent exempt --countersign %s", t.out)
			return signedConsent(a, t.out, token, "order", given)
		},
	}
	t.add(c, true, false)
	s.add(c, true)
	f := c.Flags()
	f.StringVar(&t.probe, "probe", "", "file with the sample that is searched for, in place of --subject")
	f.StringVar(&t.handle, "handle", "", "handle of the candidate who is to be named, in place of --subject")
	f.StringVar(&file, "case", "", "reference of the file")
	f.StringVar(&disclose, "disclose", "", "day on which the person is to be told, YYYY-MM-DD")
	f.StringVar(&order, "countersign", "", "file with another officer's order, to countersign")
	return c
}

func countersign(a *cli.App, order, out string, s signing) error {
	if out == "" {
		return fault.Usage("--out is needed: the file to write")
	}
	token, err := readArtefact(order)
	if err != nil {
		return err
	}
	u, err := consent.Parse(token)
	if err != nil {
		return ofConsent(err)
	}
	k, err := signer(a, s)
	if err != nil {
		return err
	}
	signed, err := consent.Countersign(k, token, s.office, s.officer, time.Now())
	if err != nil {
		return ofConsent(err)
	}
	return signedConsent(a, out, signed, "exemption", u.Claimed())
}

// readArtefact reads a token from a file whose name may be about a person.
func readArtefact(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", &fault.Failure{Exit: fault.ExitFailure, Code: protocol.CodeFile, Err: fmt.Errorf("reading artefact: %w", fault.Nameless(err)), Hint: "check the path that is given"}
	}
	return strings.TrimSpace(string(b)), nil
}

// ofConsent gives an error of package consent its code.
func ofConsent(err error) error {
	return &fault.Failure{Exit: fault.ExitRefused, Code: codeOfConsent(err), Err: err}
}

func codeOfConsent(err error) protocol.Code {
	for _, k := range []struct {
		is   error
		code protocol.Code
	}{
		{consent.ErrHolder, protocol.CodeConsentHolder}, {consent.ErrPurpose, protocol.CodeConsentPurpose},
		{consent.ErrAudience, protocol.CodeConsentAudience}, {consent.ErrController, protocol.CodeConsentAudience},
		{consent.ErrExpired, protocol.CodeConsentExpired}, {consent.ErrNotYet, protocol.CodeConsentExpired},
		{consent.ErrModality, protocol.CodeConsentModality}, {consent.ErrOffice, protocol.CodeConsentOffice},
		{consent.ErrSecondOfficer, protocol.CodeSecondOfficer},
	} {
		if errors.Is(err, k.is) {
			return k.code
		}
	}
	return protocol.CodeConsentInvalid
}
