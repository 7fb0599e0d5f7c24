package evaluation

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/tamga-id/tamga/matcher/iris"
)

const (
	irisMatrix = "codes2048.bin"
	irisTable  = "codes2048.tsv"
)

// Irises are iris codes and whose they are.
type Irises struct {
	Eyes    []string // of each sample
	Samples []iris.Sample
}

// ReadIrises reads codes2048.bin, rows of a code and a mask, and the columns
// row, eye, sample of codes2048.tsv. Every broken rule of either fails the whole.
func ReadIrises(dir string) (Irises, Folder, error) {
	var f Folder
	names, err := f.files(dir, ".bin")
	if err != nil {
		return Irises{}, f, err
	}
	if len(names) > 1 || names[0] != irisMatrix {
		return Irises{}, f, Problems{{names[len(names)-1], "the folder holds another matrix than " + irisMatrix}}
	}
	if _, err := os.Stat(filepath.Join(dir, irisTable)); err == nil {
		f.Ignored--
	}
	rows, err := readTable(dir, irisTable, []string{"row", "eye", "sample"})
	if err != nil {
		return Irises{}, f, err
	}
	irises := Irises{Samples: make([]iris.Sample, len(rows))}
	for i, row := range rows {
		if row[0] != strconv.Itoa(i) {
			return Irises{}, f, Problems{{irisTable, fmt.Sprintf("line %d: row is not %d: rows are numbered from 0, in order", i+2, i)}}
		}
		irises.Eyes = append(irises.Eyes, row[1])
	}
	raw, err := read(filepath.Join(dir, irisMatrix), maxMatrix)
	if err != nil {
		return Irises{}, f, Problems{{irisMatrix, rule(err)}}
	}
	if len(rows) > 0 && len(raw) == len(rows)*iris.Size {
		return Irises{}, f, Problems{{irisMatrix, fmt.Sprintf("the codes have no masks: after each, %d octets of ones say that all of it may be used", iris.Size)}}
	}
	if len(raw) != len(rows)*2*iris.Size {
		return Irises{}, f, Problems{{irisMatrix, fmt.Sprintf("%d bytes are not the %d codes and masks that the table has", len(raw), len(rows))}}
	}
	for i := range irises.Samples {
		copy(irises.Samples[i].Code[:], raw[2*iris.Size*i:])
		copy(irises.Samples[i].Mask[:], raw[2*iris.Size*i+iris.Size:])
	}
	return irises, f, nil
}
