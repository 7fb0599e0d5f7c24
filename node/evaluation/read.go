package evaluation

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/tamga-id/tamga/matcher/evaluate/modality"
	"github.com/tamga-id/tamga/matcher/exchange"
)

// Limits on what is read. They keep a wrong folder, a home directory or a disk
// image, from filling the memory before anybody notices.
const (
	MaxFiles  = 100_000 // data files in a folder
	maxMatrix = 4 << 30 // bytes of a matrix: a million embeddings of 1024 values
	maxTable  = 64 << 20
)

// Problem is a rule that a file breaks. It never holds content.
type Problem struct {
	File string // name within the folder
	Rule string
}

func (p Problem) String() string { return fmt.Sprintf("%.100q: %s", p.File, p.Rule) }

// Problems is an error that lists what keeps a folder from being read at all.
type Problems []Problem

// Error names the first twenty.
func (p Problems) Error() string {
	var b strings.Builder
	b.WriteString("reading data folder")
	for i, one := range p {
		if i == 20 {
			fmt.Fprintf(&b, "\nand %d more", len(p)-i)
			break
		}
		b.WriteString("\n" + one.String())
	}
	return b.String()
}

// Folder says what else was in a folder.
type Folder struct {
	// Failed are files that count as failures to acquire: they are named as
	// data, but hold none that can be used.
	Failed []Problem
	// Ignored counts the entries that are no data of the kind: other files,
	// folders, devices, broken links.
	Ignored int
}

// ErrNoData says that a folder has no file of the kind that was looked for.
var ErrNoData = errors.New("no data of this kind in the folder")

// files lists the regular files of dir that end in suffix, in order of name.
// A link counts as what it points to.
func (f *Folder) files(dir, suffix string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("reading data folder: %w", err)
	}
	var names []string
	for _, e := range entries {
		regular := e.Type().IsRegular()
		if e.Type()&fs.ModeSymlink != 0 && strings.HasSuffix(e.Name(), suffix) {
			info, err := os.Stat(filepath.Join(dir, e.Name()))
			regular = err == nil && info.Mode().IsRegular()
		}
		if !regular || !strings.HasSuffix(e.Name(), suffix) {
			if e.Name() != groupsFile {
				f.Ignored++
			}
			continue
		}
		if names = append(names, e.Name()); len(names) > MaxFiles {
			return nil, fmt.Errorf("reading data folder: more than %d *%s files", MaxFiles, suffix)
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("reading data folder: *%s: %w", suffix, ErrNoData)
	}
	return names, nil
}

// read returns a regular file's content, if that is not more than limit.
func read(path string, limit int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("is not a regular file")
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("is larger than %d bytes", limit)
	}
	b, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("is larger than %d bytes", limit)
	}
	return b, err
}

// ReadFingers reads the records named SET_FINGER_IMPRESSION.iso in dir. What
// does not decode becomes a failure to acquire and is named in the Folder; a
// name that does not say whose it is, or a file that cannot be read, fails the
// whole, as leaving it out would change the rates unseen. Of a record with several views the first counts.
func ReadFingers(dir string) ([]modality.FingerTemplate, Folder, error) {
	var f Folder
	names, err := f.files(dir, ".iso")
	if err != nil {
		return nil, f, err
	}
	var wrong Problems
	out := make([]modality.FingerTemplate, 0, len(names))
	for _, name := range names {
		t := modality.FingerTemplate{Name: strings.TrimSuffix(name, ".iso")}
		if err := modality.CheckName(t.Name); err != nil {
			wrong = append(wrong, Problem{name, "the name is not SET_FINGER_IMPRESSION.iso"})
			continue
		}
		raw, err := read(filepath.Join(dir, name), exchange.MaxFinger)
		if err == nil {
			samples, fault := exchange.DecodeFinger(raw)
			if err = fault; err == nil {
				t.Sample = samples[0]
			}
		}
		if unread(err) {
			wrong = append(wrong, Problem{name, rule(err)})
			continue
		}
		if err != nil {
			f.Failed = append(f.Failed, Problem{name, rule(err)})
			t.Failed = reason(err)
		}
		out = append(out, t)
	}
	if wrong != nil {
		return nil, f, wrong
	}
	return out, f, nil
}

// unread reports whether a file's content was never seen, for want of permission
// or for a fault of the disk: nothing is known of the capture then, while a failure
// to acquire is something that is known of it.
func unread(err error) bool {
	_, ok := errors.AsType[*fs.PathError](err)
	return ok
}

// rule is an error without the path, which the name stands before already.
func rule(err error) string {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	return err.Error()
}

// reason is under what a failure is counted: the rule without the offset.
func reason(err error) string {
	if e, ok := errors.AsType[*exchange.FormatError](err); ok {
		return e.Format + ": " + e.Rule
	}
	return rule(err)
}

// Faces is a matrix of embeddings and whose they are.
type Faces struct {
	Subjects []string // of each row
	Dims     int
	Vectors  []float32
}

// ReadFaces reads embeddingsN.f32, rows of N float32 little-endian, and the
// columns row, subject, sample of embeddingsN.tsv. Every broken rule of either
// fails the whole.
func ReadFaces(dir string) (Faces, Folder, error) {
	var f Folder
	names, err := f.files(dir, ".f32")
	if err != nil {
		return Faces{}, f, err
	}
	if len(names) > 1 {
		return Faces{}, f, Problems{{names[1], "is a second matrix: a folder holds one"}}
	}
	base := strings.TrimSuffix(names[0], ".f32")
	dims, err := strconv.Atoi(strings.TrimPrefix(base, "embeddings"))
	if err != nil || dims < 1 || dims > 1<<16 {
		return Faces{}, f, Problems{{names[0], "the name is not embeddingsN.f32, N the number of dimensions"}}
	}
	if _, err := os.Stat(filepath.Join(dir, base+".tsv")); err == nil {
		f.Ignored--
	}
	rows, err := readTable(dir, base+".tsv", []string{"row", "subject", "sample"})
	if err != nil {
		return Faces{}, f, err
	}
	faces := Faces{Dims: dims}
	for i, row := range rows {
		if row[0] != strconv.Itoa(i) {
			return Faces{}, f, Problems{{base + ".tsv", fmt.Sprintf("line %d: row is not %d: rows are numbered from 0, in order", i+2, i)}}
		}
		faces.Subjects = append(faces.Subjects, row[1])
	}
	raw, err := read(filepath.Join(dir, names[0]), maxMatrix)
	if err != nil {
		return Faces{}, f, Problems{{names[0], rule(err)}}
	}
	if len(raw) != len(rows)*dims*4 {
		return Faces{}, f, Problems{{names[0], fmt.Sprintf("%d bytes are not the %d rows of %d float32 that the table has", len(raw), len(rows), dims)}}
	}
	faces.Vectors = make([]float32, len(raw)/4)
	for i := range faces.Vectors {
		faces.Vectors[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return faces, f, nil
}

// exists reports whether path is there; an error says that this is not known.
func exists(path string) (bool, error) {
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
