package enrol

import (
	"crypto/rand"
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
)

// State is how far a batch is.
type State string

// The states. One that is running and has no process was cut off.
const (
	Running State = "running"
	Done    State = "done"
	Undone  State = "undone"
)

// Batch is what is known of one import. It names neither people nor files. What
// belongs to it is recorded with the subjects, encrypted, and not here.
type Batch struct {
	ID       string    `json:"batch"`
	State    State     `json:"state"`
	Source   string    `json:"source"` // manifest, folder or stream
	Started  time.Time `json:"started"`
	Finished time.Time `json:"finished,omitzero"`
	Totals   Totals    `json:"totals"` // of all its runs, see [Totals.Add]
}

// NewBatchID is a random name for a batch.
func NewBatchID() string { return strings.ToLower(rand.Text()[:16]) }

var batchID = regexp.MustCompile(`^[a-z2-7]{16}$`)

// ValidBatch reports whether id has the form of NewBatchID.
func ValidBatch(id string) bool { return batchID.MatchString(id) }

// ErrNoBatch: there is no batch of that name.
var ErrNoBatch = errors.New("there is no such batch")

// SaveBatch replaces what folder dir, made when absent, says of b.
func SaveBatch(dir string, b Batch) error {
	if !ValidBatch(b.ID) {
		return fmt.Errorf("writing batch: %w", ErrNoBatch)
	}
	text, err := json.Marshal(b)
	if err != nil {
		return fmt.Errorf("writing batch: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("writing batch: %w", err)
	}
	path := filepath.Join(dir, b.ID+".json")
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		return fmt.Errorf("writing batch: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("writing batch: %w", err)
	}
	return nil
}

// DropBatch removes what dir says of a batch.
func DropBatch(dir, id string) error {
	if err := os.Remove(filepath.Join(dir, id+".json")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing batch: %w", err)
	}
	return nil
}

// LoadBatch reads one batch of dir. [ErrNoBatch] when it is not there.
func LoadBatch(dir, id string) (Batch, error) {
	if !ValidBatch(id) {
		return Batch{}, fmt.Errorf("reading batch: %w", ErrNoBatch)
	}
	text, err := os.ReadFile(filepath.Join(dir, id+".json"))
	if errors.Is(err, fs.ErrNotExist) {
		return Batch{}, fmt.Errorf("reading batch: %w", ErrNoBatch)
	}
	if err != nil {
		return Batch{}, fmt.Errorf("reading batch: %w", err)
	}
	var b Batch
	if err := json.Unmarshal(text, &b); err != nil || b.ID != id {
		return Batch{}, fmt.Errorf("reading batch %s: it is not what tamga wrote", id)
	}
	return b, nil
}

// Batches lists the batches of dir, newest first; of a folder that is not there, none.
func Batches(dir string) ([]Batch, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading batches: %w", err)
	}
	out := []Batch{}
	for _, e := range entries {
		id, ok := strings.CutSuffix(e.Name(), ".json")
		if !ok || !ValidBatch(id) {
			continue
		}
		b, err := LoadBatch(dir, id)
		if err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	slices.SortStableFunc(out, func(a, b Batch) int { return b.Started.Compare(a.Started) })
	return out, nil
}
