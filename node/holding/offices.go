package holding

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tamga-id/tamga/credentials/consent"
)

// ErrOfficeFile: a file of policy.offices is not the file of an office.
var ErrOfficeFile = errors.New("reading office")

// LoadOffices reads whom the node lets attest and exempt.
func LoadOffices(files []string) (consent.Offices, error) {
	out := consent.Offices{}
	for _, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrOfficeFile, err)
		}
		o, err := consent.ParseOffice(b)
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrOfficeFile, filepath.Base(path), err)
		}
		if _, twice := out[o.ID]; twice {
			return nil, fmt.Errorf("%w: %s is of an office that another file is of", ErrOfficeFile, filepath.Base(path))
		}
		out[o.ID] = o
	}
	return out, nil
}
