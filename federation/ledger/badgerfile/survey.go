package badgerfile

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	badger "github.com/dgraph-io/badger/v4"
)

// Survey reads every file of the store in dir to its end, value logs among them, and
// returns all that is wrong with them, where [Examine] stops at the first. It changes
// nothing. Of a store that is open, inUse, it leaves out what is being written: MANIFEST
// and the newest logs; files that go meanwhile are no fault. progress, if any, is told how
// many bytes were read. The error is of reading, or of ctx.
func Survey(ctx context.Context, dir string, inUse bool, progress func(done, total int64)) ([]Damage, error) {
	v := surveyor{inUse: inUse, progress: progress}
	tables, err := v.tables(dir)
	mems, e1 := List(dir, ".mem")
	vlogs, e2 := List(dir, ".vlog")
	if err = errors.Join(err, e1, e2); err != nil {
		return nil, fmt.Errorf("surveying store: %w", err)
	}
	if inUse {
		mems, vlogs = mems[:max(len(mems)-1, 0)], vlogs[:max(len(vlogs)-1, 0)]
	}
	for _, path := range slices.Concat(tables, mems, vlogs) {
		if info, err := os.Stat(path); err == nil {
			v.total += info.Size()
		}
	}
	check := func(paths []string, part string, f func(path string) error) {
		for _, path := range paths {
			if err == nil {
				err = ctx.Err()
			}
			if err == nil {
				part := part + " " + filepath.Base(path)
				err = v.note(path, part, Guard(part, func() error { return f(path) }))
			}
		}
	}
	check(tables, "table", func(path string) error {
		err := CheckTable(path, true)
		if err == nil || !inUse {
			return err
		}
		// It may be one that is being written, which the MANIFEST names when it is complete.
		if named, e := namesTable(dir, path); e != nil || !named {
			return e
		}
		return CheckTable(path, true)
	})
	check(mems, "write-ahead log", func(path string) error { return checkLog(path, "write-ahead log", true) })
	check(vlogs, "value log", func(path string) error {
		return checkLog(path, "value log", path == vlogs[len(vlogs)-1])
	})
	check([]string{filepath.Join(dir, badger.KeyRegistryFileName)}, "key registry", checkRegistry)
	if err != nil {
		return v.found, fmt.Errorf("surveying store: %w", err)
	}
	return v.found, nil
}

// namesTable reports whether the MANIFEST of a store that may be in use names the table.
func namesTable(dir, path string) (bool, error) {
	var s Store
	m, err := s.readManifest(dir)
	return slices.Contains(tablesOf(dir, m), path), err
}

// checkRegistry checks the registry of a store without encryption, in which there is no
// key: 16 random bytes and a text. Badger makes a missing one, and refuses a damaged one.
func checkRegistry(path string) error {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if len(b) < 16 || string(b[16:]) != "Hello Badger" {
		return damaged("key registry", "it does not hold what a store without encryption has there")
	}
	return nil
}

type surveyor struct {
	inUse       bool
	progress    func(done, total int64)
	done, total int64
	found       []Damage
}

// tables lists those of the MANIFEST, or of a store in use those that are there.
func (v *surveyor) tables(dir string) ([]string, error) {
	if v.inUse {
		return List(dir, ".sst")
	}
	var s Store
	m, err := s.readManifest(dir)
	if err := v.note(filepath.Join(dir, badger.ManifestFilename), "manifest", err); err != nil {
		return nil, err
	}
	if err != nil {
		return List(dir, ".sst") // it does not tell
	}
	if s.Torn {
		v.found = append(v.found, Damage{Part: "manifest", Rule: "ends within a record", Torn: true})
	}
	return tablesOf(dir, m), nil
}

// note takes up what came of checking a file. An error that is no damage is returned.
func (v *surveyor) note(path, part string, err error) error {
	info, statErr := os.Stat(path)
	if statErr == nil {
		v.done += info.Size()
	}
	if v.progress != nil {
		v.progress(min(v.done, v.total), v.total)
	}
	if err == nil || v.inUse && errors.Is(statErr, fs.ErrNotExist) {
		return nil
	}
	d, ok := errors.AsType[*Damage](err)
	if !ok {
		return fmt.Errorf("%s: %w", part, err)
	}
	v.found = append(v.found, *d)
	return nil
}

// checkLog reads a log, whose records a value log and a write-ahead log share, up to where
// no record begins, and demands that nothing follows. The end of the last one may be what
// a crash left of a record.
func checkLog(path, part string, last bool) error {
	part += " " + filepath.Base(path)
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() < walHeader {
		if last {
			return nil // a file that was being created
		}
		return damaged(part, "shorter than its header")
	}
	r := &walReader{in: bufio.NewReaderSize(f, 64<<10), left: info.Size(), index: func([]byte) (uint64, bool) { return 0, false }}
	var header [walHeader]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return err
	}
	if binary.BigEndian.Uint64(header[:8]) != 0 {
		return damaged(part, "header asks for an encryption key")
	}
	end := r.read
	for {
		if _, ok := r.record(); !ok {
			break
		}
		end = r.read
	}
	return zeros(f, end, info.Size(), part, last)
}

// zeros demands that a file holds nothing from an offset on.
func zeros(f *os.File, from, size int64, part string, torn bool) error {
	r := io.NewSectionReader(f, from, size-from)
	for b := make([]byte, 64<<10); ; {
		n, err := io.ReadFull(r, b)
		if bytes.Count(b[:n], []byte{0}) != n {
			return &Damage{Part: part, Rule: fmt.Sprintf("no record begins at byte %d, and there is more", from), Torn: torn}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
