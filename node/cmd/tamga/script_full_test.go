//go:build linux

package main

import (
	"errors"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/internal/smalldisk"
)

// TestFullDisk runs a script on a disk whose space it changes: leave N has N MiB left.
// $MORE is well above what the gallery leaves free.
func TestFullDisk(t *testing.T) {
	smalldisk.Run(t, store.Reserve+512<<20, func(t *testing.T, dir string) {
		p := scripts(t)
		p.Dir, p.WorkdirRoot = filepath.Join("testdata", "full"), dir
		setup := p.Setup
		p.Setup = func(e *testscript.Env) error {
			e.Setenv("MORE", strconv.Itoa(store.Reserve>>20+256))
			return setup(e)
		}
		p.Cmds["leave"] = func(ts *testscript.TestScript, neg bool, args []string) {
			if neg || len(args) != 1 {
				ts.Fatalf("usage: leave MIB")
			}
			n, err := strconv.ParseUint(args[0], 10, 16)
			ts.Check(errors.Join(err, smalldisk.Leave(dir, n<<20)))
		}
		testscript.Run(t, p)
	})
}

// TestReadOnlyDisk runs a script on a disk of which readonly has it take no writes, and
// ! readonly has it take them again.
func TestReadOnlyDisk(t *testing.T) {
	smalldisk.Run(t, store.Reserve+512<<20, func(t *testing.T, dir string) {
		p := scripts(t)
		p.Dir, p.WorkdirRoot = filepath.Join("testdata", "readonly"), dir
		p.Cmds["readonly"] = func(ts *testscript.TestScript, neg bool, args []string) {
			if len(args) != 0 {
				ts.Fatalf("usage: [!] readonly")
			}
			ts.Check(smalldisk.ReadOnly(dir, !neg))
		}
		testscript.Run(t, p)
	})
}
