package trust

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
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
	dir string
	key jose.PrivateKey
}

func (s store) path(id EntityID) string {
	sum := sha256.Sum256([]byte(enrolmentLabel + "\x00" + string(id)))
	return filepath.Join(s.dir, hex.EncodeToString(sum[:])+enrolmentSuffix)
}

func (s store) load() ([]Enrolment, error) {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, fmt.Errorf("creating enrolment folder: %w", err)
	}
	files, err := filepath.Glob(filepath.Join(s.dir, "*"+enrolmentSuffix))
	if err != nil {
		return nil, err
	}
	list := make([]Enrolment, 0, len(files))
	for _, file := range files {
		e, err := s.read(file)
		if err != nil {
			return nil, fmt.Errorf("reading enrolment %s: %w", filepath.Base(file), err)
		}
		list = append(list, e)
	}
	return list, nil
}

func (s store) read(file string) (Enrolment, error) {
	token, err := readBounded(file, jose.MaxTokenSize)
	if err != nil {
		return Enrolment{}, err
	}
	payload, err := jose.Verify(string(token), enrolmentType, jose.NewKeySet(s.key.Public()))
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
	return e, nil
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
	return writeDurable(s.path(e.Entity), []byte(token))
}

func (s store) remove(id EntityID) error {
	if err := os.Remove(s.path(id)); err != nil {
		return fmt.Errorf("removing enrolment: %w", err)
	}
	return syncDir(s.dir)
}

// writeDurable replaces a file: after it returns, and after a crash at any moment,
// the old content or the new is there, never a part of either.
func writeDurable(path string, b []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return fmt.Errorf("writing %s: %w", filepath.Base(path), err)
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
			err = fmt.Errorf("writing %s: %w", filepath.Base(path), err)
		}
	}()
	if _, err = f.Write(b); err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

func readBounded(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("%s is over %d bytes", strings.TrimSpace(filepath.Base(path)), limit)
	}
	return os.ReadFile(path)
}

// repeat calls do at once and then at intervals that vary by a tenth either way, so
// that nodes started together do not ask the same Anchor at the same moment.
func repeat(ctx context.Context, every time.Duration, do func()) error {
	for {
		do()
		jitter := time.Duration(rand.Int64N(int64(every)/5+1)) - every/10
		timer := time.NewTimer(every + jitter)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}
