package keystore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tamga-id/tamga/crypto/ceremony"
	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/node/internal/durable"
)

// TranscriptFile is the transcript in the folder that a ceremony writes to; the
// shares are beside it.
const TranscriptFile = "transcript.json"

// ErrForeignPlan: the plan of a ceremony is for another node's key.
var ErrForeignPlan = errors.New("the plan is for another entity")

// ShareFile is the name of the sealed share of the plan's custodian i, from 0.
func ShareFile(p ceremony.Plan, i int) string {
	return fmt.Sprintf("share-%d-%s.age", i+1, p.Custodians[i].Name)
}

// WriteCeremony writes what custodians and auditors are to get, flushed.
func WriteCeremony(out string, p ceremony.Plan, d ceremony.Dealt, key jose.PrivateKey) error {
	t, err := d.Transcript(key)
	if err != nil {
		return err
	}
	if err := os.Mkdir(out, 0o700); err != nil {
		return fmt.Errorf("writing shares: %w", err)
	}
	for i, sealed := range d.Sealed {
		if err := durable.WriteNew(filepath.Join(out, ShareFile(p, i)), sealed, 0o600); err != nil {
			return fmt.Errorf("writing shares: %w", err)
		}
	}
	if err := durable.WriteNew(filepath.Join(out, TranscriptFile), t.Encode(), 0o644); err != nil {
		return fmt.Errorf("writing transcript: %w", err)
	}
	f, err := os.Open(out)
	if err != nil {
		return fmt.Errorf("writing transcript: %w", err)
	}
	return errors.Join(f.Sync(), f.Close())
}
