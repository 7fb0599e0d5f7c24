package enrol

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// ErrBusy: another import with the same checkpoint is running.
var ErrBusy = errors.New("this import is running already, in another process")

// checkpoint says that the first Records records, whose traces hash to Trace, are
// settled. It names no one.
type checkpoint struct {
	Records int    `json:"records"`
	Failed  []int  `json:"failed,omitempty"` // those of them to try again, counted from 1
	Trace   string `json:"trace"`
	Batch   string `json:"batch,omitempty"`
}

// maxRetries bounds a checkpoint. An import with more failures than that starts over,
// which costs time and changes nothing.
const maxRetries = 10_000

// ResumedBatch is the batch of an import that was cut off and left its checkpoint at
// path, and empty when there is none: what is imported now belongs to the same.
func ResumedBatch(path string) string {
	c, err := readCheckpoint(path)
	if err != nil {
		return ""
	}
	return c.Batch
}

// checkpointFile is a checkpoint that belongs to this import. The zero value keeps nothing.
type checkpointFile struct {
	path string
	lock *os.File
}

// openCheckpoint takes the checkpoint and returns what an earlier run settled of src.
func openCheckpoint(ctx context.Context, src Source, o Options) (*checkpointFile, checkpoint, error) {
	if o.Checkpoint == "" {
		return &checkpointFile{}, checkpoint{}, nil
	}
	if err := os.MkdirAll(filepath.Dir(o.Checkpoint), 0o700); err != nil {
		return nil, checkpoint{}, fmt.Errorf("writing checkpoint: %w", err)
	}
	lock, err := lockFile(o.Checkpoint + ".lock")
	if err != nil {
		return nil, checkpoint{}, fmt.Errorf("taking checkpoint: %w", err)
	}
	f := &checkpointFile{o.Checkpoint, lock}
	before, err := resume(ctx, src, o.Checkpoint)
	if err == nil && before.Records == 0 && o.Batch != "" {
		// Before the first record, so that a crash does not part it from its batch.
		err = f.save(checkpoint{Batch: o.Batch})
	}
	if err != nil {
		return nil, checkpoint{}, errors.Join(err, f.Close())
	}
	return f, before, nil
}

func (f *checkpointFile) save(c checkpoint) error {
	if f.path == "" {
		return nil
	}
	if len(c.Failed) > maxRetries {
		c = checkpoint{Batch: c.Batch}
	}
	b, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("writing checkpoint: %w", err)
	}
	// Losing the checkpoint costs time and no data, so it is replaced, not synced.
	tmp := f.path + ".new"
	if err := os.WriteFile(tmp, b, 0o600); err != nil {
		return fmt.Errorf("writing checkpoint: %w", err)
	}
	if err := os.Rename(tmp, f.path); err != nil {
		return fmt.Errorf("writing checkpoint: %w", err)
	}
	return nil
}

// forget removes the checkpoint.
func (f *checkpointFile) forget() error {
	if f.path == "" {
		return nil
	}
	if err := os.Remove(f.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("removing checkpoint: %w", err)
	}
	return nil
}

// Close lets others have the checkpoint. The lock's file stays: removing it would let
// two hold locks on two files of its name.
func (f *checkpointFile) Close() error {
	if f.lock == nil {
		return nil
	}
	return f.lock.Close()
}

// readCheckpoint gives the zero value for what is no checkpoint.
func readCheckpoint(path string) (checkpoint, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return checkpoint{}, nil
	}
	if err != nil {
		return checkpoint{}, fmt.Errorf("reading checkpoint: %w", err)
	}
	var c checkpoint
	if json.Unmarshal(b, &c) != nil || c.Records < 0 || len(c.Failed) > maxRetries || c.Batch != "" && !ValidBatch(c.Batch) {
		return checkpoint{}, nil
	}
	return c, nil
}

// resume returns what an earlier run settled of src: nothing when there is no
// checkpoint, or when the source is not the one it was made of.
func resume(ctx context.Context, src Source, path string) (checkpoint, error) {
	c, err := readCheckpoint(path)
	if err != nil || c.Records == 0 {
		return checkpoint{}, err
	}
	trace, n := sha256.New(), 0
	for item, err := range src.Items() {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return checkpoint{}, fmt.Errorf("looking where to resume: %w", err)
		}
		mark(trace, item)
		if n++; n == c.Records {
			break
		}
	}
	if n != c.Records || hex.EncodeToString(trace.Sum(nil)) != c.Trace {
		return checkpoint{}, nil
	}
	return c, nil
}
