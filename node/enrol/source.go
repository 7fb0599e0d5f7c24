package enrol

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/node/gallery"
)

// Item is one record of a Source: where it stands, bytes that identify it for
// resuming, and how to parse it.
type Item struct {
	Place string // "line 12" or "file left.iso"
	Trace []byte
	Parse func() (gallery.Enrolment, error)
}

// Source is a sequence of records. Items may be called again when Rewind is true.
type Source struct {
	Total  int // records, or 0 when not known
	Rewind bool
	Items  func() iter.Seq2[Item, error]
}

// Manifest reads NDJSON from a file, or from r when path is empty.
func Manifest(path string, r io.Reader, jurisdiction string) (Source, error) {
	if path == "" {
		return Source{Items: func() iter.Seq2[Item, error] { return lines(r, jurisdiction, nil) }}, nil
	}
	total, err := countLines(path)
	if err != nil {
		return Source{}, fmt.Errorf("reading manifest: %w", err)
	}
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return Source{}, fmt.Errorf("reading manifest: %w", err)
	}
	return Source{Total: total, Rewind: true, Items: func() iter.Seq2[Item, error] {
		return func(yield func(Item, error) bool) {
			f, err := os.Open(path)
			if err != nil {
				yield(Item{}, fmt.Errorf("reading manifest: %w", err))
				return
			}
			defer f.Close()
			lines(f, jurisdiction, root.FS())(yield)
		}
	}}, nil
}

func countLines(path string) (int, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	n, last := 0, byte('\n')
	buf := make([]byte, 64<<10)
	for {
		k, err := f.Read(buf)
		n += bytes.Count(buf[:k], []byte{'\n'})
		if k > 0 {
			last = buf[k-1]
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, err
		}
	}
	if last != '\n' {
		n++
	}
	return n, nil
}

// lines yields one Item a line, blank lines excepted. A line over the limit is one
// bad record, not the end of the import.
func lines(r io.Reader, jurisdiction string, files fs.FS) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		br := bufio.NewReaderSize(r, 64<<10)
		for n := 1; ; n++ {
			line, err := readLine(br)
			if len(bytes.TrimSpace(line)) > 0 {
				item := Item{Place: fmt.Sprintf("line %d", n), Trace: line,
					Parse: func() (gallery.Enrolment, error) { return ParseRecord(bytes.TrimSpace(line), jurisdiction, files) }}
				if !yield(item, nil) {
					return
				}
			}
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(Item{}, fmt.Errorf("reading manifest: line %d: %w", n, err))
				return
			}
		}
	}
}

// readLine returns a line, cut off one byte past the limit so that parsing it
// says that it is too long.
func readLine(br *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := br.ReadSlice('\n')
		if room := jose.MaxTokenSize + 1 - len(line); room > 0 {
			line = append(line, part[:min(room, len(part))]...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

// DefaultPattern takes the subject from a file name by dropping the extension and
// one trailing impression number: alice_1.iso and alice_2.iso are of "alice".
const DefaultPattern = `^(?P<subject>.+?)(?:_\d+)?$`

// FolderOptions say how files of a folder become records.
type FolderOptions struct {
	Pattern string // regular expression over the name without extension, group "subject"; DefaultPattern when empty
	Glob    string // only files whose name matches; all *.iso when empty
	IDType  string // identifier type of the subjects
}

// Folder reads a folder of ISO/IEC 19794-2:2005 templates, one file a record.
func Folder(dir, jurisdiction string, o FolderOptions) (Source, error) {
	if o.Pattern == "" {
		o.Pattern = DefaultPattern
	}
	if o.Glob == "" {
		o.Glob = "*.iso"
	}
	re, err := regexp.Compile(o.Pattern)
	if err != nil {
		return Source{}, fmt.Errorf("reading pattern: %w", err)
	}
	group := re.SubexpIndex("subject")
	if group < 0 {
		return Source{}, errors.New("reading pattern: it has no group (?P<subject>...)")
	}
	names, err := filepath.Glob(filepath.Join(dir, o.Glob))
	if err != nil {
		return Source{}, fmt.Errorf("reading folder: %w", err)
	}
	if len(names) == 0 {
		return Source{}, fmt.Errorf("reading folder: no file matches %q", o.Glob)
	}
	slices.Sort(names)
	return Source{Total: len(names), Rewind: true, Items: func() iter.Seq2[Item, error] {
		return func(yield func(Item, error) bool) {
			for n, name := range names {
				info, err := os.Stat(name)
				if err != nil {
					yield(Item{}, fmt.Errorf("reading folder: %w", err))
					return
				}
				if !info.Mode().IsRegular() {
					continue
				}
				trace := binary.BigEndian.AppendUint64([]byte(filepath.Base(name)+"\x00"), uint64(info.Size()))
				trace = binary.BigEndian.AppendUint64(trace, uint64(info.ModTime().UnixNano()))
				item := Item{Place: fmt.Sprintf("file %d", n+1), Trace: trace, Parse: func() (gallery.Enrolment, error) {
					return parseFile(name, jurisdiction, o.IDType, re, group)
				}}
				if !yield(item, nil) {
					return
				}
			}
		}
	}}, nil
}

// parseFile enrols one template file. Its name may be an identifier, so errors
// and places carry the file's number in the sorted folder and not its name.
func parseFile(name, jurisdiction, idType string, re *regexp.Regexp, group int) (gallery.Enrolment, error) {
	base := strings.TrimSuffix(filepath.Base(name), filepath.Ext(name))
	m := re.FindStringSubmatch(base)
	if m == nil {
		return gallery.Enrolment{}, broken("file name", "does not match the pattern")
	}
	r := Record{Subject: Subject{Type: idType, Value: m[group]},
		Biometrics: []Biometric{{Modality: "finger", Format: exchange.FormatFinger2005, File: filepath.Base(name)}}}
	return r.enrolment(jurisdiction, os.DirFS(filepath.Dir(name)))
}
