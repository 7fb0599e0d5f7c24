package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/pb"
	"github.com/dgraph-io/badger/v4/table"
	"github.com/dgraph-io/badger/v4/y"
	"google.golang.org/protobuf/proto"
)

// maxChecksum bounds the protobuf of an algorithm number and a 64-bit sum.
const maxChecksum = 32

// checkTables looks at the ends of Badger's tables before Badger does, because it
// opens them in goroutines of its own and there ends the process over a bad one.
// A table that the MANIFEST does not list was being written when the process died;
// Badger deletes it, and its content is still in the logs. The caller has the
// folder's lock.
func checkTables(dir string) error {
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	listed, err := listedTables(dir)
	if err != nil {
		return fmt.Errorf("%w: MANIFEST: %v", ErrDamaged, err)
	}
	for _, file := range files {
		id, ok := table.ParseFileID(file.Name())
		if !ok || !listed(id) {
			continue
		}
		f, err := os.Open(filepath.Join(dir, file.Name()))
		if err != nil {
			return err
		}
		if err := errors.Join(checkTable(f), f.Close()); err != nil {
			return fmt.Errorf("%w: table %s: %v", ErrDamaged, file.Name(), err)
		}
	}
	return nil
}

// dropEmptyLogs removes logs without a byte in them: the process died between making
// one and giving it its length, so that nothing was ever in it, and Badger takes it for
// damage. One that was emptied afterwards is missed by the tally all the same. The
// caller has the folder's lock.
func dropEmptyLogs(dir string) error {
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, file := range files {
		if ext := filepath.Ext(file.Name()); ext != ".vlog" && ext != ".mem" {
			continue
		}
		info, err := file.Info()
		if err != nil {
			return err
		}
		if info.Mode().IsRegular() && info.Size() == 0 {
			if err := os.Remove(filepath.Join(dir, file.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// listedTables tells which tables the MANIFEST lists. Without a MANIFEST every table
// counts: Badger makes it before the first one, and would delete them all.
func listedTables(dir string) (func(id uint64) bool, error) {
	f, err := os.Open(filepath.Join(dir, badger.ManifestFilename))
	if errors.Is(err, fs.ErrNotExist) {
		return func(uint64) bool { return true }, nil
	}
	if err != nil {
		return nil, err
	}
	m, _, err := badger.ReplayManifestFile(f, 0, badgerOptions(dir))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	return func(id uint64) bool { _, ok := m.Tables[id]; return ok }, nil
}

// checkTable checks the end of a table, which locates everything else in it:
//
//	table = *block index indexLength(4) checksum checksumLength(4)
//
// with the checksum over the index. Badger checks the blocks when it reads them.
func checkTable(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	raw, end, err := readSized(f, info.Size(), maxChecksum)
	if err != nil {
		return fmt.Errorf("checksum: %w", err)
	}
	var sum pb.Checksum
	if err := proto.Unmarshal(raw, &sum); err != nil {
		return fmt.Errorf("checksum: %w", err)
	}
	index, _, err := readSized(f, end, info.Size())
	if err != nil {
		return fmt.Errorf("index: %w", err)
	}
	if sum.Algo != pb.Checksum_CRC32C {
		return errors.New("checksum of an unknown kind")
	}
	return y.VerifyChecksum(index, &sum)
}

// readSized reads the bytes, at least 1 and at most limit, whose length stands
// behind them and ends at end; start is where they begin.
func readSized(f io.ReaderAt, end, limit int64) (b []byte, start int64, err error) {
	var size [4]byte
	if end < int64(len(size)) {
		return nil, 0, errors.New("too short")
	}
	if _, err := f.ReadAt(size[:], end-int64(len(size))); err != nil {
		return nil, 0, err
	}
	n := int64(y.BytesToU32(size[:]))
	start = end - int64(len(size)) - n
	if n == 0 || n > limit || start < 0 {
		return nil, 0, errors.New("length out of bounds")
	}
	b = make([]byte, n)
	_, err = f.ReadAt(b, start)
	return b, start, err
}
