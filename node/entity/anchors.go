package entity

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/node/config"
)

// ErrAnchorFile: the file of a Trust Anchor's keys is not the one that the configuration means.
var ErrAnchorFile = errors.New("reading trust anchor")

// ReadAnchors reads the files of the configured Trust Anchors; errors match [ErrAnchorFile] when one is of another.
func ReadAnchors(configured []config.Anchor) ([]trust.Anchor, error) {
	var out []trust.Anchor
	for _, c := range configured {
		b, err := os.ReadFile(c.KeysFile)
		if err != nil {
			return nil, fmt.Errorf("reading trust anchor: %w", err)
		}
		var a trust.Anchor
		if err := json.Unmarshal(b, &a); err != nil {
			return nil, fmt.Errorf("%w: %s is not what `tamga anchor init` wrote", ErrAnchorFile, c.KeysFile)
		}
		if string(a.EntityID) != c.EntityID {
			return nil, fmt.Errorf("%w: %s is of another entity than the configuration says", ErrAnchorFile, c.KeysFile)
		}
		if c.Location != "" {
			a.Location = c.Location
		}
		out = append(out, a)
	}
	return out, nil
}
