package node

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/tamga-id/tamga/matcher/calibration"
	"github.com/tamga-id/tamga/node/comparison"
)

func loadCalibrations(files []string) (comparison.Calibrations, error) {
	out := comparison.Calibrations{}
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
