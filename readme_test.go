package tamga_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestReadme runs the block under "Running a real federation" as it stands.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?s)<!-- readme_test.go runs this block as it stands -->\n```sh\n(.*?)```").FindSubmatch(text)
	if m == nil {
		t.Fatal("README.md has no block to run")
	}
	bin := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", filepath.Join(bin, "tamga"), "./node/cmd/tamga").CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	// Its background processes end with the script.
	script := "set -eu\ntrap 'kill $(jobs -p)' EXIT\n" + string(m[1])
	c := exec.CommandContext(ctx, "bash", "-c", script)
	c.Dir = t.TempDir()
	c.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	c.WaitDelay = 5 * time.Second
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"MATCHED", "of the peer's ledger, verified", "member KGZ", "ledger       sound"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the block did not print %q:\n%s", want, out)
		}
	}
	if regexp.MustCompile(`go run \./node/cmd/tamga demo\n`).Find(text[:1500]) == nil || !strings.Contains(string(text), "\ngo test ./...\n") {
		t.Error("README.md does not start with the two commands")
	}
}
