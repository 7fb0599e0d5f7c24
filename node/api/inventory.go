package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tamga-id/tamga/federation/policy/inventory"
	"github.com/tamga-id/tamga/federation/policy/vocabulary"
)

const inventoryPath = "/v1/biometric-data"

type inventoryOutput struct{ Body inventoryReport }

type inventoryReport struct {
	Jurisdiction  string `json:"jurisdiction" doc:"Whose list it is."`
	Vocabulary    string `json:"vocabulary" doc:"Version of the registry that types and forms are words of."`
	BiometricData []held `json:"biometric_data" nullable:"false" doc:"What is held; none when the node's configuration has no list."`
}

// held is one entry of a list of biometric data.
type held struct {
	Type      string `json:"type" doc:"Type of biometric characteristic, after ISO/IEC 2382-37."`
	Form      string `json:"form" doc:"Whether samples are held, or templates alone."`
	Source    string `json:"source" doc:"Whence it is."`
	Law       string `json:"law" doc:"The act by which it is held."`
	Article   string `json:"article" doc:"The article of that act."`
	Retention string `json:"retention" doc:"For how long from capture on: a duration of ISO 8601, or unlimited."`
}

func newHeld(entries []inventory.Entry) []held {
	out := make([]held, len(entries))
	for i, e := range entries {
		out[i] = held(e)
	}
	return out
}

func (s *service) inventory(api huma.API) {
	look := operation(api, "biometric-data", http.MethodGet, inventoryPath, "The list of the biometric data that the country holds",
		"As the node's configuration has it, and its metadata: kinds of data, of nobody. Takes either token.", "Law",
		inventoryReport{Jurisdiction: "KGZ", Vocabulary: vocabulary.Version, BiometricData: newHeld(inventory.Builtin("KGZ"))})
	huma.Register(api, *look, func(context.Context, *struct{}) (*inventoryOutput, error) {
		return &inventoryOutput{Body: inventoryReport{s.node.Jurisdiction(), vocabulary.Version, newHeld(s.node.BiometricData())}}, nil
	})
}
