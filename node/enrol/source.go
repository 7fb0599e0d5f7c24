package enrol

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/node/gallery"
)

// Item is one record of a Source: where it stands, bytes that identify it for
// resuming, and how to parse it. It is good until the Source is closed, and Parse may
// be called while other Items are parsed and read.
type Item struct {
	Place string // "line 12", or "file 3" of a folder in the order of names
	Trace []byte
	Parse func() (gallery.Enrolment, error)
}

// Source is a sequence of records. Items may be called again when Rewind is true,
// and only once otherwise. An error that it yields is its last. Close it.
type Source struct {
	Total  int // records, or 0 when not known
	Rewind bool
	Items  func() iter.Seq2[Item, error]

	root *os.Root // that files are read below; nil for none
}

// Close releases the folder that the records are read from.
func (s Source) Close() error {
	if s.root == nil {
		return nil
	}
	return s.root.Close()
}

// Manifest reads NDJSON from a file, or from r when path is empty. Of r, and of a
// path that is a pipe, nothing is known beforehand; r's records cannot name files.
func Manifest(path string, r io.Reader, jurisdiction string) (Source, error) {
	if path == "" {
		return Source{Items: func() iter.Seq2[Item, error] { return lines(r, jurisdiction, nil) }}, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return Source{}, fmt.Errorf("reading manifest: %w", err)
	}
	if info.IsDir() {
		return Source{}, errors.New("reading manifest: it is a folder")
	}
	s := Source{Rewind: info.Mode().IsRegular()}
	if s.Rewind {
		if s.Total, err = countRecords(path); err != nil {
			return Source{}, fmt.Errorf("reading manifest: %w", err)
		}
	}
	if s.root, err = os.OpenRoot(filepath.Dir(path)); err != nil {
		return Source{}, fmt.Errorf("reading manifest: %w", err)
	}
	s.Items = func() iter.Seq2[Item, error] { return fileLines(path, jurisdiction, s.root.FS()) }
	return s, nil
}

// countRecords counts the lines that lines yields.
func countRecords(path string) (n int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	br := bufio.NewReaderSize(f, 64<<10)
	for {
		l, err := readLine(br)
		if !l.blank() {
			n++
		}
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return 0, err
		}
	}
}

// fileLines are the lines of a manifest whose records may name files beside it.
func fileLines(path, jurisdiction string, files fs.FS) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		f, err := os.Open(path)
		if err != nil {
			yield(Item{}, fmt.Errorf("reading manifest: %w", err))
			return
		}
		defer f.Close()
		lines(f, jurisdiction, files)(yield)
	}
}

// lines yields one Item a line, blank lines excepted. A line over the limit is one
// bad record, not the end of the import.
func lines(r io.Reader, jurisdiction string, files fs.FS) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		br := bufio.NewReaderSize(r, 64<<10)
		for n := 1; ; n++ {
			l, err := readLine(br)
			if err != nil && !errors.Is(err, io.EOF) {
				// What was read of the line may look like a record and not be it.
				yield(Item{}, fmt.Errorf("reading manifest: line %d: %w", n, err))
				return
			}
			if !l.blank() {
				item := Item{Place: fmt.Sprintf("line %d", n), Trace: l.text,
					Parse: func() (gallery.Enrolment, error) { return l.parse(jurisdiction, files) }}
				if !yield(item, nil) {
					return
				}
			}
			if err != nil {
				return
			}
		}
	}
}

// line is a line of a manifest without the white space around it.
type line struct {
	text []byte
	long bool // text is only its head
}

func (l line) blank() bool { return len(l.text) == 0 && !l.long }

func (l line) parse(jurisdiction string, files fs.FS) (gallery.Enrolment, error) {
	if l.long {
		return gallery.Enrolment{}, tooLong()
	}
	return ParseRecord(l.text, jurisdiction, files)
}

// maxLine is a record of the greatest length with CR LF behind it.
const maxLine = jose.MaxTokenSize + 2

// readLine reads a line, of one over the limit only the head into memory.
func readLine(br *bufio.Reader) (l line, err error) {
	for {
		part, err := br.ReadSlice('\n')
		room := maxLine - len(l.text)
		l.text, l.long = append(l.text, part[:min(room, len(part))]...), l.long || len(part) > room
		if !errors.Is(err, bufio.ErrBufferFull) {
			l.text = bytes.Trim(l.text, " \t\r\n") // the white space of RFC 8259
			return l, err
		}
	}
}
