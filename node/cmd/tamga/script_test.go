package main

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/exchange/cbeff"
	"github.com/tamga-id/tamga/matcher/exchange/finger2011"
	"github.com/tamga-id/tamga/matcher/exchange/intake"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/internal/pgtest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"tamga": main})
}

// shared is the folder of real data, or "" when it is absent.
func shared() string {
	dir := os.Getenv("TAMGA_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared")
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return ""
	}
	if _, err := os.Stat(filepath.Join(abs, "data")); err != nil {
		return ""
	}
	return abs
}

// TestScripts runs every command as an operator would: separate processes, their
// output and their exit codes.
func TestScripts(t *testing.T) { testscript.Run(t, scripts(t)) }

func scripts(t *testing.T) testscript.Params {
	// database FILE writes the connection string of a new database there.
	var start sync.Once
	var cluster *pgtest.Cluster
	return testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("SHARED", shared())
			e.Setenv("HOME", e.WorkDir)
			for _, name := range []string{"ANCHOR", "P1", "P2", "P3", "P4", "H1", "H2", "H3"} {
				port, err := unusedPort()
				if err != nil {
					return err
				}
				e.Setenv(name, "127.0.0.1:"+port)
				e.Setenv(name+"PORT", port)
			}
			return nil
		},
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "pkcs11":
				return hasPKCS11, nil
			case "postgres":
				return pgtest.Installed(), nil
			}
			if cond != "shared" {
				return false, errors.New("unknown condition")
			}
			if shared() == "" && os.Getenv("CI") == "true" {
				return false, errors.New("the shared data are absent, and under CI they must not be")
			}
			return shared() != "", nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"edition":  edition,
			"hold":     hold,
			"identity": ageIdentities, "shown": shown, "flip": flip, "spoil": spoil, "append": appendFile, "tree": tree, "live": live,
			"members": waitForMembers,
			"waitlog": waitForLog,
			"sealed":  waitForSealed,
			"exits":   exits,
			"scrape":  scrape,
			"thief":   thief,
			"database": func(ts *testscript.TestScript, neg bool, args []string) {
				if neg || len(args) != 1 {
					ts.Fatalf("usage: database FILE")
				}
				start.Do(func() { cluster = pgtest.Start(t) })
				ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(cluster.Database(t)+" password=pa55w0rd\n"), 0o600))
			},
			"json": jsonField,
		},
	}
}

// nextPort is the last port that unusedPort looked at, less the first.
var nextPort atomic.Uint32

// unusedPort finds a port that nobody listens on by TCP or UDP, and gives none out twice. It
// lies below those that the system hands to who asks for any, which half of the commands and
// every connection do meanwhile.
func unusedPort() (string, error) {
	const first, last = 12_000, 32_000
	nextPort.CompareAndSwap(0, uint32(os.Getpid()*61%(last-first))) // two runs at once
	for range last - first {
		port := strconv.Itoa(first + int(nextPort.Add(1)%(last-first)))
		l, err := net.Listen("tcp", "127.0.0.1:"+port)
		if err != nil {
			continue
		}
		p, err := net.ListenPacket("udp", "127.0.0.1:"+port)
		if err != nil {
			_ = l.Close()
			continue
		}
		return port, errors.Join(l.Close(), p.Close())
	}
	return "", errors.New("no port is unused")
}

// edition: edition FORMAT IN OUT writes a finger record of ISO/IEC 19794-2:2005 as one of 2011
// ("2011"), or as that behind a CBEFF header ("cbeff").
func edition(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: edition FORMAT IN OUT")
	}
	b, err := os.ReadFile(ts.MkAbs(args[1]))
	ts.Check(err)
	samples, err := exchange.DecodeFinger(b)
	ts.Check(err)
	b, err = finger2011.Encode(samples)
	ts.Check(err)
	if args[0] == "cbeff" {
		b, err = intake.Wrap(b, cbeff.Header{Format: 2})
		ts.Check(err)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), b, 0o600))
}

// hold: hold HOST:PORT listens there, TCP and UDP, until the script ends.
func hold(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: hold HOST:PORT")
	}
	l, err := net.Listen("tcp", args[0])
	ts.Check(err)
	ts.Defer(func() { _ = l.Close() })
	u, err := net.ListenPacket("udp", args[0])
	ts.Check(err)
	ts.Defer(func() { _ = u.Close() })
}

// waitForMembers: members DIR N waits until the node in DIR runs and knows N others.
func waitForMembers(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: members DIR N")
	}
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	deadline := time.Now().Add(60 * time.Second)
	for {
		c := exec.Command("tamga", "status", "--dir", ts.MkAbs(args[0]), "-o", "json")
		c.Env = []string{"PATH=" + ts.Getenv("PATH")}
		out, err := c.Output()
		var s struct{ Members []struct{} }
		if err == nil && json.Unmarshal(out, &s) == nil && len(s.Members) == want {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s does not know %d others: %v %s", args[0], want, err, out)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// waitForLog: waitlog FILE REGEXP waits until a line of the file matches.
func waitForLog(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: waitlog FILE REGEXP")
	}
	want := regexp.MustCompile(args[1])
	says := func() bool {
		b, err := os.ReadFile(ts.MkAbs(args[0])) // a background command makes it when it gets there
		return err == nil && want.Match(b)
	}
	for deadline := time.Now().Add(60 * time.Second); !says(); {
		if time.Now().After(deadline) {
			ts.Fatalf("%s does not say %s", args[0], args[1])
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// waitForSealed: sealed DIR N waits until the sealed node in DIR misses N shares, and
// looks at what else it answers.
func waitForSealed(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: sealed DIR N")
	}
	deadline := time.Now().Add(60 * time.Second)
	for {
		c := exec.Command("tamga", "unseal", "--dir", ts.MkAbs(args[0]), "-o", "json")
		c.Env = []string{"PATH=" + ts.Getenv("PATH")}
		out, err := c.Output()
		var p struct{ Missing int }
		if e, ok := errors.AsType[*exec.ExitError](err); ok && e.ExitCode() == fault.ExitSealed && json.Unmarshal(out, &p) == nil && strconv.Itoa(p.Missing) == args[1] {
			break
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s is not sealed with %s missing: %v %s", args[0], args[1], err, out)
		}
		time.Sleep(50 * time.Millisecond)
	}
	base := "http://" + strings.TrimSpace(ts.ReadFile(filepath.Join(args[0], "data", "api-address")))
	for path, want := range map[string]int{"/livez": 200, "/healthz": 200, "/readyz": 503, "/v1/status": 503, "/openapi.json": 503, "/v1/unseal/x": 503} {
		resp, err := http.Get(base + path)
		ts.Check(err)
		body, err := io.ReadAll(resp.Body)
		ts.Check(errors.Join(err, resp.Body.Close()))
		if resp.StatusCode != want || !strings.Contains(string(body), "sealed") {
			ts.Fatalf("a sealed node answers %s with %d %s, want %d", path, resp.StatusCode, body, want)
		}
	}
}

// scrape: scrape HOST:PORT PATTERN... waits until the metrics there match all patterns.
func scrape(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: scrape HOST:PORT PATTERN...")
	}
	deadline := time.Now().Add(60 * time.Second)
	for {
		var body []byte
		resp, err := http.Get("http://" + args[0] + "/metrics")
		if err == nil {
			body, err = io.ReadAll(resp.Body)
			err = errors.Join(err, resp.Body.Close())
		}
		missing := slices.DeleteFunc(slices.Clone(args[1:]), func(p string) bool { return regexp.MustCompile("(?m)" + p).Match(body) })
		if err == nil && len(missing) == 0 {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("metrics do not match %q: %v\n%s", missing, err, body)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// exits: exits CODE COMMAND... demands an exit code. Output goes to the files
// stdout and stderr for later lines to look at.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	c := exec.Command(args[1], args[2:]...)
	c.Dir = ts.MkAbs(".")
	c.Env = []string{"PATH=" + ts.Getenv("PATH"), "HOME=" + ts.Getenv("HOME")}
	out, err := os.Create(ts.MkAbs("stdout.txt"))
	ts.Check(err)
	defer out.Close()
	errs, err := os.Create(ts.MkAbs("stderr.txt"))
	ts.Check(err)
	defer errs.Close()
	c.Stdout, c.Stderr = out, errs
	err = c.Run()
	got := 0
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		got = e.ExitCode()
	} else if err != nil {
		ts.Fatalf("running %s: %v", args[1], err)
	}
	if got != want {
		b, _ := os.ReadFile(ts.MkAbs("stderr.txt"))
		ts.Fatalf("exit code %d, want %d\n%s", got, want, b)
	}
}

// jsonField: json FILE KEY REGEXP looks at one top-level member of a JSON object, of
// stderr.txt in the last line.
func jsonField(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: json FILE KEY REGEXP")
	}
	var m map[string]json.RawMessage
	text := ts.ReadFile(args[0])
	if args[0] == "stderr.txt" {
		lines := strings.Split(strings.TrimSpace(text), "\n")
		text = lines[len(lines)-1]
	}
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		ts.Fatalf("%s is not one JSON object: %v", args[0], err)
	}
	v, ok := m[args[1]]
	if match := ok && regexp.MustCompile(args[2]).Match(v); match == neg {
		ts.Fatalf("%s is %s, matched against %s", args[1], v, args[2])
	}
}
