// Package badgerfile examines the files of a Badger v4 store that is not open,
// without encryption and compression, before Badger gets to see them.
//
// Badger repairs a damaged write-ahead log by dropping what follows, ignores a
// table whose checksum is wrong, deletes tables that a damaged manifest does not
// name, and ends the process (log.Fatalf, or a panic in a goroutine of its own)
// on other kinds of damage. Call [Examine], open the [Store.Snapshot] read-only
// to see what Badger would make of it, and only then [Store.Tidy] and open the
// original. [Survey] lists everything that is wrong.
//
// It reads the layouts of badger v4.9 (manifest version 8), and does not
// interpret values; a table that was damaged and given new checksums passes.
package badgerfile

import (
	"fmt"
	"runtime/debug"
)

// Damage says which file or part of a store is damaged and how.
type Damage struct {
	Part, Rule string
	// Torn: it is at the end of what was written last, and may be no more than a write
	// that a crash cut off and nobody was told of.
	Torn bool
}

// Missing is the rule of what should be there and is not.
const Missing = "missing"

// Error names part and rule.
func (d *Damage) Error() string { return d.Part + ": " + d.Rule }

func damaged(part, format string, args ...any) error {
	return &Damage{Part: part, Rule: fmt.Sprintf(format, args...)}
}

// Guard runs f and turns a panic of the store, and a memory fault in a mapped
// file, into damage found in part. It cannot see other goroutines.
func Guard(part string, f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = damaged(part, "reading it stopped with %.200q", fmt.Sprint(r))
		}
	}()
	return f()
}
