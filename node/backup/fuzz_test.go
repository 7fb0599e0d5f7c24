package backup_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/tamga-id/tamga/node/backup"
)

// FuzzStream reads what is inside a backup: what is refused is damage by name, and what is
// accepted has one encoding.
func FuzzStream(f *testing.F) { fuzzStream(f, backup.KindBackup) }

// FuzzEscrow does the same with what is inside a key escrow.
func FuzzEscrow(f *testing.F) { fuzzStream(f, backup.KindEscrow) }

func fuzzStream(f *testing.F, kind backup.Kind) {
	whole := []byte(backup.Magic(kind))
	f.Add(append(bytes.Clone(whole), slices.Concat(backup.Frame(1, "file/root.json"), backup.Frame(2, "{}"), backup.Frame(3, "a.b.c"))...))
	for _, frame := range [][]byte{backup.Frame(1, "gallery"), backup.Frame(2, "\x00\x01kvalue"), backup.Frame(2, ""), backup.Frame(1, "ledger.checkpoint"),
		backup.Frame(2, "a note"), backup.Frame(1, "ledger-2"), backup.Frame(1, "file/tamga.yaml"), backup.Frame(2, "x"), backup.Frame(3, "a.b.c")} {
		f.Add(bytes.Clone(whole))
		whole = append(whole, frame...)
	}
	f.Add(whole)
	f.Add(append(bytes.Clone(whole), 0))
	f.Add(append([]byte(backup.Magic(kind)), 2, 0xff, 0xff, 0xff, 0xff))
	f.Add(append([]byte(backup.Magic(kind)), backup.Frame(1, "file/../x")...))
	f.Fuzz(func(t *testing.T, stream []byte) {
		again, err := backup.Again(kind, stream)
		switch {
		case err != nil && (again != nil || !errors.Is(err, backup.ErrDamaged)):
			t.Errorf("%v, %d bytes", err, len(again))
		case err == nil && !bytes.Equal(again, stream):
			t.Error("read back, it is another stream")
		}
	})
}
