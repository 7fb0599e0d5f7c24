package locked_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/tamga-id/tamga/crypto/internal/locked"
)

// flags returns the VmFlags of the mapping that holds b, as proc(5) lists them.
func flags(t *testing.T, b *locked.Buffer) string {
	t.Helper()
	smaps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Skip("no /proc/self/smaps here")
	}
	at := uintptr(unsafe.Pointer(&b.Bytes()[0]))
	inside := false
	for line := range strings.Lines(string(smaps)) {
		var from, to uintptr
		if n, _ := fmt.Sscanf(line, "%x-%x ", &from, &to); n == 2 {
			inside = from <= at && at < to
		}
		if f, ok := strings.CutPrefix(line, "VmFlags:"); ok && inside {
			return f + " "
		}
	}
	t.Fatal("the buffer is in no mapping")
	return ""
}

func TestBuffer(t *testing.T) {
	b := locked.New(32)
	if len(b.Bytes()) != 32 || !bytes.Equal(b.Bytes(), make([]byte, 32)) {
		t.Fatalf("a new buffer is not 32 zeros")
	}
	f := flags(t, b)
	if !strings.Contains(f, " dd ") {
		t.Errorf("flags %q: the memory goes into a core dump", f)
	}
	if b.Locked() != strings.Contains(f, " lo ") {
		t.Errorf("Locked says %v, the kernel %q", b.Locked(), f)
	}
	copy(b.Bytes(), "secret")
	b.Wipe()
	if !bytes.Equal(b.Bytes(), make([]byte, 32)) {
		t.Error("a wiped buffer is not zero")
	}
	runtime.KeepAlive(b)
}

// TestNoLimit runs itself without any right to lock memory: the buffer must
// work all the same and not claim to be locked.
func TestNoLimit(t *testing.T) {
	if os.Getenv("TAMGA_TEST_NO_LIMIT") == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestNoLimit$", "-test.v")
		cmd.Env = append(os.Environ(), "TAMGA_TEST_NO_LIMIT=1")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if bytes.Contains(out, []byte("SKIP")) {
			t.Skipf("%s", out)
		}
		return
	}
	const rlimitMemlock = 8
	if err := syscall.Setrlimit(rlimitMemlock, &syscall.Rlimit{}); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() == 0 {
		// Root is not bound by the limit; give that up on this thread.
		runtime.LockOSThread()
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, 65534, 65534, 65534); errno != 0 {
			t.Skip("cannot become another user: ", errno)
		}
	}
	b := locked.New(32)
	copy(b.Bytes(), "secret")
	if b.Locked() || string(b.Bytes()[:6]) != "secret" {
		t.Errorf("without the right to lock memory: locked %v", b.Locked())
	}
	runtime.KeepAlive(b)
}

func TestHideProcess(t *testing.T) {
	if os.Getenv("TAMGA_TEST_HIDE") == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestHideProcess$")
		cmd.Env = append(os.Environ(), "TAMGA_TEST_HIDE=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	if locked.Hidden() {
		t.Skip("hidden from the start")
	}
	if err := locked.HideProcess(); err != nil || !locked.Hidden() {
		t.Errorf("hidden: %v, %v", locked.Hidden(), err)
	}
}
