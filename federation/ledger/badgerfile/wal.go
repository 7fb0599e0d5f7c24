package badgerfile

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"strconv"
)

// Badger v4 write-ahead log (.mem): a 20-byte header, key ID (zero: not
// encrypted) and IV, then records
//
//	meta(1) userMeta(1) uvarint(key length) uvarint(value length) uvarint(expiry)
//	key value CRC-32C(4, over all before)
//
// The records of a transaction carry walTxn and are followed by one with
// walFinTxn. Badger replays up to the first record that does not check out and
// silently drops the rest; this reader finds that place without allocating what
// a damaged length asks for, as Badger would.
const (
	walHeader = 20
	walTxn    = 1 << 6
	walFinTxn = 1 << 7
	maxWALKey = 1 << 16
)

// IndexFunc gives a user's key its place in the order in which records were
// written; false for keys that have none.
type IndexFunc func(key []byte) (uint64, bool)

// Log is what one write-ahead log holds.
type Log struct {
	// Path is where it is.
	Path string
	// End is where the last whole transaction ends; Size the length of the file.
	End, Size int64
	// First is the lowest index of a record in it, MaxUint64 when there is none.
	First uint64
}

// empty reports whether there is nothing to replay.
func (w Log) empty() bool { return w.End <= walHeader }

// scanLog finds the last whole transaction the way Badger would.
func scanLog(path string, index IndexFunc) (Log, error) {
	w := Log{Path: path, End: walHeader, First: math.MaxUint64}
	f, err := os.Open(path)
	if err != nil {
		return w, fmt.Errorf("reading write-ahead log: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return w, fmt.Errorf("reading write-ahead log: %w", err)
	}
	w.Size = info.Size()
	if w.Size < walHeader {
		return w, nil // a file that was being created
	}
	r := &walReader{in: bufio.NewReaderSize(f, 64<<10), left: w.Size, index: index}
	var header [walHeader]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return w, fmt.Errorf("reading write-ahead log: %w", err)
	}
	if binary.BigEndian.Uint64(header[:8]) != 0 {
		return w, damaged("write-ahead log", "header asks for an encryption key")
	}
	w.replay(r)
	return w, nil
}

// replay advances w.End over whole transactions until something does not fit.
func (w *Log) replay(r *walReader) {
	var txn uint64
	first := w.First
	for {
		rec, ok := r.record()
		if !ok {
			return
		}
		switch {
		case rec.meta&walTxn != 0:
			if txn == 0 {
				txn = rec.version
			}
			if txn != rec.version {
				return
			}
			first = min(first, rec.index)
		case rec.meta&walFinTxn != 0:
			if v, err := strconv.ParseUint(string(rec.value), 10, 64); err != nil || v != txn {
				return
			}
			txn, w.End, w.First = 0, r.read, first
		default:
			if txn != 0 {
				return
			}
			first = min(first, rec.index)
			w.End, w.First = r.read, first
		}
	}
}

type walRecord struct {
	meta    byte
	version uint64
	index   uint64 // MaxUint64 for keys without one
	value   []byte // of end markers only
}

// walReader counts and checksums what is read, and knows how much is left.
type walReader struct {
	in   *bufio.Reader
	read int64
	left int64
	crc  uint32

	index IndexFunc
}

func (r *walReader) Read(p []byte) (int, error) {
	n, err := r.in.Read(p)
	r.read += int64(n)
	r.left -= int64(n)
	r.crc = crc32.Update(r.crc, castagnoli(), p[:n])
	return n, err
}

func (r *walReader) ReadByte() (byte, error) {
	var b [1]byte
	_, err := io.ReadFull(r, b[:])
	return b[0], err
}

var errDamagedRecord = errors.New("damaged record")

// record reads one record; false means the log ends here for Badger.
func (r *walReader) record() (walRecord, bool) {
	r.crc = 0
	rec, err := r.fields()
	if err != nil {
		return walRecord{}, false
	}
	want := r.crc
	var sum [4]byte
	if _, err := io.ReadFull(r, sum[:]); err != nil || binary.BigEndian.Uint32(sum[:]) != want {
		return walRecord{}, false
	}
	return rec, true
}

func (r *walReader) fields() (walRecord, error) {
	var meta [2]byte
	if _, err := io.ReadFull(r, meta[:]); err != nil {
		return walRecord{}, err
	}
	var lens [3]uint64
	for i := range lens {
		n, err := binary.ReadUvarint(r)
		if err != nil {
			return walRecord{}, err
		}
		lens[i] = n
	}
	klen, vlen := lens[0], lens[1]
	if klen == 0 || klen > maxWALKey || vlen > uint64(r.left) || klen+vlen > uint64(r.left) {
		return walRecord{}, errDamagedRecord
	}
	body := make([]byte, klen+vlen)
	if _, err := io.ReadFull(r, body); err != nil {
		return walRecord{}, err
	}
	rec := walRecord{meta: meta[0], index: math.MaxUint64, value: body[klen:]}
	// Badger appends the bitwise complement of the version to the user's key.
	if key := body[:klen]; len(key) >= 8 {
		rec.version = math.MaxUint64 - binary.BigEndian.Uint64(key[len(key)-8:])
		if i, ok := r.index(key[:len(key)-8]); ok {
			rec.index = i
		}
	}
	return rec, nil
}

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }
