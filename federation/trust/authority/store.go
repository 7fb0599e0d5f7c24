package authority

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/internal/disk"
)

const (
	enrolmentType   = "tamga-enrolment+jwt"
	enrolmentSuffix = ".jwt"
	enrolmentLabel  = "tamga/v1/enrolment-file"
)

// store keeps enrolments as one signed JWT per file, so that an edited file is
// noticed. A file that was deleted or put back from a backup is not: the folder is
// as trusted as the operator who can write to it.
type store struct {
	dir  string
	key  jose.PrivateKey
	keys jose.KeySet // those that may have signed a file
}

func (s store) path(id trust.EntityID) string {
	sum := sha256.Sum256([]byte(enrolmentLabel + "\x00" + string(id)))
	return filepath.Join(s.dir, hex.EncodeToString(sum[:])+enrolmentSuffix)
}

// modified is when a file was last added to the folder or removed; zero when the
// folder cannot be read.
func (s store) modified() time.Time {
	info, err := os.Stat(s.dir)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

func (s store) load() ([]Enrolment, error) {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, fmt.Errorf("creating enrolment folder: %w", err)
	}
	files, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, fmt.Errorf("reading enrolment folder: %w", err)
	}
	var list []Enrolment
	for _, file := range files {
		if !strings.HasSuffix(file.Name(), enrolmentSuffix) {
			continue
		}
		e, err := s.read(filepath.Join(s.dir, file.Name()))
		if err != nil {
			return nil, fmt.Errorf("reading enrolment %s: %w", file.Name(), err)
		}
		list = append(list, e)
	}
	return list, nil
}

func (s store) read(file string) (Enrolment, error) {
	payload, present, err := s.open(file, enrolmentType)
	if err != nil {
		return Enrolment{}, err
	}
	var e Enrolment
	if err := jose.DecodeClaims(payload, &e); err != nil {
		return Enrolment{}, err
	}
	if s.path(e.Entity) != file {
		return Enrolment{}, errors.New("the file is named for another entity")
	}
	if !present {
		return e, s.save(e)
	}
	return e, nil
}

// open reads a signed file, and tells whether the present key signed it. A file that
// another of the authority's keys signed is to be signed again, so that it can be read
// when that key is gone.
func (s store) open(file, typ string) (payload []byte, present bool, err error) {
	token, err := disk.Read(file, jose.MaxTokenSize)
	if err != nil {
		return nil, false, err
	}
	if payload, err = jose.Verify(string(token), typ, s.keys); err != nil {
		return nil, false, err
	}
	u, err := jose.Parse(string(token))
	return payload, err == nil && u.KeyID() == s.key.Public().KeyID(), err
}

func (s store) save(e Enrolment) error {
	payload, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encoding enrolment: %w", err)
	}
	token, err := jose.Sign(s.key, enrolmentType, payload)
	if err != nil {
		return fmt.Errorf("signing enrolment: %w", err)
	}
	return disk.Write(s.path(e.Entity), []byte(token))
}

func (s store) remove(id trust.EntityID) error {
	if err := os.Remove(s.path(id)); err != nil {
		return fmt.Errorf("removing enrolment: %w", err)
	}
	return disk.SyncDir(s.dir)
}
