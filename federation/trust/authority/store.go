package authority

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
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

// kind is what the store keeps signed files of, one each.
type kind[T any] struct {
	name, typ, suffix string
	path              func(s store, x T) string
}

var enrolments = kind[Enrolment]{"enrolment", enrolmentType, enrolmentSuffix, func(s store, e Enrolment) string { return s.path(e.Entity) }}

// load reads all of a kind, and makes the folder when there is none.
func load[T any](s store, k kind[T]) ([]T, error) {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, fmt.Errorf("creating folder of %ss: %w", k.name, err)
	}
	files, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, fmt.Errorf("reading folder of %ss: %w", k.name, err)
	}
	var list []T
	for _, file := range files {
		if !strings.HasSuffix(file.Name(), k.suffix) {
			continue
		}
		x, err := read(s, k, filepath.Join(s.dir, file.Name()))
		if err != nil {
			return nil, fmt.Errorf("reading %s %s: %w", k.name, file.Name(), err)
		}
		list = append(list, x)
	}
	return list, nil
}

func read[T any](s store, k kind[T], file string) (x T, err error) {
	payload, present, err := s.open(file, k.typ)
	if err != nil {
		return x, err
	}
	if err := jose.DecodeClaims(payload, &x); err != nil {
		return x, err
	}
	if k.path(s, x) != file {
		return x, fmt.Errorf("the file is named for another %s", k.name)
	}
	if !present {
		return x, save(s, k, x)
	}
	return x, nil
}

func save[T any](s store, k kind[T], x T) error {
	payload, err := json.Marshal(x)
	if err != nil {
		return fmt.Errorf("encoding %s: %w", k.name, err)
	}
	token, err := jose.Sign(s.key, k.typ, payload)
	if err != nil {
		return fmt.Errorf("signing %s: %w", k.name, err)
	}
	return disk.Write(k.path(s, x), []byte(token))
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

func (s store) remove(id trust.EntityID) error {
	if err := os.Remove(s.path(id)); err != nil {
		return fmt.Errorf("removing enrolment: %w", err)
	}
	return disk.SyncDir(s.dir)
}
