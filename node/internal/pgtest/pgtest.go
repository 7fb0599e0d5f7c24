//go:build linux

// Package pgtest runs a PostgreSQL cluster for the length of a test: its own, in a
// temporary folder, reached over a socket in it, with Debian's package postgresql. A
// test that needs it is skipped where the package is not installed, and fails under
// CI=true. Start with [Start]. It is for tests alone.
package pgtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Cluster is a running cluster. It is for one goroutine.
type Cluster struct {
	dir, bin  string
	cred      *syscall.Credential // nil to run as who runs the test
	server    *exec.Cmd
	log       bytes.Buffer
	databases atomic.Int64
}

// startTime bounds how long a server may take to answer, on a busy machine.
const startTime = time.Minute

// Start makes a cluster and runs it until the test ends.
func Start(tb testing.TB) *Cluster {
	tb.Helper()
	c := makeCluster(tb)
	tb.Cleanup(func() {
		if err := c.remove(); err != nil {
			tb.Error(err)
		}
	})
	c.Start(tb)
	return c
}

// One is a cluster for all the tests of a package that do not spoil it: the first one
// that asks starts it. TestMain stops it.
type One struct {
	mu sync.Mutex
	c  *Cluster
}

// Start returns the cluster, running.
func (o *One) Start(tb testing.TB) *Cluster {
	tb.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.c == nil {
		o.c = makeCluster(tb)
	}
	if o.c.server == nil {
		o.c.Start(tb)
	}
	return o.c
}

// Stop ends the cluster, if it was started.
func (o *One) Stop() {
	if o.c != nil {
		_ = o.c.remove()
	}
}

// makeCluster makes a cluster that does not run yet.
func makeCluster(tb testing.TB) *Cluster {
	tb.Helper()
	bin, err := binaries()
	if err != nil {
		if os.Getenv("CI") == "true" {
			tb.Fatalf("%v: apt-get install postgresql", err)
		}
		tb.Skipf("%v", err)
	}
	dir, err := os.MkdirTemp("", "tamga-pg")
	if err != nil {
		tb.Fatal(err)
	}
	c := &Cluster{dir: dir, bin: bin}
	if err := c.init(); err != nil {
		tb.Fatal(errors.Join(err, c.remove()))
	}
	return c
}

func (c *Cluster) remove() error {
	c.stop(syscall.SIGQUIT)
	return os.RemoveAll(c.dir)
}

// binaries finds the folder of the server's programs, which Debian keeps out of PATH.
func binaries() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("PostgreSQL is not installed")
	}
	return filepath.Dir(found[len(found)-1]), nil
}

// Installed says whether there is a PostgreSQL to start. Under CI=true there must be.
func Installed() bool {
	_, err := binaries()
	return err == nil || os.Getenv("CI") == "true"
}

// init makes the cluster. The server refuses to run as root, so that root lends the
// folder to the package's user.
func (c *Cluster) init() error {
	if os.Getuid() == 0 {
		u, err := user.Lookup("postgres")
		if err != nil {
			return err
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return err
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			return err
		}
		c.cred = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(c.dir, int(uid), int(gid)); err != nil {
			return err
		}
	}
	out, err := c.command("initdb", "-D", c.data(), "-U", "tamga", "-A", "trust", "-N", "-E", "UTF8", "--locale=C").CombinedOutput()
	if err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

func (c *Cluster) data() string { return filepath.Join(c.dir, "data") }

func (c *Cluster) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(c.bin, name), args...)
	cmd.Dir = c.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.cred, Setpgid: true}
	return cmd
}

// Start runs the server of a cluster that was stopped, and waits until it answers.
func (c *Cluster) Start(tb testing.TB) {
	tb.Helper()
	c.log.Reset()
	c.server = c.command("postgres", "-D", c.data(), "-k", c.dir, "-c", "listen_addresses=",
		"-c", "shared_buffers=16MB", "-c", "max_connections=40")
	c.server.Stderr = &c.log
	c.server.SysProcAttr.Pdeathsig = syscall.SIGQUIT
	if err := c.server.Start(); err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(tb.Context(), startTime)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, c.dsn("postgres"))
		if err == nil {
			_ = conn.Close(ctx)
			return
		}
		if ctx.Err() != nil {
			c.stop(syscall.SIGQUIT)
			tb.Fatalf("PostgreSQL does not answer: %v\n%s", err, c.log.Bytes())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Crash ends the server at once, as a crash does; Start runs it again.
func (c *Cluster) Crash() { c.stop(syscall.SIGQUIT) }

// Freeze stops the server's processes, which then answer nothing, until thaw is called.
func (c *Cluster) Freeze(tb testing.TB) (thaw func()) {
	tb.Helper()
	signal := func(s syscall.Signal) {
		// Its children are in sessions of their own.
		for _, pid := range c.processes(tb) {
			_ = syscall.Kill(pid, s)
		}
	}
	signal(syscall.SIGSTOP)
	return func() { signal(syscall.SIGCONT) }
}

func (c *Cluster) processes(tb testing.TB) []int {
	tb.Helper()
	pids := []int{c.server.Process.Pid}
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pids[0], pids[0]))
	if err != nil {
		tb.Fatal(err)
	}
	for _, f := range bytes.Fields(children) {
		pid, err := strconv.Atoi(string(f))
		if err != nil {
			tb.Fatal(err)
		}
		pids = append(pids, pid)
	}
	return pids
}

func (c *Cluster) stop(s syscall.Signal) {
	if c.server == nil {
		return
	}
	_ = c.server.Process.Signal(s)
	_ = c.server.Wait()
	c.server = nil
}

// Database makes an empty database and returns its connection string.
func (c *Cluster) Database(tb testing.TB) string {
	tb.Helper()
	name := fmt.Sprintf("tamga%d", c.databases.Add(1))
	c.Run(tb, c.dsn("postgres"), "CREATE DATABASE "+name)
	return c.dsn(name)
}

// Run executes SQL.
func (c *Cluster) Run(tb testing.TB, dsn, sql string) {
	tb.Helper()
	conn, err := pgx.Connect(tb.Context(), dsn)
	if err != nil {
		tb.Fatal(err)
	}
	_, err = conn.Exec(tb.Context(), sql)
	_ = conn.Close(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
}

// Dump is what pg_dump writes of a database.
func (c *Cluster) Dump(tb testing.TB, dsn string) []byte {
	tb.Helper()
	cmd := c.command("pg_dump", "--dbname", dsn)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		tb.Fatalf("pg_dump: %v\n%s", err, stderr.Bytes())
	}
	return out
}

// Dir is where the cluster's files are.
func (c *Cluster) Dir() string { return c.data() }

func (c *Cluster) dsn(database string) string {
	return fmt.Sprintf("host=%s user=tamga dbname=%s", c.dir, database)
}
