package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/matcher/synth"
	"github.com/tamga-id/tamga/node/demo"
	"github.com/tamga-id/tamga/node/enrol"
)

func (a *app) sandboxCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "sandbox",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
		Short:   "Make people who do not exist, for trials and integration",
		Long:    `Synthetic people with documents, faces, fingers and consent keys. None of them exists.`,
		Example: `  tamga sandbox identities --country KGZ --count 5 --out people`,
	}
	var country, out string
	var count int
	identities := &cobra.Command{
		Use:   "identities",
		Short: "Write synthetic people to enrol, and probes to ask about",
		Long: `Writes people.ndjson for ` + "`tamga enrol import`" + `, and for each person a face probe and a finger
probe for ` + "`tamga verify`" + `. The same people come out each time.`,
		Example: `  tamga sandbox identities --country KGZ --count 5 --out people
  tamga enrol import --dir kgz --passphrase-file pass.txt people/people.ndjson`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return a.identities(country, count, out) },
	}
	f := identities.Flags()
	f.StringVar(&country, "country", "", "ISO 3166-1 alpha-3 code: "+strings.Join(synth.Jurisdictions(), ", ")+" (required)")
	f.IntVar(&count, "count", 5, "how many people")
	f.StringVar(&out, "out", "", "folder to write, made when absent (required)")
	c.AddCommand(identities)
	return c
}

// identity is what one line of the command's result says.
type identity struct {
	Name    string `json:"name"`
	Subject string `json:"subject"`
	Face    string `json:"face_probe"`
	Finger  string `json:"finger_probe"`
}

func (a *app) identities(country string, count int, out string) error {
	if !slices.Contains(synth.Jurisdictions(), country) || out == "" || count < 1 || count > 1_000_000 {
		return usage("--country, --out and a --count of 1 to 1000000 are needed")
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return fmt.Errorf("writing identities: %w", err)
	}
	pop := synth.New(demo.Seed, country)
	var manifest bytes.Buffer
	enc := json.NewEncoder(&manifest)
	list := make([]identity, 0, count)
	rows := make([][2]string, 0, count)
	for i := range count {
		p := pop.Person(i)
		e, err := demo.Enrolment(p)
		if err != nil {
			return err
		}
		if err := enc.Encode(enrol.RecordOf(e)); err != nil {
			return fmt.Errorf("writing identities: %w", err)
		}
		id := identity{Name: p.GivenName + " " + p.FamilyName, Subject: country + ":passport:" + p.PassportNumber,
			Face: filepath.Join(out, fmt.Sprintf("%d-face.emb", i)), Finger: filepath.Join(out, fmt.Sprintf("%d-finger.iso", i))}
		for name, data := range map[string][]byte{id.Face: p.FaceProbe(1), id.Finger: p.FingerProbe(demo.EnrolledFinger, 1)} {
			if err := os.WriteFile(name, data, 0o644); err != nil {
				return fmt.Errorf("writing identities: %w", err)
			}
		}
		list = append(list, id)
		rows = append(rows, [2]string{id.Subject, id.Name})
	}
	file := filepath.Join(out, "people.ndjson")
	if err := os.WriteFile(file, manifest.Bytes(), 0o644); err != nil {
		return fmt.Errorf("writing identities: %w", err)
	}
	a.say("hint: tamga enrol import --dir NODE %s", file)
	return a.emit(list, rows)
}
