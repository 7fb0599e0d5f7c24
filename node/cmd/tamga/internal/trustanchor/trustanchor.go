// Package trustanchor reads the trust-anchor.json that `tamga anchor init` wrote.
package trustanchor

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/entity"
)

// Read reads the Trust Anchor of a node that is made, or examined.
func Read(file string) (trust.Anchor, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return trust.Anchor{}, fmt.Errorf("reading trust anchor: %w", err)
	}
	var anchor trust.Anchor
	if err := json.Unmarshal(b, &anchor); err != nil || anchor.EntityID == "" || anchor.Keys.Len() == 0 {
		return trust.Anchor{}, &fault.Failure{Exit: fault.ExitConfig, Code: protocol.CodeConfig, Err: fmt.Errorf("reading trust anchor: %s is not what `tamga anchor init` wrote", file),
			Hint: "name with --anchor the trust-anchor.json that the Trust Anchor's operator handed out"}
	}
	return anchor, nil
}

// ReadAll reads files that `tamga anchor init` wrote.
func ReadAll(files []string) ([]trust.Anchor, error) {
	var out []trust.Anchor
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("reading trust anchor: %w", err)
		}
		var one trust.Anchor
		if err := json.Unmarshal(b, &one); err != nil || one.Keys.Len() == 0 {
			return nil, fmt.Errorf("%w: it is not what `tamga anchor init` wrote", entity.ErrAnchorFile)
		}
		out = append(out, one)
	}
	return out, nil
}
