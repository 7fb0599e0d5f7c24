package enrol

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/node/gallery"
)

// DefaultPattern takes the subject from a file name by dropping the extension and
// one trailing impression number: alice_1.iso and alice_2.iso are of "alice".
const DefaultPattern = `^(?P<subject>.+?)(?:_\d+)?$`

// FolderOptions say how files of a folder become records.
type FolderOptions struct {
	Pattern string // regular expression over the name without extension, group "subject"; DefaultPattern when empty
	Glob    string // only files whose name matches, as in path/filepath.Match; *.iso when empty
	IDType  string // identifier type of the subjects
}

// folder is FolderOptions checked.
type folder struct {
	jurisdiction, idType string
	pattern              *regexp.Regexp
	group                int
	names                []string
	root                 *os.Root // the folder as it was when it was listed, whatever its path means later
}

// Folder reads a folder of ISO/IEC 19794-2 templates, of 2005 or 2011, bare or behind
// a CBEFF header, one file a record, in the order of their names. What matches and is not a regular file, or is a link
// out of the folder, is a bad record.
func Folder(dir, jurisdiction string, o FolderOptions) (Source, error) {
	f, err := newFolder(dir, jurisdiction, o)
	if err != nil {
		return Source{}, err
	}
	return Source{Total: len(f.names), Rewind: true, Items: f.items, root: f.root}, nil
}

func newFolder(dir, jurisdiction string, o FolderOptions) (*folder, error) {
	if o.Pattern == "" {
		o.Pattern = DefaultPattern
	}
	if o.Glob == "" {
		o.Glob = "*.iso"
	}
	f := &folder{jurisdiction: jurisdiction, idType: o.IDType}
	var err error
	if f.pattern, err = regexp.Compile(o.Pattern); err != nil {
		return nil, errors.New("reading pattern: it is not a regular expression") // its text may be a person's number
	}
	if f.group = f.pattern.SubexpIndex("subject"); f.group < 0 {
		return nil, errors.New("reading pattern: it has no group (?P<subject>...)")
	}
	entries, err := os.ReadDir(dir) // sorted by name
	if err != nil {
		return nil, fmt.Errorf("reading folder: %w", err)
	}
	for _, e := range entries {
		ok, err := filepath.Match(o.Glob, e.Name())
		if err != nil {
			return nil, fmt.Errorf("reading glob: %w", err)
		}
		if ok {
			f.names = append(f.names, e.Name())
		}
	}
	if len(f.names) == 0 {
		return nil, errors.New("reading folder: no file in it has a name that matches")
	}
	if f.root, err = os.OpenRoot(dir); err != nil {
		return nil, fmt.Errorf("reading folder: %w", err)
	}
	return f, nil
}

func (f *folder) items() iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		files := f.root.FS()
		for n, name := range f.names {
			item := Item{Place: fmt.Sprintf("file %d", n+1), Trace: f.trace(files, name),
				Parse: func() (gallery.Enrolment, error) { return f.parse(files, name) }}
			if !yield(item, nil) {
				return
			}
		}
	}
}

// trace changes with everything that decides what a file enrols.
func (f *folder) trace(files fs.FS, name string) []byte {
	b := []byte(strings.Join([]string{f.jurisdiction, f.idType, f.pattern.String(), name, ""}, "\x00"))
	if info, err := fs.Stat(files, name); err == nil {
		b = binary.BigEndian.AppendUint64(b, uint64(info.Size()))
		b = binary.BigEndian.AppendUint64(b, uint64(info.ModTime().UnixNano()))
	}
	return b
}

// parse enrols one template file. Its name may be an identifier, so errors and
// places carry the file's number in the sorted folder and not its name.
func (f *folder) parse(files fs.FS, name string) (gallery.Enrolment, error) {
	m := f.pattern.FindStringSubmatch(strings.TrimSuffix(name, filepath.Ext(name)))
	if m == nil {
		return gallery.Enrolment{}, broken("file name", "does not match the pattern")
	}
	r := Record{Subject: Subject{Type: f.idType, Value: m[f.group]},
		Biometrics: []Biometric{{Modality: "finger", Format: exchange.FormatFinger2005, File: name, detect: true}}}
	return r.enrolment(f.jurisdiction, files)
}
