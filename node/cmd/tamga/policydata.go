package main

import (
	"net/http"

	"github.com/spf13/cobra"
)

// heldView is one entry of a list of biometric data.
type heldView struct {
	Type      string `json:"type"`
	Form      string `json:"form"`
	Source    string `json:"source"`
	Law       string `json:"law"`
	Article   string `json:"article"`
	Retention string `json:"retention"`
}

func (v heldView) words() string {
	return v.Type + " (" + v.Form + "), " + v.Source + "; " + v.Article + " of " + v.Law + "; held " + v.Retention
}

// dataReply is the body of GET /v1/biometric-data, which -o json passes on.
type dataReply struct {
	Jurisdiction  string     `json:"jurisdiction"`
	Vocabulary    string     `json:"vocabulary"`
	BiometricData []heldView `json:"biometric_data"`
}

func (a *app) policyData() *cobra.Command {
	var nf nodeFlags
	c := &cobra.Command{
		Use:   "data",
		Short: "Show the list of biometric data that the country holds",
		Long: `Shows what the running node says its country holds: each type of biometric data, whether as
samples or as templates, its source, the law and article by which it is held, and for how
long. It is the section biometric_data of tamga.yaml; peers have it from the node's metadata,
and "tamga peer show" has theirs.`,
		Example: `  tamga policy data --dir kgz
  tamga policy data --dir kgz -o json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var out dataReply
			cl, err := nf.client()
			if err == nil {
				err = cl.call(c.Context(), http.MethodGet, "/v1/biometric-data", "", nil, &out)
			}
			if err != nil {
				return err
			}
			rows := [][2]string{{"country", out.Jurisdiction}}
			for _, e := range out.BiometricData {
				rows = append(rows, [2]string{"holds", e.words()})
			}
			if len(out.BiometricData) == 0 {
				a.say("hint: the section biometric_data of tamga.yaml says what the country holds")
			}
			return a.emit(out, rows)
		},
	}
	nf.add(c.Flags())
	return c
}
