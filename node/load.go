package node

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/tamga-id/tamga/matcher/calibration"
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
