package ledgers_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/tamga-id/tamga/node/config"
	"github.com/tamga-id/tamga/node/ledgers"
)

func TestNames(t *testing.T) {
	cfg := config.Config{DataDir: t.TempDir()}
	if ledgers.Number(cfg) != 1 || filepath.Base(ledgers.Dir(cfg)) != "ledger" {
		t.Errorf("a folder without ledgers: %d, %s", ledgers.Number(cfg), ledgers.Dir(cfg))
	}
	for _, name := range []string{"ledger", ledgers.Name(2), ledgers.Name(11), "ledger-012", "ledger-99.partial"} {
		if err := os.Mkdir(filepath.Join(cfg.DataDir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if ledgers.Number(cfg) != 11 || ledgers.Dir(cfg) != filepath.Join(cfg.DataDir, "ledger-11") {
		t.Errorf("got ledger %d in %s, want 11", ledgers.Number(cfg), ledgers.Dir(cfg))
	}
}

func TestOrigin(t *testing.T) {
	for number, want := range map[int]string{1: "node.example/a/ledger", 2: "node.example/a/ledger/2", 1200: "node.example/a/ledger/1200"} {
		o := ledgers.Origin("https://node.example/a/", number)
		if o != want {
			t.Errorf("ledger %d: got %q, want %q", number, o, want)
		}
		if first, n := ledgers.Split(o); n != number || first != ledgers.Origin("https://node.example/a", 1) {
			t.Errorf("splitting %q: got %q and %d", o, first, n)
		}
	}
}
