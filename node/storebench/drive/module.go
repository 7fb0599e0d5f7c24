package drive

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// source is this package, to be built into programs of other modules.
//
//go:embed *.go
var source embed.FS

// buildTime is how long fetching and building a module may take.
const buildTime = 15 * time.Minute

// Build lays the files of a module out in dir, with this package in the folder drive of it, and builds the program in
// its root, for which it needs the go command and its module proxy. go.mod and go.sum are there with .txt behind them:
// a folder that has a go.mod cannot be embedded. To update such a module, lay it out like this, go get there, and copy
// both back.
func Build(ctx context.Context, dir string, module fs.FS) (program string, err error) {
	goTool, err := exec.LookPath("go")
	if err != nil {
		return "", errors.New("the go command, which builds what drives them, is not installed")
	}
	if err := errors.Join(layOut(dir, module), layOut(filepath.Join(dir, "drive"), source)); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, buildTime)
	defer cancel()
	program = filepath.Join(dir, "peers.exe")
	c := exec.CommandContext(ctx, goTool, "build", "-trimpath", "-mod=readonly", "-o", program, ".")
	c.Dir = dir
	c.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if out, err := c.CombinedOutput(); err != nil {
		out = bytes.TrimSpace(out)
		return "", fmt.Errorf("building what drives them: %w: %s", err, out[bytes.LastIndexByte(out, '\n')+1:])
	}
	return program, nil
}

func layOut(dir string, files fs.FS) error {
	return fs.WalkDir(files, ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := fs.ReadFile(files, path)
		if err != nil {
			return err
		}
		to := filepath.Join(dir, strings.TrimSuffix(path, ".txt"))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		return os.WriteFile(to, text, 0o644)
	})
}
