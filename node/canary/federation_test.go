package canary_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/tamga-id/tamga/crypto/jose"
	"github.com/tamga-id/tamga/federation/ledger"
	"github.com/tamga-id/tamga/federation/ledger/lognote"
	"github.com/tamga-id/tamga/federation/transport"
	"github.com/tamga-id/tamga/federation/trust"
	"github.com/tamga-id/tamga/federation/trust/authority"
	"github.com/tamga-id/tamga/federation/trust/endpoint"
	"github.com/tamga-id/tamga/node"
	"github.com/tamga-id/tamga/node/api"
	"github.com/tamga-id/tamga/node/demo"
	"github.com/tamga-id/tamga/node/keystore"
	"github.com/tamga-id/tamga/node/requester"
)

// enrolled is how many people each country starts with.
const enrolled = 12

// stage is the sandbox that everything is played on: KAZ and KGZ in this process,
// with every frame recorded, UZB as a tamga process of its own.
type stage struct {
	t    *testing.T
	ctx  context.Context
	cast *cast
	out  *capture
	log  *slog.Logger

	fed      *demo.Federation
	kaz, kgz *actor
	uzb      *process
	uzbDir   string

	tamga string // the binary
	input string // folder of what the test itself writes
	http  *http.Client
}

// actor is a member whose way in and way out are recorded.
type actor struct {
	code, dir string
	node      *node.Node
	signing   jose.PrivateKey // of the node: what an insider has
	stop      func() error
	under     requester.Exchanger
	forge     atomic.Pointer[func([]byte) []byte] // replaces replies on their way out
}

// raise builds the stage. Whatever was raised is closed at the end of the test.
func raise(t *testing.T, out *capture) *stage {
	s := &stage{t: t, ctx: t.Context(), cast: newCast(t), out: out, input: t.TempDir(),
		tamga: filepath.Join(t.TempDir(), "tamga"), http: &http.Client{Timeout: 20 * time.Second}}
	s.log = slog.New(s.out.handler())
	transport.RouteLibraryLogs(s.out.handler())
	var built sync.WaitGroup
	built.Go(func() {
		c := exec.Command("go", "build", "-o", s.tamga, "github.com/tamga-id/tamga/node/cmd/tamga")
		if b, err := c.CombinedOutput(); err != nil {
			t.Errorf("building tamga: %v\n%s", err, b)
		}
	})
	var countries []demo.Country
	for _, c := range demo.Countries() {
		if c.Code != "TJK" {
			countries = append(countries, c)
		}
		for i := range enrolled {
			s.cast.person(c.Code, i)
		}
	}
	var err error
	s.fed, err = demo.Start(s.ctx, demo.Options{Dir: t.TempDir(), Countries: countries, People: enrolled, Log: s.log,
		API: func(n *node.Node) http.Handler { return api.Handler(n) }})
	s.must(err)
	t.Cleanup(func() { s.must(s.fed.Close()) })
	built.Wait()
	if t.Failed() {
		t.FailNow()
	}
	for _, m := range s.fed.Members {
		s.must(s.fed.Down(m))
	}
	s.write(s.input, "passphrase", []byte(demo.Passphrase+"\n"))
	s.uzbDir = s.fed.Members["UZB"].Dir
	return s
}

// must fails the test for what is no part of it.
func (s *stage) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("%v", err)
	}
}

func (s *stage) write(dir, name string, data []byte) string {
	path := filepath.Join(dir, name)
	s.must(os.WriteFile(path, data, 0o600))
	return path
}

// open starts a member in this process and tells the anchor where it is now.
// demo.Federation does not hand an Exchanger override on, so it is opened here.
func (s *stage) open(code string) *actor {
	a := &actor{code: code, dir: s.fed.Members[code].Dir}
	seeds, err := keystore.OpenSeeds(a.dir, []byte(demo.Passphrase))
	s.must(err)
	a.signing, err = jose.NewPrivateKey(seeds.Signing)
	s.must(err)
	a.node, err = node.Open(s.ctx, filepath.Join(a.dir, node.ConfigFile), []byte(demo.Passphrase), s.log, node.Overrides{
		Exchanger: func(x requester.Exchanger) requester.Exchanger { a.under = x; return recorder{s, a} },
		Reply: func(reply []byte) []byte {
			s.out.add(onFrame, code+" replies", reply)
			if f := a.forge.Load(); f != nil {
				return (*f)(reply)
			}
			return reply
		},
	})
	s.must(err)
	ctx, cancel := context.WithCancel(s.ctx)
	done := make(chan error, 1)
	go func() { done <- a.node.Run(ctx, api.Handler(a.node)) }()
	a.stop = sync.OnceValue(func() error {
		s.state(a)
		cancel()
		return errors.Join(<-done, a.node.Close())
	})
	s.t.Cleanup(func() { _ = a.stop() })
	token, err := a.node.EntityConfiguration()
	s.must(err)
	s.enroll(token, code)
	return a
}

func (s *stage) enroll(token, code string) {
	_, err := s.fed.Authority().Enroll(token, authority.EnrollOptions{Jurisdiction: code})
	s.must(err)
}

// recorder records what a node sends and what it gets.
type recorder struct {
	s *stage
	a *actor
}

func (r recorder) Exchange(ctx context.Context, to transport.PeerID, addrs []string, protocol string, frame []byte) ([]byte, error) {
	r.s.out.add(onFrame, r.a.code+" sends a query", frame)
	reply, err := r.a.under.Exchange(ctx, to, addrs, protocol, frame)
	r.s.out.err("exchanging a query", err)
	return reply, err
}

// state takes what a member says of itself.
func (s *stage) state(a *actor) {
	r, err := a.node.VerifyLedger(context.WithoutCancel(s.ctx))
	s.must(err)
	s.out.result("ledger report of "+a.code, r)
	s.out.result("status of "+a.code, a.node.Status())
	s.out.result("members of "+a.code, a.node.Members())
	w := httptest.NewRecorder()
	a.node.Metrics().ServeHTTP(w, httptest.NewRequest("GET", "http://127.0.0.1/metrics", nil))
	if !strings.Contains(w.Body.String(), "tamga_verifications_total") {
		s.t.Errorf("metrics of %s are %d bytes with status %d, without verifications", a.code, w.Body.Len(), w.Code)
	}
	s.out.add(onHTTP, "metrics of "+a.code, w.Body.Bytes())
}

// close stops every node, and the anchor.
func (s *stage) close() {
	s.must(s.uzb.stop())
	s.must(s.kaz.stop())
	s.must(s.kgz.stop())
	s.must(s.fed.Close())
}

// leaves takes every leaf and the checkpoint of a stopped member's ledger.
func (s *stage) leaves(code string) {
	dir := s.fed.Members[code].Dir
	seeds, err := keystore.OpenSeeds(dir, []byte(demo.Passphrase))
	s.must(err)
	signer, err := lognote.NewSigner(strings.TrimPrefix(demo.EntityID(code), "https://")+"/ledger", seeds.Ledger, seeds.LedgerPQ)
	s.must(err)
	log, err := ledger.Open(s.ctx, ledger.Config{Dir: filepath.Join(dir, "data", "ledger"), Signer: signer, Now: time.Now})
	s.must(err)
	s.out.add(onNote, code, log.Checkpoint())
	for at := uint64(0); at < log.Size(); at++ {
		leaf, err := log.Entry(at)
		s.must(err)
		s.out.add(onLeaf, fmt.Sprintf("%d of %s", at, code), leaf)
	}
	s.must(log.Close())
}

// process is a running tamga.
type process struct {
	cmd            *exec.Cmd
	stdout, stderr bytes.Buffer
	name           string
	stop           func() error
}

// spawn starts tamga with debug logs.
func (s *stage) spawn(name string, args ...string) *process {
	p := &process{cmd: exec.Command(s.tamga, args...), name: name}
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	s.must(p.cmd.Start())
	p.stop = sync.OnceValue(func() error {
		if err := p.cmd.Process.Signal(syscall.SIGINT); err != nil {
			return err
		}
		err := p.cmd.Wait()
		s.out.add(onProcess, "stdout of "+name, p.stdout.Bytes())
		s.out.add(onProcess, "stderr of "+name, p.stderr.Bytes())
		return err
	})
	s.t.Cleanup(func() { _ = p.stop() })
	return p
}

// run runs tamga to its end and demands an exit code.
func (s *stage) run(name string, want int, stdin []byte, args ...string) {
	s.t.Helper()
	s.exec("tamga "+name, want, stdin, s.tamga, args...)
}

func (s *stage) exec(name string, want int, stdin []byte, program string, args ...string) {
	s.t.Helper()
	var stdout, stderr bytes.Buffer
	c := exec.CommandContext(s.ctx, program, args...)
	c.Dir = s.input
	c.Stdin, c.Stdout, c.Stderr = bytes.NewReader(stdin), &stdout, &stderr
	err := c.Run()
	s.out.add(onProcess, name+", stdout", seconds.ReplaceAll(stdout.Bytes(), nil))
	s.out.add(onProcess, name+", stderr", stderr.Bytes())
	if got := c.ProcessState.ExitCode(); got != want {
		s.t.Errorf("%s: exit code %d, want %d (%v)", name, got, want, err)
	}
}

// seconds is how long an import took: digits that may be those of a score by chance.
var seconds = regexp.MustCompile(`"seconds": ?[0-9.e-]+`)

// startUZB runs UZB as an operator would, waits until it answers, and makes where it
// listens known.
func (s *stage) startUZB() {
	file := filepath.Join(s.uzbDir, node.ConfigFile)
	cfg, err := os.ReadFile(file)
	s.must(err)
	debug := bytes.Replace(cfg, []byte("level: info"), []byte("level: debug"), 1)
	if bytes.Equal(debug, cfg) {
		s.t.Fatal("the configuration names no log level to raise")
	}
	s.must(os.WriteFile(file, debug, 0o600))
	s.uzb = s.spawn("tamga run", "run", "--dir", s.uzbDir, "--passphrase-file", filepath.Join(s.input, "passphrase"))
	var st node.Status
	for deadline := time.Now().Add(15 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		out, err := exec.Command(s.tamga, "status", "--dir", s.uzbDir, "-o", "json").Output()
		if err == nil && json.Unmarshal(out, &st) == nil && len(st.Members) == 2 {
			break
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("the UZB process does not know the others: %v", err)
		}
	}
	id := trust.EntityID(st.EntityID)
	token, err := endpoint.Peer{
		Exchange: func(ctx context.Context, peer string, addrs []string, frame []byte) ([]byte, error) {
			return s.kaz.node.Exchange(ctx, trust.Node{PeerID: peer, Addresses: addrs}, transport.ProtocolTrust, frame)
		},
		Locate: func(trust.EntityID) (string, []string, bool) { return st.PeerID, st.Addresses, true },
	}.EntityConfiguration(s.ctx, id)
	s.must(err)
	s.enroll(token, "UZB")
}

// introduce lets the members in this process learn where everybody is.
func (s *stage) introduce() {
	for _, a := range []*actor{s.kaz, s.kgz} {
		s.must(a.node.Refresh(s.ctx))
	}
	for _, code := range []string{"KGZ", "UZB"} {
		if _, err := s.kaz.node.Peer(code); err != nil {
			s.t.Fatal(fmt.Errorf("KAZ does not know %s: %w", code, err))
		}
	}
}
