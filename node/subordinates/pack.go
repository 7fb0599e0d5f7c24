package subordinates

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/node/backup"
	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/internal/durable"
	"github.com/tamga-id/tamga/node/keystore"
)

// What a node has enrolled and which Trust Marks it has issued are files that it signed, one
// each; in a backup they are a few files that hold many, by name.

const (
	packedStem, packedSuffix = "subordinates", ".json"
	// packedMost is where the next file of a backup begins: records of it are bounded.
	packedMost = 2 << 20
)

// enrolmentName is what package authority calls its files.
var enrolmentName = regexp.MustCompile(`^[0-9a-f]{64}\.(jwt|mark)$`)

func packedName(i int) string {
	if i == 0 {
		return packedStem + packedSuffix
	}
	return fmt.Sprintf("%s-%d%s", packedStem, i+1, packedSuffix)
}

// Pack reads what is enrolled; nothing where the node vouches for nobody.
func Pack(dir string) ([]backup.File, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading enrolments: %w", err)
	}
	var out []backup.File
	pack, size := make(map[string]string), 0
	end := func() error {
		b, err := json.Marshal(pack) // in the order of names
		out = append(out, backup.File{Name: packedName(len(out)), Data: b})
		pack, size = make(map[string]string), 0
		return err
	}
	for _, e := range entries {
		if !enrolmentName.MatchString(e.Name()) {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile: the backup is then made of what is there, twice the same
		}
		if err == nil && size > 0 && size+len(b) > packedMost {
			err = end()
		}
		if err != nil {
			return nil, fmt.Errorf("reading enrolments: %w", err)
		}
		pack[e.Name()], size = string(b), size+len(b)
	}
	if size == 0 {
		return out, nil
	}
	return out, end()
}

// Unpack puts into the data folder of a restored node what its backup holds.
func Unpack(dir string) error {
	to := Dir(config.Config{DataDir: filepath.Join(dir, backup.DataDir)})
	for i := 0; ; i++ {
		packed := filepath.Join(dir, packedName(i))
		b, err := os.ReadFile(packed)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		var files map[string]string
		if err == nil {
			err = json.Unmarshal(b, &files)
		}
		if err == nil {
			err = os.MkdirAll(to, 0o700)
		}
		if err != nil {
			return fmt.Errorf("reading enrolments: %w", err)
		}
		for name, token := range files {
			if !enrolmentName.MatchString(name) {
				return errors.New("reading enrolments: one has a name that is none of an enrolment")
			}
			if err := durable.WriteNew(filepath.Join(to, name), []byte(token), 0o600); err != nil {
				return fmt.Errorf("writing enrolment: %w", err)
			}
		}
		if err := errors.Join(durable.Folders(to), os.Remove(packed)); err != nil {
			return fmt.Errorf("writing enrolments: %w", err)
		}
	}
}

// Adopt signs what a restored node has enrolled with its present federation key:
// a backup may be older than that. What it was signed with is in the Entity Configuration that
// the backup brought.
func Adopt(cfg config.Config, dir string, k keystore.Set, now func() time.Time) error {
	if _, err := os.Stat(Dir(cfg)); cfg.Trust.Subordinates == 0 || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	b, err := os.ReadFile(filepath.Join(dir, backup.EntityConfiguration))
	if err != nil {
		return fmt.Errorf("taking over enrolments: %w", err)
	}
	then, err := trust.ParseStatement(strings.TrimSpace(string(b)))
	if err == nil {
		err = then.VerifyBy(then.Keys())
	}
	if err != nil || string(then.Subject()) != cfg.EntityID {
		return errors.Join(errors.New("taking over enrolments: the Entity Configuration in the folder is not this node's"), err)
	}
	others := append(slices.Clone(k.Announced[1:]), then.Keys().Keys()...)
	if _, err := silent(cfg, k.Federation, others, now); err != nil {
		return fmt.Errorf("taking over enrolments: %w", err)
	}
	return nil
}
