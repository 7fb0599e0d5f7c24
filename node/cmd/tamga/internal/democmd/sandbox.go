package democmd

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/credentials/consent"
	"github.com/tamga-id/tamga/federation/policy/vocabulary"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/exchange/iriscode"
	"github.com/tamga-id/tamga/matcher/exchange/signature2007"
	"github.com/tamga-id/tamga/matcher/synth"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/comparison"
	"github.com/tamga-id/tamga/node/demo"
	"github.com/tamga-id/tamga/node/enrol"
	"github.com/tamga-id/tamga/node/gallery"
)

// Sandbox is `tamga sandbox`.
func Sandbox(a *cli.App) *cobra.Command {
	c := &cobra.Command{
		Use:     "sandbox",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
		Short:   "Make people who do not exist, for trials and integration",
		Long:    `Synthetic people with documents, faces, fingers and consent keys. None of them exists.`,
		Example: `  tamga sandbox identities --country KGZ --count 5 --out people`,
	}
	var s sandboxFlags
	identities := &cobra.Command{
		Use:   "identities",
		Short: "Write synthetic people to enrol, and probes to ask about",
		Long: `Writes people.ndjson for ` + "`tamga enrol import`" + `, and for each person a face probe and a finger
probe for ` + "`tamga verify`" + `, with --irises and --signatures further ones. The same people
come out each time.

With --requester, --controller and --purpose each of them also consents: N-consent.jwt
is for ` + "`tamga verify --consent`" + `, where the law demands consent. It is signed with the
person's key, whose public part is enrolled, and holds for that requester, that
register and that purpose, until --valid is over, and for one Query or --uses.`,
		Example: `  tamga sandbox identities --country KGZ --count 5 --out people
  tamga enrol import --dir kgz --passphrase-file pass.txt people/people.ndjson
  tamga sandbox identities --country KGZ --count 5 --out people \
    --requester https://kaz.example --controller https://kgz.example --purpose visa_issuance`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return identities(a, s, time.Now()) },
	}
	f := identities.Flags()
	f.StringVar(&s.country, "country", "", "ISO 3166-1 alpha-3 code: "+strings.Join(synth.Jurisdictions(), ", ")+" (required)")
	f.IntVar(&s.count, "count", 5, "how many people")
	f.StringVar(&s.out, "out", "", "folder to write, made when absent (required)")
	f.StringVar(&s.requester, "requester", "", "Entity Identifier of the node that may ask: consent to it")
	f.StringVar(&s.controller, "controller", "", "Entity Identifier of the node whose gallery the person is in")
	f.StringVar(&s.purpose, "purpose", "", "purpose consented to, for instance visa_issuance")
	f.DurationVar(&s.valid, "valid", 24*time.Hour, "how long the consent holds, at most 720h")
	f.IntVar(&s.uses, "uses", 1, "for how many Queries the consent is good, at most 1000")
	f.BoolVar(&s.irises, "irises", false, "enrol both irises, too, and write a probe of the right one")
	f.BoolVar(&s.signatures, "signatures", false, "enrol five handwritten signatures, too, and write a probe")
	c.AddCommand(identities, evaluationSetCommand(a))
	return c
}

// sandboxFlags say whom to make and, when purpose is given, to what they consent.
type sandboxFlags struct {
	country, out                   string
	count, uses                    int
	requester, controller, purpose string
	valid                          time.Duration
	irises, signatures             bool
}

// identity is what one line of the command's result says.
type identity struct {
	Name      string `json:"name"`
	Subject   string `json:"subject"`
	Face      string `json:"face_probe"`
	Finger    string `json:"finger_probe"`
	Iris      string `json:"iris_probe,omitempty"`
	Signature string `json:"signature_probe,omitempty"`
	Consent   string `json:"consent,omitempty"`
}

func identities(a *cli.App, s sandboxFlags, now time.Time) error {
	if err := s.check(); err != nil {
		return err
	}
	if err := os.MkdirAll(s.out, 0o755); err != nil {
		return fmt.Errorf("writing identities: %w", err)
	}
	pop := synth.New(demo.Seed, s.country)
	var manifest bytes.Buffer
	enc := json.NewEncoder(&manifest)
	list := make([]identity, 0, s.count)
	rows := make([][2]string, 0, s.count)
	for i := range s.count {
		p := pop.Person(i)
		e, err := demo.Enrolment(p)
		if err != nil {
			return err
		}
		if e.Templates, err = s.more(e.Templates, p); err != nil {
			return fmt.Errorf("making identities: %w", err)
		}
		if err := enc.Encode(enrol.RecordOf(e)); err != nil {
			return fmt.Errorf("writing identities: %w", err)
		}
		id, err := s.write(i, p, now)
		if err != nil {
			return err
		}
		list = append(list, id)
		rows = append(rows, [2]string{id.Subject, id.Name})
	}
	file := filepath.Join(s.out, "people.ndjson")
	if err := os.WriteFile(file, manifest.Bytes(), 0o644); err != nil {
		return fmt.Errorf("writing identities: %w", err)
	}
	a.Say("hint: tamga enrol import --dir NODE %s", file)
	return a.Emit(list, rows)
}

func (s sandboxFlags) check() error {
	if !slices.Contains(synth.Jurisdictions(), s.country) || s.out == "" || s.count < 1 || s.count > 1_000_000 {
		return fault.Usage("--country, --out and a --count of 1 to 1000000 are needed")
	}
	if s.requester == "" && s.controller == "" && s.purpose == "" {
		return nil
	}
	var faults []string
	for _, f := range [][2]string{{"--requester", s.requester}, {"--controller", s.controller}} {
		if _, err := trust.ParseEntityID(f[1]); err != nil {
			faults = append(faults, f[0]+" takes the Entity Identifier of a node: consent is given to one requester, about one register, for one purpose")
		}
	}
	if !slices.Contains(vocabulary.Purposes(), s.purpose) {
		faults = append(faults, "--purpose takes one of "+strings.Join(vocabulary.Purposes(), ", "))
	}
	if s.valid < time.Second || s.valid > consent.MaxLifetime {
		faults = append(faults, "--valid takes a time of 1s to 720h")
	}
	if s.uses < 1 || s.uses > consent.MaxUses {
		faults = append(faults, "--uses takes a number of 1 to 1000")
	}
	if len(faults) > 0 {
		return fault.Usage("%s", strings.Join(faults, "\n"))
	}
	return nil
}

// write puts the files of person number i into the folder.
func (s sandboxFlags) write(i int, p synth.Person, now time.Time) (identity, error) {
	at := func(name string) string { return filepath.Join(s.out, fmt.Sprintf("%d-%s", i, name)) }
	id := identity{Name: p.GivenName + " " + p.FamilyName, Subject: s.country + ":passport:" + p.PassportNumber,
		Face: at("face.emb"), Finger: at("finger.iso")}
	files := map[string][]byte{id.Face: p.FaceProbe(1), id.Finger: p.FingerProbe(demo.EnrolledFinger, 1)}
	if s.irises {
		id.Iris = at("right-iris.bin")
		b, err := irisRecord(p.IrisProbe(1, 1), rightEye)
		if err != nil {
			return identity{}, fmt.Errorf("making identities: %w", err)
		}
		files[id.Iris] = b
	}
	if s.signatures {
		id.Signature = at("signature.sdi")
		b, err := signature2007.Encode(p.SignatureCapture(sandboxSignatures + 1))
		if err != nil {
			return identity{}, fmt.Errorf("making identities: %w", err)
		}
		files[id.Signature] = b
	}
	if s.purpose != "" {
		token, err := s.consent(i, p, now)
		if err != nil {
			return identity{}, err
		}
		id.Consent = at("consent.jwt")
		files[id.Consent] = []byte(token + "\n")
	}
	for name, data := range files {
		if err := os.WriteFile(name, data, 0o644); err != nil {
			return identity{}, fmt.Errorf("writing identities: %w", err)
		}
	}
	return id, nil
}

// sandboxSignatures is how many signatures a person is enrolled with.
const sandboxSignatures = 5

// Eyes as ISO/IEC 19794-6 numbers them; package synth numbers them from the left.
const (
	rightEye = 1
	leftEye  = 2
)

// more is the templates with those of further modalities that were asked for.
func (s sandboxFlags) more(out []gallery.Template, p synth.Person) ([]gallery.Template, error) {
	if s.irises {
		for _, eye := range []uint8{rightEye, leftEye} {
			b, err := irisRecord(p.IrisReference(leftEye-eye), eye)
			if err != nil {
				return nil, err
			}
			out = append(out, gallery.Template{Modality: comparison.ModalityIris, Format: exchange.FormatIris, Position: eye, Data: b})
		}
	}
	if s.signatures {
		for n := range sandboxSignatures {
			b, err := signature2007.Encode(p.SignatureCapture(n + 1))
			if err != nil {
				return nil, err
			}
			out = append(out, gallery.Template{Modality: comparison.ModalitySignature, Format: exchange.FormatSignature2007, Data: b})
		}
	}
	return out, nil
}

func irisRecord(i synth.Iris, eye uint8) ([]byte, error) {
	c := iriscode.Code{Profile: "tamga-synth-iris-1", Eye: eye}
	copy(c.Sample.Code[:], i.Code())
	copy(c.Sample.Mask[:], i.Mask())
	return c.Encode()
}

// consent is what the person's wallet would sign.
func (s sandboxFlags) consent(i int, p synth.Person, now time.Time) (string, error) {
	key, err := demo.HolderKey(p)
	if err != nil {
		return "", fmt.Errorf("consenting: %w", err)
	}
	now = now.Truncate(time.Second)
	return consent.Issue(key, consent.Consent{
		ID: fmt.Sprintf("sandbox-%d-%s", i, strconv.FormatInt(now.Unix(), 36)), Requester: s.requester, Controller: s.controller,
		Purpose: s.purpose, Modalities: comparison.Modalities(), IssuedAt: now, ExpiresAt: now.Add(s.valid), Uses: s.uses,
		Notice: consent.NoticeOf([]byte("Your samples are compared with those in the register of your country."), "en"),
	})
}
