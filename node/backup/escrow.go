package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"filippo.io/age"

	"github.com/tamga-id/tamga/crypto/custody"
	"github.com/tamga-id/tamga/crypto/jose"
)

// maxEscrowFiles bounds what an escrow makes a reader allocate, with [maxRecord].
const maxEscrowFiles = 8

// EscrowSource is the node whose keys go into an escrow. Every field is required.
type EscrowSource struct {
	EntityID      string
	Jurisdiction  string
	Configuration []byte // the Entity Configuration
	Keys          Keys   // that the files hold
	Files         []File // keystores and root files, sealed as they lie in the folder
	Key           jose.PrivateKey
	Now           time.Time
}

// Escrow is a key escrow that was read whole and is what its manifest says.
type Escrow struct {
	Manifest Manifest
	files    []File
}

// CreateEscrow makes a key escrow.
func CreateEscrow(to []age.Recipient, s EscrowSource) ([]byte, Manifest, error) {
	var out bytes.Buffer
	w, err := newWriter(&out, to, KindEscrow)
	if err != nil {
		return nil, Manifest{}, fmt.Errorf("creating key escrow: %w", err)
	}
	w.manifest = Manifest{EntityID: s.EntityID, Jurisdiction: s.Jurisdiction, Created: s.Now.UTC().Truncate(time.Second), Keys: s.Keys}
	for _, f := range append([]File{{EntityConfiguration, s.Configuration}}, s.Files...) {
		if !fileName.MatchString(f.Name) {
			return nil, Manifest{}, fmt.Errorf("creating key escrow: a file has a name that an escrow does not take")
		}
		w.part(filePrefix + f.Name)
		w.record(f.Data)
	}
	m, err := w.finish(s.Key)
	if err != nil {
		return nil, Manifest{}, fmt.Errorf("creating key escrow: %w", err)
	}
	return out.Bytes(), m, nil
}

// OpenEscrow reads a key escrow, with configuration as for [Check]. Errors:
// [ErrDamaged], [ErrIdentity], [ErrSignature].
func OpenEscrow(file string, ids []age.Identity, by Signer) (*Escrow, error) {
	b, err := custody.ReadFile(file) // while another may take its place
	if err != nil {
		return nil, fmt.Errorf("opening key escrow: %w", err)
	}
	e, err := openEscrow(b, ids, by)
	if err != nil {
		return nil, fmt.Errorf("opening key escrow: %w", err)
	}
	return e, nil
}

func openEscrow(b []byte, ids []age.Identity, by Signer) (*Escrow, error) {
	s, err := newSealed(bytes.NewReader(b), int64(len(b)), KindEscrow)
	if err != nil {
		return nil, err
	}
	e := &Escrow{}
	var inside string
	r, err := s.walk(context.Background(), ids, nil, func(name string, r *reader) error {
		data, err := r.one()
		if len(r.parts) > maxEscrowFiles {
			return damaged(name, "more files than an escrow has")
		}
		if name == filePrefix+EntityConfiguration {
			inside = strings.TrimSpace(string(data))
		} else {
			e.files = append(e.files, File{strings.TrimPrefix(name, filePrefix), data})
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if e.Manifest, _, err = s.authenticate(r, inside, by); err != nil {
		return nil, err
	}
	return e, nil
}

// ErrOccupied: another file is where a key escrow is to be written.
var ErrOccupied = errors.New("there is a file that is no key escrow of this node")

// Replaceable is nil when a key escrow of the entity may be written to file: there is none,
// or one that says it is of the same. Keys that signed it may be retired. To write over
// anything else would destroy it: [ErrOccupied].
func Replaceable(file, entity string) error {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking for a key escrow: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("looking for a key escrow: %w", err)
	}
	u, err := ReadLabel(f, info.Size())
	if err != nil || u.Kind() != KindEscrow || u.EntityID() != entity {
		return fmt.Errorf("%w: %s", ErrOccupied, file)
	}
	return nil
}

// Covers is nil when the escrow holds what a backup of the same node needs. Errors:
// [ErrExpired], [ErrEarlier], [ErrSignature].
func (e *Escrow) Covers(m Manifest) error {
	if e.Manifest.EntityID != m.EntityID {
		return fmt.Errorf("%w: the key escrow is of another node than the backup", ErrSignature)
	}
	return m.Keys.CoveredBy(e.Manifest.Keys)
}
