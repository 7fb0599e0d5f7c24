package badgerfile

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	badger "github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/fb"
	"github.com/dgraph-io/badger/v4/pb"
	"github.com/dgraph-io/badger/v4/table"
	"google.golang.org/protobuf/proto"
)

// Store is what an examination found.
type Store struct {
	// Manifest is its path, empty for a store that was being created.
	Manifest string
	// Torn is set when the manifest ends within a record.
	Torn bool
	// Tables are the paths of the table files that the manifest names.
	Tables []string
	// Logs are the write-ahead logs, oldest first.
	Logs []Log
}

// Clean reports whether the store was closed in an orderly way.
func (s Store) Clean() bool { return len(s.Logs) == 0 && !s.Torn }

// Examine checks manifest, tables and write-ahead logs below dir; deep checks
// every block of every table, otherwise only what Badger reads on opening. index
// orders the user's keys for [Log.First]. Damage is a *[Damage].
func Examine(ctx context.Context, dir string, deep bool, index IndexFunc) (Store, error) {
	var s Store
	mems, err := List(dir, ".mem")
	if err != nil {
		return s, fmt.Errorf("examining store: %w", err)
	}
	for _, path := range mems {
		w, err := scanLog(path, index)
		if err != nil {
			return s, err
		}
		s.Logs = append(s.Logs, w)
	}
	m, err := s.readManifest(dir)
	if err != nil {
		return s, err
	}
	s.Tables = tablesOf(dir, m)
	for _, path := range s.Tables {
		if err := ctx.Err(); err != nil {
			return s, err
		}
		if err := checkTable(path, deep); err != nil {
			return s, err
		}
	}
	return s, nil
}

// CheckTables checks the ends of the tables that the MANIFEST of the store in dir names, and
// so all that locates what else is in them. A table that it does not name was being written
// when the process died; Badger deletes it, and its content is still in the logs. Damage is
// a *[Damage].
func CheckTables(dir string) error {
	var s Store
	m, err := s.readManifest(dir)
	if err != nil {
		return err
	}
	for _, path := range tablesOf(dir, m) {
		if err := checkTable(path, false); err != nil {
			return err
		}
	}
	return nil
}

func checkTable(path string, deep bool) error {
	return Guard("table "+filepath.Base(path), func() error { return CheckTable(path, deep) })
}

// tablesOf are the paths of the tables that a manifest names, in order.
func tablesOf(dir string, m badger.Manifest) []string {
	var paths []string
	for id := range m.Tables {
		paths = append(paths, filepath.Join(dir, table.IDToFilename(id)))
	}
	slices.Sort(paths)
	return paths
}

// List returns the files in dir whose names end so, in order; none when dir does
// not exist. It takes dir literally, which filepath.Glob would not.
func List(dir, suffix string) ([]string, error) {
	files, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	var paths []string
	for _, f := range files {
		if strings.HasSuffix(f.Name(), suffix) {
			paths = append(paths, filepath.Join(dir, f.Name()))
		}
	}
	return paths, nil
}

func (s *Store) readManifest(dir string) (m badger.Manifest, err error) {
	path := filepath.Join(dir, badger.ManifestFilename)
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		tables, err := List(dir, ".sst")
		if err == nil && len(tables)+len(s.Logs) > 0 {
			return m, damaged("manifest", Missing)
		}
		return m, err
	}
	if err != nil {
		return m, fmt.Errorf("reading manifest: %w", err)
	}
	defer f.Close()
	s.Manifest = path
	err = Guard("manifest", func() error {
		var end int64
		if m, end, err = badger.ReplayManifestFile(f, 0, badger.DefaultOptions(dir).WithLogger(nil)); err != nil {
			return damaged("manifest", "%v", err)
		}
		info, err := f.Stat()
		s.Torn = err != nil || info.Size() != end
		return nil
	})
	return m, err
}

// maxChecksum bounds the protobuf of an algorithm number and a 64-bit sum.
const maxChecksum = 32

// CheckTable checks a table file against its own checksums. Its layout is
//
//	block* index indexLength(4) checksum checksumLength(4)
//
// with the checksum over the index, a flatbuffer that locates the blocks.
func CheckTable(path string, deep bool) error {
	part := "table " + filepath.Base(path)
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return damaged(part, Missing)
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", part, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("reading %s: %w", part, err)
	}
	end, sum, err := readChecksum(f, info.Size())
	if err != nil {
		return damaged(part, "footer: %v", err)
	}
	raw, start, err := readSized(f, end, info.Size())
	if err != nil {
		return damaged(part, "index: %v", err)
	}
	if err := verifySum(raw, sum); err != nil {
		return damaged(part, "index: %v", err)
	}
	index := fb.GetRootAsTableIndex(raw, 0)
	first := 0
	if n := index.OffsetsLength(); n == 0 {
		return damaged(part, "index: no blocks")
	} else if !deep {
		first = n - 1
	}
	for i := first; i < index.OffsetsLength(); i++ {
		var at fb.BlockOffset
		index.Offsets(&at, i)
		if err := checkBlock(f, int64(at.Offset()), int64(at.Len()), start); err != nil {
			return damaged(part, "block %d: %v", i, err)
		}
	}
	return nil
}

// checkBlock checks entries, offsets, count(4), checksum, checksumLength(4).
func checkBlock(f io.ReaderAt, offset, length, limit int64) error {
	if offset < 0 || length < 8 || offset+length > limit {
		return errors.New("out of bounds")
	}
	b := make([]byte, length)
	if _, err := f.ReadAt(b, offset); err != nil {
		return err
	}
	end, sum, err := readChecksum(bytes.NewReader(b), length)
	if err != nil {
		return err
	}
	if err := verifySum(b[:end], sum); err != nil {
		return err
	}
	if end < 4 || int64(binary.BigEndian.Uint32(b[end-4:end]))*4 > end-4 {
		return errors.New("too many entries")
	}
	return nil
}

// readSized reads the bytes in front of a 4-byte length that ends at end, and
// returns them with their start.
func readSized(f io.ReaderAt, end, limit int64) ([]byte, int64, error) {
	var length [4]byte
	if end < 4 {
		return nil, 0, errors.New("too short")
	}
	if _, err := f.ReadAt(length[:], end-4); err != nil {
		return nil, 0, err
	}
	n := int64(binary.BigEndian.Uint32(length[:]))
	if n > end-4 || n > limit {
		return nil, 0, errors.New("length out of bounds")
	}
	b := make([]byte, n)
	if _, err := f.ReadAt(b, end-4-n); err != nil {
		return nil, 0, err
	}
	return b, end - 4 - n, nil
}

// readChecksum reads a trailing checksum and returns where it starts.
func readChecksum(f io.ReaderAt, end int64) (int64, *pb.Checksum, error) {
	raw, start, err := readSized(f, end, maxChecksum)
	if err != nil {
		return 0, nil, err
	}
	var sum pb.Checksum
	if err := proto.Unmarshal(raw, &sum); err != nil {
		return 0, nil, errors.New("malformed checksum")
	}
	return start, &sum, nil
}

func verifySum(b []byte, sum *pb.Checksum) error {
	if sum.Algo != pb.Checksum_CRC32C || sum.Sum != uint64(crc32.Checksum(b, castagnoli())) {
		return errors.New("checksum mismatch")
	}
	return nil
}
