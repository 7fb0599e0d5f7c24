package law

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tamga-id/tamga/federation/policy/inventory"
	"github.com/tamga-id/tamga/federation/policy/vocabulary"
	"github.com/tamga-id/tamga/node/api/operation"
)

const inventoryPath = "/v1/biometric-data"

type inventoryOutput struct{ Body inventoryReport }

type inventoryReport struct {
	Jurisdiction  string `json:"jurisdiction" doc:"Whose list it is."`
	Vocabulary    string `json:"vocabulary" doc:"Version of the registry that types and forms are words of."`
	BiometricData []Held `json:"biometric_data" nullable:"false" doc:"What is held; none when the node's configuration has no list."`
}

// Held is one entry of a list of biometric data.
type Held struct {
	Type      string `json:"type" doc:"Type of biometric characteristic, after ISO/IEC 2382-37."`
	Form      string `json:"form" doc:"Whether samples are held, or templates alone."`
	Source    string `json:"source" doc:"Whence it is."`
	Law       string `json:"law" doc:"The act by which it is held."`
	Article   string `json:"article" doc:"The article of that act."`
	Retention string `json:"retention" doc:"For how long from capture on: a duration of ISO 8601, or unlimited."`
}

// NewHeld is never null.
func NewHeld(entries []inventory.Entry) []Held {
	out := make([]Held, len(entries))
	for i, e := range entries {
		out[i] = Held(e)
	}
	return out
}

func (s service) inventory(b *operation.Book) {
	look := b.Describe("biometric-data", http.MethodGet, inventoryPath, "The list of the biometric data that the country holds",
		"As the node's configuration has it, and its metadata: kinds of data, of nobody. Takes either token.", "Law",
		inventoryReport{Jurisdiction: "KGZ", Vocabulary: vocabulary.Version, BiometricData: NewHeld(inventory.Builtin("KGZ"))})
	huma.Register(b.API, *look, func(context.Context, *struct{}) (*inventoryOutput, error) {
		return &inventoryOutput{Body: inventoryReport{s.node.Jurisdiction(), vocabulary.Version, NewHeld(s.node.BiometricData())}}, nil
	})
}
