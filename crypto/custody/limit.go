package custody

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const (
	formatLimit = "tamga-attempts-1"
	maxLimit    = 1 << 10
	// freeAttempts may fail without a wait: people mistype.
	freeAttempts = 3
	// maxWait bounds what a mistake, or somebody who makes mistakes on purpose,
	// costs the operator who knows the passphrase.
	maxWait = 5 * time.Minute
)

// WaitError refuses an attempt for a while because earlier ones failed.
type WaitError struct {
	Wait     time.Duration
	Failures int
}

func (e *WaitError) Error() string {
	return fmt.Sprintf("%d attempts in a row failed; the next one may be made in %v", e.Failures, e.Wait.Round(time.Second))
}

// limitFile is the JSON of the file that counts attempts.
type limitFile struct {
	Format   string `json:"format"`
	Failures int    `json:"failures"`
	Last     int64  `json:"last"` // Unix seconds.
}

// wait doubles from one second after the attempts that are free.
func (f limitFile) wait(now time.Time) time.Duration {
	if f.Failures < freeAttempts {
		return 0
	}
	delay := time.Second << min(f.Failures-freeAttempts, 16)
	delay = min(delay, maxWait)
	// A clock that was set back must not lock anyone out for longer.
	return min(time.Unix(f.Last, 0).Add(delay).Sub(now), delay)
}

// Limit runs try, an attempt to open the root file at path, unless too many
// failed before: then it returns a [*WaitError] at once. Failures are those that
// are [ErrPassphrase]; after the third each next one doubles the wait, from one
// second to five minutes. They are counted in a file beside the root file, before
// the attempt, so that neither a restart nor killing the process makes guessing
// faster; a success removes it. Who can write to the folder can reset the count,
// and has the root file to guess at elsewhere anyway. So has who is given a disk that takes
// no writes, of which nothing is counted: what is on it can be looked at.
func Limit(path string, now time.Time, try func() (Root, error)) (Root, error) {
	return limit(osDisk{}, path, now, try)
}

func limit(d disk, path string, now time.Time, try func() (Root, error)) (Root, error) {
	// One attempt at a time: several would count over each other, and honest ones
	// would pass for failures meanwhile.
	unlock, err := queueFor(path)
	if err != nil {
		return Root{}, err
	}
	defer unlock()
	file := path + ".attempts"
	f, err := readLimit(file)
	if err != nil {
		return Root{}, fmt.Errorf("reading the count of attempts: %w", err)
	}
	if wait := f.wait(now); wait > 0 {
		return Root{}, fmt.Errorf("opening root key: %w", &WaitError{wait, f.Failures})
	}
	before := f
	f.Failures, f.Last = f.Failures+1, now.Unix()
	err = putLimit(d, file, f)
	uncounted := errors.Is(err, syscall.EROFS)
	if err != nil && !uncounted {
		return Root{}, fmt.Errorf("counting the attempt: %w", err)
	}
	r, err := try()
	switch {
	case uncounted:
	case err == nil:
		err = os.Remove(file)
	case !errors.Is(err, ErrPassphrase) && before.Failures == 0:
		err = errors.Join(err, os.Remove(file))
	case !errors.Is(err, ErrPassphrase):
		err = errors.Join(err, putLimit(d, file, before))
	}
	if err != nil {
		r.Wipe()
		return Root{}, err
	}
	return r, nil
}

func readLimit(file string) (limitFile, error) {
	data, err := readFile(file, maxLimit)
	if errors.Is(err, fs.ErrNotExist) {
		return limitFile{Format: formatLimit}, nil
	}
	if err != nil {
		return limitFile{}, err
	}
	var f limitFile
	if err := decodeFile(data, &f); err != nil {
		return limitFile{}, fmt.Errorf("%s: %w", filepath.Base(file), err)
	}
	if f.Format != formatLimit || f.Failures < 0 || f.Failures > 1<<30 {
		return limitFile{}, fmt.Errorf("%s: unknown format or count: %w", filepath.Base(file), ErrFormat)
	}
	return f, nil
}

// putLimit makes the file or replaces it.
func putLimit(d disk, file string, f limitFile) error {
	tmp, err := writeBeside(d, file, encodeFile(f))
	if err != nil {
		return err
	}
	if err := d.Rename(tmp, file); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	return d.SyncDir(filepath.Dir(file))
}
