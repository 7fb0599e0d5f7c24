package backupcmd

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tamga-id/tamga/node/backup"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
)

// TestPruneOfTheFuture: nothing is removed while a file is dated later than now, but for
// what clocks may differ by.
func TestPruneOfTheFuture(t *testing.T) {
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	dated := func(at time.Time) []backup.Finding {
		return []backup.Finding{{File: "a"}, {File: "b", Label: backup.Label{Created: at}}}
	}
	for _, at := range []time.Time{now.AddDate(-1, 0, 0), now, now.Add(time.Minute)} {
		if err := ofTheFuture(dated(at), now); err != nil {
			t.Errorf("%v: %v", at, err)
		}
	}
	err := ofTheFuture(dated(now.AddDate(1, 0, 0)), now)
	if f, ok := errors.AsType[*fault.Failure](err); !ok || f.Exit != fault.ExitIntegrity {
		t.Errorf("a year ahead: %v", err)
	}
}

// TestKeepOfRetired: a backup under a retired federation key displaces none, whatever its date.
func TestKeepOfRetired(t *testing.T) {
	open := func(file string, day int, retired string) backup.Finding {
		return backup.Finding{File: file, State: backup.Opens, Retired: retired, Label: backup.Label{Created: time.Date(2026, 11, day, 0, 0, 0, 0, time.UTC)}}
	}
	gone := beyond([]backup.Finding{open("forged", 9, "stolen"), open("old", 3, ""), open("older", 2, ""), open("former", 1, "before")}, 1)
	for file, want := range map[string]bool{"forged": false, "old": false, "older": true, "former": true} {
		if gone[file] != want {
			t.Errorf("%s: removed %v, want %v", file, gone[file], want)
		}
	}
}

// TestPruneUnsure: nothing is removed by the word of an escrow that may be forged.
func TestPruneUnsure(t *testing.T) {
	a := &cli.App{Out: io.Discard, Err: io.Discard}
	file := filepath.Join(t.TempDir(), "b")
	for _, s := range []backup.State{backup.Expired, backup.Former, backup.Opens} {
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		older := backup.Finding{File: file, State: s, Unsure: true}
		newer := backup.Finding{File: file + "2", State: backup.Opens, Unsure: true, Label: backup.Label{Created: time.Unix(1, 0)}}
		if err := prune(a, []backup.Finding{newer, older}, 1, false); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(file); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
}
