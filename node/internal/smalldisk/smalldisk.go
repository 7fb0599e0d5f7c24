//go:build linux

// Package smalldisk gives tests a real disk of a size of their own, which they can fill:
// a tmpfs in a mount namespace that ends with the test. Where the system lets nobody
// mount one the test is skipped, also under CI: it says nothing about the code.
//
// [Run] runs a test on one; what may end the process runs as a [Process] of its own.
package smalldisk

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

const prefix = "TAMGA_SMALLDISK_"

// Given is the value that the parent process gave under a name, or "".
func Given(name string) string { return os.Getenv(prefix + name) }

// Run runs f, in a process of its own, with a folder on a disk of size bytes.
func Run(t *testing.T, size uint64, f func(t *testing.T, dir string)) {
	t.Helper()
	if dir := Given("mount"); dir != "" {
		// What is mounted here is to be seen here only.
		err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, "")
		if err == nil {
			err = syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size))
		}
		if err != nil {
			fmt.Println(cannot, err)
			t.SkipNow()
		}
		f(t, dir)
		return
	}
	c := self(t, t.Name(), "mount="+t.TempDir())
	// Who is not root is, in a user namespace, where the system has them.
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Getuid() != 0 {
		c.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		c.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		c.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err := c.Start(); err != nil {
		t.Skipf("no mount namespace to be had here: %v", err)
	}
	err := c.Wait()
	switch at := strings.Index(out.String(), cannot); {
	case at >= 0:
		t.Skip(strings.TrimSpace(out.String()[at:]))
	case err != nil:
		t.Errorf("%v\n%s", err, &out)
	}
}

// Leave makes the disk so small, or large, that so many bytes are free: what other
// programs do to it, without the memory that their files would take.
func Leave(dir string, free uint64) error {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return err
	}
	size := (s.Blocks-s.Bfree)*uint64(s.Bsize) + free
	return syscall.Mount("", dir, "", syscall.MS_REMOUNT, fmt.Sprintf("size=%d", size))
}

// ReadOnly has the disk take no writes, or take them again. No file may be open for writing.
func ReadOnly(dir string, on bool) error {
	flags := uintptr(syscall.MS_REMOUNT)
	if on {
		flags |= syscall.MS_RDONLY
	}
	return syscall.Mount("", dir, "", flags, "")
}

const cannot = "no disk can be mounted here:"

// Process runs a test of this program in a process of its own and fails when that does.
func Process(t *testing.T, test string, given ...string) {
	t.Helper()
	if out, err := self(t, test, given...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", given, err, out)
	}
}

func self(t *testing.T, test string, given ...string) *exec.Cmd {
	c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+test+"$", "-test.count=1")
	c.Env = os.Environ()
	for _, g := range given {
		c.Env = append(c.Env, prefix+g)
	}
	return c
}
