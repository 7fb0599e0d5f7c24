package anchordir

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tamga-id/tamga/node/cmd/tamga/internal/anchorfile"
)

// An anchor that serves takes up what replaced its settings, though the file has the inode,
// the size and the time of the one before.
func TestAnchorSum(t *testing.T) {
	dir, at := t.TempDir(), time.Unix(1_800_000_000, 0)
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := anchorSum(dir); err == nil {
		t.Error("a folder without an anchor: no error")
	}
	write(anchorfile.Keystore, "key")
	write(anchorfile.Settings, "one")
	before, err := anchorSum(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, changed := range []struct{ keystore, settings string }{{"key", "two"}, {"KEY", "one"}, {"one", "key"}} {
		write(anchorfile.Keystore, changed.keystore)
		write(anchorfile.Settings, changed.settings)
		if now, err := anchorSum(dir); err != nil || now == before {
			t.Errorf("%+v: %x, %v; want another than before", changed, now, err)
		}
	}
	write(anchorfile.Keystore, "key")
	write(anchorfile.Settings, "one")
	if now, err := anchorSum(dir); err != nil || now != before {
		t.Errorf("put back: %x, %v; want %x", now, err, before)
	}
}
