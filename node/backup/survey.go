package backup

import (
	"bytes"
	"cmp"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Endings of the names that files are given.
const (
	BackupEnding = ".tamga-backup"
	EscrowEnding = ".tamga-escrow"
)

// State is what a survey finds of a file.
type State string

// The states.
const (
	Opens    State = "opens"     // A backup whose keys are in the current escrow.
	Expired  State = "expired"   // A backup whose keys were destroyed.
	NoEscrow State = "no_escrow" // A backup without an escrow as late as it.
	Current  State = "current"   // The latest escrow, or one of the same keys.
	Former   State = "former"    // An escrow that another takes the place of.
	Foreign  State = "foreign"   // Of another node, as far as it says.
	Damaged  State = "damaged"   // Not whole, not signed by this node, or not to be read.
)

// Finding is one file of a survey.
type Finding struct {
	File  string
	State State
	Label Label // The zero value when damaged or foreign.
	Err   error // Of Damaged, why; of Expired and NoEscrow, a [KeysError].
	// Reopened is a former escrow with which an expired backup still opens.
	Reopened string
	// Retired is the ID of the federation key that signed the label, when the node has
	// retired it since. Whoever has that key can make such a label, dated before it was retired.
	Retired string
	// Unsure says that the latest escrow was signed under a key that is retired: State may be
	// by what its thief wants it to be, and nothing is to be removed because of it.
	Unsure bool
}

// Survey reads files whole, and those in folders whose names end in [BackupEnding] or
// [EscrowEnding], and says which backups open with the latest escrow among them, in the
// order of their paths. With an error a path, or what is published of the node, could not
// be read.
func Survey(paths []string, by Signer) ([]Finding, error) {
	s, former, err := by.parse()
	if err != nil {
		return nil, err
	}
	files, err := expand(paths)
	if err != nil {
		return nil, err
	}
	var found []Finding
	for _, file := range files {
		f := Finding{File: file}
		f.Label, f.Retired, f.Err = inspect(file, s, former)
		switch {
		case errors.Is(f.Err, ErrForeign):
			f.State, f.Err = Foreign, nil
		case f.Err != nil:
			f.State = Damaged
		}
		found = append(found, f)
	}
	judge(found)
	return found, nil
}

func expand(paths []string) (files []string, err error) {
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			files = append(files, path)
			continue
		}
		entries, err := os.ReadDir(path)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			// One that a killed process left beside an escrow may be another escrow.
			if e.Type().IsRegular() && (strings.HasSuffix(e.Name(), BackupEnding) || strings.HasSuffix(e.Name(), EscrowEnding) || strings.Contains(e.Name(), EscrowEnding+".tmp-")) {
				files = append(files, filepath.Join(path, e.Name()))
			}
		}
	}
	for i := range files {
		files[i] = filepath.Clean(files[i])
	}
	slices.SortStableFunc(files, cmp.Compare[string]) // a file that is named, and lies in a folder that is, counts once
	return slices.Compact(files), nil
}

// judge gives every finding its state.
func judge(found []Finding) {
	var escrows []Finding
	for _, f := range found {
		if f.State == "" && f.Label.Kind == KindEscrow {
			escrows = append(escrows, f)
		}
	}
	var latest Label
	unsure := false
	if len(escrows) > 0 {
		newest := slices.MaxFunc(escrows, later)
		latest, unsure = newest.Label, newest.Retired != ""
	}
	for i := range found {
		f := &found[i]
		f.Unsure = unsure && f.State == ""
		switch {
		case f.State != "":
		case f.Label.Kind == KindEscrow:
			f.State = Former
			if f.Label.Keys.equal(latest.Keys) {
				f.State = Current
			}
		default:
			f.State, f.Err = Opens, f.Label.Keys.CoveredBy(latest.Keys)
			if errors.Is(f.Err, ErrExpired) {
				f.State, f.Reopened = Expired, reopened(f.Label, escrows)
			} else if f.Err != nil {
				f.State = NoEscrow
			}
		}
	}
}

// later orders escrows by when they were made, and of one second by what they hold. None
// under a retired key is later than one under a present key.
func later(a, b Finding) int {
	return cmp.Or(present(a)-present(b), a.Label.Created.Compare(b.Label.Created), byKeys(a.Label.Keys, b.Label.Keys), bytes.Compare(a.Label.SHA256, b.Label.SHA256))
}

func present(f Finding) int {
	if f.Retired != "" {
		return 0
	}
	return 1
}

func byKeys(a, b Keys) int {
	for _, f := range slices.Sorted(maps.Keys(a)) {
		if len(a[f]) > 0 && len(b[f]) > 0 {
			// The newest generation tells, and among equals who does not hold the oldest.
			if c := cmp.Or(cmp.Compare(slices.Max(a[f]), slices.Max(b[f])), cmp.Compare(slices.Min(a[f]), slices.Min(b[f]))); c != 0 {
				return c
			}
		}
	}
	return 0
}

func reopened(l Label, escrows []Finding) string {
	for _, e := range escrows {
		if l.Keys.CoveredBy(e.Label.Keys) == nil {
			return e.File
		}
	}
	return ""
}
