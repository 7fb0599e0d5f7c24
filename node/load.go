package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/matcher/calibration"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/responder"
)

func loadCalibrations(files []string) (responder.Calibrations, error) {
	out := responder.Calibrations{}
	for _, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("reading calibration: %w", err)
		}
		c, err := calibration.Parse(b)
		if err == nil {
			err = out.Add(c)
		}
		if err != nil {
			return nil, fmt.Errorf("reading calibration %s: %w", filepath.Base(path), err)
		}
	}
	return out, nil
}

// ErrAnchorFile: the file of a Trust Anchor's keys is not the one that the configuration means.
var ErrAnchorFile = errors.New("reading trust anchor")

func loadAnchors(configured []config.Anchor) ([]trust.Anchor, error) {
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
