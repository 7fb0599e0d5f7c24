package backup_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/tamga-id/tamga/node/backup"
)

// FuzzStream reads what is inside an age file: what is refused is damage by name, and
// what is accepted has one encoding.
func FuzzStream(f *testing.F) {
	whole := []byte(backup.Magic)
	for _, frame := range [][]byte{backup.Frame(1, "gallery"), backup.Frame(2, "\x00\x01kvalue"), backup.Frame(2, ""), backup.Frame(1, "ledger.checkpoint"),
		backup.Frame(2, "a note"), backup.Frame(1, "ledger-2"), backup.Frame(1, "file/tamga.yaml"), backup.Frame(2, "x"), backup.Frame(3, "a.b.c")} {
		f.Add(bytes.Clone(whole))
		whole = append(whole, frame...)
	}
	f.Add(whole)
	f.Add(append(bytes.Clone(whole), 0))
	f.Add(append([]byte(backup.Magic), 2, 0xff, 0xff, 0xff, 0xff))
	f.Add(append([]byte(backup.Magic), backup.Frame(1, "file/../x")...))
	f.Fuzz(func(t *testing.T, stream []byte) {
		again, err := backup.Again(stream)
		switch {
		case err != nil && (again != nil || !errors.Is(err, backup.ErrDamaged)):
			t.Errorf("%v, %d bytes", err, len(again))
		case err == nil && !bytes.Equal(again, stream):
			t.Error("read back, it is another stream")
		}
	})
}
