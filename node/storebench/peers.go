package storebench

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
	"slices"
	"time"

	"github.com/tamga-id/tamga/node/storebench/drive"
)

// peerFiles are the module that drives stores of other makers. It stays out of this
// one's go.mod: Pebble brings some forty modules with it.
//
//go:embed _peers/*.go _peers/go.mod.txt _peers/go.sum.txt
var peerFiles embed.FS

// startPeers starts what there is of the other stores; what there is not is noted.
func (b *bench) startPeers(ctx context.Context) {
	b.Say("starting PostgreSQL")
	stop, pgErr := b.startPostgres(ctx)
	if pgErr == nil {
		b.atEnd = stop
		b.add(ctx, &contender{name: kindShared, command: b.worker(kindShared)})
	} else {
		b.note("PostgreSQL is not measured: %v", pgErr)
	}
	b.Say("building the program that drives other stores")
	program, err := b.buildPeers(ctx)
	if err != nil {
		b.note("Pebble is not measured, nor anything raw but Badger: %v", err)
		return
	}
	by := func(kind, dir string) func(int) []string {
		return func(held int) []string { return b.arguments([]string{program}, kind, dir, held) }
	}
	b.add(ctx, &contender{name: "pebble", command: by("pebble", b.Dir)})
	if pgErr == nil {
		b.add(ctx, &contender{name: "postgresql", command: by("postgresql", postgresDir(b.Dir))})
	}
}

// add starts a store of another maker.
func (b *bench) add(ctx context.Context, s *contender) {
	if _, err := s.start(ctx); err != nil {
		b.note("%s is not measured: %v", s.name, errors.Join(err, s.close()))
		return
	}
	b.stores = append(b.stores, s)
}

func (b *bench) note(format string, args ...any) {
	b.report.Notes = append(b.report.Notes, fmt.Sprintf(format, args...))
}

func (b *bench) buildPeers(ctx context.Context) (program string, err error) {
	module, err := fs.Sub(peerFiles, "_peers")
	if err != nil {
		return "", err
	}
	return drive.Build(ctx, filepath.Join(b.Dir, "peers"), module)
}

func lastLine(out []byte) []byte {
	out = bytes.TrimSpace(out)
	return out[bytes.LastIndexByte(out, '\n')+1:]
}

// postgresBin is the folder of PostgreSQL's programs: Debian keeps them out of PATH.
func postgresBin() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path), nil
		}
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return "", errors.New("it is not installed: apt-get install postgresql")
	}
	return filepath.Dir(slices.Max(found)), nil
}

// postgresDir is where a bench in dir has its server: socket and data.
func postgresDir(dir string) string { return filepath.Join(dir, "postgresql") }

// startPostgres makes a cluster and starts it, reached through a socket in its folder
// alone. Its settings are the maker's but for the size of its cache, which is Pebble's,
// and the number of connections.
func (b *bench) startPostgres(ctx context.Context) (stop func(), err error) {
	bin, err := postgresBin()
	if err != nil {
		return nil, err
	}
	dir := postgresDir(b.Dir)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	as, err := b.asPostgres(dir)
	if err != nil {
		return nil, err
	}
	command := func(program string, args ...string) *exec.Cmd {
		args = slices.Concat(as, []string{filepath.Join(bin, program)}, args)
		c := exec.CommandContext(ctx, args[0], args[1:]...)
		c.Dir = dir
		return c
	}
	data := filepath.Join(dir, "data")
	if out, err := command("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("making a cluster: %w: %s", err, lastLine(out))
	}
	server := command("postgres", "-D", data, "-k", dir, "-c", "listen_addresses=", "-c", "shared_buffers=256MB",
		"-c", fmt.Sprintf("max_connections=%d", maxConnections))
	end := func() error { return server.Process.Signal(os.Interrupt) } // fast shutdown
	server.Cancel = end
	var log bytes.Buffer
	server.Stdout, server.Stderr = &log, &log
	if err := server.Start(); err != nil {
		return nil, fmt.Errorf("starting the server: %w", err)
	}
	stop = func() {
		_ = end()
		_ = server.Wait()
	}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if status, _ := os.ReadFile(filepath.Join(data, "postmaster.pid")); bytes.Contains(status, []byte("\nready ")) {
			return stop, nil
		}
	}
	stop()
	return nil, fmt.Errorf("starting the server: %s", lastLine(log.Bytes()))
}

// maxConnections is for two stores, and leaves some to the server itself.
const maxConnections = 2*MaxWorkers + 10

// asPostgres is how to start a program that refuses to be root, in a folder that is then
// the other user's.
func (b *bench) asPostgres(dir string) ([]string, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	if err := os.Chmod(b.Dir, 0o711); err != nil { // to be walked through
		return nil, err
	}
	if out, err := exec.Command("chown", "postgres", dir).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("there is no user to run it as: %s", lastLine(out))
	}
	setpriv, err := exec.LookPath("setpriv")
	if err != nil {
		return nil, errors.New("it refuses to be run as root, and setpriv is not installed")
	}
	return []string{setpriv, "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"}, nil
}
