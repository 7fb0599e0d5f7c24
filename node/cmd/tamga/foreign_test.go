package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestForeign runs a requester that shares no code with this repository, written after
// PROTOCOL.md on js-libp2p, against a node.
func TestForeign(t *testing.T) {
	absent := func(why string, args ...any) {
		t.Helper()
		if os.Getenv("CI") == "true" {
			t.Fatalf(why, args...)
		}
		t.Skipf(why, args...)
	}
	for _, name := range []string{"npm", "node"} {
		if _, err := exec.LookPath(name); err != nil {
			absent("%s is not installed", name)
		}
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "js"))); err != nil {
		t.Fatal(err)
	}
	// Exactly what the lock file pins, by hash; no package's own scripts run.
	install := exec.CommandContext(t.Context(), "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		absent("the packages that package-lock.json pins could not be had: %v\n%s", err, out)
	}
	p := scripts(t)
	p.Dir = filepath.Join("testdata", "foreign")
	setup := p.Setup
	p.Setup = func(e *testscript.Env) error {
		e.Setenv("JS", filepath.Join(dir, "client.mjs"))
		return setup(e)
	}
	testscript.Run(t, p)
}
