package custody

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// disk is the part of the file system whose failures matter for durability.
// Tests replace it to fail before or after an effect.
type disk interface {
	// Sync flushes an open file to stable storage.
	Sync(f *os.File) error
	// Link gives the complete file old the name new, atomically, and fails
	// with fs.ErrExist when new is taken.
	Link(old, new string) error
	// Rename gives the complete file old the name new, atomically, in place of
	// what had it.
	Rename(old, new string) error
	// SyncDir makes the names in a directory durable.
	SyncDir(dir string) error
}

type osDisk struct{}

var _ disk = osDisk{}

func (osDisk) Sync(f *os.File) error        { return f.Sync() }
func (osDisk) Link(old, new string) error   { return os.Link(old, new) }
func (osDisk) Rename(old, new string) error { return os.Rename(old, new) }

func (osDisk) SyncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // Directories cannot be flushed there; NTFS journals names.
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// writeNew creates path with mode 0600 and the given contents. The contents
// are flushed under a temporary name first and then linked, not renamed: a
// link fails when the name is taken, so neither a crash nor a race can leave
// half a file or replace a key that is in use. A crash before the temporary
// name is removed leaves a second name for the same sealed bytes; it may be
// deleted. On error nothing is left under path.
func writeNew(d disk, path string, data []byte) error {
	if _, err := os.Lstat(path); err == nil {
		return &os.PathError{Op: "create", Path: path, Err: os.ErrExist}
	}
	tmp, err := writeBeside(d, path, data)
	if err != nil {
		return err
	}
	defer os.Remove(tmp)
	if err := d.Link(tmp, path); err != nil {
		return err
	}
	if err := os.Remove(tmp); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	if err := d.SyncDir(filepath.Dir(path)); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// writeBeside flushes data under a temporary name in path's folder.
func writeBeside(d disk, path string, data []byte) (string, error) {
	f, err := os.CreateTemp(filepath.Dir(path), temporary(path)+"*") // Mode 0600.
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	if err == nil {
		err = d.Sync(f)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// replaceFile puts data in the place of the file at path. At every moment,
// crashes included, path is the old file or the new one, whole. With an error
// it is still the old one, unless flushing the folder was what failed; then it
// may be either, and doing the same again settles it.
//
// The bytes of the old file are then overwritten. On a file system that writes
// in place they are gone; on one that copies, or on flash, they are not until
// the blocks are used again.
//
// What a process left that was killed at this is overwritten and removed first: it may
// hold what was destroyed since. So the caller keeps others from doing the same.
func replaceFile(d disk, path string, data []byte) error {
	old, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer old.Close()
	if err := sweep(path); err != nil {
		return err
	}
	return putFile(d, path, data, old)
}

// putFile puts data at path and overwrites old, which had that name; nil for none.
func putFile(d disk, path string, data []byte, old *os.File) error {
	tmp, err := writeBeside(d, path, data)
	if err != nil {
		return err
	}
	if err := d.Rename(tmp, path); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	if err := d.SyncDir(filepath.Dir(path)); err != nil {
		return err
	}
	if old != nil {
		scrub(old)
	}
	return nil
}

// sweep removes what was written beside path and never got its name.
func sweep(path string) error {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), temporary(path)) && e.Type().IsRegular() {
			if err := remove(filepath.Join(filepath.Dir(path), e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// temporary begins the names of files that are to take the place of path.
func temporary(path string) string { return "." + filepath.Base(path) + ".tmp-" }

// scrub overwrites a file that has no name any more. It is done as far as it
// goes: what must not fail has happened by then.
func scrub(f *os.File) {
	info, err := f.Stat()
	if err != nil {
		return
	}
	noise := make([]byte, info.Size())
	if randomize(noise) != nil {
		return
	}
	if _, err := f.WriteAt(noise, 0); err == nil {
		_ = f.Sync()
	}
}

// maxFile bounds what ReadFile reads: a keystore that is encrypted once more.
const maxFile = 2 * maxKeystore

// ReadFile reads a root file or keystore, or what WriteFile wrote, as it lies there:
// whole, and never what an old file is overwritten with while another takes its place.
func ReadFile(path string) ([]byte, error) {
	b, err := readFile(path, maxFile)
	if err != nil {
		return nil, fmt.Errorf("reading custody file: %w", err)
	}
	return b, nil
}

// WriteFile puts a copy of sealed keys at path, with mode 0600, in the place of a file
// that may be there. At every moment, crashes included, path is the old file or the new
// one, whole. The old one is then overwritten, as far as the file system writes in place,
// and what a process left that was killed at this before that. It returns [ErrBusy] when
// another one is at it.
func WriteFile(path string, data []byte) error {
	if err := writeFile(osDisk{}, path, data); err != nil {
		return fmt.Errorf("writing custody file: %w", err)
	}
	return nil
}

func writeFile(d disk, path string, data []byte) error {
	unlock, err := lock(path)
	if err != nil {
		return err
	}
	defer unlock()
	if err := sweep(path); err != nil {
		return err
	}
	// No link as in writeNew: file systems of removable media have none.
	old, err := os.OpenFile(path, os.O_WRONLY, 0)
	if errors.Is(err, os.ErrNotExist) {
		return putFile(d, path, data, nil)
	}
	if err != nil {
		return err
	}
	defer old.Close()
	return putFile(d, path, data, old)
}

// RemoveFile overwrites what WriteFile wrote, as far as the file system writes in place,
// and removes it.
func RemoveFile(path string) error {
	if err := remove(path); err != nil {
		return fmt.Errorf("removing custody file: %w", err)
	}
	return nil
}

func remove(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	err = os.Remove(path)
	if err == nil {
		scrub(f)
	}
	return errors.Join(err, f.Close())
}

// readFile reads a regular file of at most limit bytes. An old file is overwritten after
// its name was given to another, so that what was read counts when the name is still its.
func readFile(path string, limit int64) ([]byte, error) {
	for {
		data, still, err := readOnce(path, limit)
		if err != nil || still {
			return data, err
		}
	}
}

func readOnce(path string, limit int64) (data []byte, still bool, err error) {
	info, err := os.Stat(path) // Before opening: opening a FIFO would block.
	if err != nil {
		return nil, false, err
	}
	if !info.Mode().IsRegular() {
		return nil, false, fmt.Errorf("not a regular file: %w", ErrFormat)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	data, err = io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, false, err
	}
	if int64(len(data)) > limit {
		return nil, false, fmt.Errorf("longer than %d bytes: %w", limit, ErrFormat)
	}
	read, err := f.Stat()
	if err != nil {
		return nil, false, err
	}
	now, err := os.Stat(path)
	if err != nil {
		return nil, false, err
	}
	return data, os.SameFile(read, now), nil
}

// encodeFile is the one encoding of a custody file: two-space indent, members
// in declaration order, one final newline.
func encodeFile(v any) []byte {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		panic("custody: encoding strings, numbers and bytes: " + err.Error())
	}
	return append(b, '\n')
}

// decodeFile accepts exactly what encodeFile writes. Comparing the bytes
// excludes at once what encoding/json lets pass: duplicate and case-folded
// names, unknown members, spare base64 bits, trailing content.
func decodeFile(data []byte, v any) error {
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("not the expected JSON object: %w", ErrFormat)
	}
	if !bytes.Equal(encodeFile(v), data) {
		return fmt.Errorf("not in canonical form: %w", ErrFormat)
	}
	return nil
}
